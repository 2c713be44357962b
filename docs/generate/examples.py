"""Sound declarations for the pages; an example of an error changes one field of one of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final

from keysteward import (
    Allowed,
    ApiKey,
    ClientSecret,
    Governed,
    KeystewardError,
    M2MClient,
    Owner,
    Owners,
    PermanentException,
    ResourceServer,
    RotationSchedule,
    Stack,
    Waiver,
)
from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.policy.check import check
from keysteward.providers.keycloak import Keycloak
from keysteward.providers.local import LocalStore
from keysteward.providers.manual import Manual, Probe
from keysteward.testing.memory import Clock, MemoryTarget

CHECKED_ON = datetime(2026, 12, 1, tzinfo=UTC)
WAIVED_UNTIL: Final = date(2027, 3, 31)


def keycloak(name: str = "corp", **fields: Any) -> Keycloak:  # noqa: ANN401 - forwarded
    """Return a realm that nobody calls."""
    given = {"url": "https://id.example.com", "realm": "prod", "admin": "env:KEYCLOAK_ADMIN"}
    return Keycloak(name, **{**given, **fields})


CORP: Final = keycloak()
STORE: Final = LocalStore("secrets", root="secrets")
OWNERS: Final = Owners(
    teams={"team-billing": Owner(contact="billing@example.com"), "team-old": Owner(contact="-@-", state="gone")}
)


def schedule(**fields: Any) -> RotationSchedule:  # noqa: ANN401 - forwarded
    """Return a sound schedule with some fields changed."""
    return RotationSchedule(**{"every": "90d", "overlap": "7d", **fields})


def server(name: str = "billing-api", **fields: Any) -> ResourceServer:  # noqa: ANN401 - forwarded
    """Return a sound resource server with some fields changed."""
    scopes = {"invoices:read": "Read invoices", "invoices:write": "Create invoices"}
    return ResourceServer(
        name, **{"target": CORP, "audience": "https://billing.example.com", "scopes": scopes, **fields}
    )


BILLING: Final = server()


def credential(name: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - forwarded
    """Return the fields of a sound credential with some changed."""
    given = {
        "name": name,
        "target": CORP,
        "owner": "team-billing",
        "purpose": "Nightly invoice export",
        "rotation": schedule(),
        "deliver_to": STORE.path("apps/" + name.replace(" ", "-")),
    }
    return {**given, **fields}


def client(name: str = "exporter", **fields: Any) -> M2MClient:  # noqa: ANN401 - forwarded
    """Return a sound client with some fields changed."""
    return M2MClient(
        **credential(name, **{"auth_method": "private_key_jwt", "access": {BILLING: "invoices:read"}, **fields})
    )


def client_secret(name: str = "web-login", **fields: Any) -> ClientSecret:  # noqa: ANN401 - forwarded
    """Return a sound client secret with some fields changed."""
    given = {"client": "web", "accept_gap": True, "rotation": schedule(overlap="0s")}
    return ClientSecret(**credential(name, **{**given, **fields}))


KEYS: Final = MemoryTarget(
    "saas",
    Capabilities(methods=()),
    Clock(),
    Capabilities(("api_key",), secrets=100, named_keys=True, tags_secrets=True),
)
"""A target that issues keys, for the examples."""


def api_key(name: str = "partner", **fields: Any) -> ApiKey:  # noqa: ANN401 - forwarded
    """Return a sound API key with some fields changed."""
    given = {"target": KEYS, "holder": "org-1", "expires": date(2027, 12, 31), "classification": exception()}
    return ApiKey(**credential(name, **{**given, **fields}))


def exception(**fields: Any) -> PermanentException:  # noqa: ANN401 - forwarded
    """Return a sound exception with some fields changed."""
    given = {"justification": "no OAuth there", "risk_accepted_by": "security", "review_by": date(2027, 6, 30)}
    return PermanentException(**{**given, **fields})


CRM: Final = Manual("crm", probe=Probe("https://api.crm.example.com/v1/me"))


def governed(**fields: Any) -> Governed:  # noqa: ANN401 - forwarded
    """Return a sound governed set with some fields changed."""
    given = {"target": KEYS, "owner": "team-billing", "purpose": "Keys that our customers make"}
    return Governed("customer-keys", **{**given, **fields})


def waiver(rule: str, **fields: Any) -> Waiver:  # noqa: ANN401 - forwarded
    """Return a sound waiver of a rule with some fields changed."""
    given = {"reason": "A migration is under way", "approved_by": "security", "until": WAIVED_UNTIL}
    return Waiver(rule, **{**given, **fields})


def allowed(**fields: Any) -> Allowed:  # noqa: ANN401 - forwarded
    """Return a sound allowance with some fields changed."""
    given = {"names": "legacy-*", "target": CORP, "owner": "team-billing", "reason": "Ends with the old shop"}
    return Allowed(**{**given, "until": date(2027, 3, 31), **fields})


def stack(*declarations: Any, **fields: Any) -> Stack:  # noqa: ANN401 - forwarded
    """Return a sound stack, checked."""
    given = {
        "identity": "acme/prod",
        "owners": OWNERS,
        "ledgers": STORE.ledgers(),
        "declarations": [BILLING, *declarations],
    }
    made = Stack(**{**given, **fields})
    check(made, OWNERS, CHECKED_ON)
    return made


def sentence(act: Callable[[], object]) -> str:
    """Return the error that an example raises."""
    try:
        act()
    except KeystewardError as error:
        return " ".join(str(error).split())
    raise AssertionError("this example is not wrong any more; correct it")
