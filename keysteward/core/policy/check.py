"""The checks of a whole stack: everything that can be found before any call is found here. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime
from fnmatch import fnmatchcase

from keysteward.core.contract.facets import key_capabilities
from keysteward.core.declare.credentials import (
    ApiKey,
    Declaration,
    Governed,
    M2MClient,
    ManualKey,
    ResourceServer,
    Secret,
    Transitional,
)
from keysteward.core.declare.owners import Owners
from keysteward.core.declare.spec import Spec, capabilities_of, spec_of
from keysteward.core.declare.stack import Stack, second_client_id, targets_of
from keysteward.core.errors import DeclarationError
from keysteward.core.findings import Finding
from keysteward.core.policy import Life, judge, judge_sets, mistakes, stopping


def check(stack: Stack, owners: Owners, now: datetime, *, strict: bool = True) -> tuple[Finding, ...]:
    """Check a whole stack before any call; returns the findings of its rules, which `strict` lets stop it.

    `now` is the time by which reviews, waivers and owners are over. Raises DeclarationError with one sentence per
    problem, each naming declaration, field and mend.
    """
    check_form(stack)
    findings = judged(stack, owners, now)
    stops = stopping(findings)
    if strict and stops:
        raise DeclarationError("\n".join(sentence_of(finding, stack) for finding in stops))
    return findings


def judged(stack: Stack, owners: Owners, now: datetime, lives: Mapping[str, Life] | None = None) -> tuple[Finding, ...]:
    """Hold a stack against its rules, numbered and own; `lives` by identity, for the rules that need a look."""
    own = (finding for rule in stack.rules for finding in rule(stack))
    return (*judge(stack, owners, now, lives), *judge_sets(stack, owners, now), *own)


def check_form(stack: Stack) -> None:
    """Check that declarations fit each other and their targets, rules apart. Raises DeclarationError as `check`."""
    problems = [
        *_strangers(stack),
        *_duplicate_names(stack),
        *_same_name_two_things(stack),
        *(sentence for declared in stack.credentials for sentence in _credential(declared, stack)),
        *(sentence for declared in stack.governed for sentence in _governed(declared, stack)),
        *_shared_scopes(stack),
        *mistakes(stack),
    ]
    problems = problems or [*_without_strategy(stack)]
    if not problems:
        problems = [*_strategies(stack), *_duplicate_places(stack), *_duplicate_clients(stack), *_adopted_twice(stack)]
    if problems:
        raise DeclarationError("\n".join(problems))


def sentence_of(finding: Finding, stack: Stack) -> str:
    """Write what stops a stack as a sentence that begins with the declaration."""
    declared = {f"{stack.identity}/{d.name}": _subject(d) for d in stack.declarations}
    subject = declared.get(finding.subject, finding.subject) if finding.rule else finding.subject
    parted = "; " if finding.rule else " "
    return parted.join(filter(None, (f"{subject}: {finding.message}", finding.mend)))


def _subject(declared: Declaration) -> str:
    return f"{type(declared).__name__} {declared.name!r}"


def _strangers(stack: Stack) -> Iterable[str]:
    for item in stack.declarations:
        known: object = item
        if not isinstance(known, (Secret, ResourceServer, Governed)):
            yield f"Stack {stack.identity!r}: declarations: {type(item).__name__} is not a declaration"


def _duplicate_names(stack: Stack) -> Iterable[str]:
    seen: dict[str, str] = {}
    for declared in stack.declarations:
        if declared.name in seen:
            yield f"{_subject(declared)}: name: {seen[declared.name]} has the same name; rename one of them"
        seen.setdefault(declared.name, _subject(declared))
    for declared in (*stack.credentials, *stack.servers):
        for old in declared.previously:
            if old in seen:
                yield f"{_subject(declared)}: previously: {old!r} is still declared; a name can only move"


def _same_name_two_things(stack: Stack) -> Iterable[str]:
    """One name must mean one target and one store, since ledgers and plans know them by name."""
    pairs = [("target", t.name, t.descriptor) for d in stack.declarations for t in targets_of(d)]
    others = (*stack.watched, *(entry.target for entry in stack.allowed))
    pairs += [("target", target.name, target.descriptor) for target in others]
    pairs += [("store", p.store.name, p.store.descriptor) for c in stack.credentials for p in c.deliveries]
    seen: dict[tuple[str, str], object] = {}
    told = set()
    for kind, name, descriptor in pairs:
        if seen.setdefault((kind, name), descriptor) != descriptor and (kind, name) not in told:
            told.add((kind, name))
            yield f"Stack {stack.identity!r}: two different {kind}s are called {name!r}; rename one of them"


def _governed(declared: Governed, stack: Stack) -> Iterable[str]:
    subject = _subject(declared)
    keys = key_capabilities(declared.target)
    if keys is None or keys.by_hand:
        yield f"{subject}: target: {declared.target.name} shows no API keys; govern those of a target that does"
    for server in declared.ceiling or {}:
        if server not in stack.servers:
            yield f"{subject}: ceiling: ResourceServer {server.name!r} is not in the stack; add it to declarations"


def _credential(declared: Secret, stack: Stack) -> Iterable[str]:
    subject = _subject(declared)
    environments = capabilities_of(declared.target, type(declared).__name__).environments
    if environments is not None and declared.environment not in environments:
        yield (
            f"{subject}: environment: target {declared.target.name} serves {', '.join(environments)}, "
            f"not {declared.environment!r}; use another target or correct the environment"
        )
    if isinstance(declared, (M2MClient, ApiKey)):
        yield from _access(declared, stack, subject)
    if isinstance(declared, M2MClient):
        yield from _lacking(declared, subject)
    if isinstance(declared, ApiKey):
        yield from _holder(declared, subject)
    if isinstance(declared, (ApiKey, ManualKey)) and isinstance(declared.classification, Transitional):
        yield from _migration(declared.classification, stack, subject)
        yield from _too_late(declared.classification, declared.expires, subject)
    prover = declared.proven_by if isinstance(declared, ApiKey) else None
    if prover is not None and not capabilities_of(prover, "ManualKey").by_hand:
        yield f"{subject}: proven_by: target {prover.name} has no probe; write Manual(name, probe=Probe(url=...))"


def _lacking(declared: M2MClient, subject: str) -> Iterable[str]:
    lacks, name = declared.target.capabilities.lacks, declared.target.name
    if declared.client_id is not None and declared.target.capabilities.assigns_client_id:
        yield f"{subject}: client_id: target {name} assigns it itself, and delivers what it assigned; remove it"
    if declared.optional_access and "optional scopes" in lacks:
        yield f"{subject}: optional_access: target {name} grants scopes always or not at all; write them under access"
    if declared.token_lifetime is not None and "token lifetime" in lacks:
        yield f"{subject}: token_lifetime: target {name} sets it for all its clients; remove it"


def _holder(declared: ApiKey, subject: str) -> Iterable[str]:
    """Refuse a holder that its target gives no new key; one that has a key already may be adopted."""
    can = capabilities_of(declared.target, "ApiKey")
    taken = not can.holders or any(fnmatchcase(declared.holder, pattern) for pattern in can.holders)
    if not taken and declared.adopt is None:
        yield f"{subject}: holder: {declared.holder!r} {can.other_holders}"


def _migration(why: Transitional, stack: Stack, subject: str) -> Iterable[str]:
    clients = [c.name for c in stack.credentials if isinstance(c, M2MClient)]
    if why.client not in clients:
        known = f"; it declares {', '.join(clients)}" if clients else ""
        yield (
            f"{subject}: classification: migrate_to names {why.client!r}, and the stack declares no such M2MClient"
            f"{known}; declare the client that takes over"
        )


def _too_late(why: Transitional, expires: date, subject: str) -> Iterable[str]:
    if why.by > expires:
        yield (
            f"{subject}: classification: by ({why.by}) is after expires ({expires}), so that the key ends before its "
            "consumer has to have moved; let by be that day at the latest"
        )


def _access(declared: M2MClient | ApiKey, stack: Stack, subject: str) -> Iterable[str]:
    can = key_capabilities(declared.target) if isinstance(declared, ApiKey) else None
    if declared.access and can is not None and "catalogue" in can.lacks:
        yield f"{subject}: access: keys of target {declared.target.name} carry no permissions of ours; remove it"
        return
    on_request = declared.optional_access if isinstance(declared, M2MClient) else {}
    for name, access in (("access", declared.access), ("optional_access", on_request)):
        for server, scopes in access.items():
            if server not in stack.servers:
                yield f"{subject}: {name}: ResourceServer {server.name!r} is not in the stack; add it to declarations"
            if server.target.name != declared.target.name:
                yield f"{subject}: {name}: {server.name!r} lives at target {server.target.name}; use one of its own"
            unknown = [scope for scope in scopes if scope not in server.scopes]
            if unknown:
                yield (
                    f"{subject}: {name}: {server.name!r} does not offer {', '.join(unknown)}; "
                    f"it offers {', '.join(server.scopes)}"
                )


def _shared_scopes(stack: Stack) -> Iterable[str]:
    seen: dict[tuple[str, str], str] = {}
    for server in stack.servers:
        if "catalogue" in server.target.capabilities.lacks:
            yield f"{_subject(server)}: target: {server.target.name} has no scopes that could be declared; remove it"
        yield from _unqualified(server)
        audience = server.target.capabilities.audience
        if audience is not None and server.audience != audience:
            yield (
                f"{_subject(server)}: audience: every token of target {server.target.name} is for {audience!r}; "
                "write that"
            )
        if not server.target.capabilities.scopes_global:
            continue
        for scope in server.scopes:
            other = seen.setdefault((server.target.name, scope), server.name)
            if other != server.name:
                yield (
                    f"{_subject(server)}: scopes: {scope!r} is also declared by {other!r}, and scope names are shared "
                    f"across target {server.target.name}; prefix one of them"
                )


def _unqualified(server: ResourceServer) -> Iterable[str]:
    if not server.target.capabilities.qualified_scopes:
        return
    prefix = f"{server.audience}/"
    for scope in server.scopes:
        if not scope.startswith(prefix) or "/" in scope.removeprefix(prefix) or scope == prefix:
            yield (
                f"{_subject(server)}: scopes: {scope!r} is no scope of target {server.target.name}, whose scopes are "
                f'named after their audience; write "{prefix}{scope.rpartition("/")[2] or "read"}"'
            )


def _without_strategy(stack: Stack) -> Iterable[str]:
    """Refuse what has no normal form: each credential is asked by itself only where one of them has none."""
    with suppress(DeclarationError):
        _ = stack.specs
        return
    for declared in stack.credentials:
        try:
            spec_of(declared, stack.identity)
        except DeclarationError as error:
            yield f"{_subject(declared)}: {error.message}"


def _strategies(stack: Stack) -> Iterable[str]:
    for declared, spec in zip(stack.credentials, stack.specs.values(), strict=True):
        if not spec.strategy.overlaps and spec.overlap:
            yield f"{_subject(declared)}: rotation: accept_gap replaces the secret in place; overlap must be 0"
        can = capabilities_of(declared.target, spec.kind)
        yield from _silence(declared, spec, stack)
        if spec.unused_for is not None and not _shows_use(spec, can.last_use):
            yield (
                f"{_subject(declared)}: rotation: retire_when_unused_for needs a target that shows when a secret was "
                f"last used, and {spec.target} does not; remove it"
            )
        longest = can.longest_overlap
        if longest is not None and spec.overlap > longest:
            yield f"{_subject(declared)}: rotation: target {spec.target} allows an overlap of at most {longest}"


def _silence(declared: Secret, spec: Spec, stack: Stack) -> Iterable[str]:
    """Refuse to wait for a silence, or for a use, that a target does not show."""
    if spec.silent_for is None:
        return
    if capabilities_of(declared.target, spec.kind).last_use != "secret":
        yield (
            f"{_subject(declared)}: classification: retire_when_silent_for needs a target that shows when a key was "
            f"last used, and {spec.target} does not; remove it"
        )
    client = next((c for c in stack.credentials if c.name == spec.migrates_to), None)
    if client is not None and client.target.capabilities.last_use is None:
        yield (
            f"{_subject(declared)}: classification: retire_when_silent_for needs client {client.name!r} at a target "
            "that shows its use; remove it, and end the key by its date"
        )


def _shows_use(spec: Spec, shown: str | None) -> bool:
    return shown == "secret" or (shown == "client" and spec.strategy.twins)


def _duplicate_places(stack: Stack) -> Iterable[str]:
    seen: dict[str, str] = {}
    for spec in stack.specs.values():
        for place in spec.places:
            other = seen.setdefault(place.key, spec.name)
            if other != spec.name:
                yield (
                    f"{spec.kind} {spec.name!r}: deliver_to: {place.key} is already the place of {other!r}; "
                    "two credentials cannot be delivered to one place"
                )
        if len(set(spec.delivery)) != len(spec.places):
            yield f"{spec.kind} {spec.name!r}: deliver_to: names one place twice; remove one"


def _duplicate_clients(stack: Stack) -> Iterable[str]:
    seen: dict[tuple[str, str], str] = {}
    for spec in stack.specs.values():
        if spec.key and capabilities_of(stack.targets[spec.target], spec.kind).tags_secrets:
            continue  # keys that carry a name of ours share their holder
        names = [spec.client_id]
        if spec.strategy.twins:
            names.append(second_client_id(spec.client_id, 2))
        for name in names:
            other = seen.setdefault((spec.target, name), spec.name)
            if other != spec.name:
                field_name = "holder" if spec.kind == "ApiKey" else "target" if spec.key else "client_id"
                yield (
                    f"{spec.kind} {spec.name!r}: {field_name}: {name!r} at target {spec.target} is already used by "
                    f"{other!r}; give one of them another {field_name}"
                )


def _adopted_twice(stack: Stack) -> Iterable[str]:
    """Refuse what two declarations adopt: they would issue and end its secrets under each other."""
    seen: dict[tuple[str, bool, str], Spec] = {}
    for spec in stack.specs.values():
        if spec.adopt is None:
            continue
        first = seen.setdefault((spec.target, spec.key, spec.adopt), spec)
        if first is not spec and (first.kind, spec.kind) != ("ClientSecret", "ClientSecret"):
            yield (
                f"{spec.kind} {spec.name!r}: {'client' if spec.kind == 'ClientSecret' else 'adopt'}: {spec.adopt!r} "
                f"at target {spec.target} is already that of {first.name!r}; let one of them have it"
            )
