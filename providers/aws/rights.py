"""What `keysteward doctor` asks AWS of a target: does it answer, for whom, are the rights neither less nor more.

A right to change something is asked for by a call on what is never there. AWS looks at rights first, so that "not
there" says that the call would be allowed. A policy that names what it is about may refuse that call alone: so a
right that seems to be missing is a warning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from keysteward.core.contract.ports import Check
from keysteward.core.errors import AccessDenied, Conflict, KeystewardError, NotFound, Rejected
from keysteward.providers.aws.connection import AwsClient

NOBODY: Final = "keysteward-doctor"
"""A name under which nothing is ever made."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One call that shows whether a right is there."""

    service: str
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


def diagnose(
    client: AwsClient, what: str, reads: Iterable[Probe], writes: Iterable[Probe], *, reading: bool
) -> Iterator[Check]:
    """Yield one line per question; the first failure that hides the rest ends the list."""
    name = client.connection.name
    who = f"{name}: {'reader' if reading else 'admin'}"
    try:
        yield Check(name, ok=True, detail=f"{what} in {client.connection.region} answers {client.whoami()}")
        for probe in reads:
            client.read(probe.service, probe.operation, what, probe.parameters)
    except KeystewardError as problem:
        yield Check(name, ok=False, detail=problem.message)
        return
    yield Check(who, ok=True, detail="may read what it needs")
    may = {probe.operation: _may(client, what, probe) for probe in writes}
    excess = [operation for operation, allowed in may.items() if allowed]
    lacking = [operation for operation, allowed in may.items() if not allowed]
    if reading and excess:
        yield Check(who, ok=True, warning=True, detail=f"may do what it never needs: {', '.join(excess)}")
    elif not reading and lacking:
        detail = f"may not {', '.join(lacking)} on what is not there; grant it, unless the policy names what is there"
        yield Check(who, ok=False, warning=True, detail=detail)
    elif not reading:
        yield Check(who, ok=True, detail="has the rights that can be asked for")


def _may(client: AwsClient, what: str, probe: Probe) -> bool:
    try:
        client.write(probe.service, probe.operation, what, probe.parameters)
    except AccessDenied:
        return False
    except (NotFound, Conflict, Rejected):
        return True
    return True
