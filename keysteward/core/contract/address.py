"""Where a credential or an issued secret may be sent: over TLS, to this machine, or where its declaration allows more.

One rule for every address that a declaration, an option or a CI job names. It stands below whatever has an address.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from keysteward.core.errors import DeclarationError

SHAPE: Final = "an address that begins with https://"

IN_CLEAR: Final = (
    "secrets go to another machine over http://; see that a mesh or a sidecar encrypts them, or write https://"
)
"""What `keysteward doctor` says of an address that `allow_http=True` lets pass."""

_HERE: Final = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
"""Loopback as RFC 1122, section 3.2.1.3, and RFC 4291, section 2.5.3, have it; not what merely maps to it."""

_LOCALHOST: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*localhost")
"""RFC 6761, section 6.3. `localhost.` is left out: what is not plainly this machine is not taken for it."""

_AUTHORITY: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\[\]:@%]+)(?::[0-9]{1,5})?")
"""Host and port as every reader of addresses reads them: no login, no percent sign, nothing behind a bracket."""

_READ_IN_MANY_WAYS: Final = re.compile(r"[\x00-\x20\x7f\\]")
"""What some readers of addresses drop, and others take for the end of the host."""


def check_address(text: str, *, field: str, shape: str = SHAPE, allow_http: bool | None = None) -> SplitResult:
    """Return an address in its parts: https:// to anywhere, http:// to this machine alone.

    `allow_http` is the setting of that name, which allows http:// to other machines too; None where there is none.
    `shape` is what the address should be, for the sentence. Raises DeclarationError, which does not repeat the
    address: a credential may stand in it.
    """
    parts = _split(text)
    if parts is not None and "@" in parts.netloc:
        raise DeclarationError(f"{field} must not hold a credential; leave out what stands before the @")
    if parts is None or not _AUTHORITY.fullmatch(parts.netloc):
        raise DeclarationError(f"{field} must be {shape}")
    if leaves_in_clear(text) and not allow_http:
        or_else = "" if allow_http is None else ", or set allow_http=True where a mesh or a sidecar encrypts"
        raise DeclarationError(
            f"{field} must begin with https://: over http:// what is sent travels in clear; only this machine "
            f"(localhost, 127.0.0.1, [::1]) may do without{or_else}"
        )
    return parts


def leaves_in_clear(text: str) -> bool:
    """Say whether what is sent there leaves this machine without TLS. What is no plain address is thought to."""
    parts = _split(text)
    return parts is None or (parts.scheme == "http" and not _is_here(parts))


def is_here(text: str) -> bool:
    """Say whether an address is plainly one of this machine."""
    parts = _split(text)
    return parts is not None and _is_here(parts)


def _split(text: str) -> SplitResult | None:
    """Return the parts; None for what is no http address, or is read differently by different readers."""
    if _READ_IN_MANY_WAYS.search(text):
        return None
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises for one that cannot be
    except ValueError:
        return None
    return parts if parts.scheme in {"https", "http"} and parts.hostname else None


def _is_here(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if not _AUTHORITY.fullmatch(parts.netloc):
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _LOCALHOST.fullmatch(host) is not None
    return any(address in network for network in _HERE)
