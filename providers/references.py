"""References to administrator credentials: "env:NAME" or "file:/path". Their values are read late and never kept."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import SecretStr

from keysteward.core.errors import AccessDenied, DeclarationError


def check_reference(reference: str, *, field: str) -> str:
    """Return the reference when it is one. Raises DeclarationError, for a value pasted in place of it too."""
    scheme, separator, rest = reference.partition(":")
    if not separator or scheme not in {"env", "file"} or not rest:
        raise DeclarationError(
            f'{field} must be a reference such as "env:KEYCLOAK_ADMIN" or "file:/run/secrets/keycloak", never a value'
        )
    return reference


def resolve(reference: str, *, purpose: str) -> SecretStr:
    """Read what a reference points to. Raises AccessDenied that names the variable or file when it is not there."""
    scheme, _, rest = reference.partition(":")
    if scheme == "env":
        value = os.environ.get(rest, "")
        if not value:
            raise AccessDenied(f"{purpose}: environment variable {rest} is not set; set it to the credential")
        return SecretStr(value)
    path = Path(rest).expanduser()
    try:
        value = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise AccessDenied(f"{purpose}: {path} cannot be read ({error.strerror}); put the credential there") from None
    if not value:
        raise AccessDenied(f"{purpose}: {path} is empty; put the credential there")
    return SecretStr(value)
