"""The signing keys: a folder with one file for each active key, as Kubernetes mounts a Secret.

Two at most: the old and the new one while clients change over.
"""

from pathlib import Path

from dataplatform.errors import ConfigurationError

MAX_KEYS = 2
MIN_BYTES, MAX_BYTES = 32, 4096

_MEND = "put one or two files there, each with a random key of at least 32 characters (`openssl rand -hex 32`)"


def read_key(path: Path) -> bytes:
    """Return the key in a file: its bytes without white space around them.

    Raises:
        ConfigurationError: the file can't be read or holds no key; the sentence quotes nothing of it.
    """
    try:
        with path.open("rb") as file:
            key = file.read(MAX_BYTES + 1).strip()
    except OSError as error:
        raise ConfigurationError(f"the key {path} can't be read: {error.strerror}") from error
    if not MIN_BYTES <= len(key) <= MAX_BYTES:
        raise ConfigurationError(
            f"the key {path} has {len(key)} bytes, and {MIN_BYTES} to {MAX_BYTES} are wanted: "
            "`openssl rand -hex 32` makes one"
        )
    return key


def read_keys(folder: str) -> tuple[bytes, ...]:
    """Return the keys in `folder`. Hidden files, such as Kubernetes' links, are left out.

    Raises:
        ConfigurationError: the folder can't be read, holds none or more than two, or one that is no key.
    """
    if not folder:
        raise ConfigurationError(f"EYDP_PUSH_KEYS_DIR is not set: name a folder and {_MEND}")
    try:
        files = sorted(path for path in Path(folder).iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise ConfigurationError(f"EYDP_PUSH_KEYS_DIR {folder} can't be read: {error.strerror}; {_MEND}") from error
    if not 1 <= len(files) <= MAX_KEYS:
        raise ConfigurationError(f"EYDP_PUSH_KEYS_DIR {folder} holds {len(files)} keys: {_MEND}")
    return tuple(read_key(path) for path in files)


class Keyring:
    """The keys that count now."""

    def __init__(self, folder: str) -> None:
        """Read the keys.

        Raises:
            ConfigurationError: see `read_keys`.
        """
        self._folder = folder
        self.keys = read_keys(folder)

    def reread(self) -> bool:
        """Take the keys that are there now; return whether they are others than before.

        Raises:
            ConfigurationError: see `read_keys`; the former keys still count.
        """
        former, self.keys = self.keys, read_keys(self._folder)
        return self.keys != former
