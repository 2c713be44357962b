"""Rules of what a credential may do, where, and by what kind of secret. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from keysteward.core.findings import Severity
from keysteward.core.models import ApiKey, M2MClient
from keysteward.core.policy.rule import PRODUCTION, Case, Rule

ADMIN_WORDS = frozenset({"admin", "administrator", "root", "superuser", "sudo", "owner", "everything", "all"})
"""Words in a scope that stand for every right there is."""

ENVIRONMENTS: Mapping[str, str] = {
    **dict.fromkeys(PRODUCTION, "production"),
    **dict.fromkeys(("staging", "stage", "preprod"), "staging"),
    **dict.fromkeys(("development", "dev"), "development"),
    **dict.fromkeys(("test", "testing", "qa"), "test"),
    **dict.fromkeys(("sandbox", "demo"), "demo"),
}
"""Words by which names and paths say an environment."""

_WORDS = re.compile(r"[A-Za-z0-9]+|\*")
_SEVERAL = re.compile(r"[,;&+]|\band\b", re.IGNORECASE)


def sweeping(scope: str) -> bool:
    """Say whether a scope is a wildcard or an administrator's."""
    words = [word.casefold() for word in _WORDS.findall(scope)]
    return "*" in words or bool(ADMIN_WORDS.intersection(words))


def _environment(word: str) -> str:
    return ENVIRONMENTS.get(word.casefold(), word.casefold())


def _scopes(case: Case) -> Iterable[str]:
    for scope in sorted(case.spec.scopes | case.spec.optional_scopes):
        if sweeping(scope):
            yield f"access: scope {scope!r} is a wildcard or an administrator's"


def _audience(case: Case) -> Iterable[str]:
    declared = case.declared
    if not isinstance(declared, (M2MClient, ApiKey)) or "catalogue" in case.can.lacks:
        return
    on_request = declared.optional_access if isinstance(declared, M2MClient) else {}
    if not any(scopes for scopes in (*declared.access.values(), *on_request.values())):
        yield "access: it names no resource server, so that nothing says for whom its tokens are"


def _consumers(case: Case) -> Iterable[str]:
    if case.spec.consumer and _SEVERAL.search(case.spec.consumer):
        yield f"consumer: {case.spec.consumer!r} reads like more than one"
    if len(case.spec.places) > 1:
        yield f"deliver_to: it is delivered to {len(case.spec.places)} places: {', '.join(case.spec.delivery)}"


def _said(text: str, known: frozenset[str]) -> set[str]:
    return {_environment(word) for word in _WORDS.findall(text) if _environment(word) in known}


def _known(case: Case) -> frozenset[str]:
    return frozenset({*ENVIRONMENTS.values(), *(_environment(name) for name in case.around.environments)})


def _environments(case: Case) -> Iterable[str]:
    known = _known(case)
    said = {word for place in case.spec.places for word in _said(place.path, known)}
    if len(said) > 1:
        yield f"deliver_to: its places are of {', '.join(sorted(said))}"


def _other_environment(case: Case) -> Iterable[str]:
    known, own = _known(case), _environment(case.spec.environment)
    for place in case.spec.places:
        others = _said(place.path, known) - {own}
        if others:
            yield f"deliver_to: {place.key} is of {', '.join(sorted(others))}, and the credential of {own}"


def _shared_with_production(case: Case) -> Iterable[str]:
    used = (*case.spec.audiences, *((case.spec.client_id,) if case.spec.kind == "ApiKey" else ()))
    for what in used if not case.production else ():
        other = case.around.production.get((case.spec.target, what))
        if other is not None:
            yield f"access: {what!r} is also what {other} of production uses"


def _key_pair(case: Case) -> Iterable[str]:
    if case.spec.method == "client_secret" and "private_key_jwt" in case.can.methods and not case.spec.external:
        yield f"auth_method: it uses a secret, and target {case.spec.target} takes key pairs, which never travel"


def _client(case: Case) -> Iterable[str]:
    if case.spec.classification in {"transitional", "bootstrap"}:
        return
    if case.declared.target.capabilities.methods and not case.can.by_hand:
        yield f"kind: it is an API key, and target {case.spec.target} has M2M clients, whose tokens are short-lived"
    elif case.can.federation:
        yield f"kind: it is an API key, and target {case.spec.target} has {case.can.federation}"


def _runbook(case: Case) -> Iterable[str]:
    if case.production and not case.spec.runbook:
        yield "runbook: there is none, and it is a production key"


RULES = (
    Rule(
        "KS016",
        "No wildcard and no administrator's scopes",
        "Whoever has a machine's secret has all that it may do, at any hour and unseen.",
        "name the scopes that its consumer uses",
        Severity.WARNING,
        Severity.WARNING,
        ("NHI5:2025",),
        _scopes,
    ),
    Rule(
        "KS017",
        "It is said for which API it is",
        "A token without an audience of its own is accepted by whoever does not look.",
        "declare the API as a ResourceServer, and write access=",
        Severity.NOTE,
        Severity.NOTE,
        ("NHI5:2025", "NHI4:2025"),
        _audience,
    ),
    Rule(
        "KS018",
        "Each consumer has a credential of its own",
        "What several use cannot be ended for one of them, and no log says who it was.",
        "declare one for each of them",
        Severity.NOTE,
        Severity.WARNING,
        ("NHI9:2025",),
        _consumers,
    ),
    Rule(
        "KS019",
        "Each environment has a credential of its own",
        "What works in two environments carries the weaker one's protection into the other.",
        "declare one for each of them",
        Severity.WARNING,
        Severity.WARNING,
        ("NHI8:2025", "NHI9:2025"),
        _environments,
    ),
    Rule(
        "KS020",
        "Production shares nothing with what is not production",
        "A test system is easier to get into, and here it leads on into production.",
        "give the other environment an API, or a holder, of its own",
        Severity.WARNING,
        Severity.WARNING,
        ("NHI8:2025",),
        _shared_with_production,
    ),
    Rule(
        "KS021",
        "It is delivered in its own environment",
        "A production secret in a place of a test system is readable by whoever tests.",
        "correct the place, or the environment",
        Severity.WARNING,
        Severity.WARNING,
        ("NHI8:2025",),
        _other_environment,
    ),
    Rule(
        "KS022",
        "A key pair in place of a secret, where that is offered",
        "A private key is never sent, so that neither the identity provider nor a log can leak it.",
        'write auth_method="private_key_jwt"; the change is a rotation with overlap',
        Severity.NOTE,
        None,
        ("NHI4:2025",),
        _key_pair,
    ),
    Rule(
        "KS023",
        "No standing key where there is something better",
        "An API key is itself what every call carries; a token is over in minutes.",
        "declare the client that takes over and make the key Transitional (keysteward.modules.partner_key)",
        None,
        Severity.NOTE,
        ("NHI4:2025", "NHI7:2025"),
        _client,
    ),
    Rule(
        "KS029",
        "A production key has a runbook",
        "Whoever is woken by its leak must not have to find out what breaks when it ends.",
        "write runbook= with the address of the page",
        None,
        Severity.WARNING,
        ("NHI1:2025", "NHI2:2025"),
        _runbook,
    ),
)
