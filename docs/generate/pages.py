"""All pages that are written, by name; a name is a path from docs/."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from declared import declaration
from examples import WAIVED_UNTIL
from offers import broad_scopes, readme, targets
from schemas import catalog, owners
from words import NOTICE

from keysteward.report.policy.documentation import frameworks_page, rules_page

PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "../keysteward/schemas/catalog.schema.json": catalog,
    "../keysteward/schemas/owners.schema.json": owners,
    "declaration.md": declaration,
    "targets.md": targets,
    "rules.md": lambda: rules_page(NOTICE, WAIVED_UNTIL, broad_scopes()),
    "frameworks.md": lambda: frameworks_page(NOTICE),
    "../README.md": readme,
}
