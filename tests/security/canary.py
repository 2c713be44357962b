"""Secrets that can be recognised, the evidence that others may see, and the search for the ones in the other."""

from __future__ import annotations

import base64
import json
import logging
import sqlite3
import traceback
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from werkzeug.wrappers import Request, Response

from keysteward.sandbox.keycloak import KeycloakStandIn

READER_SECRET = "Reader%+/=&canary-5f0c2b9a41"
RUNNER_SECRET = "Runner%+/=&canary-77d1e03c58"
WRONG_SECRET = "Wrong%+/=&canary-1c94aa6be0"
VAULT_READER = "hvs.reader-canary-9be2d7710c"
VAULT_RUNNER = "hvs.runner-canary-03fd81c6aa"
SHORTEST = 12
"""A shorter value is no secret, and would be found by chance."""


@dataclass
class Known:
    """Every secret of the story: value to what it is."""

    values: dict[str, str] = field(default_factory=dict)

    def add(self, what: str, value: str | None) -> None:
        """Note a value; of a token its signature, of a private JWK the private number."""
        if value and value.startswith("{"):
            value = json.loads(value)["d"]
        elif value and value.count(".") == 2 and value.startswith("eyJ"):
            value = value.rpartition(".")[2]
        if value and len(value) >= SHORTEST:
            self.values.setdefault(value, what)

    def count(self, what: str) -> int:
        return sum(1 for known in self.values.values() if known == what)


def forms(secret: str) -> dict[str, bytes]:
    """Return how a secret may look where it has leaked: as it is, escaped, and inside base64 at any offset."""
    raw = secret.encode()
    found = {
        "as it is": raw,
        "percent-encoded": quote(secret, safe="").encode(),
        "form-encoded": quote_plus(secret).encode(),
        "JSON": json.dumps(secret)[1:-1].encode(),
        "repr": repr(secret)[1:-1].encode(),
        "hexadecimal": raw.hex().encode(),
    }
    for offset, skipped in ((0, 0), (1, 2), (2, 3)):
        text = base64.b64encode(b"\0" * offset + raw)[skipped : 8 * (offset + len(raw)) // 6]
        found[f"base64 at offset {offset}"] = text
        found[f"base64url at offset {offset}"] = text.replace(b"+", b"-").replace(b"/", b"_")
    return found


def leaks(evidence: Iterable[tuple[str, bytes]], known: Known) -> list[str]:
    """Say which secrets are found where and in what form; the secrets themselves are not repeated."""
    wanted: dict[bytes, tuple[str, str]] = {}
    for secret, what in known.values.items():
        for name, form in forms(secret).items():
            wanted.setdefault(form, (what, name))
    return sorted(
        {
            f"{where}: {what}, {name}"
            for where, content in evidence
            for form, (what, name) in wanted.items()
            if form in content
        }
    )


class Evidence(logging.Handler):
    """Everything that may be seen by somebody who must not see a secret."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.items: list[tuple[str, bytes]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a log record, but not those of the stand-ins: they are the vendor's side."""
        if not record.name.startswith("keysteward.sandbox"):
            trace = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
            self.add(f"log of {record.name}", f"{record.getMessage()} {record.args!r} {trace}")

    def add(self, where: str, content: object) -> None:
        text = content if isinstance(content, (str, bytes)) else repr(content)
        self.items.append((where, text.encode() if isinstance(text, str) else text))

    def add_error(self, error: BaseException) -> None:
        trace = "".join(traceback.format_exception(error))
        self.add(f"error {type(error).__name__}", f"{error} {error!r} {error.__dict__!r} {trace}")

    def add_folder(self, folder: Path, *left_out: Path) -> None:
        """Add every file below a folder: names and bytes, and SQLite files once more as text."""
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not path.is_file() or any(path.is_relative_to(out) for out in left_out):
                continue
            self.add(f"file {path.relative_to(folder)}", str(path).encode() + b"\n" + path.read_bytes())
            if path.suffix == ".sqlite3":
                with closing(sqlite3.connect(path)) as db:
                    self.add(f"rows of {path.name}", "\n".join(db.iterdump()))

    def of(self, where: str) -> bytes:
        return b"\n".join(content for name, content in self.items if name.startswith(where))


class WatchedKeycloak(KeycloakStandIn):
    """A stand-in that notes every secret it holds, takes or gives out."""

    def __init__(self, known: Known, **settings: Any) -> None:  # noqa: ANN401 - settings of the stand-in
        super().__init__(**settings)
        self.known = known

    def answer(self, request: Request) -> Response:
        """Answer, and look at everything before and after."""
        self._note_clients()
        if request.path.endswith("/token"):
            self.known.add("client assertion", request.form.get("client_assertion"))
        response = super().answer(request)
        if request.path.endswith("/token") and response.status_code == 200:
            self.known.add("access token", (response.get_json() or {}).get("access_token"))
        self._note_clients()
        return response

    def restart(self) -> None:
        """Answer again under the same address."""
        self._address = self.last_address
        self.start()

    def stop(self) -> None:
        """Stop, and remember where it was."""
        if self._server is not None:
            self.last_address = (self._address[0], int(self.url.rpartition(":")[2]))
        super().stop()

    def _note_clients(self) -> None:
        for realm in self.realms.values():
            for client in realm.clients.values():
                self.known.add("secret at the target", client.secret)
                self.known.add("secret at the target", client.attributes.get("client.secret.rotated"))


WATCH = """
import os
try:
    from keysteward.host import material
except ImportError:
    pass
else:
    made_before = material.new_material

    def new_material(method):
        made = made_before(method)
        with open(os.environ["CANARY_FILE"], "a", encoding="utf-8") as file:
            file.write(made.value.get_secret_value() + "\\n")
        return made

    material.new_material = new_material
"""
"""A sitecustomize.py for processes of others: every value made in them is noted in a file."""


def note_values(known: Known, watch: dict[str, str]) -> None:
    for line in Path(watch["CANARY_FILE"]).read_text(encoding="utf-8").splitlines():
        known.add("generated value", line)
