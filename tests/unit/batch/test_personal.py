"""What becomes of personal data: every policy, in every place where a record is kept."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from batch_ingest.personal import GROUPS, protector
from batch_ingest.settings import BatchSettings
from dataplatform.errors import ConfigurationError
from dataplatform.schemas import USERS

from .records import line, raw, read, user

SECRET = "0123456789abcdef"
GROUP = pytest.mark.parametrize("group", GROUPS)


def kept(tmp_path: Path, record: dict[str, Any], salt: str = SECRET, **policies: str) -> tuple[dict[str, Any], Any]:
    """Return columns and payload of a user under the policies of its groups."""
    file = tmp_path / "salt"
    file.write_text(salt + "\n", encoding="utf-8")
    given: dict[str, Any] = {f"personal_{group}": policy for group, policy in policies.items()}
    protect = protector(BatchSettings(salt_file=str(file), **given))
    found = line(read("users", raw(record), protect=protect))
    return dict(found.fields), json.loads(found.payload)


def values(record: Any, group: str) -> list[Any]:
    found = []
    for path in GROUPS[group]:
        at = record
        for name in path:
            at = at.get(name, {})
        found.append(at)
    return found


def test_everything_is_kept_by_default() -> None:
    assert protector(BatchSettings()) is None


@GROUP
@pytest.mark.parametrize("policy", ["drop", "hash", "tokenise"])
def test_a_policy_takes_its_group_out_of_columns_and_payload_and_leaves_the_others(
    tmp_path: Path, group: str, policy: str
) -> None:
    record = user()
    columns, payload = kept(tmp_path, record, **{group: policy})

    for value in values(record, group):
        assert f'"{value}"' not in json.dumps(columns)
        assert f'"{value}"' not in json.dumps(payload)
    for other in set(GROUPS) - {group}:
        assert values(payload, other) == values(record, other)
    assert record == user()


@pytest.mark.parametrize("policy", ["hash", "tokenise"])
def test_the_same_value_is_the_same_under_the_same_secret_and_another_one_under_another(
    tmp_path: Path, policy: str
) -> None:
    one, _ = kept(tmp_path, user(), email=policy)
    again, _ = kept(tmp_path, user(id=2), email=policy)
    other_value, _ = kept(tmp_path, user(email="another@example.com"), email=policy)
    other_secret, _ = kept(tmp_path, user(), salt=SECRET + "x", email=policy)

    assert one["email"] == again["email"]
    assert len({one["email"], other_value["email"], other_secret["email"]}) == 3


def test_a_hash_is_the_sha256_of_secret_and_value_and_a_token_says_what_it_stands_for(tmp_path: Path) -> None:
    hashed, _ = kept(tmp_path, user(phone="1"), phone="hash")
    token, _ = kept(tmp_path, user(phone="1"), phone="tokenise")

    assert hashed["phone"] == hashlib.sha256(SECRET.encode() + b"1").hexdigest()
    assert token["phone"].startswith("phone_")
    assert len(token["phone"]) == len("phone_") + 20


def test_house_numbers_are_dropped_with_a_hashed_street(tmp_path: Path) -> None:
    columns, payload = kept(tmp_path, user(), street="hash")

    assert (columns["street_number"], "number" in payload["address"]) == (None, False)
    assert len(columns["street"]) == 64


def test_what_is_no_text_where_text_belongs_is_not_kept(tmp_path: Path) -> None:
    _, payload = kept(tmp_path, user(email=["jane@example.com"]), email="hash")

    assert "email" not in payload


@pytest.mark.parametrize(
    ("salt", "complaint"),
    [(None, "EYDP_BATCH_SALT_FILE is not set"), ("missing", "can't be read"), ("short", "less than 16 bytes")],
)
def test_a_policy_without_a_secret_that_is_one_is_one_sentence(
    tmp_path: Path, salt: str | None, complaint: str
) -> None:
    (tmp_path / "short").write_text("abc", encoding="utf-8")
    settings = BatchSettings(personal_email="hash", salt_file=str(tmp_path / salt) if salt else "")

    with pytest.raises(ConfigurationError, match=complaint):
        protector(settings)


def test_every_column_that_a_policy_can_change_says_that_it_is_personal_data() -> None:
    columns = {
        "email",
        "phone",
        "username",
        "firstname",
        "lastname",
        "street",
        "street_number",
        "latitude",
        "longitude",
    }

    said = {column.name for column in USERS.columns if column.description.startswith("Personal data")}
    assert said == columns
