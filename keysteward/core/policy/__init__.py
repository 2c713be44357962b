"""Policy: the numbered rules that declarations are held against, with levels and waivers. Pure.

Each rule counts as a note, a warning or an error by the kind of credential; a stack can set another level for a rule,
and a declaration can waive one for a time. An error that is not waived stops both doors before any call, if it can be
seen without one. Mandatory rules (not `waivable`) can be neither waived nor lowered.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import get_args

from keysteward.core.declare.credentials import Allowed, Waiver
from keysteward.core.declare.owners import Owners
from keysteward.core.declare.stack import Level, Stack
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.policy import access, lifetime, ownership, waivers
from keysteward.core.policy.rule import Around, Case, Life, Rule

__all__ = [
    "RULES",
    "Case",
    "Life",
    "Rule",
    "counted",
    "judge",
    "judge_sets",
    "level_of",
    "mistakes",
    "outranked",
    "stopping",
]

_ALL = (*ownership.RULES, *lifetime.RULES, *access.RULES, *waivers.RULES)
_PLACEHOLDER = re.compile(r"\b(?:NAME|OWNER|OTHER)\b")

RULES: Mapping[str, Rule] = {rule.number: rule for rule in sorted(_ALL, key=lambda rule: rule.number)}
"""All rules by number."""

_LEVELS: tuple[str, ...] = get_args(Level)


def mistakes(stack: Stack) -> Iterator[str]:
    """Yield a sentence for each level and waiver that cannot be meant: of no rule, or of one that is mandatory."""
    subject = f"Stack {stack.identity!r}: levels"
    for number, level in stack.levels.items():
        if number not in RULES:
            yield f"{subject}: {number!r} is no rule; keysteward rules lists them"
        elif level not in _LEVELS:
            yield f"{subject}: {number} must be one of {', '.join(_LEVELS)}"
        elif not RULES[number].waivable and _lowers(level, RULES[number]):
            yield f"{subject}: {number} is mandatory and cannot be lowered to {level}: {RULES[number].reason}"
    for declared in stack.credentials:
        for waiver in declared.waivers:
            subject = f"{type(declared).__name__} {declared.name!r}: waivers"
            given: object = waiver
            if not isinstance(given, Waiver):
                yield f'{subject}: write Waiver("KS016", reason=..., approved_by=..., until=...) for each'
            elif waiver.rule not in RULES:
                yield f"{subject}: {waiver.rule} is no rule; keysteward rules lists them"
            elif not RULES[waiver.rule].waivable:
                yield f"{subject}: {waiver.rule} is mandatory and cannot be waived: {RULES[waiver.rule].reason}"


def _lowers(level: str, rule: Rule) -> bool:
    return any(_LEVELS.index(level) < _LEVELS.index(given) for given in (rule.client, rule.key) if given is not None)


def level_of(rule: Rule, stack: Stack, given: Severity | None) -> Severity | None:
    """Return what breaking a rule counts as in a stack, where `given` is what it counts as by itself.

    None: not at all, since it does not apply to that kind, or the stack says "off".
    """
    level = stack.levels.get(rule.number, given)
    return None if given is None or level is None or level == "off" else Severity(level)


def judge(stack: Stack, owners: Owners, now: datetime, lives: Mapping[str, Life] | None = None) -> tuple[Finding, ...]:
    """Hold every credential of a stack against the rules; `lives` by identity, for those that need a look."""
    counts = {key: tuple(counting(stack, key=key)) for key in (False, True)}
    return tuple(
        finding for case in cases(stack, owners, now, lives or {}) for finding in judge_one(case, counts[case.spec.key])
    )


def counting(stack: Stack, *, key: bool) -> Iterator[tuple[Rule, Severity]]:
    """Yield the rules that count for one kind in a stack, each with what breaking it counts as."""
    for rule in RULES.values():
        severity = level_of(rule, stack, rule.key if key else rule.client)
        if severity is not None:
            yield rule, severity


def cases(stack: Stack, owners: Owners, now: datetime, lives: Mapping[str, Life]) -> Iterator[Case]:
    """Yield what the rules look at, one case a credential."""
    around = Around.of(stack)
    for declared, spec in zip(stack.credentials, stack.specs.values(), strict=True):
        yield Case(declared, spec, stack, around, owners, now, lives.get(spec.identity))


def may_stop(stack: Stack, *, key: bool) -> tuple[tuple[Rule, Severity], ...]:
    """Return the rules that can stop a run of this stack before its first call, for one kind."""
    return tuple((rule, s) for rule, s in counting(stack, key=key) if s is Severity.ERROR and not rule.live)


def judge_one(case: Case, counts: Iterable[tuple[Rule, Severity]]) -> Iterator[Finding]:
    """Hold one credential against the rules that count for its kind."""
    for rule, severity in counts:
        for message in rule.check(case):
            waiver = waivers.standing(case.declared.waivers, rule, case.today)
            mend = _mend(rule, case.spec.owner, case.owners, case.today, case.spec.name)
            found = Finding(rule.kind, severity, case.spec.identity, message, mend, rule.number)
            yield found if waiver is None else waivers.waived(found, waiver)


def counted(found: Iterable[Finding], stack: Stack, given: Iterable[Waiver], today: date) -> Iterator[Finding]:
    """Yield findings about one M2M client as its stack and its waivers let them count; those of no rule as they are."""
    own = tuple(given)
    for finding in found:
        broken = RULES.get(finding.rule)
        level = finding.severity if broken is None else level_of(broken, stack, finding.severity)
        if level is None:
            continue
        waiver = waivers.standing(own, broken, today) if broken is not None else None
        counts = replace(finding, severity=level)
        yield counts if waiver is None else waivers.waived(counts, waiver)


def _mend(rule: Rule, owner: str, owners: Owners, today: date, name: str = "NAME") -> str:
    """Return what to do about one credential: names in place of NAME, OWNER, and OTHER where there is a deputy.

    They are quoted as a shell needs it.
    """
    deputy = owners.deputy_of(owner, today)
    other = "OTHER" if deputy is None or deputy == owner else deputy
    names = {"NAME": name, "OWNER": owner, "OTHER": other}
    return _PLACEHOLDER.sub(lambda found: shlex.quote(names[found[0]]), rule.mend)


def judge_sets(stack: Stack, owners: Owners, now: datetime) -> Iterator[Finding]:
    """Hold governed sets and allowances against the rules that concern their owners, and how long they may stand."""
    given: list[tuple[str, str, Allowed | None]] = []
    given += [(f"{stack.identity}/{g.name}", g.owner, None) for g in stack.governed]
    given += [(waivers.subject_of(a), a.owner, a) for a in stack.allowed]
    counts = tuple(counting(stack, key=True))
    for subject, owner, entry in given:
        for rule, severity in counts:
            for message in _said_of_set(rule.number, owner, entry, owners, now):
                mend = _mend(rule, owner, owners, now.date())
                yield Finding(rule.kind, severity, subject, message, mend, rule.number)


def _said_of_set(number: str, owner: str, entry: Allowed | None, owners: Owners, now: datetime) -> Iterable[str]:
    if number in ownership.OF_OWNERS:
        return ownership.OF_OWNERS[number](owner, owners, now.date())
    if entry is not None and number in waivers.OF_ALLOWANCES:
        return waivers.OF_ALLOWANCES[number](entry, now)
    return ()


def stopping(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings that stop a run before its first call."""
    return tuple(f for f in findings if f.severity is Severity.ERROR and not f.waived)


def outranked(policy: Iterable[Finding], planned: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings of the rules without those that the planner has told already, of the same thing."""
    told = {(f.kind, f.subject) for f in planned if f.kind is not Kind.POLICY}
    return tuple(f for f in policy if (f.kind, f.subject) not in told)
