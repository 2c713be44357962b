"""A moving now tells when an answer changes: never too late, and never for nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keysteward.core.contract.observed import ObservedObject, Settings
from keysteward.core.contract.ports import Descriptor
from keysteward.core.declare.schedule import parse_window
from keysteward.core.forecast.moving_clock import Turns, moving
from keysteward.core.plan.steps import Step
from keysteward.core.record.fast_replace import replace
from keysteward.core.record.steps import Do

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)

Question = Callable[[datetime, datetime, timedelta], bool]

QUESTIONS: dict[str, Question] = {
    "reached": lambda now, other, _by: now >= other,
    "reached, the other way round": lambda now, other, _by: other <= now,
    "passed": lambda now, other, _by: now > other,
    "before": lambda now, other, _by: now < other,
    "still before": lambda now, other, _by: other > now,
    "not after": lambda now, other, _by: now <= other,
    "reached with an overlap": lambda now, other, by: now + by >= other,
    "an overlap ago": lambda now, other, by: other < now - by,
    "how old": lambda now, other, by: now - other >= by,
    "older": lambda now, other, by: now - other > by,
    "young": lambda now, other, by: by > now - other,
    "how long yet": lambda now, other, by: other - now > by,
    "near": lambda now, other, by: other - now <= by,
    "nearer": lambda now, other, by: other - now < by,
    "the youngest of two": lambda now, other, by: min(now - other, now - (other + DAY)) < by,
    "that day": lambda now, other, _by: now.date() >= other.date(),
    "after that day": lambda now, other, _by: other.date() < now.date(),
    "not after that day": lambda now, other, _by: now.date() <= other.date(),
    "before that day": lambda now, other, _by: now.date() < other.date(),
}
SPANS = st.timedeltas(timedelta(0), timedelta(days=40))


@pytest.mark.parametrize("name", QUESTIONS)
@settings(deadline=None)
@given(data=st.data())
def test_the_answer_stays_until_it_turns(name: str, data: st.DataObject) -> None:
    ask = QUESTIONS[name]
    other = NOW + data.draw(st.timedeltas(timedelta(days=-40), timedelta(days=40)) | st.just(timedelta(0)))
    by = data.draw(SPANS)
    turns = Turns(NOW)
    answer = ask(moving(NOW, turns), other, by)
    assert answer == ask(NOW, other, by)
    assert not turns.unclear
    far = NOW + timedelta(days=100)
    assert turns.soonest is None or NOW < turns.soonest < far
    if turns.soonest is None:
        assert ask(far, other, by) == answer
    else:
        assert ask(turns.soonest - timedelta(microseconds=1), other, by) == answer
    if turns.soonest is not None and not name.startswith("the youngest"):
        assert ask(turns.soonest, other, by) != answer


def test_what_is_not_followed_is_noted() -> None:
    def unclear(question: Callable[[datetime], object]) -> bool:
        turns = Turns(NOW)
        question(moving(NOW, turns))
        return turns.unclear

    other = NOW - DAY
    assert unclear(lambda now: (now - other).days)
    assert unclear(lambda now: (now - other).total_seconds())
    assert unclear(lambda now: (now - other) + DAY)
    assert unclear(lambda now: DAY - (now - other))
    assert unclear(lambda now: 2 * (now - other))
    assert unclear(lambda now: (now - other) / DAY)
    assert unclear(lambda now: (now - other) < (NOW + DAY) - now)
    assert unclear(lambda now: f"{now:%Y-%m-%d}")
    assert unclear(lambda now: now.date() - date(2026, 1, 1))
    assert not unclear(lambda now: abs((now + DAY) - now))
    assert not unclear(lambda now: (now - other) < (now - NOW))


def test_a_maintenance_window_asks_for_local_time() -> None:
    turns = Turns(NOW)
    window = parse_window("Sun 08:00-10:00 UTC")
    assert window.contains(moving(NOW, turns))
    assert turns.zoned
    assert turns.soonest == NOW.replace(hour=10, minute=0)


def test_a_copy_with_changes_is_what_dataclasses_make_of_it() -> None:
    step = Step(Do.END, "end generation 1", generation=1)
    assert replace(step, why="over") == Step(Do.END, "end generation 1", "over", generation=1)
    assert step.why == ""
    item = ObservedObject("id", "name", enabled=True, settings=Settings("api_key"))
    assert replace(item, enabled=False).enabled is False
    with pytest.raises(TypeError, match="no field 'wyh'"):
        replace(step, wyh="over")
    with pytest.raises(TypeError):
        replace(item, eanbled=False)
    assert replace(Descriptor("a:B"), kind="a:C") == Descriptor("a:C")
