"""Somebody leaves: what they answer for is shown, handed over in the source, or revoked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_project import Project

from keysteward import Owners
from keysteward.cli.source.declarations import change_owners, find_owners
from keysteward.core.errors import DeclarationError

SOURCE = """# Überall gleich
from project_in_memory import project
OPS = "team-ops"


def job(name, **fields):
    return project.client(name, **fields)


stack = project.stack_of(
    project.api,
    job("exporter", owner='team-billing'),   # spacing and quotes stay
    job("mailer",
        owner = "team-billing", purpose="Ünïcode before",),
    job("by-name", owner=OPS),
    *(job(f"job-{n}", owner="team-ops") for n in range(2)),
    job("other", owner="team-other"),
)
"""


@pytest.fixture
def company(project: Project) -> Project:
    contact = {"contact": "x@example.com"}
    project.owners = Owners.model_validate(
        {
            "teams": dict.fromkeys(("team-billing", "team-ops", "team-new", "team-other"), contact),
            "people": {"billing-lead": {**contact, "state": "gone"}},
        }
    )
    project.held.project = project  # type: ignore[attr-defined]

    def stack_of(*declared: object) -> object:
        project.declare(*declared)  # type: ignore[arg-type]
        return project.stack

    project.stack_of = stack_of  # type: ignore[attr-defined]
    source(project).write_text(SOURCE, encoding="utf-8")
    assert project.run("up", "--yes").code == 0
    return project


def source(project: Project) -> Path:
    return project.root / "stacks" / "demo.py"


def test_what_an_owner_answers_for_is_shown_and_nothing_is_changed(company: Project) -> None:
    shown = company.run("offboard", "team-billing")
    assert shown.code == 0
    assert "team-billing (active) answers for 2 credentials of acme/demo" in shown.out
    assert "exporter" in shown.out
    assert "Nightly invoice export" in shown.out
    assert "secrets:apps/mailer" in shown.out
    assert "other" not in shown.out.split("nothing was changed")[0].replace("others", "")
    assert "keysteward offboard team-billing --to NEW_OWNER --yes" in shown.out
    assert source(company).read_text(encoding="utf-8") == SOURCE
    assert "correct the name" in company.run("offboard", "team-x").err


def test_a_hand_over_changes_that_text_and_no_other_byte_and_asks_for_new_secrets(company: Project) -> None:
    done = company.run("offboard", "team-billing", "--to", "team-new", "--yes")
    assert done.code == 0
    assert "stacks/demo.py, line 12: the owner of exporter is changed" in done.out
    expected = SOURCE.replace("owner='team-billing'", "owner='team-new'").replace(
        'owner = "team-billing"', 'owner = "team-new"'
    )
    assert source(company).read_text(encoding="utf-8") == expected
    assert company.ledger("exporter").reissue == "owner team-billing left"
    assert company.states("exporter") == ["1 current"], "a review comes first"

    assert company.run("up", "--yes").code == 0
    assert company.states("exporter") == ["1 previous", "2 current"]
    about = company.ledger("exporter").about
    assert about is not None
    assert about.owner == "team-new"
    assert "answers for 0 credentials" in company.run("offboard", "team-billing").out


def test_secrets_are_kept_on_request(company: Project) -> None:
    company.run("offboard", "team-billing", "--to", "team-new", "--keep-secrets", "--yes")
    assert company.ledger("exporter").reissue is None


def test_what_is_no_text_at_the_declaration_is_left_to_a_person(company: Project) -> None:
    done = company.run("offboard", "team-ops", "--to", "team-new", "--yes", "--json")
    assert done.code == 1
    document = json.loads(done.out)
    assert [(e["name"], e["line"], e["why"]) for e in document["by_hand"]] == [
        ("by-name", 15, "its owner is OPS, no text of its own"),
        ("job-0", None, "no declaration says this name in the source"),
        ("job-1", None, "no declaration says this name in the source"),
    ]
    assert document["changed"] == []
    assert source(company).read_text(encoding="utf-8") == SOURCE
    told = company.run("offboard", "team-ops", "--to", "team-new", "--keep-secrets", "--yes").out
    assert "by-name: edit stacks/demo.py, line 15 by hand" in told


def test_who_takes_over_must_be_active(company: Project) -> None:
    for taker in ("billing-lead", "nobody", "team-billing"):
        refused = company.run("offboard", "team-billing", "--to", taker, "--yes")
        assert refused.code == 1
        assert f"--to: {taker!r} cannot take over; active in the owners file: team-new, team-ops" in refused.err
    assert "choose one" in company.run("offboard", "team-billing", "--to", "team-new", "--revoke").err
    assert "add --yes" in company.run("offboard", "team-billing", "--to", "team-new").err
    assert "needs --yes" in company.run("offboard", "team-billing", "--to", "team-new", "--json").err
    assert source(company).read_text(encoding="utf-8") == SOURCE


def test_it_works_when_the_owners_file_says_already_that_they_are_gone(company: Project) -> None:
    gone = {"contact": "x@example.com", "state": "gone"}
    company.owners = Owners.model_validate({"teams": {"team-billing": gone, "team-new": {"contact": "n@example.com"}}})
    assert company.run("preview").code == 1
    assert "team-billing (gone) answers for 2 credentials" in company.run("offboard", "team-billing").out
    assert company.run("offboard", "team-billing", "--to", "team-new", "--keep-secrets", "--yes").code == 0
    assert "owner='team-new'" in source(company).read_text(encoding="utf-8")


def test_all_of_it_is_revoked_within_the_limit(company: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    company.can(last_use=None)
    refused = company.run("offboard", "team-billing", "--revoke", "--yes")
    assert refused.code == 1
    assert "it is a production credential, and its target cannot show whether it is still used" in refused.err
    assert "(and 1 more like it)" in refused.err
    assert "allow it with KEYSTEWARD_ALLOW_ENDING=2" in refused.err
    assert company.states("exporter") == ["1 current"]

    monkeypatch.setenv("KEYSTEWARD_ALLOW_ENDING", "2")
    done = company.run("offboard", "team-billing", "--revoke", "--yes")
    assert done.code == 0
    assert "exporter: nothing of it works any more" in done.out
    assert (company.states("exporter"), company.states("mailer")) == (["1 retired"], ["1 retired"])
    assert company.states("other") == ["1 current"]
    revoked = company.ledger("exporter").revoked
    assert revoked is not None
    assert revoked.reason == "owner team-billing left"


def test_what_is_not_declared_any_more_belongs_to_its_last_owner(company: Project) -> None:
    source(company).write_text(SOURCE.replace('job("other", owner="team-other"),', ""), encoding="utf-8")
    shown = company.run("offboard", "team-other", "--json")
    assert [(c["name"], c["declared"]) for c in json.loads(shown.out)["credentials"]] == [("other", False)]
    done = company.run("offboard", "team-other", "--to", "team-new", "--yes")
    assert done.code == 1
    assert "other: not declared any more; end it with `keysteward up --prune`" in done.out


def test_only_a_plain_text_at_one_place_is_changed(tmp_path: Path) -> None:
    first, second = tmp_path / "a.py", tmp_path / "b.py"
    first.write_bytes(
        b"\xef\xbb\xbfx = M2MClient('a', owner='o')\r\n"
        b"y = M2MClient(name=\"b\", owner=('o'\r\n 'x'))\r\n"
        b"z = M2MClient('c', owner=r'o')\r\nu = M2MClient('d', owner='o')\r\n"
    )
    second.write_bytes(b"u = M2MClient('d', owner='o')\nbroken = M2MClient('e', owner='p')\n")
    (tmp_path / "c.py").write_bytes(b"\xff = (")
    places = find_owners([first, second, tmp_path / "c.py"], ["a", "b", "c", "d", "e"], "o")
    assert [(p.name, p.span is not None) for p in places] == [
        ("a", True),
        ("b", False),
        ("c", False),
        ("d", False),
        ("e", False),
    ]
    assert change_owners(places, "new-owner") == [first]
    assert first.read_bytes().startswith(b"\xef\xbb\xbfx = M2MClient('a', owner='new-owner')\r\n")
    assert first.read_bytes().count(b"new-owner") == 1


def test_a_file_that_was_edited_while_somebody_was_asked_stays_as_it_is(tmp_path: Path) -> None:
    first, second = tmp_path / "a.py", tmp_path / "b.py"
    first.write_text("x = M2MClient('a', owner='old')\n", encoding="utf-8")
    second.write_text("y = M2MClient('b', owner='old')\n", encoding="utf-8")
    places = find_owners([first, second], ["a", "b"], "old")
    edited = "y = M2MClient('b', key='old', owner='old')\n"
    second.write_text(edited, encoding="utf-8")
    with pytest.raises(DeclarationError, match=r"b\.py was edited meanwhile; nothing was changed, run again"):
        change_owners(places, "new")
    assert "owner='old'" in first.read_text(encoding="utf-8"), "no file is written before all were checked"
    assert second.read_text(encoding="utf-8") == edited
