"""The catalogue: permissions of the environment. The slug is a scope's name, the mark stands in the description."""

from __future__ import annotations

from typing import Final

from keysteward.core.contract.ports import ScopeWant
from keysteward.core.errors import Conflict, NotFound, Rejected
from keysteward.providers.workos import models
from keysteward.providers.workos.api import Api

LONGEST_SLUG: Final = 48
LONGEST_DESCRIPTION: Final = 150
"""Characters of both (the vendor's OpenAPI description)."""


def put(api: Api, want: ScopeWant, remote_id: str | None, audience: str) -> str:
    """Create the permission, or change the one with this id, or the one of this slug that carries this very mark."""
    description = _described(api, want, audience)
    if remote_id is None:
        try:
            made = api.post_permission({"slug": want.name, "name": want.name, "description": description})
        except Conflict:
            pass
        else:
            return made.id
    found = api.permission(want.name)
    if found is None or (remote_id is not None and found.id != remote_id):
        raise api.error(NotFound, "put scope", f"permission {want.name!r} is not the one it was any more; run again")
    if found.system:
        raise api.error(Conflict, "put scope", f"permission {want.name!r} is WorkOS's own; choose another name")
    if remote_id is None and found.mark != want.mark:
        holder = f"belongs to {found.mark.identity}" if found.mark else "carries no mark of keysteward"
        raise api.error(Conflict, "put scope", f"permission {want.name!r} exists and {holder}; adopt it or rename")
    if found.description != description:
        api.patch_permission(found.slug, {"description": description})
    return found.id


def drop(api: Api, remote_id: str) -> None:
    """Delete the permission with this id. WorkOS deletes by slug, which may be another's by now: so it is looked up."""
    found = next((permission for permission in api.permissions() if permission.id == remote_id), None)
    if found is not None and found.system:
        raise api.error(Conflict, "drop scope", f"permission {found.slug!r} is WorkOS's own and stays")
    if found is not None:
        api.delete_permission(found.slug)


def _described(api: Api, want: ScopeWant, audience: str) -> str:
    """Return the description with its mark. Raises Rejected, before any call, for what WorkOS cannot hold."""
    if want.audience != audience:
        text = f"every token of this environment is for {audience!r}; declare that as the audience of {want.name!r}"
        raise api.error(Rejected, "put scope", text)
    if len(want.name) > LONGEST_SLUG:
        text = (
            f"permission {want.name!r} has {len(want.name)} characters, and a slug at most {LONGEST_SLUG}; shorten it"
        )
        raise api.error(Rejected, "put scope", text)
    description = models.with_mark(want.description, want.mark)
    if len(description) > LONGEST_DESCRIPTION:
        over = len(description) - LONGEST_DESCRIPTION
        text = (
            f"the description of permission {want.name!r} is {over} characters too long: WorkOS holds "
            f"{LONGEST_DESCRIPTION}, the mark of {want.mark.identity} among them; shorten it"
        )
        raise api.error(Rejected, "put scope", text)
    return description
