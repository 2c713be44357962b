"""What a Pulumi program gets back from `deploy`: outputs that can be used, and that nobody waits for in vain."""

from __future__ import annotations

import pulumi
from dynamic_server import Acme, registered
from pulumi.runtime.settings import SETTINGS

from keysteward import deploy


def test_the_end_of_a_program_waits_for_registrations_and_not_for_each_of_their_outputs(acme: Acme) -> None:
    """The SDK walks all that it waits for whenever one of them ends; its own name for the list is held to here."""
    ours, waited = set(), set()
    seen: list[str] = []

    def program() -> None:
        made = deploy(acme.stack(acme.client(), acme.client("mailer")))
        ours.update(o._data for r in made.values() for o in vars(r).values() if isinstance(o, pulumi.Output))
        waited.update(SETTINGS.outputs)
        made["mailer"].urn.apply(seen.append)

    registered(program)
    assert len(ours) > 2 * 10
    assert not ours & waited
    assert seen, "what somebody asked for is waited for"
    assert "mailer" in seen[0]
