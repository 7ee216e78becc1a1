"""Secret headers come from files, at each request, and never go anywhere else."""

from pathlib import Path

import pytest

from dataplatform.errors import ConfigurationError
from dataplatform.headers import secret_headers


def test_each_file_is_a_header_and_hidden_ones_are_not(tmp_path: Path) -> None:
    (tmp_path / "Authorization").write_text("Bearer abc\n")
    (tmp_path / "X-Api-Key").write_text("k1")
    (tmp_path / "..data").mkdir()
    assert secret_headers(str(tmp_path)) == {"Authorization": "Bearer abc", "X-Api-Key": "k1"}
    assert secret_headers("") == {}


def test_a_rotated_secret_counts_at_the_next_reading(tmp_path: Path) -> None:
    file = tmp_path / "X-Api-Key"
    file.write_text("k1")
    assert secret_headers(str(tmp_path)) == {"X-Api-Key": "k1"}
    file.write_text("k2")
    assert secret_headers(str(tmp_path)) == {"X-Api-Key": "k2"}


@pytest.mark.parametrize("value", [b"", b"\n", b"topsecret\nEvil: yes", b"topsecret\xff", b"x" * (1 << 15)])
def test_a_value_that_is_no_header_is_refused_without_quoting_it(tmp_path: Path, value: bytes) -> None:
    (tmp_path / "Authorization").write_bytes(value)
    with pytest.raises(ConfigurationError, match="holds no header value") as refused:
        secret_headers(str(tmp_path))
    assert "topsecret" not in str(refused.value)


def test_a_name_that_is_no_header_or_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere can't be read"):
        secret_headers(str(tmp_path / "nowhere"))
    (tmp_path / "two words").write_text("x")
    with pytest.raises(ConfigurationError, match="two words is not named like an HTTP header"):
        secret_headers(str(tmp_path))
