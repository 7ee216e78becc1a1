"""Signatures: HMAC-SHA256 over the time, a dot and the body, in hexadecimal after `v1=`. Pure."""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

TIMESTAMP_HEADER = "X-EYDP-Timestamp"
SIGNATURE_HEADER = "X-EYDP-Signature"
IDEMPOTENCY_HEADER = "Idempotency-Key"

_TIMESTAMP = re.compile(r"[1-9][0-9]{0,11}")
_SIGNATURE = re.compile(r"v1=([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of itself: when it was signed, in seconds since 1970, and the code to compare."""

    at: int
    mac: bytes


def sign(key: bytes, timestamp: int, body: bytes) -> str:
    """Return the signature header of a body."""
    return f"v1={_mac(key, timestamp, body).hex()}"


def claim(timestamp: str | None, signature: str | None) -> Claim | None:
    """Return what the two headers say, None when one is missing or malformed."""
    if timestamp is None or signature is None or not _TIMESTAMP.fullmatch(timestamp):
        return None
    found = _SIGNATURE.fullmatch(signature)
    return Claim(int(timestamp), bytes.fromhex(found[1])) if found else None


def is_genuine(claim: Claim, keys: Sequence[bytes], body: bytes) -> bool:
    """Return whether one of the keys made the signature. How long it takes does not tell which, nor how nearly."""
    genuine = False
    for key in keys:  # all of them, always
        genuine |= hmac.compare_digest(_mac(key, claim.at, body), claim.mac)
    return genuine


def _mac(key: bytes, timestamp: int, body: bytes) -> bytes:
    mac = hmac.new(key, b"%d." % timestamp, "sha256")
    mac.update(body)
    return mac.digest()
