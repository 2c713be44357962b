"""What a Vault holds, and one call to it: what the answers of its parts go by."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keysteward.sandbox.vault import replies
from keysteward.sandbox.vault.logins import JwtLogin

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from keysteward.sandbox.clock import Clock
    from keysteward.sandbox.vault.kv import KvMount
    from keysteward.sandbox.vault.policies import Acl
    from keysteward.sandbox.vault.tokens import Token, TokenStore


@dataclass(frozen=True)
class VaultCall:
    """One call by an authenticated caller; ``operation`` is what policies speak of."""

    operation: str
    path: str
    document: dict[str, Any]
    request: Request
    token: Token
    acl: Acl


class Vault:
    """Mounts, auth methods and tokens of a server that may be sealed."""

    clock: Clock
    sealed: bool
    tokens: TokenStore
    mounts: dict[str, KvMount]
    logins: dict[str, JwtLogin]
    accessors: dict[str, str]

    def enable_login(self, mount: str, kind: str) -> None:
        """Enable the auth method ``jwt`` at ``auth/{mount}``."""
        if mount in self.logins or mount == "token":
            raise replies.bad_request(f"path is already in use at {mount}/")
        if kind == "jwt":
            self.logins[mount] = JwtLogin(mount, self.clock, self.tokens)
        else:
            raise replies.bad_request(f"plugin not found in the catalog: {kind}")

    def accessor(self, mount: str) -> str:
        """Return the accessor of a mount, made at first use."""
        return self.accessors.setdefault(mount, f"{mount.replace('/', '_')}_{uuid.uuid4().hex[:8]}")
