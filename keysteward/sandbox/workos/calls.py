"""One authenticated call: its query with the vendor's pages, and its body."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from keysteward.sandbox.server import STALE_SECONDS, json_response
from keysteward.sandbox.workos import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from werkzeug.wrappers import Request, Response

    from keysteward.sandbox.workos.records import Collection, Environment, R

DEFAULT_LIMIT, LARGEST_LIMIT = 10, 100
"""Objects per page: without ``limit``, and at most (the vendor's OpenAPI description)."""

ORDERS = frozenset({"desc", "asc", "normal"})


class Shown(Protocol):
    """An object that a list can show."""

    @property
    def id(self) -> str:
        """Return the id, by which lists are ordered."""
        ...

    def representation(self) -> dict[str, object]:
        """Return it as JSON."""
        ...


@dataclass(frozen=True)
class Call:
    """One call by the owner of the environment's API key."""

    environment: Environment
    request: Request
    now: datetime

    def body(self, status: int = HTTPStatus.UNPROCESSABLE_ENTITY) -> Body:
        """Return the JSON body; none counts as an empty one. ``status`` answers what is wrong in it."""
        if not self.request.get_data():
            return Body({}, status)
        document = self.request.get_json(force=True, silent=True)
        if not isinstance(document, dict):
            raise errors.coded(HTTPStatus.BAD_REQUEST, "invalid_request_body", "The request body is not a JSON object.")
        return Body(document, status)

    def shown(self, collection: Collection[R]) -> list[R]:
        """Return what a list of this collection is made from: the present, or the past when lists lag."""
        stale: float | None = self.request.environ.get(STALE_SECONDS)
        return list(collection) if stale is None else collection.as_of(self.now - timedelta(seconds=stale))

    def page(self, records: Iterable[Shown]) -> Response:
        """Answer with one page of a list, chosen by ``limit``, ``before``, ``after`` and ``order``."""
        query, faulty = self.request.args, []
        limit = query.get("limit", str(DEFAULT_LIMIT))
        if not (limit.isdecimal() and 1 <= int(limit) <= LARGEST_LIMIT):
            faulty.append(("limit", "invalid"))
        order = query.get("order", "desc")
        if order not in ORDERS:
            faulty.append(("order", "invalid"))
        if faulty:
            raise errors.invalid(*faulty)
        before, after = query.get("before"), query.get("after")
        if order == "normal":
            before, after = after, before
        ascending = order == "asc"
        ordered = sorted(records, key=lambda record: record.id, reverse=not ascending)
        return json_response(
            _window(ordered, int(limit), before, after, ascending=ascending, swapped=order == "normal")
        )


def _window(
    ordered: list[Any], limit: int, before: str | None, after: str | None, *, ascending: bool, swapped: bool
) -> dict[str, object]:
    """Cut a page out of a list. Cursors are compared, not looked up: that of an object since deleted still works."""

    def precedes(one: str, other: str) -> bool:
        return one < other if ascending else one > other

    start = 0 if after is None else sum(not precedes(after, record.id) for record in ordered)
    end = len(ordered) if before is None else sum(precedes(record.id, before) for record in ordered)
    if before is not None and after is None:
        start = max(start, end - limit)
    end = max(start, min(end, start + limit))
    page = ordered[start:end]
    cursors = {
        "before": page[0].id if page and start > 0 else None,
        "after": page[-1].id if page and end < len(ordered) else None,
    }
    if swapped:
        cursors = {"before": cursors["after"], "after": cursors["before"]}
    return {"object": "list", "data": [record.representation() for record in page], "list_metadata": cursors}


class Body:
    """A JSON body that is read field by field; `check` refuses it when any field was wrong.

    A wrong field reads as its default, so that one answer names all that is wrong.
    """

    def __init__(self, document: dict[str, Any], status: int) -> None:
        self._document = document
        self._status = status
        self._faulty: list[tuple[str, str]] = []

    def __contains__(self, name: str) -> bool:
        return name in self._document

    def check(self) -> None:
        """Refuse the call when a field was wrong."""
        if self._faulty:
            raise errors.invalid(*self._faulty, status=self._status)

    def refuse(self, name: str, code: str = "invalid") -> None:
        """Note that a field is wrong."""
        self._faulty.append((name, code))

    def text(self, name: str, *, longest: int | None = None) -> str:
        """Return a text that must be there and must not be empty."""
        value = self._document.get(name)
        if value is None or value == "":
            self.refuse(name, "required")
        elif not isinstance(value, str):
            self.refuse(name)
        elif longest is not None and len(value) > longest:
            self.refuse(name, "too_long")
        else:
            return value
        return ""

    def optional_text(self, name: str, *, longest: int | None = None) -> str | None:
        """Return a text that may be absent or null."""
        value: str | None = self._read(name, lambda found: isinstance(found, str))
        if value is not None and longest is not None and len(value) > longest:
            self.refuse(name, "too_long")
        return value

    def flag(self, name: str) -> bool:
        """Return a truth value that may be absent or null."""
        return bool(self._read(name, lambda found: isinstance(found, bool)))

    def texts(self, name: str) -> list[str]:
        """Return a list of texts that may be absent or null."""
        return list(self._read(name, _is_texts) or [])

    def objects(self, name: str) -> list[dict[str, Any]]:
        """Return a list of JSON objects that may be absent or null."""
        return list(self._read(name, _is_objects) or [])

    def pairs(self, name: str) -> dict[str, str]:
        """Return an object of texts that may be absent or null."""
        return dict(self._read(name, _is_pairs) or {})

    def moment(self, name: str) -> datetime | None:
        """Return an ISO 8601 moment that may be absent or null."""
        value = self._read(name, lambda found: isinstance(found, str))
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.refuse(name)
            return None
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)

    def _read(self, name: str, fits: Callable[[Any], bool]) -> Any:  # noqa: ANN401  (JSON comes in)
        value = self._document.get(name)
        if value is None or fits(value):
            return value
        self.refuse(name)
        return None


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _is_pairs(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
