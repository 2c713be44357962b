"""Sends the one request that proves a key. The key goes into a header or the body, never into the address."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Final, Literal
from urllib.parse import quote_plus, urlsplit

from pydantic import SecretStr

from keysteward.core.contract.address import check_address
from keysteward.core.contract.ports import Proof, Verification
from keysteward.core.errors import DeclarationError, Rejected
from keysteward.host.http import Reply, Session
from keysteward.host.once import once

PLACEHOLDER: Final = "{value}"
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"

MADE_UP_BYTES: Final = 24
"""Entropy of the made-up value: nobody's key."""

OPERATION: Final = "probe"
MAKES_NOTHING: Final = "the probe also accepts a made-up value, so it proves nothing; name a URL that needs the key"

_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\x20-\x7e]*\S)")
"""One field of RFC 9110, section 5, in ASCII."""
_NEVER_FIXED = frozenset({"authorization", "proxy-authorization", "cookie", "content-type", "content-length", "host"})


@dataclass(frozen=True)
class Probe:
    """The HTTP request that a key is proven by: harmless, and refused without a key.

    The key stands where `{value}` does, in one of: `header` ("X-Api-Key: {value}"), `basic` ("user:{value}", sent as
    RFC 7617 says) or `body`, a template of `content_type` JSON or form, in which it is escaped. With none of them it
    is a bearer token. `headers` are further ones, such as a version; they hold no secret. `ok` and `refused` are the
    statuses that say that a key works, and that it does not; any other says nothing.
    """

    url: str
    _: KW_ONLY
    method: Literal["GET", "HEAD", "POST"] = "GET"
    header: str | None = None
    basic: str | None = None
    body: str | None = None
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    ok: Sequence[int] = (200, 204)
    refused: Sequence[int] = (401, 403)

    def __post_init__(self) -> None:
        if self.header is None and self.basic is None and self.body is None:
            object.__setattr__(self, "header", f"Authorization: Bearer {PLACEHOLDER}")
        for name in ("ok", "refused"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "headers", dict(self.headers))
        self._check_url()
        for problem in (self._wrong_place(), self._wrong_headers(), self._wrong_statuses()):
            if problem is not None:
                raise DeclarationError(f"Probe: {problem}")

    def _check_url(self) -> None:
        if PLACEHOLDER in self.url:
            words = "must not hold the key, which would stand in the logs of every proxy; use header, basic or body"
            raise DeclarationError(f"Probe: url {words}")
        check_address(self.url, field="Probe: url")

    def _wrong_place(self) -> str | None:
        given = {"header": self.header, "basic": self.basic, "body": self.body}
        templates = {name: text for name, text in given.items() if text is not None}
        if len(templates) > 1:
            return f"{' and '.join(templates)}: give one of them, the one that carries the key"
        [(name, text)] = templates.items()
        if text.count(PLACEHOLDER) != 1:
            return f"{name}: write {PLACEHOLDER} once, where the key goes"
        if name == "header" and not _HEADER.fullmatch(text):
            return 'header: write it as "Name: {value}"'
        if name == "body" and (self.method != "POST" or self.content_type not in {JSON, FORM}):
            return f'body: needs method="POST" and a content_type of {JSON} or {FORM}'
        return None

    def _wrong_headers(self) -> str | None:
        fixed = [name for name in self.headers if name.lower() in _NEVER_FIXED]
        if fixed:
            return f"headers: must not set {', '.join(fixed)}"
        wrong = [name for name, text in self.headers.items() if not _HEADER.fullmatch(f"{name}: {text}")]
        return f"headers: {', '.join(wrong)} cannot be sent" if wrong else None

    def _wrong_statuses(self) -> str | None:
        both = sorted({*self.ok} & {*self.refused})
        if not self.ok or not self.refused:
            return "ok and refused: name at least one status each"
        return f"ok and refused: {both[0]} cannot be both" if both else None


@once
def _session(target: str, ca: str | None) -> Session:
    return Session(target, ca=ca)


@dataclass(frozen=True)
class Prober:
    """Tries keys by one probe. `ca` is the path of a certificate bundle."""

    target: str
    probe: Probe
    ca: str | None = None

    def try_value(self, value: SecretStr) -> Verification:
        """Try a value, after a made-up one was refused: else the answer says nothing.

        Raises Unavailable when there is no answer, and the error of its status when the answer is neither declared.
        """
        control = self.control()
        if control is not None:
            return control
        reply = self._send(value)
        if reply.status in self.probe.refused:
            return Verification(Proof.REFUSED, f"{self.target} refuses it (status {reply.status})")
        if reply.status in self.probe.ok:
            return Verification(Proof.PROVEN, f"accepted (status {reply.status})")
        raise self._unclear(reply, "the key")

    def control(self) -> Verification | None:
        """Try a made-up value; returns what is wrong when it is not refused. Raises as `try_value` does."""
        reply = self._send(SecretStr(secrets.token_urlsafe(MADE_UP_BYTES)))
        if reply.status in self.probe.refused:
            return None
        if reply.status in self.probe.ok:
            return Verification(Proof.WRONG, MAKES_NOTHING)
        raise self._unclear(reply, "a made-up value")

    def _unclear(self, reply: Reply, what: str) -> Exception:
        ok, refused = (", ".join(map(str, statuses)) for statuses in (self.probe.ok, self.probe.refused))
        return reply.error(
            f"{urlsplit(self.probe.url).netloc} answers {what} with status {reply.status}, which is neither ok ({ok}) "
            f"nor refused ({refused}); correct the probe, or try again later"
        )

    def _send(self, value: SecretStr) -> Reply:
        """Make the probe's call with a value in its place. Raises Rejected for one that no header can carry."""
        text, probe = value.get_secret_value(), self.probe
        headers, body = dict(probe.headers), None
        if probe.header is not None:
            if not text.isascii() or not text.isprintable():
                raise Rejected("the value holds characters that a header cannot carry", target=self.target)
            name, _, template = probe.header.partition(": ")
            headers[name] = template.replace(PLACEHOLDER, text)
        elif probe.basic is not None:
            pair = probe.basic.replace(PLACEHOLDER, text).encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        elif probe.body is not None:
            escaped = json.dumps(text)[1:-1] if probe.content_type == JSON else quote_plus(text)
            body = probe.body.replace(PLACEHOLDER, escaped).encode()
            headers["Content-Type"] = probe.content_type
        return _session(self.target, self.ca).request(
            probe.method,
            probe.url,
            operation=OPERATION,
            repeatable=True,
            changes=False,
            headers=headers,
            body=body,
        )
