"""A partner's API key on its way to an M2M client: both declared together, the key with its last day.

    partner = partner_key("acme-logistics", keys=workos, holder="org_...", client_at=workos, by=date(2027, 6, 30),
                          owner="team-partners", purpose="Order status for ACME Logistics",
                          access={orders: ["orders:read"]}, deliver_to=secrets.path("partners/acme-logistics"))
    stack = Stack(..., declarations=[orders, *partner])

The key is delivered at the path given, the client at "<path>-client". The key ends when the client is in use and the
key was silent for `silent_for`, and in any case it is not renewed after `by` and expires `grace` later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from keysteward.core.contract.capabilities import Method
from keysteward.core.contract.ports import Target
from keysteward.core.declare.credentials import ApiKey, M2MClient, ResourceServer, RotationSchedule, Transitional
from keysteward.core.declare.delivery import Delivery

DEFAULT_ROTATION = RotationSchedule(every="60d", overlap="7d")
CLIENT_SUFFIX = "-client"


@dataclass(frozen=True)
class PartnerKey:
    """The key and the client that takes over; unpack it into a stack's declarations."""

    key: ApiKey
    client: M2MClient

    def __iter__(self) -> Iterator[ApiKey | M2MClient]:
        """Yield what a stack declares."""
        yield self.client
        yield self.key


def partner_key(
    name: str,
    *,
    keys: Target,
    holder: str,
    client_at: Target,
    by: date,
    owner: str,
    purpose: str,
    access: Mapping[ResourceServer, Sequence[str]],
    deliver_to: Delivery,
    client_access: Mapping[ResourceServer, Sequence[str]] | None = None,
    silent_for: str | None = "30d",
    grace: timedelta = timedelta(days=30),
    rotation: RotationSchedule = DEFAULT_ROTATION,
    environment: str = "production",
    auth_method: Method = "client_secret",
) -> PartnerKey:
    """Declare a partner's key at `keys` (holder: whose it is there) and the client at `client_at` that replaces it.

    `access` is what both may; `client_access` where the client's scopes are other ones than the key's permissions, as
    they are when it lives at another target. `silent_for` None: the key ends by its dates alone, where a target does
    not show the last use. Raises DeclarationError with one sentence where the declarations do.
    """
    client = M2MClient(
        f"{name}{CLIENT_SUFFIX}",
        target=client_at,
        owner=owner,
        purpose=purpose,
        consumer=name,
        environment=environment,
        access={server: list(scopes) for server, scopes in (client_access or access).items()},
        auth_method=auth_method,
        rotation=rotation,
        deliver_to=replace(deliver_to, path=f"{deliver_to.path}{CLIENT_SUFFIX}"),
    )
    key = ApiKey(
        name,
        target=keys,
        holder=holder,
        owner=owner,
        purpose=purpose,
        consumer=name,
        environment=environment,
        expires=by + grace,
        classification=Transitional(migrate_to=client, by=by, retire_when_silent_for=silent_for),
        access={server: list(scopes) for server, scopes in access.items()},
        rotation=rotation,
        deliver_to=deliver_to,
    )
    return PartnerKey(key, client)
