"""Rules of how long things live: secrets, tokens, exceptions, reviews. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from keysteward.core.declare.limits import CLIENT_RULES, KEY_RULES
from keysteward.core.declare.schedule import show_duration
from keysteward.core.declare.spec import midnight
from keysteward.core.findings import Kind, Severity
from keysteward.core.policy.rule import Case, Rule, rule

LONGEST_TOKEN = timedelta(hours=1)
"""An access token that lives longer is a secret of its own, which nobody rotates or revokes."""

CLIENT_SILENCE = timedelta(days=90)
KEY_SILENCE = timedelta(days=60)
"""So long unused a credential is a finding: nobody would miss it, but whoever finds it."""

CLOCKS_APART = timedelta(days=1)
"""A day that is further ahead than this is no day of a review: somewhere on earth it is today."""


def _both(client: timedelta, key: timedelta) -> str:
    return f"{show_duration(client)} (M2M client) or {show_duration(key)} (API key)"


@rule(
    "KS010",
    "An API key has a last day that can be seen from here",
    reason="A date ten years away is no expiry.",
    breaks=f"`expires` is more than {show_duration(KEY_RULES.longest_life or timedelta())} away.",
    mend="give an earlier date; a commit can extend it when it comes near",
    client=None,
    key=Severity.WARNING,
    owasp=("NHI7",),
)
def _life(case: Case) -> Iterable[str]:
    spec, longest = case.spec, case.limits.longest_life
    if spec.expires is not None and longest is not None and spec.expires - case.now > longest:
        rule = f"an {case.limits.kind} lives {show_duration(longest)} at most"
        yield f"expires: it ends on {spec.expires:%Y-%m-%d}; {rule}"


@rule(
    "KS011",
    "Secrets are replaced often enough",
    reason="The longer a secret lives, the more places hold it, and the longer a leak stays useful.",
    breaks=f"`rotation.every` is longer than {_both(CLIENT_RULES.longest_interval, KEY_RULES.longest_interval)}.",
    mend="shorten rotation.every",
    client=Severity.NOTE,
    key=Severity.WARNING,
    owasp=("NHI7",),
)
def _interval(case: Case) -> Iterable[str]:
    yield from _longest(case, "rotation.every", case.spec.every, case.limits.longest_interval)


@rule(
    "KS012",
    "Old and new are not both valid for long",
    reason="In an overlap a leaked old secret works on; consumers need days to follow, not months.",
    breaks=f"`rotation.overlap` is longer than {_both(CLIENT_RULES.longest_overlap, KEY_RULES.longest_overlap)}.",
    mend="shorten rotation.overlap",
    client=Severity.NOTE,
    key=Severity.WARNING,
    owasp=("NHI7",),
)
def _overlap(case: Case) -> Iterable[str]:
    yield from _longest(case, "rotation.overlap", case.spec.overlap, case.limits.longest_overlap)


def _longest(case: Case, name: str, given: timedelta, longest: timedelta) -> Iterable[str]:
    if given > longest:
        rule = f"for an {case.limits.kind} the rule is {show_duration(longest)} at most"
        yield f"{name}: it is {show_duration(given)}, {rule}"


@rule(
    "KS013",
    "Old and new are both valid for a while",
    reason="A rotation that breaks its consumer is a rotation that will be put off.",
    breaks="`rotation.overlap` is 0; except of a `ClientSecret` whose target holds one secret: there is no choice.",
    mend="give rotation.overlap; where the target holds one secret, choose a key pair or alternate_clients",
    client=Severity.NOTE,
    key=Severity.WARNING,
    owasp=("NHI7",),
)
def _no_overlap(case: Case) -> Iterable[str]:
    no_choice = case.spec.kind == "ClientSecret" and not case.spec.strategy.overlaps
    if not case.spec.overlap and not no_choice:
        yield "rotation.overlap: it is 0, so that each rotation breaks whoever has not read the new secret yet"


@rule(
    "KS014",
    "No secret is older than the interval and overlap of its kind",
    reason="A declared interval is a promise; the age of the secret shows whether it is kept.",
    breaks=f"The present secret is older than {_both(CLIENT_RULES.longest_age, KEY_RULES.longest_age)}.",
    mend="see why its rotation waits (keysteward show NAME), then run keysteward up",
    client=Severity.WARNING,
    key=Severity.WARNING,
    owasp=("NHI7",),
    live=True,
)
def _age(case: Case) -> Iterable[str]:
    since = case.life.since if case.life is not None else None
    longest = case.limits.longest_age
    if since is not None and case.now - since > longest:
        days = (case.now - since).days
        yield f"its secret is {days} days old; for an {case.limits.kind} the rule is {show_duration(longest)} at most"


@rule(
    "KS015",
    "Access tokens are short-lived",
    reason="A token cannot be taken back at most issuers: its lifetime is how long a leaked one works.",
    breaks=f"`token_lifetime` is longer than {show_duration(LONGEST_TOKEN)}. The target's own default is not seen.",
    mend="shorten token_lifetime; a client asks for a new token when it needs one",
    client=Severity.WARNING,
    key=None,
    owasp=("NHI7",),
)
def _token(case: Case) -> Iterable[str]:
    lifetime = case.spec.token_lifetime
    if lifetime is not None and lifetime > LONGEST_TOKEN.total_seconds():
        given = show_duration(timedelta(seconds=lifetime))
        yield f"token_lifetime: its tokens live {given}; the rule is {show_duration(LONGEST_TOKEN)} at most"


@rule(
    "KS024",
    "A transitional key ends on its day",
    reason="A migration without an end leaves both ways in open.",
    breaks="`Transitional(by=...)` is past, and the key is still declared.",
    mend="finish the migration and remove the key, or move the day in a reviewed commit",
    client=None,
    key=Severity.WARNING,
    owasp=("NHI4", "NHI7"),
    kind=Kind.NOT_RENEWED,
)
def _transition_over(case: Case) -> Iterable[str]:
    spec = case.spec
    if spec.classification == "transitional" and spec.renewed_until is not None and spec.lapsed(case.now):
        yield f"classification: its consumer was to use client {spec.migrates_to} by {spec.renewed_until:%Y-%m-%d}"


@rule(
    "KS025",
    "An exception is reviewed by its day",
    reason="Whoever accepted the risk accepted it until then.",
    breaks="`PermanentException(review_by=...)` is past.",
    mend="have it reviewed, and renew review_by in a commit",
    client=None,
    key=Severity.WARNING,
    owasp=("NHI4", "NHI7"),
    kind=Kind.NOT_RENEWED,
)
def _exception_over(case: Case) -> Iterable[str]:
    spec = case.spec
    if spec.classification == "permanent exception" and spec.renewed_until is not None and spec.lapsed(case.now):
        yield f"classification: its exception was to be reviewed by {spec.renewed_until:%Y-%m-%d}"


@rule(
    "KS026",
    "An exception is reviewed as often as the key",
    reason="An exception that is looked at once in five years is the rule.",
    breaks=f"`PermanentException(review_by=...)` is more than {show_duration(KEY_RULES.review_every)} away.",
    mend="give an earlier review_by",
    client=None,
    key=Severity.WARNING,
    owasp=("NHI4", "NHI7"),
)
def _exception_far(case: Case) -> Iterable[str]:
    spec, every = case.spec, case.limits.review_every
    until = spec.renewed_until if spec.classification == "permanent exception" else None
    if until is not None and until - case.now > every:
        yield (
            f"classification: its exception is reviewed by {until:%Y-%m-%d}, and the rule is every "
            f"{show_duration(every)}"
        )


@rule(
    "KS027",
    "The last review is not too long ago",
    reason="Consumers go, scopes pile up: only somebody who looks sees it.",
    breaks=f"`reviewed` is more than {_both(CLIENT_RULES.review_every, KEY_RULES.review_every)} ago, or still to come.",
    mend="see whether it is still needed as it is, then renew reviewed (keysteward attest NAME) in a commit",
    client=Severity.WARNING,
    key=Severity.WARNING,
    owasp=("NHI1", "NHI5"),
    kind=Kind.REVIEW_OVERDUE,
)
def _review(case: Case) -> Iterable[str]:
    reviewed, every = midnight(case.spec.reviewed), case.limits.review_every
    if reviewed is None:
        return
    if case.now - reviewed > every:
        yield (
            f"reviewed: the last review was on {reviewed:%Y-%m-%d}, and an {case.limits.kind} is reviewed every "
            f"{show_duration(every)}"
        )
    elif reviewed - case.now > CLOCKS_APART:
        yield f"reviewed: {reviewed:%Y-%m-%d} is still to come; a review is noted once it was made"


@rule(
    "KS028",
    "A review is noted",
    reason="A key that was never reviewed was approved once, by whoever needed it.",
    breaks="`reviewed` is not given.",
    mend="see whether it is needed as it is, then note it: keysteward attest NAME",
    client=None,
    key=Severity.NOTE,
    owasp=("NHI1", "NHI5"),
)
def _never_reviewed(case: Case) -> Iterable[str]:
    if case.spec.reviewed is None:
        every = show_duration(case.limits.review_every)
        yield f"reviewed: no review is noted; an {case.limits.kind} is reviewed every {every}"


@rule(
    "KS030",
    "It is used",
    reason="What nobody uses can only be misused.",
    breaks=f"The target shows use, and none for {_both(CLIENT_SILENCE, KEY_SILENCE)}. A rotation is no "
    "use. With `decommission` it is on its way already.",
    mend="find out whether its consumer is gone; then write decommission= with a date, or remove it",
    client=Severity.WARNING,
    key=Severity.WARNING,
    owasp=("NHI1",),
    kind=Kind.UNUSED,
    live=True,
)
def _unused(case: Case) -> Iterable[str]:
    life = case.life
    heard = None if life is None or not life.shows_use else life.last_used or life.begun or life.since
    if life is None or heard is None or case.spec.decommission is not None:
        return
    longest, silent = KEY_SILENCE if case.spec.key else CLIENT_SILENCE, case.now - heard
    if silent > longest:
        what = "it was last used" if life.last_used else "it was never seen in use since it was issued,"
        yield f"{what} {silent.days} days ago; the rule is {show_duration(longest)} at most"


RULES: tuple[Rule, ...] = (
    _life,
    _interval,
    _overlap,
    _no_overlap,
    _age,
    _token,
    _transition_over,
    _exception_over,
    _exception_far,
    _review,
    _never_reviewed,
    _unused,
)
