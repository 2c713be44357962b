"""AWS beside Vault: ledgers in one and secrets in the other, and the reverse. One life of a key pair in each."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from aws_server import REGION, AwsServer
from company import Office, open_office

from keysteward import M2MClient
from keysteward.core.contract.ports import LedgerStore
from keysteward.providers.aws import SecretsManager
from keysteward.testing.aging import age_ledgers

IDENTITY = "acme/test/exporter"
PATH = "apps/exporter"


@pytest.fixture
def store(aws: AwsServer, monkeypatch: pytest.MonkeyPatch) -> SecretsManager:
    aws.make_table()
    aws.calls.clear()
    monkeypatch.setenv("AWS_RUNNER", aws.grant("AKIARUNNER0000000000", "runner", delivered="apps/*"))
    monkeypatch.setenv("AWS_READER", aws.grant("AKIAREADER0000000000", "reader", delivered="apps/*"))
    credentials = {"admin": "env:AWS_RUNNER", "reader": "env:AWS_READER"}
    return SecretsManager("aws", region=REGION, endpoint_url=aws.url, **credentials)


def live_through(office: Office, client: M2MClient, ledgers: LedgerStore) -> list[list[str]]:
    """Create, rotate, retire; a preview with the reader's credential before and after each. Returns what was done."""
    stack = office.stack(office.billing, client, ledgers=ledgers)
    done = []
    for days in (0, 90, 8):
        age_ledgers(stack.ledgers, stack.identity, timedelta(days=days))
        assert office.preview(stack)[IDENTITY].steps, "something is due"
        result = office.up(stack)[IDENTITY]
        done.append([step.do.value for step in result.done])
        assert not result.findings
        assert office.preview(stack)[IDENTITY].steps == (), "a preview right behind a run is empty"
    return done


def test_a_ledger_in_vault_and_a_delivery_in_aws(aws: AwsServer, store: SecretsManager, tmp_path: Path) -> None:
    with open_office(tmp_path) as office:
        done = live_through(office, office.client(deliver_to=store.path(PATH)), office.ledgers)
        assert ["promote" in steps for steps in done] == [True, True, False], done
        document = json.loads(aws.client("secretsmanager").get_secret_value(SecretId=PATH)["SecretString"])
        assert (document["identity"], document["generation"]) == (IDENTITY, 2)
        assert "previous" not in document
        assert list(aws.secrets()) == [PATH], "nothing stays staged"
        labelled = [v["version_stages"] for v in aws.secrets()[PATH].versions.values() if v["version_stages"]]
        assert [set(labels) for labels in labelled] == [{"AWSCURRENT", "AWSPENDING"}], "no label finds the old value"
        assert not any(call.startswith("dynamodb") for call in aws.calls)


def test_a_ledger_in_aws_and_a_delivery_in_vault(aws: AwsServer, store: SecretsManager, tmp_path: Path) -> None:
    with open_office(tmp_path) as office:
        done = live_through(office, office.client(), store.ledgers())
        assert ["promote" in steps for steps in done] == [True, True, False], done
        held = office.vault.delivered([PATH])[PATH]
        assert held.current is not None
        assert (held.identity, held.current.generation, held.previous) == (IDENTITY, 2, None)
        items = aws.client("dynamodb").scan(TableName="keysteward")["Items"]
        value = office.vault.read(PATH, 2)
        assert value is not None
        assert json.loads(value.value.get_secret_value())["d"] not in json.dumps(items)
        assert aws.secrets() == {}


def test_both_in_aws(store: SecretsManager, tmp_path: Path) -> None:
    with open_office(tmp_path) as office:
        done = live_through(office, office.client(deliver_to=store.path(PATH)), store.ledgers())
        assert ["promote" in steps for steps in done] == [True, True, False], done
        held = store.delivered([PATH])[PATH]
        assert held.current is not None
        assert (held.current.generation, held.previous, held.staged) == (2, None, ())
