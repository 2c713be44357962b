"""The two kinds of credentials and their rules: one table of defaults, which the policy holds declarations to. Pure.

An M2M client's secret gets short-lived tokens and never leaves its consumer; an API key is itself what every call
carries, so it is turned over sooner, ends by a date, and is reviewed twice as often.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from keysteward.core.declare.spec import Spec


@dataclass(frozen=True, slots=True)
class KindRules:
    """The defaults for one kind. Durations are the longest allowed; `longest_life` None: it need not expire.

    `owner_leaves` is for people: what the other checks and commands do. `security_approves` says that the owner's word
    is not enough.
    """

    kind: str
    longest_interval: timedelta
    longest_overlap: timedelta
    longest_life: timedelta | None
    review_every: timedelta
    owner_leaves: str
    security_approves: bool = False

    @property
    def approvers(self) -> str:
        """Return in words who approves a change."""
        return "the owner and security" if self.security_approves else "the owner"

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
)
KEY_RULES = KindRules(
    kind="API key",
    longest_interval=timedelta(days=90),
    longest_overlap=timedelta(days=14),
    longest_life=timedelta(days=730),
    review_every=timedelta(days=180),
    owner_leaves="an error before any call: `keysteward offboard` revokes it, or hand it over and rotate it at once",
    security_approves=True,
)


def rules_for(spec: Spec) -> KindRules:
    """Return the rules for a credential."""
    return KEY_RULES if spec.key else CLIENT_RULES
