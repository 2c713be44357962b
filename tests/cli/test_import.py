"""What exists at a target becomes declarations that adopt it: the next preview shows marks, up writes nothing else."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml as pyyaml
from cli_project import Answer, Project
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from keysteward import Allowed, Governed, Owners
from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.observed import Mark, ObservedScope, Settings
from keysteward.core.declare.credentials import NAME, Declaration
from keysteward.core.drift.importing import readable
from keysteward.host.strict_yaml import read_text
from keysteward.modules.catalog_schema import shipped
from keysteward.modules.catalog_writer import catalog_text
from keysteward.testing.memory import MemoryObject, MemorySecret, MemoryStore, MemoryTarget

TODAY = datetime.now(UTC).date()
IN_90_DAYS = TODAY + timedelta(days=90)
LOGIN = frozenset({"authorization_code"})
STACK = """from project_in_memory import project

from keysteward.modules.catalog import catalog

corp, secrets = project.target, project.store
read = catalog("stacks/demo", targets=[corp], stores=[secrets])
stack = project.stack_of(*read)
"""
OWNERS = "# who answers\nteams:\n  team-billing: {contact: billing@example.com}\n"
ALLOW_OR_END = "allow it until a day, or end it at the target"
LEFT_OUT = "keysteward import leaves it out, since it"
HOSTILE = "\u202evil\x1b[31m: *x\n- !!python/object {{ name }}"


class Tenant(Project):
    """A project whose stack declares nothing yet, and a target with what others made."""

    more: Mapping[str, Any]

    def start(self) -> None:
        self.more = {}
        self.owners = "stacks/owners.yaml"
        (self.root / self.owners).write_text(OWNERS, encoding="utf-8")
        self.held.project = self  # type: ignore[attr-defined]
        (self.root / "stacks" / "demo.py").write_text(STACK, encoding="utf-8")
        (self.root / "stacks" / "demo").mkdir()
        self.target.scopes = {
            "invoices:read": ObservedScope("s1", "invoices:read", "Read", "https://billing.example.com"),
            "invoices:write": ObservedScope("s2", "invoices:write", "", "https://billing.example.com"),
            "profile": ObservedScope("s3", "profile", "Name", built_in=True),
            "odd": ObservedScope("s4", "odd", "No audience"),
        }

    def stack_of(self, *declared: Declaration) -> object:
        self.declare(*declared, **self.more)
        return self.stack

    def make(self, client_id: str, method: str = "client_secret", **settings: object) -> MemoryObject:
        """Make a client by other means."""
        given: dict[str, Any] = {
            "description": f"Does the {client_id} work",
            "safeguards": {"fullScopeAllowed": "true"},
            **settings,
        }
        item = MemoryObject(f"uuid-{len(self.target.objects)}", client_id, Settings(method, **given), None)
        if method in {"client_secret", "private_key_jwt", "tls_client_auth"}:
            slot = "key" if method == "private_key_jwt" else "primary"
            item.secrets = [
                MemorySecret("kid" if slot == "key" else slot, f"value of {client_id}", slot, self.clock.now)
            ]
        self.target.objects[item.remote_id] = item
        return item

    def files(self, folder: str = "stacks/demo/imported") -> dict[str, Any]:
        """Return what every written file says, by its name."""
        found = {}
        for path in sorted((self.root / folder).glob("*.yaml")):
            found[path.name] = read_text(path.read_text(encoding="utf-8"), path.name).value
        return found

    def world(self) -> dict[str, Any]:
        """Return everything at the target but its marks."""
        return {
            **{
                i: (o.client_id, o.settings, o.enabled, [s.value for s in o.secrets])
                for i, o in self.target.objects.items()
            },
            **{n: (s.description, s.audience) for n, s in self.target.scopes.items()},
        }


@pytest.fixture
def tenant(project: Project) -> Tenant:
    project.__class__ = Tenant
    assert isinstance(project, Tenant)
    project.can(safeguards={"fullScopeAllowed": "false"})
    project.start()
    return project


def adopt_everything(tenant: Tenant) -> tuple[Answer, Answer]:
    """Preview and run; what was there must be there as it was."""
    before = tenant.world()
    preview = tenant.run("preview", "--json")
    assert preview.code == 0, preview.err
    for item in [*json.loads(preview.out)["credentials"], *json.loads(preview.out)["resource_servers"]]:
        words = item["words"]
        assert all(part.split()[0] in {"adopt", "mark"} for part in words.split("; ")), words
        assert item["action"] == "adopt"
    assert tenant.run("up", "--yes").code == 0
    again = tenant.run("up", "--yes")
    assert again.code == 0
    assert tenant.world() == before
    assert tenant.target.calls.count("update") == 0
    assert not {"issue", "create", "retire", "delete", "suspend"} & set(tenant.target.calls)
    settled = tenant.run("preview", "--expect-no-changes")
    assert settled.code == 0, settled.out
    return preview, again


def test_what_exists_is_written_and_the_next_run_writes_marks_only(tenant: Tenant) -> None:
    tenant.make("billing-exporter", scopes=frozenset({"invoices:read", "profile", "odd"}), token_lifetime=600)
    tenant.make("billing-importer", optional_scopes=frozenset({"invoices:write"}), description="")
    tenant.make("billing-importer-2")
    tenant.make("billing-web", grants=LOGIN)
    tenant.make("keys", "private_key_jwt")
    tenant.make("spa", "none", grants=LOGIN)
    tenant.make("legacy", "saml", grants=frozenset())
    tenant.make("mutual", "tls_client_auth")
    tenant.make("off").enabled = False
    done = tenant.run("import", "corp")
    assert done.code == 0, done.err
    told = done.out
    assert "7 declarations for target corp written to stacks/demo/imported" in told
    assert "1 resource_servers, 5 m2m_clients, 1 client_secrets" in told
    assert "left out, has no secret (public, bearer-only or SAML): 2: legacy, spa" in told
    assert "left out, authenticates by tls_client_auth, which cannot be declared: 1: mutual" in told
    assert "scopes that stay as they are, since no API of yours is known for them: odd, profile" in told
    assert f"stacks/owners.yaml says unassigned_until: {IN_90_DAYS}" in told
    assert "let the stack read them" not in told, "the stack reads that folder already"
    assert (tenant.root / "stacks/owners.yaml").read_text(
        encoding="utf-8"
    ) == f"{OWNERS}unassigned_until: {IN_90_DAYS}\n"
    files = tenant.files()
    assert sorted(files) == ["billing.yaml", "other.yaml", "resource-servers.yaml"]
    assert files["resource-servers.yaml"]["resource_servers"] == {
        "billing.example.com": {
            "audience": "https://billing.example.com",
            "scopes": {"invoices:read": "Read", "invoices:write": ""},
            "adopt": True,
        }
    }
    assert files["billing.yaml"]["defaults"] == {
        "target": "corp",
        "owner": "UNASSIGNED",
        "environment": "production",
        "deliver_to": "secrets:imported/{name}",
        "rotation": {"every": "180d"},
    }
    assert files["billing.yaml"]["m2m_clients"] == {
        "billing-exporter": {
            "adopt": "billing-exporter",
            "purpose": "Does the billing-exporter work",
            "access": {"billing.example.com": ["invoices:read"]},
            "token_lifetime": "10m",
            "accept_gap": True,
        },
        "billing-importer": {
            "adopt": "billing-importer",
            "purpose": "Imported; what it is for is not known yet",
            "optional_access": {"billing.example.com": ["invoices:write"]},
            "accept_gap": True,
        },
        "billing-importer-2": {
            "adopt": "billing-importer-2",
            "purpose": "Does the billing-importer-2 work",
            "accept_gap": True,
        },
    }
    assert files["billing.yaml"]["client_secrets"]["billing-web"]["client"] == "billing-web"
    assert files["other.yaml"]["m2m_clients"]["keys"]["auth_method"] == "private_key_jwt"
    for path in (tenant.root / "stacks/demo/imported").glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# yaml-language-server: $schema=../../../catalog.schema.json\n# Imported on ")
        assert Draft202012Validator(json.loads(shipped("catalog"))).is_valid(files[path.name])
    adopt_everything(tenant)
    assert tenant.target.objects["uuid-0"].mark is not None
    again = tenant.run("import", "corp")
    assert "0 declarations" in again.out
    assert sorted(tenant.files()) == sorted(files)


def test_what_is_wide_stays_a_finding_once_it_is_declared(tenant: Tenant) -> None:
    wide = {"grants": LOGIN | {"client_credentials", "password"}, "token_lifetime": 86_400}
    tenant.make("crm", scopes=frozenset({"admin:*", "profile"}), **wide)
    tenant.make("job", scopes=frozenset({"admin:*"}), grants=frozenset({"client_credentials"}))
    imported = tenant.run("import", "corp")
    assert imported.code == 0, imported.err
    assert tenant.run("up", "--yes").code == 0

    def told(*names: str) -> dict[str, list[tuple[str, str]]]:
        out = tenant.run("drift", "--json").out
        found: dict[str, list[tuple[str, str]]] = {name: [] for name in names}
        for finding in json.loads(out)["findings"]:
            if finding["rule"] in {"KS015", "KS016"} or finding["kind"] in {"outdated grant", "too wide"}:
                found[finding["subject"].removeprefix("acme/demo/")].append((finding["severity"], finding["message"]))
        return found

    both = [
        ("warning", "fullScopeAllowed is true; for a machine's client it should be false"),
        ("warning", "scope 'admin:*' is a wildcard"),
    ]
    first = told("crm", "job")
    assert sorted(first["job"]) == both
    assert sorted(first["crm"]) == [
        both[0],
        ("warning", "its tokens live 1d; the rule is 1h at most"),
        ("warning", "people's passwords pass through it (grant password, which RFC 9700, section 2.4, rules out)"),
        both[1],
    ]
    entries = {e["name"]: e for e in json.loads(tenant.run("inventory", "--json").out)["entries"]}
    assert entries["crm"]["scopes"] == ["admin:*", "profile"]
    assert "KS016" in {finding["rule"] for finding in entries["crm"]["findings"]}

    assert "2 times: crm, job" in (shown := tenant.run("inventory").out)
    assert "run: keysteward reissue NAME --grace" in shown

    tenant.more = {"levels": {"KS016": "off", "KS015": "error"}}
    second = told("crm", "job")
    assert second["job"] == both[:1]
    assert ("error", "its tokens live 1d; the rule is 1h at most") in second["crm"]

    path = tenant.root / "stacks/demo/imported/other.yaml"
    waiver = f"waivers: [{{rule: KS016, reason: moves, approved_by: team-billing, until: {IN_90_DAYS}}}]"
    path.write_text(path.read_text("utf-8").replace("    client: crm\n", f"    client: crm\n    {waiver}\n"), "utf-8")
    tenant.more = {}
    third = told("crm", "job")
    words = f"scope 'admin:*' is a wildcard (waived until {IN_90_DAYS} by team-billing: moves)"
    assert ("note", words) in third["crm"]
    assert both[1] in third["job"]


def test_whatever_is_wrong_in_a_catalog_file_is_told_with_its_own_line(tenant: Tenant) -> None:
    tenant.make("job")
    assert tenant.run("import", "corp").code == 0
    path = tenant.root / "stacks/demo/imported/other.yaml"
    text = path.read_text("utf-8")
    line = text.splitlines().index("  job:") + 1

    path.write_text(text.replace("owner: UNASSIGNED", "owner: nobody"), "utf-8")
    told = tenant.run("preview").err
    assert told.startswith(
        f"error: stacks/demo/imported/other.yaml, line {line}: M2MClient 'job': owner: 'nobody' is not"
    )
    path.write_text(text.replace("purpose:", "purpos:"), "utf-8")
    told = tenant.run("preview").err
    assert told.startswith("error: stacks/demo/imported/other.yaml, line ")
    assert "m2m_clients.job: purpos: is not a field here; did you mean purpose?" in told


def test_a_target_of_an_allowance_is_looked_at_where_nothing_is_declared(tenant: Tenant) -> None:
    tenant.make("left-alone")
    tenant.make("stranger")
    left = Allowed(["left-*"], target=tenant.target, owner="team-billing", reason="Ends soon", until=IN_90_DAYS)
    tenant.more = {"allowed": [left]}
    look = tenant.run("drift", "--json")
    assert look.code == 2, look.err
    found = {(f["kind"], f["subject"]) for f in json.loads(look.out)["findings"]}
    assert ("unmanaged", "corp: stranger") in found
    assert not any("left-alone" in subject for _, subject in found)


def test_what_is_somebodys_is_left_out(tenant: Tenant) -> None:
    tenant.make("ours-elsewhere").mark = Mark("other/stack/x", "n")
    tenant.make("left-alone")
    tenant.make("new")
    tenant.can(tags_objects=True)
    tenant.more = {
        "allowed": [
            Allowed(["left-*"], target=tenant.target, owner="team-billing", reason="Ends soon", until=IN_90_DAYS)
        ]
    }
    done = tenant.run("import", "corp", "--json")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert [(e["section"], e["name"]) for e in document["entries"]] == [("m2m_clients", "new")]
    assert {s["id"]: s["why"] for s in document["skipped"]} == {
        "left-alone": "is allowed",
        "ours-elsewhere": "is declared as other/stack/x, by another stack",
    }


def test_a_copy_of_what_is_ours_is_left_out_and_called_one(tenant: Tenant) -> None:
    tenant.can(tags_objects=True)
    job = tenant.make("job")
    assert tenant.run("import", "corp").code == 0
    adopt_everything(tenant)
    tenant.make("copy").mark = job.mark
    skipped = {s["id"]: s["why"] for s in json.loads(tenant.run("import", "corp", "--json").out)["skipped"]}
    assert skipped["copy"] == "carries a copy of the mark of another one; find out whose it is"


def advised(tenant: Tenant) -> dict[str, str]:
    """Return what drift says to do about each thing that nobody declares."""
    found = json.loads(tenant.run("drift", "--json").out)["findings"]
    return {f["subject"].removeprefix("corp: "): f["mend"] for f in found if f["kind"] == "unmanaged"}


def test_drift_advises_an_import_for_what_an_import_takes_and_for_nothing_else(tenant: Tenant) -> None:
    tenant.more = {"watched": [tenant.target]}
    tenant.target.logs_in_as = frozenset({"runner"})  # type: ignore[attr-defined]
    tenant.make("job")
    tenant.make("web", grants=LOGIN)
    tenant.make("runner")
    tenant.make("mutual", "tls_client_auth")
    tenant.make("federated").secrets = []
    tenant.make("spa", "none")
    tenant.make("admin-cli").built_in = True
    document = json.loads(tenant.run("import", "corp", "--dry-run", "--json").out)
    told = advised(tenant)
    taken = {entry["id"] for entry in document["entries"]}
    assert taken == {"job", "web"}
    assert {name for name, mend in told.items() if mend.startswith("declare it (keysteward import corp)")} == taken
    assert told == dict.fromkeys(taken, "declare it (keysteward import corp), " + ALLOW_OR_END) | {
        "runner": f"allow it until a day; {LEFT_OUT} is what keysteward itself logs in with",
        "mutual": f"{ALLOW_OR_END}; {LEFT_OUT} authenticates by tls_client_auth, which cannot be declared",
        "federated": f"{ALLOW_OR_END}; {LEFT_OUT} has neither a secret nor a key",
        "spa": f"{ALLOW_OR_END}; {LEFT_OUT} has no secret (public, bearer-only or SAML)",
        "admin-cli": f"allow it until a day, or take its service account away at the target; {LEFT_OUT} is built in",
    }
    listed = json.loads(tenant.run("inventory", "--json").out)["entries"]
    assert {e["name"]: f["mend"] for e in listed for f in e["findings"] if f["kind"] == "unmanaged"} == told


def test_a_name_that_a_declared_client_will_need_is_not_given_to_another(tenant: Tenant) -> None:
    tenant.held.job = tenant.client("job", auth_method="client_secret", alternate_clients=True)  # type: ignore[attr-defined]
    source = tenant.root / "stacks" / "demo.py"
    source.write_text(STACK.replace("*read", "*read, __import__('project_in_memory').job"), encoding="utf-8")
    tenant.make("job-2")
    assert tenant.run("import", "corp").code == 0
    assert list(tenant.files()["other.yaml"]["m2m_clients"]) == ["job-2-2"]
    assert tenant.files()["other.yaml"]["m2m_clients"]["job-2-2"]["adopt"] == "job-2"


def test_only_what_is_selected_is_written_and_grouped_as_chosen(tenant: Tenant) -> None:
    for name in ("a-1", "a-2", "b.1", "b.2"):
        tenant.make(name)
    tenant.make("a-web", grants=LOGIN)
    shown = tenant.run("import", "corp", "--select", "a-*", "--dry-run", "--json")
    assert [file["path"] for file in json.loads(shown.out)["files"]] == ["stacks/demo/imported/a.yaml"]
    assert json.loads(shown.out)["written"] is False
    assert tenant.files() == {}
    assert (tenant.root / "stacks/owners.yaml").read_text(encoding="utf-8") == OWNERS
    by_kind = tenant.run(
        "import", "corp", "--group-by", "kind", "--into", "stacks/demo/new", "--environment", "staging"
    )
    assert by_kind.code == 0, by_kind.err
    assert sorted(tenant.files("stacks/demo/new")) == ["machines.yaml", "other.yaml"]
    assert tenant.files("stacks/demo/new")["machines.yaml"]["defaults"]["environment"] == "staging"


def test_a_pattern_that_fits_nothing_is_an_error_that_says_what_there_is(tenant: Tenant) -> None:
    for name in ("billing-exporter", "billing-web", "etl"):
        tenant.make(name)
    tenant.make("spa", "none")
    wrong = tenant.run("import", "corp", "--select", "etl", "--select", "biling-exp*")
    assert (wrong.code, wrong.out, tenant.files()) == (1, "", {})
    fits_nothing = "fits nothing at target corp; "
    assert wrong.err == f"error: --select: 'biling-exp*' {fits_nothing}did you mean billing-exporter, billing-web?\n"
    wrong = tenant.run("import", "corp", "--select", "crm", "--json")
    assert (wrong.code, wrong.out) == (1, "")
    told = "to import there are billing-exporter, billing-web, etl"
    assert wrong.err == f"error: --select: 'crm' {fits_nothing}{told}\n"
    left = tenant.run("import", "corp", "--select", "spa")
    assert left.code == 0
    assert "left out, has no secret (public, bearer-only or SAML): 1: spa" in left.out
    tenant.target.objects.clear()
    assert tenant.run("import", "corp", "--select", "*").err.endswith("there is nothing to import\n")


def test_files_that_are_there_are_never_overwritten(tenant: Tenant) -> None:
    tenant.make("a-1")
    tenant.make("a-2")
    assert tenant.run("import", "corp").code == 0
    before = (tenant.root / "stacks/demo/imported/a.yaml").read_bytes()
    tenant.make("a-3")
    tenant.make("a-4")
    assert tenant.run("import", "corp").code == 0
    assert (tenant.root / "stacks/demo/imported/a.yaml").read_bytes() == before
    assert list(tenant.files()["a-2.yaml"]["m2m_clients"]) == ["a-3", "a-4"]
    adopt_everything(tenant)


def test_a_folder_that_the_stack_does_not_read_is_told_and_not_written_twice(tenant: Tenant) -> None:
    source = tenant.root / "stacks" / "demo.py"
    source.write_text(
        STACK.replace("read = catalog(", "read = list(").replace(
            'list("stacks/demo", targets=[corp], stores=[secrets])', "()"
        ),
        encoding="utf-8",
    )
    tenant.make("a-1", scopes=frozenset({"invoices:read"}))
    first = tenant.run("import", "corp")
    assert first.code == 0, first.err
    assert '*catalog("stacks/demo/imported", targets=[corp], stores=[secrets])' in first.out
    tenant.make("a-2", scopes=frozenset({"invoices:read"}))
    second = tenant.run("import", "corp")
    assert "1 declaration for" in second.out, second.err
    assert "left out, is in the folder already: 1: a-1" in second.out
    source.write_text(STACK.replace("stacks/demo", "stacks/demo/imported"), encoding="utf-8")
    adopt_everything(tenant)


HOSTILE_IDS = [
    HOSTILE,
    "billing exporter",
    "billing-exporter",
    "Billing-Exporter",
    "..",
    "--yes",
    "ünïcödé",
    "日本",
    "yes",
    "null",
    "1e3",
    "0o17",
    "2027-01-31",
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "x" * 255,
    "{name}",
    "uuid-3",
    " spaces ",
    "tab\there",
]


def test_hostile_names_and_descriptions_are_taken_as_text(tenant: Tenant) -> None:
    for client_id in HOSTILE_IDS:
        tenant.make(client_id, description=f"{client_id} # {HOSTILE}")
    done = tenant.run("import", "corp")
    assert done.code == 0, done.err
    written = [client for file in tenant.files().values() for client in file["m2m_clients"].items()]
    assert len(written) == len(HOSTILE_IDS)
    for name, fields in written:
        assert NAME.fullmatch(name)
        for text in (name, *[v for v in fields.values() if isinstance(v, str)]):
            assert not [c for c in text if unicodedata.category(c) in {"Cc", "Cf"}]
    for text in (done.out, done.err):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert dict(written)["yes"]["adopt"] == "yes"
    adopt_everything(tenant)
    marks = {item.client_id: item.mark.identity for item in tenant.target.objects.values() if item.mark is not None}
    assert set(marks) == set(HOSTILE_IDS)
    assert marks["uuid-3"] != marks[HOSTILE_IDS[3]], "a client named after another's id is not taken for it"


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=60), max_size=3), st.text(max_size=60))
def test_any_text_is_read_back_as_it_was_written(texts: list[str], key: str) -> None:
    texts = [text for text in texts if text.isprintable()]
    key = key if key.isprintable() else "key"
    sections = {"m2m_clients": {"a": {"purpose": texts, "access": {key: texts}}}}
    text = catalog_text(sections, {"owner": "x"}, schema="s", about=[key])
    assert read_text(text, "x").value == {"defaults": {"owner": "x"}, **sections}
    assert pyyaml.safe_load(text) == {"defaults": {"owner": "x"}, **sections}, "the same for a reader of YAML 1.1"


@given(st.text())
def test_a_name_is_made_of_any_text_or_of_none(text: str) -> None:
    name = readable(text)
    assert not name or NAME.fullmatch(name)


KEYS = Capabilities(("api_key",), secrets=100, named_keys=True, tags_secrets=True, chooses="server", suspends=True)


def test_keys_are_written_with_holder_and_last_day_and_left_as_they_are(tenant: Tenant) -> None:
    tenant.target.key_capabilities = KEYS
    tenant.target.hold("org-1")
    held = tenant.target.objects["org-1"].secrets
    held.append(MemorySecret("key-1", "v1", "key", tenant.clock.now, "Partner key"))
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=400)
    held.append(MemorySecret("key-2", "v2", "key", tenant.clock.now, "Partner key", expires_at=ends))
    held.append(MemorySecret("key-3", "v3", "key", tenant.clock.now, "customers-own"))
    tenant.more = {}
    governed = Governed(
        "theirs", target=tenant.target, owner="team-billing", purpose="Keys of customers", keys="customers-*"
    )
    tenant.held.governed = governed  # type: ignore[attr-defined]
    source = tenant.root / "stacks" / "demo.py"
    source.write_text(STACK.replace("*read", "*read, __import__('project_in_memory').governed"), encoding="utf-8")
    done = tenant.run("import", "corp", "--until", f"{TODAY + timedelta(days=30)}")
    assert done.code == 0, done.err
    assert "1 key shows no last day; look at expires of Partner-key" in done.out
    assert "left out, is governed: 1: key-3" in done.out
    keys = tenant.files()["partner.yaml"]["api_keys"]
    assert keys["Partner-key"]["expires"] == f"{TODAY + timedelta(days=730)}"
    assert keys["Partner-key-2"] == {
        "holder": "org-1",
        "adopt": "key-2",
        "purpose": "Imported; what it is for is not known yet",
        "expires": f"{ends.date()}",
        "classification": {
            "permanent_exception": {
                "justification": "Imported; why it is no M2M client is not known yet",
                "risk_accepted_by": "UNASSIGNED",
                "review_by": f"{TODAY + timedelta(days=30)}",
            }
        },
    }
    adopt_everything(tenant)


def test_a_holder_whose_keys_carry_no_name_gets_one_declaration(tenant: Tenant) -> None:
    tenant.target.key_capabilities = Capabilities(("api_key",), secrets=2, suspends=True, last_use="secret")
    tenant.target.hold("svc")
    tenant.target.objects["svc"].secrets += [MemorySecret(f"AKIA{n}", f"v{n}", "key", tenant.clock.now) for n in (1, 2)]
    done = tenant.run("import", "corp")
    assert done.code == 0, done.err
    why = "belongs to a holder whose other key is declared; one declaration rotates both"
    assert f"left out, {why}: 1: AKIA2" in done.out
    adopt_everything(tenant)
    assert advised(tenant) == {"AKIA2": f"{ALLOW_OR_END}; {LEFT_OUT} {why}"}


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "an unknown target": (("nowhere",), "'nowhere' is no target of this stack; it has corp"),
    "an unknown store": (
        ("corp", "--deliver-to", "vault:a/{name}"),
        "'vault' is no store of this stack; it has secrets",
    ),
    "one place for all": (("corp", "--deliver-to", "secrets:a"), "the path must hold {name}"),
    "no path": (("corp", "--deliver-to", "secrets:../{name}"), "'../name' is not a path"),
    "a folder elsewhere": (("corp", "--into", "../x"), "--into: ../x is no folder inside of the project"),
    "a day that is over": (("corp", "--until", "2026-01-31"), "--until (2026-01-31) is over"),
    "no state": (("corp", "--terraform-state", "none.tfstate"), "none.tfstate: it cannot be read"),
    "no grouping": (
        ("corp", "--group-by", "colour"),
        "--group-by: 'colour' is none of prefix, kind, method, audience, holder",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_meant_is_one_sentence_and_writes_nothing(what: str, tenant: Tenant) -> None:
    words, sentence = REFUSED[what]
    tenant.make("a")
    done = tenant.run("import", *words)
    assert done.code == 1
    assert sentence in done.err
    assert tenant.files() == {}
    assert (tenant.root / "stacks/owners.yaml").read_text(encoding="utf-8") == OWNERS


def test_the_environment_and_the_store_must_be_known(tenant: Tenant) -> None:
    tenant.make("a")
    tenant.can(environments=("test",))
    wrong = tenant.run("import", "corp", "--environment", "production")
    assert "--environment: target corp serves test, not 'production'" in wrong.err
    assert tenant.run("import", "corp", "--dry-run").code == 0, "where there is one environment, nothing is asked"
    tenant.held.more = MemoryStore("more")  # type: ignore[attr-defined]
    source = tenant.root / "stacks" / "demo.py"
    source.write_text(STACK + "from project_in_memory import more\n", encoding="utf-8")
    assert (
        "--deliver-to: say in which store (it has more, secrets)"
        in tenant.run("import", "corp", "--environment", "test").err
    )


def test_a_day_in_the_owners_file_stands_and_one_that_is_over_stops(tenant: Tenant) -> None:
    tenant.make("a")
    day = TODAY + timedelta(days=10)
    owners = tenant.root / "stacks/owners.yaml"
    owners.write_text(OWNERS + f"unassigned_until: {day}\n", encoding="utf-8")
    done = tenant.run("import", "corp", "--until", f"{TODAY + timedelta(days=300)}", "--json")
    assert json.loads(done.out)["unassigned_until"] == str(day)
    assert owners.read_text(encoding="utf-8") == OWNERS + f"unassigned_until: {day}\n"
    tenant.make("b")
    owners.write_text(OWNERS + "unassigned_until: 2026-01-31\n", encoding="utf-8")
    assert "unassigned_until of the owners file (2026-01-31) is over" in tenant.run("import", "corp").err


def test_owners_that_stand_in_python_are_left_to_a_person(tenant: Tenant) -> None:
    tenant.make("a")
    tenant.owners = Owners.model_validate({"teams": {"team-billing": {"contact": "b@example.com"}}})
    done = tenant.run("import", "corp")
    assert (
        f"write unassigned_until=date({IN_90_DAYS.year}, {IN_90_DAYS.month}, {IN_90_DAYS.day}) into Owners(...)"
        in done.out
    )
    (tenant.root / "stacks/owners.yaml").write_text(
        "{teams: {team-billing: {contact: b@example.com}}}\n", encoding="utf-8"
    )
    tenant.owners = "stacks/owners.yaml"
    tenant.make("b")
    done = tenant.run("import", "corp")
    assert done.code == 1


SECRET = "tf-plaintext-secret"
STATE = {
    "version": 4,
    "terraform_version": "1.9.0",
    "resources": [
        {
            "mode": "managed",
            "type": "keycloak_openid_client",
            "name": "web",
            "module": "module.logins",
            "instances": [
                {
                    "index_key": "shop",
                    "attributes": {"client_id": "web-shop", "id": "x", "realm_id": "prod", "client_secret": SECRET},
                }
            ],
        },
        {
            "mode": "managed",
            "type": "auth0_client",
            "name": "job",
            "instances": [{"attributes": {"client_id": "job", "client_secret": SECRET}}, {"attributes": None}, 7],
        },
        {
            "mode": "managed",
            "type": "aws_iam_access_key",
            "name": "k",
            "instances": [{"attributes": {"id": "key-1", "secret": SECRET}}],
        },
        {
            "mode": "data",
            "type": "auth0_client",
            "name": "other",
            "instances": [{"attributes": {"client_id": "other"}}],
        },
        {
            "mode": "managed",
            "type": "random_password",
            "name": "p",
            "instances": [{"attributes": {"id": "other", "result": SECRET}}],
        },
        "odd",
    ],
}


@pytest.fixture
def state(tenant: Tenant) -> Callable[..., Path]:
    def write(document: object) -> Path:
        path = tenant.root / "prod.tfstate"
        path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        return path

    return write


def test_what_terraform_manages_keeps_everything_but_its_secret(tenant: Tenant, state: Callable[..., Path]) -> None:
    tenant.target.key_capabilities = KEYS
    tenant.target.hold("org-1")
    tenant.target.objects["org-1"].secrets.append(MemorySecret("key-1", "v1", "key", tenant.clock.now))
    for name in ("web-shop", "job", "other"):
        tenant.make(name)
    shown = tenant.run("import", "corp", "--terraform-state", str(state(STATE)), "--skip-terraform", "--dry-run")
    assert (
        'web-shop: managed by Terraform as module.logins.keycloak_openid_client.web["shop"] (prod.tfstate): left out'
        in shown.out
    )
    assert "left out, managed by Terraform: 3" in shown.out
    done = tenant.run("import", "corp", "--terraform-state", str(state(STATE)))
    assert done.code == 0, done.err
    assert (
        "job: managed by Terraform as auth0_client.job (prod.tfstate): written as client_secrets, only its secret"
        in done.out
    )
    assert (
        "key-1: managed by Terraform as aws_iam_access_key.k (prod.tfstate): left out, since the key itself" in done.out
    )
    files = tenant.files()
    sections = {
        name: section for file in files.values() for section, e in file.items() if section != "defaults" for name in e
    }
    assert sections == {"web-shop": "client_secrets", "job": "client_secrets", "other": "m2m_clients"}
    texts = [path.read_text(encoding="utf-8") for path in tenant.root.rglob("*.yaml")]
    assert SECRET not in "".join([done.out, done.err, shown.out, *texts])
    adopt_everything(tenant)
    assert tenant.target.objects["uuid-1"].mark is None, "not even a mark is written to it"


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("{", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ([], "it is no state of version 4"),
        ({"version": 3, "modules": []}, "it is no state of version 4"),
        ({"encrypted_data": "x", "version": 4}, "the state is encrypted; pull it into a file: tofu state pull"),
    ],
)
def test_what_is_no_state_file_is_said(
    document: object, sentence: str, tenant: Tenant, state: Callable[..., Path]
) -> None:
    tenant.make("a")
    done = tenant.run("import", "corp", "--terraform-state", str(state(document)))
    assert done.code == 1
    assert sentence in done.err
    assert tenant.files() == {}


def test_a_client_of_another_realm_is_not_taken_for_this_one(
    tenant: Tenant, state: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.make("web-shop")
    descriptor = tenant.target.descriptor
    other = replace(descriptor, settings={**descriptor.settings, "realm": "test"})
    monkeypatch.setattr(MemoryTarget, "descriptor", other)
    done = tenant.run("import", "corp", "--terraform-state", str(state(STATE)), "--dry-run")
    assert done.code == 0, done.err
    assert "managed by Terraform" not in done.out
