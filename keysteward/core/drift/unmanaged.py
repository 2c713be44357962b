"""The rules as far as a target alone shows that they are broken: for what exists and no declaration speaks of. Pure.

Where a numbered rule says the same of declarations, the finding carries its number and severity; what mends it is said
for something that stands at the target only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.observed import ObservedScope, ObservedSecret
from keysteward.core.declare.limits import CLIENT_RULES, KEY_RULES, KindRules
from keysteward.core.declare.schedule import show_duration
from keysteward.core.declare.spec import Spec
from keysteward.core.drift.inventory import Standing
from keysteward.core.drift.survey import MACHINE_GRANT, Thing
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.observe.keys import expired
from keysteward.core.policy import RULES
from keysteward.core.policy.broad_scopes import sweeping
from keysteward.core.policy.lifetime import CLIENT_SILENCE, KEY_SILENCE, LONGEST_TOKEN

OLD_GRANTS = {
    "password": "people's passwords pass through it (grant password, which RFC 9700, section 2.4, rules out)",
    "implicit": "tokens travel in addresses (grant implicit, which RFC 9700, section 2.1.2, advises against)",
}
"""Grants that the OAuth 2.0 Security Best Current Practice has done with, and why."""

ROTATION_PAIR = 2
"""A holder that takes so many keys takes the second for a rotation."""


class _Sight:
    """One credential before the rules."""

    def __init__(self, thing: Thing, can: Capabilities, now: datetime) -> None:
        self.thing = thing
        self.can = can
        self.now = now
        self.key = thing.key
        self.settings = thing.object.settings
        self.subject = f"{thing.target}: {thing.id}"

    @property
    def limits(self) -> KindRules:
        """Return the limits of its kind."""
        return CLIENT_RULES if self.key is None else KEY_RULES

    @property
    def living(self) -> tuple[ObservedSecret, ...]:
        """Return its secrets that have not ended."""
        held = self.thing.object.secrets if self.key is None else (self.key,)
        return tuple(secret for secret in held if not expired(secret, self.now))

    def broken(self, number: str, message: str, mend: str, severity: Severity | None = None) -> Finding:
        """Return the finding of a numbered rule."""
        rule = RULES[number]
        level = severity or (rule.client if self.key is None else rule.key) or Severity.NOTE
        return Finding(rule.kind, level, self.subject, message, mend, number)

    def found(self, kind: Kind, severity: Severity, message: str, mend: str) -> Finding:
        """Return a finding that no rule for declarations has."""
        return Finding(kind, severity, self.subject, message, mend)


def judge_thing(
    thing: Thing, can: Capabilities, now: datetime, last_used: datetime | None, scopes: Mapping[str, ObservedScope]
) -> tuple[Finding, ...]:
    """Hold one credential that exists against what needs no declaration; the target's own are left out.

    `can` is what the target can do with its kind, `last_used` its last use as far as it is shown, `scopes` the target's
    catalogue by name.
    """
    if thing.standing is Standing.BUILT_IN:
        return ()
    sight = _Sight(thing, can, now)
    found = [*_old(sight), *_silent(sight, last_used), *_sweeping(sight, scopes), *_several(sight), *_disabled(sight)]
    found += _key(sight) if thing.key is not None else _client(sight)
    return tuple(found)


def judge_kept(
    thing: Thing, spec: Spec, can: Capabilities, now: datetime, scopes: Mapping[str, ObservedScope]
) -> tuple[Finding, ...]:
    """Hold a client that was taken over against the rules, as far as its declaration leaves it as it was found.

    What the declaration says is judged there. Levels and waivers do not count yet.
    """
    sight = _Sight(thing, can, now)
    found = [*_sweeping(sight, scopes, spec.scopes | spec.optional_scopes), *_grants(sight)]
    found += _lifetime(sight) if spec.token_lifetime is None else ()
    return tuple(replace(finding, subject=spec.identity) for finding in found)


def _old(s: _Sight) -> Iterator[Finding]:
    times = [secret.created_at for secret in s.living if secret.created_at is not None]
    if times and s.now - min(times) > s.limits.longest_age:
        what = "it" if s.key is not None else "its secret" if len(s.living) == 1 else "its oldest secret"
        rule = f"for an {s.limits.kind} the rule is {show_duration(s.limits.longest_age)} at most"
        yield s.broken(
            "KS014",
            f"{what} is {(s.now - min(times)).days} days old; {rule}",
            "declare it, so that it is rotated, or replace it at the target",
        )


def _silent(s: _Sight, last_used: datetime | None) -> Iterator[Finding]:
    if s.can.last_use is None or not s.living:
        return
    longest = CLIENT_SILENCE if s.key is None else KEY_SILENCE
    made = max((secret.created_at for secret in s.living if secret.created_at is not None), default=None)
    since = max((at for at in (last_used, made) if at is not None), default=None)
    if since is not None and s.now - since > longest:
        days, rule = (s.now - since).days, f"the rule is {show_duration(longest)} at most"
        message = (
            f"last used {days} days ago; {rule}"
            if last_used == since
            else f"not used since its secret was made {days} days ago; {rule}"
        )
        yield s.broken("KS030", message, "find out whether its consumer is gone; then disable it, and delete it later")


def _sweeping(
    s: _Sight, catalogue: Mapping[str, ObservedScope], declared: frozenset[str] = frozenset()
) -> Iterator[Finding]:
    """Report sweeping scopes; one of the target's own that is only on request is its default for every client."""
    own = {name for name, scope in catalogue.items() if scope.built_in}
    held = s.key.scopes or frozenset() if s.key is not None else s.settings.scopes | (s.settings.optional_scopes - own)
    held -= declared
    audiences = {scope.audience for name in held if (scope := catalogue.get(name)) is not None and scope.audience}
    wide = [
        f"{scope!r} is {what}"
        for scope in sorted(held)
        if (what := sweeping(scope, sorted(audiences), s.can.broad_scopes))
    ]
    if wide:
        mend = "see what its consumer uses, and give it these scopes alone"
        yield s.broken("KS016", f"scope {', '.join(wide)}", mend)


