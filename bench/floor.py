"""The floor: what Pulumi's engine costs by itself, for N dynamic resources whose provider does nothing."""

from __future__ import annotations

import os
from typing import Any

from pulumi.dynamic import CreateResult, Resource, ResourceProvider, UpdateResult


class NoOpProvider(ResourceProvider):
    """Creates nothing. Without attributes, so that state holds its name and no code."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Return the inputs as outputs."""
        return CreateResult(props["name"], props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Return the inputs as outputs."""
        return UpdateResult(news)


class NoOp(Resource, module="bench", name="NoOp"):
    """One resource with one small property."""


def declare() -> None:
    """Register as many resources as BENCH_CLIENTS says."""
    for number in range(int(os.environ["BENCH_CLIENTS"])):
        NoOp(NoOpProvider(), f"client-{number:05}", {"name": f"client-{number:05}"})
