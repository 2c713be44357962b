"""The two kinds of credentials and their rules: one table of defaults, and what a declaration makes of it. Pure.

An M2M client's secret gets short-lived tokens and never leaves its consumer; an API key is itself what every call
carries, so it is turned over sooner, ends by a date, and is reviewed twice as often. Breaking a rule is a finding.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.schedule import show_duration
from keysteward.core.spec import Spec, midnight


@dataclass(frozen=True, slots=True)
class KindRules:
    """The defaults for one kind. Durations are the longest allowed; `longest_life` None: it need not expire.

    `owner_leaves` and `approvers` are for people; the first is what the other checks and commands do.
    """

    kind: str
    longest_interval: timedelta
    longest_overlap: timedelta
    longest_life: timedelta | None
    review_every: timedelta
    owner_leaves: str
    approvers: str

    @property
    def longest_age(self) -> timedelta:
        """Return how old one secret may get: its interval, and the overlap with its successor."""
        return self.longest_interval + self.longest_overlap


CLIENT_RULES = KindRules(
    kind="M2M client",
    longest_interval=timedelta(days=180),
    longest_overlap=timedelta(days=30),
    longest_life=None,
    review_every=timedelta(days=365),
    owner_leaves="an error before any call: hand it over, or `keysteward offboard` revokes it",
    approvers="the owner",
)
KEY_RULES = KindRules(
    kind="API key",
    longest_interval=timedelta(days=90),
    longest_overlap=timedelta(days=14),
    longest_life=timedelta(days=730),
    review_every=timedelta(days=180),
    owner_leaves="an error before any call: `keysteward offboard` revokes it, or hand it over and rotate it at once",
    approvers="the owner and security",
)


def rules_for(spec: Spec) -> KindRules:
    """Return the rules for a credential."""
    return KEY_RULES if spec.key else CLIENT_RULES


def judge(spec: Spec, now: datetime) -> Iterable[Finding]:
    """Hold a declaration against the rules of its kind."""
    rules = rules_for(spec)
    limits = (
        ("rotation.every", spec.every, rules.longest_interval),
        ("rotation.overlap", spec.overlap, rules.longest_overlap),
    )
    for name, given, longest in limits:
        if given > longest:
            yield _finding(
                spec,
                f"{name} is {show_duration(given)}, for an {rules.kind} the rule is {show_duration(longest)} at most",
                "shorten it",
            )
    if spec.expires is not None and rules.longest_life is not None and spec.expires - now > rules.longest_life:
        yield _finding(
            spec,
            f"expires on {spec.expires:%Y-%m-%d}; an {rules.kind} lives {show_duration(rules.longest_life)} at most",
            "give an earlier date; it can be extended by a commit when it comes near",
        )
    yield from _review(spec, rules, now)


def _review(spec: Spec, rules: KindRules, now: datetime) -> Iterable[Finding]:
    every = show_duration(rules.review_every)
    reviewed = midnight(spec.reviewed)
    if reviewed is not None and now - reviewed > rules.review_every:
        message = f"was last reviewed on {reviewed:%Y-%m-%d}, and an {rules.kind} is reviewed every {every}"
        yield _finding(spec, message, "see whether it is still needed as it is, then renew `reviewed` in a commit")
    review_by = spec.renewed_until if spec.classification == "permanent exception" else None
    if review_by is not None and review_by - now > rules.review_every:
        message = f"its exception is reviewed by {review_by:%Y-%m-%d}, and the rule is every {every}"
        yield _finding(spec, message, "give an earlier review_by")


def _finding(spec: Spec, message: str, mend: str) -> Finding:
    return Finding(Kind.POLICY, Severity.NOTE, spec.identity, message, mend)
