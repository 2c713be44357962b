"""Rules of what a credential may do, where, and by what kind of secret. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from keysteward.core.declare.credentials import ApiKey, M2MClient, ResourceServer
from keysteward.core.declare.delivery import Place
from keysteward.core.declare.environments import PRODUCTION, differs, environment_of, is_production, said
from keysteward.core.findings import Severity
from keysteward.core.policy.broad_scopes import sweeping
from keysteward.core.policy.rule import Case, Rule, rule, shared

_BETWEEN = re.compile(r"\s*([,;])\s*|\s+(?:and|&|\+)\s+", re.IGNORECASE)
_COMPANY = re.compile(r"(?:ag|co|corp|gmbh|inc|llc|ltd|plc|sa|se)\.?", re.IGNORECASE)
_SYSTEM = re.compile(r"\S*[-_0-9]\S*")
_SEVERAL = 2


@rule(
    "KS016",
    "Least privilege: no wildcard and no administrator's scopes",
    reason="Whoever has a machine's secret has all that it may do, at any hour and unseen.",
    breaks="A scope of `access` or `optional_access` has a wildcard, or is one that docs/rules.md lists as sweeping.",
    mend="name the scopes that its consumer uses",
    client=Severity.WARNING,
    key=Severity.WARNING,
    owasp=("NHI5",),
)
def _scopes(case: Case) -> Iterable[str]:
    audiences = sorted({server.audience for server, _ in _granted(case)})
    for scope in sorted(case.spec.scopes | case.spec.optional_scopes):
        what = sweeping(scope, audiences, case.can.broad_scopes)
        if what is not None:
            yield f"access: scope {scope!r} is {what}"


@rule(
    "KS017",
    "It is said for which API it is",
    reason="A token without an audience of its own is accepted by whoever does not look.",
    breaks="Neither `access` nor `optional_access` names a scope, at a target whose scopes can be declared.",
    mend="declare the API as a ResourceServer, and write access=",
    client=Severity.NOTE,
    key=Severity.NOTE,
    owasp=("NHI5", "NHI4"),
)
def _audience(case: Case) -> Iterable[str]:
    takes = isinstance(case.declared, (M2MClient, ApiKey)) and "catalogue" not in case.can.lacks
    if takes and not any(scopes for _, scopes in _granted(case)):
        yield "access: it names no resource server, so that nothing says for whom its tokens are"


@rule(
    "KS018",
    "Each consumer has a credential of its own",
    reason="What several use cannot be ended for one of them, and no log says who it was.",
    breaks="`consumer` reads like a list and is not listed in the owners file, or `deliver_to` has places of different "
    "paths. (One path in several stores is one consumer's.)",
    mend="declare one for each of them; or if it is one all the same, list it under consumers in the owners file",
    client=Severity.NOTE,
    key=Severity.WARNING,
    owasp=("NHI3", "NHI9"),
)
def _consumers(case: Case) -> Iterable[str]:
    consumer = case.spec.consumer
    if consumer and consumer not in case.owners.consumers and _list_of(consumer):
        yield f"consumer: {consumer!r} reads like more than one"
    paths = sorted({place.path for place in case.spec.places})
    if len(paths) > 1:
        yield f"deliver_to: it is delivered to {len(paths)} places: {', '.join(paths)}"


def _granted(case: Case) -> list[tuple[ResourceServer, Sequence[str]]]:
    """Return what its declaration grants, always and on request."""
    declared = case.declared
    if not isinstance(declared, (M2MClient, ApiKey)):
        return []
    on_request = declared.optional_access if isinstance(declared, M2MClient) else {}
    return [*declared.access.items(), *on_request.items()]


def _list_of(consumer: str) -> bool:
    """Say whether a consumer reads like several: single words in a list, or names of systems with "and" between.

    "Search and Discovery", "Marks & Spencer" and "Acme, Inc." are one.
    """
    pieces = [piece for piece in _BETWEEN.split(consumer) if piece]
    names = [piece.strip() for piece in pieces if piece not in {",", ";"} and not _COMPANY.fullmatch(piece.strip())]
    if len(names) < _SEVERAL or any(" " in name for name in names):
        return False
    return len(pieces) > len(names) or any(_SYSTEM.fullmatch(name) for name in names)


def _said(case: Case, place: Place) -> set[str]:
    """Return the environments that a place says by its store and its path."""
    own = (case.spec.name, case.spec.client_id, case.spec.consumer or "")
    return said((place.store, *place.path.split("/")), case.around.environments, own)


@rule(
    "KS019",
    "Each environment has a credential of its own",
    reason="What works in two environments carries the weaker one's protection into the other.",
    breaks="The places of `deliver_to` say different environments.",
    mend="declare one for each of them",
    client=Severity.WARNING,
    key=Severity.WARNING,
    owasp=("NHI8", "NHI9"),
)
def _environments(case: Case) -> Iterable[str]:
    found = sorted({environment for place in case.spec.places for environment in _said(case, place)})
    if any(differs(found[0], other) for other in found[1:]):
        yield f"deliver_to: its places are of {', '.join(found)}"


@rule(
    "KS020",
    "Production shares nothing with what is not production",
    reason="A test system is easier to get into, and here it leads on into production.",
    breaks="A credential of another environment has an audience, or a holder of API keys, that one of production has "
    "at the same target.",
    mend="give the other environment an API, or a holder, of its own",
    client=Severity.WARNING,
    key=Severity.WARNING,
    owasp=("NHI8",),
)
def _shared_with_production(case: Case) -> Iterable[str]:
    for what in shared(case.spec) if case.environment != PRODUCTION else ():
        other = case.around.production.get((case.spec.target, what))
        if other is None or (is_production(case.spec.environment) and environment_of(other.environment) != PRODUCTION):
            continue  # of two unknown words neither is known to be the weaker one
        yield f"access: {what!r} is also what {other.name} of production uses"


@rule(
    "KS021",
    "It is delivered in its own environment",
    reason="A production secret in a place of a test system is readable by whoever tests.",
    breaks="A part of a place's path, its ending, or its store says another than `environment`. A part that "
    "is its own name says nothing.",
    mend="correct the place, or the environment",
    client=Severity.WARNING,
    key=Severity.WARNING,
    owasp=("NHI2", "NHI8"),
)
def _other_environment(case: Case) -> Iterable[str]:
    for place in case.spec.places:
        others = sorted(word for word in _said(case, place) if differs(word, case.environment))
        if others:
            yield f"deliver_to: {place.key} is of {', '.join(others)}, and the credential of {case.environment}"


@rule(
    "KS022",
    "A key pair in place of a secret, where that is offered",
    reason="A private key is never sent, so that neither the identity provider nor a log can leak it.",
    breaks='An `M2MClient` has `auth_method="client_secret"`, and its target takes key pairs.',
    mend='write auth_method="private_key_jwt"; the change is a rotation with overlap',
    client=Severity.NOTE,
    key=None,
    owasp=("NHI2", "NHI4"),
)
def _key_pair(case: Case) -> Iterable[str]:
    if case.spec.method == "client_secret" and "private_key_jwt" in case.can.methods and not case.spec.external:
        yield f"auth_method: it uses a secret, and target {case.spec.target} takes key pairs, which never travel"


@rule(
    "KS023",
    "No standing key where there is something better",
    reason="An API key is itself what every call carries; a token is over in minutes.",
    breaks="An `ApiKey`, neither `Transitional` nor `Bootstrap`, is at a target that has M2M clients or federation.",
    mend="declare the client that takes over and make the key Transitional (keysteward.modules.partner_key)",
    client=None,
    key=Severity.NOTE,
    owasp=("NHI4", "NHI6", "NHI7"),
)
def _standing_key(case: Case) -> Iterable[str]:
    if case.spec.classification in {"transitional", "bootstrap"}:
        return
    if case.declared.target.capabilities.methods and not case.can.by_hand:
        yield f"kind: it is an API key, and target {case.spec.target} has M2M clients, whose tokens are short-lived"
    elif case.can.federation:
        yield f"kind: it is an API key, and target {case.spec.target} has {case.can.federation}"


@rule(
    "KS029",
    "A production key has a runbook",
    reason="Whoever is woken by its leak must not have to find out what breaks when it ends.",
    breaks="`runbook` is not given, for a key of production.",
    mend="write runbook= with the address of the page",
    client=None,
    key=Severity.WARNING,
    owasp=("NHI1", "NHI2"),
)
def _runbook(case: Case) -> Iterable[str]:
    if is_production(case.spec.environment) and not case.spec.runbook:
        yield "runbook: there is none, and it is a production key"


RULES: tuple[Rule, ...] = (
    _scopes,
    _audience,
    _consumers,
    _environments,
    _shared_with_production,
    _other_environment,
    _key_pair,
    _standing_key,
    _runbook,
)
