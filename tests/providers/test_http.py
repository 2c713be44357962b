"""How calls are made, repeated and given up, against a server that misbehaves on request."""

from __future__ import annotations

import datetime as dt
import gzip
import itertools
import json
import logging
import socket
import ssl
import threading
import traceback
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
from pydantic import BaseModel

from keysteward.core.errors import KeystewardError, NotFound, OutcomeUnknown, Rejected, Unavailable
from keysteward.host.http import (
    ATTEMPTS,
    CALL_TIMEOUT,
    CONNECT_TIMEOUT_SECONDS,
    LONGEST_CALL_SECONDS,
    LONGEST_PAUSE_SECONDS,
    READ_TIMEOUT_SECONDS,
    SEND_AGAIN_SECONDS,
    Budget,
    Reply,
    Session,
    retry_after,
)

SECRET = "do-not-show-me"


class Server:
    """Answers by script: each entry is (status, headers) or "cut" (close without an answer) or "hang"."""

    def __init__(self) -> None:
        self.script: list[tuple[int, dict[str, str]] | str] = []
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.connections = 0
        self.url = ""
        self.released = threading.Event()


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            server.connections += 1

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            server.seen.append((self.command, self.path, dict(self.headers), body))
            step = server.script.pop(0) if server.script else (200, {})
            if isinstance(step, str):
                if step == "hang":
                    server.released.wait(10)
                self.close_connection = True
                return
            status, headers = step
            text = json.dumps({"secret": SECRET}).encode()
            self.send_response_only(status)
            for name, value in {"Content-Length": str(len(text)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        if tls is not None:
            listening.socket = tls.wrap_socket(listening.socket, server_side=True)
        server.url = f"{'https' if tls else 'http'}://127.0.0.1:{listening.server_address[1]}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            listening.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def session(pauses: list[float], request: pytest.FixtureRequest) -> Session:
    """Impatient only where no answer ever comes: a busy machine may pause for longer than that."""
    callspec = getattr(request.node, "callspec", None)
    hangs = callspec is not None and callspec.params.get("fault") == "hang"
    return Session("corp", sleep=pauses.append, read_timeout_seconds=0.3 if hangs else 30)


def get(session: Session, url: str) -> Reply:
    return session.request("GET", url, operation="list clients", repeatable=True)


def write(session: Session, url: str, *, repeatable: bool) -> Reply:
    return session.request("PUT", url, operation="write client", repeatable=repeatable, json={"secret": SECRET})


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def test_a_reply_carries_status_json_and_the_servers_clock(server: Server, session: Session) -> None:
    when = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    server.script = [(200, {"Date": format_datetime(when, usegmt=True)}), (404, {"X-Request-Id": "r-1"})]
    reply = get(session, server.url)
    assert (reply.ok, reply.read(dict[str, str]), reply.date) == (True, {"secret": SECRET}, when)
    error = get(session, server.url).error("client 7 does not exist; declare it")
    assert isinstance(error, NotFound)
    assert str(error) == "client 7 does not exist; declare it [target=corp operation=list clients request_id=r-1]"


def test_connections_are_kept_alive_and_shared_by_threads(server: Server, session: Session) -> None:
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: get(session, server.url).status, range(40)))
    assert replies == [200] * 40
    assert server.connections <= 8


@pytest.mark.parametrize("status", [429, 503])
def test_a_throttled_call_waits_as_long_as_the_server_says(
    server: Server, session: Session, pauses: list[float], status: int
) -> None:
    server.script = [(status, {"Retry-After": "7"}), (status, {})]
    assert get(session, server.url).ok
    assert pauses == [7, 0.5]


def test_retry_after_may_be_a_date_by_the_servers_own_clock() -> None:
    now = datetime(2020, 1, 1, tzinfo=UTC)
    later = format_datetime(now + timedelta(seconds=9), usegmt=True)
    headers = {"retry-after": later, "date": format_datetime(now, usegmt=True)}
    assert retry_after(Reply("corp", "list", 503, 0.0, headers, b"")) == 9
    assert retry_after(Reply("corp", "list", 503, 0.0, {"retry-after": "soon"}, b"")) is None


