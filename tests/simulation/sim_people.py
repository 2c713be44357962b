"""Those who act beside the runs: strangers at the target, people with commands, and editors of declarations."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

from sim_scenario import DECLARE, PERSON, STRANGER

from keysteward.core.errors import DeclarationError
from keysteward.core.record import requests
from keysteward.core.record.ledger import Ledger
from keysteward.testing.memory import MemoryObject, MemorySecret

if TYPE_CHECKING:
    from sim_credential import Credential
    from sim_ports import SimTarget
    from sim_world import Simulation


class Strangers:
    """Whoever has the console open."""

    def __init__(self, world: Simulation) -> None:
        self.world = world
        self.numbers = itertools.count(1)

    def act(self, rng: Random, what: str | None = None) -> None:
        """Do one thing to one of our clients."""
        what = what or rng.choice(STRANGER)
        credential = rng.choice(self.world.credentials)
        clients = self._clients(credential)
        if not clients:
            return
        target, item = rng.choice(clients)
        if self.world.running:
            self.world.watch.meddled(credential)
        self.world.count(f"stranger {what}")
        self.world.tell(f"    a stranger {what} ({item.client_id} at {target.name})")
        self._do(what, target, item, credential, rng)
        target.remember()

    def _clients(self, credential: Credential) -> list[tuple[SimTarget, MemoryObject]]:
        ledger = self.world.watch.ledger_of(credential)
        ids = {(o.target, o.remote_id) for o in ledger.objects} if ledger else set()
        targets = self.world.targets.values()
        return [(t, o) for t in targets for o in t.objects.values() if (t.name, o.remote_id) in ids]

    def _do(self, what: str, target: SimTarget, item: MemoryObject, credential: Credential, rng: Random) -> None:
        if what in {"adds a secret", "fills the cap"}:
            room = target.capabilities.secrets if target.capabilities.chooses == "server" or item.holder else 0
            wanted = room if what == "fills the cap" else min(room, len(item.secrets) + 1)
            while len(item.secrets) < wanted:
                item.secrets.append(self._secret(target, "key"))
        elif what in {"deletes the current secret", "deletes an old secret"}:
            self._delete(target, item, credential, old=what == "deletes an old secret")
        elif what == "disables the client" and item.holder:
            self._switch_keys(target, item, credential, on=False)
        elif what == "disables the client":
            item.enabled = False
        elif what == "enables the client":
            ledger = self.world.watch.ledger_of(credential)
            if ledger is None or not any(
                (o.target, o.remote_id, o.suspended) == (target.name, item.remote_id, True) for o in ledger.objects
            ):
                item.enabled = True
                self._switch_keys(target, item, credential, on=True)
        elif what == "presses the button":
            self._regenerate(target, item)
        elif what == "edits the settings":
            edit = rng.choice((target.edit_settings, self._rename, self._forge))
            edit(item)
        elif what == "removes the mark":
            item.mark = None

    def _rename(self, item: MemoryObject) -> None:
        if not item.holder and not self.world.profile.capabilities.assigns_client_id:
            self.world.count("stranger renames the client")
            item.client_id = f"{item.client_id.partition('~')[0]}~{next(self.numbers)}"

    def _forge(self, item: MemoryObject) -> None:
        """Put another key under the `kid` of the newest: no honest secret, so that it may end at any hand."""
        if item.settings.method == "private_key_jwt" and item.secrets:
            self.world.count("stranger forges a key")
            key = item.secrets[-1]
            key.value = key.canonical = f"forged-{next(self.numbers)}"

    def _switch_keys(self, target: SimTarget, item: MemoryObject, credential: Credential, *, on: bool) -> None:
        """Disable or enable the keys of one credential with a holder, where the target can."""
        ledger = self.world.watch.ledger_of(credential)
        ours = {g.id for g in ledger.generations if g.live and g.target == target.name} if ledger else set()
        for secret in item.secrets if target.capabilities.suspends else ():
            if secret.id in ours:
                secret.enabled = on

    def _secret(self, target: SimTarget, slot: str) -> MemorySecret:
        number = next(self.numbers)
        value = f"stranger-{number}"
        return MemorySecret(f"str-{number}" if slot == "key" else slot, value, slot, self.world.clock.now + target.skew)

    def _delete(self, target: SimTarget, item: MemoryObject, credential: Credential, *, old: bool) -> None:
        ledger = self.world.watch.ledger_of(credential)
        current = ledger.current if ledger else None
        for secret in list(item.secrets):
            is_current = current is not None and (
                self.world.fingerprint(secret.canonical or secret.value) == current.fingerprint
            )
            if is_current is old:
                continue
            item.secrets.remove(secret)
            if secret.slot == "primary":
                item.secrets.append(self._secret(target, "primary"))
            return

    def _regenerate(self, target: SimTarget, item: MemoryObject) -> None:
        primary = next((s for s in item.secrets if s.slot == "primary"), None)
        if primary is None:
            return
        item.secrets = [self._secret(target, "primary")]
        if item.native:
            primary.id = primary.slot = "rotated"
            item.secrets.append(primary)

    def leave(self, credential: Credential) -> None:
        """Take back what strangers did to a credential's clients: their secrets go, disabled clients come back.

        A client that lost both its mark and its client_id is proven by neither, and gets its client_id back by hand.
        """
        ledger = self.world.watch.ledger_of(credential)
        for target, item in self._clients(credential):
            item.secrets = [s for s in item.secrets if not s.value.startswith("stranger") or s.slot != "key"]
            if item.mark is None:
                item.client_id = item.client_id.partition("~")[0]
            record = (
                next(o for o in ledger.objects if (o.target, o.remote_id) == (target.name, item.remote_id))
                if ledger
                else None
            )
            if record is not None and not record.suspended and not record.deleted:
                item.enabled = True
                self._switch_keys(target, item, credential, on=True)
            target.remember()


class People:
    """Whoever runs commands. `resolved` are strangers' secrets that a person took for ours."""

    def __init__(self, world: Simulation) -> None:
        self.world = world
        self.resolved: set[str] = set()

    def act(self, rng: Random, what: str | None = None) -> None:
        """Say one word about one credential."""
        what = what or rng.choice(PERSON)
        credential = rng.choice(self.world.credentials)
        ledger = self.world.watch.ledger_of(credential)
        if ledger is None or ledger.closed is not None:
            return
        change = self._change(what, ledger, rng)
        if change is None:
            return
        try:
            self.world.edit(ledger.identity, change, what)
        except DeclarationError:
            self.world.count(f"person {what}: refused")
            return
        self.world.count(f"person {what}")
        self.world.tell(f"    a person {what} {credential.name}")

    def _change(self, what: str, ledger: Ledger, rng: Random) -> Callable[[Ledger], Ledger] | None:
        now = self.world.ledgers.now()
        suspects = [s for g in ledger.generations for s in g.suspects]
        if what == "holds":
            return lambda known: requests.hold(known, now + timedelta(days=rng.randrange(1, 30)), "simulated")
        if what == "suspends":
            can = self.world.profile.capabilities.suspends
            return (lambda known: requests.suspend(known, now, "simulated")) if can else None
        if what == "revokes one":
            living = [g.number for g in ledger.generations if g.live]
            number = rng.choice(living) if living else None
            return None if number is None else lambda known: requests.revoke(known, now, "simulated", [number])
        if what.startswith("resolves"):
            if not suspects:
                return None
            suspect = rng.choice(suspects)
            if what.endswith("ours"):
                self.resolved |= self._values(suspect)
            else:
                self.world.watch.tainted |= self._values(suspect)
            return lambda known: requests.resolve(known, suspect, ours=what.endswith("ours"))
        return {
            "releases": requests.release,
            "resumes": requests.resume,
            "lifts": lambda known: requests.lift(known, now),
            "rolls back": lambda known: requests.rollback(known, "person", now),
            "revokes all": lambda known: requests.revoke(known, now, "simulated"),
            "reissues": lambda known: requests.reissue(known, "simulated", at=now),
            "reissues with grace": lambda known: requests.reissue(known, "simulated", at=now, grace=timedelta(days=3)),
        }[what]

    def _values(self, identifier: str) -> set[str]:
        return {
            s.value
            for target in self.world.targets.values()
            for item in target.objects.values()
            for s in item.secrets
            if s.id == identifier
        }


