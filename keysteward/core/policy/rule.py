"""What a numbered rule is, and what it looks at. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.declare.credentials import Secret
from keysteward.core.declare.environments import PRODUCTION, environment_of, is_production, words_of
from keysteward.core.declare.limits import KindRules, rules_for
from keysteward.core.declare.owners import Owners
from keysteward.core.declare.spec import Spec, capabilities_of
from keysteward.core.declare.stack import Stack
from keysteward.core.findings import Kind, Severity


@dataclass(frozen=True, slots=True)
class Life:
    """What ledger and target tell of a credential's present secret, beside its declaration.

    `since` is when it became current, `last_used` when it or its client was last used (None: never seen), `shows_use`
    says that the target shows use at all, and `begun` is when the credential's first secret became current.
    """

    since: datetime | None = None
    last_used: datetime | None = None
    shows_use: bool = False
    begun: datetime | None = None


@dataclass(frozen=True, slots=True)
class Around:
    """What a stack holds beside one credential, gathered once.

    `environments` are the words for them, with those that its credentials name; `production` says which credential of
    production uses what, by target and audience, or by target and holder of keys; before one whose environment is an
    unknown word, one that says production.
    """

    environments: Mapping[str, str]
    production: Mapping[tuple[str, str], Spec]

    @classmethod
    def of(cls, stack: Stack) -> Around:
        """Gather it from a stack."""
        used: dict[tuple[str, str], Spec] = {}
        for spec in sorted(stack.specs.values(), key=lambda spec: environment_of(spec.environment) != PRODUCTION):
            for what in shared(spec) if is_production(spec.environment) else ():
                used.setdefault((spec.target, what), spec)
        return cls(words_of({spec.environment for spec in stack.specs.values()}), used)


def shared(spec: Spec) -> tuple[str, ...]:
    """Return what a credential may share with others at its target: audiences, and the holder of an API key."""
    return (*spec.audiences, *((spec.client_id,) if spec.kind == "ApiKey" else ()))


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
    def today(self) -> date:
        """Return the day, in UTC."""
        return self.now.date()

    @property
    def limits(self) -> KindRules:
        """Return the limits of its kind."""
        return rules_for(self.spec)

    @property
    def can(self) -> Capabilities:
        """Return what its target can do for it."""
        return capabilities_of(self.declared.target, self.spec.kind)

    @property
    def environment(self) -> str:
        """Return which environment it is for."""
        return environment_of(self.spec.environment)


RuleCheck = Callable[[Case], Iterable[str]]
"""Yields a sentence, beginning with the field, for each way in which a case breaks a rule."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `client` and `key` are what breaking it counts as for each kind, None where it does not apply.

    `title` is how it should be, `reason` why, `breaks` what breaks it, `mend` what to do. `owasp` are the risks of the
    OWASP Non-Human Identities Top 10 (2025) that it answers. `live` says that it needs to see ledger and target, so
    that it cannot stop a run before its first call. One that is not `waivable` is mandatory: no waiver excuses it, and
    no level lowers it.
    """

    number: str
    title: str
    reason: str
    breaks: str
    mend: str
    client: Severity | None
    key: Severity | None
    owasp: tuple[str, ...]
    check: RuleCheck
    kind: Kind = Kind.POLICY
    live: bool = False
    waivable: bool = True


def rule(
    number: str,
    title: str,
    *,
    reason: str,
    breaks: str,
    mend: str,
    client: Severity | None,
    key: Severity | None,
    owasp: tuple[str, ...],
    kind: Kind = Kind.POLICY,
    live: bool = False,
    waivable: bool = True,
) -> Callable[[RuleCheck], Rule]:
    """Make the check below it a numbered rule."""

    def made(check: RuleCheck) -> Rule:
        return Rule(number, title, reason, breaks, mend, client, key, owasp, check, kind, live, waivable)

    return made
