"""What an owner who leaves answers for, and what became of it, as people and programs read it. Pure.

JSON (`format: 1`): `format`, `stack`, `owner`, `state` (of the owners file, or null), `deputy` (or null),
`credentials[]` (`name`, `identity`, `declared`, `status`, `purpose`, `environment`, `delivered_at` (of the current
generation), `delivered_to[]`, `clients[]`, `scopes[]`, `audiences[]`), `changed[]` and `by_hand[]` (`name`, `file`,
`line`, `why`), `reissue[]` (names: a new secret was asked for), `revoked[]` (see `keysteward.report.run.emergency`) and
`left[]` (`name`, `why`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from keysteward.core.assess.status import status_of
from keysteward.core.declare.spec import Spec
from keysteward.core.identity import name_of
from keysteward.core.record.ledger import Ledger
from keysteward.report.run.emergency import Revocation, revocation_json
from keysteward.report.run.plan import JSON_FORMAT
from keysteward.report.text.plain import line, many, plain


@dataclass(frozen=True, slots=True)
class Holding:
    """One credential of the owner: declared, recorded, or both."""

    identity: str
    spec: Spec | None
    ledger: Ledger | None

    @property
    def name(self) -> str:
        """Return the name without the stack."""
        return name_of(self.identity)


@dataclass(frozen=True, slots=True)
class Edit:
    """One declaration whose owner was changed, or which a person must edit (`why`)."""

    name: str
    file: str
    line: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Offboarding:
    """One owner's credentials, and what was done about them."""

    stack: str
    owner: str
    state: str | None
    deputy: str | None
    holdings: tuple[Holding, ...]
    changed: tuple[Edit, ...] = ()
    by_hand: tuple[Edit, ...] = ()
    reissue: tuple[str, ...] = ()
    revoked: tuple[Revocation, ...] = ()
    left: dict[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Say whether nothing is left to a person."""
        return not self.by_hand and not self.left and all(made.complete for made in self.revoked)


def holding_lines(plan: Offboarding) -> Iterable[RenderableType]:
    """Show what an owner answers for, and what can be done about it."""
    state = f" ({plan.state})" if plan.state else " (not in the owners file)"
    holdings = many(len(plan.holdings), "credential")
    yield line((f"{plan.owner}{state} answers for {holdings} of {plan.stack}", "bold"))
    table = Table(box=None, padding=(0, 0, 0, 2), header_style="dim")
    for title in ("name", "status", "environment", "purpose", "delivered", "reaches"):
        table.add_column(title, overflow="fold", no_wrap=title in {"name", "status", "environment"})
    for holding in plan.holdings:
        row = _holding_json(holding)
        reach = ", ".join([*row["audiences"], *row["scopes"]]) or ", ".join(row["clients"]) or "nothing yet"
        status = row["status"] if row["declared"] else f"{row['status']}, not declared"
        delivered = (
            f"{row['delivered_at'][:10]} to {', '.join(row['delivered_to'])}" if row["delivered_at"] else "never"
        )
        cells = (row["name"], status, row["environment"], row["purpose"], delivered, reach)
        table.add_row(*(Text(plain(cell or "")) for cell in cells))
    yield table


def choice_line(plan: Offboarding) -> Text:
    """Say what to do next with a plan that was only shown."""
    to = plan.deputy or "NEW_OWNER"
    advice = f" ({plan.deputy} is the deputy)" if plan.deputy else ""
    return line(
        f"nothing was changed; hand over: keysteward offboard {plan.owner} --to {to} --yes{advice}; "
        f"or end all of it: keysteward offboard {plan.owner} --revoke --yes"
    )


def done_lines(done: Offboarding) -> Iterable[RenderableType]:
    """Write what was done, and what is left to a person."""
    for edit in done.changed:
        yield line(("✓ ", "green"), f"{edit.file}, line {edit.line}: the owner of {edit.name} is changed")
    for name in done.reissue:
        yield line(("✓ ", "green"), f"{name}: the next run issues a new secret; the old one ends after its overlap")
    for made in done.revoked:
        state = "nothing of it works any more" if made.complete else f"not ended yet: {made.error or 'run again'}"
        yield line((("✓ ", "green") if made.complete else ("✗ ", "bold red")), f"{made.name}: {state}")
    for edit in done.by_hand:
        where = f"{edit.file}, line {edit.line}" if edit.line else edit.file
        yield line(("! ", "yellow"), f"{edit.name}: edit {where} by hand: {edit.why}")
    for name, why in done.left.items():
        yield line(("! ", "yellow"), f"{name}: {why}")
    if done.changed:
        yield line("commit the change and have it reviewed; the next run writes it into the ledgers")


def offboarding_json(plan: Offboarding) -> dict[str, Any]:
    """Return an offboarding as JSON; see the module for the format."""
    return {
        "format": JSON_FORMAT,
        "stack": plan.stack,
        "owner": plan.owner,
        "state": plan.state,
        "deputy": plan.deputy,
        "credentials": [_holding_json(holding) for holding in plan.holdings],
        "changed": [_edit_json(edit) for edit in plan.changed],
        "by_hand": [_edit_json(edit) for edit in plan.by_hand],
        "reissue": list(plan.reissue),
        "revoked": [revocation_json(made) for made in plan.revoked],
        "left": [{"name": name, "why": why} for name, why in plan.left.items()],
    }


def _edit_json(edit: Edit) -> dict[str, Any]:
    return {"name": edit.name, "file": edit.file, "line": edit.line or None, "why": edit.why or None}


def _holding_json(holding: Holding) -> dict[str, Any]:
    spec, ledger = holding.spec, holding.ledger
    current = ledger.current if ledger is not None else None
    about = ledger.about if ledger is not None else None
    said = spec or about
    return {
        "name": holding.name,
        "identity": holding.identity,
        "declared": spec is not None,
        "status": status_of(ledger),
        "purpose": said.purpose if said is not None else None,
        "environment": said.environment if said is not None else None,
        "delivered_at": current.current_since.isoformat() if current and current.current_since else None,
        "delivered_to": list(current.delivery) if current else [],
        "clients": [f"{o.client_id} at {o.target}" for o in ledger.objects if not o.deleted] if ledger else [],
        "scopes": sorted(spec.scopes) if spec is not None else [],
        "audiences": list(spec.audiences) if spec is not None else [],
    }
