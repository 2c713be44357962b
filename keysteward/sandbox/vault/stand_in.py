"""The Vault stand-in itself: mounts, the way from a call to its answer, and ``sys/``."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Response

from keysteward.sandbox.server import StandIn
from keysteward.sandbox.vault import replies, system
from keysteward.sandbox.vault.kv import KvMount
from keysteward.sandbox.vault.logins import JwtLogin
from keysteward.sandbox.vault.tokens import TokenStore
from keysteward.sandbox.vault.vault import Vault, VaultCall

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from werkzeug.wrappers import Request

    from keysteward.sandbox.clock import Clock

OPERATIONS = {"GET": "read", "LIST": "list", "POST": "update", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
MERGE_PATCH = "application/merge-patch+json"
MOST_STRINGS = 1000
"""Strings in one request, names included (OpenBao 2.4.1 and later, max_request_json_strings)."""

UNAUTHENTICATED = frozenset({"sys/health", "sys/seal-status", "sys/unseal"})


class VaultStandIn(Vault, StandIn):
    """A Vault or OpenBao with KV version 2 engines at ``mounts`` and the auth methods given.

    Like a server in development mode it starts unsealed, with one root token. `sealed` may be set, or ``sys/seal`` and
    ``sys/unseal`` called.
    """

    def __init__(
        self,
        mounts: Iterable[str] = ("secret",),
        *,
        root_token: str = "sandbox-root",
        auth_methods: Iterable[str] = (),
        clock: Clock | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(clock=clock, host=host, port=port, ssl_context=ssl_context)
        self.sealed = False
        self.tokens = TokenStore(self.clock, root_token)
        self.mounts: dict[str, KvMount] = {mount.strip("/"): KvMount() for mount in mounts}
        self.logins: dict[str, JwtLogin] = {}
        self.accessors: dict[str, str] = {}
        for kind in auth_methods:
            self.enable_login(kind, kind)

    def answer(self, request: Request) -> Response:
        """Answer one call of Vault's own."""
        if not request.path.startswith("/v1/"):
            raise replies.not_found()
        path = request.path.removeprefix("/v1/")
        if path in UNAUTHENTICATED:
            return system.unauthenticated(self, path, request)
        if self.sealed:
            raise replies.Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Vault is sealed")
        document = _document(request)
        if path.startswith("auth/") and path.endswith("/login"):
            login = self.logins.get(path.removeprefix("auth/").removesuffix("/login"))
            if login is None:
                raise replies.bad_token()
            return login.login(document)
        return self._authenticated(request, path, document)

    def _authenticated(self, request: Request, path: str, document: dict[str, Any]) -> Response:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        given = request.headers.get("X-Vault-Token") or (bearer if scheme == "Bearer" else None)
        token = self.tokens.live(given)
        if token is None:
            raise replies.bad_token()
        operation = self._operation(request, path)
        acl = self.tokens.acl(token)
        checked = f"{path.rstrip('/')}/" if operation == "list" else path
        if not path.startswith("sys/internal/ui/mounts") and not acl.allows(operation, checked):
            raise replies.permission_denied()
        self.tokens.use(token)
        return self._route(VaultCall(operation, path, document, request, token, acl))

    def _operation(self, request: Request, path: str) -> str:
        operation = OPERATIONS.get(request.method)
        if operation is None:
            raise replies.unsupported()
        if operation == "read" and request.args.get("list") == "true":
            return "list"
        if operation == "patch" and request.mimetype != MERGE_PATCH:
            text = f"PATCH requires Content-Type of {MERGE_PATCH}, provided {request.mimetype}"
            raise replies.Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, text)
        return "create" if operation == "update" and not self._exists(path) else operation

    def _exists(self, path: str) -> bool:
        """Say whether a write is an update; paths that know no creation are always updated."""
        if path.startswith("auth/"):
            mount, _, rest = path.removeprefix("auth/").partition("/")
            role = rest.startswith("role/") and rest.count("/") == 1
            return not role or mount not in self.logins or self.logins[mount].exists(rest)
        name = self._mount_of(path)
        kind, _, key = path.removeprefix(f"{name}/").partition("/") if name else ("", "", "")
        return kind not in {"data", "metadata"} or key in self.mounts[name or ""].entries

    def _mount_of(self, path: str) -> str | None:
        names = [name for name in self.mounts if path == name or path.startswith(f"{name}/")]
        return max(names, key=len, default=None)

    def _route(self, call: VaultCall) -> Response:
        top, _, rest = call.path.partition("/")
        if top == "sys":
            return system.answer(self, call, rest)
        if top == "auth":
            mount, _, below = rest.partition("/")
            if mount == "token":
                return system.token(self, call, below)
            if mount in self.logins:
                return self.logins[mount].answer(call.operation, below, call.document)
        name = self._mount_of(call.path)
        if name is None:
            text = f'no handler for route "{call.path}". route entry not found.'
            raise replies.Refusal(HTTPStatus.NOT_FOUND, text)
        return self._kv(self.mounts[name], call, call.path.removeprefix(name).removeprefix("/"))

    def _kv(self, mount: KvMount, call: VaultCall, rest: str) -> Response:
        kind, _, key = rest.partition("/")
        writes = call.operation in {"create", "update"}
        match kind:
            case "data":
                return self._kv_data(mount, call, key)
            case "metadata":
                return self._kv_metadata(mount, call, key)
            case "delete" | "undelete" | "destroy" if writes:
                self._kv_versions(mount, kind, key, call.document.get("versions"))
                return replies.no_content()
            case "config" if writes:
                mount.settings.write(call.document)
                return replies.no_content()
            case "config" if call.operation == "read":
                return replies.reply(mount.settings.describe())
        raise replies.not_found()

    def _kv_data(self, mount: KvMount, call: VaultCall, key: str) -> Response:
        now = self.clock.now()
        match call.operation:
            case "read":
                document, readable = mount.read(key, call.request.args.get("version", 0, int), now)
                return replies.reply(document, status=HTTPStatus.OK if readable else HTTPStatus.NOT_FOUND)
            case "create" | "update":
                return replies.reply(mount.write(key, call.document, now))
            case "patch":
                written = mount.patch(key, call.document, now)
                return replies.reply(written) if written else _nothing_to_patch()
            case "delete":
                mount.delete(key, None, now)
                return replies.no_content()
        raise replies.unsupported()

    def _kv_metadata(self, mount: KvMount, call: VaultCall, key: str) -> Response:
        match call.operation:
            case "list":
                return replies.listing(mount.keys(key))
            case "read":
                if key not in mount.entries:
                    raise replies.not_found()
                return replies.reply(mount.entries[key].describe())
            case "delete":
                mount.entries.pop(key, None)
            case "patch" if key not in mount.entries:
                return _nothing_to_patch()
            case "create" | "update" | "patch" as operation:
                mount.write_metadata(key, call.document, self.clock.now(), patch=operation == "patch")
            case _:
                raise replies.unsupported()
        return replies.no_content()

    def _kv_versions(self, mount: KvMount, kind: str, key: str, versions: list[Any] | None) -> None:
        if not versions:
            raise replies.bad_request(f"{'no' if kind == 'destroy' else 'No'} version number provided")
        numbers = [int(number) for number in versions]
        if kind == "delete":
            mount.delete(key, numbers, self.clock.now())
        elif kind == "undelete":
            mount.undelete(key, numbers)
        else:
            mount.destroy(key, numbers)

    def state(self) -> dict[str, Any]:
        """Return every entry with all its versions' data, and the policies."""
        return {"sealed": self.sealed, "policies": self.tokens.policies, "mounts": _mounts_state(self.mounts)}


def _mounts_state(mounts: dict[str, KvMount]) -> dict[str, Any]:
    return {
        name: {
            path: entry.describe() | {"data": {str(number): version.data for number, version in entry.versions.items()}}
            for path, entry in mount.entries.items()
        }
        for name, mount in mounts.items()
    }


def _nothing_to_patch() -> Response:
    return Response(status=HTTPStatus.NOT_FOUND, content_type="application/json")


def _document(request: Request) -> dict[str, Any]:
    if not request.get_data():
        return {}
    document = request.get_json(force=True, silent=True)
    if not isinstance(document, dict):
        raise replies.bad_request("error parsing JSON")
    if _strings(document) > MOST_STRINGS:
        raise replies.bad_request("refused JSON input due to high complexity: exceeded maximum number of strings")
    return document


def _strings(value: object) -> int:
    if isinstance(value, dict):
        return len(value) + sum(_strings(each) for each in value.values())
    if isinstance(value, list):
        return sum(_strings(each) for each in value)
    return int(isinstance(value, str))
