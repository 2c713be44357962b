"""The stand-ins in a process of their own, so that they take no time from what is measured."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import requests
from company import REALM

TIMEOUT_SECONDS = 60
MASTER = {"grant_type": "client_credentials", "client_id": "sandbox-admin", "client_secret": "sandbox-admin-secret"}


@dataclass(frozen=True)
class StandIns:
    """Addresses of the stand-ins for Keycloak and Vault."""

    keycloak: str
    vault: str

    @staticmethod
    def calls(url: str) -> int:
        """Return how many calls one of them has received."""
        return len(requests.get(f"{url}/_sandbox/calls", timeout=TIMEOUT_SECONDS).json())


@contextmanager
def stand_ins() -> Iterator[StandIns]:
    """Start both with an empty realm, and end them."""
    command = [
        str(Path(sys.executable).with_name("keysteward")),
        "sandbox",
        "--keycloak-port=0",
        "--vault-port=0",
        "--workos-port=0",
    ]
    with subprocess.Popen(  # noqa: S603 - our own command
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            urls = [line.split()[1] for line in islice(process.stdout or (), 2)]
            make_realm(urls[0])
            yield StandIns(*urls)
        finally:
            process.terminate()


def make_realm(url: str) -> None:
    """Make the realm of the bench at a Keycloak, stand-in or real."""
    login = requests.post(f"{url}/realms/master/protocol/openid-connect/token", data=MASTER, timeout=TIMEOUT_SECONDS)
    headers = {"Authorization": f"Bearer {login.json()['access_token']}"}
    body = {"realm": REALM, "enabled": True}
    made = requests.post(f"{url}/admin/realms", json=body, headers=headers, timeout=TIMEOUT_SECONDS)
    made.raise_for_status()
