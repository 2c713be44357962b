"""`keysteward inventory`: of a stack in four forms, and a first look at every kind of target without any stack."""

from __future__ import annotations

import csv
import io
import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from aws_account import Account
from aws_server import REGION
from cli_project import Answer, Project
from keycloak_realms import administrator, as_master
from workos_emulator import WorkOSEmulator

from keysteward.cli.target_options import settings_of, target_from
from keysteward.core.contract.observed import Settings
from keysteward.core.contract.ports import Action, Order
from keysteward.core.errors import DeclarationError, Unavailable
from keysteward.operations.kinds import class_of, target_kinds
from keysteward.providers.keycloak.admin import PAGE_SIZE
from keysteward.sandbox import WorkOSStandIn
from keysteward.sandbox.keycloak import KeycloakStandIn
from keysteward.testing.memory import MemoryObject

SECRET = "kv-canary-5f1c7e02d9"


@pytest.fixture
def stack(project: Project) -> Project:
    """A stack with one client that was issued, and one that somebody made by hand."""
    assert project.run("up", "--yes").code == 0
    project.target.objects["x"] = MemoryObject("x", "legacy-etl", Settings("client_secret"), None)
    project.pass_time(days=12, hours=1)
    return project


def listed(answer: Answer) -> dict[str, dict[str, Any]]:
    assert answer.out, answer.err
    return {entry["name"]: entry for entry in json.loads(answer.out)["entries"]}


# Of a stack


def test_it_lists_what_is_declared_and_what_is_not(stack: Project) -> None:
    shown = stack.run("inventory")
    assert shown.code == 0, shown.err
    assert shown.out.startswith("acme/demo: 2 credentials: 1 declared, 1 unmanaged\n")
    assert "oldest secret: 12 days (billing-exporter)" in shown.out
    assert "1 of 2 declared or governed (50 %)" in shown.out
    assert "legacy-etl" in shown.out


def test_it_answers_who_owns_it_how_it_is_scoped_and_how_it_is_revoked(stack: Project) -> None:
    found = listed(stack.run("inventory", "--json"))
    ours = found["billing-exporter"]
    assert (ours["owner"], ours["owner_state"], ours["contact"]) == ("team-billing", "active", "billing@example.com")
    assert ours["reaches"] == ["billing-api (https://billing.example.com): invoices:read"]
    assert "keysteward revoke billing-exporter --all" in ours["revoke"][0]
    assert (ours["age_days"], ours["standing"], ours["secrets"]) == (12, "declared", 1)
    theirs = found["legacy-etl"]
    assert (theirs["standing"], theirs["ownerless"]) == ("unmanaged", True)
    assert [finding["rule"] or finding["kind"] for finding in theirs["findings"]] == ["unmanaged", "KS022"]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--owner", "team-*"], ["billing-exporter"]),
        (["--owner", "nobody"], ["legacy-etl"]),
        (["--kind", "m2m-client"], ["billing-exporter", "legacy-etl"]),
        (["--kind", "api-key"], []),
        (["--finding", "unmanaged"], ["legacy-etl"]),
        (["--target", "corp"], ["billing-exporter", "legacy-etl"]),
        (["--sort", "owner"], ["billing-exporter", "legacy-etl"]),
        (["--sort", "findings"], ["legacy-etl", "billing-exporter"]),
    ],
)
def test_it_can_be_narrowed_and_sorted(stack: Project, options: list[str], names: list[str]) -> None:
    answer = stack.run("inventory", "--json", *options)
    assert answer.code == 0, answer.err
    assert list(listed(answer)) == names


def test_a_choice_says_of_how_many(stack: Project) -> None:
    assert stack.run("inventory", "--owner", "nobody").out.startswith("acme/demo: 1 of 2 credentials")


def test_files_are_written_and_the_summary_is_told(stack: Project) -> None:
    shown = stack.run("inventory", "--csv", "all.csv", "--html", "all.html")
    assert shown.code == 0, shown.err
    assert shown.err.splitlines() == ["wrote all.csv", "wrote all.html"]
    assert shown.out.startswith("acme/demo: 2 credentials")
    assert "legacy-etl" not in shown.out
    rows = list(csv.DictReader(io.StringIO(Path("all.csv").read_text(encoding="utf-8"), newline="")))
    assert [row["name"] for row in rows] == ["billing-exporter", "legacy-etl"]
    assert {Path(name).stat().st_mode & 0o777 for name in ("all.csv", "all.html")} == {0o600}
    page = Path("all.html").read_text(encoding="utf-8")
    assert "<title>Credentials of acme/demo</title>" in page
    assert "legacy-etl" in page


