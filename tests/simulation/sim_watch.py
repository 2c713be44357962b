"""What must hold, looked at after every call. What cannot be had is excused by name and counted.

The names of the invariants are those of docs/safety.md.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sim_credential import holder_of
from sim_scenario import Action

from keysteward.core.audit.ledgers import compare
from keysteward.core.contract.strategy import Strategy
from keysteward.core.errors import DeclarationError
from keysteward.core.findings import Kind, Severity
from keysteward.core.observe.unrecorded import behind, unrecorded
from keysteward.core.observe.world import World
from keysteward.core.record import requests
from keysteward.core.record.ledger import Generation, Ledger, Origin, State
from keysteward.core.run.rebuild import rebuild
from keysteward.testing.memory import MemorySecret

if TYPE_CHECKING:
    from sim_credential import Credential
    from sim_ports import SimTarget
    from sim_world import Runner, Simulation

FROZEN = "frozen longer than its lease"
MEDDLED = "a stranger acted in the midst of a run"
ELSEWHERE = "ended elsewhere"
CLIENT_DELETED = "client deleted"
FOUND_DISABLED = "found on a disabled client"
SLOTS = frozenset({Strategy.ROTATED_SLOT, Strategy.GAP, Strategy.ALTERNATE})

S = State
ALLOWED = {
    S.INTENT: {S.ISSUED, S.ABANDONED},
    S.ISSUED: {S.VERIFIED, S.ABANDONED},
    S.VERIFIED: {S.CURRENT},
    S.CURRENT: {S.PREVIOUS, S.RETIRING, S.ABANDONED},
    S.PREVIOUS: {S.RETIRING, S.CURRENT, S.ABANDONED},
    S.RETIRING: {S.RETIRED, S.PREVIOUS},
    S.ABANDONED: {S.RETIRED},
    S.RETIRED: set(),
}
"""Which state may follow which. Deleting a client retires whatever it carried; revocation gives up what was proven."""

NAMED = frozenset(
    {
        Kind.BLOCKED,
        Kind.CAP_FILLED,
        Kind.CLOCK_OFF,
        Kind.DISABLED_ELSEWHERE,
        Kind.ENDED_ELSEWHERE,
        Kind.HELD,
        Kind.REVOKED,
        Kind.SUSPENDED,
        Kind.UNDELIVERED,
    }
)
"""Findings that name why a credential does not work, or does not go on."""


class Broken(AssertionError):
    """An invariant does not hold."""


class Watch:
    """Looks at every call, and at the whole when nothing is under way."""

    def __init__(self, world: Simulation) -> None:
        self.world = world
        self.excused: Counter[str] = Counter()
        self.standing: dict[str, set[str]] = {}
        self.minted: set[str] = set()
        self.unrecorded: set[str] = set()
        self.tainted: set[str] = set()

    # At every call

    def look(self) -> dict[str, Any]:
        """Return what works now: what each consumer holds, what each document holds, and strangers' secrets."""
        world = self.world
        documents = {}
        for store in world.stores.values():
            for path in store.documents:
                held = store.held(path)
                if held is not None:
                    documents[store.name, path] = (held[:2], self._document_works(held))
        return {
            "consumers": {c.name: c.works() for c in world.credentials},
            "documents": documents,
            "strangers": self._strangers(),
        }

    def _document_works(self, held: tuple[int, str, Any]) -> bool:
        _, value, about = held
        target = self.world.targets[about.token_url.removeprefix("memory://").removesuffix("/token")]
        return target.works(about.client_id, value)

    def _strangers(self) -> frozenset[str]:
        return frozenset(
            s.value
            for target in self.world.targets.values()
            for item in target.objects.values()
            for s in item.secrets
            if s.value.startswith("stranger")
        )

    def after(self, runner: Runner, port: str, operation: str) -> None:
        """Compare with what worked before this call."""
        before: Any = runner.before
        what = f"{operation} at {port} by {runner.name}"
        for credential in self.world.credentials:
            if before["consumers"][credential.name] and not credential.works():
                self._may_break(credential, credential.generation, what, runner)
        now = self.look()
        for place, (held, worked) in before["documents"].items():
            after = now["documents"].get(place)
            credential = self._of_place(place)
            if credential is None or not worked or place not in credential.places:
                continue
            if after is None:
                self._may_lack(credential, place, what)
            elif not after[1]:
                self._may_break(credential, after[0][0] if after[0] != held else held[0], what, runner)
        lost = before["strangers"] - now["strangers"]
        if lost:
            self._may_end_strangers(lost, operation, what, port)

    def _of_place(self, place: tuple[str, str]) -> Credential | None:
        owner = self.world.stores[place[0]].owners.get(place[1])
        return next((c for c in self.world.credentials if owner in c.identities), None)

    def _may_break(self, credential: Credential, number: int | None, what: str, runner: Runner) -> None:
        reason = self.reason(credential, number, what, runner)
        if reason is None:
            raise Broken(f"{what} made generation {number} of {credential.name} stop working for its consumer")
        self.excused[reason] += 1

    def _may_lack(self, credential: Credential, place: tuple[str, str], what: str) -> None:
        if place in credential.places and self.reason(credential, None, what, None) is None:
            raise Broken(f"{what} took the document at {place[0]}:{place[1]} away")

    def _may_end_strangers(self, lost: frozenset[str], operation: str, what: str, port: str) -> None:
        if lost <= self.world.people.resolved:
            return
        if operation.startswith("issue") and self.world.profile.capabilities.chooses == "caller":
            self.excused["a stranger's value gave way in a slot"] += 1
            return
        if operation == "delete":
            return
        if operation == "retire" and self.world.targets[port].slot_retired:
            self.excused["a stranger's value gave way in a slot"] += 1
            return
        raise Broken(f"{what} ended a stranger's secret")

    def reason(self, credential: Credential, number: int | None, what: str, runner: Runner | None) -> str | None:  # noqa: PLR0911 - a list
        """Return why a secret may stop working by our own step; None when it must not."""
        world = self.world
        ledger = self.ledger_of(credential)
        standing = self.standing.get(credential.key, set())
        if ledger is not None and not any(g.strategy in SLOTS for g in ledger.generations[-3:]):
            standing = standing - {FROZEN}
        if standing:
            return min(standing)
        if runner is not None and runner.doubled and "shift" in what:
            self.standing.setdefault(credential.key, set()).add("regenerate arrived twice")
            return "regenerate arrived twice"
        if ledger is None:
            return None
        revoked = ledger.revoked
        if revoked is not None and (revoked.generations is None or number in revoked.generations):
            return "revoked"
        if ledger.suspended is not None:
            return "suspended by a person"
        if not credential.declared or ledger.identity not in {credential.identity, *credential.identities}:
            return "not declared any more"
        if credential.expires is not None and world.clock.now.date() >= credential.expires:
            return "expired"
        known = next((g for g in ledger.generations if g.number == number), None)
        if known is not None and known.ends_at is not None:
            return "ended by a person's word"
        evidence = (known.evidence or "") if known is not None else ""
        if any(end in evidence for end in ("has it again", ELSEWHERE, CLIENT_DELETED)):
            return "came back after its end"
        if what.startswith("suspend") and number is not None and self._nothing_shows(credential, ledger, number):
            return "issued after the backup from which its ledger came back, and shown by nothing"
        if any(g.strategy is Strategy.GAP and g.state is not State.RETIRED for g in ledger.generations):
            return "gap accepted"
        return None

    def _nothing_shows(self, credential: Credential, ledger: Ledger, number: int) -> bool:
        """Say whether a ledger from a backup is older than a generation that no place holds any more."""
        places = {*credential.places, *((p.store, p.path) for p in ledger.places)}
        held = {n for store, path in places for n in self.world.stores[store].numbers(path)}
        return number >= ledger.next and number not in held

    def ledger_of(self, credential: Credential) -> Ledger | None:
        """Return the stored ledger of a credential, under the newest of its names that has an open one."""
        found = [self.world.ledger(identity) for identity in reversed(credential.identities)]
        known = [ledger for ledger in found if ledger is not None]
        return next((ledger for ledger in known if ledger.closed is None), known[0] if known else None)

    # At single calls

    def minting(self, target: SimTarget, name: str) -> None:
        """Look at a secret being minted: each attempt asks once."""
        runner = self.world.active
        if runner is None:
            return
        if name in self.minted:
            raise Broken(f"asked twice for {name}")
        self.minted.add(name)
        newest = [item.secrets[-1].value for item in target.objects.values() if item.secrets]
        target.mine.setdefault(runner.name, set()).update(newest)

    def retiring(self, target: SimTarget, remote_id: str, secret: MemorySecret) -> None:
        """Look at a secret being ended: its generation was given up in the ledger before."""
        runner = self.world.active
        if runner is None or secret.value.startswith("stranger"):
            return
        for credential in sorted(self.world.credentials, key=lambda c: not self._has(c, secret, target)):
            ledger = self.ledger_of(credential)
            if ledger is None or (target.name, remote_id) not in self._clients(ledger):
                continue
            generation = self._generation_of(ledger, secret, target)
            if generation is not None:
                if generation.state not in {State.RETIRING, State.ABANDONED, State.RETIRED}:
                    raise Broken(
                        f"{runner.name} ended generation {generation.number} of {credential.name}, "
                        f"which its ledger calls {generation.state}"
                    )
                self._successor_lives(credential, ledger, generation, runner)
                return
            if secret.value in target.mine.get(runner.name, ()):
                self.excused["own mint undone after a lost race"] += 1
                return
            if secret.slot == "primary":
                return
            raise Broken(f"{runner.name} ended secret {secret.id}, which no ledger names")

    def _has(self, credential: Credential, secret: MemorySecret, target: SimTarget) -> bool:
        """Say whether a credential's ledger names a secret; several share a holder of keys."""
        ledger = self.ledger_of(credential)
        return ledger is not None and self._generation_of(ledger, secret, target) is not None

    def _successor_lives(self, credential: Credential, ledger: Ledger, old: Generation, runner: Runner) -> None:
        """Look at the current generation while the one before it ends: the last look must have seen it alive.

        Between that look and the ending lie one reading and the ending itself; who acts there is not noticed.
        """
        current, world = ledger.current, self.world
        if old.state is not State.RETIRING or current is None or current.origin is Origin.ADOPTED:
            return
        if len(world.running) > 1 or self.standing.get(credential.key, set()) - {MEDDLED}:
            return
        if not credential.declared or credential.expires is not None or ledger.revoked is not None:
            return
        item = world.targets[current.target].objects.get(ledger.object_of(current).remote_id or "")
        values = {world.fingerprint(s.canonical or s.value) for s in item.secrets} if item is not None else set()
        if current.fingerprint in values:
            return
        if runner.calls - runner.meddled < 2:
            self.excused["a stranger acted between the last look and the ending"] += 1
            return
        raise Broken(f"{runner.name} ended generation {old.number} of {credential.name}, whose successor was dead")

    @staticmethod
    def _clients(ledger: Ledger) -> set[tuple[str, str | None]]:
        return {(o.target, o.remote_id) for o in ledger.objects}

    def _generation_of(self, ledger: Ledger, secret: MemorySecret, target: SimTarget) -> Generation | None:
        name = self.world.fingerprint(secret.canonical or secret.value)
        found = [
            g
            for g in ledger.generations
            if g.fingerprint == name or (g.id == secret.id and secret.slot == "key" and g.target == target.name)
        ]
        return found[-1] if found else None

    def written(self, old: dict[str, Any] | None, new: dict[str, Any]) -> None:
        """Look at a ledger being written: numbers only grow, states follow each other, the store came first."""
        if new.get("kind") == "ResourceServer" or "identity" not in new:
            return
        identity = new["identity"]
        before = {g["number"]: g for g in (old or {}).get("generations", ())}
        after = {g["number"]: g for g in new.get("generations", ())}
        if not before.keys() <= after.keys() or (old or {}).get("next", 1) > new.get("next", 1):
            raise Broken(f"the ledger of {identity} forgot a generation")
        if after and max(after) >= new.get("next", 1):
            raise Broken(f"the ledger of {identity} would use generation {max(after)} again")
        names = next((c.names for c in self.world.credentials if identity in c.identities), [])
        renamed = (old is None or bool(old.get("closed"))) and len(names) > 1
        gone = {o["key"] for o in new.get("objects", ()) if o.get("deleted")}
        if any(entry["step"] == "rebuild" for entry in new.get("outbox", ())[-1:]):
            return
        for number, generation in after.items():
            was, now = State(before.get(number, {}).get("state", "intent")), State(generation["state"])
            known = number in before or not renamed
            if known and was is not now and now is S.ABANDONED and ELSEWHERE in str(generation.get("evidence")):
                self._dead_indeed(identity, new, generation)
            if number not in before and (generation.get("origin") == "adopted" or renamed):
                continue
            if was is now or now in ALLOWED[was] or (now is S.RETIRED and generation["object"] in gone):
                if now is S.CURRENT and was is not now and generation.get("origin") != Origin.ADOPTED.value:
                    self._store_first(identity, number, generation)
                continue
            if was is S.VERIFIED and now is S.ABANDONED and new.get("revoked"):
                continue
            again = str(generation.get("evidence"))
            if new.get("closed") and generation.get("origin") == "adopted" and again == "released, not ended":
                continue
            if was is S.RETIRED and now is S.ABANDONED and ("a person said" in again or "has it again" in again):
                continue
            raise Broken(f"generation {number} of {identity} went from {was} to {now}")

    def _dead_indeed(self, identity: str, ledger: dict[str, Any], generation: dict[str, Any]) -> None:
        """Look at a generation that the ledger calls ended elsewhere: its target must not have it any more."""
        credential = next((c for c in self.world.credentials if identity in c.identities), None)
        if credential is None or self.standing.get(credential.key):
            return
        remote_id = next(o.get("remote_id") for o in ledger["objects"] if o["key"] == generation["object"])
        item = self.world.targets[generation["target"]].objects.get(remote_id or "")
        for secret in item.secrets if item is not None and item.enabled else ():
            if self.world.fingerprint(secret.canonical or secret.value) == generation.get("fingerprint"):
                raise Broken(f"generation {generation['number']} of {identity} was called dead, and its target has it")

    def _store_first(self, identity: str, number: int, generation: dict[str, Any]) -> None:
        for key in generation["delivery"]:
            store, _, path = key.partition(":")
            held = self.world.stores[store].held(path)
            if held is None or held[0] != number:
                raise Broken(f"the ledger of {identity} calls generation {number} current, and {key} does not hold it")

    # What excuses

    def frozen(self, runner: Runner) -> None:
        """Let a process stand still for longer than its lease: what it decided before is not promised."""
        del runner
        for credential in self.world.credentials:
            self.standing.setdefault(credential.key, set()).add(FROZEN)

    def meddled(self, credential: Credential) -> None:
        """Let a stranger act while a run is under way."""
        self.standing.setdefault(credential.key, set()).add(MEDDLED)

    def restored(self, what: str) -> None:
        """Bring the past back."""
        for credential in self.world.credentials:
            self.standing.setdefault(credential.key, set()).add(f"{what} restored from a backup")
            if what == "ledger store":
                self.unrecorded.add(credential.key)

    # Between runs

    def consumers_read(self) -> None:
        """Let applications reload often enough: three times in an overlap."""
        now = self.world.clock.now
        for credential in self.world.credentials:
            pause = max(credential.overlap / 3, timedelta(hours=1))
            if credential.read_at is None or now - credential.read_at >= pause or not credential.value:
                credential.read()
            credential.use()

    def calm(self) -> None:
        """Without faults, two runs after the lease's end must settle everything; then look at all that is left."""
        world = self.world
        busy: dict[str, str] = {}
        for _ in range(2):
            world.advance(6 * 60)
            world.run(Action("run", pick=world.rng.randrange(1_000_000)))
            busy = {
                name: plan.words or (plan.wait.why if plan.wait else "")
                for name, plan in world.preview().items()
                if plan.steps or plan.wait
            }
            if not busy:
                break
        if busy:
            raise Broken(f"not settled after two runs: {busy}")
        world.count("calms")
        self._agrees_with_the_log()
        for credential in world.credentials:
            self._settled(credential)
        self.standing.clear()
        for credential in world.credentials:
            self._rebuild(credential)

    def _agrees_with_the_log(self) -> None:
        """No fault, restore or person makes a ledger say what no entry ever said: only tampering does."""
        ledgers = [ledger for each in self.world.credentials if (ledger := self.ledger_of(each)) is not None]
        for defect in compare(ledgers, self.world.log.values()).defects:
            raise Broken(defect.message)

    def _rebuild(self, credential: Credential) -> None:
        """Let a person rebuild a ledger that is older than the world."""
        if not credential.declared:
            return
        with self.world.nobody():
            reconciler = self.world.reconciler(f"person-{next(self.world.numbers)}")
            spec = credential.spec()
            snapshot = reconciler.snapshot
            world = snapshot.everywhere(snapshot.world(spec.identity, spec))
            if behind(world) is None and not unrecorded(world):
                self.unrecorded.discard(credential.key)
                return
            after = rebuild(world, spec, f"rebuilt-{credential.name}", self._read(world))
            if after != world.ledger:
                reconciler.enter(after, command="rebuild", words="simulated")
        for target in self.world.targets.values():
            clients = self._clients(after)
            self.world.people.resolved |= {
                s.value for o in target.objects.values() if (target.name, o.remote_id) in clients for s in o.secrets
            }
        self.world.count("person rebuilds")
        self.world.tell(f"    a person rebuilds {credential.name}: {self._states(after)}")
        self.unrecorded.discard(credential.key)

    def _read(self, world: World) -> dict[int, str]:
        """Return fingerprints of the values that the stores hold, as a runner reads them."""
        found = {}
        for key, held in world.delivered.items():
            store, _, path = key.partition(":")
            for entry in (held.current, held.previous, *held.staged):
                material = None if entry is None else self.world.stores[store].read(path, entry.generation)
                if entry is not None and material is not None:
                    found[entry.generation] = self.world.fingerprint(material.canonical.get_secret_value())
        return found

    def _settled(self, credential: Credential) -> None:
        ledger = self.ledger_of(credential)
        credential.read()
        if ledger is None or ledger.closed is not None:
            if ledger is not None and not credential.declared:
                self._nothing_left(credential)
            return
        if ledger.unfinished is None and credential.key not in self.unrecorded:
            self._no_plaintext_left(credential, ledger)
        self._no_orphans(credential, ledger)
        self._revoked_is_dead(credential, ledger)
        if credential.declared:
            self._works_or_says_why(credential)
            self._stop_is_told(credential)

    def _nothing_left(self, credential: Credential) -> None:
        self._no_keys_left(credential)
        for target in self.world.targets.values():
            for item in target.objects.values():
                if item.mark is not None and item.mark.identity in credential.identities:
                    if self.standing.get(credential.key) or item.remote_id in self.tainted:
                        self.tainted.add(item.remote_id)
                        self.excused["left behind after a restore"] += 1
                        continue
                    raise Broken(f"{credential.name} was removed, and client {item.client_id} is left")

    def _no_keys_left(self, credential: Credential) -> None:
        """Look for keys of a removed credential with their holder, which stays; those that were adopted stay too."""
        ledger = self.ledger_of(credential)
        held = [(t, s) for t in self.world.targets.values() for o in t.objects.values() if o.holder for s in o.secrets]
        for target, secret in held if ledger is not None else ():
            generation = self._generation_of(ledger, secret, target) if ledger is not None else None
            if generation is None or generation.origin is Origin.ADOPTED or secret.value in self.tainted:
                continue
            if self.standing.get(credential.key):
                self.tainted.add(secret.value)
                self.excused["left behind after a restore"] += 1
                continue
            raise Broken(f"{credential.name} was removed, and key {secret.id} is left")

    def _no_plaintext_left(self, credential: Credential, ledger: Ledger) -> None:
        alive = {g.number for g in ledger.generations if g.live or g.ends_at is not None}
        current = ledger.current.number if ledger.current else None
        for place in ledger.places:
            store = self.world.stores[place.store]
            if store.owners.get(place.path) not in {None, *credential.identities}:
                continue
            held = store.numbers(place.path)
            if store.staging.get(place.path):
                raise Broken(f"{place.key} still stages {sorted(store.staging[place.path])}: {self._states(ledger)}")
            read = store.held(place.path)
            undelivered = ledger.current is not None and place.key in ledger.current.delivery and read is not None
            dead = held - alive - ({read[0]} if undelivered and read is not None else set())
            if dead and current is not None and not self.standing.get(credential.key):
                raise Broken(f"{place.key} still holds {sorted(dead)}, which ended: {self._states(ledger)}")

    def _no_orphans(self, credential: Credential, ledger: Ledger) -> None:
        suspects = {s for g in ledger.generations for s in g.suspects}
        ids = {(o.target, o.remote_id) for o in ledger.objects if not o.deleted}
        for target in self.world.targets.values():
            for item in target.objects.values():
                if (target.name, item.remote_id) not in ids or (
                    item.mark and item.mark.identity not in credential.identities
                ):
                    continue
                for secret in item.secrets:
                    known = self._generation_of(ledger, secret, target)
                    adopted = known is not None and known.evidence == FOUND_DISABLED and secret.slot == "key"
                    if adopted and not item.enabled:
                        self.excused["on a disabled client, and not proven ours, after a rebuild"] += 1
                        continue
                    self._known(credential, ledger, secret, suspects, target)

    def _known(
        self, credential: Credential, ledger: Ledger, secret: MemorySecret, suspects: set[str], target: SimTarget
    ) -> None:
        generation = self._generation_of(ledger, secret, target)
        filler = secret.value.startswith("random") and secret.slot in {"primary", "rotated"}
        if secret.value.startswith("stranger") or secret.id in suspects or filler:
            return
        if generation is None and any(self._has(other, secret, target) for other in self.world.credentials):
            return
        if generation is not None and (generation.live or generation.ends_at is not None):
            return
        if generation is not None and secret.slot in {"primary", "rotated"}:
            return
        if any(secret.value in target.doubles for target in self.world.targets.values()):
            self.excused["minted twice by one request"] += 1
            return
        if secret.value in self.tainted:
            return
        reasons = self.standing.get(credential.key)
        if reasons:
            self.tainted.add(secret.value)
            self.excused[f"orphan: {min(reasons)}"] += 1
            return
        raise Broken(f"orphan {secret.id} ({secret.value}) of {credential.name}: {self._states(ledger)}")

    def _revoked_is_dead(self, credential: Credential, ledger: Ledger) -> None:
        revoked = ledger.revoked
        if revoked is None:
            return
        for target in self.world.targets.values():
            for item in target.objects.values():
                if (target.name, item.remote_id) not in self._clients(ledger):
                    continue
                for secret in item.secrets:
                    generation = self._generation_of(ledger, secret, target)
                    hit = generation is not None and (
                        revoked.generations is None or generation.number in revoked.generations
                    )
                    if hit and item.enabled and target.works(item.client_id, secret.value):
                        if credential.key in self.unrecorded:
                            self.excused["a restored target against a restored ledger: revived until rebuild"] += 1
                            continue
                        raise Broken(f"a revoked generation of {credential.name} works: {self._states(ledger)}")

    def _works_or_says_why(self, credential: Credential) -> None:
        plan = self.world.preview().get(credential.identity)
        if plan is None or plan.problem is not None:
            return
        ledger = self.ledger_of(credential)
        if credential.works() or (ledger is not None and self._expired(credential)):
            return
        kinds = {finding.kind for finding in plan.findings}
        if not kinds & NAMED:
            states = self._states(ledger) if ledger else []
            raise Broken(f"the consumer of {credential.name} is locked out and nothing says why: {states}")

    def _stop_is_told(self, credential: Credential) -> None:
        """What stops a credential shows in a look, whatever else does."""
        planned, findings = self.world.looked(credential.identity)
        ledger = self.ledger_of(credential)
        blocked = ledger is not None and ledger.blocked is not None
        if (blocked or planned.problem is not None) and all(f.severity is Severity.NOTE for f in findings):
            raise Broken(f"{credential.name} is stopped, and a look tells nothing of it: {planned.problem}")

    def _expired(self, credential: Credential) -> bool:
        expires = credential.expires
        return expires is not None and self.world.clock.now.date() + credential.overlap >= expires

    @staticmethod
    def _states(ledger: Ledger) -> list[str]:
        return [f"{g.number} {g.state.value}" for g in ledger.generations[-5:]]

    # At the end

    def exits(self) -> None:
        """Every state has an exit: after a person's decisions everything declared works again."""
        world = self.world
        world.tell("every state has an exit")
        for target in world.targets.values():
            target.skew = timedelta()
        world.ledgers.skew = timedelta()
        for credential in world.credentials:
            self._decide(credential)
        self.calm()
        for credential in world.credentials:
            ledger = self.ledger_of(credential)
            if ledger is not None and credential.declared and not credential.works():
                self._free_the_cap(credential, ledger)
                with suppress(DeclarationError):
                    self._edit(ledger, "reissue", lambda known: requests.reissue(known, "exit", at=world.clock.now))
        self.calm()
        for credential in world.credentials:
            if credential.declared and not credential.works():
                ledger = self.ledger_of(credential)
                states = self._states(ledger) if ledger else []
                plan = world.preview()[credential.identity]
                if plan.problem is not None and "not made by keysteward" in plan.problem.message:
                    self.excused["a client lost its mark and its ledger"] += 1
                    continue
                why = [f.message for f in plan.findings] + ([plan.problem.message] if plan.problem else [])
                raise Broken(f"{credential.name} has no exit: {states} {why}")

    def _free_the_cap(self, credential: Credential, ledger: Ledger) -> None:
        """Let a person end at the console what no living generation has, as the finding asks."""
        plan = self.world.preview().get(credential.identity)
        if plan is None or Kind.CAP_FILLED not in {finding.kind for finding in plan.findings}:
            return
        named = self._clients(ledger)
        if self.world.profile.keys:
            named = named | {(credential.target, holder_of(self.world.profile, credential.key))}
        for target in self.world.targets.values():
            for item in target.objects.values():
                if (target.name, item.remote_id) in named:
                    known = {s.id: self._generation_of(ledger, s, target) for s in item.secrets}
                    others = [c for c in self.world.credentials if c is not credential]
                    item.secrets = [
                        s
                        for s in item.secrets
                        if ((g := known[s.id]) is not None and g.live) or any(self._has(o, s, target) for o in others)
                    ]
            target.remember()

    def _decide(self, credential: Credential) -> None:
        """Let a person take back every hold, block and doubt, and clean up after strangers."""
        credential.expires = None
        credential.edited()
        world = self.world
        world.strangers.leave(credential)
        ledger = self.ledger_of(credential)
        if ledger is None:
            return
        for command, change in (
            ("release", requests.release),
            ("resume", requests.resume),
            ("lift", lambda known: requests.lift(known, world.clock.now)),
        ):
            with suppress(DeclarationError):
                self._edit(ledger, command, change)
        for suspect in [s for g in ledger.generations for s in g.suspects]:
            self._edit(ledger, "resolve", lambda known, s=suspect: requests.resolve(known, s, ours=True))
        if ledger.blocked is not None:
            with suppress(DeclarationError):
                self._edit(ledger, "reissue", lambda known: requests.reissue(known, "exit", at=world.clock.now))

    def _edit(self, ledger: Ledger, command: str, change: Any) -> None:  # noqa: ANN401
        self.world.edit(ledger.identity, change, command)
