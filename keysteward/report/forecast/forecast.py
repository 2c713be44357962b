"""What is ahead of a stack, as people and programs read it. Pure: counted from the outlooks of its credentials.

JSON (`format: 1`): `format`, `stack`, `from`, `until` (ISO 8601), `runs` (`first` or null where none happens, `every`),
`assumptions[]` (sentences), `summary` (a count for each `what` that occurs, `writes`, `busiest` (`day`, `writes`) or
null), `periods[]` (`period`: "2026-03", "2026-W10" or "2026-03-02", the counts, `writes`, `busiest`), `targets[]`
(`name`, `writes`, `busiest`, `days[]` (`day`, `writes`)), `events[]` (`at`, `name`, `identity`, `what`, `words`,
`generation` or null, `target` or null), `limit` (`count`, `share`), `stops[]` (`at`, `ending`, `of`, `names[]`,
`held_up`): runs that the limit would stop, `halt` (`at`, `sentences[]`): from when on a rule stops every run, or null,
`owner_gone` (`owner`, `deputy` or null, `credentials[]`) or null, `undeclared[]` (names), `failures[]` (`message`,
`names[]`): what could not be looked at.

`what` is issued, retired, suspended, changed, expired, missed, late, blocked, person needed or waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Any, Literal

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from keysteward.core.declare.schedule import show_duration
from keysteward.core.declare.stack import Limit
from keysteward.core.forecast.events import Event, What
from keysteward.core.forecast.forecast import Outlook, Runs
from keysteward.core.forecast.what_if import Gone, Halt, Stop
from keysteward.core.identity import name_of
from keysteward.operations.stack_plan import Failure
from keysteward.report.run.plan import JSON_FORMAT, when
from keysteward.report.text.plain import line, many, plain

By = Literal["day", "week", "month"]

_FORMS: dict[By, str] = {"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}

_SENTENCES = 5
"""So many of the sentences that stop a run are shown."""

STYLES: dict[What, str] = {
    What.ISSUED: "green",
    What.RETIRED: "yellow",
    What.SUSPENDED: "red",
    What.CHANGED: "yellow",
    What.EXPIRED: "red",
    What.MISSED: "bold red",
    What.LATE: "bold red",
    What.BLOCKED: "bold red",
    What.PERSON: "cyan",
    What.WAITS: "cyan",
}


@dataclass(frozen=True)
class Forecast:
    """The outlooks of a stack, or of the names asked for, and what was supposed."""

    stack: str
    runs: Runs
    outlooks: tuple[Outlook, ...]
    limit: Limit
    stops: tuple[Stop, ...] = ()
    gone: Gone | None = None
    halt: Halt | None = None
    undeclared: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()

    @cached_property
    def events(self) -> list[Event]:
        """Return all events, soonest first."""
        return sorted((e for o in self.outlooks for e in o.events), key=attrgetter("at", "identity"))

    @cached_property
    def targets(self) -> dict[str, Counter[str]]:
        """Return the writes at each target by day."""
        found: dict[str, Counter[str]] = {}
        for written in (w for o in self.outlooks for w in o.writes):
            found.setdefault(written.target, Counter())[_form(written.at, "day")] += written.count
        return dict(sorted(found.items()))

    @property
    def idle(self) -> bool:
        """Say whether no run does anything in all that time."""
        return self.runs.first > self.runs.end or not self.runs.act(self.runs.first)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Return what the forecast takes for granted, in sentences."""
        every = show_duration(self.runs.every)
        if self.idle:
            runs = "no run does anything in all that time"
        elif self.runs.first > self.runs.begin:
            away = show_duration(self.runs.first - self.runs.begin)
            runs = f"no run happens for {away}; then `keysteward up` runs every {every}, first {when(self.runs.first)}"
        else:
            runs = f"`keysteward up` runs every {every}, the first time {when(self.runs.first)}"
        return (
            f"{runs}.",
            "Every run succeeds, declarations stay as they are, and no person does anything.",
            "A use that shows now is the last one: nobody uses a secret again once there is another.",
            "Resource servers are left out, and keys that share a holder do not see each other's room there.",
        )


@dataclass(slots=True)
class _Count:
    """What happens within one period: events by kind, with whose they are, and writes by day."""

    events: Counter[What] = field(default_factory=Counter)
    names: dict[What, dict[str, None]] = field(default_factory=dict)
    days: Counter[str] = field(default_factory=Counter)

    @property
    def writes(self) -> int:
        """Return the number of writes."""
        return self.days.total()


def _busiest(days: Counter[str]) -> tuple[str, int] | None:
    """Return the day with the most writes, the first of several."""
    return min(days.items(), key=lambda item: (-item[1], item[0]), default=None)


