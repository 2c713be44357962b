"""Policy: the numbered rules that declarations are held against, with levels and waivers. Pure.

Each rule counts as a note, a warning or an error by the kind of credential; a stack can set another level for a rule,
and a declaration can waive one for a time. An error that is not waived stops both doors before any call, if it can be
seen without one. Mandatory rules (not `waivable`) can be neither waived nor lowered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import get_args

from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.models import Waiver
from keysteward.core.owners import Owners
from keysteward.core.policy import answering, lifetime, reach, waiving
from keysteward.core.policy.rule import Around, Case, Life, Rule
from keysteward.core.stack import Level, Stack

__all__ = ["RULES", "Case", "Life", "Rule", "judge", "judge_sets", "level_of", "mistakes", "outranked", "stopping"]

_ALL = (*answering.RULES, *lifetime.RULES, *reach.RULES, waiving.ks031)
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
    return tuple(finding for case in cases(stack, owners, now, lives or {}) for finding in judge_one(case))


def cases(stack: Stack, owners: Owners, now: datetime, lives: Mapping[str, Life]) -> Iterator[Case]:
    """Yield what the rules look at, one case a credential."""
    around = Around.of(stack)
    for declared, spec in zip(stack.credentials, stack.specs.values(), strict=True):
        yield Case(declared, spec, stack, around, owners, now, lives.get(spec.identity))


def may_stop(stack: Stack) -> tuple[Rule, ...]:
    """Return the rules that can stop a run of this stack before its first call."""
    levels = [(rule, level_of(rule, stack, given)) for rule in RULES.values() for given in (rule.client, rule.key)]
    return tuple(dict.fromkeys(rule for rule, level in levels if level is Severity.ERROR and not rule.live))


def judge_one(case: Case, rules: Iterable[Rule] | None = None) -> Iterator[Finding]:
    """Hold one credential against the rules, or against these."""
    for rule in RULES.values() if rules is None else rules:
        severity = level_of(rule, case.stack, rule.severity(case.spec))
        if severity is None:
            continue
        waiver = waiving.standing(case, rule)
        for message in rule.check(case):
            found = Finding(rule.kind, severity, case.spec.identity, message, _mend(rule, case), rule.number)
            yield found if waiver is None else waiving.waived(found, waiver)


def _mend(rule: Rule, case: Case) -> str:
    """Return what to do about one credential: names in place of NAME, OWNER, and OTHER where there is a deputy."""
    deputy = case.owners.deputy_of(case.spec.owner, case.now.date())
    other = deputy if deputy not in {None, case.spec.owner} else "OTHER"
    names = {"NAME": case.spec.name, "OWNER": case.spec.owner, "OTHER": other or "OTHER"}
    return _PLACEHOLDER.sub(lambda found: names[found[0]], rule.mend)


def judge_sets(stack: Stack, owners: Owners, now: datetime) -> Iterator[Finding]:
    """Hold the owners of governed sets and allowances against the rules that concern owners."""
    given = [(f"{stack.identity}/{g.name}", g.owner) for g in stack.governed]
    given += [(f"{a.target.name}: {', '.join(a.names)}", a.owner) for a in stack.allowed]
    for subject, owner in given:
        for number, check in answering.OF_OWNERS.items():
            rule = RULES[number]
            severity = level_of(rule, stack, rule.key)
            for message in check(owner, owners, now.date()) if severity is not None else ():
                yield Finding(rule.kind, severity or Severity.ERROR, subject, message, rule.mend, number)


def stopping(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings that stop a run before its first call."""
    return tuple(f for f in findings if f.severity is Severity.ERROR and not f.waived)


def outranked(policy: Iterable[Finding], planned: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings of the rules without those that the planner has told already, of the same thing."""
    told = {(f.kind, f.subject) for f in planned if f.kind is not Kind.POLICY}
    return tuple(f for f in policy if (f.kind, f.subject) not in told)