def test_a_pause_longer_than_a_minute_is_not_waited_for(server: Server, session: Session, pauses: list[float]) -> None:
    server.script = [(429, {"Retry-After": "3600"})]
    assert get(session, server.url).status == 429
    assert pauses == []


def test_a_server_that_stays_busy_is_given_up_after_four_attempts(server: Server, session: Session) -> None:
    server.script = [(503, {})] * 9
    reply = get(session, server.url)
    assert len(server.seen) == ATTEMPTS
    assert isinstance(reply.error("busy"), Unavailable)


def test_what_is_not_repeatable_is_sent_once(server: Server, session: Session) -> None:
    server.script = [(503, {"Retry-After": "1"})]
    assert write(session, server.url, repeatable=False).status == 503
    assert len(server.seen) == 1


def test_what_is_not_repeatable_is_sent_again_when_the_server_says_that_it_was_not_done(
    server: Server, session: Session, pauses: list[float]
) -> None:
    server.script = [(429, {"Retry-After": "7"}), (429, {})]
    assert write(session, server.url, repeatable=False).ok
    assert pauses == [7, 0.5]
    assert len(server.seen) == 3
    server.script = [(429, {})] * 9
    assert write(session, server.url, repeatable=False).status == 429
    assert len(server.seen) == 3 + ATTEMPTS


@pytest.mark.parametrize("then", [503, 502, "cut"])
def test_after_429_any_other_trouble_ends_what_is_not_repeatable(
    server: Server, session: Session, then: int | str
) -> None:
    server.script = [(429, {}), then if isinstance(then, str) else (then, {}), (200, {})]
    if then == "cut":
        with pytest.raises(OutcomeUnknown, match="the next run finds out"):
            write(session, server.url, repeatable=False)
    else:
        assert write(session, server.url, repeatable=False).status == then
    assert len(server.seen) == 2


def test_what_is_not_repeatable_waits_only_while_a_list_is_no_proof_yet(
    server: Server, session: Session, pauses: list[float]
) -> None:
    """`CALL_TIMEOUT` after the first attempt a list is taken for what a lost answer left behind."""
    last_try = timedelta(seconds=SEND_AGAIN_SECONDS + CONNECT_TIMEOUT_SECONDS + READ_TIMEOUT_SECONDS)
    assert last_try < CALL_TIMEOUT
    server.script = [(429, {"Retry-After": "12"}), (429, {"Retry-After": "12"})]
    assert write(session, server.url, repeatable=False).status == 429
    assert pauses == [12]


def test_what_is_not_repeatable_is_not_held_back_for_longer_by_the_budget(server: Server) -> None:
    pauses: list[float] = []
    budget = Budget(600, timedelta(minutes=1), sleep=pauses.append)
    server.script = [(429, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "45"})]
    assert write(Session("corp", budget=budget, sleep=pauses.append), server.url, repeatable=False).status == 429
    assert pauses == []


@pytest.mark.parametrize("fault", ["cut", "hang"])
def test_a_write_without_an_answer_has_an_unknown_outcome_and_is_not_sent_again(
    server: Server, session: Session, fault: str
) -> None:
    server.script = [fault]
    with pytest.raises(OutcomeUnknown, match="the next run finds out"):
        write(session, server.url, repeatable=False)
    assert len(server.seen) == 1


def test_a_repeatable_write_is_sent_again(server: Server, session: Session) -> None:
    server.script = ["cut"]
    assert write(session, server.url, repeatable=True).ok
    assert len(server.seen) == 2


def test_a_repeatable_write_that_got_lost_and_then_met_a_busy_server_has_an_unknown_outcome(
    server: Server, session: Session
) -> None:
    server.script = ["cut", (503, {}), (503, {}), (503, {})]
    with pytest.raises(OutcomeUnknown):
        write(session, server.url, repeatable=True)


