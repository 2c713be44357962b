"""What all stand-ins share: a threaded HTTP/1.1 server on loopback, a call log, faults and a control API."""

from __future__ import annotations

import io
import json
import logging
import socket
import threading
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.serving import BaseWSGIServer, DechunkedInput, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from keysteward.sandbox.clock import Clock
from keysteward.sandbox.faults import Fault, Faults

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import TracebackType

log = logging.getLogger(__name__)

CONTROL_PREFIX = "/_sandbox/"
STALE_SECONDS = "keysteward.stale_seconds"
"""Key of the request environment under which a ``stale_list`` fault hands its age to the vendor's code."""

Work: TypeAlias = "Callable[[], Response | None]"
"""Does what one call asks for and returns its answer; None when the connection is to be closed without one."""


@dataclass(frozen=True)
class Call:
    """One call a stand-in received. ``status`` is None when no work was done and nothing answered."""

    method: str
    path: str
    status: int | None
    query: str = ""
    fault: str | None = None


def json_response(document: object, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None) -> Response:
    """Answer with a JSON document."""
    return Response(json.dumps(document), status, headers, content_type="application/json")


class StandIn(ABC):
    """A vendor on loopback, started by ``with``.

    ``clock`` is shared when given. With ``ssl_context`` (a server-side context) it speaks TLS. Subclasses answer the
    vendor's calls in `answer` and describe their records in `state`; both run under one lock, so that they may be
    written as if there were one caller at a time.

    `around` stands around every call but those of the control API: it gets the request and the work, and what it
    returns is the answer. A test sets it to end or to hold a caller before the work or after it.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.faults = Faults()
        self.calls: list[Call] = []
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self.around: Callable[[Request, Work], Response | None] = lambda _request, work: work()
        self._address = (host, port)
        self._ssl_context = ssl_context
        self._server: _Server | None = None

    @abstractmethod
    def answer(self, request: Request) -> Response:
        """Do what the vendor does with this call. A werkzeug `HTTPException` raised here is the answer."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return all records as JSON, live secrets included, for checks."""

    def fault_document(self) -> dict[str, str]:
        """Return the body of the answer to a ``status`` fault."""
        return {"error": "fault on request"}

    def fault_response(self, request: Request, fault: Fault) -> Response:
        """Return the answer to a ``status`` fault."""
        del request
        return json_response(self.fault_document(), fault.status, fault.headers)

    def named(self, request: Request) -> str:
        """Return what faults and the list of calls know this call by: its path, where that says which it is."""
        return request.path

    @property
    def url(self) -> str:
        """Base URL, without a trailing slash; the stand-in must have been started."""
        if self._server is None:
            raise RuntimeError("not started: use the stand-in in a `with` block")
        return self._server.url

    def start(self) -> None:
        """Bind the port and begin to answer; `OSError` when the port is taken."""
        self.stopping.clear()
        self._server = _Server(self, *self._address, self._ssl_context)

    def stop(self) -> None:
        """Stop answering and close every connection. May be repeated."""
        self.stopping.set()
        if self._server is not None:
            self._server.close()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def respond(self, request: Request) -> Response | None:
        """Answer one call, faults included; None means that the connection is to be closed without an answer."""
        if request.path.startswith(CONTROL_PREFIX):
            return self._guard(request, self._control)
        return self.around(request, lambda: self._work(request))

    def _work(self, request: Request) -> Response | None:
        name = self.named(request)
        fault = self.faults.strike(request.method, name)
        kind = fault.kind if fault else None
        response: Response | None = None
        if fault and kind == "status":
            response = self.fault_response(request, fault)
        elif kind != "lost_request":
            self._prepare(request, fault)
            with self.lock:
                response = self._guard(request, self.answer)
        status = response.status_code if response else None
        self.calls.append(Call(request.method, name, status, request.query_string.decode("latin-1"), kind))
        return None if kind == "lost_reply" else response

    def _prepare(self, request: Request, fault: Fault | None) -> None:
        if fault and fault.kind == "slow":
            self.stopping.wait(fault.seconds)
        elif fault and fault.kind == "stale_list":
            request.environ[STALE_SECONDS] = fault.seconds

    def _guard(self, request: Request, handler: Callable[[Request], Response]) -> Response:
        try:
            return handler(request)
        except HTTPException as refusal:
            return Response.force_type(refusal.get_response(request.environ), request.environ)
        except Exception:
            log.exception("method=%s path=%s outcome=crashed", request.method, request.path)
            return Response.force_type(InternalServerError().get_response(request.environ), request.environ)

    def _control(self, request: Request) -> Response:
        """Answer the control API, under ``/_sandbox/``: clock, faults, calls, state."""
        action = (request.method, request.path.removeprefix(CONTROL_PREFIX))
        try:
            match action:
                case ("GET", "clock"):
                    return json_response({"now": self.clock.now().isoformat()})
                case ("PUT", "clock"):
                    return self._set_clock(request.get_json())
                case ("GET", "faults"):
                    return json_response(self.faults.listing())
                case ("POST", "faults"):
                    self.faults.add(Fault.from_json(request.get_json()))
                    return Response(status=HTTPStatus.CREATED)
                case ("DELETE", "faults"):
                    self.faults.clear()
                    return Response(status=HTTPStatus.NO_CONTENT)
                case ("GET", "calls"):
                    return json_response([asdict(call) for call in list(self.calls)])
                case ("DELETE", "calls"):
                    self.calls.clear()
                    return Response(status=HTTPStatus.NO_CONTENT)
                case ("GET", "state"):
                    with self.lock:
                        return json_response(self.state())
        except (ValueError, KeyError) as error:
            return json_response({"error": str(error)}, HTTPStatus.BAD_REQUEST)
        return json_response({"error": "no such control"}, HTTPStatus.NOT_FOUND)

    def _set_clock(self, document: dict[str, Any]) -> Response:
        if "now" in document:
            self.clock.set(datetime.fromisoformat(document["now"]))
        else:
            self.clock.advance(timedelta(seconds=document["advance_seconds"]))
        return json_response({"now": self.clock.now().isoformat()})


