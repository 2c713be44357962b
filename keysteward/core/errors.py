"""One root error, one subclass per thing a person would do differently, one table from HTTP status to class.

A message says what happened, to which declaration or object, and what to do next.
It never holds a response body, a header or a secret.
"""

from __future__ import annotations


class KeystewardError(Exception):
    """Root of every error a user of keysteward can meet.

    `exit_code` is what the command line answers with; subclasses do not change it, so 1 is always "an error"
    and 2 stays free for "findings".
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        target: str | None = None,
        operation: str | None = None,
        credential: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.target = target
        self.operation = operation
        self.credential = credential
        self.request_id = request_id

    def __str__(self) -> str:
        parts = [self.message]
        if self.credential and self.credential not in self.message:
            parts.insert(0, f"{self.credential}:")
        context = [f"{key}={value}" for key, value in (("target", self.target), ("operation", self.operation)) if value]
        if self.request_id:
            context.append(f"request_id={self.request_id}")
        if context:
            parts.append(f"[{' '.join(context)}]")
        return " ".join(parts)


class DeclarationError(KeystewardError):
    """The declaration is wrong: edit it. Raised before any call."""


class AccessDenied(KeystewardError):
    """A credential of ours is missing, wrong or lacks a right: give it, or grant the right the message names."""


class NotFound(KeystewardError):
    """A realm, mount or object that must exist does not: correct the setting or create it."""


class Conflict(KeystewardError):
    """Somebody else holds the name, the place or the version: decide who owns it. Nothing was changed."""


class VersionConflict(Conflict):
    """A compare-and-set lost against another writer: read again and plan again."""


class Unavailable(KeystewardError):
    """Down, sealed, throttled, TLS broken or timed out before anything was done: repair it, then run again."""


class OutcomeUnknown(KeystewardError):
    """A write was sent and no answer came. Never retried blindly: the next run finds out what happened."""


class Rejected(KeystewardError):
    """The vendor refused the request for good: its reason is in the message."""


class LeaseHeld(KeystewardError):
    """Another run works on this credential: wait for it, or for the end of its lease."""


class LimitExceeded(KeystewardError):
    """The run would end more than is allowed at once: restore the declarations, or allow it explicitly."""


class Damaged(KeystewardError):
    """A file or document of ours is cut short or cannot be decrypted: restore it from a backup."""


class ClockRefused(KeystewardError):
    """A clock runs backwards or is off: correct it before any secret is ended by mistake."""


STATUS_ERRORS: dict[int, type[KeystewardError]] = {
    400: Rejected,
    401: AccessDenied,
    403: AccessDenied,
    404: NotFound,
    405: Rejected,
    409: Conflict,
    412: VersionConflict,
    422: Rejected,
    429: Unavailable,
}
"""The one table from HTTP status to error; other 4xx are `Rejected`, 5xx `Unavailable`."""


def error_for_status(status: int) -> type[KeystewardError]:
    """Return the error class of an HTTP status >= 400."""
    if status in STATUS_ERRORS:
        return STATUS_ERRORS[status]
    return Unavailable if status >= 500 else Rejected  # noqa: PLR2004
