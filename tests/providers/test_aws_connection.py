"""AWS refuses, slows down, loses answers; credentials in every form; and what boto3's own logs would show."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from aws_server import ACCOUNT, REGION, ROOT_KEY, SECRET_KEY, AwsServer, Fault
from botocore.exceptions import ClientError

from keysteward.core.errors import (
    AccessDenied,
    ClockRefused,
    Conflict,
    DeclarationError,
    KeystewardError,
    NotFound,
    OutcomeUnknown,
    Rejected,
    Unavailable,
    VersionConflict,
)
from keysteward.providers.aws import DynamoLedgers, SecretsManager
from keysteward.providers.aws.connection import AwsClient, Connection
from keysteward.providers.aws.failures import translated
from keysteward.testing.store_world import PATH, at, deliver, entry, secret, text_of

ROLE = f"arn:aws:iam::{ACCOUNT}:role/keysteward"
KEYS = f"{ROOT_KEY}:{SECRET_KEY}"
CANARY = "canary-8d1f0a63b7c2"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is found but what a test sets up."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("CONFIG_FILE", "SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(f"AWS_{name}", str(tmp_path / name))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("RUNNER", KEYS)


@pytest.fixture
def page() -> Iterator[str]:
    """Answer every call with a page, as a proxy does that wants somebody to log in."""

    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"<html><body>{CANARY}<br></body>".encode())

        def log_message(self, *_args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def store(aws: AwsServer, admin: str | None = "env:RUNNER", **settings: str) -> SecretsManager:
    return SecretsManager("secrets", region=REGION, endpoint_url=aws.url, admin=admin, **settings)  # type: ignore[arg-type]


def failure(aws: AwsServer, admin: str | None = "env:RUNNER") -> KeystewardError:
    """Return what a write ends with."""
    with pytest.raises(KeystewardError) as refused:
        store(aws, admin).stage(PATH, entry(1, CANARY), secret(CANARY))
    shown = "".join(traceback.format_exception(refused.value))
    assert CANARY not in shown
    assert SECRET_KEY not in shown
    assert "message-canary" not in shown, "AWS's own words may repeat what was sent"
    return refused.value


class TestCredentials:
    @pytest.mark.parametrize("reference", ["env:KEYS", "file:{folder}/keys", "profile:prod", None])
    def test_every_form_of_reference_works(
        self, aws: AwsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str | None
    ) -> None:
        aws.known = {"AKIAOURS000000000000"}
        keys = f"AKIAOURS000000000000:{SECRET_KEY}:token/with+signs=="
        monkeypatch.setenv("KEYS", keys)
        (tmp_path / "keys").write_text(f"{keys}\n", encoding="utf-8")
        name = "default" if reference is None else "prod"
        profile = f"[{name}]\naws_access_key_id = AKIAOURS000000000000\naws_secret_access_key = {SECRET_KEY}\n"
        (tmp_path / "SHARED_CREDENTIALS_FILE").write_text(profile, encoding="utf-8")
        deliver(store(aws, reference and reference.format(folder=tmp_path)), 1, "one")
        assert aws.counted["secretsmanager:CreateSecret"] == 2

    def test_a_role_is_assumed_by_what_boto3_finds(self, aws: AwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", ROOT_KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        aws.client("iam").create_role(RoleName="keysteward", AssumeRolePolicyDocument="{}")
        runner = AwsClient(Connection("aws", REGION, aws.url), f"role:{ROLE}", field="admin", access="runner")
        assert runner.whoami() == f"arn:aws:sts::{ACCOUNT}:assumed-role/keysteward/keysteward-runner"
        aws.known = {ROOT_KEY}
        assert isinstance(failure(aws, f"role:{ROLE}"), AccessDenied), "the key of the role is another one"

    def test_a_role_without_anybody_to_assume_it_is_named(self, aws: AwsServer) -> None:
        error = failure(aws, f"role:{ROLE}")
        assert isinstance(error, AccessDenied)
        assert f"no AWS credentials to assume {ROLE} with" in str(error)

    def test_no_credentials_are_one_sentence(self, aws: AwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
        error = failure(aws, None)
        assert isinstance(error, AccessDenied)
        assert "no AWS credentials (what boto3 finds by itself: NoCredentialsError)" in str(error)
        assert "no AWS credentials (profile:none: ProfileNotFound)" in str(failure(aws, "profile:none"))
        monkeypatch.setenv("RUNNER", "only-one-part")
        assert 'must hold "ACCESS_KEY_ID:SECRET_ACCESS_KEY"' in str(failure(aws))
        monkeypatch.delenv("RUNNER")
        assert "environment variable RUNNER is not set" in str(failure(aws))
        assert aws.calls == []

    def test_a_value_in_place_of_a_reference_is_refused_and_not_repeated(self) -> None:
        for reference in (KEYS, SECRET_KEY, "vault:x", "profile:"):
            with pytest.raises(DeclarationError, match="must be a reference such as") as refused:
                SecretsManager("secrets", region=REGION, reader=reference)
            assert SECRET_KEY not in str(refused.value)
        with pytest.raises(DeclarationError, match="names no role"):
            SecretsManager("secrets", region=REGION, admin="role:keysteward")
        with pytest.raises(DeclarationError, match='write it as "eu-central-1"'):
            DynamoLedgers("ledgers", region="Frankfurt")

    def test_without_boto3_it_says_what_to_install(self, aws: AwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "boto3", None)
        assert "pip install 'keysteward[aws]'" in str(failure(aws))


class TestErrors:
    def test_a_right_that_is_missing_is_named(self, aws: AwsServer) -> None:
        aws.policies[ROOT_KEY] = {"Version": "2012-10-17", "Statement": []}
        error = failure(aws)
        assert isinstance(error, AccessDenied)
        wanted = "env:RUNNER may not secretsmanager:GetSecretValue on keysteward/staged/apps/billing: grant it"
        assert wanted in str(error)
        assert error.request_id == "request-7"

    def test_an_unknown_key_is_named(self, aws: AwsServer) -> None:
        aws.known = set()
        assert "AWS does not accept env:RUNNER (UnrecognizedClientException)" in str(failure(aws))

    @pytest.mark.parametrize(
        ("code", "status", "kind", "words"),
        [
            ("ThrottlingException", 400, Unavailable, "asks to slow down"),
            ("DecryptionFailure", 400, AccessDenied, "the KMS key of keysteward/staged/apps/billing cannot be used"),
            ("RequestExpired", 400, ClockRefused, "clock off"),
            ("LimitExceededException", 400, Rejected, "CloudTrail says why"),
            ("InternalServiceError", 500, OutcomeUnknown, "the run finds out what was done"),
        ],
    )
    def test_each_code_says_what_to_do(
        self, aws: AwsServer, code: str, status: int, kind: type[KeystewardError], words: str
    ) -> None:
        aws.faults.append(Fault("secretsmanager:CreateSecret", code, status, times=9))
        error = failure(aws)
        assert type(error) is kind
        assert words in str(error)

    def test_what_can_be_repeated_is_repeated(self, aws: AwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("time.sleep", lambda _seconds: None)
        aws.faults.append(Fault("secretsmanager:GetSecretValue", "ThrottlingException", times=2))
        aws.faults.append(Fault("secretsmanager:CreateSecret", "InternalServiceError", 500))
        store(aws).stage(PATH, entry(1, "one"), secret("one"))
        assert aws.counted == {"secretsmanager:GetSecretValue": 3, "secretsmanager:CreateSecret": 2}

    def test_a_move_without_an_answer_is_left_to_the_next_run(self, aws: AwsServer) -> None:
        mine = store(aws)
        deliver(mine, 1, "one")
        aws.calls.clear()
        aws.faults.append(Fault("secretsmanager:UpdateSecretVersionStage"))
        with pytest.raises(OutcomeUnknown):
            deliver(mine, 2, "two")
        assert aws.counted["secretsmanager:UpdateSecretVersionStage"] == 1
        deliver(mine, 2, "two")
        assert text_of(mine, 1) == "one"
        assert text_of(mine, 2) == "two"
        assert at(mine).staged == ()

    @pytest.mark.parametrize(
        ("code", "status", "sent"),
        [("ThrottlingException", 400, 3), ("Unheard", 429, 3), ("SlowDown", 503, 1), ("InternalServerError", 500, 1)],
    )
    def test_what_must_not_be_done_twice_is_sent_again_only_when_it_was_not_done(
        self, aws: AwsServer, monkeypatch: pytest.MonkeyPatch, code: str, status: int, sent: int
    ) -> None:
        monkeypatch.setattr("time.sleep", lambda _seconds: None)
        aws.make_table()
        ledgers = store(aws).ledgers()
        aws.calls.clear()
        aws.faults.append(Fault("dynamodb:PutItem", code, status, times=2))
        if sent > 1:
            assert ledgers.write("ledgers/x", {"a": 1}, 0) == 1
        else:
            with pytest.raises((OutcomeUnknown, Unavailable)):
                ledgers.write("ledgers/x", {"a": 1}, 0)
        assert aws.counted["dynamodb:PutItem"] == sent

    def test_a_call_that_got_lost_after_it_was_throttled_is_not_sent_again(
        self, aws: AwsServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("time.sleep", lambda _seconds: None)
        aws.make_table()
        ledgers = store(aws).ledgers()
        aws.calls.clear()
        aws.faults += [Fault("dynamodb:PutItem", "ThrottlingException"), Fault("dynamodb:PutItem")]
        with pytest.raises(OutcomeUnknown):
            ledgers.write("ledgers/x", {"a": 1}, 0)
        assert aws.counted["dynamodb:PutItem"] == 2

    def test_a_ledger_write_without_an_answer_is_sent_once(self, aws: AwsServer) -> None:
        aws.make_table()
        ledgers = store(aws).ledgers()
        aws.faults.append(Fault("dynamodb:PutItem"))
        with pytest.raises(OutcomeUnknown):
            ledgers.write("ledgers/x", {"a": 1}, 0)
        assert aws.counted["dynamodb:PutItem"] == 1
        assert ledgers.read("ledgers/x").version == 1
        with pytest.raises(VersionConflict, match="ledgers/x was written by another run"):
            ledgers.write("ledgers/x", {"a": 2}, 0)

    def test_nobody_there_is_unavailable(self) -> None:
        nobody = DynamoLedgers("ledgers", region=REGION, endpoint_url="http://127.0.0.1:9", admin="env:RUNNER")
        with pytest.raises(Unavailable, match="AWS cannot be reached"):
            nobody.write("ledgers/x", {}, 0)

    def test_a_parameter_that_cannot_be_sent_is_not_repeated(self, aws: AwsServer) -> None:
        client = AwsClient(Connection("aws", REGION, aws.url), "env:RUNNER", field="admin", access="runner")
        with pytest.raises(Rejected, match="cannot be sent") as refused:
            client.write("secretsmanager", "PutSecretValue", "x", {"SecretId": "x", "SecretString": [CANARY]})
        assert CANARY not in "".join(traceback.format_exception(refused.value))

    @pytest.mark.parametrize("writes", [True, False])
    def test_a_page_of_a_proxy_is_no_answer_and_is_not_repeated(self, page: str, *, writes: bool) -> None:
        client = AwsClient(Connection("aws", REGION, page), "env:RUNNER", field="admin", access="runner")
        call = client.write if writes else client.read
        with pytest.raises(KeystewardError) as refused:
            call("iam", "ListAccessKeys", "user exporter", {"UserName": "exporter"})
        assert type(refused.value) is (OutcomeUnknown if writes else Unavailable)
        assert CANARY not in "".join(traceback.format_exception(refused.value))

    @pytest.mark.parametrize(
        ("code", "operation", "status", "kind", "words"),
        [
            ("Unheard", "GetUser", 404, NotFound, "user exporter is not there"),
            ("Unheard", "GetUser", 503, Unavailable, "AWS failed at iam:GetUser on user exporter (Unheard)"),
            ("Unheard", "GetUser", 429, Unavailable, "slow down"),
            ("EntityAlreadyExists", "GetUser", 409, Conflict, "user exporter exists already, or is in use"),
            ("ConditionalCheckFailedException", "GetUser", 400, VersionConflict, "changed by another run"),
            ("AccessDenied", "AssumeRole", 403, AccessDenied, "env:RUNNER may not be assumed: grant sts:AssumeRole"),
            ("AccessDeniedException", "GetUser", 400, AccessDenied, "the KMS key of user exporter cannot be used"),
        ],
    )
    def test_a_code_of_any_service_finds_its_class(
        self, code: str, operation: str, status: int, kind: type[KeystewardError], words: str
    ) -> None:
        """Of a code in no table the status decides."""
        told = "Access to KMS is not allowed" if "KMS" in words else CANARY
        answer = {"Error": {"Code": code, "Message": told}, "ResponseMetadata": {"HTTPStatusCode": status}}
        refused = ClientError(answer, operation)
        error = translated(refused, "aws", "iam:GetUser", "user exporter", "env:RUNNER", told={}, writes=False)
        assert type(error) is kind
        assert words in str(error)
        assert told not in str(error)


class TestLogs:
    def test_boto3s_debug_log_shows_nothing_whatever_is_set(
        self, aws: AwsServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        """With every level at debug before the first call and, by somebody else, again after it."""
        caplog.set_level(logging.DEBUG)
        caplog.set_level(logging.DEBUG, logger="keysteward")
        mine = store(aws)
        deliver(mine, 1, f"{CANARY}-1")
        for name in list(logging.root.manager.loggerDict):
            if name.startswith(("botocore", "boto3", "urllib3")):
                caplog.set_level(logging.DEBUG, logger=name)
        deliver(mine, 2, f"{CANARY}-2")
        assert text_of(store(aws), 2) == f"{CANARY}-2"
        assert "operation=promote generation=2 outcome=done" in caplog.text
        for hidden in (CANARY, SECRET_KEY, "SecretString", "Signature="):
            assert hidden not in caplog.text