class Declarations:
    """Whoever merges pull requests."""

    def __init__(self, world: Simulation) -> None:
        self.world = world
        self.numbers = itertools.count(2)

    def act(self, rng: Random, what: str | None = None) -> None:
        """Edit one declaration."""
        what = what or rng.choice(DECLARE)
        credential = rng.choice(self.world.credentials)
        gap = bool(credential.fields.get("accept_gap"))
        if what == "rotates more often":
            credential.every = timedelta(days=rng.choice((30, 60, 90)))
        elif what == "overlaps longer" and not gap:
            credential.overlap = timedelta(days=rng.choice((3, 7, 14)))
        elif what == "changes the purpose":
            credential.purpose = f"Invoices {next(self.numbers)}"
        elif what == "moves to another path":
            credential.move(("store", f"apps/{credential.name}-{next(self.numbers)}"))
        elif what == "moves to another store":
            credential.move(("store2", f"apps/{credential.name}-{next(self.numbers)}"))
        elif what == "delivers to two places":
            path = f"apps/{credential.name}-{next(self.numbers)}"
            credential.move(("store", path), ("store2", path))
        elif what == "moves to another target":
            credential.target = "idp2" if credential.target == "idp" else "idp"
        elif what in {"is removed", "is put back"}:
            credential.declared = what == "is put back"
        elif what == "is renamed":
            credential.name = f"{credential.names[0]}-{next(self.numbers)}"
            credential.names.append(credential.name)
        elif what == "expires":
            credential.expires = self.world.clock.now.date() + timedelta(days=rng.randrange(10, 60))
        elif what == "expires never":
            credential.expires = None
        credential.edited()
        self.world.count(f"declaration {what}")
        self.world.tell(f"    the declaration of {credential.names[0]} {what}")
