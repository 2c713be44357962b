"""The strategies by which a secret is replaced: a row each, and the questions that planner and executor ask of it.

Whoever adds one writes a row here, says in `core.declare.spec.strategy_of` when it is chosen, and runs the contract
suite over a target that takes it. The letters are those of docs/life-of-a-credential.md.
"""

from __future__ import annotations

from enum import Enum, StrEnum, auto
from typing import Self


class Chooses(Enum):
    """Who chooses the value of a secret, and so what an attempt means whose answer was lost."""

    US = auto()
    """keysteward, which stages it first: the attempt is repeated with the same value."""
    SERVER = auto()
    """The target: a secret may be there that nobody knows, so that the list is asked and nothing is sent twice."""
    PERSON = auto()
    """A person, who also ends it: what was not kept must be handed over again."""


class Room(Enum):
    """Where the new secret goes while the old one works, and so what ends the old one."""

    BESIDE = auto()
    """Beside it, as an object with an id: a step of ours ends the old one after the overlap."""
    SHIFTED = auto()
    """Into the one slot, from which the target moves the old one to a second: the target ends that by its own rule."""
    TWIN = auto()
    """On a second client: the first is disabled after the overlap, and its turn comes again."""
    IN_PLACE = auto()
    """Into the one slot: the old one ends at once."""


class Holds(Enum):
    """What the target keeps of a secret."""

    VALUE = auto()
    PUBLIC_KEY = auto()


class Strategy(StrEnum):
    """How a secret is replaced; its value is what plans and ledgers call it."""

    chooses: Chooses
    room: Room
    holds: Holds
    by_server: bool
    """The target chooses the value."""
    by_person: bool
    """A person issues it and ends it."""
    overlaps: bool
    """Old and new work side by side for a while."""
    one_slot: bool
    """The target has one place for the value, whatever it does with what was there."""
    twins: bool
    """Two clients take turns."""
    two_places: bool
    """There are exactly two places for a value: nothing new begins while the previous one lives."""
    public_keys: bool
    """The target keeps public keys, which it may also read from an address."""
    found_by_absence: bool
    """The new secret is told from those that were there before by its absence from an earlier list."""

    def __new__(cls, name: str, chooses: Chooses, room: Room, holds: Holds = Holds.VALUE) -> Self:
        """Make a strategy from its row."""
        made = str.__new__(cls, name)
        made._value_ = name
        made.chooses, made.room, made.holds = chooses, room, holds
        made.by_server, made.by_person = chooses is Chooses.SERVER, chooses is Chooses.PERSON
        made.overlaps, made.twins = room is not Room.IN_PLACE, room is Room.TWIN
        made.one_slot = room in {Room.SHIFTED, Room.IN_PLACE}
        made.two_places = room in {Room.SHIFTED, Room.TWIN}
        made.public_keys = holds is Holds.PUBLIC_KEY
        made.found_by_absence = room is Room.BESIDE and not made.by_person and not made.public_keys
        return made

    MINT = "add, then retire", Chooses.SERVER, Room.BESIDE  # A
    NAMED_KEY = "new key object, then retire", Chooses.SERVER, Room.BESIDE  # B: as A, under a name we choose
    ROTATED_SLOT = "native overlap", Chooses.US, Room.SHIFTED  # C
    KEY_PAIRS = "key pairs", Chooses.US, Room.BESIDE, Holds.PUBLIC_KEY  # D
    ALTERNATE = "two clients in turn", Chooses.US, Room.TWIN  # E
    GAP = "replace with a gap", Chooses.US, Room.IN_PLACE  # G
    OWN_VALUE = "add our value, then retire", Chooses.US, Room.BESIDE  # H
    BY_HAND = "by hand", Chooses.PERSON, Room.BESIDE  # I: we stage, prove, deliver and record
