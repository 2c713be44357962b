"""The catalogue: resource servers and their scopes, read whole, changed and written whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from keysteward.core.contract.ports import ScopeWant
from keysteward.core.errors import Conflict, Rejected
from keysteward.providers.aws.cognito.api import PoolApi
from keysteward.providers.aws.cognito.names import MADE, read_scope_description, scope_description, server_name

SCOPES_PER_SERVER: Final = 100
"""API Reference, CreateResourceServer."""


def put_scope(api: PoolApi, want: ScopeWant, remote_id: str | None) -> str:
    """Create the scope, or change the one with this id, or the one of this name that carries this very mark.

    Raises Conflict when it is another's, Rejected when its name does not say its audience.
    """
    prefix = f"{want.audience}/"
    name = want.name.removeprefix(prefix)
    if not want.name.startswith(prefix) or not name or "/" in name:
        raise Rejected(f"scope {want.name!r} is named after another audience: write {prefix + (name or 'read')!r}")
    server = api.server(want.audience)
    scopes = list((server or {}).get("Scopes") or ())
    there = next((scope for scope in scopes if scope["ScopeName"] == name), None)
    if there is not None and remote_id is None:
        mark = read_scope_description(str(there["ScopeDescription"]))[1]
        if mark != want.mark:
            holder = f"belongs to {mark.identity}" if mark else "carries no mark of keysteward"
            raise Conflict(f"scope {want.name!r} exists and {holder}; adopt it or rename")
    ours = {"ScopeName": name, "ScopeDescription": scope_description(want.description, want.mark)}
    if there == ours:
        return want.name
    scopes = [ours if scope is there else scope for scope in scopes] + ([] if there else [ours])
    if len(scopes) > SCOPES_PER_SERVER:
        raise Rejected(f"resource server {want.audience} has {SCOPES_PER_SERVER} scopes, and Cognito takes no more")
    made = {"Identifier": want.audience, "Name": server_name(want.mark), **(server or {}), "Scopes": scopes}
    api.write_server(made, new=server is None)
    _must_have(api.server(want.audience), name, ours, want.name)
    return want.name


def drop_scope(api: PoolApi, remote_id: str) -> None:
    """Delete the scope; gone already is success. A server that was made for our scopes goes with its last one."""
    identifier, _, name = remote_id.rpartition("/")
    server = api.server(identifier)
    scopes = list((server or {}).get("Scopes") or ())
    left = [scope for scope in scopes if scope["ScopeName"] != name]
    if server is None or len(left) == len(scopes):
        return
    if not left and str(server.get("Name", "")).startswith(MADE):
        api.delete_server(identifier)
    else:
        api.write_server({**server, "Scopes": left}, new=False)


def _must_have(server: Mapping[str, Any] | None, name: str, ours: Mapping[str, Any], scope: str) -> None:
    found = [entry for entry in (server or {}).get("Scopes") or () if entry["ScopeName"] == name]
    if found != [ours]:
        raise Conflict(f"scope {scope!r} was written by somebody else meanwhile; run again")
