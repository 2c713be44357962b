"""One declared credential of the simulation, as it is edited over the years, and the application that uses it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sim_scenario import Profile

from keysteward.core.declare.credentials import ApiKey, Bootstrap, M2MClient, RotationSchedule
from keysteward.core.declare.spec import Spec, spec_of

if TYPE_CHECKING:
    from sim_world import Simulation

STACK = "acme/sim"
NEVER = date(2060, 1, 1)
"""When an API key expires that is said to expire never: it must say a day."""


def holder_of(profile: Profile, name: str) -> str:
    """Return with whom a credential's keys lie."""
    return "org" if profile.capabilities.tags_secrets else f"user-{name}"


class Credential:
    """What is declared, and what its consumer holds. `names` are all it was ever called."""

    def __init__(self, name: str, world: Simulation) -> None:
        self.world = world
        self.name = name
        self.names = [name]
        self.declared = True
        self.every, self.overlap = timedelta(days=90), timedelta(days=7)
        self.purpose = "Invoices"
        self.target = "idp"
        self.places = [("store", f"apps/{name}")]
        self.past_places: list[tuple[str, str]] = []
        self.expires: date | None = None
        self.fields = dict(world.profile.fields)
        if self.fields.get("accept_gap"):
            self.overlap = timedelta()
        if world.profile.capabilities.last_use:
            self.unused_for: timedelta | None = timedelta(days=3)
        else:
            self.unused_for = None
        self.read_at: datetime | None = None
        self.generation: int | None = None
        self.client_id = self.value = self.reads_target = ""
        self._spec: Spec | None = None

    @property
    def identity(self) -> str:
        """Return its identity now."""
        return f"{STACK}/{self.name}"

    @property
    def identities(self) -> list[str]:
        """Return all identities it ever had."""
        return [f"{STACK}/{name}" for name in self.names]

    @property
    def key(self) -> str:
        """Return what it was called first."""
        return self.names[0]

    def move(self, *places: tuple[str, str]) -> None:
        """Declare other places."""
        self.past_places += self.places
        self.places = list(places)

    def edited(self) -> None:
        """Forget the normal form after an edit."""
        self._spec = None

    def spec(self) -> Spec:
        """Return the declaration in normal form."""
        if self._spec is None:
            given: dict[str, Any] = {
                "target": self.world.targets[self.target],
                "owner": "team",
                "purpose": self.purpose,
                "rotation": RotationSchedule(
                    every=self.every, overlap=self.overlap, retire_when_unused_for=self.unused_for
                ),
                "deliver_to": [self.world.stores[store].path(path) for store, path in self.places],
                "expires": self.expires,
                "previously": self.names[:-1],
                **self.fields,
            }
            self._spec = spec_of(self._key(given) if self.world.profile.keys else M2MClient(self.name, **given), STACK)
        return self._spec

    def _key(self, given: dict[str, Any]) -> ApiKey:
        return ApiKey(
            self.name,
            **{**given, "expires": self.expires or NEVER},
            holder=holder_of(self.world.profile, self.key),
            classification=Bootstrap(exchanged_for="nothing"),
        )

    def read(self) -> None:
        """Let the application read its document, at the declared place or, before that has one, where it did."""
        for store, path in (*self.places, *reversed(self.past_places)):
            held = self.world.stores[store].held(path)
            if held is None:
                continue
            number, value, about = held
            self.generation, self.value, self.client_id = number, value, about.client_id
            self.reads_target = about.token_url.removeprefix("memory://").removesuffix("/token")
            self.read_at = self.world.clock.now
            return

    def works(self) -> bool:
        """Say whether what the application holds gets it in."""
        return bool(self.value) and self.world.targets[self.reads_target].works(self.client_id, self.value)

    def use(self) -> None:
        """Let the application use what it holds."""
        if self.value:
            self.world.targets[self.reads_target].use(self.client_id, self.value)
