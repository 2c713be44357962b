"""A project whose secrets and ledgers are in AWS, run by the command line: its logs, its doctor, its policies."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from aws_server import ACCOUNT, REGION, SECRET_KEY, AwsServer
from cli_project import Project

from keysteward import RotationSchedule
from keysteward.providers.aws import SecretsManager
from keysteward.testing.store_world import secret

CANARY = "canary-51e07b9d3ac4"
PATH = "apps/billing-exporter"


@pytest.fixture
def loud() -> Iterator[None]:
    """Let every logger write all it has to what the root logger shows, as a program around keysteward may do."""
    root, level = logging.getLogger(), logging.getLogger().level
    root.setLevel(logging.DEBUG)
    yield
    root.setLevel(level)


@pytest.fixture
def store(aws: AwsServer, project: Project, monkeypatch: pytest.MonkeyPatch) -> SecretsManager:
    aws.make_table()
    monkeypatch.setenv("AWS_RUNNER", aws.grant("AKIARUNNER0000000000", "runner", delivered="apps/*"))
    monkeypatch.setenv("AWS_READER", aws.grant("AKIAREADER0000000000", "reader", delivered="apps/*"))
    credentials = {"admin": "env:AWS_RUNNER", "reader": "env:AWS_READER"}
    store = SecretsManager("aws", region=REGION, endpoint_url=aws.url, **credentials)
    project.clock.now = datetime.now(UTC)  # DynamoDB's clock cannot be set
    project.ledgers = store.ledgers()  # type: ignore[assignment]
    how = {"auth_method": "client_secret", "accept_gap": True, "rotation": RotationSchedule(every="90d")}
    client = project.client(access={project.api: ["invoices:read"]}, deliver_to=store.path(PATH), **how)
    project.declare(project.api, client)
    return store


@pytest.mark.usefixtures("loud")
def test_no_log_level_shows_a_secret(
    aws: AwsServer,
    project: Project,
    store: SecretsManager,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("keysteward.operations.session.new_material", lambda _method: secret(CANARY))
    done = project.run("--log-level", "debug", "up", "--yes")
    assert done.code == 0, done.out
    shown = project.run("--log-level", "debug", "show", "billing-exporter")
    text = aws.client("secretsmanager").get_secret_value(SecretId=PATH)["SecretString"]
    assert json.loads(text)["client_secret"] == CANARY
    everything = caplog.text + done.out + done.err + shown.out + shown.err
    assert "operation=promote generation=1 outcome=done" in everything
    for hidden in (CANARY, SECRET_KEY, "SecretString", "Signature="):
        assert hidden not in everything
    assert CANARY not in json.dumps(aws.client("dynamodb").scan(TableName="keysteward")["Items"])
    assert CANARY not in json.dumps(dict(store.descriptor.settings))


@pytest.mark.usefixtures("store")
def test_doctor_asks_secrets_manager_and_the_table(project: Project) -> None:
    healthy = project.run("doctor")
    assert healthy.code == 0, healthy.out + healthy.err
    text = " ".join(healthy.out.split())
    assert "Secrets Manager in eu-central-1 answers arn:aws:sts::123456789012:" in text
    assert "table keysteward in eu-central-1 is there" in text
    assert "cannot be restored to a point in time; aws dynamodb update-continuous-backups" in text


def test_policies_are_printed_to_be_loaded(project: Project) -> None:
    words = ["--path", "apps/*", "--region", REGION, "--account", ACCOUNT]
    printed = {
        role: json.loads(project.run("policy", "aws", role, *words).out) for role in ("consumer", "reader", "runner")
    }
    allowed = {role: {a for s in p["Statement"] for a in s["Action"]} for role, p in printed.items()}
    assert allowed["consumer"] == {"secretsmanager:GetSecretValue"}
    assert "secretsmanager:GetSecretValue" not in allowed["reader"]
    assert allowed["reader"] < allowed["runner"]
    assert not {"dynamodb:DeleteItem", "dynamodb:Scan", "secretsmanager:ListSecrets"} & allowed["runner"]
    wrong = project.run("policy", "aws", "reader", *words[:-1], "acme")
    assert wrong.code == 1
    assert "it has twelve digits" in wrong.err