def test_a_file_that_cannot_be_written_is_one_sentence(stack: Project) -> None:
    wrong = stack.run("inventory", "--html", "nowhere/all.html")
    assert wrong.code == 1
    assert wrong.err == "error: --html: there is no folder nowhere; make it, or name another file\n"
    Path("taken").mkdir()
    assert "--csv: " in stack.run("inventory", "--csv", "taken").err


def test_a_link_a_pipe_and_a_folder_are_never_replaced_by_the_list(project: Project, tmp_path: Path) -> None:
    project.run("up", "--yes")
    file, link, pipe = tmp_path / "list.csv", tmp_path / "link.csv", tmp_path / "pipe.csv"
    file.touch()
    link.symlink_to(file)
    assert project.run("inventory", "--csv", str(link)).code == 0
    assert link.is_symlink()
    assert "billing-exporter" in file.read_text(encoding="utf-8")

    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert project.run("inventory", "--csv", str(pipe)).code == 0
        assert b"billing-exporter" in os.read(reader, 65_536)
    finally:
        os.close(reader)
    assert pipe.is_fifo()

    wrong = project.run("inventory", "--csv", str(tmp_path))
    assert (wrong.code, wrong.err) == (1, f"error: --csv: {tmp_path} is a folder; name a file in it\n")


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv", "all.csv"]])
def test_a_target_that_cannot_be_read_is_said_and_hides_nothing(
    stack: Project, monkeypatch: pytest.MonkeyPatch, form: list[str]
) -> None:
    def down(*_given: object) -> None:
        raise Unavailable("corp does not answer; start it, then run this again")

    monkeypatch.setattr(type(stack.target), "observe", down)
    shown = stack.run("inventory", *form)
    assert shown.code == 1
    assert "corp does not answer" in shown.out + shown.err
    said = Path("all.csv").read_text(encoding="utf-8") if "--csv" in form else shown.out
    assert "billing-exporter" in said


def test_a_target_that_is_not_there_is_no_empty_list(stack: Project) -> None:
    wrong = stack.run("inventory", "--target", "cropp")
    assert wrong.code == 1
    assert "--target fits none of corp." in wrong.err
    assert "cropp" not in wrong.err


def test_an_option_that_is_none_is_refused_and_not_repeated(stack: Project) -> None:
    for words in (["--sectre", SECRET], [SECRET], ["--target", "corp", "--url", SECRET]):
        wrong = stack.run("inventory", *words)
        assert wrong.code == 1
        assert "there is no such option, unless --target names one kind" in wrong.err
        assert SECRET not in wrong.out + wrong.err


# A first look at a Keycloak


