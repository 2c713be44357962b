"""What AWS's errors mean: one table from its codes to ours. No sentence repeats AWS's own, which may repeat a value."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from keysteward.core.errors import (
    AccessDenied,
    ClockRefused,
    Conflict,
    KeystewardError,
    NotFound,
    OutcomeUnknown,
    Rejected,
    Unavailable,
    VersionConflict,
    error_for_status,
)

CODES: Final[Mapping[str, type[KeystewardError]]] = {
    "AccessDenied": AccessDenied,
    "AccessDeniedException": AccessDenied,
    "AuthorizationError": AccessDenied,
    "UnauthorizedOperation": AccessDenied,
    "AlreadyExistsException": Conflict,
    "ConflictException": Conflict,
    "EntityAlreadyExists": Conflict,
    "ResourceExistsException": Conflict,
    "ResourceInUseException": Conflict,
    "ConditionalCheckFailedException": VersionConflict,
    "ConditionalRequestConflict": VersionConflict,
    "PreconditionFailed": VersionConflict,
    "NoSuchBucket": NotFound,
    "NoSuchEntity": NotFound,
    "NoSuchKey": NotFound,
    "NotFoundException": NotFound,
    "ResourceNotFoundException": NotFound,
    "RequestExpired": ClockRefused,
    "RequestTimeTooSkewed": ClockRefused,
    "LimitExceededException": Rejected,
}
"""AWS's error codes over all services. A code that stands nowhere here means what its HTTP status does."""

THROTTLED: Final = frozenset(
    {
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Codes that ask to slow down: nothing was done."""

BAD_CREDENTIALS: Final = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""Codes for a credential that AWS does not know, or no longer."""

KMS: Final = frozenset(
    {"DecryptionFailure", "EncryptionFailure", "KMSAccessDeniedException", "KMSInvalidStateException"}
)
"""Codes of services whose key in KMS cannot be used."""

NO_CREDENTIALS: Final = frozenset(
    {
        "CredentialRetrievalError",
        "MetadataRetrievalError",
        "NoAuthTokenError",
        "NoCredentialsError",
        "PartialCredentialsError",
        "ProfileNotFound",
        "SSOTokenLoadError",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
    }
)
"""botocore's own errors when it finds no credentials, or none that are whole."""

NOT_SENT: Final = frozenset({"ConnectTimeoutError", "EndpointConnectionError", "ProxyConnectionError", "SSLError"})
UNSENDABLE: Final = frozenset(
    {"EndpointProviderError", "InvalidRegionError", "NoRegionError", "ParamValidationError", "UnknownEndpointError"}
)
"""botocore's own errors when nothing left this machine. Whatever else it raises leaves the outcome open."""


def denied(message: str) -> AccessDenied:
    """Return the error of a credential that cannot be used."""
    return AccessDenied(message, operation="sign in to AWS")


def foreign(name: str, action: str, on: str, *, writes: bool) -> KeystewardError:
    """Return the error of an answer that AWS never gives."""
    kind = OutcomeUnknown if writes else Unavailable
    return kind(
        f"{name}: the answer to {action} on {on} is not AWS's: check proxies, and endpoint_url where it is set",
        operation=f"{action} {on}",
    )


def was_throttled(error: BaseException) -> bool:
    """Say whether AWS asked to slow down, before it did anything; a failure of the server itself leaves that open."""
    answer = getattr(error, "response", None)
    if not isinstance(answer, dict):
        return False
    code = answer.get("Error", {}).get("Code")
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", HTTPStatus.BAD_REQUEST))
    slow_down = code in THROTTLED or status == HTTPStatus.TOO_MANY_REQUESTS
    return slow_down and status < HTTPStatus.INTERNAL_SERVER_ERROR


def translated(
    error: Exception,
    name: str,
    action: str,
    on: str,
    credential: str,
    *,
    told: Mapping[str, KeystewardError],
    writes: bool,
) -> KeystewardError:
    """Return our error for one of boto3's; `action` is as IAM writes it ("secretsmanager:GetSecretValue")."""
    answer = getattr(error, "response", None)
    if not isinstance(answer, dict) or "Error" not in answer:
        return _unanswered(type(error).__name__, name, action, on, credential, writes=writes)
    code = str(answer["Error"].get("Code"))
    about = answer.get("ResponseMetadata", {})
    failure = told.get(code)
    if failure is None and getattr(error, "operation_name", "") == "AssumeRole" and code in CODES:
        failure = AccessDenied(
            f"{name}: {credential} may not be assumed: grant sts:AssumeRole on it, and name who assumes it in its "
            "trust policy"
        )
    if failure is None:
        key = code in KMS or (code in CODES and "KMS" in str(answer["Error"].get("Message")))
        status = int(about.get("HTTPStatusCode", HTTPStatus.BAD_REQUEST))
        failure = _refused("KMS" if key else code, status, name, action, on, credential, writes=writes)
    failure.operation = failure.operation or f"{action} {on}"
    failure.request_id = about.get("RequestId")
    return failure


def _refused(
    code: str, status: int, name: str, action: str, on: str, credential: str, *, writes: bool
) -> KeystewardError:
    if code == "KMS":
        return AccessDenied(
            f"{name}: the KMS key of {on} cannot be used: enable it, and grant kms:Decrypt and kms:GenerateDataKey"
        )
    if code in BAD_CREDENTIALS:
        return AccessDenied(f"{name}: AWS does not accept {credential} ({code}): give a new credential")
    if code in THROTTLED or status == HTTPStatus.TOO_MANY_REQUESTS:
        return Unavailable(f"{name}: AWS asks to slow down ({code}): run again later")
    return _sentence(CODES.get(code) or error_for_status(status), code, name, action, on, credential, writes=writes)


def _sentence(
    kind: type[KeystewardError], code: str, name: str, action: str, on: str, credential: str, *, writes: bool
) -> KeystewardError:
    if kind is AccessDenied:
        return AccessDenied(f"{name}: {credential} may not {action} on {on}: grant it, or lift what denies it")
    if kind is NotFound:
        return NotFound(f"{name}: {on} is not there: create it, or correct its name and the region")
    if kind is ClockRefused:
        return ClockRefused(f"{name}: AWS finds this machine's clock off ({code}): set it right")
    if kind is Unavailable and writes:
        return OutcomeUnknown(
            f"{name}: AWS failed at {action} on {on} ({code}): run again, the run finds out what was done"
        )
    if kind is Unavailable:
        return Unavailable(f"{name}: AWS failed at {action} on {on} ({code}): run again later")
    if kind is VersionConflict:
        return VersionConflict(f"{name}: {on} was changed by another run: read it again")
    if kind is Conflict:
        return Conflict(f"{name}: {on} exists already, or is in use ({code}): decide who owns it")
    return Rejected(f"{name}: AWS refused {action} on {on} ({code}): its event in CloudTrail says why")


def _unanswered(kind: str, name: str, action: str, on: str, credential: str, *, writes: bool) -> KeystewardError:
    operation = f"{action} {on}"
    if kind in NO_CREDENTIALS:
        return AccessDenied(
            f"{name}: no AWS credentials ({credential}: {kind}): set them up, or name others in the declaration",
            operation=operation,
        )
    if kind in UNSENDABLE:
        return Rejected(f"{name}: {action} on {on} cannot be sent ({kind}): correct the settings", operation=operation)
    if writes and kind not in NOT_SENT:
        return OutcomeUnknown(
            f"{name}: no answer to {action} on {on}: run again, the run finds out what was done", operation=operation
        )
    return Unavailable(f"{name}: AWS cannot be reached ({kind}): check network, proxy and region", operation=operation)
