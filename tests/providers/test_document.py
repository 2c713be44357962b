"""The delivered document as pure values: whatever happens to it in whatever order, consumers read what they should."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from keysteward.core.contract.observed import OVERWRITTEN, DeliveredEntry
from keysteward.core.errors import Conflict, Damaged, DeclarationError, NotFound
from keysteward.providers.documents import document as documents
from keysteward.providers.documents import staging as stagings
from keysteward.providers.documents.description import read_description, write_description
from keysteward.testing.store_world import IDENTITY, STRANGER, about, entry, private_key, secret

MAPS: list[dict[str, str]] = [
    {},
    {"client_secret": "CLIENT_SECRET", "client_id": "CLIENT_ID"},
    {"client_secret": "password", "previous": "old", "identity": "owner"},
    {"client_id": "client_secret", "client_secret": "client_id"},
]
FOREIGN = ["note", "endpoint", "password-hint"]


def value(generation: int) -> str:
    return f"value-{generation}"


def promoted(raw: dict[str, Any] | None, generation: int, **options: Any) -> dict[str, Any]:  # noqa: ANN401
    fields = options.pop("fields", {})
    staged = options.pop("staged", secret(value(generation)))
    document = documents.promote(
        documents.parse(raw),
        entry(generation, value(generation)),
        about(),
        fields,
        staged,
        rollback=options.pop("rollback", False),
        where="secrets:apps/billing",
    )
    return documents.compose(document)


class DocumentStory(RuleBasedStateMachine):
    """A document and, beside it, what we think that it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.raw: dict[str, Any] | None = None
        self.fields: dict[str, str] = {}
        self.foreign: dict[str, str] = {}
        self.current: int | None = None
        self.previous: int | None = None
        self.next = 1

    @rule(fields=st.sampled_from(MAPS))
    def rotate(self, fields: dict[str, str]) -> None:
        self.raw = promoted(self.raw, self.next, fields=fields)
        self.previous = self.current if self.current is not None else self.previous
        self.current, self.fields, self.next = self.next, fields, self.next + 1

    @precondition(lambda self: self.current is not None)
    @rule(fields=st.sampled_from(MAPS))
    def promote_again(self, fields: dict[str, str]) -> None:
        assert self.current is not None
        self.raw = promoted(self.raw, self.current, fields=fields, staged=None)
        self.fields = fields

    @precondition(lambda self: self.previous is not None)
    @rule()
    def roll_back(self) -> None:
        assert self.previous is not None
        self.raw = promoted(self.raw, self.previous, fields=self.fields, staged=None, rollback=True)
        self.current, self.previous = self.previous, None

    @rule(which=st.sampled_from(["current", "previous", "neither"]))
    def discard(self, which: str) -> None:
        generation = {"current": self.current, "previous": self.previous}.get(which)
        left = documents.discard(documents.parse(self.raw), IDENTITY, generation or 999)
        self.raw = None if left.empty else documents.compose(left)
        if generation is not None and which == "current":
            self.current = None
        elif generation is not None:
            self.previous = None

    @rule(which=st.sampled_from(["current", "previous"]))
    def a_stranger_discards(self, which: str) -> None:
        generation = getattr(self, which) or 1
        document = documents.parse(self.raw)
        assert documents.discard(document, STRANGER, generation) == document

    @precondition(lambda self: self.raw)
    @rule(name=st.sampled_from(FOREIGN), text=st.text(max_size=5))
    def somebody_adds_a_field(self, name: str, text: str) -> None:
        assert self.raw is not None
        self.raw = {**self.raw, name: text}
        self.foreign[name] = text

    @precondition(lambda self: self.current is not None)
    @rule()
    def an_older_one_is_refused(self) -> None:
        assert self.current is not None
        before = json.dumps(self.raw)
        with pytest.raises(Conflict):
            promoted(self.raw, self.current - 1)
        assert json.dumps(self.raw) == before

    @invariant()
    def others_fields_survive(self) -> None:
        if self.raw is None:
            self.foreign.clear()
        assert {name: (self.raw or {}).get(name) for name in self.foreign} == self.foreign

    @invariant()
    def consumers_read_what_they_should(self) -> None:
        raw = self.raw or {}
        name = {"client_secret": "client_secret", "previous": "previous", **self.fields}
        if self.current is None:
            assert name["client_secret"] not in raw
        else:
            assert raw[name["client_secret"]] == value(self.current)
        if self.previous is None:
            assert name["previous"] not in raw
        else:
            assert raw[name["previous"]][name["client_secret"]] == value(self.previous)

    @invariant()
    def nothing_else_is_held(self) -> None:
        text = json.dumps(self.raw)
        held = {number for number in range(1, self.next) if f'"{value(number)}"' in text}
        assert held == {number for number in (self.current, self.previous) if number is not None}

    @invariant()
    def it_is_put_together_as_it_was(self) -> None:
        document = documents.parse(self.raw)
        assert documents.compose(document) == (self.raw or {})
        description = document.description
        assert read_description(json.loads(json.dumps(write_description(description)))) == description
        assert [e and e.generation for e in (description.current, description.previous)] == [
            self.current,
            self.previous,
        ]


