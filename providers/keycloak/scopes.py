"""The catalogue: client scopes, each with a mapper that puts its audience into tokens."""

from __future__ import annotations

from typing import Any

from keysteward.core.contract.ports import ScopeWant
from keysteward.core.errors import Conflict
from keysteward.providers.keycloak import models
from keysteward.providers.keycloak.admin import AdminApi

MAPPER_NAME = "audience"


def put_scope(api: AdminApi, want: ScopeWant, remote_id: str | None) -> str:
    """Create the scope, or change the one with this id, or the one of this name that carries this very mark."""
    found = api.scope(remote_id) if remote_id else None
    if found is None:
        created = api.post_scope({**_body(want), "protocolMappers": [_mapper(want)]})
        if created is not None:
            return created
        found = next((scope for scope in api.scopes() if scope.name == want.name), None)
        if found is None or found.mark != want.mark:
            holder = f"belongs to {found.mark.identity}" if found and found.mark else "carries no mark of keysteward"
            raise api.error(Conflict, "put scope", f"scope {want.name!r} exists and {holder}; adopt it or rename")
    _change(api, found, want)
    return found.id


def drop_scope(api: AdminApi, remote_id: str) -> None:
    """Delete the scope; gone already is success."""
    api.delete_scope(remote_id)


def _change(api: AdminApi, found: models.Scope, want: ScopeWant) -> None:
    observed = found.observed()
    if (observed.name, observed.description, observed.mark) != (want.name, want.description, want.mark):
        api.put_scope(found.id, {**_changes(want), "protocol": found.protocol or "openid-connect"})
    if observed.audience != want.audience:
        ours = next((mapper for mapper in found.mappers if mapper.audience), None)
        if ours is None:
            api.put_mapper(found.id, "", _mapper(want))
        else:
            config = {**ours.config, **_mapper(want)["config"], models.AUDIENCE_OF_CLIENT: ""}
            api.put_mapper(found.id, ours.id, {**_mapper(want), "id": ours.id, "name": ours.name, "config": config})


def _changes(want: ScopeWant) -> dict[str, Any]:
    """Return what a scope that exists gets: how it shows in tokens and at a consent stays as it is."""
    return {"name": want.name, "description": want.description, "attributes": models.mark_attributes(want.mark)}


def _body(want: ScopeWant) -> dict[str, Any]:
    attributes = {"include.in.token.scope": "true", "display.on.consent.screen": "false"}
    return {
        "name": want.name,
        "description": want.description,
        "protocol": "openid-connect",
        "attributes": attributes | models.mark_attributes(want.mark),
    }


def _mapper(want: ScopeWant) -> dict[str, Any]:
    return {
        "name": MAPPER_NAME,
        "protocol": "openid-connect",
        "protocolMapper": models.AUDIENCE_MAPPER,
        "config": {models.AUDIENCE: want.audience, "access.token.claim": "true", "id.token.claim": "false"},
    }
