"""The key that signs the evidence log: one that is given, the user's, or in CI a passing one bound to its identity."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
    load_ssh_private_key,
    load_ssh_public_key,
)
from platformdirs import user_data_dir

from keysteward.core.audit.chain import Signing, audience, key_id
from keysteward.core.errors import AccessDenied, Damaged, DeclarationError
from keysteward.host.files import FILE_MODE, create_file, file_errors, read_file
from keysteward.host.references import check_reference, resolve_lines
from keysteward.operations.audit.ci import Actions, checked_token

log = logging.getLogger(__name__)

SIGNING_KEY: Final = "KEYSTEWARD_SIGNING_KEY"
ID_TOKEN: Final = "KEYSTEWARD_ID_TOKEN"  # noqa: S105 - the variable's name

_OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_PUBLIC_PEM = b"-----BEGIN PUBLIC KEY-----"


def default_signing_key() -> Path:
    """Return where the user's own key lives."""
    return Path(user_data_dir("keysteward")) / "signing.pem"


class Signer:
    """Signs heads of the log. The key is read, made or bound when it is first needed, and never shown. Thread-safe.

    In this order: the key that KEYSTEWARD_SIGNING_KEY refers to; in a job that may ask GitHub Actions for an identity
    token, a key of this process alone; the user's key, made when there is none. A token that binds the key comes from
    KEYSTEWARD_ID_TOKEN or from GitHub Actions, and is kept in the log.
    """

    def __init__(self, environment: Mapping[str, str] | None = None, *, path: Path | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        self._path = path
        self._lock = threading.Lock()
        self._signing: Signing | None = None

    def signing(self) -> Signing:
        """Return the key with what binds it. Raises AccessDenied, DeclarationError, Damaged or Unavailable."""
        with self._lock:
            if self._signing is None:
                self._signing = self._made()
            return self._signing

    def _made(self) -> Signing:
        actions = Actions.of(self._environment)
        private = self._key(passing=actions is not None)
        public = private.public_key().public_bytes_raw()
        token = self._environment.get(ID_TOKEN)
        if not token and actions is not None:
            token = actions.id_token(audience(key_id(public)))
        if token:
            checked_token(token, key_id(public), given=bool(self._environment.get(ID_TOKEN)))
        return Signing(public, private.sign, token or None)

    def _key(self, *, passing: bool) -> Ed25519PrivateKey:
        reference = self._environment.get(SIGNING_KEY)
        if reference:
            check_reference(reference, field=SIGNING_KEY)
            value = resolve_lines(reference, purpose="the key that signs the audit log")
            return read_private_key(value.get_secret_value().encode(), where=SIGNING_KEY)
        if passing:
            return Ed25519PrivateKey.generate()
        return _own_key(self._path or default_signing_key())


def _own_key(path: Path) -> Ed25519PrivateKey:
    """Return the user's key; the first run makes it, for its owner only."""
    with file_errors(str(path)):
        content = read_file(path)
        if content is None:
            made = Ed25519PrivateKey.generate()
            pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            if create_file(path, pem):
                log.info("operation=create file=%s outcome=done: the key that signs the audit log", path)
                return made
            content = read_file(path) or b""
        if path.stat().st_mode & 0o777 & ~FILE_MODE:
            raise AccessDenied(f"{path} can be read by others: run chmod 600 on it, or remove it for a new key")
    return read_private_key(content, where=str(path))


def read_private_key(content: bytes, *, where: str) -> Ed25519PrivateKey:
    """Read an Ed25519 key, PEM (PKCS#8) or OpenSSH. Raises DeclarationError or Damaged without a word of it."""
    failure: DeclarationError | Damaged
    try:
        load = load_ssh_private_key if content.lstrip().startswith(_OPENSSH) else load_pem_private_key
        key = load(content.strip() + b"\n", password=None)
    except TypeError:
        failure = DeclarationError(f"{where}: the key is encrypted; give it without password")
    except (ValueError, UnsupportedAlgorithm):
        failure = Damaged(f"{where} holds no private key in PEM or OpenSSH form: restore it, or give another one")
    else:
        if isinstance(key, Ed25519PrivateKey):
            return key
        failure = DeclarationError(f"{where} must be an Ed25519 key; make one with: openssl genpkey -algorithm ed25519")
    raise failure


def read_public_key(content: bytes, *, where: str) -> str:
    """Read a public Ed25519 key, PEM or OpenSSH, and return its id. Raises DeclarationError when it is none."""
    try:
        load = load_pem_public_key if content.lstrip().startswith(_PUBLIC_PEM) else load_ssh_public_key
        key = load(content.strip() + b"\n")
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise DeclarationError(f"{where} holds no public Ed25519 key; give one in PEM or OpenSSH form")
    return key_id(key.public_bytes_raw())
