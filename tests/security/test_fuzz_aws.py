"""Whatever answers in place of AWS, each adapter ends with its result or with an error of ours, and no list is empty.

botocore reads the answers, and is stopped just before it sends. Nothing here listens or waits.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

import pytest
from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keysteward.core.errors import KeystewardError
from keysteward.providers.aws import ApiGateway, Cognito, DynamoLedgers, Iam, SecretsManager

REGION = "eu-central-1"
URL = "https://aws.example.com"
GIVEN = {"region": REGION, "endpoint_url": URL, "admin": "env:FUZZ_KEYS"}

CALLS: dict[str, Callable[[], object]] = {
    "IAM": lambda: Iam("accounts", **GIVEN).observe(None),  # type: ignore[arg-type]
    "Cognito": lambda: Cognito(
        "pool", user_pool=f"{REGION}_abc", domain="d", endpoint_url=URL, admin="env:FUZZ_KEYS"
    ).observe(None),  # type: ignore[arg-type]
    "API Gateway": lambda: ApiGateway("plans", **GIVEN).observe(None),  # type: ignore[arg-type]
    "DynamoDB read": lambda: DynamoLedgers("ledgers", table="ledgers", **GIVEN).read("x"),  # type: ignore[arg-type]
    "DynamoDB list": lambda: DynamoLedgers("ledgers", table="ledgers", **GIVEN).list("x"),  # type: ignore[arg-type]
    "DynamoDB time": lambda: DynamoLedgers("ledgers", table="ledgers", **GIVEN).now(),  # type: ignore[arg-type]
    "secrets": lambda: SecretsManager("secrets", **GIVEN).read("apps/x", 1),  # type: ignore[arg-type]
    "secrets of a path": lambda: SecretsManager("secrets", **GIVEN).delivered(["apps/x"]),  # type: ignore[arg-type]
}
LISTS = {"IAM", "Cognito", "API Gateway", "DynamoDB read", "DynamoDB list"}

FOREIGN = (
    b"",
    b"<html><title>Log in</title></html>",
    b"5",
    b"null",
    b"[]",
    b"{}",
    b"[" * 50_000,
    b'{"Item": 5, "Items": 5, "items": {}, "UserPoolClients": null, "Users": "x", "item": [5]}',
    b"<a>" * 5_000,
    b"<?xml version='1.0'?><ListUsersResponse><ListUsersResult><Users>x</Users></ListUsersResult></ListUsersResponse>",
    b"\xff\xfe\x00",
    b"9" * 5_000,
)
STRANGE = (None, True, -1, 10**30, "", "\x00", "9999-12-31T23:59:59Z", 1e18, [], [None], {}, {"S": 5}, "[" * 5_000)
NAMES = (
    *("Item", "Items", "items", "item", "UserPoolClients", "UserPoolClient", "SecretString", "VersionId", "NextToken"),
    *("position", "LastEvaluatedKey", "Table", "SecretList", "VersionIdsToStages", "Tags", "CreatedDate", "clock"),
)


class Answers:
    def __init__(self) -> None:
        self.status, self.headers, self.body = 200, dict[str, str](), b""

    def send(self, _request: object) -> AWSResponse:
        response = AWSResponse("https://aws.example.com", self.status, self.headers, None)
        response._content = self.body
        return response


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    made = Answers()
    monkeypatch.setattr(URLLib3Session, "send", made.send)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda _self, _context: 0)
    monkeypatch.setenv("FUZZ_KEYS", "AKIAFUZZ:secret")
    return made


@pytest.mark.parametrize("name", CALLS)
def test_what_is_not_awss_is_an_error_and_never_an_empty_list(answers: Answers, name: str) -> None:
    for body in FOREIGN:
        answers.body = body
        if name in LISTS:
            with pytest.raises(KeystewardError):
                CALLS[name]()
            continue
        with suppress(KeystewardError):
            CALLS[name]()


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    document=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(STRANGE), max_size=4),
    status=st.sampled_from((200, 200, 200, 400, 403, 404, 429, 500, 503)),
    date=st.sampled_from(("", "soon", "Fri, 31 Dec 9999 23:59:59 -2359", "Tue, 01 Dec 2026 00:00:00 GMT")),
)
@pytest.mark.parametrize("name", CALLS)
def test_nothing_in_an_answer_trips_its_reader(
    answers: Answers, name: str, document: dict[str, object], status: int, date: str
) -> None:
    answers.status, answers.body = status, json.dumps(document).encode()
    answers.headers = {"x-amzn-RequestId": "r-1", "date": date}
    with suppress(KeystewardError):
        CALLS[name]()
