"""API keys and governed sets at the command line, and the rules of the two kinds."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from bench_world import NAMED_KEYS
from cli_project import Project

from keysteward import ApiKey, Governed, PermanentException, RotationSchedule
from keysteward.testing.memory import MemorySecret

NAME = "partner"


@pytest.fixture
def keys(project: Project) -> Project:
    project.target.key_capabilities = NAMED_KEYS
    project.target.hold("org-1")
    return project


def key(project: Project, **fields: object) -> ApiKey:
    given: dict[str, object] = {
        "target": project.target,
        "holder": "org-1",
        "owner": "team-billing",
        "purpose": "Order status for a partner",
        "expires": date(2027, 6, 30),
        "classification": PermanentException(
            justification="the partner has no OAuth", risk_accepted_by="security", review_by=date(2026, 6, 1)
        ),
        "rotation": RotationSchedule(every="60d", overlap="7d"),
        "deliver_to": project.store.path("partners/one"),
    }
    return ApiKey(NAME, **{**given, **fields})  # type: ignore[arg-type]


def test_a_key_is_issued_shown_and_revoked_by_its_name(keys: Project) -> None:
    keys.declare(key(keys))
    assert "+ partner  issue generation 1" in keys.run("preview").out
    assert keys.run("up", "--yes").code == 0
    shown = keys.run("show", NAME).out
    assert "ApiKey" in shown
    assert "org-1" in shown
    assert f"keysteward revoke {NAME} --all" in shown
    assert "end the key at org-1 in the console of target corp" in shown
    assert keys.run("revoke", NAME, "--all", "--reason", "leaked", "--yes").code == 0
    assert keys.target.objects["org-1"].secrets == []
    assert keys.run("preview", "--expect-no-changes").code == 0


def test_what_breaks_a_rule_of_its_kind_is_a_note(keys: Project) -> None:
    keys.declare(key(keys, rotation=RotationSchedule(every="200d", overlap="20d"), reviewed=date(2025, 1, 1)))
    out = keys.run("preview").out
    assert "rotation.every is 200d, for an API key the rule is 90d at most" in out
    assert "rotation.overlap is 20d, for an API key the rule is 14d at most" in out
    assert "was last reviewed on 2025-01-01, and an API key is reviewed every 180d" in out


def test_a_governed_set_is_counted_and_judged_in_the_preview(keys: Project) -> None:
    old = keys.clock.now - timedelta(days=400)
    for number in range(3):
        keys.target.objects["org-1"].secrets.append(MemorySecret(f"k{number}", f"v{number}", "key", old, "shop"))
    keys.declare(
        key(keys),
        Governed(
            "customers",
            target=keys.target,
            owner="team-billing",
            purpose="Keys of customers",
            max_age="365d",
            max_count=5,
        ),
    )
    shown = keys.run("preview")
    assert "customers  3 keys of 1 holder at corp" in shown.out
    assert "customers: 3 keys older than 365d: k0 'shop' of account org-1" in shown.out
    assert json.loads(keys.run("preview", "--json").out)["governed"] == [
        {"name": "customers", "target": "corp", "owner": "team-billing", "keys": 3, "holders": 1}
    ]
    keys.run("up", "--yes")
    assert "3 keys of 1 holder" in keys.run("preview").out, "our own key is not among them"
    assert len(keys.target.objects["org-1"].secrets) == 4


def test_the_rules_of_the_two_kinds_stand_side_by_side(project: Project) -> None:
    shown = project.run("rules").out
    assert shown.index("M2M client") < shown.index("API key")
    assert "rotation interval, at most  90d" in shown
    kinds = {kind["kind"]: kind for kind in json.loads(project.run("rules", "--json").out)["kinds"]}
    assert kinds["API key"]["rotation_interval"] < kinds["M2M client"]["rotation_interval"]
    assert kinds["M2M client"]["life"] is None
