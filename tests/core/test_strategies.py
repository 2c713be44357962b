"""Each strategy answers the questions that planner and executor ask; see docs/life-of-a-credential.md."""

from __future__ import annotations

import re
from pathlib import Path

from keysteward.core.contract.strategy import Chooses, Room, Strategy

CORE = Path(__file__).parents[2] / "keysteward" / "core"


def test_what_the_server_chooses_goes_beside_what_is_there() -> None:
    """A lost answer is resolved from the list, which one slot could not tell from what was there before."""
    assert {s.room for s in Strategy if s.by_server} == {Room.BESIDE}
    assert all(s.found_by_absence for s in Strategy if s.by_server)


def test_only_a_slot_without_a_second_one_ends_the_old_secret_at_once() -> None:
    assert [s.name for s in Strategy if not s.overlaps] == ["GAP"]


def test_only_a_person_is_waited_for() -> None:
    assert [s.name for s in Strategy if s.chooses is Chooses.PERSON] == ["BY_HAND"]


def test_the_planner_asks_questions_and_names_strategies_only_where_it_chooses_one() -> None:
    chosen_in = {"declare/spec.py", "plan/issue.py", "plan/adopt.py", "contract/strategy.py"}
    named_in = {
        path.relative_to(CORE).as_posix()
        for path in CORE.rglob("*.py")
        if re.search(r"\bStrategy\.[A-Z]", path.read_text(encoding="utf-8"))
    }
    assert named_in <= chosen_in
