"""AWS on loopback: moto's server, with what it lacks in front of it: rights, faults and a count of the calls."""

from __future__ import annotations

import io
import json
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import boto3
import requests
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.secretsmanager.models import secretsmanager_backends
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from keysteward.providers.aws import policy
from keysteward.providers.aws.policy import Kind

REGION = "eu-central-1"
ACCOUNT = "123456789012"
ROOT_KEY = "AKIAROOT000000000000"
SECRET_KEY = "aws-secret-canary-41c09f7e5d"
_CREDENTIAL = re.compile(r"Credential=([A-Z0-9]+)/")
_JSON = "application/x-amz-json-1.1"

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass
class Fault:
    """What the next calls of an action meet: an error code, or, without one, the loss of the answer after the work."""

    action: str
    code: str = ""
    status: int = 400
    times: int = 1


@dataclass
class AwsServer:
    """Calls by action as they came, and the policies of access keys; a key without one may do everything."""

    url: str = ""
    calls: list[str] = field(default_factory=list)
    policies: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    known: set[str] | None = None

    @property
    def counted(self) -> Counter[str]:
        return Counter(self.calls)

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 has no types
        """Return boto3's own client with every right, as somebody else would use it."""
        keys = {"aws_access_key_id": ROOT_KEY, "aws_secret_access_key": SECRET_KEY}
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, **keys)

    def reset(self) -> None:
        requests.post(f"{self.url}/moto-api/reset", timeout=10).raise_for_status()
        self.calls.clear()
        self.policies.clear()
        self.faults.clear()
        self.known = None

    def grant(self, key: str, kind: Kind, **named: str) -> str:
        """Give an access key the policy that is shipped, and no other right; returns what a reference holds."""
        self.policies[key] = json.loads(policy(kind, region=REGION, account=ACCOUNT, **named))
        return f"{key}:{SECRET_KEY}"

    def make_table(self, table: str = "keysteward") -> None:
        keys = (("ledgers", "HASH"), ("key", "RANGE"))
        self.client("dynamodb").create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        )

    def secrets(self) -> dict[str, Any]:
        """Return moto's own secrets by name, those scheduled for deletion too."""
        return dict(secretsmanager_backends[ACCOUNT][REGION].secrets)

    def everything(self) -> str:
        """Return every value that a label still finds, with all tags."""
        shown = []
        for secret in self.secrets().values():
            shown += [v["secret_string"] for v in secret.versions.values() if v["version_stages"]]
            shown.append(json.dumps(secret.tags))
        return "\n".join(shown)

    def answer(self, app: App, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if not target:
            return app(environ, start)
        service = "secretsmanager" if target.startswith("secretsmanager") else "dynamodb"
        action = f"{service}:{target.rpartition('.')[2]}"
        self.calls.append(action)
        match = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        key = match.group(1) if match else ""
        if self.known is not None and key not in self.known:
            return _refuse(start, "UnrecognizedClientException", 400)
        given = json.loads(body or b"{}")
        if key in self.policies and not allows(self.policies[key], action, given):
            return _refuse(start, "AccessDeniedException", 400)
        fault = next((f for f in self.faults if f.action == action and f.times > 0), None)
        if fault is not None:
            fault.times -= 1
        if fault is not None and fault.code:
            return _refuse(start, fault.code, fault.status)
        known = self._put_again(given) if action == "secretsmanager:PutSecretValue" else None
        if known is not None:
            return _refuse(start, known, 400) if isinstance(known, str) else _reply(start, 200, known)
        answer = list(app(environ, start))
        if action == "secretsmanager:UpdateSecretVersionStage":
            self._follow_current()
        if fault is not None:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return answer

    def _put_again(self, given: dict[str, Any]) -> dict[str, Any] | str | None:
        """Answer a version id that is there already as AWS does (API Reference): moto writes over it while pending."""
        secret = self.secrets().get(given["SecretId"])
        version = secret.versions.get(given["ClientRequestToken"]) if secret is not None else None
        if version is None:
            return None
        if version.get("secret_string") != given.get("SecretString"):
            return "ResourceExistsException"
        named = {"ARN": secret.arn, "Name": secret.name, "VersionId": given["ClientRequestToken"]}
        return {**named, "VersionStages": version["version_stages"]}

    def _follow_current(self) -> None:
        """Let moto know the current version after a move of AWSCURRENT: it asks the label only when it is named."""
        for secret in self.secrets().values():
            current = [v for v, version in secret.versions.items() if "AWSCURRENT" in version["version_stages"]]
            secret.set_default_version_id(next(iter(current), None))


def allows(policy: dict[str, Any], action: str, given: dict[str, Any]) -> bool:
    """Judge a call as IAM does, for the kind of policies that keysteward prints."""
    arn = _arn(action, given)
    for statement in policy["Statement"]:
        resources = statement["Resource"]
        resources = [resources] if isinstance(resources, str) else resources
        if action in statement["Action"] and any(fnmatchcase(arn, pattern) for pattern in resources):
            wanted = statement.get("Condition", {}).get("ForAllValues:StringEquals", {})
            return set(_leading_keys(given)) <= set(wanted.get("dynamodb:LeadingKeys", _leading_keys(given)))
    return False


def _arn(action: str, given: dict[str, Any]) -> str:
    service = action.partition(":")[0]
    if service == "dynamodb":
        return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{given['TableName']}"
    # AWS looks at the ARN of the secret, which ends in six characters of its own
    return f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{given.get('SecretId') or given.get('Name')}-a1B2c3"


def _leading_keys(given: dict[str, Any]) -> list[str]:
    found = [given[part]["ledgers"]["S"] for part in ("Key", "Item") if part in given]
    return found + [value["S"] for name, value in given.get("ExpressionAttributeValues", {}).items() if name == ":p"]


def _refuse(start: Callable[..., Any], code: str, status: int) -> Iterable[bytes]:
    return _reply(start, status, {"__type": code, "message": "AWS repeats what was sent: message-canary-2c8e"})


def _reply(start: Callable[..., Any], status: int, document: dict[str, Any]) -> Iterable[bytes]:
    start(f"{status} Answer", [("Content-Type", _JSON), ("x-amzn-RequestId", "request-7")])
    return [json.dumps(document).encode()]


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002, ANN401 - werkzeug's
        pass


@contextmanager
def serving() -> Iterator[AwsServer]:
    """Serve one call after the other: moto compares and sets without a lock."""
    server = AwsServer()
    app = DomainDispatcherApplication(create_backend_app)

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        return server.answer(app, environ, start)

    web: BaseWSGIServer = make_server("127.0.0.1", 0, answer, threaded=False, request_handler=_Quiet)
    server.url = f"http://127.0.0.1:{web.server_port}"
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        web.shutdown()
        thread.join()
        web.server_close()
