"""keysteward: machine credentials under version control.

Declare clients and their secrets with owner, purpose, scopes, expiry and rotation; `pulumi up` (or `keysteward up`)
makes identity providers and secret stores match. This namespace is what a stack imports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keysteward.core.delivery import Delivery, Webhook
from keysteward.core.errors import KeystewardError
from keysteward.core.models import (
    Allowed,
    ApiKey,
    Bootstrap,
    ClientSecret,
    Governed,
    M2MClient,
    ManualKey,
    PermanentException,
    ResourceServer,
    RotationSchedule,
    Transitional,
    Waiver,
)
from keysteward.core.owners import Consumer, Owner, Owners
from keysteward.core.stack import Limit, Stack

if TYPE_CHECKING:
    from keysteward.providers.dynamic import deploy

__version__ = "0.1.0"

__all__ = [
    "Allowed",
    "ApiKey",
    "Bootstrap",
    "ClientSecret",
    "Consumer",
    "Delivery",
    "Governed",
    "KeystewardError",
    "Limit",
    "M2MClient",
    "ManualKey",
    "Owner",
    "Owners",
    "PermanentException",
    "ResourceServer",
    "RotationSchedule",
    "Stack",
    "Transitional",
    "Waiver",
    "Webhook",
    "deploy",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the module protocol of PEP 562
    """Import the Pulumi bridge only when it is asked for: a stack is read without pulumi."""
    if name == "deploy":
        from keysteward.providers.dynamic import deploy  # noqa: PLC0415 - that is the point

        return deploy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
