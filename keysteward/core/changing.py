"""Copies of frozen values with some fields changed: `dataclasses.replace` for classes with slots, at half its cost.

The planner plays thousands of steps on paper, each of them some such copies; a preview of a large stack, and a forecast
more so, are mostly that. Fields are copied slot by slot in place of going through `__init__`, so that a class with a
`__post_init__` goes the ordinary way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

_T = TypeVar("_T")

_Setter = Callable[[Any, Any], None]


@cache
def _slots(cls: type[Any]) -> tuple[Callable[[Any], tuple[Any, ...]], dict[str, _Setter], tuple[_Setter, ...]] | None:
    """Return what reads all fields of a class and what sets each; None where a field is no slot, or there is but one.

    (`attrgetter` returns a tuple of several only.)
    """
    names = [field.name for field in dataclasses.fields(cls)]
    members = [vars(cls).get(name) for name in names]
    if hasattr(cls, "__post_init__") or "__slots__" not in vars(cls) or None in members or len(names) == 1:
        return None
    setters = {name: member.__set__ for name, member in zip(names, members, strict=True) if member is not None}
    return attrgetter(*names), setters, tuple(setters.values())


def replace(value: _T, /, **changes: Any) -> _T:  # noqa: ANN401 - of the fields' types
    """Return a copy with these fields changed. Raises TypeError for a name that is no field."""
    cls = value.__class__
    slots = _slots(cls)  # type: ignore[arg-type]  # a class is hashable
    if slots is None:
        return dataclasses.replace(value, **changes)  # type: ignore[type-var]
    read, by_name, setters = slots
    made = object.__new__(cls)
    for put, kept in zip(setters, read(value), strict=True):
        put(made, kept)
    for name, given in changes.items():
        if name not in by_name:
            raise TypeError(f"{cls.__name__} has no field {name!r}")
        by_name[name](made, given)
    return made