def test_a_delete_that_got_lost_and_is_then_gone_is_answered(server: Server, session: Session) -> None:
    server.script = ["cut", (404, {})]
    assert session.request("DELETE", server.url, operation="delete", repeatable=True).status == 404


def test_a_read_without_an_answer_is_unavailable(server: Server, session: Session) -> None:
    server.script = ["cut"] * ATTEMPTS
    with pytest.raises(Unavailable, match="gave no answer in time"):
        get(session, server.url)


@pytest.mark.parametrize(("status", "kind"), [(502, OutcomeUnknown), (504, OutcomeUnknown), (500, Unavailable)])
def test_a_gateway_that_gives_up_on_a_write_leaves_it_open(
    server: Server, session: Session, status: int, kind: type[KeystewardError]
) -> None:
    server.script = [(status, {}), (status, {})]
    assert type(write(session, server.url, repeatable=False).error("no")) is kind
    assert type(get(session, server.url).error("no")) is Unavailable


def test_a_server_that_is_down_is_unavailable_for_writes_too(session: Session, pauses: list[float]) -> None:
    url = f"http://127.0.0.1:{closed_port()}/x"
    with pytest.raises(Unavailable, match="is down or cannot be reached"):
        write(session, url, repeatable=False)
    assert pauses == []
    with pytest.raises(Unavailable, match="is down"):
        get(session, url)
    assert pauses == [0.25, 0.5, 1.0]


def test_a_redirect_is_not_followed_with_our_credential(server: Server, session: Session) -> None:
    server.script = [(302, {"Location": "https://elsewhere.example.com/login"})]
    with pytest.raises(NotFound, match=r"redirects to elsewhere\.example\.com"):
        get(session, server.url)
    assert len(server.seen) == 1


@pytest.mark.parametrize("url", ["id.example.com", "ftp://", "http://"])
def test_what_is_no_url_is_said(session: Session, url: str) -> None:
    with pytest.raises(NotFound, match="url is not an http"):
        get(session, url)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<html>" + SECRET.encode(), "the answer is no JSON"),
        (b"", "the answer is no JSON"),
        (b"[" * 100_000, "the answer is no JSON"),
        (b'{"secret": "\\ud800"}', "the answer is no JSON"),
        (b"\xff\xfe{}", "the answer is no JSON"),
        (b"5", "the answer is of another shape"),
        (b"null", "the answer is of another shape"),
        (b'{"secret": {"value": "' + SECRET.encode() + b'"}}', r"of another shape \(secret\)"),
    ],
)
def test_an_answer_of_another_shape_is_a_sentence_that_repeats_none_of_it(body: bytes, told: str) -> None:
    """A captive portal, a proxy or another service answers in the vendor's place."""
    for wrote, kind in ((False, Unavailable), (True, OutcomeUnknown)):
        with pytest.raises(kind, match=told) as caught:
            Reply("corp", "read key", 200, 0.0, {}, body, wrote).read(Shown)
        error = caught.value
        assert (error.target, error.operation) == ("corp", "read key")
        assert (error.__context__, error.__cause__) == (None, None)
        assert SECRET not in str(error)


class Shown(BaseModel):
    secret: str


