"""Waivers: a rule that a credential may break until a day. The rule that they end, and allowances too. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime

from keysteward.core.declare.credentials import Allowed, Waiver
from keysteward.core.declare.limits import KEY_RULES
from keysteward.core.declare.schedule import show_duration
from keysteward.core.declare.spec import midnight
from keysteward.core.findings import Finding, Severity
from keysteward.core.policy.rule import Case, Rule, rule

LONGEST_ALLOWANCE = KEY_RULES.review_every
"""What is left alone is looked at as often as an API key is reviewed: it may be one."""


@rule(
    "KS031",
    "No waiver is over, and neither waiver nor allowance is for ever",
    reason="A waiver that outlives its day is how an exception becomes the rule.",
    breaks="`until` of a waiver is past, or further away than the review interval of its kind; `until` of an `Allowed` "
    f"is more than {show_duration(LONGEST_ALLOWANCE)} away, whatever it names.",
    mend="fix what it was for and remove it, or have it approved again with a new day before the next review",
    client=Severity.WARNING,
    key=Severity.WARNING,
    owasp=("NHI1", "NHI5"),
    waivable=False,
)
def _waivers_end(case: Case) -> Iterable[str]:
    every = case.limits.review_every
    for waiver in case.declared.waivers:
        until = midnight(waiver.until)
        if waiver.until <= case.today:
            yield f"waivers: the one for {waiver.rule} ended on {waiver.until} ({waiver.reason})"
        elif until is not None and until - case.now > every:
            longest = show_duration(every)
            yield f"waivers: the one for {waiver.rule} is until {waiver.until}; the rule is {longest} at most"


RULES: tuple[Rule, ...] = (_waivers_end,)


def subject_of(entry: Allowed) -> str:
    """Return what findings call an allowance."""
    return f"{entry.target.name}: allowed {', '.join(entry.names)}"


def _allowance_ends(entry: Allowed, now: datetime) -> Iterable[str]:
    until = midnight(entry.until)
    if until is not None and until - now > LONGEST_ALLOWANCE:
        longest = show_duration(LONGEST_ALLOWANCE)
        yield f"until: it is left alone until {entry.until} ({entry.reason}); the rule is {longest} at most"


OF_ALLOWANCES: Mapping[str, Callable[[Allowed, datetime], Iterable[str]]] = {"KS031": _allowance_ends}
"""The rules that hold for an allowance as well. That one is over is drift, with all that it named."""


def standing(waivers: Iterable[Waiver], broken: Rule, today: date) -> Waiver | None:
    """Return the waiver of a rule that still stands."""
    given = (w for w in waivers if w.rule == broken.number and w.until > today)
    return next(given, None) if broken.waivable else None


def waived(finding: Finding, waiver: Waiver) -> Finding:
    """Return a finding as a note that says until when it is waived, by whom and why."""
    words = f"{finding.message} (waived until {waiver.until} by {waiver.approved_by}: {waiver.reason})"
    return replace(finding, severity=Severity.NOTE, message=words, waived=True)
