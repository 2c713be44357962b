"""``sys/`` and ``auth/token/``: health, mounts, policies, capabilities, tokens."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from keysteward.sandbox.server import json_response
from keysteward.sandbox.vault import replies
from keysteward.sandbox.vault.kv import KvMount
from keysteward.sandbox.vault.policies import parse

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

    from keysteward.sandbox.vault.vault import Vault, VaultCall

VERSION = "2.5.5"
WRITES = frozenset({"create", "update"})


def unauthenticated(vault: Vault, path: str, request: Request) -> Response:
    """Answer ``sys/health``, ``sys/seal-status`` and ``sys/unseal``; the stand-in takes any key to unseal."""
    if path == "sys/health":
        status = HTTPStatus.SERVICE_UNAVAILABLE if vault.sealed else HTTPStatus.OK
        override = request.args.get("sealedcode" if vault.sealed else "activecode", type=int)
        document = {
            "initialized": True,
            "sealed": vault.sealed,
            "standby": vault.sealed,
            "server_time_utc": vault.clock.epoch_seconds(),
            "version": VERSION,
        }
        return json_response(document, override or status)
    if path == "sys/unseal":
        vault.sealed = False
    document = {
        "type": "shamir",
        "initialized": True,
        "sealed": vault.sealed,
        "t": 1,
        "n": 1,
        "progress": 0,
        "version": VERSION,
        "storage_type": "inmem",
    }
    return json_response(document)


def answer(vault: Vault, call: VaultCall, rest: str) -> Response:
    """Answer a call below ``sys/``."""
    writes = call.operation in WRITES
    match rest.strip("/").split("/"):
        case ["seal"] if writes:
            vault.sealed = True
            return replies.no_content()
        case ["mounts"] if call.operation == "read":
            return replies.reply({f"{name}/": describe_mount(vault, name) for name in vault.mounts}, flat=True)
        case ["mounts", *parts]:
            return _mount(vault, call, "/".join(parts))
        case ["auth"] if call.operation == "read":
            shown = {**dict.fromkeys(vault.logins, "jwt"), "token": "token"}
            return replies.reply({f"{name}/": {"type": kind} for name, kind in shown.items()}, flat=True)
        case ["auth", *parts]:
            return _login_method(vault, call, "/".join(parts))
        case ["internal", "ui", "mounts", *parts] if call.operation == "read":
            return _visible_mount(vault, call, "/".join(parts))
        case ["policies", "acl"] if call.operation == "list":
            return replies.listing([*sorted(vault.tokens.policies), "root"])
        case ["policies", "acl", name]:
            return _policy(vault, call, name)
        case ["capabilities-self"] if writes:
            return _capabilities(call)
    raise replies.unsupported()


def describe_mount(vault: Vault, name: str) -> dict[str, Any]:
    """Return what ``sys/mounts`` says of a mount."""
    return {
        "type": "kv",
        "options": {"version": "2"},
        "accessor": vault.accessor(name),
        "description": "key/value secret storage",
        "config": {"default_lease_ttl": 0, "force_no_cache": False, "max_lease_ttl": 0},
        "local": False,
        "seal_wrap": False,
        "external_entropy_access": False,
    }


def _mount(vault: Vault, call: VaultCall, name: str) -> Response:
    if call.operation == "delete":
        vault.mounts.pop(name, None)
        return replies.no_content()
    if call.operation not in WRITES:
        raise replies.unsupported()
    if name in vault.mounts:
        raise replies.bad_request(f"path is already in use at {name}/")
    if call.document.get("type") not in {"kv", "kv-v2"}:
        raise replies.bad_request(f"plugin not found in the catalog: {call.document.get('type')}")
    vault.mounts[name] = KvMount()
    return replies.no_content()


def _login_method(vault: Vault, call: VaultCall, name: str) -> Response:
    if call.operation == "delete":
        vault.logins.pop(name, None)
        return replies.no_content()
    if call.operation not in WRITES:
        raise replies.unsupported()
    vault.enable_login(name, call.document.get("type", ""))
    return replies.no_content()


def _visible_mount(vault: Vault, call: VaultCall, path: str) -> Response:
    """``sys/internal/ui/mounts/{path}``: needs no right of its own, only one somewhere in the mount."""
    for name in sorted(vault.mounts, key=len, reverse=True):
        if f"{path}/".startswith(f"{name}/") and call.acl.reaches_below(f"{name}/"):
            return replies.reply(describe_mount(vault, name) | {"path": f"{name}/"})
    reason = f'please ensure client\'s policies grant access to path "{path}/"'
    raise replies.Refusal(HTTPStatus.FORBIDDEN, f"preflight capability check returned 403, {reason}")


def _policy(vault: Vault, call: VaultCall, name: str) -> Response:
    policies, lower = vault.tokens.policies, name.lower()
    if call.operation == "read":
        if lower not in policies:
            raise replies.not_found()
        return replies.reply({"name": lower, "policy": policies[lower]})
    if call.operation == "delete":
        if lower in {"root", "default"}:
            raise replies.bad_request(
                'cannot delete "root" policy' if lower == "root" else "cannot delete default policy"
            )
        policies.pop(lower, None)
        return replies.no_content()
    if call.operation not in WRITES:
        raise replies.unsupported()
    document = call.document.get("policy")
    if not document:
        raise replies.bad_request("'policy' parameter not supplied or empty")
    if lower == "root":
        raise replies.bad_request('cannot update "root" policy')
    parse(document)
    policies[lower] = document
    if lower != name:
        return replies.reply(None, warnings=[f"policy name was converted to {lower}"])
    return replies.no_content()


def _capabilities(call: VaultCall) -> Response:
    paths = call.document.get("paths") or [call.document.get("path")]
    if not all(isinstance(path, str) for path in paths):
        raise replies.bad_request("paths must be supplied")
    found: dict[str, Any] = {path: call.acl.capabilities(path) for path in paths}
    if len(paths) == 1:
        found["capabilities"] = found[paths[0]]
    return replies.reply(found, flat=True)


def token(vault: Vault, call: VaultCall, rest: str) -> Response:
    """Answer a call below ``auth/token/``."""
    store = vault.tokens
    match rest, call.operation in WRITES:
        case ("lookup-self", False) if call.operation == "read":
            return replies.reply(call.token.describe(vault.clock.now()))
        case ("create" | "create-orphan", True):
            document = call.document | ({"no_parent": True} if rest == "create-orphan" else {})
            made, warnings = store.create_child(call.token, document)
            return replies.reply(None, auth=made.auth(), warnings=warnings or None)
        case ("renew-self", True):
            return replies.reply(None, auth=store.renew(call.token).auth())
        case ("revoke-self", True):
            store.revoke(call.token)
            return replies.no_content()
        case ("lookup", True):
            return replies.reply(store.found(call.document).describe(vault.clock.now()))
        case ("revoke", True):
            found = store.live(call.document.get("token"))
            if found:
                store.revoke(found)
            return replies.no_content()
        case ("revoke-accessor", True):
            by_accessor = store.by_accessor(call.document.get("accessor", ""))
            if by_accessor is None:
                raise replies.bad_request("1 error occurred:\n\t* invalid accessor\n\n")
            store.revoke(by_accessor)
            return replies.no_content()
    raise replies.unsupported()
