"""What will runs do, and when: the planner run ahead at the command line, with what-ifs."""

from __future__ import annotations

import json
from datetime import date

from cli_project import Project

from keysteward import ManualKey, Owners, PermanentException, RotationSchedule
from keysteward.core.errors import Unavailable
from keysteward.core.models import M2MClient
from keysteward.core.owners import Owner
from keysteward.core.stack import Limit
from keysteward.providers.manual import Manual
from keysteward.testing.memory import MemoryTarget


def words(project: Project, *arguments: str) -> str:
    answer = project.run("forecast", *arguments)
    assert answer.code == 0, answer.err
    return answer.out


def told(project: Project, *arguments: str) -> dict[str, list[str]]:
    """Return what happens by kind, each as "day name words"."""
    document = json.loads(words(project, "--json", *arguments))
    found: dict[str, list[str]] = {}
    for event in document["events"]:
        found.setdefault(event["what"], []).append(f"{event['at'][:10]} {event['name']}: {event['words']}")
    return found


def test_a_year_ahead_by_month(project: Project) -> None:
    project.run("up", "--yes")
    calls, writes = len(project.target.calls), project.ledgers.writes
    shown = words(project)
    print(shown)
    assert 0
