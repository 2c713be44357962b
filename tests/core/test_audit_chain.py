"""The hash chain of the evidence log: whatever is done to it afterwards is found, and what is legitimate is not."""

from __future__ import annotations

import base64
import copy
from dataclasses import replace
from typing import Any

import pytest
from audit_bench import (
    AUTHOR,
    FORGER,
    OUR_KEY,
    OURS,
    STACK,
    altered,
    entry,
    examined,
    leaves,
    log_of,
    signing,
    witness,
    wrong,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from keysteward.core.audit.chain import (
    Head,
    Segment,
    canonical,
    dump_entry,
    dump_head,
    dump_segment,
    genesis,
    key_id,
    link,
    load_entry,
    load_head,
    load_segment,
    make_segment,
)
from keysteward.core.errors import Damaged

SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=5)
QUICK = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.filter_too_much])


def made(after: Head | None, *entries: Any, signer: Any = OURS) -> Segment:  # noqa: ANN401
    return make_segment(STACK, after, list(entries), signer)


def sentences(*args: Any, **kwargs: Any) -> str:  # noqa: ANN401
    return "\n".join(defect.message for defect in examined(*args, **kwargs).defects)


@given(SIZES)
@QUICK
def test_a_log_that_nobody_touched_is_sound(sizes: list[int]) -> None:
    documents = log_of(sizes)
    remembered = [witness(documents, number) for number in documents]
    found = examined(documents, remembered, {OUR_KEY})
    assert found.defects == ()
    assert [record.entry.id for record in found.records] == [f"entry-{n}" for n in range(1, sum(sizes) + 1)]
    assert found.last is not None
    assert (found.last.number, found.last.count, found.segments) == (len(sizes), sum(sizes), len(sizes))
    assert found.keys == {OUR_KEY: len(sizes)}


def test_no_log_at_all_is_sound_until_somebody_remembers_one() -> None:
    assert examined({}).sound
    documents = log_of([2])
    assert wrong({}, witness(documents)) == ["truncated"]


@given(SIZES, st.data())
@QUICK
def test_any_value_that_was_altered_is_found(sizes: list[int], data: st.DataObject) -> None:
    documents = log_of(sizes, signing(1, "a.token.of-ci"))
    path = data.draw(st.sampled_from(list(leaves(documents))))
    value = data.draw(st.one_of(st.text(max_size=8), st.integers(-3, 9), st.none(), st.booleans()))
    place: Any = documents
    for part in path:
        place = place[part]
    assume(value != place or type(value) is not type(place))
    assert wrong(altered(documents, path, value)) != []


@given(SIZES, st.data())
@QUICK
def test_any_key_that_was_removed_or_added_is_found(sizes: list[int], data: st.DataObject) -> None:
    documents = log_of(sizes)
    path = data.draw(st.sampled_from([p for p in leaves(documents) if isinstance(p[-1], str)]))
    changed = copy.deepcopy(documents)
    place: Any = changed
    for part in path[:-1]:
        place = place[part]
    if data.draw(st.booleans()):
        del place[path[-1]]
    else:
        place["more"] = "something"
    assert wrong(changed) != []


@given(SIZES, st.data())
@QUICK
def test_any_entry_that_was_removed_is_found(sizes: list[int], data: st.DataObject) -> None:
    documents = log_of(sizes)
    number = data.draw(st.sampled_from(sorted(documents)))
    del documents[number]["entries"][data.draw(st.integers(0, sizes[number - 1] - 1))]
    assert "removed" in wrong(documents)


@given(SIZES, st.data())
@QUICK
def test_any_segment_that_was_removed_is_found(sizes: list[int], data: st.DataObject) -> None:
    documents = log_of(sizes)
    remembered = witness(documents)
    number = data.draw(st.sampled_from(sorted(documents)))
    del documents[number]
    assert wrong(documents, remembered) == ["truncated" if number == len(sizes) else "removed"]


@given(st.lists(st.integers(2, 4), min_size=1, max_size=4), st.data())
@QUICK
def test_any_two_entries_that_were_swapped_are_found(sizes: list[int], data: st.DataObject) -> None:
    documents = log_of(sizes)
    lines = documents[data.draw(st.sampled_from(sorted(documents)))]["entries"]
    one, other = data.draw(st.lists(st.integers(0, len(lines) - 1), min_size=2, max_size=2, unique=True))
    lines[one], lines[other] = lines[other], lines[one]
    assert "reordered" in wrong(documents)


