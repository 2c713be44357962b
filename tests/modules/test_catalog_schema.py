"""The shipped JSON Schemas say what the readers take: an editor and a run agree on every file."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from test_catalog import BILLING, KEYS
from typer.testing import CliRunner

from keysteward import Owners, Stack
from keysteward.cli.main import app
from keysteward.core.errors import DeclarationError
from keysteward.host.strict_yaml import read_text
from keysteward.modules.catalog import read_entries
from keysteward.modules.catalog_schema import KINDS, shipped
from keysteward.operations.owners import owners_of
from keysteward.testing.memory import Clock, MemoryLedgers

SCHEMAS = {kind: json.loads(shipped(kind)) for kind in KINDS}
VALIDATORS = {
    kind: Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    for kind, schema in SCHEMAS.items()
}


def plain(text: str) -> dict[str, Any]:
    value = read_text(text, "x.yaml").value
    assert isinstance(value, dict)
    return value


WHOLE = {**plain(BILLING), **plain(KEYS)}


def taken(value: Any) -> bool:  # noqa: ANN401 - JSON
    """Say whether the reader takes a file with this value."""
    problems: list[str] = []
    read_entries(read_text(yaml.safe_dump(value, allow_unicode=True), "x.yaml"), problems)
    return not problems


def valid(value: Any) -> bool:  # noqa: ANN401 - JSON
    return VALIDATORS["catalog"].is_valid(value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_one_and_is_printed(kind: str) -> None:
    schema = SCHEMAS[kind]
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    printed = CliRunner().invoke(app, ["schema", kind])
    assert (printed.exit_code, json.loads(printed.stdout)) == (0, schema)
    assert CliRunner().invoke(app, ["schema", "stack"]).exit_code == 1


def test_every_field_has_words_for_the_editor() -> None:
    def silent(name: str, form: dict[str, Any]) -> Iterator[str]:
        for field, value in form["properties"].items():
            if "description" not in value and "$ref" not in value:
                yield f"{name}.{field}"

    assert [field for name, form in SCHEMAS["catalog"]["$defs"].items() for field in silent(name, form)] == []


def test_a_good_file_is_valid_and_what_is_missing_depends_on_its_defaults() -> None:
    assert valid(WHOLE)
    assert taken(WHOLE)
    for field in ("target", "owner", "rotation", "deliver_to"):
        without = copy.deepcopy(WHOLE)
        del without["defaults"][field]
        assert not valid(without), field
        assert not taken(without), field
        without["m2m_clients"]["billing-exporter"][field] = WHOLE["defaults"][field]
        if field == "target":
            without["resource_servers"]["billing-api"][field] = WHOLE["defaults"][field]
        assert valid(without), field
        assert taken(without), field


ODD: list[Any] = [
    *(None, True, 0, -1, 1.5, "", " ", "a", "a b", "yes", "90d", "0", "7", "1h30m", "90", "2027-01-31", "2027-02-30"),
    *("store:a", "store:a/{name}/b", "store:../a", "a:b:c", ":a", "KS016", "KS16", "client_secret", "api_key", "Ünï"),
    *([], ["a"], [""], [1], ["store:a"], [{"store": "store", "path": "a"}], [[]]),
    *({}, {"a": "b"}, {"a": ["b"]}, {"a b": ["c"]}, {"every": "90d"}, {"every": "x"}, {"store": "store", "path": "a"}),
    *({"store": "store", "path": "/a"}, {"store": "store", "path": "a", "fields": {"password": "P"}}),
    *({"store": "s", "path": "a", "take_over": 1}, {"store": "s", "path": "a", "webhook": {"url": "u", "key": "k"}}),
    *(
        {"bootstrap": {"exchanged_for": "x"}},
        {"bootstrap": {}},
        {"bootstrap": None},
        {"bootstrap": {}, "transitional": {}},
    ),
    {"transitional": {"migrate_to": "x", "by": "2027-01-31"}, "bootstrap": {"exchanged_for": "x"}},
    [{"rule": "KS001", "reason": "r", "approved_by": "a", "until": "2027-01-31"}],
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    """Yield the path of every value of a document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


PLACES = [path for path in places(WHOLE) if path]


