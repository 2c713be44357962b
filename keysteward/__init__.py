"""keysteward: machine credentials under version control.

Declare clients and their secrets with owner, purpose, scopes, expiry and rotation; `pulumi up` (or `keysteward up`)
makes identity providers and secret stores match. This namespace is what a stack imports; each name is imported when it
is asked for, so that a stack is read without pulumi, and a short command without what it does not need.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keysteward.core.declare.credentials import (
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
    from keysteward.core.declare.delivery import Delivery, Webhook
    from keysteward.core.declare.owners import Consumer, Owner, Owners
    from keysteward.core.declare.stack import Limit, Stack
    from keysteward.core.errors import KeystewardError
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
    "load_stack",
    "placing",
]

_ELSEWHERE = {
    "Consumer": "core.declare.owners",
    "Delivery": "core.declare.delivery",
    "KeystewardError": "core.errors",
    "Limit": "core.declare.stack",
    "Owner": "core.declare.owners",
    "Owners": "core.declare.owners",
    "Stack": "core.declare.stack",
    "Webhook": "core.declare.delivery",
    "deploy": "providers.dynamic",
    "load_stack": "operations.loading",
    "placing": "cli.source.source_places",
}
"""Modules of the names that do not stand in `core.declare.credentials`."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the module protocol of PEP 562
    """Import a name when it is asked for. Raises AttributeError for one that is none of this namespace."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_ELSEWHERE.get(name, 'core.declare.credentials')}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
