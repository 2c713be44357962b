"""What every store must do. Subclass `StoreContract` in a test module and give it a `world` fixture.

The suite knows only the port, and a world that can look at the store from outside: as a consumer, as a stranger who
writes, and as somebody with all rights who looks for values that should be gone.
"""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from keysteward.core.contract.observed import OVERWRITTEN, Delivered
from keysteward.core.errors import AccessDenied, Conflict, KeystewardError, NotFound
from keysteward.testing.store_world import (
    IDENTITY,
    PATH,
    PRIVATE_JWK,
    STRANGER,
    StoreWorld,
    about,
    at,
    consumed,
    deliver,
    entry,
    outcome,
    private_key,
    secret,
    text_of,
)


class StoreContract:
    """The contract. Each test is one sentence of it."""

    def test_an_empty_path_holds_nothing(self, world: StoreWorld) -> None:
        """Nothing is delivered, nothing can be read, and discarding succeeds."""
        assert at(world.store) == Delivered()
        assert world.store.read(PATH, 1) is None
        world.store.discard(PATH, IDENTITY, 1)

    def test_a_staged_value_is_not_the_consumers_yet(self, world: StoreWorld) -> None:
        """Staging shows entry and attempt, but consumers find nothing."""
        world.store.stage(PATH, entry(1, "one"), secret("one"))
        shown = at(world.store)
        assert not shown.exists
        staged = shown.stage(1)
        assert staged is not None
        assert staged.fingerprint == entry(1, "one").fingerprint
        assert (staged.nonce, staged.remote_id) == ("nonce-1", "remote-1")
        assert world.document(PATH) is None
        assert text_of(world.store, 1) == "one"

    def test_a_generation_is_staged_once(self, world: StoreWorld) -> None:
        """The same value again is success, another one is refused and changes nothing."""
        world.store.stage(PATH, entry(1, "one"), secret("one"))
        world.store.stage(PATH, entry(1, "one"), secret("one"))
        with pytest.raises(Conflict, match="generation 1"):
            world.store.stage(PATH, entry(1, "other"), secret("other"))
        assert "other" not in world.everything()
        assert text_of(world.store, 1) == "one"

    def test_several_generations_can_be_staged(self, world: StoreWorld) -> None:
        """Each is read by its number, and discarded by it."""
        world.store.stage(PATH, entry(1, "one"), secret("one"))
        world.store.stage(PATH, entry(2, "two"), secret("two"))
        assert [e.generation for e in at(world.store).staged] == [1, 2]
        world.store.discard(PATH, IDENTITY, 1)
        assert [e.generation for e in at(world.store).staged] == [2]
        assert '"one"' not in world.everything()
        assert text_of(world.store, 2) == "two"

    def test_of_two_who_stage_different_values_one_wins(self, world: StoreWorld) -> None:
        """The other one gets Conflict."""

        def stage(text: str) -> type[KeystewardError] | None:
            return outcome(lambda: world.store.stage(PATH, entry(1, text), secret(text)))

        with ThreadPoolExecutor(4) as pool:
            outcomes = list(pool.map(stage, ["a", "b", "c", "d"]))
        assert outcomes.count(None) == 1
        assert all(kind is None or issubclass(kind, Conflict) for kind in outcomes)

    def test_promote_writes_the_whole_document(self, world: StoreWorld) -> None:
        """All public fields and the secret stand in it, and the staged copy is gone."""
        deliver(world.store, 1, "one")
        document = consumed(world)
        notes = document.pop("keysteward")
        assert notes["format"] == 1
        assert document == {
            "identity": IDENTITY,
            "generation": 1,
            "client_id": "billing",
            "client_secret": "one",
            "token_url": "https://id.example.com/token",
            "audience": ["https://api.example.com"],
            "scopes": ["invoices:read"],
        }
        shown = at(world.store)
        assert (shown.exists, shown.identity, shown.unknown) == (True, IDENTITY, False)
        assert shown.current is not None
        assert shown.current.fingerprint == entry(1, "one").fingerprint
        assert shown.current.about == about().digest
        assert shown.staged == ()

    def test_the_replaced_generation_becomes_previous(self, world: StoreWorld) -> None:
        """Consumers and runner read both while the overlap lasts."""
        deliver(world.store, 1, "one")
        deliver(world.store, 2, "two")
        document = consumed(world)
        assert document["client_secret"] == "two"
        assert document["previous"]["client_secret"] == "one"
        assert document["previous"]["generation"] == 1
        assert document["previous"]["client_id"] == "billing"
        shown = at(world.store)
        assert shown.current is not None
        assert shown.previous is not None
        assert (shown.current.generation, shown.previous.generation) == (2, 1)
        for generation, text in ((1, "one"), (2, "two")):
            assert text_of(world.store, generation) == text

    def test_promote_again_refreshes_the_public_fields(self, world: StoreWorld) -> None:
        """The same generation and fingerprint is success; secret and previous stay, a staged copy left behind goes."""
        deliver(world.store, 1, "one")
        deliver(world.store, 2, "two")
        world.store.stage(PATH, entry(2, "two"), secret("two"))
        changed = about(scopes=("invoices:read", "invoices:write"))
        world.store.promote(PATH, entry(2, "two"), changed, {})
        document = consumed(world)
        assert document["scopes"] == ["invoices:read", "invoices:write"]
        assert document["client_secret"] == "two"
        assert document["previous"]["client_secret"] == "one"
        shown = at(world.store)
        assert shown.current is not None
        assert shown.current.about == changed.digest
        assert shown.staged == ()

    def test_promote_never_goes_back(self, world: StoreWorld) -> None:
        """A lower number and another fingerprint are refused; the document stays."""
        deliver(world.store, 1, "one")
        deliver(world.store, 2, "two")
        before = world.document(PATH)
        with pytest.raises(Conflict):
            world.store.promote(PATH, entry(1, "one"), about(), {})
        with pytest.raises(Conflict):
            world.store.promote(PATH, entry(2, "forged"), about(), {})
        with pytest.raises(NotFound):
            world.store.promote(PATH, entry(3, "never staged"), about(), {})
        assert world.document(PATH) == before

    def test_rollback_makes_previous_current(self, world: StoreWorld) -> None:
        """What was current is dropped; doing it again changes nothing; the next generation follows."""
        deliver(world.store, 1, "one")
        deliver(world.store, 2, "two")
        for _ in range(2):
            world.store.promote(PATH, entry(1, "one"), about(), {}, rollback=True)
            document = consumed(world)
            assert document["client_secret"] == "one"
            assert document["generation"] == 1
            assert "previous" not in document
        world.store.discard(PATH, IDENTITY, 2)
        assert '"two"' not in world.everything()
        deliver(world.store, 3, "three")
        document = consumed(world)
        assert document["previous"]["client_secret"] == "one"

    def test_discard_destroys_the_previous_value(self, world: StoreWorld) -> None:
        """It is held nowhere any more, and the current one stays."""
        deliver(world.store, 1, "one")
        deliver(world.store, 2, "two")
        for _ in range(2):
            world.store.discard(PATH, IDENTITY, 1)
            document = consumed(world)
            assert document["client_secret"] == "two"
            assert "previous" not in document
            assert '"one"' not in world.everything()
        assert world.store.read(PATH, 1) is None
        assert at(world.store).previous is None

    def test_discard_of_the_last_generation_deletes_the_document(self, world: StoreWorld) -> None:
        """Nothing is left of it, not even of its earlier versions."""
        deliver(world.store, 1, "one")
        deliver(world.store, 2, "two")
        for generation in (1, 2, 2):
            world.store.discard(PATH, IDENTITY, generation)
        assert world.document(PATH) is None
        assert at(world.store) == Delivered()
        everything = world.everything()
        assert '"one"' not in everything
        assert '"two"' not in everything
        deliver(world.store, 3, "three")
        assert world.document(PATH) is not None

    def test_discard_of_the_current_one_leaves_the_previous(self, world: StoreWorld) -> None:
        """It can be made current again."""
        deliver(world.store, 1, "one")
        deliver(world.store, 2, "two")
        world.store.discard(PATH, IDENTITY, 2)
        document = consumed(world)
        assert "client_secret" not in document
        assert document["previous"]["client_secret"] == "one"
        world.store.promote(PATH, entry(1, "one"), about(), {}, rollback=True)
        document = consumed(world)
        assert document["client_secret"] == "one"
        assert "previous" not in document

    def test_another_identitys_document_is_left_alone(self, world: StoreWorld) -> None:
        """It is neither written nor discarded from."""
        deliver(world.store, 1, "one")
        before = world.document(PATH)
        theirs = entry(1, "theirs", identity=STRANGER)
        world.store.stage(PATH, theirs, secret("theirs"))
        with pytest.raises(Conflict, match=IDENTITY):
            world.store.promote(PATH, theirs, about(), {})
        world.store.discard(PATH, STRANGER, 1)
        assert world.document(PATH) == before
        assert at(world.store).identity == IDENTITY
        assert "theirs" not in world.everything()

    def test_a_document_of_nobody_is_refused_until_it_is_taken_over(self, world: StoreWorld) -> None:
        """Then its fields survive every change, and the end of ours."""
        world.put(PATH, {"client_secret": "by hand", "endpoint": "https://db.example.com"})
        shown = at(world.store)
        assert shown.exists
        assert shown.identity is None
        world.store.stage(PATH, entry(1, "one"), secret("one"))
        with pytest.raises(Conflict, match="take_over"):
            world.store.promote(PATH, entry(1, "one"), about(), {})
        world.store.discard(PATH, IDENTITY, 7)
        assert world.document(PATH) == {"client_secret": "by hand", "endpoint": "https://db.example.com"}
        for _ in range(2):
            world.store.take_over(PATH, IDENTITY)
            document = consumed(world)
            assert document["client_secret"] == "by hand"
            assert at(world.store).identity == IDENTITY
        world.store.promote(PATH, entry(1, "one"), about(), {})
        deliver(world.store, 2, "two")
        document = consumed(world)
        assert document["endpoint"] == "https://db.example.com"
        assert document["client_secret"] == "two"
        for generation in (1, 2):
            world.store.discard(PATH, IDENTITY, generation)
        document = consumed(world)
        assert document["endpoint"] == "https://db.example.com"
        assert set(document) <= {"endpoint", "keysteward"}
        everything = world.everything()
        assert '"one"' not in everything
        assert '"two"' not in everything

    def test_a_document_of_another_identity_can_be_taken_over(self, world: StoreWorld) -> None:
        """Its generations are not ours, so that our numbers may begin at 1."""
        deliver(world.store, 5, "five")
        world.store.take_over(PATH, STRANGER)
        shown = at(world.store)
        assert (shown.identity, shown.current) == (STRANGER, None)
        theirs = entry(1, "one", identity=STRANGER)
        world.store.stage(PATH, theirs, secret("one"))
        world.store.promote(PATH, theirs, about(), {})
        document = consumed(world)
        assert (document["identity"], document["client_secret"]) == (STRANGER, "one")

    def test_unknown_fields_survive(self, world: StoreWorld) -> None:
        """What somebody adds later is kept by every promotion and discard."""
        deliver(world.store, 1, "one")
        document = consumed(world)
        world.put(PATH, {**document, "note": {"owner": "team-a"}})
        deliver(world.store, 2, "two")
        world.store.discard(PATH, IDENTITY, 1)
        document = consumed(world)
        assert document["note"] == {"owner": "team-a"}

    def test_fields_have_the_names_their_consumer_reads(self, world: StoreWorld) -> None:
        """In `previous` too; another map takes the place of the old one."""
        deliver(world.store, 1, "one", client_secret="CLIENT_SECRET", client_id="CLIENT_ID")
        deliver(world.store, 2, "two", client_secret="CLIENT_SECRET", client_id="CLIENT_ID")
        document = consumed(world)
        assert (document["CLIENT_ID"], document["CLIENT_SECRET"]) == ("billing", "two")
        assert document["previous"]["CLIENT_SECRET"] == "one"
        assert "client_secret" not in document
        world.store.promote(PATH, entry(2, "two"), about(), {"client_secret": "password", "previous": "old"})
        document = consumed(world)
        assert (document["password"], document["old"]["password"]) == ("two", "one")
        assert not {"CLIENT_SECRET", "CLIENT_ID", "previous"} & set(document)
        assert text_of(world.store, 1) == "one"

    def test_a_private_key_is_delivered_as_jwk(self, world: StoreWorld) -> None:
        """After a change of method each generation keeps its own."""
        deliver(world.store, 1, "one")
        key = private_key()
        world.store.stage(PATH, entry(2, "jwk"), key)
        world.store.promote(PATH, entry(2, "jwk"), about(method="private_key_jwt"), {})
        document = consumed(world)
        assert document["private_jwk"] == PRIVATE_JWK
        assert "client_secret" not in document
        assert document["previous"]["client_secret"] == "one"
        held = world.store.read(PATH, 2)
        assert held is not None
        assert held.method == "private_key_jwt"
        assert json.loads(held.value.get_secret_value()) == PRIVATE_JWK

    def test_a_document_written_by_others_is_unknown_to_a_reader(self, world: StoreWorld) -> None:
        """As after a kill before it was described; the runner knows it, and from then on the reader too."""
        deliver(world.store, 1, "one")
        document = consumed(world)
        world.put(PATH, {**document, "note": "changed"})
        seen = at(world.store.as_reader())
        assert (seen.exists, seen.unknown, seen.identity) == (True, True, IDENTITY)
        shown = at(world.store)
        assert not shown.unknown
        assert shown.current is not None
        assert shown.current.fingerprint == entry(1, "one").fingerprint
        assert at(world.store.as_reader()) == shown

    def test_an_overwritten_secret_is_not_taken_for_ours(self, world: StoreWorld) -> None:
        """The runner sees that it is another one, and can go back to the previous."""
        deliver(world.store, 1, "one")
        deliver(world.store, 2, "two")
        document = consumed(world)
        world.put(PATH, {**document, "client_secret": "by hand"})
        shown = at(world.store)
        assert shown.current is not None
        assert shown.current.fingerprint != entry(2, "two").fingerprint
        assert world.store.read(PATH, 2) is None
        with pytest.raises(NotFound):
            world.store.promote(PATH, entry(2, "two"), about(), {})
        world.store.promote(PATH, entry(1, "one"), about(), {}, rollback=True)
        document = consumed(world)
        assert document["client_secret"] == "one"

    @pytest.mark.parametrize("field", ["token_url", "client_id", "audience", "scopes", "generation", "identity"])
    def test_a_changed_field_is_seen_and_written_again(self, world: StoreWorld, field: str) -> None:
        """A token URL of somebody else's would get the secret; what our notes in the document say does not count."""
        deliver(world.store, 1, "one")
        document = consumed(world)
        theirs: dict[str, Any] = {"audience": ["https://evil.example"], "scopes": [], "generation": 7}
        world.put(PATH, {**document, field: theirs.get(field, "https://evil.example/token")})
        shown = at(world.store)
        assert shown.current is not None
        assert (shown.current.fingerprint, shown.current.about) == (entry(1, "one").fingerprint, OVERWRITTEN)
        assert at(world.store.as_reader()) == shown, "a look sees it from then on, and no later one takes it for ours"
        world.store.promote(PATH, entry(1, "one"), about(), {})
        assert consumed(world) == document
        mended = at(world.store).current
        assert mended is not None
        assert mended.about == about().digest

    def test_a_changed_field_beside_the_previous_secret_is_seen_too(self, world: StoreWorld) -> None:
        """Whose fields cannot be trusted is handed out no more."""
        deliver(world.store, 1, "one")
        deliver(world.store, 2, "two")
        document = consumed(world)
        previous = {**document["previous"], "token_url": "https://evil.example/token"}
        world.put(PATH, {**document, "previous": previous})
        shown = at(world.store).previous
        assert shown is not None
        assert shown.about == OVERWRITTEN
        world.store.promote(PATH, entry(2, "two"), about(), {})
        assert "previous" not in consumed(world)
        assert consumed(world)["client_secret"] == "two"

    def test_a_renamed_document_is_as_it_was_written(self, world: StoreWorld) -> None:
        """The digest of its fields covers the name that it had."""
        deliver(world.store, 1, "one")
        world.store.take_over(PATH, "acme/prod/renamed", renamed=True)
        shown = at(world.store).current
        assert shown is not None
        assert shown.about not in {about().digest, OVERWRITTEN}

    def test_a_replaced_document_is_a_strangers(self, world: StoreWorld) -> None:
        """Somebody who overwrites all of it makes it theirs."""
        deliver(world.store, 1, "one")
        world.put(PATH, {"password": "x"})
        assert at(world.store) == Delivered(exists=True)
        with pytest.raises(Conflict):
            world.store.promote(PATH, entry(1, "one"), about(), {})
        assert world.document(PATH) == {"password": "x"}

    def test_a_reader_sees_entries_and_no_value(self, world: StoreWorld) -> None:
        """It sees what the runner sees, and may neither read nor write."""
        deliver(world.store, 1, "one")
        world.store.stage(PATH, entry(2, "two"), secret("two"))
        reader = world.store.as_reader()
        assert at(reader) == at(world.store)
        for call in (
            lambda: reader.stage(PATH, entry(3, "x"), secret("x")),
            lambda: reader.promote(PATH, entry(2, "two"), about(), {}),
            lambda: reader.discard(PATH, IDENTITY, 1),
            lambda: reader.take_over(PATH, IDENTITY),
        ):
            assert outcome(call) is AccessDenied
        with pytest.raises(AccessDenied):
            reader.read(PATH, 1)
        assert at(world.store).stage(2) is not None

    def test_paths_are_answered_in_bulk(self, world: StoreWorld) -> None:
        """Every path asked for is in the answer, delivered, staged or empty."""
        paths = [f"apps/a{number}" for number in range(12)]
        for number, path in enumerate(paths[:10]):
            deliver(world.store, 1, f"secret-{number}", path=path)
        world.store.stage(paths[10], entry(1, "staged"), secret("staged"))
        for store in (world.store, world.store.as_reader()):
            shown = store.delivered(paths)
            assert list(shown) == paths
            assert all(shown[path].current is not None for path in paths[:10])
            assert shown[paths[10]].stage(1) is not None
            assert shown[paths[11]] == Delivered()

    def test_what_lies_beside_a_place_is_listed_without_values(self, world: StoreWorld) -> None:
        """Every document of the same folder, whoever wrote it; not what is staged, nor what other folders hold."""
        deliver(world.store, 1, "one")
        world.store.stage(PATH, entry(2, "two"), secret("two"))
        folder = PATH.rpartition("/")[0]
        world.put(f"{folder}/strangers", {"client_secret": "another's"})
        world.put("elsewhere/strangers", {"client_secret": "another's"})
        assert sorted(world.store.as_reader().neighbours([PATH])) == sorted([PATH, f"{folder}/strangers"])
        assert list(world.store.as_reader().neighbours(["absent/at-all"])) == []
        strangers = world.store.as_reader().delivered([f"{folder}/strangers"])[f"{folder}/strangers"]
        assert (strangers.exists, strangers.identity) == (True, None)

    def test_neighbouring_paths_do_not_meet(self, world: StoreWorld) -> None:
        """`a/b` and `a-b`, a path and one below it."""
        paths = ["a", "a/b", "a-b", "a.b", "a/b/c"]
        for number, path in enumerate(paths):
            world.store.stage(path, entry(1, f"staged-{number}"), secret(f"staged-{number}"))
        for number, path in enumerate(paths):
            world.store.promote(path, entry(1, f"staged-{number}"), about(), {})
        for number, path in enumerate(paths):
            assert consumed(world, path)["client_secret"] == f"staged-{number}"

    def test_nothing_shows_a_secret(self, world: StoreWorld, caplog: pytest.LogCaptureFixture) -> None:
        """Neither log, nor repr, nor descriptor, nor error."""
        caplog.set_level(logging.DEBUG)
        deliver(world.store, 1, "very-secret")
        held = world.store.read(PATH, 1)
        with pytest.raises(Conflict) as refused:
            world.store.promote(PATH, entry(1, "other"), about(), {})
        descriptor = world.store.descriptor
        shown = json.dumps({"kind": descriptor.kind, "settings": dict(descriptor.settings)})
        for text in (caplog.text, repr(world.store), repr(held), str(refused.value), shown, repr(at(world.store))):
            assert "very-secret" not in text

    def test_doctor_finds_nothing_wrong(self, world: StoreWorld) -> None:
        """A store that works passes its own checks."""
        deliver(world.store, 1, "one")
        for store in (world.store, world.store.as_reader()):
            checks = list(store.diagnose([PATH]))
            assert checks
            assert all(check.ok for check in checks), checks
