"""CODEOWNERS says who approves which file, by the owners file; what people wrote into it themselves stays."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from repository import KEY, MORE, Repository

from keysteward import Owner, Owners
from keysteward.core.review.codeowners import BEGIN, END, merged

GITHUB = f"""{BEGIN}
* @acme/security
/stacks/ @acme/security
/.github/CODEOWNERS @acme/security
/owners.yaml @acme/security
/stacks/demo.py @acme/billing
{END}
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    return made_in(tmp_path / "repository", monkeypatch)


def made_in(top: Path, monkeypatch: pytest.MonkeyPatch, folder: str = "") -> Repository:
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.delenv("KEYSTEWARD_STACK", raising=False)
    repository = Repository(top, folder)
    monkeypatch.chdir(repository.root)
    return repository


def written(repository: Repository, name: str = ".github/CODEOWNERS") -> str:
    return (repository.top / name).read_text(encoding="utf-8")


def test_it_is_written_and_then_up_to_date(repository: Repository) -> None:
    missing = repository.run("codeowners", "--check")
    assert missing.code == 2
    assert "+/stacks/demo.py @acme/billing" in missing.out
    assert missing.err == ".github/CODEOWNERS is out of date; run: keysteward codeowners\n"
    assert not (repository.top / ".github").exists()
    done = repository.run("codeowners")
    assert (done.code, done.out, done.err) == (0, ".github/CODEOWNERS is written\n", "")
    assert written(repository) == GITHUB
    assert repository.run("codeowners").out == ".github/CODEOWNERS is up to date\n"
    check = repository.run("codeowners", "--check")
    assert (check.code, check.out, check.err) == (0, ".github/CODEOWNERS is up to date\n", "")


def test_a_new_owner_puts_it_out_of_date(repository: Repository) -> None:
    repository.run("codeowners")
    repository.change(MORE, 'client("mailer", owner="orders"),')
    check = repository.run("codeowners", "--check")
    assert check.code == 2
    assert "-/stacks/demo.py @acme/billing\n+/stacks/demo.py @acme/billing @acme/orders\n" in check.out
    assert written(repository) == GITHUB


def test_each_team_has_its_file_and_one_with_a_key_is_securitys(repository: Repository) -> None:
    head = "from datetime import date\nfrom stacks.ports import *\n\n"
    demo = (repository.root / "stacks/demo.py").read_text(encoding="utf-8")
    ports, _, rest = demo.partition("stack = Stack(")
    repository.write("stacks/ports.py", ports)
    repository.write("stacks/billing.py", head + 'exporter = client("exporter", owner="billing")\n')
    repository.write("stacks/partners.py", head + "partner = " + KEY.replace(",\n        # more", "\n").rstrip() + "\n")
    head += "from stacks.billing import exporter\nfrom stacks.partners import partner\n"
    repository.write(
        "stacks/demo.py", head + "stack = Stack(" + rest.replace('client("exporter")', "exporter, partner")
    )
    repository.commit("A file for each team")
    assert repository.run("codeowners").code == 0
    lines = written(repository).splitlines()
    assert "/stacks/billing.py @acme/billing" in lines
    assert "/stacks/partners.py @acme/security" in lines
    assert not [line for line in lines if "ports.py" in line or "demo.py" in line]
    missing = repository.run("codeowners", "--format", "gitlab", "--check")
    assert "out of date; run: keysteward codeowners --format gitlab\n" in missing.err
    done = repository.run("codeowners", "--format", "gitlab")
    assert (done.code, done.err) == (0, "")
    assert written(repository, ".gitlab/CODEOWNERS").splitlines()[1:-1] == [
        "[keysteward owners]",
        "* @acme/security",
        "/stacks/ @acme/security",
        "/stacks/billing.py @acme/billing",
        "/stacks/partners.py @acme/orders",
        "[keysteward security]",
        "/.gitlab/CODEOWNERS @acme/security",
        "/owners.yaml @acme/security",
        "/stacks/partners.py @acme/security",
    ]


def test_a_waiver_makes_a_file_securitys(repository: Repository) -> None:
    repository.change("import ApiKey", "import Waiver, ApiKey")
    waiver = 'Waiver("KS012", reason="a move", approved_by="sec", until=date(2099, 1, 1))'
    repository.change(MORE, f'client("mailer", waivers=[{waiver}]),')
    assert repository.run("codeowners").code == 0
    assert "/stacks/demo.py @acme/security\n" in written(repository)


def test_what_is_made_in_a_loop_belongs_to_its_stacks_module(repository: Repository) -> None:
    repository.change(MORE, '*(client(f"job-{n}", owner="orders") for n in range(3)),')
    repository.run("codeowners")
    assert "/stacks/demo.py @acme/billing @acme/orders\n" in written(repository)