DocumentStory.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
TestDocumentStory = DocumentStory.TestCase


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"client_id": "x", "client_secret": "x"}, "the name x to two fields"),
        ({"client_id": "client_secret"}, "the name client_secret to two fields"),
        ({"client_id": "keysteward"}, "own notes"),
    ],
)
def test_field_names_must_differ(fields: dict[str, str], sentence: str) -> None:
    with pytest.raises(DeclarationError, match=sentence):
        documents.check_fields(fields)


def test_a_newer_format_is_refused() -> None:
    raw = promoted(None, 1)
    raw["keysteward"]["format"] = 2
    with pytest.raises(Damaged, match="use the version of keysteward that wrote it"):
        documents.parse(raw)
    with pytest.raises(Damaged, match="does not read"):
        stagings.parse({"format": 2, "identity": IDENTITY, "generations": {}})


@pytest.mark.parametrize("notes", ["text", ["list"], {}, {"other": 1}])
def test_notes_that_are_not_ours_make_it_a_strangers(notes: object) -> None:
    raw = {"client_secret": "x", "keysteward": notes}
    document = documents.parse(raw)
    assert document.identity is None
    assert documents.compose(document) == raw


def test_notes_cut_short_are_damaged() -> None:
    raw = promoted(None, 1)
    del raw["keysteward"]["current"]["fingerprint"]
    with pytest.raises(Damaged, match="restore it"):
        documents.parse(raw)
    with pytest.raises(Damaged, match="cannot be read"):
        stagings.parse({"format": 1, "identity": IDENTITY, "generations": {"1": {"value": "x"}}})


def test_a_rename_keeps_the_generations() -> None:
    raw = promoted(promoted(None, 1), 2)
    renamed = documents.take_over(documents.parse(raw), STRANGER, renamed=True)
    assert renamed.identity == STRANGER
    assert [h and h.entry.generation for h in (renamed.current, renamed.previous)] == [2, 1]
    assert documents.compose(renamed)["identity"] == STRANGER
    staging = stagings.add(stagings.Staging(), entry(3, "x"), secret("x"), where="s:p")
    assert stagings.take_over(staging, STRANGER, renamed=True).values.keys() == {3}
    assert stagings.take_over(staging, STRANGER).empty


def test_an_overwritten_key_is_not_ours_and_stays() -> None:
    document = documents.promote(
        documents.Document(),
        entry(1, "jwk"),
        about(method="private_key_jwt"),
        {},
        private_key(),
        rollback=False,
        where="s:p",
    )
    raw = documents.compose(document)
    for found in ({**raw["private_jwk"], "d": "other"}, "no JWK at all"):
        changed = documents.parse({**raw, "private_jwk": found})
        assert changed.description.current is not None
        assert changed.description.current.fingerprint == OVERWRITTEN
        assert changed.material(1) is None
        assert documents.compose(changed)["private_jwk"] == found


def test_an_overwritten_value_is_made_good_by_the_staged_one() -> None:
    raw = {**promoted(None, 1), "client_secret": "by hand"}
    with pytest.raises(NotFound, match="holds no value of generation 1"):
        promoted(raw, 1, staged=None)
    assert promoted(raw, 1)["client_secret"] == value(1)


def test_an_old_version_is_known_by_generation_or_value() -> None:
    raw = promoted(None, 1)
    assert documents.holds(documents.parse(raw), 1, None)
    assert not documents.holds(documents.parse(raw), 2, secret("other"))
    assert documents.holds(documents.parse({"any": [{"name": value(1)}]}), 9, secret(value(1)))
    jwk = private_key()
    assert documents.holds(documents.parse({"key": json.loads(jwk.value.get_secret_value())}), 9, jwk)
    assert documents.holds(documents.parse({"key": jwk.value.get_secret_value()}), 9, jwk)


def test_an_entry_without_remote_id_keeps_the_known_one() -> None:
    raw = promoted(None, 1)
    document = documents.parse(raw)
    plain = entry(1, value(1))
    again = documents.promote(
        document,
        type(plain)(IDENTITY, 1, plain.fingerprint, plain.nonce),
        about(),
        {},
        None,
        rollback=False,
        where="s:p",
    )
    assert again.current is not None
    assert again.current.entry == DeliveredEntry(1, plain.fingerprint, "nonce-1", "remote-1", about().digest)