def _several(s: _Sight) -> Iterator[Finding]:
    working = [x for x in s.thing.object.secrets if x.enabled and not expired(x, s.now)]
    if s.key is not None and (s.can.secrets > ROTATION_PAIR or s.key not in working):
        return
    if len(working) > 1:
        what = f"it has {len(working)} secrets" if s.key is None else f"its holder has {len(working)} keys"
        made = [x.created_at for x in working if x.created_at is not None]
        mend = "find out which of them is used, and end the others"
        if len(made) == len(working) and s.now - max(made) > s.limits.longest_overlap:
            rule = f"the rule is {show_duration(s.limits.longest_overlap)} together at most"
            message = f"{what} that work, the newest is {(s.now - max(made)).days} days old; {rule}"
            yield s.broken("KS012", message, mend, Severity.WARNING)
        else:
            yield s.found(Kind.SEVERAL_SECRETS, Severity.NOTE, f"{what} that work", mend)


def _disabled(s: _Sight) -> Iterator[Finding]:
    enabled = s.thing.object.enabled if s.key is None else s.key.enabled
    if not enabled and s.living:
        what = "and keeps its secrets" if s.key is None else "and has not ended"
        message = f"it is disabled {what}: whoever enables it makes them work again"
        words = message if s.key is None else message.replace("them", "it")
        yield s.found(Kind.LEFT_DISABLED, Severity.NOTE, words, "delete it when nobody misses it")


def _key(s: _Sight) -> Iterator[Finding]:
    """Judge what only keys have."""
    key, longest = s.key, s.limits.longest_life or timedelta.max
    mend = "agree on a last day with whoever uses it, and declare it with that day"
    if key is not None and key.expires_at is None:
        can = "expires" in s.can.immutable
        message = "it never expires" if can else f"it never expires: target {s.thing.target} has no last day for keys"
        yield s.broken("KS010", message, mend, None if can else Severity.NOTE)
    elif key is not None and key.expires_at is not None and key.expires_at - s.now > longest:
        rule = f"an {s.limits.kind} lives {show_duration(longest)} at most"
        yield s.broken("KS010", f"it ends on {key.expires_at:%Y-%m-%d}; {rule}", mend)
    if s.can.federation:
        message = f"it is an API key, and target {s.thing.target} has {s.can.federation}"
        yield s.broken("KS023", message, "let its consumer use that, then end the key")


def _client(s: _Sight) -> Iterator[Finding]:
    """Judge what only clients have."""
    yield from _grants(s)
    if not s.thing.machine:
        return
    yield from _lifetime(s)
    if s.settings.method == "client_secret" and "private_key_jwt" in s.can.methods and not s.thing.object.interactive:
        message = f"it uses a secret, and target {s.thing.target} takes key pairs, which never travel"
        yield s.broken(
            "KS022", message, "give it a key pair when it is declared; the change is a rotation with overlap"
        )


def _lifetime(s: _Sight) -> Iterator[Finding]:
    lifetime = s.settings.token_lifetime
    if lifetime is not None and lifetime > LONGEST_TOKEN.total_seconds():
        given, rule = show_duration(timedelta(seconds=lifetime)), show_duration(LONGEST_TOKEN)
        yield s.broken("KS015", f"its tokens live {given}; the rule is {rule} at most", "shorten it at the target")


def _grants(s: _Sight) -> Iterable[Finding]:
    for grant, why in OLD_GRANTS.items():
        if grant in s.settings.grants:
            mend = "turn it off; people log in at the identity provider, machines use client_credentials"
            yield s.found(Kind.OUTDATED_GRANT, Severity.WARNING, why, mend)
    if MACHINE_GRANT not in s.settings.grants:
        return
    for name, wanted in s.can.safeguards.items():
        value = s.settings.safeguards.get(name, wanted)
        if value != wanted:
            message = f"{name} is {value}; for a machine's client it should be {wanted}"
            yield s.found(
                Kind.TOO_WIDE, Severity.WARNING, message, f"see what its consumer needs, then set {name} to {wanted}"
            )