def test_netrc_does_not_replace_our_credential(
    server: Server, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    session.request("GET", server.url, operation="x", repeatable=True, headers={"Authorization": "Bearer ours"})
    assert server.seen[0][2]["Authorization"] == "Bearer ours"


def test_cookies_are_not_kept(server: Server, session: Session) -> None:
    server.script = [(200, {"Set-Cookie": "session=1; Path=/"})]
    get(session, server.url)
    get(session, server.url)
    assert "Cookie" not in server.seen[1][2]


@pytest.mark.parametrize("fault", ["cut", "hang"])
def test_no_secret_shows_in_errors_tracebacks_or_logs(
    server: Server, session: Session, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    server.script = [fault, (400, {})]
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="keysteward")
    with pytest.raises(OutcomeUnknown) as caught:
        session.request(
            "POST",
            server.url,
            operation="log in",
            repeatable=False,
            form={"client_secret": SECRET},
            headers={"Authorization": f"Bearer {SECRET}"},
        )
    reply = write(session, server.url, repeatable=False)
    error = caught.value
    assert (error.__context__, error.__cause__) == (None, None)
    shown = [str(error), "".join(traceback.format_exception(error)), repr(reply), str(reply.error("no")), caplog.text]
    assert SECRET not in "".join(shown)
    assert "target=corp operation='log in' method=POST status=OutcomeUnknown ms=" in caplog.text


# Answers without end


@contextmanager
def raw_server(head: bytes, piece: bytes = b"") -> Iterator[str]:
    """Answer every call with these bytes, then with the same piece again and again until nobody listens any more."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    connection.recv(65536)
                    connection.sendall(head)
                    while piece:
                        connection.sendall(piece)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
DRIPS = {
    "body": HEAD + b"Content-Length: 99999999999\r\n\r\n",
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
    "until it closes": HEAD + b"\r\n",
    "headers": HEAD + b"X-",
    "status line": b"HTTP/1.1 2",
}


@pytest.mark.parametrize("where", DRIPS)
def test_an_answer_that_drips_is_given_up_though_each_byte_comes_in_time(
    where: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = itertools.count(step=3600)
    monkeypatch.setattr("keysteward.host.transport._clock", lambda: next(hours))
    with raw_server(DRIPS[where], b"1\r\n ") as url, pytest.raises(Unavailable, match="gave no answer in time"):
        get(session, url)


def test_one_write_of_an_answer_that_drips_has_an_unknown_outcome(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = itertools.count(step=3600)
    monkeypatch.setattr("keysteward.host.transport._clock", lambda: next(hours))
    with raw_server(DRIPS["headers"], b"a") as url, pytest.raises(OutcomeUnknown):
        write(session, url, repeatable=False)


ENDLESS = gzip.compress(b" " * (4 << 20))


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (HEAD + b"\r\n", b" " * (1 << 20)),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"100000\r\n" + b" " * (1 << 20) + b"\r\n"),
        (HEAD + b"Content-Encoding: gzip\r\n\r\n", ENDLESS),
    ],
    ids=["plain", "chunked", "packed"],
)
def test_an_answer_without_end_is_given_up_before_it_fills_the_memory(
    head: bytes, piece: bytes, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keysteward.host.transport.LARGEST_ANSWER_BYTES", 8 << 20)
    tracemalloc.start()
    try:
        with raw_server(head, piece) as url:
            with pytest.raises(Unavailable, match="answers with more than"):
                get(session, url)
            with pytest.raises(OutcomeUnknown):
                write(session, url, repeatable=True)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_a_call_with_all_its_attempts_has_an_end(server: Server) -> None:
    time = Time()
    server.script = [(503, {"Retry-After": "60"})] * 9

    def sleep(seconds: float) -> None:
        time.now += seconds + 30

    assert get(Session("corp", clock=time, sleep=sleep), server.url).status == 503
    assert len(server.seen) == ATTEMPTS
    assert time.now - 100 <= LONGEST_CALL_SECONDS + LONGEST_PAUSE_SECONDS + 30


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "\u00b2"},
        {"Retry-After": "9" * 5000},
        {"Retry-After": "Fri, 31 Dec 9999 23:59:59 -2359"},
        {"Date": "Fri, 31 Dec 9999 23:59:59 GMT"},
        {"Date": "Fri, 31 Dec 9999 23:59:59 -2359", "Retry-After": "Sat, 01 Jan 0001 00:00:00 GMT"},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "nan"},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "-inf"},
        {"Content-Encoding": "gzip"},
        {"Location": "http://[", "Content-Type": "\x1b[2J"},
        {"Set-Cookie": "\u00e9" * 999},
    ],
)
@pytest.mark.parametrize("status", [200, 302, 429, 503])
def test_odd_headers_trip_nothing(server: Server, headers: dict[str, str], status: int) -> None:
    server.script = [(status, headers)] * ATTEMPTS
    budget = Budget(600, timedelta(minutes=1), sleep=lambda _: None)
    try:
        reply = get(Session("corp", budget=budget, sleep=lambda _: None), server.url)
    except KeystewardError:
        return
    assert reply.date is None or reply.date.year < 3000


# TLS


def tls_server(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def test_a_private_authority_is_trusted_by_setting_or_environment(
    authority: trustme.CA, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tls_server(authority.issue_cert("127.0.0.1"))) as server:
        assert get(Session("corp", ca=ca_file), server.url).ok
        with pytest.raises(Unavailable, match="unknown authority; set `ca`"):
            get(Session("corp"), server.url)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_file)
        assert get(Session("corp"), server.url).ok


def test_an_expired_certificate_says_what_to_renew(authority: trustme.CA, ca_file: str) -> None:
    expired = authority.issue_cert("127.0.0.1", not_after=datetime.now(dt.UTC) - timedelta(days=1))
    with serving(tls_server(expired)) as server:
        for repeatable in (True, False):
            with pytest.raises(Unavailable, match="certificate has expired; renew it"):
                write(Session("corp", ca=ca_file), server.url, repeatable=repeatable)
    assert server.seen == []


def test_a_certificate_for_another_name_says_so(authority: trustme.CA, ca_file: str) -> None:
    wrong = tls_server(authority.issue_cert("id.example.com"))
    with serving(wrong) as server, pytest.raises(Unavailable, match="is for another"):
        get(Session("corp", ca=ca_file), server.url)


def test_a_bundle_that_is_not_there_or_no_bundle_is_said(authority: trustme.CA, tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("no certificate")
    with serving(tls_server(authority.issue_cert("127.0.0.1"))) as server:
        for path in (str(tmp_path / "gone.pem"), str(empty)):
            with pytest.raises(NotFound, match="certificate bundle"):
                get(Session("corp", ca=path), server.url)


def test_a_port_without_tls_is_said(server: Server, session: Session) -> None:
    with pytest.raises(Unavailable, match="check that url and port speak TLS"):
        get(session, server.url.replace("http:", "https:"))


# Budget


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_budget_lets_a_small_burst_pass_and_then_keeps_the_rate() -> None:
    time = Time()
    budget = Budget(60, timedelta(seconds=60), clock=time, sleep=time.sleep)
    for _ in range(66):
        budget.take()
    assert time.now == pytest.approx(160, abs=1)


@pytest.mark.parametrize("reset", ["30", str(1_800_000_030)])
def test_a_budget_holds_back_until_the_reset_when_nothing_remains(reset: str) -> None:
    time = Time()
    budget = Budget(600, timedelta(seconds=60), clock=time, sleep=time.sleep)
    there = datetime.fromtimestamp(1_800_000_000, UTC)
    budget.learn({"x-ratelimit-remaining": "5", "x-ratelimit-reset": reset}, there)
    budget.take()
    assert time.now == pytest.approx(100)
    budget.learn({"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}, there)
    budget.take()
    assert time.now == pytest.approx(130, abs=1)


def test_a_session_asks_its_budget_and_teaches_it(server: Server) -> None:
    time = Time()
    budget = Budget(600, timedelta(seconds=60), clock=time, sleep=time.sleep)
    server.script = [(200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "20"})]
    session = Session("corp", budget=budget)
    get(session, server.url)
    get(session, server.url)
    assert time.now == pytest.approx(120, abs=1)


def test_other_refusals_keep_their_class() -> None:
    assert type(Reply("corp", "x", 400, 0.0, {}, b"").error("no")) is Rejected
