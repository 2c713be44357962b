"""ACL policies: the part of HCL they are written in, and which rule decides about a path.

Source: Vault and OpenBao documentation, "Policies"; the order of rules is their "priority matching".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from keysteward.sandbox.vault import replies

if TYPE_CHECKING:
    from collections.abc import Iterable

CAPABILITIES = frozenset({"create", "read", "update", "delete", "list", "patch", "sudo", "deny"})
OLD_POLICIES = {
    "deny": ["deny"],
    "read": ["read", "list"],
    "write": ["create", "read", "update", "delete", "list"],
    "sudo": ["create", "read", "update", "delete", "list", "sudo"],
}
DEFAULT_POLICY = """
# What every token may do with itself
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "sys/capabilities-self" { capabilities = ["update"] }
"""
LEXER = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*|//[^\n]*|/\*.*?\*/)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>[A-Za-z_][\w-]*)"""
    r"""|(?P<number>\d+)|(?P<mark>[{}\[\],=:])""",
    re.DOTALL,
)


@dataclass(frozen=True)
class Rule:
    """One ``path`` of a policy and what it allows."""

    path: str
    capabilities: frozenset[str]

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        segments = self.path.removesuffix("*").split("/")
        pattern = "/".join("[^/]+" if segment == "+" else re.escape(segment) for segment in segments)
        return re.compile(pattern + (".*" if self.path.endswith("*") else ""), re.DOTALL)

    @property
    def exact(self) -> bool:
        """Whether it names one path only."""
        return not self.path.endswith("*") and "+" not in self.path.split("/")

    def matches(self, path: str) -> bool:
        """Say whether the rule is about this path."""
        return self._pattern.fullmatch(path) is not None

    @property
    def priority(self) -> tuple[int, bool, int, int, str]:
        """Rules are compared by this; the greatest that matches decides."""
        wildcards = [match.start() for match in re.finditer(r"(?<![^/])\+(?![^/])", self.path)]
        glob = self.path.endswith("*")
        first = min([*wildcards, len(self.path) - 1 if glob else len(self.path)])
        return (first, not glob, -len(wildcards), len(self.path), self.path)


@dataclass(frozen=True)
class Acl:
    """The rules of all of a token's policies; ``root`` allows everything."""

    rules: tuple[Rule, ...] = ()
    root: bool = False
    _by_path: dict[str, frozenset[str]] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, documents: Iterable[str], *, root: bool) -> Acl:
        """Join policies: rules of equal path add up, and ``deny`` wins."""
        joined: dict[str, frozenset[str]] = {}
        for rule in (rule for document in documents for rule in parse(document)):
            joined[rule.path] = joined.get(rule.path, frozenset()) | rule.capabilities
        return cls(tuple(Rule(path, capabilities) for path, capabilities in joined.items()), root)

    def capabilities(self, path: str) -> list[str]:
        """Return what is allowed at this path: sorted, ``["deny"]`` for nothing, ``["root"]`` for everything."""
        if self.root:
            return ["root"]
        allowed = self._decide(path)
        return ["deny"] if "deny" in allowed or not allowed else sorted(allowed)

    def _decide(self, path: str) -> frozenset[str]:
        path = path.removeprefix("/")
        matching = [rule for rule in self.rules if rule.matches(path)]
        if not matching and path.endswith("/"):
            matching = [rule for rule in self.rules if rule.exact and rule.matches(path.removesuffix("/"))]
        if not matching:
            return frozenset()
        return max(matching, key=lambda rule: (rule.exact, rule.priority)).capabilities

    def allows(self, operation: str, path: str) -> bool:
        """Say whether the operation is allowed at this path."""
        allowed = self.capabilities(path)
        return allowed == ["root"] or operation in allowed

    def reaches_below(self, prefix: str) -> bool:
        """Say whether any rule could allow anything under a mount."""
        if self.root:
            return True
        fixed = ((rule, re.split(r"[*+]", rule.path, maxsplit=1)[0]) for rule in self.rules)
        return any(
            (start.startswith(prefix) or (not rule.exact and prefix.startswith(start)))
            and "deny" not in rule.capabilities
            for rule, start in fixed
        )


def parse(document: str) -> list[Rule]:
    """Read a policy in HCL or JSON; what cannot be read is refused with 400."""
    try:
        tree: dict[str, Any] = json.loads(document) if document.lstrip().startswith("{") else {}
    except ValueError:
        raise _unreadable("not JSON") from None
    if tree:
        return [_rule(path, body) for path, body in tree.get("path", {}).items()]
    tokens = _Tokens(document)
    rules: list[Rule] = []
    while tokens.left:
        word = tokens.take("word")
        if word == "path":
            path = json.loads(tokens.take("text"))
            rules.append(_rule(path, tokens.block()))
        else:
            tokens.assigned()
    return rules


def _unreadable(reason: str) -> replies.Refusal:
    return replies.bad_request(f"failed to parse policy: {reason}")


def _rule(path: str, body: dict[str, Any]) -> Rule:
    capabilities = body.get("capabilities")
    if capabilities is None:
        capabilities = OLD_POLICIES.get(body.get("policy", ""), [])
    for name in capabilities:
        if name not in CAPABILITIES:
            raise _unreadable(f'path "{path}": invalid capability "{name}"')
    return Rule(path.removeprefix("/"), frozenset(capabilities))


class _Tokens:
    """The words of an HCL document, taken one after the other."""

    def __init__(self, document: str) -> None:
        self.left: list[tuple[str, str]] = []
        position = 0
        while position < len(document):
            match = LEXER.match(document, position)
            if match is None:
                raise _unreadable(f"illegal character at {position}")
            position = match.end()
            if match.lastgroup and match.lastgroup != "skip":
                self.left.append((match.lastgroup, match.group()))

    def take(self, kind: str, text: str | None = None) -> str:
        found_kind, found = self.left.pop(0) if self.left else ("end", "EOF")
        if found_kind != kind or text not in {None, found}:
            raise _unreadable(f"expected {text or kind} got: {found}")
        return found

    def block(self) -> dict[str, Any]:
        self.take("mark", "{")
        body: dict[str, Any] = {}
        while self.left and self.left[0][1] != "}":
            kind, name = self.left.pop(0)
            if kind not in {"word", "text"}:
                raise _unreadable(f"unexpected {name}")
            body[name.strip('"')] = self.assigned()
            if self.left and self.left[0][1] == ",":
                self.left.pop(0)
        self.take("mark", "}")
        return body

    def assigned(self) -> object:
        if self.left and self.left[0][1] == "{":
            return self.block()
        self.take("mark", "=")
        return self.value()

    def value(self) -> object:
        if self.left and self.left[0][1] == "{":
            return self.block()
        kind, text = self.left.pop(0) if self.left else ("end", "EOF")
        if text == "[":
            return self.items()
        if kind in {"text", "number"} or text in {"true", "false"}:
            return json.loads(text)
        raise _unreadable(f"unexpected {text}")

    def items(self) -> list[object]:
        found: list[object] = []
        while self.left and self.left[0][1] != "]":
            found.append(self.value())
            if self.left and self.left[0][1] == ",":
                self.left.pop(0)
        self.take("mark", "]")
        return found
