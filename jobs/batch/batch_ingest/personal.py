"""What becomes of personal data before anything is kept: a policy for each group of a user's fields. Pure.

`hash` and `tokenise` need a secret, and are the same for the same value as long as the secret is the same: joins and
counts still work, and nobody reads a person's name. A hash has 64 hexadecimal digits; a token is short and says what
it stands for. What is a number or half an address is dropped by both: too few values to hide among.
"""

import base64
import copy
import hashlib
import hmac
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from batch_ingest.settings import BatchSettings, Policy
from dataplatform.errors import ConfigurationError

#: The groups, and where they are in a user's record.
GROUPS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "email": (("email",),),
    "phone": (("phone",),),
    "names": (("username",), ("name", "firstname"), ("name", "lastname")),
    "street": (("address", "street"), ("address", "number")),
    "coordinates": (("address", "geolocation", "lat"), ("address", "geolocation", "long")),
}
#: Dropped whatever the policy says, unless it is to keep them.
_DROPPED = frozenset({("address", "number")})
_LEAST_SALT_BYTES = 16
_TOKEN_CHARS = 20

type Protect = Callable[[dict[str, Any]], dict[str, Any]]


def policies(settings: BatchSettings) -> dict[str, Policy]:
    """Return the policy of each group."""
    return {group: getattr(settings, f"personal_{group}") for group in GROUPS}


def protector(settings: BatchSettings) -> Protect | None:
    """Return what makes a user's record fit to be kept, or None when everything is kept.

    Raises:
        ConfigurationError: a policy needs a secret, and there is none or it is too short.
    """
    chosen = policies(settings)
    if all(policy == "keep" for policy in chosen.values()):
        return None
    secret = b""
    if {"hash", "tokenise"} & set(chosen.values()):
        secret = _secret(settings)

    def protect(user: dict[str, Any]) -> dict[str, Any]:
        kept = copy.deepcopy(user)
        for group, paths in GROUPS.items():
            if chosen[group] != "keep":
                for path in paths:
                    _apply(kept, path, group, "drop" if path in _DROPPED else chosen[group], secret)
        return kept

    return protect


def _apply(record: dict[str, Any], path: tuple[str, ...], group: str, policy: Policy, secret: bytes) -> None:
    at: Any = record
    for name in path[:-1]:
        at = at.get(name)
        if not isinstance(at, dict):
            return
    name = path[-1]
    value = at.get(name)
    if value is None:
        return
    if policy == "drop" or not isinstance(value, str):
        # What is no text is no valid value; it is not kept in quarantine either.
        del at[name]
    elif policy == "hash":
        at[name] = hashlib.sha256(secret + value.encode(errors="surrogatepass")).hexdigest()
    else:
        mac = hmac.digest(secret, f"{group}\0".encode() + value.encode(errors="surrogatepass"), "sha256")
        at[name] = f"{name}_{base64.b32encode(mac).decode()[:_TOKEN_CHARS].lower()}"


def _secret(settings: BatchSettings) -> bytes:
    variable = settings.variable("salt_file")
    if not settings.salt_file:
        raise ConfigurationError(f"{variable} is not set: name a file with a secret, which hash and tokenise need")
    try:
        secret = Path(settings.salt_file).read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(f"{variable}: {settings.salt_file} can't be read: {error.strerror}") from error
    if len(secret) < _LEAST_SALT_BYTES:
        raise ConfigurationError(f"{variable}: the secret has less than {_LEAST_SALT_BYTES} bytes: make a longer one")
    return secret
