"""One WorkOS environment with many organizations and keys: HTTP calls and time of `observe()`.

The stand-in lives in this process, what is measured in another one.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from measurement import Measurement, Results

from keysteward.core.errors import KeystewardError
from keysteward.providers.workos import WorkOS
from keysteward.sandbox import WorkOSStandIn

STAND_IN = "workos stand-in"
TARGET = "customers"
ORGANIZATIONS, KEYS, APPLICATIONS, PERMISSIONS = 200, 2_000, 20, 120
LARGEST = 250
"""Keys of the largest customer: more than two pages."""

PAGE = 100
GOAL = 1.05
KEY_VARIABLE = "BENCH_WORKOS_KEY"


@dataclass(frozen=True)
class Seen:
    """What one `observe()` found, and how long it took."""

    organizations: int
    keys: int
    applications: int
    seconds: float


def on_stand_in(results: Results) -> None:
    """Measure with one large customer and many of a few keys each."""
    with WorkOSStandIn() as stand_in:
        unavoidable = _fill(stand_in)
        os.environ[KEY_VARIABLE] = stand_in.api_key
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            seen = process.submit(_observed, stand_in.url, stand_in.client_id).result()
        calls = len(stand_in.calls)
    if (seen.organizations, seen.keys, seen.applications) != (ORGANIZATIONS, KEYS, APPLICATIONS):
        raise KeystewardError("observe() did not show what is there")
    name = f"observe() with {ORGANIZATIONS} organizations, {KEYS:,} keys and {APPLICATIONS} applications"
    results.add(
        Measurement(
            f"{name}: HTTP calls by those the API makes unavoidable", calls / unavoidable, "times", STAND_IN, GOAL
        ),
        Measurement(f"{name}: HTTP calls", calls, "calls", STAND_IN),
        Measurement(f"{name}: time", seen.seconds, "s", STAND_IN),
    )


def _fill(stand_in: WorkOSStandIn) -> int:
    """Make the environment; returns how many calls its lists need: pages of each, and one list for each owner."""
    organizations = [stand_in.add_organization(f"Customer {number}") for number in range(ORGANIZATIONS)]
    owners = [organizations[0]] * LARGEST
    owners += [organizations[1 + number % (ORGANIZATIONS - 1)] for number in range(KEYS - LARGEST)]
    for number, owner in enumerate(owners):
        stand_in.add_api_key(f"key {number}", organization=owner)
    for number in range(APPLICATIONS):
        stand_in.add_application(f"application {number}", kind="m2m", organization=organizations[number])
    for number in range(PERMISSIONS):
        stand_in.add_permission(f"permission:{number}")
    permissions = len(list(stand_in.environment.permissions))
    lists = (ORGANIZATIONS, APPLICATIONS, permissions, *(owners.count(owner) for owner in organizations))
    return sum(max(1, -(-entries // PAGE)) for entries in lists) + APPLICATIONS


def _observed(url: str, client_id: str) -> Seen:
    """Observe in this process, which has made no call yet."""
    target = WorkOS(TARGET, url=url, authkit_domain=url, client_id=client_id, admin=f"env:{KEY_VARIABLE}")
    began = time.monotonic()
    found = target.observe(None)
    seconds = time.monotonic() - began
    holders = [item for item in found.objects if item.holder]
    keys = sum(len(item.secrets) for item in holders)
    return Seen(len(holders), keys, len(found.objects) - len(holders), seconds)
