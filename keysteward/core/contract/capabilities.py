"""What a target can do with credentials: methods, how they are rotated, how many live at once. Unlisted means no."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

Method = Literal["client_secret", "private_key_jwt", "api_key"]


MANY = 1_000_000
"""`Capabilities.secrets` of a target without a limit."""


@dataclass(frozen=True, slots=True)
class BroadScopes:
    """Scopes that allow all of something. `scopes` are shell patterns of a whole name; `what` is what they allow."""

    scopes: tuple[str, ...]
    what: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a target can do. What is not listed, it cannot.

    `secrets`: how many secrets of one client or holder live at once; `native_slot`: the second one is a rotated slot
    that the server fills. `named_keys`: keys are objects of their own, under a name we choose. `chooses`: "caller" when
    a value of ours is taken, else "server". `last_use` per "secret", "client" or None. `immutable`: what cannot change
    on a living secret ("scopes", "audiences", "expires"). `list_lag`, `propagation`: after how long a write shows in
    lists, and works everywhere. `call_timeout`: after how long a call without answer cannot succeed any more.
    `safeguards`: vendor switches and the value each must have. `lacks`: which settings of a client it has not
    ("optional scopes", "token lifetime", "description", "catalogue": no scopes of ours). `by_hand`: a person issues and
    ends what lives here. `assigns_client_id`: the target chooses client_ids itself, so that a declared name is only a
    name. `audience`: that of every token, where the target has one for all. `qualified_scopes`: the name of a scope is
    its audience, "/" and a name, so that neither changes alone. `calls_per_object`: how many calls each client or
    holder costs in `observe` beside its page. `holders`: patterns of the holders that take new keys (none: any);
    `other_holders`: what a sentence says of one that does not; `shown_holders`: the settings that bound which are
    observed ("": all are). `federation`: what it offers in place of a standing secret, in words ("": nothing).
    `broad_scopes`: those of its own scopes, in small letters, that are an administrator's.
    """

    methods: tuple[str, ...]
    secrets: int = 1
    keys: int = 0
    native_slot: bool = False
    named_keys: bool = False
    chooses: Literal["caller", "server"] = "server"
    readable: bool = False
    suspends: bool = False
    by_hand: bool = False
    lacks: frozenset[str] = frozenset()
    one_method_per_client: bool = False
    last_use: Literal["secret", "client"] | None = None
    tags_objects: bool = False
    tags_secrets: bool = False
    assigns_client_id: bool = False
    audience: str | None = None
    scopes_global: bool = False
    qualified_scopes: bool = False
    immutable: tuple[str, ...] = ()
    list_lag: timedelta = timedelta()
    propagation: timedelta = timedelta()
    call_timeout: timedelta = timedelta(seconds=30)
    longest_overlap: timedelta | None = None
    page_size: int = 100
    calls_per_object: int = 0
    environments: tuple[str, ...] | None = None
    holders: tuple[str, ...] = ()
    other_holders: str = ""
    shown_holders: str = ""
    federation: str = ""
    broad_scopes: tuple[BroadScopes, ...] = ()
    safeguards: Mapping[str, str] = field(default_factory=dict)

    @property
    def adds_values(self) -> bool:
        """Say whether a value of ours goes beside others, and not into a slot of its own."""
        return self.chooses == "caller" and self.secrets > 1 and not self.native_slot
