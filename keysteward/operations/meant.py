"""Says what a person may have meant by a name that nothing has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_WILDCARDS = str.maketrans("", "", "*?[]!")
_MOST = 10


def meant(given: str, known: Iterable[str], *, has: str, none: str) -> str:
    """Return "did you mean a, b?", or behind `has` the names there are, `none` where there are none.

    A name may be given as a shell pattern, and in letters of another case.
    """
    names = {name.casefold(): name for name in sorted(known, reverse=True)}
    close = [names[n] for n in difflib.get_close_matches(given.translate(_WILDCARDS).casefold(), names, 3)]
    return f"did you mean {', '.join(close)}?" if close else f"{has} {_some(names.values())}" if names else none


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - _MOST:,} more: keysteward inventory lists all" if len(listed) > _MOST else ""
    return f"{', '.join(listed[:_MOST])}{more}"