@given(st.lists(st.integers(1, 3), min_size=2, max_size=5), st.data())
@QUICK
def test_any_two_segments_that_were_swapped_are_found(sizes: list[int], data: st.DataObject) -> None:
    documents = log_of(sizes)
    one, other = data.draw(st.lists(st.sampled_from(sorted(documents)), min_size=2, max_size=2, unique=True))
    documents[one], documents[other] = documents[other], documents[one]
    assert "reordered" in wrong(documents)


@given(SIZES, st.data())
@QUICK
def test_an_end_that_was_cut_off_is_found_by_whoever_remembers_it(sizes: list[int], data: st.DataObject) -> None:
    documents = log_of(sizes)
    kept = data.draw(st.integers(0, len(sizes) - 1))
    cut = {number: document for number, document in documents.items() if number <= kept}
    assert wrong(cut) == []  # nobody remembers: an earlier log is a sound log
    assert wrong(cut, witness(documents)) == ["truncated"]


@given(SIZES, st.data())
@QUICK
def test_a_full_rewrite_is_found_by_a_trusted_key_and_by_whoever_remembers(
    sizes: list[int], data: st.DataObject
) -> None:
    documents = log_of(sizes)
    forged = log_of(sizes, FORGER, words="nothing happened")
    number = data.draw(st.sampled_from(sorted(documents)))
    assert wrong(forged) == []  # whole in itself: that is why heads are signed and kept elsewhere
    assert wrong(forged, trusted={OUR_KEY}) == ["untrusted"]
    assert wrong(forged, witness(documents, number)) == ["rewritten"]


@given(st.lists(st.integers(1, 3), min_size=2, max_size=5), st.data())
@QUICK
def test_a_forger_who_signs_from_one_segment_on_is_found(sizes: list[int], data: st.DataObject) -> None:
    documents = log_of(sizes)
    number = data.draw(st.integers(1, len(sizes) - 1))
    before = load_segment(documents[number - 1]).head if number > 1 else None
    forged = make_segment(STACK, before, [entry(900)], FORGER)
    changed = {**documents, number: dump_segment(forged)}
    assert "rewritten" in wrong(changed)
    assert "untrusted" in wrong(changed, trusted={OUR_KEY})


def test_a_careful_forger_without_the_key_is_found() -> None:
    documents = log_of([1, 2])
    segment = documents[2]
    head = segment["previous"]
    for number, line in enumerate(segment["entries"]):
        line["entry"]["author"]["actor"] = f"somebody-{number}@example.com"
        head = line["hash"] = link(head, line["entry"])
    segment["head"] = head
    assert wrong(documents) == ["altered"]
    assert "the signature of segment 2 is wrong" in sentences(documents)
    segment["signature"] = ""
    assert wrong(documents) == ["unsigned"]


def test_a_forger_who_keeps_the_signed_head_is_found() -> None:
    documents = log_of([1, 2])
    segment = documents[2]
    head = segment["previous"]
    for line in segment["entries"]:
        line["entry"]["owner"] = "team-other"
        head = line["hash"] = link(head, line["entry"])
    assert wrong(documents) == ["altered"]
    assert "segment 2 does not end at its head" in sentences(documents)


def test_a_forger_who_signs_under_our_keys_name_is_found() -> None:
    documents = log_of([2])
    honest = load_segment(documents[1])
    named = replace(honest.head, public_key=load_segment(log_of([1], FORGER)[1]).head.public_key, signature="")
    signature = base64.urlsafe_b64encode(FORGER.sign(named.statement)).rstrip(b"=").decode()
    forged = {1: dump_segment(replace(honest, head=replace(named, signature=signature)))}
    assert forged[1]["key"] == OUR_KEY
    assert wrong(forged, trusted={OUR_KEY}) == ["altered"]


