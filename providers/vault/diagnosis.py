"""What `keysteward doctor` asks Vault: does it answer, is the engine there, are the rights neither less nor more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from keysteward.core.contract.address import IN_CLEAR, leaves_in_clear
from keysteward.core.contract.ports import Check
from keysteward.core.errors import KeystewardError
from keysteward.providers.vault.kv import Kv
from keysteward.providers.vault.models import Held, ReadMount

_VALUES = frozenset({"read", "create", "update", "patch", "delete"})
_PROBE = "keysteward-doctor"
"""A name under which nothing is ever written: capabilities can be asked for paths that do not exist."""


def diagnose(kv: Kv, staging: str, paths: Iterable[str], *, reading: bool) -> Iterator[Check]:
    """Check server, engine and rights for a store."""
    delivered = list(paths)
    metadata, data = f"{kv.mount}/metadata", f"{kv.mount}/data"
    needed: dict[str, frozenset[str]] = {f"{metadata}/{staging}/": frozenset({"list"})}
    unwanted: dict[str, frozenset[str]] = {}
    for path in [*delivered, f"{staging}/{_PROBE}"]:
        if reading:
            needed[f"{metadata}/{path}"] = frozenset({"read"})
            unwanted[f"{data}/{path}"] = _VALUES
            unwanted[f"{metadata}/{path}"] = frozenset({"create", "update", "patch", "delete"})
        else:
            needed[f"{data}/{path}"] = frozenset({"create", "update", "read"})
            needed[f"{metadata}/{path}"] = frozenset({"read", "patch", "delete"})
    if not reading:
        needed |= {f"{metadata}/{path}": frozenset({"create", "read", "patch", "delete"}) for path in delivered}
        needed |= {f"{kv.mount}/destroy/{path}": frozenset({"update"}) for path in delivered}
    yield from _checks(kv, needed, unwanted, "reader" if reading else "admin")


def diagnose_ledgers(kv: Kv, prefix: str, *, reading: bool) -> Iterator[Check]:
    """Check server, engine and rights for a ledger store."""
    document = f"{kv.mount}/data/{prefix}/{_PROBE}"
    writes = frozenset({"create", "update"})
    needed = {
        f"{kv.mount}/metadata/{prefix}/": frozenset({"list"}),
        document: frozenset({"read"}) if reading else frozenset({"read"}) | writes,
    }
    yield from _checks(kv, needed, {document: writes} if reading else {}, "reader" if reading else "admin")


def _checks(
    kv: Kv, needed: Mapping[str, frozenset[str]], unwanted: Mapping[str, frozenset[str]], who: str
) -> Iterator[Check]:
    name = kv.client.connection.name
    if leaves_in_clear(kv.client.connection.url):
        yield Check(f"{name} url", ok=True, warning=True, detail=IN_CLEAR)
    try:
        version, _ = kv.client.health()
        yield Check(name, ok=True, detail=f"{kv.client.connection.url} answers (version {version}), unsealed")
        yield _engine(kv)
        held = _capabilities(kv, {**needed, **unwanted})
    except KeystewardError as error:
        yield Check(name, ok=False, detail=error.message)
        return
    subject = f"{name} {who}"
    missing = [
        f'"{capability}" on {path}'
        for path, wanted in needed.items()
        for capability in sorted(wanted - held[path])
        if "root" not in held[path]
    ]
    yield Check(subject, not missing, f"lacks {', '.join(missing)}" if missing else "has the rights needed")
    if any("root" in capabilities for capabilities in held.values()):
        yield Check(subject, ok=True, warning=True, detail="is a root token: give it the policy keysteward ships")
        return
    excess = [
        f'"{capability}" on {path}' for path, refused in unwanted.items() for capability in sorted(refused & held[path])
    ]
    if excess:
        yield Check(subject, ok=True, warning=True, detail=f"may do what it never needs: {', '.join(excess)}")


def _engine(kv: Kv) -> Check:
    mount = kv.client.get(f"sys/internal/ui/mounts/{kv.mount}").read(ReadMount).data
    right = mount.type == "kv" and (mount.options or {}).get("version") == "2"
    word = "is a KV engine of version 2" if right else "is no KV engine of version 2: correct mount="
    return Check(f"{kv.client.connection.name} {kv.mount}", right, f"{kv.mount} {word}")


def _capabilities(kv: Kv, paths: Mapping[str, object]) -> dict[str, frozenset[str]]:
    reply = kv.client.call("POST", "sys/capabilities-self", "update", body={"paths": list(paths)})
    return reply.read(Held).of(paths)
