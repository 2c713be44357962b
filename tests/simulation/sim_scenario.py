"""Scenarios: what happens, in order, made from a seed. Plain lists, to be told, shortened and run again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import Random

from keysteward.core.contract.capabilities import Capabilities

MINUTE, DAY = 60, 86_400


@dataclass(frozen=True)
class Profile:
    """One kind of target with the way in which credentials there are declared.

    `keys`: they are API keys, which all lie with one holder where they carry a name, and else with one each.
    """

    name: str
    capabilities: Capabilities
    fields: dict[str, object]
    keys: bool = False


def _caller(**more: object) -> Capabilities:
    given: dict[str, object] = {
        "methods": ("client_secret", "private_key_jwt"),
        "secrets": 1,
        "keys": 16,
        "chooses": "caller",
        "readable": True,
        "suspends": True,
        "one_method_per_client": True,
        "tags_objects": True,
        **more,
    }
    return Capabilities(**given)  # type: ignore[arg-type]


def _server(**more: object) -> Capabilities:
    given: dict[str, object] = {"methods": ("client_secret",), "secrets": 2, "tags_objects": True, **more}
    return Capabilities(**given)  # type: ignore[arg-type]


SLOW = {"list_lag": timedelta(seconds=20), "propagation": timedelta(seconds=8)}

PROFILES = (
    Profile("key pairs", _caller(), {"auth_method": "private_key_jwt"}),
    Profile("key pairs, slow lists", _caller(**SLOW), {"auth_method": "private_key_jwt"}),
    Profile("native overlap", _caller(secrets=2, native_slot=True), {}),
    Profile("two clients in turn", _caller(), {"alternate_clients": True}),
    Profile("two clients in turn, slow lists", _caller(**SLOW), {"alternate_clients": True}),
    Profile("accepted gap", _caller(), {"accept_gap": True}),
    Profile("minted", _server(suspends=True), {}),
    Profile("minted, slow lists", _server(suspends=True, secrets=3, **SLOW), {}),
    Profile("minted, last use shown", _server(suspends=True, secrets=3, last_use="secret"), {}),
    Profile("minted, cannot suspend", _server(secrets=4), {}),
    Profile("minted, shown again", _server(readable=True, suspends=True), {}),
    Profile("named keys", _server(secrets=5, named_keys=True, tags_secrets=True), {}),
    Profile("named keys, slow lists", _server(secrets=5, named_keys=True, tags_secrets=True, **SLOW), {}),
)


def _keys(**more: object) -> Capabilities:
    given: dict[str, object] = {"methods": ("api_key",), "secrets": 9, "tags_secrets": True, **more}
    return Capabilities(**given)  # type: ignore[arg-type]


_NAMED = {"named_keys": True, "last_use": "secret", "immutable": ("scopes", "expires")}

KEY_PROFILES = (
    Profile("keys under our names", _keys(**_NAMED), {}, keys=True),
    Profile("keys under our names, slow lists", _keys(**_NAMED, **SLOW), {}, keys=True),
    Profile("two keys a user", _keys(secrets=2, tags_secrets=False, suspends=True, last_use="secret"), {}, keys=True),
    Profile(
        "three keys a user, slow lists", _keys(secrets=3, tags_secrets=False, suspends=True, **SLOW), {}, keys=True
    ),
    Profile("keys of our values", _keys(chooses="caller", readable=True, suspends=True), {}, keys=True),
    Profile("values of ours beside others", _server(chooses="caller", readable=True, suspends=True), {}),
)
"""Kinds of targets whose secrets are objects of their own, or values of ours side by side."""

FAULTS = (
    "killed before",
    "killed after",
    "answer lost, not done",
    "answer lost, done",
    "arrives twice",
    "429",
    "down for a while",
    "frozen",
    "stranger acts",
)
"""What may happen at one call of a run. "Frozen": the process stands still for longer than its lease."""

PAUSED = "paused"
"""The process stands still as well, but less long than its lease: nothing is excused by that."""

STRANGER_ADDS = "stranger adds a secret"
STRANGER_DELETES = "stranger deletes the current secret"
"""At one call of a run as well: just what a lost answer may have left, or what the last look is for."""

STRANGER = (
    "adds a secret",
    "fills the cap",
    "deletes the current secret",
    "deletes an old secret",
    "disables the client",
    "enables the client",
    "presses the button",
    "edits the settings",
    "removes the mark",
)

PERSON = (
    "holds",
    "releases",
    "suspends",
    "resumes",
    "rolls back",
    "revokes one",
    "revokes all",
    "lifts",
    "reissues",
    "reissues with grace",
    "resolves as ours",
    "resolves as theirs",
)

DECLARE = (
    "rotates more often",
    "overlaps longer",
    "changes the purpose",
    "moves to another path",
    "moves to another store",
    "delivers to two places",
    "moves to another target",
    "is removed",
    "is put back",
    "is renamed",
    "expires",
    "expires never",
)

CLOCKS = ("target ahead", "target right", "target far ahead", "ledger store back a little")
RESTORES = ("ledger store", "target")


@dataclass(frozen=True)
class Fault:
    """Something at the n-th call of a run, counted from 1."""

    call: int
    kind: str

    def __str__(self) -> str:
        return f"{self.kind} at call {self.call}"


@dataclass(frozen=True)
class Action:
    """One thing that happens. `kind` with its object in `what`; `pick` chooses credential and details."""

    kind: str
    what: str = ""
    pick: int = 0
    seconds: int = 0
    faults: tuple[Fault, ...] = ()
    other: tuple[Fault, ...] = ()

    def __str__(self) -> str:
        if self.kind == "pass":
            return f"{timedelta(seconds=self.seconds)} pass"
        faults = ", ".join(map(str, self.faults))
        words = " ".join(filter(None, (self.kind, self.what)))
        if self.kind == "two runs":
            return f"two runs at once ({faults or 'no fault'} / {', '.join(map(str, self.other)) or 'no fault'})"
        return f"{words} ({faults})" if faults else words


@dataclass(frozen=True)
class Scenario:
    """Where it happens and all that happens."""

    seed: int
    profile: str
    credentials: int
    same_host: bool
    actions: tuple[Action, ...]

    @property
    def years(self) -> float:
        """Return how many credential-years it covers."""
        seconds = sum(action.seconds for action in self.actions)
        return self.credentials * seconds / (365.25 * DAY)


def make(seed: int) -> Scenario:
    """Make one scenario of about five years from a seed."""
    rng = Random(seed)
    profile = PROFILES[seed % len(PROFILES)]
    actions: list[Action] = []
    horizon, passed = 5 * 365 * DAY, 0
    since_calm = 0
    while passed < horizon:
        gap = _gap(rng)
        passed += gap
        since_calm += gap
        actions.append(Action("pass", seconds=gap))
        actions += _events(rng)
        if rng.random() < 0.05:
            actions += _storm(rng)
            passed += sum(a.seconds for a in actions[-8:])
        actions.append(_run(rng))
        if since_calm > 200 * DAY:
            since_calm = 0
            actions.append(Action("calm"))
    actions.append(Action("calm"))
    return Scenario(seed, profile.name, rng.choice((1, 2, 3)), rng.random() < 0.5, tuple(actions))


def _gap(rng: Random) -> int:
    roll = rng.random()
    if roll < 0.15:
        return rng.randrange(5, 10 * MINUTE)
    if roll < 0.5:
        return rng.randrange(DAY // 24, 3 * DAY)
    return rng.randrange(3 * DAY, 16 * DAY)


def _events(rng: Random) -> list[Action]:
    events = []
    for kind, words, chance in (
        ("stranger", STRANGER, 0.06),
        ("person", PERSON, 0.06),
        ("declaration", DECLARE, 0.06),
        ("clock", CLOCKS, 0.02),
        ("backup", ("ledger store", "target"), 0.03),
        ("restore", RESTORES, 0.008),
    ):
        if rng.random() < chance:
            events.append(Action(kind, rng.choice(words), pick=rng.randrange(1_000_000)))
    return events


def _faults(rng: Random, chance: float) -> tuple[Fault, ...]:
    faults = []
    while rng.random() < chance:
        call = rng.randrange(1, 12) if rng.random() < 0.5 else rng.randrange(1, 50)
        faults.append(Fault(call, rng.choice(FAULTS)))
        chance /= 2
    return tuple(sorted(faults, key=lambda fault: fault.call))


def _run(rng: Random) -> Action:
    pick = rng.randrange(1_000_000)
    if rng.random() < 0.12:
        return Action("two runs", pick=pick, faults=_faults(rng, 0.25), other=_faults(rng, 0.25))
    what = "of the lifecycle" if rng.random() < 0.2 else ""
    return Action("run", what, pick=pick, faults=_faults(rng, 0.35))


def _storm(rng: Random) -> list[Action]:
    """Two hours in which three calls in ten fail."""
    storm = []
    for _ in range(rng.randrange(4, 10)):
        storm.append(Action("pass", seconds=rng.randrange(5 * MINUTE, 20 * MINUTE)))
        storm.append(Action("run", "in a storm", pick=rng.randrange(1_000_000)))
    return storm
