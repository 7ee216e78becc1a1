"""Secret headers for the source: a folder with one file a header, as Kubernetes mounts a Secret."""

import re
from pathlib import Path

from dataplatform.errors import ConfigurationError

_NAME = re.compile(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")
_VALUE = re.compile(r"^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$")
_MAX_FILES = 32
_MAX_BYTES = 1 << 14


def secret_headers(folder: str) -> dict[str, str]:
    """Return the headers in `folder`, none when it is not set. Hidden files, such as Kubernetes' links, are left out.

    Raises:
        ConfigurationError: the folder or a file can't be read or is no header; the sentence quotes no value.
    """
    if not folder:
        return {}
    try:
        files = sorted(path for path in Path(folder).iterdir() if not path.name.startswith("."))
        if len(files) > _MAX_FILES:
            raise ConfigurationError(
                f"EYDP_SOURCE_HEADERS_DIR {folder} holds {len(files)} files, more than {_MAX_FILES}"
            )
        return {path.name: _value(path) for path in files}
    except OSError as error:
        raise ConfigurationError(f"EYDP_SOURCE_HEADERS_DIR {folder} can't be read: {error.strerror}") from error


def _value(path: Path) -> str:
    if not _NAME.match(path.name):
        raise ConfigurationError(f"{path} is not named like an HTTP header: rename the file or remove it")
    with path.open("rb") as file:
        data = file.read(_MAX_BYTES + 1)
    value = data.decode("latin-1").strip()
    if len(data) > _MAX_BYTES or not _VALUE.match(value):
        raise ConfigurationError(f"{path} holds no header value: it must be one line of printable ASCII characters")
    return value
