"""One connection to AWS for every adapter: credentials, time-outs and retries, errors in our words.

boto3 is an optional extra (`pip install 'keysteward[aws]'`), imported by the first call. botocore's debug log holds
whole requests and replies, secrets included: from the first call on it is kept silent, whatever levels are set.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Literal

from pydantic import SecretStr
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from keysteward.core.contract.address import check_address, is_here
from keysteward.core.errors import DeclarationError, KeystewardError
from keysteward.host.foreign_json import in_reach
from keysteward.host.once import once
from keysteward.host.pool import CALLS_AT_ONCE
from keysteward.host.references import resolve
from keysteward.providers.aws.failures import denied, foreign, translated, was_throttled

log = logging.getLogger(__name__)

Access = Literal["reader", "runner"]

CONNECT_TIMEOUT_SECONDS: Final = 5
READ_TIMEOUT_SECONDS: Final = 30
CALL_TIMEOUT: Final = timedelta(seconds=45)
"""After this long a call without answer cannot succeed any more: both time-outs and some slack."""

ATTEMPTS: Final = 3
"""How often a call is sent: one that can be repeated as botocore decides, any other only after "slow down"."""

LONGEST_PAUSE_SECONDS: Final = 2
"""With the pauses between, `ATTEMPTS` stay within the slack of every CALL_TIMEOUT: "slow down" is answered at once."""

_UNDONE: Final = Retrying(
    stop=stop_after_attempt(ATTEMPTS),
    wait=wait_random_exponential(max=LONGEST_PAUSE_SECONDS),
    retry=retry_if_exception(was_throttled),
    reraise=True,
)
"""Sends again what AWS did not do; botocore would send again what may have been done."""

BY_VERB: Final = frozenset({"apigateway"})
"""Services whose actions are the verbs of HTTP (Service Authorization Reference)."""

REQUEST_ID: Final = "RequestId"
"""AWS gives every answer one; botocore takes what has none, such as a proxy's page, for an answer that is empty."""

_SCHEMES: Final = ("profile", "role", "env", "file")
_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
_REGION: Final = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-\d")
_SILENCED: Final = ("botocore", "boto3", "s3transfer", "urllib3")


@dataclass(frozen=True, slots=True)
class Connection:
    """Where to call; no credential. `endpoint_url` takes the place of AWS's own addresses, which all speak TLS."""

    name: str
    region: str
    endpoint_url: str | None = None

    def __post_init__(self) -> None:
        if not _REGION.fullmatch(self.region):
            raise DeclarationError(f'{self.name}: region is {self.region!r}; write it as "eu-central-1"')
        if self.endpoint_url:
            check_address(self.endpoint_url, field=f"{self.name}: endpoint_url")

    @property
    def settings(self) -> dict[str, Any]:
        """Return the settings that are not at their defaults."""
        endpoint = {"endpoint_url": self.endpoint_url} if self.endpoint_url else {}
        return {"name": self.name, "region": self.region, **endpoint}


class Answer(dict[str, Any]):
    """An answer of AWS. What is asked of it by `[]` must be there, else it is no answer: that is an error of ours."""

    failure: KeystewardError

    @classmethod
    def of(cls, members: Mapping[str, Any], failure: KeystewardError) -> Answer:
        """Return an answer whose objects, inner ones too, raise this error for what they lack."""
        answer = cls({name: _answered(value, failure) for name, value in members.items()})
        answer.failure = failure
        return answer

    def __missing__(self, name: str) -> Any:  # noqa: ANN401 - it always raises
        raise self.failure


def _answered(value: Any, failure: KeystewardError) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return Answer.of(value, failure)
    if isinstance(value, datetime):
        return in_reach(value)
    return [_answered(item, failure) for item in value] if isinstance(value, list) else value