@lru_cache(maxsize=8192)
def _form(at: datetime, by: By) -> str:
    return at.astimezone(UTC).strftime(_FORMS[by])


def _periods(forecast: Forecast, by: By) -> dict[str, _Count]:
    """Count everything by period, in order."""
    found: dict[str, _Count] = {}
    for event in forecast.events:
        count = found.setdefault(_form(event.at, by), _Count())
        count.events[event.what] += 1
        count.names.setdefault(event.what, {})[name_of(event.identity)] = None
    for written in (w for o in forecast.outlooks for w in o.writes):
        found.setdefault(_form(written.at, by), _Count()).days[_form(written.at, "day")] += written.count
    return dict(sorted(found.items()))


def _days(forecast: Forecast) -> Counter[str]:
    days: Counter[str] = Counter()
    for counted in forecast.targets.values():
        days += counted
    return days


def forecast_lines(forecast: Forecast, by: By, *, events: int, names: bool) -> Iterable[RenderableType]:
    """Write a forecast for a terminal: the table by period, the next events, then what a person must know."""
    first, last = forecast.runs.begin, forecast.runs.end
    yield line("Forecast for ", (forecast.stack, "bold"), f", {first:%Y-%m-%d} to {last:%Y-%m-%d}")
    for sentence in forecast.assumptions:
        yield line(("  · ", "dim"), (sentence, "dim"))
    if forecast.gone is not None:
        yield Text()
        yield from _gone_lines(forecast.gone)
    if forecast.halt is not None:
        yield Text()
        yield from _halt_lines(forecast.halt)
    counted = _periods(forecast, by)
    if counted:
        yield Text()
        yield _period_table(counted, by)
    if names:
        yield from _name_lines(counted)
    yield from _target_lines(forecast)
    yield from _event_lines(forecast, events)
    yield from _stop_lines(forecast)
    if forecast.undeclared:
        yield Text()
        yield line("Not declared, so that no run touches them: ", _some(forecast.undeclared))
    for failure in forecast.failures:
        yield Text()
        yield line("  ", ("!", "bold red"), " ", failure.message)
        yield line("    no forecast for: ", _some(failure.names))
    yield Text()
    yield line(summary(forecast))


