"""Policy: the numbered rules that declarations are held against, with levels and waivers. Pure.

Each rule counts as a note, a warning or an error by the kind of credential; a stack can set another level for a rule,
and a declaration can waive one for a time. An error that is not waived stops both doors before any call, if it can be
seen without one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.models import Waiver
from keysteward.core.owners import Owners
from keysteward.core.policy import answering, lifetime, reach
from keysteward.core.policy.rule import Around, Case, Life, Rule
from keysteward.core.stack import Stack

__all__ = ["RULES", "WAIVER_OVER", "Case", "Life", "Rule", "judge", "judge_sets", "mistakes", "stopping"]


def _waiver_over(case: Case) -> Iterable[str]:
    for waiver in case.declared.waivers:
        if waiver.until <= case.now.date():
            yield f"waivers: the one for {waiver.rule} ended on {waiver.until} ({waiver.reason})"


WAIVER_OVER = Rule(
    "KS031",
    "No waiver is over",
    "A waiver that outlives its day is how an exception becomes the rule.",
    "mend what it was for and remove it, or have it approved again with a new day",
    Severity.WARNING,
    Severity.WARNING,
    (),
    _waiver_over,
    waivable=False,
)

RULES: Mapping[str, Rule] = {
    rule.number: rule
    for rule in sorted((*answering.RULES, *lifetime.RULES, *reach.RULES, WAIVER_OVER), key=lambda rule: rule.number)
}
"""All rules by number."""


def mistakes(stack: Stack) -> Iterator[str]:
    """Yield a sentence for each level and waiver that names a rule which is not there, or may not be waived."""
    for number in stack.levels:
        if number not in RULES:
            yield f"Stack {stack.identity!r}: levels: {number!r} is no rule; keysteward rules lists them"
    for declared in stack.credentials:
        for waiver in declared.waivers:
            subject = f"{type(declared).__name__} {declared.name!r}: waivers: {waiver.rule}"
            if waiver.rule not in RULES:
                yield f"{subject} is no rule; keysteward rules lists them"
            elif not RULES[waiver.rule].waivable:
                yield f"{subject} cannot be waived: {RULES[waiver.rule].reason}"


def judge(stack: Stack, owners: Owners, now: datetime, lives: Mapping[str, Life] | None = None) -> tuple[Finding, ...]:
    """Hold every credential of a stack against the rules; `lives` by identity, for those that need a look."""
    return tuple(finding for case in cases(stack, owners, now, lives or {}) for finding in judge_one(case))


def judge_sets(stack: Stack, owners: Owners, now: datetime) -> Iterator[Finding]:
    """Hold the owners of governed sets and allowances against the rules that concern owners."""
    given = [(f"{stack.identity}/{g.name}", g.owner) for g in stack.governed]
    given += [(f"{a.target.name}: {', '.join(a.names)}", a.owner) for a in stack.allowed]
    for subject, name in given:
        owner = owners.find(name)
        rule = RULES["KS001" if owner is None else "KS002"]
        level = Severity(stack.levels.get(rule.number, "error")) if stack.levels.get(rule.number) != "off" else None
        if level is None or (owner is not None and not owner.gone(now.date())):
            continue
        words = "is not in the owners file" if owner is None else "is gone"
        yield Finding(rule.kind, level, subject, f"owner: {name!r} {words}", rule.mend, rule.number)


def cases(stack: Stack, owners: Owners, now: datetime, lives: Mapping[str, Life]) -> Iterator[Case]:
    """Yield what the rules look at, one case a credential."""
    around = Around.of(stack)
    for declared, spec in zip(stack.credentials, stack.specs.values(), strict=True):
        yield Case(declared, spec, stack, around, owners, now, lives.get(spec.identity))


def may_stop(stack: Stack) -> tuple[Rule, ...]:
    """Return the rules that can stop a run of this stack before its first call."""
    levels = stack.levels
    given = ((rule, levels.get(rule.number)) for rule in RULES.values() if not rule.live)
    return tuple(r for r, level in given if level == "error" or (level is None and Severity.ERROR in {r.client, r.key}))


def judge_one(case: Case, rules: Iterable[Rule] | None = None) -> Iterator[Finding]:
    """Hold one credential against the rules, or against these."""
    for rule in RULES.values() if rules is None else rules:
        level = case.stack.levels.get(rule.number)
        severity = Severity(level) if level not in {None, "off"} else rule.severity(case.spec)
        if severity is None or level == "off" or rule.severity(case.spec) is None:
            continue
        waiver = _waiver(case, rule)
        for message in rule.check(case):
            found = Finding(rule.kind, severity, case.spec.identity, message, rule.mend, rule.number)
            yield found if waiver is None else waived(found, waiver)


def _waiver(case: Case, rule: Rule) -> Waiver | None:
    """Return the waiver of this rule that still stands."""
    today = case.now.date()
    given = (w for w in case.declared.waivers if w.rule == rule.number and w.until > today)
    return next(given, None) if rule.waivable else None


def waived(finding: Finding, waiver: Waiver) -> Finding:
    """Return a finding as a note that says until when it is waived, by whom and why."""
    words = f"{finding.message} (waived until {waiver.until} by {waiver.approved_by}: {waiver.reason})"
    return replace(finding, severity=Severity.NOTE, message=words, waived=True)


def stopping(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings that stop a run before its first call."""
    return tuple(f for f in findings if f.severity is Severity.ERROR and not f.waived)


def outranked(policy: Iterable[Finding], planned: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings of the rules without those that the planner has told already, of the same thing."""
    told = {(f.kind, f.subject) for f in planned if f.kind is not Kind.POLICY}
    return tuple(f for f in policy if (f.kind, f.subject) not in told)
