"""What a numbered rule is, and what it looks at. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from keysteward.core.findings import Kind, Severity
from keysteward.core.models import Secret
from keysteward.core.owners import Owners
from keysteward.core.ports import Capabilities
from keysteward.core.rules import KindRules, rules_for
from keysteward.core.spec import Spec, capabilities_of
from keysteward.core.stack import Stack

PRODUCTION = frozenset({"production", "prod", "live"})
"""Words for the environment whose credentials are judged more strictly."""


@dataclass(frozen=True, slots=True)
class Life:
    """What ledger and target tell of a credential's present secret, beside its declaration.

    `since` is when it became current, `last_used` when it or its client was last used (None: never seen), and
    `shows_use` says that the target shows use at all.
    """

    since: datetime | None = None
    last_used: datetime | None = None
    shows_use: bool = False


@dataclass(frozen=True, slots=True)
class Around:
    """What a stack holds beside one credential, gathered once.

    `environments` are those that its credentials name; `production` says which credential of production uses what, by
    target and audience, or by target and holder of keys.
    """

    environments: frozenset[str]
    production: Mapping[tuple[str, str], str]

    @classmethod
    def of(cls, stack: Stack) -> Around:
        """Gather it from a stack."""
        used: dict[tuple[str, str], str] = {}
        for spec in stack.specs.values():
            shared = (*spec.audiences, *((spec.client_id,) if spec.kind == "ApiKey" else ()))
            for what in shared if spec.environment.casefold() in PRODUCTION else ():
                used.setdefault((spec.target, what), spec.name)
        return cls(frozenset(spec.environment for spec in stack.specs.values()), used)


@dataclass(frozen=True, slots=True)
class Case:
    """One credential before the rules: as declared, in its stack, now. `life` is None where only declarations are."""

    declared: Secret
    spec: Spec
    stack: Stack
    around: Around
    owners: Owners
    now: datetime
    life: Life | None = None

    @property
    def limits(self) -> KindRules:
        """Return the limits of its kind."""
        return rules_for(self.spec)

    @property
    def can(self) -> Capabilities:
        """Return what its target can do for it."""
        return capabilities_of(self.declared.target, self.spec.kind)

    @property
    def production(self) -> bool:
        """Say whether it is for production."""
        return self.spec.environment.casefold() in PRODUCTION


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `client` and `key` are what breaking it counts as for each kind, None where it does not apply.

    `title` is how it should be, `reason` why, `mend` what to do. `check` yields a sentence for each way in which a case
    breaks it. `owasp` are the risks of the OWASP Non-Human Identities Top 10 (2025) that it answers. `live` says that
    it needs to see ledger and target, so that it cannot stop a run before its first call.
    """

    number: str
    title: str
    reason: str
    mend: str
    client: Severity | None
    key: Severity | None
    owasp: tuple[str, ...]
    check: Callable[[Case], Iterable[str]]
    kind: Kind = Kind.POLICY
    live: bool = False
    waivable: bool = True

    def severity(self, spec: Spec) -> Severity | None:
        """Return what breaking it counts as for a credential, unless its stack says otherwise."""
        return self.key if spec.key else self.client
