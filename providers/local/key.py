"""The age key of a local store: an X25519 identity file as `age-keygen` writes it."""

from __future__ import annotations

import logging
from pathlib import Path

import pyrage
from platformdirs import user_config_dir

from keysteward.core.errors import Damaged
from keysteward.host.files import FILE_MODE, create_file, read_file

log = logging.getLogger(__name__)

HEADER = b"age-encryption.org/v1"
"""First line of every age file."""

_SECRET = "AGE-SECRET-KEY-1"  # noqa: S105 - how every identity begins


def default_key_path() -> Path:
    """Return where the key lives unless a store names another file."""
    return Path(user_config_dir("keysteward")) / "age.key"


class AgeKey:
    """One identity file. Its first identity encrypts; all of them decrypt, so that a key can be replaced.

    The file is read when it is first needed and its content is never shown.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._identities: list[pyrage.x25519.Identity] = []

    @property
    def exists(self) -> bool:
        """Say whether the file is there."""
        return bool(self._identities) or self.path.exists()

    @property
    def private(self) -> bool:
        """Say whether only its owner may read the file."""
        return self.path.stat().st_mode & 0o777 & ~FILE_MODE == 0

    @property
    def recipient(self) -> str:
        """Return the public key. Raises Damaged when the file is gone or cut short."""
        return str(self._load()[0].to_public())

    def create(self) -> None:
        """Make a new key where there is none."""
        identity = pyrage.x25519.Identity.generate()
        lines = ("# made by keysteward; keep a copy: without it what was encrypted is lost",)
        text = "\n".join((*lines, f"# public key: {identity.to_public()}", str(identity), ""))
        if create_file(self.path, text.encode()):
            log.warning("operation=create file=%s outcome=done: a new age key; keep a copy of it", self.path)

    def encrypt(self, plain: bytes) -> bytes:
        """Encrypt to the first identity."""
        return bytes(pyrage.encrypt(plain, [self._load()[0].to_public()]))

    def decrypt(self, blob: bytes, *, where: str) -> bytes:
        """Decrypt with any identity. Raises Damaged, with what to do, when none fits or the file is cut short."""
        identities = self._load()
        try:
            return bytes(pyrage.decrypt(blob, identities))
        except pyrage.DecryptError:
            pass
        raise Damaged(
            f"{where} cannot be decrypted with {self.path}: the file is cut short, or was encrypted to another key; "
            "restore the file or the key from a backup"
        )

    def _load(self) -> list[pyrage.x25519.Identity]:
        if not self._identities:
            content = read_file(self.path)
            if content is None:
                raise Damaged(
                    f"the age key {self.path} is gone: restore it from a backup; if there is none, delete what was "
                    "encrypted to it, and deliver new secrets with `keysteward reissue`"
                )
            self._identities = _parse(content, self.path)
        return self._identities


def _parse(content: bytes, path: Path) -> list[pyrage.x25519.Identity]:
    lines = [line.strip() for line in content.decode(errors="replace").splitlines()]
    try:
        found = [pyrage.x25519.Identity.from_str(line) for line in lines if line.startswith(_SECRET)]
    except pyrage.IdentityError:
        found = []
    if not found:
        raise Damaged(f"{path} holds no age identity ({_SECRET}…): restore it from a backup")
    return found
