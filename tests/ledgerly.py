"""A stand-in for Ledgerly, the service of the example target in docs/examples."""

from __future__ import annotations

import itertools
import secrets
from typing import Any

from werkzeug.wrappers import Request, Response

from keysteward.sandbox.server import StandIn, json_response

ADMIN, READER = "admin-token", "reader-token"
PER_PAGE = 100
MOST_SECRETS = 3

Answer = tuple[int, object]
NONE: Answer = 404, {"message": "there is none"}


class LedgerlyStandIn(StandIn):
    """Clients and accounts with their secrets."""

    def __init__(self) -> None:
        super().__init__()
        self.owners: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count(1)

    def state(self) -> dict[str, Any]:
        return {"owners": self.owners}

    def account(self) -> str:
        """Open an account, as its owner would."""
        name = f"acc_{next(self._numbers)}"
        self.owners[name] = {"id": name, "client_id": None, "secrets": []}
        return name

    def answer(self, request: Request) -> Response:
        status, document = self._answer(request)
        return json_response(document, status)

    def _answer(self, request: Request) -> Answer:
        path = request.path.removeprefix("/v1")
        if path == "/whoami":
            return self._whoami(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in {ADMIN, READER}:
            return 401, {"message": "unknown token"}
        if token == READER and request.method != "GET":
            return 403, {"message": "it only reads"}
        body = request.get_json(silent=True) or {}
        match request.method, path.strip("/").split("/"):
            case "GET", ["owners"]:
                return self._page(int(request.args.get("after", "0")))
            case "POST", ["owners"]:
                return self._create(body)
            case method, ["owners", name]:
                return self._owner(method, name, body)
            case "POST", ["owners", name, "secrets"]:
                return self.issue(name, body)
            case "DELETE", ["secrets", secret]:
                return self.end(secret)
        return NONE

    def _page(self, first: int) -> Answer:
        entries = list(self.owners.values())
        more = len(entries) > first + PER_PAGE
        shown = [_shown(owner) for owner in entries[first : first + PER_PAGE]]
        return 200, {"data": shown, "after": str(first + PER_PAGE) if more else None}

    def _create(self, body: dict[str, Any]) -> Answer:
        if self._find(body["client_id"]) is not None:
            return 409, {"message": "client_id is taken"}
        name = f"cl_{next(self._numbers)}"
        self.owners[name] = {"id": name, "secrets": [], **body}
        return 201, self.owners[name]

    def _find(self, name: str) -> dict[str, Any] | None:
        return next((o for o in self.owners.values() if name in {o["id"], o["client_id"]}), None)

    def _owner(self, method: str, name: str, body: dict[str, Any]) -> Answer:
        found = self._find(name)
        if found is None:
            return NONE
        if method == "PATCH":
            found |= body
        if method == "DELETE":
            del self.owners[found["id"]]
        return 200, _shown(found)

    def issue(self, name: str, body: dict[str, Any]) -> Answer:
        """Make one secret."""
        found = self._find(name)
        if found is None:
            return NONE
        kind = "client_secret" if found["client_id"] else "api_key"
        if kind == "client_secret" and len(found["secrets"]) == MOST_SECRETS:
            return 422, {"message": f"{MOST_SECRETS} secrets are the most"}
        made = {"id": f"sec_{next(self._numbers)}", "kind": kind, "created": self.clock.now().isoformat(), **body}
        found["secrets"].append({**made, "value": secrets.token_urlsafe(24)})
        return 201, found["secrets"][-1]

    def end(self, secret: str) -> Answer:
        """End one secret."""
        for owner in self.owners.values():
            left = [s for s in owner["secrets"] if s["id"] != secret]
            if len(left) < len(owner["secrets"]):
                owner["secrets"] = left
                return 200, {}
        return NONE

    def _whoami(self, request: Request) -> Answer:
        login = request.authorization
        name, value = None, request.headers.get("x-api-key")
        if login is not None and login.type == "basic":
            name, value = login.username, login.password
        for owner in self.owners.values():
            for secret in owner["secrets"]:
                if secret["value"] == value and name == (owner["client_id"] or None):
                    return 200, {"names": [owner["client_id"] or owner["id"]], "scopes": secret["scopes"]}
        return 401, {"message": "unknown"}


def _shown(owner: dict[str, Any]) -> dict[str, Any]:
    secrets = [{name: value for name, value in s.items() if name != "value"} for s in owner["secrets"]]
    return {**owner, "secrets": secrets}
