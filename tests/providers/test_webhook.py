"""A consumer with a webhook: what it is told, how it knows who tells it, and what happens when it does not listen."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from standardwebhooks import Webhook as Verifier

from keysteward.core.declare.delivery import Place
from keysteward.core.errors import AccessDenied, DeclarationError, KeystewardError, NotFound, Unavailable
from keysteward.core.run.executor import News
from keysteward.operations.webhook import notify

KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()
NEWS = News("acme/prod/billing", 3, "secrets:apps/billing", "n7", datetime(2026, 3, 1, 2, 0, tzinfo=UTC))


@dataclass
class Receiver:
    """A consumer on loopback that keeps what it is told; `answers` are the statuses it gives."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def place(self) -> Place:
        return Place("secrets", "apps/billing", webhook=self.url, webhook_key="env:RELOAD_KEY")


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("RELOAD_KEY", KEY)
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.heard.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(made.answers.pop(0) if made.answers else 204)
            self.send_header("location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}/reload"
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_consumer_verifies_who_tells_it_with_the_standard_library_of_webhooks(receiver: Receiver) -> None:
    notify(receiver.place, replace(NEWS, at=datetime.now(UTC)))
    headers, body = receiver.heard[0]
    told = Verifier(KEY).verify(body, headers)
    assert told["type"] == "credential.delivered"
    assert told["data"] == {"identity": "acme/prod/billing", "generation": 3, "place": "secrets:apps/billing"}
    assert headers["content-type"] == "application/json"
    with pytest.raises(Exception, match="No matching signature"):
        Verifier(KEY).verify(body.replace(b"billing", b"payroll"), headers)
    other = "whsec_" + base64.b64encode(bytes(32)).decode()
    with pytest.raises(Exception, match="No matching signature"):
        Verifier(other).verify(body, headers)


def test_the_same_news_has_the_same_id_and_other_news_another(receiver: Receiver) -> None:
    for news in (NEWS, replace(NEWS, at=datetime(2026, 3, 2, tzinfo=UTC)), replace(NEWS, generation=4)):
        notify(receiver.place, news)
    first, again, other = (headers["webhook-id"] for headers, _ in receiver.heard)
    assert first == again
    assert first != other
    assert receiver.heard[0][0]["webhook-timestamp"] == str(int(NEWS.at.timestamp()))


@pytest.mark.parametrize(
    ("status", "error"), [(500, Unavailable), (404, NotFound), (302, NotFound), (403, AccessDenied)]
)
def test_what_does_not_take_it_is_told_once_and_raises(
    receiver: Receiver, status: int, error: type[KeystewardError]
) -> None:
    receiver.answers = [status]
    with pytest.raises(error):
        notify(receiver.place, NEWS)
    assert len(receiver.heard) == 1, "the next run tries again, not this one"


def test_a_receiver_that_is_down_is_one_sentence_without_its_path() -> None:
    place = Place("secrets", "apps/billing", webhook="http://127.0.0.1:1/hook?token=abc", webhook_key="env:RELOAD_KEY")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RELOAD_KEY", KEY)
        with pytest.raises(Unavailable, match="is down or cannot be reached") as raised:
            notify(place, NEWS)
    assert "token" not in str(raised.value)


@pytest.mark.parametrize("value", ["hunter2hunter2hunter2hunter2", "whsec_c2hvcnQ=", "whsec_not base64!", "whsec_"])
def test_a_key_that_is_none_is_refused_before_the_call_and_not_repeated(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("RELOAD_KEY", value)
    with pytest.raises(DeclarationError, match="what env:RELOAD_KEY holds is no signing key") as raised:
        notify(receiver.place, NEWS)
    assert value.removeprefix("whsec_")[:6] not in str(raised.value) or value == "whsec_"
    monkeypatch.delenv("RELOAD_KEY")
    with pytest.raises(AccessDenied, match="environment variable RELOAD_KEY is not set"):
        notify(receiver.place, NEWS)
    assert receiver.heard == []


def test_nothing_that_is_sent_could_be_a_secret(receiver: Receiver) -> None:
    notify(receiver.place, NEWS)
    headers, body = receiver.heard[0]
    assert set(json.loads(body)) == {"type", "timestamp", "data"}
    assert KEY.removeprefix("whsec_") not in str(headers) + body.decode()