def test_each_defect_says_where_and_what_it_means() -> None:
    documents = log_of([2, 2, 2])
    told = sentences(altered(documents, (2, "entries", 0, "entry", "owner"), "team-other"))
    assert told == "entry 1 of segment 2 does not match its hash: it was altered, or the entry before it was removed"
    many = [witness(documents, name=f"the ledger of acme/demo/{name}") for name in "abcde"]
    del documents[3]
    assert sentences(documents, many) == (
        "the log ends at segment 2, but the ledger of acme/demo/a, the ledger of acme/demo/b, the ledger of "
        "acme/demo/c and 2 more know of segment 3: its end was cut off"
    )
    del documents[1]
    assert "segment 1 is missing: the entries in there were removed" in sentences(documents)


def test_the_log_of_another_stack_is_not_taken_for_this_one() -> None:
    assert wrong(log_of([1], stack="acme/prod")) == ["rewritten", "rewritten"]
    assert genesis("acme/prod") != genesis("acme/demo")


def test_the_same_entry_twice_counts_once_and_other_content_under_its_id_does_not_pass() -> None:
    first = made(None, entry(1), entry(2))
    again = made(first.head, entry(2), entry(3))
    documents = {1: dump_segment(first), 2: dump_segment(again)}
    found = examined(documents)
    assert found.sound
    assert [record.entry.id for record in found.records] == ["entry-1", "entry-2", "entry-3"]
    assert found.repeated == 1
    contrary = made(again.head, entry(2, words="something else"))
    assert wrong({**documents, 3: dump_segment(contrary)}) == ["contradiction"]


def test_the_identity_token_is_part_of_what_is_signed() -> None:
    bound = signing(1, "header.claims.signature")
    first = make_segment(STACK, None, [entry(1)], bound)
    second = make_segment(STACK, first.head, [entry(2)], bound)
    documents = {1: dump_segment(first), 2: dump_segment(Segment(second.head, second.lines))}
    assert examined(documents).tokens == ((OUR_KEY, "header.claims.signature"),)
    assert wrong(altered(documents, (1, "token"), "header.other.signature")) == ["altered", "removed"]
    del documents[1]["token"]
    assert wrong(documents) == ["removed"]
    assert "header.claims" not in repr(examined({1: dump_segment(first)}))


def test_a_log_that_was_never_signed_says_so() -> None:
    assert wrong(log_of([1, 1], None)) == ["unsigned", "unsigned"]


def test_what_is_no_segment_is_unreadable_and_the_rest_is_still_examined() -> None:
    documents = log_of([1, 1, 1])
    for damage in ({}, {"format": 1}, {**documents[2], "entries": None}, {**documents[2], "format": 2}):
        assert wrong({**documents, 2: damage}) == ["unreadable"]
    other = altered(documents, (3, "entries", 0, "entry", "owner"), "x")
    assert wrong({**other, 2: {}}) == ["unreadable", "altered"]


def test_an_entry_comes_back_as_it_was() -> None:
    for number, given_entry in enumerate([entry(1), entry(2, generation=None, fingerprint=None, evidence="unused")]):
        assert load_entry(dump_entry(given_entry)) == given_entry, number
    with pytest.raises(Damaged):
        load_entry({"id": 3})


@given(st.text(max_size=20), st.text(alphabet="\ud800\udfffé\x00=|`<", max_size=8))
@QUICK
def test_any_text_can_be_recorded(words: str, strange: str) -> None:
    first = made(None, entry(1, words=words + strange, author=AUTHOR))
    document = dump_segment(first)
    str(document).encode()
    assert examined({1: document}).sound


def test_canonical_json_is_that_of_rfc_8785() -> None:
    assert (
        canonical({"b": [1, True, None], "a": 'é\n"', "A": "/"}) == b'{"A":"/","a":"\xc3\xa9\\n\\"","b":[1,true,null]}'
    )


def test_a_key_is_named_by_the_thumbprint_of_rfc_8037() -> None:
    """The example of RFC 8037, appendices A.1 and A.3."""
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    assert key_id(public) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_signature_is_for_one_purpose_one_place_and_one_key() -> None:
    head = made(None, entry(1)).head
    assert head.signed
    assert load_head(dump_head(head)) == head
    other = dump_head(head) | {"public_key": dump_head(made(None, entry(1), signer=FORGER).head)["public_key"]}
    assert not load_head(other).signed
    assert not load_head(dump_head(head) | {"number": 2}).signed
    assert not load_head(dump_head(head) | {"signature": head.signature + "="}).signed
    assert b'"purpose":"keysteward audit head"' in head.statement
