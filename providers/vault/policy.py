"""The Vault policies that consumers, previews and runs need, from the files in `policies/`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from keysteward.core.errors import DeclarationError

Kind = Literal["consumer", "reader", "runner"]
KINDS: tuple[Kind, ...] = ("consumer", "reader", "runner")


def policy(
    kind: Kind,
    *,
    delivered: str,
    mount: str = "secret",
    staging: str = "keysteward/staged",
    ledgers: str = "keysteward",
) -> str:
    """Return a policy as text for `vault policy write NAME -`.

    `delivered` is one path ("apps/billing") or a pattern of Vault's policies ("apps/*", "apps/+/key"). `staging` is
    the store's setting of that name, `ledgers` the prefix of the ledger store.
    """
    if kind not in KINDS:
        raise DeclarationError(f"there is no policy {kind!r}; choose one of {', '.join(KINDS)}")
    beside = delivered if delivered.endswith("*") else delivered.strip("/").rpartition("/")[0]
    text = (Path(__file__).parent / "policies" / f"{kind}.hcl").read_text(encoding="utf-8")
    given = {"mount": mount, "delivered": delivered, "beside": beside, "staging": staging, "ledgers": ledgers}
    for name, value in given.items():
        text = text.replace(f"<{name}>", value.strip("/"))
    return text
