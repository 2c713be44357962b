"""Copies of frozen values with some fields changed: `dataclasses.replace` for classes with slots, at half its cost.

The planner plays thousands of steps on paper, each of them some such copies; a preview of a large stack, and a forecast
more so, are mostly that. Fields are copied slot by slot in place of going through `__init__`, so that a class with a
`__post_init__` goes the ordinary way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

_T = TypeVar("_T")

_Slot = tuple[str, Callable[[Any], Any], Callable[[Any, Any], None]]


@cache
def _slots(cls: type[Any]) -> tuple[_Slot, ...]:
    """Return name, getter and setter of each field of a class all of whose fields are slots; else nothing."""
    if hasattr(cls, "__post_init__") or "__slots__" not in vars(cls):
        return ()
    members = [(field.name, vars(cls).get(field.name)) for field in dataclasses.fields(cls)]
    if any(member is None for _, member in members):
        return ()
    return tuple((name, member.__get__, member.__set__) for name, member in members if member is not None)


def replace(value: _T, /, **changes: Any) -> _T:  # noqa: ANN401 - of the fields' types
    """Return a copy with these fields changed. Raises TypeError for a name that is no field."""
    cls = value.__class__
    slots = _slots(cls)  # type: ignore[arg-type]  # a class is hashable
    if not slots:
        return dataclasses.replace(value, **changes)  # type: ignore[type-var]
    made = object.__new__(cls)
    for name, get, put in slots:
        put(made, changes.pop(name) if name in changes else get(value))
    if changes:
        raise TypeError(f"{cls.__name__} has no field {next(iter(changes))!r}")
    return made