class _Server:
    """The listening side of a stand-in: one thread that accepts, one per connection."""

    def __init__(self, stand_in: StandIn, host: str, port: int, ssl_context: ssl.SSLContext | None) -> None:
        class Handler(_Handler):
            pass

        self._connections: set[socket.socket] = set()
        Handler.stand_in = stand_in
        Handler.connections = self._connections
        with socket.create_server((host, port), backlog=128) as listener:
            self._wsgi: BaseWSGIServer = make_server(
                host,
                port,
                _no_wsgi,
                threaded=True,
                request_handler=Handler,
                ssl_context=ssl_context,
                fd=listener.fileno(),
            )
        scheme = "https" if ssl_context else "http"
        self.url = f"{scheme}://{host}:{self._wsgi.port}"
        self._thread = threading.Thread(target=self._wsgi.serve_forever, args=(0.02,), name=self.url, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._wsgi.shutdown()
        self._thread.join()
        for connection in list(self._connections):
            _hang_up(connection)


class _Handler(WSGIRequestHandler):
    """Reads one request whole, answers it in one piece, and keeps the connection.

    werkzeug's own handler closes every connection and sends the machine's time as ``Date``; pooled connections and
    the settable clock are the reasons for this one.
    """

    stand_in: StandIn
    connections: set[socket.socket]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.connections.add(self.connection)

    def finish(self) -> None:
        self.connections.discard(self.connection)
        super().finish()

    def run_wsgi(self) -> None:
        self.environ = environ = self.make_environ()
        if isinstance(environ["wsgi.input"], DechunkedInput):
            body = environ["wsgi.input"].read()
        else:
            body = self.rfile.read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        response = self.stand_in.respond(Request(environ))
        if response is None:
            self.close_connection = True
            _hang_up(self.connection)
        else:
            self._send(response)

    def _send(self, response: Response) -> None:
        body = b"" if self.command == "HEAD" else response.get_data()
        self.send_response_only(response.status_code)
        for name, value in response.headers:
            if name.lower() not in {"date", "content-length"} and (body or name.lower() != "content-type"):
                self.send_header(name, value)
        self.send_header("Date", format_datetime(self.stand_in.clock.now(), usegmt=True))
        if response.status_code != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002, ANN401  (the base class's signature)
        log.debug("%s %s", type, message % args)


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        log.debug("outcome=already closed")


def _no_wsgi(_environ: object, _start_response: object) -> list[bytes]:  # pragma: no cover
    raise NotImplementedError("requests go to the handler")
