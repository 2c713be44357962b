"""JSON that others wrote, read into the shape that it is documented to have. No error repeats any of it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Final, TypeVar, cast

from pydantic import AfterValidator, AwareDatetime, TypeAdapter, ValidationError

Shape = TypeVar("Shape")

LONGEST_NAME: Final = 40
FIELDS_SHOWN: Final = 5


EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(3000, 1, 1, tzinfo=UTC)
"""Some vendors write 9999 for "never". What is added to a time of ours must not pass the end of the calendar."""


def in_reach(when: datetime) -> datetime:
    """Return an aware time as UTC, or the nearest one that can be reckoned with. Raises ValueError for a naive one."""
    if when.tzinfo is None:
        raise ValueError("a time without zone")
    return EARLIEST if when < EARLIEST else min(when, LATEST).astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(in_reach)]
"""A time in a vendor's answer."""


class Misshapen(ValueError):
    """It is no JSON, nested too deeply, or of another shape; the message says which, and names fields of the shape."""


def read_json(raw: bytes | str, shape: type[Shape]) -> Shape:
    """Read JSON into a pydantic model, or a `list` or `dict` of what is known. Raises Misshapen.

    Nesting ends at 200 levels, and what UTF-8 cannot say is refused: neither can trip whoever uses the result.
    """
    try:
        found: Shape = _reader(cast("Any", shape)).validate_json(raw)
    except ValidationError as problem:
        errors = problem.errors(include_url=False, include_context=False, include_input=False)
    else:
        return found
    if any(error["type"] == "json_invalid" for error in errors):
        raise Misshapen("no JSON")
    names = {next((part for part in error["loc"] if isinstance(part, str)), "") for error in errors}
    fields = sorted(name for name in names if name.isidentifier() and len(name) <= LONGEST_NAME)[:FIELDS_SHOWN]
    raise Misshapen(f"of another shape ({', '.join(fields)})" if fields else "of another shape")


@lru_cache(maxsize=128)
def _reader(shape: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - a model, or a list or dict of what is known
    return TypeAdapter(shape)