class AwsClient:
    """One credential's way to AWS. Threads may share it.

    `reference` is None (what boto3 finds by itself: environment, profile, the role of the machine or job),
    "profile:NAME" of the AWS configuration, "role:ARN" (assumed with what boto3 finds, renewed by itself), or
    "env:NAME" and "file:/path", which hold "ACCESS_KEY_ID:SECRET_ACCESS_KEY" and perhaps ":SESSION_TOKEN". `value` is
    such a pair itself, of a key that is to be proven.
    """

    def __init__(
        self,
        connection: Connection,
        reference: str | None,
        *,
        field: str,
        access: Access,
        value: SecretStr | None = None,
    ) -> None:
        self.connection = connection
        self._value = value
        self.reference = None if reference is None else checked(reference, f"{connection.name}: {field}")
        self._access = access
        self._lock = threading.Lock()
        self._session: Any = None
        self._clients: dict[tuple[str, bool], Any] = {}

    def __repr__(self) -> str:
        return f"AwsClient({self.connection.name!r}, {self.reference!r})"

    def read(
        self,
        service: str,
        operation: str,
        on: str,
        parameters: Mapping[str, Any],
        *,
        told: Mapping[str, KeystewardError] | None = None,
    ) -> dict[str, Any]:
        """Send one call that changes nothing, several times if need be. `on` is what it is about, for errors.

        `told` says what AWS's error codes mean here, where the table says it less well.
        """
        return self._call(service, operation, on, parameters, told or {}, writes=False, repeat=True)

    def write(
        self,
        service: str,
        operation: str,
        on: str,
        parameters: Mapping[str, Any],
        *,
        repeat: bool = False,
        told: Mapping[str, KeystewardError] | None = None,
    ) -> dict[str, Any]:
        """Send one call that changes something. `repeat`: AWS itself takes the same call twice for one.

        A call that was throttled was not done, and is sent again. Raises OutcomeUnknown when the answer was lost.
        """
        return self._call(service, operation, on, parameters, told or {}, writes=True, repeat=repeat)

    def whoami(self) -> str:
        """Return the ARN that AWS knows this credential by (`sts:GetCallerIdentity`, which needs no right)."""
        return str(self.read("sts", "GetCallerIdentity", "this credential", {})["Arn"])

    @property
    def credential(self) -> str:
        """Return how a sentence names this credential."""
        found = "the given access key" if self._value is not None else "what boto3 finds by itself"
        return self.reference or found

    def accepted(self, service: str, operation: str) -> frozenset[str]:
        """Return the parameters that an operation takes, by the description of the installed botocore."""
        self._check_installed()
        described = self._client(service, repeat=True).meta.service_model.operation_model(operation)
        return frozenset(described.input_shape.members)

    def _call(
        self,
        service: str,
        operation: str,
        on: str,
        parameters: Mapping[str, Any],
        told: Mapping[str, KeystewardError],
        *,
        writes: bool,
        repeat: bool,
    ) -> dict[str, Any]:
        failure: KeystewardError
        self._check_installed()
        from botocore import xform_name  # noqa: PLC0415 - an optional extra, there by now
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
        from botocore.parsers import ResponseParserError  # noqa: PLC0415

        try:
            client = self._client(service, repeat=repeat)
            send = getattr(client, xform_name(operation))
            answer: dict[str, Any] = send(**parameters) if repeat else _UNDONE(send, **parameters)
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            failure = translated(
                error,
                self.connection.name,
                self._right(service, operation),
                on,
                self.credential,
                told=told,
                writes=writes,
            )
        except KeystewardError:
            raise
        except Exception as error:  # noqa: BLE001 - botocore's parsers trip over answers in ways of their own
            log.debug("connection=%s operation=%s outcome=%s", self.connection.name, operation, type(error).__name__)
            failure = foreign(self.connection.name, self._right(service, operation), on, writes=writes)
        else:
            failure = foreign(self.connection.name, self._right(service, operation), on, writes=writes)
            if REQUEST_ID in answer["ResponseMetadata"]:
                return Answer.of(answer, failure)
        # outside the handler: a traceback would show the error above, and its text may repeat what was sent
        raise failure

    def _right(self, service: str, operation: str) -> str:
        """Return the action that IAM's policies know a call by: the verb where the service has no others."""
        client = self._clients.get((service, True)) or self._clients.get((service, False))
        if service not in BY_VERB or client is None:
            return f"{service}:{operation}"
        return f"{service}:{client.meta.service_model.operation_model(operation).http['method']}"

    def _check_installed(self) -> None:
        try:
            import boto3  # noqa: F401, PLC0415 - an optional extra
        except ImportError:
            raise DeclarationError(
                f"{self.connection.name}: AWS needs boto3, which is not installed; pip install 'keysteward[aws]'"
            ) from None

    def _client(self, service: str, *, repeat: bool) -> Any:  # noqa: ANN401 - boto3 has no types
        with self._lock:
            if (service, repeat) not in self._clients:
                self._session = self._session or self._opened()
                self._clients[service, repeat] = self._session.client(service, **self._options(repeat=repeat))
                silence()
            return self._clients[service, repeat]

    def _options(self, *, repeat: bool) -> dict[str, Any]:
        from botocore.config import Config  # noqa: PLC0415 - an optional extra, there by now

        config = Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            max_pool_connections=2 * CALLS_AT_ONCE,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS if repeat else 1},
        )
        endpoint = self.connection.endpoint_url
        if endpoint and is_here(endpoint):
            config = config.merge(Config(proxies={}))  # none, whatever the environment says
        return {"config": config, "endpoint_url": endpoint}

    def _opened(self) -> Any:  # noqa: ANN401 - boto3 has no types
        import boto3  # noqa: PLC0415 - an optional extra, there by now

        silence()
        scheme, _, rest = (self.reference or "").partition(":")
        if scheme == "role":
            return self._assuming(rest)
        if scheme == "profile":
            return boto3.Session(profile_name=rest, region_name=self.connection.region)
        keys = self._keys() if scheme or self._value is not None else {}
        return boto3.Session(region_name=self.connection.region, **keys)

    def _keys(self) -> dict[str, str | None]:
        name, reference = self.connection.name, self.reference or ""
        found = resolve(reference, purpose=name) if self._value is None else self._value
        value = found.get_secret_value()
        key_id, separator, rest = value.partition(":")
        secret, _, token = rest.partition(":")
        if not separator or not key_id or not secret:
            raise denied(f'{name}: {reference} must hold "ACCESS_KEY_ID:SECRET_ACCESS_KEY", or a session token behind')
        return {
            "aws_access_key_id": key_id,
            "aws_secret_access_key": secret,
            "aws_session_token": token or None,
        }

    def _assuming(self, role: str) -> Any:  # noqa: ANN401 - boto3 has no types
        import boto3  # noqa: PLC0415 - an optional extra, there by now
        from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials  # noqa: PLC0415
        from botocore.session import Session  # noqa: PLC0415

        own = Session()
        own.set_config_variable("region", self.connection.region)
        source = own.get_credentials()
        if source is None:
            raise denied(
                f"{self.connection.name}: there are no AWS credentials to assume {role} with: give some where boto3 "
                "looks (environment, profile, the role of the machine or job)"
            )
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=partial(own.create_client, **self._options(repeat=True)),
            source_credentials=source,
            role_arn=role,
            extra_args={"RoleSessionName": f"keysteward-{self._access}"},
        )
        session = Session()
        found = DeferredRefreshableCredentials(refresh_using=fetcher.fetch_credentials, method=_Assumed.METHOD)
        session.get_component("credential_provider").providers.insert(0, _Assumed(found))
        log.info("connection=%s operation=assume_role role=%s outcome=prepared", self.connection.name, role)
        return boto3.Session(botocore_session=session, region_name=self.connection.region)


