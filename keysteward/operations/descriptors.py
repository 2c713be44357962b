"""Objects from their descriptors, and descriptors of objects: how targets and stores are named in ledgers and cards."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from keysteward.core.contract.ports import Descriptor
from keysteward.core.errors import DeclarationError


def revive(descriptor: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever port the descriptor describes
    """Make a target, store or ledger store from its recorded descriptor ({"kind": "module:Class", "settings": {}}).

    Raises DeclarationError when its class cannot be found, is no port, or does not take these settings.
    """
    kind = str(descriptor.get("kind", ""))
    made = imported(kind)
    if not (isinstance(made, type) and hasattr(made, "as_reader")):
        raise DeclarationError(f"{kind!r} is neither a target nor a store; correct the descriptor that names it")
    try:
        return made(**descriptor.get("settings", {}))
    except (TypeError, ValueError, AttributeError):
        raise DeclarationError(
            f"{kind!r} does not take the settings that were recorded for it; install the version that wrote them"
        ) from None


def imported(kind: str) -> Any:  # noqa: ANN401 - whatever stands there
    """Import what "module:Name" names. Raises DeclarationError when there is no such thing."""
    module, _, name = kind.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, TypeError, ValueError):
        raise DeclarationError(f"{kind!r} cannot be imported; install the package that provides it") from None


def describe(descriptor: Descriptor) -> dict[str, Any]:
    """Return a descriptor as JSON."""
    return {"kind": descriptor.kind, "settings": dict(descriptor.settings)}