@given(
    path=st.sampled_from(PLACES),
    act=st.sampled_from(["put", "drop", "add"]),
    odd=st.sampled_from(ODD),
    key=st.sampled_from(["", "x", "name", "adopt", "expires", "accept_gap", "reviewed", "max_count", "../x", "-a"]),
)
@example(path=("defaults",), act="drop", odd=None, key="x")
@example(path=("defaults", "owner"), act="drop", odd=None, key="x")
@settings(max_examples=600, deadline=None)
def test_a_file_that_was_changed_anywhere_is_judged_alike(
    path: tuple[Any, ...], act: str, odd: object, key: str
) -> None:
    document = copy.deepcopy(WHOLE)
    holder: Any = document
    for part in path[:-1]:
        holder = holder[part]
    if act == "drop":
        del holder[path[-1]]
    elif act == "put" or not isinstance(holder, dict):
        holder[path[-1]] = odd
    else:
        holder[key] = odd
    assert valid(document) is taken(document)


CONTACT = {"contact": "x@example.com"}
OWNERS: dict[str, tuple[Any, bool]] = {
    "whole": (
        {
            "teams": {"a": {**CONTACT, "state": "leaving", "leaves": "2027-01-31", "deputy": "b"}},
            "people": {"b": CONTACT},
            "consumers": {
                "c": {**CONTACT, "kind": "partner", "owner": "b", "state": "retiring", "retires": "2027-01-31"}
            },
            "unassigned_until": "2027-01-31",
        },
        True,
    ),
    "nothing": ({}, True),
    "no contact": ({"teams": {"a": {}}}, False),
    "a short contact": ({"teams": {"a": {"contact": "x"}}}, False),
    "a contact that is no text": ({"teams": {"a": {"contact": 1000}}}, False),
    "an unknown state": ({"teams": {"a": {**CONTACT, "state": "away"}}}, False),
    "leaving without a day": ({"teams": {"a": {**CONTACT, "state": "leaving"}}}, False),
    "a day without leaving": ({"teams": {"a": {**CONTACT, "leaves": "2027-01-31"}}}, False),
    "no day": ({"teams": {"a": {**CONTACT, "state": "leaving", "leaves": "2027-02-30"}}}, False),
    "a day in seconds": ({"unassigned_until": 1790000000}, False),
    "a day and a time": ({"unassigned_until": "2027-01-31T00:00:00"}, False),
    "a day in other signs": ({"unassigned_until": "20270131"}, False),
    "no deputy": ({"people": {"a": {**CONTACT, "deputy": None}}}, True),
    "an unknown field": ({"people": {"a": {**CONTACT, "mail": "x"}}}, False),
    "an unknown section": ({"groups": {}}, False),
    "a list": ({"teams": []}, False),
    "a consumer of no kind": ({"consumers": {"a": {**CONTACT, "kind": "toaster"}}}, False),
    "a retired consumer with a day": (
        {"consumers": {"a": {**CONTACT, "state": "retired", "retires": "2027-01-31"}}},
        False,
    ),
}


@pytest.mark.parametrize("what", OWNERS)
def test_an_owners_file_is_judged_alike(what: str, tmp_path: Path) -> None:
    value, good = OWNERS[what]
    (tmp_path / "owners.yaml").write_text(yaml.safe_dump(value), encoding="utf-8")
    stack = Stack("acme/test", "owners.yaml", MemoryLedgers("ledgers", Clock()), [])
    assert VALIDATORS["owners"].is_valid(value) is good
    if good:
        assert isinstance(owners_of(stack, tmp_path), Owners)
    else:
        with pytest.raises(DeclarationError, match=r"owners\.yaml, line \d+: "):
            owners_of(stack, tmp_path)


def test_a_deputy_who_is_gone_is_refused_with_file_and_line(tmp_path: Path) -> None:
    text = "teams:\n  a: {contact: a@example.com, deputy: b}\n  b: {contact: b@example.com, state: gone}\n"
    (tmp_path / "owners.yaml").write_text(text, encoding="utf-8")
    stack = Stack("acme/test", "owners.yaml", MemoryLedgers("ledgers", Clock()), [])
    with pytest.raises(
        DeclarationError, match=r"line 2: teams\.a\.deputy: the deputy of 'a', 'b', is gone; name an active one"
    ):
        owners_of(stack, tmp_path)
    (tmp_path / "owners.yaml").write_text(f"{text}security: c\n", encoding="utf-8")
    with pytest.raises(
        DeclarationError, match=r"line 2: [^\n]*\n[^\n]*line 4: security: security, 'c', must be an active"
    ):
        owners_of(stack, tmp_path)
    (tmp_path / "owners.yaml").write_text(text + "  a: {contact: c@example.com}\n", encoding="utf-8")
    with pytest.raises(DeclarationError, match=r"line 4: teams\.a: stands there a second time \(first: line 2\)"):
        owners_of(stack, tmp_path)
