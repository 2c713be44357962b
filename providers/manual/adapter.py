"""A system without an API for keys, as a target: it shows nothing and does nothing, but a key can be tried there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime
from typing import ClassVar, Final

from keysteward.core.contract.capabilities import MANY, Capabilities
from keysteward.core.contract.introduction import Introduction, Starter
from keysteward.core.contract.observed import Observation, ObservedObject, ObservedSecret
from keysteward.core.contract.ports import Check, Claim, Fingerprint, Issued, ObjectRef, Order, Verification
from keysteward.core.errors import DeclarationError
from keysteward.host.http import CALL_TIMEOUT
from keysteward.providers.kit.adapter import Adapter
from keysteward.providers.kit.keys_only import HOLDER, KeysOnly
from keysteward.providers.kit.templates import template
from keysteward.providers.manual.client import Probe, Prober

UNSEEN: Final = ObservedSecret("unseen", slot="by hand")
"""Says that there may be keys and that none can be seen, so that none is taken for gone."""


@dataclass(frozen=True)
class Manual(Adapter, KeysOnly):
    """One account at a system where only a person makes and ends keys. `probe` is the request that proves one.

    `environments` are the environments it serves (None: any); `ca` is the path of a certificate bundle. One account
    carries one `ManualKey`; for a second key declare a second `Manual`.
    """

    KIND: ClassVar = "keysteward.providers.manual:Manual"

    name: str
    _: KW_ONLY
    probe: Probe
    environments: tuple[str, ...] | None = None
    ca: str | None = None

    def __post_init__(self) -> None:
        given: object = self.probe  # a descriptor holds it as JSON
        if isinstance(given, Mapping):
            object.__setattr__(self, "probe", Probe(**given))
        elif not isinstance(given, Probe):
            raise DeclarationError(f"Manual {self.name!r}: probe: write Probe(url=...), the request that proves a key")
        super().__post_init__()

    @classmethod
    def introduction(cls) -> Introduction:
        """How it is shown in the documentation, and what a new repository has of it."""
        return Introduction(
            shown={"Manual": {"name": "crm", "probe": Probe("https://api.crm.example.com/v1/me")}},
            starter=Starter(
                declaration=template(__package__, "manual.py"),
                credentials=template(__package__, "manual.yaml"),
                classes=("Manual", "Probe"),
                called="crm",
            ),
        )

    @property
    def capabilities(self) -> Capabilities:
        """It has no clients."""
        return Capabilities(methods=(), environments=self.environments)

    @property
    def key_capabilities(self) -> Capabilities:
        """Its keys are a person's work."""
        return Capabilities(
            methods=("api_key",),
            secrets=MANY,
            by_hand=True,
            call_timeout=CALL_TIMEOUT,
            environments=self.environments,
        )

    def as_reader(self) -> Manual:
        """Return the same target: nothing is read there."""
        return self

    def observe(self, fingerprint: Fingerprint | None) -> Observation:
        """Return the one account, whose keys cannot be seen. Makes no call."""
        del fingerprint
        return Observation(self.name, datetime.now(UTC), objects=(self._account,), secrets_shown=False)

    def look(self, ref: ObjectRef, fingerprint: Fingerprint | None) -> ObservedObject | None:
        """Return the account. Makes no call."""
        del fingerprint
        return self._account if self.name in {ref.remote_id, ref.client_id} else None

    @property
    def _account(self) -> ObservedObject:
        return ObservedObject(self.name, self.name, enabled=True, settings=HOLDER, secrets=(UNSEEN,), holder="system")

    def issue(self, remote_id: str, order: Order) -> Issued:
        """Do nothing: a person has made the key there."""
        del remote_id, order
        return Issued()

    def retire(self, remote_id: str, secret: ObservedSecret) -> None:
        """Do nothing: a person has ended the key there."""

    def verify(self, claim: Claim) -> Verification:
        """Try the key by the probe, after the probe refused a made-up one."""
        return self._prober.try_value(claim.material.value)

    def diagnose(self) -> Iterable[Check]:
        """Say whether the probe can tell a key from a made-up one."""
        wrong = self._prober.control()
        detail = "the probe refuses a made-up value" if wrong is None else wrong.reason
        return [Check(self.name, ok=wrong is None, detail=detail)]

    @property
    def _prober(self) -> Prober:
        return Prober(self.name, self.probe, self.ca)
