"""Rules of how long things live: secrets, tokens, exceptions, reviews. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from keysteward.core.findings import Kind, Severity
from keysteward.core.policy.rule import Case, Rule
from keysteward.core.schedule import show_duration
from keysteward.core.spec import midnight

LONGEST_TOKEN = timedelta(hours=1)
"""An access token that lives longer is a secret of its own, which nobody rotates or revokes."""

CLIENT_SILENCE = timedelta(days=90)
KEY_SILENCE = timedelta(days=60)
"""So long unused a credential is a finding: nobody would miss it, but whoever finds it."""


def _life(case: Case) -> Iterable[str]:
    spec, longest = case.spec, case.limits.longest_life
    if spec.expires is not None and longest is not None and spec.expires - case.now > longest:
        rule = f"an {case.limits.kind} lives {show_duration(longest)} at most"
        yield f"expires: it ends on {spec.expires:%Y-%m-%d}; {rule}"


def _interval(case: Case) -> Iterable[str]:
    yield from _longest(case, "rotation.every", case.spec.every, case.limits.longest_interval)


def _overlap(case: Case) -> Iterable[str]:
    yield from _longest(case, "rotation.overlap", case.spec.overlap, case.limits.longest_overlap)


def _longest(case: Case, name: str, given: timedelta, longest: timedelta) -> Iterable[str]:
    if given > longest:
        rule = f"for an {case.limits.kind} the rule is {show_duration(longest)} at most"
        yield f"{name}: it is {show_duration(given)}, {rule}"


def _no_overlap(case: Case) -> Iterable[str]:
    if not case.spec.overlap:
        yield "rotation.overlap: it is 0, so that each rotation breaks whoever has not read the new secret yet"


def _age(case: Case) -> Iterable[str]:
    since = case.life.since if case.life is not None else None
    longest = case.limits.longest_age
    if since is not None and case.now - since > longest:
        days = (case.now - since).days
        yield f"its secret is {days} days old; for an {case.limits.kind} the rule is {show_duration(longest)} at most"


def _token(case: Case) -> Iterable[str]:
    lifetime = case.spec.token_lifetime
    if lifetime is not None and lifetime > LONGEST_TOKEN.total_seconds():
        given = show_duration(timedelta(seconds=lifetime))
        yield f"token_lifetime: its tokens live {given}; the rule is {show_duration(LONGEST_TOKEN)} at most"


def _transition(case: Case) -> Iterable[str]:
    spec = case.spec
    if spec.classification == "transitional" and spec.renewed_until is not None and spec.lapsed(case.now):
        yield f"classification: its consumer was to use client {spec.migrates_to} by {spec.renewed_until:%Y-%m-%d}"


def _exception(case: Case) -> Iterable[str]:
    spec = case.spec
    if spec.classification == "permanent exception" and spec.renewed_until is not None and spec.lapsed(case.now):
        yield f"classification: its exception was to be reviewed by {spec.renewed_until:%Y-%m-%d}"


def _exception_far(case: Case) -> Iterable[str]:
    spec, every = case.spec, case.limits.review_every
    until = spec.renewed_until if spec.classification == "permanent exception" else None
    if until is not None and until - case.now > every:
        yield (
            f"classification: its exception is reviewed by {until:%Y-%m-%d}, and the rule is every "
            f"{show_duration(every)}"
        )


def _review(case: Case) -> Iterable[str]:
    reviewed, every = midnight(case.spec.reviewed), case.limits.review_every
    if reviewed is not None and case.now - reviewed > every:
        yield (
            f"reviewed: the last review was on {reviewed:%Y-%m-%d}, and an {case.limits.kind} is reviewed every "
            f"{show_duration(every)}"
        )


def _never_reviewed(case: Case) -> Iterable[str]:
    if case.spec.reviewed is None:
        yield f"reviewed: no review is noted; an {case.limits.kind} is reviewed every " + show_duration(
            case.limits.review_every
        )


def _unused(case: Case) -> Iterable[str]:
    life = case.life
    if life is None or not life.shows_use or life.since is None:
        return
    longest = KEY_SILENCE if case.spec.key else CLIENT_SILENCE
    heard = max(filter(None, (life.last_used,)), default=None)
    silent = case.now - max(heard or life.since, life.since)
    if silent > longest:
        when = f"last used {silent.days} days ago" if heard and heard >= life.since else "not used since it was issued"
        yield f"{when}, {silent.days} days; the rule is {show_duration(longest)} at most"


RULES = (
    Rule(
        "KS010",
        "An API key has a last day that can be seen from here",
        "A date ten years away is no expiry.",
        "give an earlier date; a commit can extend it when it comes near",
        Severity.NOTE,
        Severity.WARNING,
        ("NHI7:2025",),
        _life,
    ),
    Rule(
        "KS011",
        "Secrets are replaced often enough",
        "The longer a secret lives, the more places hold it, and the longer a leak stays useful.",
        "shorten rotation.every",
        Severity.NOTE,
        Severity.WARNING,
        ("NHI7:2025",),
        _interval,
    ),
    Rule(
        "KS012",
        "Old and new are not both valid for long",
        "In an overlap a leaked old secret works on; consumers need days to follow, not months.",
        "shorten rotation.overlap",
        Severity.NOTE,
        Severity.WARNING,
        ("NHI7:2025",),
        _overlap,
    ),
    Rule(
        "KS013",
        "Old and new are both valid for a while",
        "A rotation that breaks its consumer is a rotation that will be put off.",
        "give rotation.overlap; where the target holds one secret, choose a key pair or alternate_clients",
        Severity.NOTE,
        Severity.WARNING,
        ("NHI7:2025",),
        _no_overlap,
    ),
    Rule(
        "KS014",
        "No secret is older than its interval and overlap allow",
        "A declared interval is a promise; the age of the secret shows whether it is kept.",
        "see why its rotation waits (keysteward show NAME), then run keysteward up",
        Severity.WARNING,
        Severity.WARNING,
        ("NHI7:2025",),
        _age,
        live=True,
    ),
    Rule(
        "KS015",
        "Access tokens are short-lived",
        "A token cannot be taken back at most issuers: its lifetime is how long a leaked one works.",
        "shorten token_lifetime; a client asks for a new token when it needs one",
        Severity.WARNING,
        None,
        ("NHI7:2025",),
        _token,
    ),
    Rule(
        "KS024",
        "A transitional key ends on its day",
        "A migration without an end leaves both ways in open.",
        "finish the migration and remove the key, or move the day in a reviewed commit",
        None,
        Severity.WARNING,
        ("NHI4:2025", "NHI7:2025"),
        _transition,
        kind=Kind.NOT_RENEWED,
    ),
    Rule(
        "KS025",
        "An exception is reviewed by its day",
        "Whoever accepted the risk accepted it until then.",
        "have it reviewed, and renew review_by in a commit",
        None,
        Severity.WARNING,
        ("NHI4:2025", "NHI7:2025"),
        _exception,
        kind=Kind.NOT_RENEWED,
    ),
    Rule(
        "KS026",
        "An exception is reviewed as often as the key",
        "An exception that is looked at once in five years is the rule.",
        "give an earlier review_by",
        None,
        Severity.WARNING,
        ("NHI4:2025", "NHI7:2025"),
        _exception_far,
    ),
    Rule(
        "KS027",
        "The last review is not too long ago",
        "Consumers go, scopes pile up: only somebody who looks sees it.",
        "see whether it is still needed as it is, then renew reviewed (keysteward attest NAME) in a commit",
        Severity.WARNING,
        Severity.WARNING,
        ("NHI1:2025", "NHI5:2025"),
        _review,
        kind=Kind.REVIEW_OVERDUE,
    ),
    Rule(
        "KS028",
        "A review is noted",
        "A key that was never reviewed was approved once, by whoever needed it.",
        "see whether it is needed as it is, then note it: keysteward attest NAME",
        None,
        Severity.NOTE,
        ("NHI1:2025", "NHI5:2025"),
        _never_reviewed,
    ),
    Rule(
        "KS030",
        "It is used",
        "What nobody uses can only be misused.",
        "find out whether its consumer is gone; then write decommission= with a date, or remove it",
        Severity.WARNING,
        Severity.WARNING,
        ("NHI1:2025",),
        _unused,
        kind=Kind.UNUSED,
        live=True,
    ),
)