def test_two_stacks_share_one_file(repository: Repository) -> None:
    other = (repository.root / "stacks/demo.py").read_text(encoding="utf-8")
    repository.write("stacks/test.py", other.replace("acme/prod", "acme/test").replace('"billing"', '"orders"'))
    repository.run("codeowners")
    assert "/stacks/demo.py @acme/billing\n/stacks/test.py @acme/orders\n" in written(repository)
    assert repository.run("codeowners", "--stack", "test", "--check").code == 2


def test_lines_of_people_survive(repository: Repository) -> None:
    mine = "# ours\r\n* @acme/everybody\r\n/docs/ @acme/writers"
    (repository.top / "CODEOWNERS").write_bytes(mine.encode())
    done = repository.run("codeowners")
    before = "stands before the part of keysteward, whose first line names every file; move it behind that part"
    assert done.out == "CODEOWNERS is written\n"
    assert done.err.splitlines() == [f"warning: {name} {before} if it is to count" for name in ("*", "/docs/")]
    raw = (repository.top / "CODEOWNERS").read_bytes().decode()
    assert raw == mine + "\n\n" + GITHUB.replace("/.github/CODEOWNERS", "/CODEOWNERS")
    assert not (repository.top / ".github").exists()
    (repository.top / "CODEOWNERS").write_bytes((raw + "/stacks/ @mallory\n").encode())
    again = repository.run("codeowners", "--check")
    assert again.code == 0
    assert "warning: /stacks/ stands after the part of keysteward, and counts where both name a file" in again.err


@pytest.mark.parametrize("text", [BEGIN, END, f"{END}\n{BEGIN}", f"{BEGIN}\n{BEGIN}\n{END}"])
def test_comments_that_do_not_pair_are_one_sentence(repository: Repository, text: str) -> None:
    repository.write("CODEOWNERS", text)
    shown = repository.run("codeowners")
    assert (shown.code, shown.out) == (1, "")
    assert "must stand in the CODEOWNERS file once each" in shown.err
    assert written(repository, "CODEOWNERS") == text


def test_a_file_that_is_no_text_is_one_sentence(repository: Repository) -> None:
    (repository.top / "CODEOWNERS").write_bytes(b"\xff\xfe\x00")
    shown = repository.run("codeowners")
    assert shown.code == 1
    assert "cannot be read as text" in shown.err
    blocked = repository.run("codeowners", "--output", "owners.yaml/CODEOWNERS")
    assert blocked.code == 1
    assert len(blocked.err.splitlines()) == 1


def test_a_project_in_a_folder_names_files_as_the_repository_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = made_in(tmp_path / "repository", monkeypatch, "infra/my keys")
    assert repository.run("codeowners").code == 0
    lines = written(repository).splitlines()
    assert "/infra/my\\ keys/stacks/demo.py @acme/billing" in lines
    assert "/infra/my\\ keys/owners.yaml @acme/security" in lines
    assert lines[1:3] == ["/infra/my\\ keys/ @acme/security", "/.github/ @acme/security"], "and nobody else's folder"
    repository.run("codeowners", "--format", "gitlab")
    assert written(repository, ".gitlab/CODEOWNERS").splitlines()[1:5] == [
        "[keysteward owners]",
        "/infra/my\\ keys/ @acme/security",
        "/.gitlab-ci.yml @acme/security",
        "/.gitlab/ @acme/security",
    ]


def test_security_is_asked_for_whatever_no_line_names(repository: Repository) -> None:
    """A file that a pull request adds is run by the jobs before anybody has listed it."""
    repository.run("codeowners")
    text = written(repository)
    assert text.splitlines()[1] == "* @acme/security", "the last line that names a file counts, so this one is first"
    repository.write(".github/CODEOWNERS", text.replace("* @acme/security\n", ""))
    check = repository.run("codeowners", "--check")
    assert check.code == 2
    assert "+* @acme/security\n" in check.out
    for later in ("*", "/**", "/"):
        repository.write(".github/CODEOWNERS", f"{text}{later} @acme/everybody\n")
        check = repository.run("codeowners", "--check")
        assert check.code == 2
        assert check.err == (
            f".github/CODEOWNERS: {later} stands after the part of keysteward and takes every file from it; move it "
            "before that\n"
        )
    repository.write(".github/CODEOWNERS", f"{text}/docs/ @acme/writers\n")
    assert repository.run("codeowners", "--check").code == 0


def test_where_security_is_nobody_a_check_fails(repository: Repository) -> None:
    repository.change("security: sec", "", "owners.yaml")
    assert repository.run("codeowners").code == 0
    check = repository.run("codeowners", "--check")
    assert check.code == 2
    assert "nobody is asked for a file that no line names; write security= into the owners file" in check.err


