"""Which environment a name or a place says, and when it says none. Pure.

Words such as "test" and "live" are ordinary: `test-results` and `live-stream` say no environment. So a word counts only
where people write environments: as a whole part of a path (`prod/apps/billing`), or behind the last hyphen, dot or
underscore of one (`billing-prod`); and not where the part is the credential's own name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

PRODUCTION = "production"
NOT_PRODUCTION = "non-production"
"""All environments but production in one."""

WORDS: Mapping[str, str] = {
    **dict.fromkeys(("production", "prod", "prd", "live"), PRODUCTION),
    **dict.fromkeys(("staging", "stage", "stg", "preprod", "pre-prod", "pre-production"), "staging"),
    **dict.fromkeys(("development", "dev"), "development"),
    **dict.fromkeys(("test", "testing", "tst", "qa", "uat"), "test"),
    **dict.fromkeys(("sandbox", "demo"), "demo"),
    **dict.fromkeys(("nonprod", "non-prod", "nonproduction", "non-production"), NOT_PRODUCTION),
}
"""Words that say an environment."""

_OTHERS = frozenset(WORDS.values()) - {PRODUCTION}

_PART = re.compile(r"[-_.]")


def environment_of(declared: str) -> str:
    """Return which environment a declaration's own word means: "prod-eu" is production, an unknown word itself.

    What says production beside another environment ("test-prod") is production.
    """
    word = declared.casefold().strip()
    if word in WORDS:
        return WORDS[word]
    first, _, rest = word.replace("_", "-").replace(".", "-").partition("-")
    if first in {"pre", "non"}:
        first, _, rest = f"{first}-{rest.partition('-')[0]}", "", ""
    meant = [WORDS[part] for part in (first, rest) if part in WORDS]
    return PRODUCTION if PRODUCTION in meant else next(iter(meant), word)


def is_production(declared: str) -> bool:
    """Say whether what a declaration's own word means counts as production: an unknown word does."""
    return environment_of(declared) not in _OTHERS


def words_of(declared: Iterable[str]) -> dict[str, str]:
    """Return the words for environments where these are declared: they count as words too."""
    return {**{word.casefold(): environment_of(word) for word in declared}, **WORDS}


def said(parts: Iterable[str], known: Mapping[str, str], names: Iterable[str]) -> set[str]:
    """Return the environments that the parts of a path say, by the words in `known`.

    A part that is one of `names` says nothing.
    """
    own = {name.casefold() for name in names}
    found = (_said(part.casefold(), known) for part in parts if part.casefold() not in own)
    return {environment for environment in found if environment is not None}


def _said(part: str, known: Mapping[str, str]) -> str | None:
    if part in known:
        return known[part]
    for cut in _PART.finditer(part):  # the longest ending first: "billing-non-prod" is not production
        if (ending := part[cut.end() :].replace("_", "-").replace(".", "-")) in known:
            return known[ending]
    return None


def differs(one: str, other: str) -> bool:
    """Say whether two environments cannot be the same."""
    if NOT_PRODUCTION in {one, other}:
        return PRODUCTION in {one, other}
    return one != other
