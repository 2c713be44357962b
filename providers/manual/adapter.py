"""A system without an API for keys, as a target: it shows nothing and does nothing, but a key can be tried there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn

from keysteward.core.errors import DeclarationError
from keysteward.core.observed import Mark, Observation, ObservedObject, ObservedSecret, Settings
from keysteward.core.ports import (
    MANY,
    Capabilities,
    Check,
    Claim,
    Created,
    Descriptor,
    Fingerprint,
    Issued,
    Material,
    ObjectRef,
    Order,
    ScopeWant,
    Verification,
)
from keysteward.providers.http import CALL_TIMEOUT
from keysteward.providers.manual.client import Probe, Prober

UNSEEN: Final = ObservedSecret("unseen", slot="by hand")
"""Says that there may be keys and that none can be seen, so that none is taken for gone."""


@dataclass(frozen=True)
class Manual:
    """One account at a system where only a person makes and ends keys. `probe` is the request that proves one.

    `environments` are the environments it serves (None: any); `ca` is the path of a certificate bundle. One account
    carries one `ManualKey`; for a second key declare a second `Manual`.
    """

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
        if self.environments is not None:
            object.__setattr__(self, "environments", tuple(self.environments))

    @property
    def descriptor(self) -> Descriptor:
        """How to make this target again, without any secret."""
        settings: dict[str, Any] = {"name": self.name, "probe": self.probe.settings}
        optional = {"environments": None if self.environments is None else list(self.environments), "ca": self.ca}
        settings |= {name: value for name, value in optional.items() if value is not None}
        return Descriptor("keysteward.providers.manual:Manual", settings)

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

    @property
    def token_url(self) -> str:
        """Keys are no tokens: there is none."""
        return ""

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
        nothing = Settings("api_key", grants=frozenset(), description=None)
        return ObservedObject(self.name, self.name, enabled=True, settings=nothing, secrets=(UNSEEN,), holder="system")

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

    def create(self, client_id: str, want: Settings, mark: Mark, material: Material | None) -> Created:
        """Refuse: no client is planned for it."""
        self._never(client_id, want, mark, material)

    def update(self, remote_id: str, want: Settings, mark: Mark | None) -> None:
        """Refuse: no client is planned for it."""
        self._never(remote_id, want, mark)

    def mark(self, remote_id: str, mark: Mark) -> None:
        """Refuse: nothing there can carry a mark."""
        self._never(remote_id, mark)

    def release(self, remote_id: str) -> None:
        """Refuse: nothing there can carry a mark."""
        self._never(remote_id)

    def prepare(self, remote_id: str, overlap: timedelta) -> None:
        """Refuse: nothing is set up there."""
        self._never(remote_id, overlap)

    def suspend(self, remote_id: str, keys: Sequence[str] = ()) -> None:
        """Refuse: only a person can disable a key there."""
        self._never(remote_id, keys)

    def resume(self, remote_id: str, keys: Sequence[str] = ()) -> None:
        """Refuse: only a person can enable a key there."""
        self._never(remote_id, keys)

    def delete(self, remote_id: str) -> None:
        """Refuse: no client is planned for it."""
        self._never(remote_id)

    def put_scope(self, want: ScopeWant, remote_id: str | None) -> str:
        """Refuse: it has no catalogue."""
        self._never(want, remote_id)

    def drop_scope(self, remote_id: str) -> None:
        """Refuse: it has no catalogue."""
        self._never(remote_id)

    def _never(self, *_asked: object) -> NoReturn:
        raise AssertionError(f"nothing but keys by hand is planned for {self.name}")