def _some(names: tuple[str, ...], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _period_table(counted: dict[str, _Count], by: By) -> Table:
    table = Table(box=None, padding=(0, 0, 0, 2), header_style="dim")
    table.add_column(by, no_wrap=True)
    kinds = [what for what in What if any(count.events[what] for count in counted.values())]
    for what in kinds:
        table.add_column(what.value, justify="right", style=STYLES[what])
    table.add_column("writes", justify="right")
    table.add_column("busiest day", no_wrap=True)
    for period, count in counted.items():
        busiest = _busiest(count.days)
        day = f"{busiest[0]} ({busiest[1]})" if busiest is not None else ""
        table.add_row(period, *(str(count.events[what] or "") for what in kinds), str(count.writes or ""), day)
    return table


def _name_lines(counted: dict[str, _Count]) -> Iterable[RenderableType]:
    for period, count in counted.items():
        yield Text()
        yield line((period, "bold"))
        for what in (w for w in What if w in count.names):
            yield line("  ", (f"{what.value}: ", STYLES[what]), ", ".join(sorted(count.names[what])))


def _target_lines(forecast: Forecast) -> Iterable[RenderableType]:
    targets = forecast.targets
    if not targets:
        return
    table = Table(box=None, padding=(0, 0, 0, 2), header_style="dim")
    table.add_column("target")
    for title in ("writes", "days with any", "most a day"):
        table.add_column(title, justify="right")
    table.add_column("busiest day", no_wrap=True)
    for name, days in targets.items():
        busiest = _busiest(days) or ("", 0)
        table.add_row(Text(plain(name)), str(days.total()), str(len(days)), str(busiest[1]), busiest[0])
    yield Text()
    yield table


def _event_lines(forecast: Forecast, most: int) -> Iterable[RenderableType]:
    found = forecast.events
    if not found or not most:
        return
    yield Text()
    yield line(("What comes next", "bold"))
    table = Table(box=None, padding=(0, 0, 0, 2), show_header=False)
    for overflow in ("no_wrap", "no_wrap", "no_wrap", "fold"):
        table.add_column(no_wrap=overflow == "no_wrap", overflow="fold")
    for event in found[:most]:
        what = Text(event.what.value, style=STYLES[event.what])
        name, words = Text(plain(name_of(event.identity)), style="bold"), Text(plain(event.words))
        table.add_row(Text(when(event.at.astimezone(UTC)), style="dim"), name, what, words)
    yield table
    if len(found) > most:
        yield line((f"  and {len(found) - most} more; --events N shows more, --json all", "dim"))


def _gone_lines(gone: Gone) -> Iterable[Text]:
    names = _some(gone.credentials) or "nothing"
    who = gone.deputy if gone.deputy is not None else "nobody"
    yield line("If ", (gone.owner, "bold"), f" were gone, {who} would answer for: ", names)
    if gone.credentials:
        to = f"hand them over: keysteward offboard {gone.owner} --to {gone.deputy}" if gone.deputy else ""
        end = f"revoke them: keysteward offboard {gone.owner} --revoke"
        yield line(
            ("    → ", "dim"), f"{to}; or {end}" if to else f"nobody stands in; {end}, or hand them over with --to"
        )


def _halt_lines(halt: Halt) -> Iterable[Text]:
    yield line("  ", ("✗", "bold red"), f" from {when(halt.at)} on every run stops before its first call:")
    for sentence in halt.sentences[:_SENTENCES]:
        yield line(("    · ", "dim"), sentence)
    if len(halt.sentences) > _SENTENCES:
        yield line((f"    and {len(halt.sentences) - _SENTENCES} more", "dim"))


def _stop_lines(forecast: Forecast) -> Iterable[Text]:
    limit = f"{forecast.limit.count} or {forecast.limit.share:.0%}"
    for stop in forecast.stops:
        rest = f", and holds up {stop.held_up} more" if stop.held_up else ""
        yield Text()
        yield line(
            "  ",
            ("✗", "bold red"),
            f" the run of {when(stop.at)} is stopped by the limit of {limit}: it would leave {stop.ending} of "
            f"{stop.of} credentials without a working secret ({_some(stop.names, 5)}){rest}",
        )
        yield line(("    → ", "dim"), "until a person allows it; what comes later is told as if that had been done")


def summary(forecast: Forecast) -> str:
    """Return "issued 120, retired 118; 240 writes, most on 2026-11-02 (12)"."""
    counts = Counter(event.what for event in forecast.events)
    parts = [f"{what.value} {counts[what]}" for what in What if counts[what]]
    text = ", ".join(parts) or "nothing happens"
    days = _days(forecast)
    busiest = _busiest(days)
    if busiest is not None:
        text += f"; {many(days.total(), 'write')}, most on {busiest[0]} ({busiest[1]})"
    if forecast.failures:
        text += f"; no forecast for {sum(len(f.names) for f in forecast.failures)}"
    return f"{text[:1].upper()}{text[1:]}."


def forecast_json(forecast: Forecast, by: By) -> dict[str, Any]:
    """Return a forecast as JSON; see the module for the format."""
    runs = forecast.runs
    return {
        "format": JSON_FORMAT,
        "stack": forecast.stack,
        "from": runs.begin.isoformat(),
        "until": runs.end.isoformat(),
        "runs": {"first": None if forecast.idle else runs.first.isoformat(), "every": show_duration(runs.every)},
        "assumptions": list(forecast.assumptions),
        "summary": _counts(Counter(e.what for e in forecast.events), _days(forecast)),
        "periods": [
            {"period": period, **_counts(count.events, count.days)} for period, count in _periods(forecast, by).items()
        ],
        "targets": [
            {
                "name": name,
                "writes": days.total(),
                "busiest": _busiest_json(days),
                "days": [{"day": day, "writes": days[day]} for day in sorted(days)],
            }
            for name, days in forecast.targets.items()
        ],
        "events": [
            {
                "at": e.at.isoformat(),
                "name": name_of(e.identity),
                "identity": e.identity,
                "what": e.what.value,
                "words": e.words,
                "generation": e.generation,
                "target": e.target,
            }
            for e in forecast.events
        ],
        "limit": asdict(forecast.limit),
        "stops": [{**asdict(stop), "at": stop.at.isoformat(), "names": list(stop.names)} for stop in forecast.stops],
        "halt": None if forecast.halt is None else _halt_json(forecast.halt),
        "owner_gone": None if forecast.gone is None else asdict(forecast.gone),
        "undeclared": list(forecast.undeclared),
        "failures": [{"message": f.message, "names": list(f.names)} for f in forecast.failures],
    }


def _halt_json(halt: Halt) -> dict[str, Any]:
    return {"at": halt.at.isoformat(), "sentences": list(halt.sentences)}


def _counts(events: Counter[What], days: Counter[str]) -> dict[str, Any]:
    counts = {what.value: events[what] for what in What if events[what]}
    return {**counts, "writes": days.total(), "busiest": _busiest_json(days)}


def _busiest_json(days: Counter[str]) -> dict[str, Any] | None:
    busiest = _busiest(days)
    return None if busiest is None else {"day": busiest[0], "writes": busiest[1]}
