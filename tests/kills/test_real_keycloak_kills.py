"""A rotation on a real Keycloak is killed before and after every write, by a proxy between the run and the server.

A real realm cannot be put back, so each kill point has a rotation of its own, one after the other on one client.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import tally
from command_line import KILLED, CommandLine
from keycloak_realms import as_master
from proxy import Proxy
from scene import Scene, Watch
from strikes import MOMENTS, Moment
from werkzeug.wrappers import Request

from keysteward.sandbox import Sandbox

SERVERS = {
    "key pairs": ("real_keycloak", {"auth_method": "'private_key_jwt'"}),
    "native overlap": ("real_keycloak_rotation", {}),
}


def is_write(request: Request) -> bool:
    return request.path.startswith("/admin/") and request.method not in {"GET", "HEAD"}


def living(scene: Scene) -> int:
    """Count the secrets or keys of our one client, as Keycloak shows them."""
    [client] = as_master(scene.keycloak.url, "GET", f"{scene.place.realm}/clients", clientId="exporter").json()
    if client["clientAuthenticatorType"] == "client-secret":
        return 1 + ("client.secret.rotated" in client["attributes"])
    return len(json.loads(client["attributes"]["jwks.string"])["keys"])


def rotate(scene: Scene, at: int, moment: Moment) -> int | None:
    """Rotate once, killed at one write; returns how many further runs settled it, None when it was not killed."""
    scene.up()
    scene.pass_time(days=90)
    before = scene.delivered()
    assert before is not None
    watch = Watch(lambda: None, at, moment, counts=is_write)
    with scene.watched(watch):
        watch.started(scene.line.start("up", "--yes", environment=scene.environment))
        ended = scene.line.wait()
        watch.quiet()
    assert ended.code == (KILLED if watch.killed else 0), ended.text
    document = scene.delivered()
    assert document is not None
    assert scene.gets_a_token(document), (at, moment)
    assert scene.gets_a_token(before), (at, moment)
    runs = settle(scene)
    after = scene.delivered()
    assert after is not None
    assert after["generation"] == before["generation"] + 1, (at, moment)
    assert scene.gets_a_token(after), (at, moment)
    assert scene.gets_a_token(before), (at, moment)
    assert living(scene) == 2, (at, moment)
    scene.pass_time(days=8)
    scene.up()
    assert living(scene) == 1, (at, moment)
    assert scene.gets_a_token(after), (at, moment)
    assert not scene.gets_a_token(before), (at, moment)
    assert scene.staged() == [], (at, moment)
    return runs if watch.killed else None


def settle(scene: Scene) -> int:
    for runs in (1, 2):
        done = scene.run("up", "--yes")
        gate = scene.run("preview", "--expect-no-changes")
        if gate.code == 0:
            return runs
    raise AssertionError(f"not settled\n{done.text}\n{gate.text}")


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("strategy", "every"),
    [
        pytest.param("key pairs", 1, marks=[pytest.mark.real("keycloak"), pytest.mark.proof]),
        pytest.param("native overlap", 1, marks=[pytest.mark.real("keycloak-rotation"), pytest.mark.proof]),
        pytest.param("native overlap", 3, marks=pytest.mark.real("keycloak-rotation")),
    ],
)
def test_every_write_of_a_rotation_can_be_the_last(
    strategy: str, every: int, request: pytest.FixtureRequest, tmp_path: Path, fresh_realm: Callable[..., str]
) -> None:
    server, fields = SERVERS[strategy]
    url = request.getfixturevalue(server).url
    settled: Counter[int] = Counter()
    with Proxy(url) as proxy, Sandbox() as sandbox, CommandLine(tmp_path) as line:
        rotation = strategy == "native overlap"
        scene = Scene(tmp_path, sandbox, line, local=True, realm=fresh_realm(url), keycloak=proxy, rotation=rotation)
        declared = {**fields, "deliver_to": "local.path('apps/exporter')"}
        scene.declare(f"client({', '.join(f'{k}={v}' for k, v in declared.items())})")
        for start, moment in enumerate(MOMENTS):
            for at in itertools.count(1 + start % every, every):
                runs = rotate(scene, at, moment)
                if runs is None:
                    break
                settled[runs] += 1
    tally.note("writes to a real Keycloak", settled)
    assert settled.total() >= 2, "hardly anything happened"