@once
def connected(connection: Connection, reference: str | None, access: Access) -> AwsClient:
    """Return the one client of equal settings in this process. Raises DeclarationError for a wrong reference."""
    return AwsClient(connection, reference, field="reader" if access == "reader" else "admin", access=access)


class _Assumed:
    """A source of credentials as botocore asks for them: those of an assumed role."""

    METHOD = "assume-role"
    CANONICAL_NAME = "keysteward"

    def __init__(self, credentials: object) -> None:
        self._credentials = credentials

    def load(self) -> object:
        return self._credentials


def checked(reference: str, field: str) -> str:
    """Return the reference when it is one. Raises DeclarationError, for a value pasted in place of it too."""
    scheme, _, rest = reference.partition(":")
    if scheme not in _SCHEMES or not rest:
        raise DeclarationError(
            f'{field} must be a reference such as "role:arn:aws:iam::123456789012:role/keysteward", "profile:NAME", '
            '"env:NAME" or "file:/path", never a value'
        )
    if scheme == "role" and not _ROLE.fullmatch(rest):
        raise DeclarationError(f'{field} names no role; write it as "role:arn:aws:iam::123456789012:role/NAME"')
    return reference


def _not_debug(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.INFO


def silence() -> None:
    """Drop the debug lines of the libraries that handle whole messages: levels may be changed later, by anybody.

    A filter holds for its own logger only, so that every one has it.
    """
    for name in [*_SILENCED, *logging.root.manager.loggerDict]:
        if name.partition(".")[0] in _SILENCED:
            logging.getLogger(name).addFilter(_not_debug)
