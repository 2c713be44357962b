"""The kinds of steps, a row each: the name it has in the audit log, where it acts, and what else is so of it. Pure.

What a step brings about in a world stands in `core.plan.effects`, what it does through the ports in
`core.run.executor`: each has an entry for every row that it concerns.
"""

from __future__ import annotations

from enum import Enum, StrEnum, auto
from typing import Self


class At(Enum):
    """Where a step acts. One that acts in the ledger alone makes no outward call."""

    LEDGER = auto()
    TARGET = auto()
    STORES = auto()
    CONSUMER = auto()


class Also(Enum):
    """What else is so of a kind of step."""

    ENDS = auto()
    """It takes something away: a reviewer must have seen it."""
    STOPS = auto()
    """A secret does not work any more after it."""
    WRITES = auto()
    """It writes to the target whatever is there; of others it depends."""
    FINAL = auto()
    """A target may refuse it for good, which blocks the credential with the target's reason."""
    TELLS = auto()
    """Its outcome comes with a reason in words."""
    SCOPES = auto()
    """It gives a client the scopes of its resource servers, which must be there before."""
    EVENT = auto()
    """It changes something that people ask about, beside issuing and ending."""


class Do(StrEnum):
    """What one step does."""

    at: At
    also: frozenset[Also]

    def __new__(cls, name: str, at: At, *also: Also) -> Self:
        """Make a kind of step from its row."""
        made = str.__new__(cls, name)
        made._value_ = name
        made.at, made.also = at, frozenset(also)
        return made

    # Whose it is
    ADOPT = "adopt", At.LEDGER, Also.EVENT
    MARK = "mark", At.TARGET, Also.WRITES, Also.EVENT
    NAME = "name", At.TARGET, Also.WRITES, Also.EVENT  # a client's own name comes back; on an external one: is noted
    UPDATE = "update", At.TARGET, Also.WRITES, Also.SCOPES, Also.EVENT
    RECORD = "record", At.LEDGER
    KEEP = "keep", At.LEDGER, Also.EVENT  # what was made safer on an adopted client
    MIGRATE = "migrate", At.LEDGER, Also.ENDS, Also.EVENT  # its consumers use a client instead

    # Making a generation
    PREPARE = "prepare", At.TARGET, Also.WRITES  # sets up the overlap of a target's own
    BEGIN = "begin", At.LEDGER
    STAGE = "stage", At.STORES
    CREATE = "create", At.TARGET, Also.WRITES, Also.FINAL, Also.SCOPES
    FENCE = "fence", At.LEDGER  # before SHIFT
    SHIFT = "shift", At.TARGET, Also.WRITES
    RESTORE = "restore", At.TARGET, Also.WRITES, Also.EVENT  # puts the current secret's value back into its slot
    ISSUE = "issue", At.TARGET, Also.FINAL
    RECOVER = "recover", At.LEDGER  # the store shows what was issued
    VERIFY = "verify", At.TARGET, Also.TELLS
    PROMOTE = "promote", At.STORES
    NOTIFY = "notify", At.CONSUMER, Also.TELLS
    SETTLE = "settle", At.LEDGER

    # Giving up, going back, ending
    ABANDON = "abandon", At.LEDGER, Also.ENDS
    CHECK = "check", At.TARGET, Also.TELLS
    ROLLBACK = "rollback", At.STORES, Also.EVENT
    RETIRE = "retire", At.LEDGER, Also.ENDS, Also.STOPS  # the fence before END
    END = "end", At.TARGET, Also.TELLS
    REVOKE = "revoke", At.LEDGER, Also.ENDS  # notes a revocation that was recorded without the ledger store
    SUSPEND = "suspend", At.TARGET, Also.WRITES, Also.ENDS, Also.STOPS
    RESUME = "resume", At.TARGET, Also.WRITES, Also.EVENT
    DELETE = "delete", At.TARGET, Also.WRITES, Also.ENDS, Also.STOPS
    RELEASE = "release", At.TARGET, Also.WRITES, Also.ENDS
    DISCARD = "discard", At.STORES  # one generation's plaintext at one place
    EMPTY = "empty", At.STORES
    CLOSE = "close", At.LEDGER
