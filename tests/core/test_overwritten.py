"""What somebody else writes into a delivered document is found by a look, and made good by the next run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench_world import NATIVE, STOCK, Company

from keysteward.core.assess.examine import assess
from keysteward.core.assess.now import findings_now
from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.observed import OVERWRITTEN, Delivered
from keysteward.core.declare.credentials import RotationSchedule
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.observe.world import Extent, World
from keysteward.testing.store_world import secret

NAME, PATH = "acme/test/billing", "apps/billing"


def running(can: Capabilities = NATIVE, *, places: int = 1, **fields: object) -> Company:
    """Return a company whose one client delivers to one place or to several."""
    made = Company(can)
    paths = [PATH, *(f"apps/copy-{number}" for number in range(1, places))]
    made.declare(made.client(**{"deliver_to": [made.store.path(path) for path in paths], **fields}))
    made.up()
    return made


def write_value(made: Company, path: str = PATH) -> None:
    """Let somebody write another secret over the delivered one."""
    entry, _, about = made.store.documents[path]["current"]
    made.store.documents[path]["current"] = (replace(entry, fingerprint=OVERWRITTEN), secret("by hand"), about)


def write_fields(made: Company) -> None:
    """Let somebody name another token URL beside the secret."""
    entry, value, _ = made.store.documents[PATH]["current"]
    made.store.documents[PATH]["current"] = (entry, value, OVERWRITTEN)


def world(made: Company) -> World:
    return made.reconciler().snapshot.world(NAME, made.specs[NAME])


def found(seen: World) -> list[Finding]:
    return [f for f in findings_now(seen, assess(seen)) if f.kind is Kind.OVERWRITTEN]


@pytest.mark.parametrize("extent", [Extent.ALL, Extent.LIFECYCLE])
def test_changed_fields_are_an_error_and_written_again_by_any_run(extent: Extent) -> None:
    made = running()
    made.extent = extent
    write_fields(made)
    assert [f.severity for f in found(world(made))] == [Severity.ERROR]
    assert made.words() == f"write the document at store:{PATH} again"
    made.up()
    assert found(world(made)) == []
    assert made.words() == ""
    assert made.states() == ["1 current"]


def test_an_overwritten_value_is_delivered_again_from_another_place() -> None:
    made = running(places=2)
    before = made.reads()
    write_value(made)
    assert [f.severity for f in found(world(made))] == [Severity.ERROR]
    made.up()
    assert made.reads() == before
    assert made.states() == ["1 current"]
    assert found(world(made)) == []


def test_one_that_nothing_holds_any_more_is_replaced_with_an_overlap() -> None:
    made = running()
    before = made.reads()
    write_value(made)
    assert "somebody overwrote generation 1" in made.words()
    made.up()
    assert made.consumer_works()
    assert made.states() == ["1 previous", "2 current"]
    assert made.target.works("billing", before or ""), "who read it before has it for the overlap"
    assert found(world(made)) == []
    assert made.words() == ""


def test_where_a_new_one_would_end_the_old_at_once_a_person_decides() -> None:
    made = running(STOCK, auth_method="client_secret", accept_gap=True, rotation=RotationSchedule(every="90d"))
    write_value(made)
    (finding,) = found(world(made))
    assert "keysteward reissue billing --reason TEXT" in finding.mend
    made.up()
    assert made.states() == ["1 current"]


def test_a_reader_that_may_not_read_values_says_that_somebody_wrote() -> None:
    seen = world(running())
    unknown = Delivered(exists=True, identity=NAME, unknown=True)
    (finding,) = found(replace(seen, delivered={f"store:{PATH}": unknown}))
    assert finding.severity is Severity.WARNING
    assert "somebody else wrote to store:apps/billing" in finding.message


def test_a_store_that_is_down_is_no_document_that_somebody_wrote_to() -> None:
    seen = world(running())
    assert found(replace(seen, delivered={f"store:{PATH}": Delivered(unknown=True)})) == []
