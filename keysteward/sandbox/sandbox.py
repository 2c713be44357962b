"""A whole sandbox: Keycloak, Vault and WorkOS stand-ins with one clock."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from keysteward.sandbox.clock import Clock
from keysteward.sandbox.keycloak import KeycloakStandIn
from keysteward.sandbox.vault import VaultStandIn
from keysteward.sandbox.workos import WorkOSStandIn

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

DEMO_ORGANIZATION = "org_01JD5J3QX0DEM0000000000000"
"""Id of the organization that the WorkOS of a sandbox has, for a stack that names it."""


class Sandbox:
    """The stand-ins, started and stopped together by ``with``.

    `keycloak` has a realm ``demo``, `vault` a KV engine ``secret`` and the auth methods AppRole and JWT, `workos` an
    organization `DEMO_ORGANIZATION`; setting `clock` sets the time of all.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        keycloak_port: int = 0,
        vault_port: int = 0,
        workos_port: int = 0,
        secret_rotation: bool = False,
    ) -> None:
        self.clock = Clock()
        self.keycloak = KeycloakStandIn(
            clock=self.clock, host=host, port=keycloak_port, secret_rotation=secret_rotation
        )
        self.vault = VaultStandIn(clock=self.clock, host=host, port=vault_port, auth_methods=("jwt",))
        self.workos = WorkOSStandIn(clock=self.clock, host=host, port=workos_port)
        self.workos.add_organization("Demo", id=DEMO_ORGANIZATION, external_id="demo")
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            starting.enter_context(self.keycloak)
            starting.enter_context(self.vault)
            starting.enter_context(self.workos)
            self._stack = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


def serve(
    *,
    host: str = "127.0.0.1",
    keycloak_port: int = 8080,
    vault_port: int = 8200,
    workos_port: int = 4100,
    secret_rotation: bool = False,
    started: Callable[[Sandbox], None] | None = None,
) -> None:
    """Run a sandbox until SIGINT or SIGTERM; ``started`` is called once all answer.

    Must be called in the main thread. `OSError` when a port is taken.
    """
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with Sandbox(
            host=host,
            keycloak_port=keycloak_port,
            vault_port=vault_port,
            workos_port=workos_port,
            secret_rotation=secret_rotation,
        ) as sandbox:
            if started is not None:
                started(sandbox)
            ended.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
