"""`keysteward whose` over a large log, as a process of its own: its start, the ledgers and the search all count."""

from __future__ import annotations

import base64
import json
import os
import random
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from measurement import Measurement, Results

from keysteward.core.contract.strategy import Strategy
from keysteward.core.record.ledger import Generation, Ledger, ObjectRecord, State, dump_ledger
from keysteward.host.material import fingerprinter, new_material
from keysteward.providers.local import LocalLedgers

FINGERPRINTS = 10_000
GENERATIONS = 5
MEGABYTES = 100
PLANTED = 25
SECONDS = 10.0
FOUND = 2

PROGRAM = "from keysteward.cli.main import app; app()"

STACK = """\
from keysteward import Owners, Stack
from keysteward.providers.local import LocalLedgers

stack = Stack("acme/bench", Owners(), LocalLedgers("ledgers", path="ledgers.sqlite3"), [])
"""


def measure(results: Results) -> None:
    """Measure one search; fails when a planted secret is not found, on its line."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "stacks").mkdir()
        (root / "stacks" / "__init__.py").touch()
        (root / "stacks" / "bench.py").write_text(STACK)
        values = _ledgers(root / "ledgers.sqlite3")
        planted = _log(root / "app.log", values)
        command = [sys.executable, "-c", PROGRAM, "whose", "--json", "app.log"]
        started, worked = time.perf_counter(), _processor_time()
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)  # noqa: S603 - our own
        seconds, work = time.perf_counter() - started, _processor_time() - worked
        if done.returncode != FOUND:
            raise AssertionError(f"whose ended with {done.returncode}: {done.stderr}")
        found = {place["line"] for one in json.loads(done.stdout)["found"] for place in one["places"]}
        if found != planted:
            raise AssertionError(f"found {len(found)} lines of {len(planted)} with a planted secret")
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    name = f"whose: {MEGABYTES} MB log, {FINGERPRINTS:,} fingerprints, {processors} processors"
    results.add(
        Measurement(name, seconds, "s", "command line", goal=SECONDS),
        Measurement(f"{name}: processor time of all", work, "s", "command line"),
    )


def _processor_time() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _ledgers(path: Path) -> list[str]:
    """Write ledgers with so many fingerprints; return the values behind them."""
    ledgers = LocalLedgers("ledgers", path=path)
    key = secrets.token_bytes(32)
    ledgers.write("keys/acme/bench", {"format": 1, "id": "k1", "key": base64.b64encode(key).decode()}, 0)
    fingerprint = fingerprinter(key, "k1")
    values = []
    for number in range(FINGERPRINTS // GENERATIONS):
        name = f"client-{number:05}"
        made = [new_material("client_secret").value.get_secret_value() for _ in range(GENERATIONS)]
        values += made
        generations = tuple(
            _generation(index, fingerprint(value), current=index == len(made)) for index, value in enumerate(made, 1)
        )
        record = ObjectRecord(1, "corp", name, "client_secret", "n", name)
        ledger = Ledger(
            f"acme/bench/{name}", "i", "M2MClient", next=GENERATIONS + 1, objects=(record,), generations=generations
        )
        ledgers.write(f"ledgers/{ledger.identity}", dump_ledger(ledger), 0)
    ledgers.close()
    return values


def _generation(number: int, fingerprint: str, *, current: bool) -> Generation:
    state = State.CURRENT if current else State.RETIRED
    at = datetime(2026, 1, number, tzinfo=UTC)
    return Generation(
        number, state, 1, "corp", "client_secret", Strategy.MINT, ("secrets:a",), f"n{number}", "", at,
        fingerprint=fingerprint,
    )  # fmt: skip


def _log(path: Path, values: list[str]) -> set[int]:
    """Write a log as services do, every line different, with some of the values; return the lines that hold one."""
    chosen = random.Random(4)  # noqa: S311 - a log that is the same each time
    lines, size, planted = 0, 0, set()
    every = MEGABYTES * 1024 * 1024 // PLANTED
    with path.open("w") as file:
        while size < MEGABYTES * 1024 * 1024:
            line = _line(chosen)
            lines += 1
            if size // every != (size + len(line)) // every:
                line += f' body="grant_type=client_credentials&client_secret={chosen.choice(values)}"'
                planted.add(lines)
            size += file.write(line + "\n")
    return planted


def _line(chosen: random.Random) -> str:
    def digits(count: int) -> str:
        return f"{chosen.getrandbits(4 * count):0{count}x}"

    at = f"2026-11-{chosen.randrange(10, 29)}T{chosen.randrange(10, 24)}:{chosen.randrange(10, 60)}:11.{digits(6)}Z"
    kind = chosen.random()
    if kind < 0.6:  # noqa: PLR2004 - most lines are of requests
        request = "-".join(digits(count) for count in (8, 4, 4, 4, 12))
        return (
            f"{at} INFO billing-api request_id={request} client=billing-exporter method=GET "
            f"path=/api/v1/invoices/{chosen.randrange(10**7)}/lines?customer=cus_{digits(14)}&page=7 status=200 "
            f'duration_ms={chosen.randrange(500)} trace={digits(32)} agent="python-requests/2.32.3"'
        )
    if kind < 0.9:  # noqa: PLR2004 - then JSON with encoded parts
        return (
            f'{{"time":"{at}","logger":"com.example.billing.InvoiceController","message":"exported \\"{digits(5)}\\"",'
            f'"span":"{digits(16)}","trace":"{digits(32)}","url":"https://id.example.com/realms/prod/token?state='
            f'{digits(12)}%2F{chosen.randrange(999)}"}}'
        )
    token = ".".join(base64.urlsafe_b64encode(chosen.randbytes(size)).decode().rstrip("=") for size in (30, 120, 90))
    return f"{at} DEBUG authorization bearer {token}"
