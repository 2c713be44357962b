"""One service's access to another's API, declared as one thing: its client, its scopes, where it is delivered.

exports = service_access("billing-exporter", api=billing, scopes=["invoices:read"], owner="team-billing",
                         purpose="Nightly invoice export", deliver_to=secrets.path("apps/billing-exporter"))
stack = Stack(..., declarations=[*exports])
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from keysteward.core.declare.credentials import M2MClient, ResourceServer, RotationSchedule
from keysteward.core.declare.delivery import Delivery

DEFAULT_ROTATION = RotationSchedule(every="90d", overlap="7d")


@dataclass(frozen=True)
class ServiceAccess:
    """The API and the client that may use it; unpack it into a stack's declarations.

    Several services' accesses to one API share its `api`: a stack holds it once, so give `with_api=True` for one only.
    """

    api: ResourceServer
    client: M2MClient
    with_api: bool = True

    def __iter__(self) -> Iterator[ResourceServer | M2MClient]:
        """Yield what a stack declares: the API first, since the client depends on it."""
        if self.with_api:
            yield self.api
        yield self.client


def service_access(
    name: str,
    *,
    api: ResourceServer,
    scopes: Sequence[str],
    owner: str,
    purpose: str,
    deliver_to: Delivery | Sequence[Delivery],
    rotation: RotationSchedule = DEFAULT_ROTATION,
    with_api: bool = True,
    **fields: Any,  # noqa: ANN401 - every other field of M2MClient
) -> ServiceAccess:
    """Declare a client at the API's own target that may use these scopes of it, and nothing else.

    `fields` are any others of `M2MClient` (environment, auth_method, token_lifetime, ...). Raises DeclarationError with
    one sentence where M2MClient does.
    """
    client = M2MClient(
        name,
        target=api.target,
        owner=owner,
        purpose=purpose,
        consumer=fields.pop("consumer", name),
        access={api: list(scopes)},
        deliver_to=deliver_to,
        rotation=rotation,
        **fields,
    )
    return ServiceAccess(api, client, with_api)