@pytest.fixture
def keycloak() -> Iterator[KeycloakStandIn]:
    with KeycloakStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def realm(keycloak: KeycloakStandIn, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A realm with clients of others, and what looks at it with a right to read and no other."""
    as_master(keycloak.url, "POST", "", {"realm": "prod", "enabled": True})
    machine = {"serviceAccountsEnabled": True, "standardFlowEnabled": False, "publicClient": False}
    for client in (
        {"clientId": "etl", "fullScopeAllowed": True, **machine},
        {"clientId": "shop", "standardFlowEnabled": True, "publicClient": False, "secret": SECRET},
        {"clientId": "spa", "standardFlowEnabled": True, "publicClient": True, "directAccessGrantsEnabled": True},
    ):
        as_master(keycloak.url, "POST", "prod/clients", client)
    monkeypatch.setenv("KEYCLOAK_READER", administrator(keycloak.url, "prod", ("view-clients",)))
    return ["--target", "keycloak", "--url", keycloak.url, "--realm", "prod", "--reader", "env:KEYCLOAK_READER"]


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A folder without any stack."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KEYSTEWARD_STACK", raising=False)
    return Project(tmp_path)


def test_a_realm_is_listed_with_a_right_to_read_alone(nowhere: Project, realm: list[str]) -> None:
    answer = nowhere.run("inventory", *realm, "--json")
    assert answer.code == 0, answer.err
    found = listed(answer)
    document = json.loads(answer.out)
    assert (document["stack"], document["coverage"], document["failures"]) == (None, [], [])
    assert {name: (e["kind"], e["standing"]) for name, e in found.items()}.items() >= {
        "etl": ("M2M client", "unmanaged"),
        "shop": ("login client", "unmanaged"),
        "spa": ("login client", "unmanaged"),
        "account": ("login client", "built-in"),
    }.items()
    assert (found["etl"]["secrets"], found["etl"]["age_days"], found["etl"]["target"]) == (1, 0, "keycloak")
    messages = [finding["message"] for finding in found["etl"]["findings"]]
    assert "fullScopeAllowed is true; for a machine's client it should be false" in messages
    assert any("passwords" in finding["message"] for finding in found["spa"]["findings"])
    assert SECRET not in answer.out + answer.err


def test_a_realm_behind_a_mesh_is_listed_once_http_is_allowed_by_name(nowhere: Project, realm: list[str]) -> None:
    there = [word.replace("127.0.0.1", "0.0.0.0") for word in realm]  # noqa: S104 - called, not listened at
    refused = nowhere.run("inventory", *there, "--json")
    assert refused.code == 1
    assert "must begin with https://" in refused.err
    assert "or set allow_http=True where a mesh or a sidecar encrypts" in refused.err
    assert "etl" in listed(nowhere.run("inventory", *there, "--allow-http", "--json"))


def test_a_first_look_can_be_narrowed_and_written_like_any_other(nowhere: Project, realm: list[str]) -> None:
    assert list(listed(nowhere.run("inventory", "--kind", "m2m-client", *realm, "--finding", "KS022", "--json")))[:1]
    shown = nowhere.run("inventory", *realm, "--html", "look.html", "--name", "prod-realm")
    assert shown.code == 0, shown.err
    page = Path("look.html").read_text(encoding="utf-8")
    assert "<title>First look at prod-realm</title>" in page
    assert SECRET not in page
    table = nowhere.run("inventory", *realm)
    assert "etl" in table.out
    assert "without owner" not in table.out


def test_it_works_where_there_is_a_stack_too(project: Project, realm: list[str]) -> None:
    assert "etl" in listed(project.run("inventory", *realm, "--json"))
    wrong = project.run("inventory", *realm, "--stack", "demo")
    assert wrong.code == 1
    assert "--stack and the settings of a target do not go together" in wrong.err


def test_thousands_of_clients_cost_pages_and_seconds(
    nowhere: Project, keycloak: KeycloakStandIn, realm: list[str]
) -> None:
    many = 3_000
    home = keycloak.realms["prod"]
    etl = next(client for client in home.clients.values() if client.client_id == "etl")
    for number in range(many):
        copy = replace(etl, client_id=f"etl-{number:04}", id=f"id-{number:04}")
        home.clients[copy.id] = copy
    before = len(keycloak.calls)
    begun = time.process_time()  # what other processes do at the same time does not count
    answer = nowhere.run("inventory", *realm, "--json")
    seconds = time.process_time() - begun
    assert answer.code == 0, answer.err
    assert len(listed(answer)) >= many
    assert len(keycloak.calls) - before <= many / PAGE_SIZE + 5
    assert seconds < 60


# Every other kind


def test_workos_environment(nowhere: Project, workos_stand_in: WorkOSStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKOS_READER", workos_stand_in.api_key)
    organization = workos_stand_in.add_organization("Northwind")
    settings = ["--authkit-domain", workos_stand_in.url, "--client-id", workos_stand_in.client_id]
    look = ["--target", "workos", *settings, "--url", workos_stand_in.url, "--reader", "env:WORKOS_READER"]
    target = target_from("workos", look[2:])
    made = target.issue(organization, Order(Action.MINT, name="left-over"))
    found = listed(nowhere.run("inventory", *look, "--user-keys", "--json"))
    assert [(e["kind"], e["label"], e["key_ids"]) for e in found.values()] == [("API key", "Northwind", [made.id])]
    [entry] = found.values()
    assert [f["rule"] for f in entry["findings"]] == ["KS010"]


@pytest.mark.real("workos")
def test_a_server_that_lacks_calls_is_an_error_and_no_empty_list(
    nowhere: Project, workos_emulator: WorkOSEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vendor's own emulator, which has no list of an application's secrets."""
    monkeypatch.setenv("WORKOS_READER", workos_emulator.api_key)
    url, caller = workos_emulator.url, {"Authorization": f"Bearer {workos_emulator.api_key}"}
    body = {"name": "exporter", "application_type": "m2m"}
    requests.post(f"{url}/connect/applications", json=body, headers=caller, timeout=10).raise_for_status()
    settings = ["--authkit-domain", url, "--client-id", "client_any", "--url", url, "--reader", "env:WORKOS_READER"]
    shown = nowhere.run("inventory", "--target", "workos", *settings)
    assert shown.code == 1
    assert "answers 404 for what it holds" in shown.out + shown.err
    assert "0 credentials" not in shown.out


def test_iam_users(nowhere: Project, aws_account: Account) -> None:
    user = aws_account.user("svc-billing")
    aws_account.user("operator")
    made = aws_account.client("iam").create_access_key(UserName=user)["AccessKey"]
    look = ["--target", "iam", "--region", REGION, "--endpoint-url", aws_account.stand_in.url]
    answer = nowhere.run("inventory", *look, "--reader", "env:AWS_TARGETS_READER", "--users", "svc-*,bot-*", "--json")
    assert answer.code == 0, answer.err
    found = listed(answer)
    assert list(found) == [made["AccessKeyId"]]
    assert found[made["AccessKeyId"]]["label"] == "svc-billing"
    assert [f["rule"] for f in found[made["AccessKeyId"]]["findings"]] == ["KS010", "KS023"]
    assert made["SecretAccessKey"] not in answer.out + answer.err


def test_api_gateway(nowhere: Project, aws_account: Account) -> None:
    gateway = aws_account.client("apigateway")
    plan = aws_account.plan("gold")
    made = gateway.create_api_key(name="partner", value=SECRET + "-0123456789", enabled=True)
    gateway.create_usage_plan_key(usagePlanId=plan, keyId=made["id"], keyType="API_KEY")
    look = ["--target", "api-gateway", "--region", REGION, "--endpoint-url", aws_account.stand_in.url]
    answer = nowhere.run("inventory", *look, "--reader", "env:AWS_TARGETS_READER", "--json")
    assert answer.code == 0, answer.err
    assert [(e["name"], e["label"]) for e in listed(answer).values()] == [("partner", "gold")]
    assert SECRET not in answer.out + answer.err


def test_cognito(nowhere: Project, aws_account: Account) -> None:
    pool = aws_account.pool()
    client = {"UserPoolId": pool, "ClientName": "etl", "GenerateSecret": True}
    made = aws_account.client("cognito-idp").create_user_pool_client(**client)["UserPoolClient"]
    look = ["--target", "cognito", "--user-pool", pool, "--domain", "acme", "--endpoint-url", aws_account.stand_in.url]
    answer = nowhere.run("inventory", *look, "--reader=env:AWS_TARGETS_READER", "--json")
    assert answer.code == 0, answer.err
    [entry] = listed(answer).values()
    assert (entry["name"], entry["label"], entry["clients"]) == ("etl", made["ClientId"], [made["ClientId"]])
    assert entry["secrets"] == 1
    assert made["ClientSecret"] not in answer.out + answer.err


# Settings as options


def test_every_kind_takes_its_own_settings_and_no_value_of_a_credential() -> None:
    for kind, point in target_kinds().items():
        made = class_of(kind, point)
        if kind == "manual":
            with pytest.raises(
                DeclarationError, match="cannot be made from options, since probe is none; declare it in a"
            ):
                target_from(kind, ["--name", "crm"])
            continue
        settings = {setting.option for setting in settings_of(made)}
        assert {"--name", "--reader", "--admin"} <= settings
        assert not {"--reading", "--environments"} & settings
        with pytest.raises(DeclarationError) as caught:
            target_from(kind, ["--no-such-option"])
        for option in settings - {"--name"}:
            assert option in str(caught.value)
        assert "never as a value" in str(caught.value)


@pytest.mark.parametrize("word", ["unmanged", "KS999", "bad"])
def test_a_finding_that_there_is_not_is_no_empty_list(nowhere: Project, word: str) -> None:
    wrong = nowhere.run("inventory", "--finding", word)
    assert wrong.code == 1
    assert "error: --kind takes one of api-key, client-secret" in nowhere.run("inventory", "--kind", "api-kye").err
    assert wrong.err.startswith("error: --finding takes a kind of finding (docs/findings.md, such as unmanaged), ")


@pytest.mark.parametrize("asked", ["team-biling", "Team-Billing", "team-biling*"])
def test_an_owner_whom_nobody_knows_is_told_beside_an_empty_list(stack: Project, asked: str) -> None:
    shown = stack.run("inventory", "--owner", asked, "--json")
    assert (shown.code, listed(shown)) == (0, {})
    told = "warning: --owner names nobody of whom the stack or its owners file knows; "
    assert shown.err == f"{told}did you mean team-billing?\n"
    other = stack.run("inventory", "--owner", "zzz", "--owner", "team-*", "--json")
    assert list(listed(other)) == ["billing-exporter"]
    assert other.err == f"{told}there are billing-lead, nobody, team-billing\n"


@pytest.mark.parametrize("asked", ["billing-lead", "nobody", "*-lead"])
def test_an_owner_who_owns_nothing_is_no_stranger(stack: Project, asked: str) -> None:
    assert stack.run("inventory", "--owner", asked).err == ""


def test_without_a_stack_the_first_look_is_named(nowhere: Project) -> None:
    wrong = nowhere.run("inventory", "--finding", "review-overdue")
    assert wrong.code == 1
    assert (
        "or look at one target without any: --target KIND with its settings (api-gateway, cognito, iam, keycloak"
        in wrong.err
    )


def test_what_is_missing_is_said_with_all_that_can_be_given(nowhere: Project) -> None:
    wrong = nowhere.run("inventory", "--target", "keycloak")
    assert wrong.code == 1
    assert wrong.err == (
        "error: missing: --url, --realm, --reader; --target keycloak takes --url URL --realm REALM --reader env:NAME, "
        "and where needed --name, --secret-rotation, --ca, --allow-http, --admin; credentials are given by reference "
        "(env:NAME or file:/path), never as a value\n"
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--reader", SECRET], "--reader must be a reference"),
        (["--reader", f"sk_live_{SECRET}"], "--reader must be a reference"),
        (["--realm", f"sk_live_{SECRET}"], "--realm looks like a secret"),
        (["--realm", f"eyJhbGciOi.{SECRET}"], "--realm looks like a secret"),
        (["--url", f"https://reader:{SECRET}@id.example.com"], "--url looks like a secret"),
        (["--url", f"ftp://{SECRET}"], "url must be the server's address"),
        (["--url", f"http://{SECRET}.example.com"], "url must begin with https://"),
        (["--allow-http=yes"], "there is no such option"),
        (["--realm", "a", "--realm", "b"], "--realm is given more than once"),
        (["--secret-rotation=yes"], "there is no such option"),
        (["--password", SECRET], "there is no such option"),
        (["--realm"], "there is no such option"),
        ([SECRET], "there is no such option"),
    ],
)
def test_a_wrong_setting_is_one_sentence_and_never_repeated(nowhere: Project, words: list[str], expected: str) -> None:
    good = {"--url": "https://id.example.com", "--realm": "prod", "--reader": "env:KEYCLOAK_READER"}
    rest = [word for pair in good.items() if pair[0] not in words for word in pair]
    wrong = nowhere.run("inventory", "--target", "keycloak", *rest, *words)
    assert wrong.code == 1
    assert expected in wrong.err
    assert len(wrong.err.splitlines()) == 1
    assert SECRET not in wrong.out + wrong.err


def test_a_target_of_ones_own_is_named_by_its_class(nowhere: Project) -> None:
    named = ["--target", "keysteward.providers.aws:Iam", "--region", "nowhere-at-all"]
    wrong = nowhere.run("inventory", *named)
    assert "region is what was typed" in wrong.err
    for path in ("keysteward.nothing:Iam", "keysteward.providers.aws:Nothing"):
        assert "cannot be imported" in nowhere.run("inventory", "--target", path, "--region", "x").err
    assert "is no target" in nowhere.run("inventory", "--target", "pathlib:Path", "--region", "x").err


def test_a_credential_under_either_name_does() -> None:
    given = ["--url", "https://id.example.com", "--realm", "prod"]
    for option in ("--reader", "--admin"):
        target: Any = target_from("keycloak", [*given, option, "env:SOMEBODY"])
        assert (target.admin, target.reader, target.reading) == ("env:SOMEBODY", "env:SOMEBODY", True)
