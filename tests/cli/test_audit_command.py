"""The evidence log at the command line: shown, verified, anchored outside, exported for an auditor."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from audit_bench import AUTHOR, STACK, START, entry
from cli_project import Project
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from issuer import issuing

from keysteward.core.record.evidence import Author, Entry
from keysteward.core.record.ledger import Lease, Ledger, Logged, dump_ledger
from keysteward.operations.audit.examine import trust_of
from keysteward.operations.audit.log import AuditLog
from keysteward.operations.audit.signing import Signer

OURS = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32)


def key_file(private: Ed25519PrivateKey, folder: Path) -> str:
    path = folder / f"{private.public_key().public_bytes_raw().hex()[:8]}.pem"
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return f"file:{path}"


def signer(private: Ed25519PrivateKey, folder: Path) -> Signer:
    return Signer({"KEYSTEWARD_SIGNING_KEY": key_file(private, folder)})


def public(private: Ed25519PrivateKey, path: Path) -> str:
    path.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return str(path)


@pytest.fixture
def log(project: Project, tmp_path: Path) -> AuditLog:
    """A credential whose first generation was rotated and ended by evidence."""
    made = AuditLog(project.ledgers, STACK, signer(OURS, tmp_path))
    made.append([entry(1, step="begin", words="begin generation 1"), entry(2, step="settle", generation=1)])
    made.append(
        [
            entry(3, generation=2, step="settle", at=START + timedelta(days=90)),
            entry(4, generation=1, step="retire", evidence="its overlap is over", at=START + timedelta(days=97)),
            entry(5, generation=1, step="end", evidence="generation 2 is proven", at=START + timedelta(days=97)),
            entry(
                6, generation=None, step="hold", words="hold until 2026-06-01: freeze", at=START + timedelta(days=98)
            ),
        ]
    )
    return made


def remember(project: Project, log: AuditLog) -> None:
    position = log.append([])
    ledger = Ledger(
        f"{STACK}/billing-exporter",
        "1",
        "m2m_client",
        logged=Logged(*position),
        outbox=(entry(9, generation=None, step="hold", at=project.clock.now),),
    )
    project.ledgers.write(f"ledgers/{ledger.identity}", dump_ledger(ledger), 0)


def forge(project: Project, tmp_path: Path) -> None:
    """Replace the log and its head by another one under another key."""
    for key in [key for key in project.ledgers.documents if key.startswith("audit")]:
        del project.ledgers.documents[key]
    other = AuditLog(project.ledgers, STACK, signer(STRANGER, tmp_path))
    for number in range(2):
        other.append([entry(number, words="nothing happened")])


def test_show_prints_the_last_entries_of_all_or_of_one(project: Project, log: AuditLog) -> None:
    log.append([entry(7, identity=f"{STACK}/mailer", words="deliver \x1b[31m generation 1")])
    shown = project.run("audit", "show")
    assert shown.code == 0
    for words in (
        "2026-04-05 09:00",
        "mailer",
        "retire",
        "billing-lead@example.com",
        "its overlap is over",
        "aaaaaaaaaaaa",
    ):
        assert words in shown.out, words
    assert "\x1b" not in shown.out
    assert "mailer" not in project.run("audit", "show", "billing-exporter").out
    latest = json.loads(project.run("audit", "show", "--last", "1", "--json").out)
    assert latest["format"] == 1
    assert [(e["identity"], e["segment"], e["author"]["actor"]) for e in latest["entries"]] == [
        (f"{STACK}/mailer", 3, "billing-lead@example.com")
    ]
    unknown = project.run("audit", "show", "nobody")
    assert (unknown.code, "the audit log has no entries of 'nobody'" in unknown.err) == (1, True)


def test_before_the_first_entry_there_is_nothing_to_hold_against_it(project: Project) -> None:
    assert "no entries" in project.run("audit", "show").out
    verified = project.run("audit", "verify")
    assert (verified.code, "no entries yet" in verified.out) == (0, True)
    assert project.run("audit", "anchor", "--file", "anchors").code == 1
    assert project.run("audit", "export", "--from", "2026-01-01", "--to", "2026-12-31").out.count("\n") == 1


def test_verify_says_that_a_log_is_sound_and_who_signed_it(project: Project, log: AuditLog, tmp_path: Path) -> None:
    remember(project, log)
    verified = project.run("audit", "verify")
    assert verified.code == 0
    assert "6 entries in 2 segments" in verified.out
    assert "1 entries wait in the ledgers" in verified.out
    assert "every segment is whole and in order, and 1 ledger agrees with that" in verified.out
    assert "compare with --anchor or --trusted" in verified.out
    trusted = project.run("audit", "verify", "--trusted", public(OURS, tmp_path / "ours.pub"), "--json")
    document = json.loads(trusted.out)
    assert (document["sound"], document["segments"], document["entries"]) == (True, 2, 6)
    assert [(key["segments"], key["trusted"]) for key in document["keys"]] == [(2, True)]


def test_verify_finds_what_was_done_to_it(project: Project, log: AuditLog) -> None:
    remember(project, log)
    key = f"audit/{STACK}/00000002"
    text, version = project.ledgers.documents[key]
    project.ledgers.documents[key] = (text.replace("its overlap is over", "as agreed"), version)
    altered = project.run("audit", "verify")
    assert altered.code == 2
    assert "✗ altered: entry 2 of segment 2 does not match its hash" in altered.out
    assert "this log is not sound" in project.run("audit", "show").err

    for gone in (key, f"audit-heads/{STACK}"):
        del project.ledgers.documents[gone]
    cut = project.run("audit", "verify", "--json")
    assert cut.code == 2
    [defect] = json.loads(cut.out)["defects"]
    assert defect == {
        "what": "truncated",
        "message": "the log ends at segment 1, but the ledger of acme/demo/billing-exporter knows of segment 2: "
        "its end was cut off",
        "segment": 2,
    }


def test_a_full_rewrite_is_found_by_key_by_anchor_and_by_ledger(
    project: Project, log: AuditLog, tmp_path: Path
) -> None:
    assert project.run("audit", "anchor", "--file", "kept/anchors").code == 0
    forge(project, tmp_path)
    assert project.run("audit", "verify").code == 0  # whole in itself
    by_key = project.run("audit", "verify", "--trusted", public(OURS, tmp_path / "ours.pub"))
    assert (by_key.code, "untrusted: 2 segments (1 to 2) are signed by" in by_key.out) == (2, True)
    by_anchor = project.run("audit", "verify", "--anchor", "kept/anchors")
    assert by_anchor.code == 2
    assert "rewritten: segment 2 is not the one that was there: the anchor in kept/anchors knows" in by_anchor.out
    remember(project, log)
    assert project.run("audit", "verify").code == 2


def test_jobs_of_a_repository_are_trusted_by_their_identity(project: Project) -> None:
    with issuing() as issuer:
        for number in range(2):
            AuditLog(project.ledgers, STACK, Signer(issuer.environment)).append([entry(number)])
        said = project.run("audit", "verify")
        assert said.code == 0
        assert f"which says it is iss {issuer.url}, repository acme/credentials, ref refs/heads/main" in said.out
        words = ("audit", "verify", "--issuer", issuer.url, "--claim")
        proven = project.run(*words, "repository=acme/credentials", "--claim", "ref=refs/heads/main")
        assert proven.code == 0
        assert f"(trusted): iss {issuer.url}, repository acme/credentials" in proven.out
        stranger = project.run(*words, "repository=evil/credentials", "--claim", "ref=refs/heads/main")
        assert stranger.code == 2
        assert stranger.out.count("a key that is not trusted") == 2
        document = json.loads(project.run("audit", "verify", "--json").out)
        assert [key["identity"]["actor"] for key in document["keys"]] == ["billing-lead", "billing-lead"]
    for answer in (said, proven, stranger):
        assert "eyJ" not in answer.out + answer.err
    assert "eyJ" not in json.dumps(document)


@pytest.mark.parametrize(
    ("claims", "missing"),
    [
        (["repository=acme/credentials"], "whoever may push a branch writes what its jobs run"),
        (["repository=acme/credentials", "workflow=apply", "event_name=push"], "whoever may push a branch"),
        (["repository=acme/credentials", "ref=refs/pull/7/merge"], "whoever may push a branch"),
        (["sub=repo:acme/credentials:pull_request"], "whoever may push a branch"),
        (["sub=repo:acme/credentials"], "whoever may push a branch"),
        (["project_path=acme/credentials", "ref_protected=false"], "whoever may push a branch"),
        (["ref=refs/heads/main"], "jobs of anybody's repository say this too"),
        (["environment=prod", "actor=billing-lead"], "jobs of anybody's repository say this too"),
    ],
)
def test_claims_that_any_branch_or_anybody_has_are_refused(project: Project, claims: list[str], missing: str) -> None:
    words = [word for claim in claims for word in ("--claim", claim)]
    answer = project.run("audit", "verify", "--issuer", "https://ci.example", *words)
    assert answer.code == 1
    assert missing in answer.err


@pytest.mark.parametrize(
    "claims",
    [
        ["repository=acme/credentials", "ref=refs/heads/main"],
        ["repository_id=7", "environment=prod"],
        ["project_path=acme/credentials", "ref=main", "ref_protected=true"],
        ["sub=repo:acme/credentials:environment:prod"],
        ["workflow_ref=acme/credentials/.github/workflows/keysteward-rotate.yml@refs/heads/main"],
    ],
)
def test_claims_that_only_reviewed_jobs_have_are_taken(claims: list[str]) -> None:
    assert trust_of((), ["https://ci.example"], claims).claims == dict(claim.split("=", 1) for claim in claims)


def test_anchors_are_lines_and_an_altered_one_is_found(project: Project, log: AuditLog) -> None:
    for number in (7, 8):
        assert "anchored in anchors" in project.run("audit", "anchor", "--file", "anchors").out
        log.append([entry(number)])
    path = project.root / "anchors"
    assert len(path.read_text().splitlines()) == 2
    sound = project.run("audit", "verify", "--anchor", "anchors")
    assert (sound.code, "compared with 2 anchors in anchors" in sound.out) == (0, True)
    path.write_text(path.read_text().replace('"number":3', '"number":2') + "half a li")
    altered = project.run("audit", "verify", "--anchor", "anchors")
    assert (altered.code, "2 lines in anchors are no anchors" in altered.out) == (2, True)
    project.run("audit", "anchor", "--file", "anchors")
    assert len(path.read_text().splitlines()) == 4
    for wrong in ("missing", "s3://", "s3://bucket"):
        assert project.run("audit", "verify", "--anchor", wrong).code == 1


def test_a_git_note_is_an_anchor_too(project: Project, log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    without = project.run("audit", "anchor", "--git-note", "HEAD")
    assert (without.code, "HEAD is no commit of a git repository" in without.err) == (1, True)
    commit = repository(project.root, monkeypatch, "Declare")
    for number in (7, 8):
        anchored = project.run("audit", "anchor", "--git-note", "HEAD")
        assert f"the note of commit {commit} (refs/notes/keysteward)" in anchored.out
        log.append([entry(number)])
    verified = project.run("audit", "verify", "--anchor", "git-note")
    assert (verified.code, "compared with 2 anchors in git-note" in verified.out) == (0, True)
    for key in (f"audit/{STACK}/00000004", f"audit/{STACK}/00000003", f"audit-heads/{STACK}"):
        del project.ledgers.documents[key]
    assert "the anchor in git-note knows of segment 3" in project.run("audit", "verify", "--anchor", "git-note").out
    assert project.run("audit", "anchor", "--git-note", "--output=x").code == 1


def test_a_log_that_is_wrong_is_not_anchored(project: Project, log: AuditLog) -> None:
    assert log.append([]).segment == 2
    del project.ledgers.documents[f"audit/{STACK}/00000001"]
    refused = project.run("audit", "anchor", "--file", "anchors")
    assert (refused.code, "nothing was anchored" in refused.err) == (2, True)
    assert not (project.root / "anchors").exists()
    assert project.run("audit", "anchor").code == 1


def repository(root: Path, monkeypatch: pytest.MonkeyPatch, message: str) -> str:
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "Billing lead")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "billing-lead@example.com")
    for words in (["init", "--quiet"], ["add", "stacks"], ["commit", "--quiet", "-m", message]):
        subprocess.run(["git", *words], cwd=root, check=True)
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def exported(project: Project, *words: str) -> list[dict[str, str]]:
    answer = project.run("audit", "export", *words)
    assert answer.code == 0
    return list(csv.DictReader(io.StringIO(answer.out)))


def test_export_tells_for_each_generation_who_how_and_why_it_ended(project: Project, log: AuditLog) -> None:
    assert log.append([]).segment == 2
    whole, first, second = exported(project, "--from", "2026-01-01", "--to", "2026-12-31")
    assert (whole["generation"], whole["events"]) == ("", "2026-04-13 09:00 hold: hold until 2026-06-01: freeze")
    assert first == {
        "credential": "acme/demo/billing-exporter",
        "generation": "1",
        "fingerprint": "k1:0000000000000005",
        "owner": "team-billing",
        "approved_by": "unknown",
        "ran_by": "billing-lead@example.com",
        "door": "keysteward",
        "commit": "a" * 40,
        "plan": "sha256:plan",
        "rotated_at": "2026-01-05 09:02:00",
        "ended_at": "2026-04-12 09:00:00",
        "ended_by": "billing-lead@example.com",
        "evidence": "its overlap is over; generation 2 is proven",
        "events": "2026-01-05 09:01 begin: begin generation 1; 2026-04-12 09:00 retire: deliver generation 4",
    }
    assert (second["rotated_at"], second["ended_at"]) == ("2026-04-05 09:00:00", "")


def test_a_rotation_leaves_the_evidence_that_an_auditor_asks_for(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYSTEWARD_SIGNING_KEY", key_file(OURS, tmp_path))
    for days in (0, 90, 8):
        project.pass_time(days=days)
        assert project.run("up", "--yes").code == 0
        assert project.ledger().outbox == ()
    verified = project.run("audit", "verify", "--trusted", public(OURS, tmp_path / "ours.pub"))
    assert (verified.code, "3 segments signed by" in verified.out, "wait" in verified.out) == (0, True, False)
    _server, first, second = exported(project, "--from", "2026-01-01", "--to", "2026-12-31")
    assert [row["rotated_at"] for row in (first, second)] == ["2026-01-05 09:00:00", "2026-04-05 09:00:00"]
    assert [row["ended_at"] for row in (first, second)] == ["2026-04-13 09:00:00", ""]
    assert "its overlap ended on 2026-04-12" in first["evidence"]
    assert [row["fingerprint"] for row in (first, second)] == [g.fingerprint for g in project.ledger().generations]

    project.pass_time(days=1)
    project.declare(project.client("mailer"))
    assert project.run("up", "--yes", "--prune").code == 0
    _server, whole, second, _mailer = exported(project, "--from", "2026-04-14", "--to", "2026-04-14")
    assert "delete client billing-exporter" in whole["events"]
    assert (second["generation"], second["ended_at"]) == ("2", "2026-04-14 09:00:00")
    assert "delete client billing-exporter" in second["evidence"]

    project.pass_time(days=1)
    project.declare(project.client())
    assert project.run("up", "--yes").code == 0
    rows = exported(project, "--from", "2026-01-01", "--to", "2026-04-15")
    assert [(row["generation"], bool(row["ended_at"])) for row in rows if row["credential"].endswith("exporter")] == [
        ("", False),
        ("1", True),
        ("2", True),
        ("3", False),
    ]

    del project.ledgers.documents[f"audit/{STACK}/00000003"]
    cut = project.run("audit", "verify")
    assert (cut.code, "segment 3 is missing: the entries in there were removed" in cut.out) == (2, True)


def test_export_is_of_whole_days_and_knows_nothing_of_later(project: Project, log: AuditLog) -> None:
    assert log.append([]).segment == 2
    [only] = exported(project, "--from", "2026-01-05", "--to", "2026-01-05")
    assert (only["rotated_at"], only["ended_at"]) == ("2026-01-05 09:02:00", "")
    assert exported(project, "--from", "2026-01-06", "--to", "2026-04-04") == []
    [ended] = exported(project, "--from", "2026-04-12", "--to", "2026-04-12")
    assert (ended["rotated_at"], ended["ended_at"]) == ("2026-01-05 09:02:00", "2026-04-12 09:00:00")
    assert project.run("audit", "export", "--from", "2026-02-01", "--to", "2026-01-01").code == 1
    assert project.run("audit", "export", "--from", "soon", "--to", "2026-01-01").code == 1


def test_who_approved_is_read_from_the_commits_trailers(
    project: Project, log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = "Warehouse lead <warehouse-lead@example.com>", "Security lead <security-lead@example.com>"
    message = f"Merge rotation\n\nApproved-by: {first}\nReviewed-by: {second}\n"
    commit = repository(project.root, monkeypatch, message)
    for number, of in enumerate((commit, f"{commit}+dirty", "b" * 40, "--output=/tmp/x", "unknown"), 10):
        author = Author("runner", "billing-lead@example.com", of)
        log.append([entry(number, identity=f"{STACK}/app-{number}", step="settle", author=author)])
    rows = exported(project, "--from", "2026-01-05", "--to", "2026-01-05")
    assert [row["approved_by"] for row in rows if "app-" in row["credential"]] == [
        f"{first}, {second}",
        *["unknown"] * 4,
    ]


HOSTILE = (
    '=HYPERLINK("http://evil.example")|`<img src=x onerror=alert(1)>`|\\| [x](javascript:1) @all\r\n\x1b]0;x\x07\u202e'
)


def test_a_client_named_like_a_formula_or_html_stays_text(project: Project, log: AuditLog) -> None:
    names = [f"{lead}{HOSTILE}" for lead in ("", "+", "-", "@", " =", "\t=", "\u200b=", "\uff1d")]
    author = Author(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    log.append(
        [
            entry(50 + n, identity=name, owner=name, words=name, evidence=name, fingerprint=name, author=author)
            for n, name in enumerate(names)
        ]
    )
    rows = exported(project, "--from", "2026-01-05", "--to", "2026-01-05")
    assert len(rows) == 1 + len(names)
    for cell in (cell for row in rows for cell in row.values()):
        assert not cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d")), cell
        assert cell.isprintable(), cell

    written = project.run("audit", "export", "--from", "2026-01-05", "--to", "2026-01-05", "--format", "markdown").out
    table = [line for line in written.splitlines() if line.startswith("|")]
    assert len(table) == 3 + len(names)
    for row in table[2:]:
        assert row.count("|") == 15
        outside = "".join(row.split("`")[::2])
        assert set(outside) <= {"|", " "}, outside


def test_an_export_goes_into_a_file_and_says_what_is_missing(project: Project, log: AuditLog) -> None:
    remember(project, log)
    words = ("audit", "export", "--from", "2026-01-01", "--to", "2026-12-31", "--output", "evidence.md")
    answer = project.run(*words, "--format", "markdown")
    assert (answer.code, answer.out) == (0, "")
    assert "3 rows written to evidence.md" in answer.err
    assert "1 entries still wait in the ledgers" in answer.err
    text = (project.root / "evidence.md").read_text()
    assert text.startswith("# Evidence for `acme/demo`, 2026-01-01 to 2026-12-31\n")
    assert "; sound; 1 entries are not in it yet." in text
    del project.ledgers.documents[f"audit/{STACK}/00000001"]
    answer = project.run(*words, "--format", "markdown")
    assert (answer.code, "this log is not sound" in answer.err) == (2, True)
    assert "NOT sound" in (project.root / "evidence.md").read_text()


def test_it_works_when_the_stack_does_not_pass_its_checks(project: Project, log: AuditLog) -> None:
    assert log.append([]).segment == 2
    project.declare(project.client(owner="nobody"))
    assert project.run("preview").code == 1
    assert project.run("audit", "verify").code == 0


def test_wrong_words_are_errors(project: Project, tmp_path: Path) -> None:
    assert AUTHOR.door == "keysteward"
    (tmp_path / "no-key").write_text("ssh-ed25519 AAAA")
    for words, told in {
        ("--issuer", "https://ci.example"): "--issuer and --claim go together",
        ("--claim", "repository=a"): "--issuer and --claim go together",
        ("--claim", "repository"): "write it as NAME=VALUE",
        ("--trusted", "no-key"): "no-key holds no public Ed25519 key",
        ("--trusted", "missing"): "missing cannot be used",
        ("--issuer", "http://ci.example", "--claim", "sub=a:b"): "the issuer must begin with https://",
    }.items():
        answer = project.run("audit", "verify", *words)
        assert (answer.code, told in answer.err) == (1, True), answer.err


def test_entries_of_a_credential_that_another_run_works_on_are_left_to_that_run(project: Project) -> None:
    project.declare(project.api, project.client(), project.client("mailer"))
    project.run("up", "--yes")
    busy, now = project.ledger(), project.clock.now
    author = Author("other-host/1/2/3/4")
    entry = Entry("1", now, busy.identity, "verify", "verify generation 1", author)
    lease = Lease(author.runner, now + timedelta(minutes=5), "")
    key = f"ledgers/{busy.identity}"
    project.ledgers.write(key, dump_ledger(replace(busy, lease=lease, outbox=(entry,))), busy.version)
    held = project.ledgers.read(key).version

    project.run("reissue", "mailer", "--reason", "a test", "--yes")
    assert project.ledgers.read(key).version == held, "a write would take the ledger from under the other run"
    assert ("reissue", "a test") in project.entries("mailer")

    project.pass_time(minutes=6)
    project.run("reissue", "mailer", "--reason", "again", "--yes")
    assert project.ledger().outbox == ()
    assert ("verify", "verify generation 1") in project.entries()


def test_entries_that_wait_too_long_are_told_by_verify_drift_and_doctor(project: Project, log: AuditLog) -> None:
    remember(project, log)
    for words in (("audit", "verify"), ("doctor",), ("drift", "--fail-on", "warning")):
        assert "for the audit log, the oldest" not in project.run(*words).out.replace("\n", " ")
    project.pass_time(minutes=61)
    verify = project.run("audit", "verify")
    assert verify.code == 2
    assert "✗ waiting: 1 entry waits for the audit log, the oldest since 2026-01-05 09:00 UTC" in verify.out
    assert json.loads(project.run("audit", "verify", "--json").out)["waiting_since"] == "2026-01-05T09:00:00+00:00"
    doctor = project.run("doctor")
    assert (doctor.code, "1 entry waits for the audit log" in doctor.out.replace("\n", " ")) == (1, True)
    drift = json.loads(project.run("drift", "--json").out)
    [finding] = [finding for finding in drift["findings"] if finding["kind"] == "unlogged"]
    assert (finding["severity"], finding["subject"]) == ("warning", STACK)
    assert project.run("audit", "anchor", "--file", "anchors").code == 0, "what is in the log is worth an anchor"
    project.declare(project.api)
    project.run("up", "--yes")
    assert project.run("audit", "verify").code == 0