def test_a_name_that_is_a_pattern_is_listed_by_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = made_in(tmp_path / "repository", monkeypatch, "infra/a[b]*#")
    shown = repository.run("codeowners")
    assert shown.code == 0
    assert "its folder is listed" in shown.err
    block = written(repository).splitlines()
    assert block[1:-1] == [
        "/infra/ @acme/security",
        "/.github/ @acme/security",
        "/.github/CODEOWNERS @acme/security",
        "/infra/ @acme/security",
    ]


def test_what_the_owners_file_does_not_say_is_told(repository: Repository) -> None:
    repository.write(
        "owners.yaml",
        "teams:\n  billing: {contact: billing@example.com}\n  orders: {contact: 'chat'}\n"
        "  sec: {contact: sec@example.com}\nconsumers:\n  warehouse: {contact: w@example.com}\n",
    )
    shown = repository.run("codeowners")
    assert shown.code == 0
    assert shown.err.splitlines() == [
        "warning: the owners file does not say who security is; write security= with the name of a team",
        "warning: owner 'billing' has no forge=; their mail address stands in CODEOWNERS",
    ]
    assert written(repository) == f"{BEGIN}\n/stacks/demo.py billing@example.com\n{END}\n"
    repository.change('"exporter"', '"exporter", owner="orders"')
    assert "their contact is no mail address" in repository.run("codeowners").err
    assert written(repository) == f"{BEGIN}\n{END}\n"


def test_a_deputy_approves_for_an_owner_who_is_gone_and_security_for_nobody(repository: Repository) -> None:
    repository.change('"@acme/billing"', '"@acme/billing", state: gone, deputy: orders', "owners.yaml")
    assert repository.run("codeowners").err == ""
    assert "/stacks/demo.py @acme/orders\n" in written(repository)
    repository.change(", deputy: orders", "", "owners.yaml")
    assert "security approves in their place" in repository.run("codeowners").err
    assert "/stacks/demo.py @acme/security\n" in written(repository)


def test_two_owners_files_are_one_sentence(repository: Repository) -> None:
    other = (repository.root / "stacks/demo.py").read_text(encoding="utf-8")
    repository.write("stacks/test.py", other.replace("acme/prod", "acme/test").replace("owners.yaml", "others.yaml"))
    repository.write("others.yaml", "teams:\n  billing: {contact: other@example.com}\n")
    shown = repository.run("codeowners")
    assert shown.code == 1
    assert "the stacks have different owners files (others.yaml, owners.yaml); name one --stack" in shown.err
    assert repository.run("codeowners", "--stack", "demo").code == 0


def test_a_folder_without_stacks_or_without_git(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(repository.top / ".git")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert repository.run("codeowners").code == 0
    assert written(repository) == GITHUB
    monkeypatch.chdir(tmp_path)
    empty = repository.run("codeowners")
    assert empty.code == 1
    assert "holds no stack" in empty.err


@pytest.mark.parametrize(
    "forge", ["@acme/billing", "@billing-lead", "@@maintainer", "@a/b/c", "billing-lead@example.com", "@a.b_c-d"]
)
def test_names_that_a_forge_takes(forge: str) -> None:
    assert Owner(contact="x@example.com", forge=forge).forge == forge


@pytest.mark.parametrize("forge", ["acme", "@a b", "@a\n* @mallory", "@a @b", "@", "@a/", "#x", "a@b", "@a#b", ""])
def test_names_that_no_forge_takes(forge: str) -> None:
    with pytest.raises(ValidationError):
        Owner(contact="x@example.com", forge=forge)


@pytest.mark.parametrize("security", ["nobody", "billing-lead"])
def test_security_must_be_somebody_who_is_there(security: str) -> None:
    with pytest.raises(ValidationError, match="must be an active team or person"):
        Owners(people={"billing-lead": Owner(contact="billing-lead@example.com", state="gone")}, security=security)


@given(st.text(alphabet="ab/*@ #\r\n", max_size=60), st.text(alphabet="ab/*@ #\r\n", max_size=60))
def test_whatever_stands_around_it_stays_and_a_second_time_changes_nothing(before: str, after: str) -> None:
    lines = (BEGIN, "/stacks/ @acme/security", END)
    once = merged(before, lines)
    assert once.startswith(before)
    assert merged(once, lines) == once
    text = once + after
    assert merged(text, (BEGIN, "/other @billing-lead", END)) == text.replace(
        "/stacks/ @acme/security", "/other @billing-lead", 1
    )


def test_git_ignores_escape_as_the_forges_do(repository: Repository) -> None:
    """The pattern of a path with a space is that of gitignore, whose rules both forges name."""
    (repository.top / ".gitignore").write_text("/infra/my\\ keys/stacks/demo.py\n", encoding="utf-8")
    words = ["git", "check-ignore", "--no-index", "infra/my keys/stacks/demo.py"]
    assert subprocess.run(words, cwd=repository.top, capture_output=True, check=False).returncode == 0
