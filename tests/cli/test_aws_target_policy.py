"""`keysteward policy aws-target`: least rights at the targets, for review."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cli_project import Project

PLACE = ("--region", "eu-central-1", "--account", "123456789012")
POOL = ("--user-pool", "eu-central-1_Ab12Cd34E")


def printed(project: Project, *arguments: str) -> list[dict[str, Any]]:
    done = project.run("policy", "aws-target", *arguments, *PLACE)
    assert done.code == 0, done.err
    statements: list[dict[str, Any]] = json.loads(done.out)["Statement"]
    return statements


@pytest.mark.parametrize("target", ["iam", "cognito", "api-gateway"])
def test_a_reader_may_change_nothing(project: Project, target: str) -> None:
    reads = ("List", "Get", "Describe", "GET")
    for statement in printed(project, "reader", target, *POOL):
        assert all(action.partition(":")[2].startswith(reads) for action in statement["Action"])


def test_a_runner_makes_keys_for_the_named_users_alone(project: Project) -> None:
    """And finds a key whose user was renamed or moved."""
    everybody, named = printed(project, "runner", "iam", "--users", "services/svc-*")
    finds = ["iam:GetAccessKeyLastUsed", "iam:ListAccessKeys", "iam:ListUsers"]
    assert (everybody["Action"], everybody["Resource"]) == (finds, "*")
    assert {"iam:CreateAccessKey", "iam:UpdateAccessKey", "iam:DeleteAccessKey"} <= set(named["Action"])
    assert named["Resource"] == "arn:aws:iam::123456789012:user/services/svc-*"


def test_a_runner_reaches_one_pool(project: Project) -> None:
    (statement,) = printed(project, "runner", "cognito", *POOL)
    assert statement["Resource"] == "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_Ab12Cd34E"
    assert not any("*" in action for action in statement["Action"])


def test_a_runner_changes_keys_and_no_plan(project: Project) -> None:
    _, keys, new = printed(project, "runner", "api-gateway")
    assert keys["Resource"] == "arn:aws:apigateway:eu-central-1::/apikeys/*"
    assert [place.partition("::")[2] for place in new["Resource"]] == ["/apikeys", "/usageplans/*/keys"]


def test_what_is_missing_or_wrong_is_one_sentence(project: Project) -> None:
    no_pool = project.run("policy", "aws-target", "runner", "cognito", *PLACE)
    assert (no_pool.code, "user_pool is missing" in no_pool.err) == (1, True)
    short = project.run("policy", "aws-target", "reader", "iam", "--region", "eu-central-1", "--account", "12")
    assert (short.code, "it has twelve digits" in short.err) == (1, True)
