"""The AWS stand-in: a reverse proxy before a server of AWS's API, which answers itself what that server lacks."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import requests
from werkzeug.wrappers import Response

from keysteward.sandbox.aws.access_keys import AccessKeys
from keysteward.sandbox.aws.calls import AwsCall
from keysteward.sandbox.aws.cognito import UserPools
from keysteward.sandbox.aws.usage_plans import UsagePlans
from keysteward.sandbox.server import StandIn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moto.server import ThreadedMotoServer
    from werkzeug.wrappers import Request

    from keysteward.sandbox.clock import Clock
    from keysteward.sandbox.faults import Fault

ADMINISTRATOR = "AKIASANDBOX000000000"
"""Access key id of who may do everything; its signature is not checked."""

ERROR_CODE = "x-amzn-errortype"
"""The header of a fault that says AWS's code ("ThrottlingException")."""

_HOP = frozenset({"connection", "content-encoding", "content-length", "date", "transfer-encoding"})
_FORWARD_SECONDS = 30


class AwsStandIn(StandIn):
    """One account of AWS. ``behind`` is the address of a server such as moto's, which keeps what is made.

    Without it moto's own server is started, if the package ``moto[server]`` is there, and stopped with the stand-in.

    Access keys are those of `administrators` and those made through this stand-in; `rights` names what an access key
    may do ("iam:ListUsers"); one that is not named may do everything. Faults know a call by its action. Cognito's
    token endpoint and keys are here too, for all pools: ``/oauth2/token`` and ``/{pool}/.well-known/jwks.json``.
    """

    def __init__(
        self,
        *,
        behind: str | None = None,
        administrators: frozenset[str] = frozenset({ADMINISTRATOR}),
        clock: Clock | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(clock=clock, host=host, port=port)
        self._behind = (behind or "").rstrip("/")
        self._moto = None if behind else _moto()
        self.rights: dict[str, frozenset[str]] = {}
        self.access_keys = AccessKeys(administrators)
        self.user_pools = UserPools()
        self.usage_plans = UsagePlans()

    def start(self) -> None:
        """Bind the port and begin to answer, moto's server behind it first where one is to be started."""
        if self._moto is not None:
            self._moto.start()
            self._behind = "http://{}:{}".format(*self._moto.get_host_and_port())
        super().start()

    def stop(self) -> None:
        """Stop answering, and what was started behind."""
        super().stop()
        if self._moto is not None:
            self._moto.stop()

    def named(self, request: Request) -> str:
        """Return the action of a signed call, the path of another."""
        call = AwsCall.read(request)
        return call.action if call.service else request.path

    def fault_response(self, request: Request, fault: Fault) -> Response:
        """Return an error of AWS's, with the code that the fault's header names."""
        code = fault.headers.get(ERROR_CODE, "InternalFailure")
        return AwsCall.read(request).error(code, "fault on request", fault.status)

    def answer(self, request: Request) -> Response:
        """Answer one call, here or behind."""
        call = AwsCall.read(request)
        if not call.service:
            return self.user_pools.public(request, self.clock.now())
        self.access_keys.authenticate(call, self.clock.now())
        self._authorize(call)

        def forward(given: Mapping[str, Any] | None = None) -> Response:
            return self._forward(call, given)

        if call.service == "iam":
            return self.access_keys.answer(call, forward)
        if call.service == "apigateway":
            return self.usage_plans.answer(call, forward)
        if call.service == "cognito-idp":
            return self.user_pools.answer(call, forward, self.clock.now())
        return forward()

    def _authorize(self, call: AwsCall) -> None:
        allowed = self.rights.get(call.key_id)
        if allowed is None or call.action in allowed or call.service == "sts":
            return
        code = "AccessDenied" if call.service == "iam" else "AccessDeniedException"
        status = HTTPStatus.BAD_REQUEST if call.service == "cognito-idp" else HTTPStatus.FORBIDDEN
        raise call.refuse(code, f"User is not authorized to perform: {call.action}", status)

    def _forward(self, call: AwsCall, given: Mapping[str, Any] | None) -> Response:
        """Send a call on as it came, or with other parameters in its place."""
        request = call.request
        answered = requests.request(
            request.method,
            self._behind + request.environ.get("RAW_URI", request.path),
            headers={name: value for name, value in request.headers if name.lower() not in _HOP},
            data=call.body if given is None else call.json(given).get_data(),
            timeout=_FORWARD_SECONDS,
            allow_redirects=False,
        )
        headers = {name: value for name, value in answered.headers.items() if name.lower() not in _HOP}
        return Response(answered.content, answered.status_code, headers)

    def reset(self) -> None:
        """Forget keys, pools, rights, faults and calls; what is behind is reset there."""
        with self.lock:
            self.access_keys.keys.clear()
            self.user_pools.pools.clear()
            self.usage_plans.members.clear()
            self.rights.clear()
            self.faults.clear()
            self.calls.clear()

    def state(self) -> dict[str, Any]:
        """Return access keys and client secrets, values included."""
        keys = {
            key_id: {"user": key.user, "secret": key.secret, "active": key.active}
            for key_id, key in self.access_keys.keys.items()
        }
        return {"access_keys": keys, "client_secrets": self.user_pools.state()}


def _moto() -> ThreadedMotoServer:
    """Return moto's server, not started. Raises RuntimeError without the package: it is for tests and demos alone."""
    try:
        from moto.server import ThreadedMotoServer  # noqa: PLC0415 - nobody needs it who names a server
    except ImportError:
        raise RuntimeError("nothing keeps what is made: pip install 'moto[server]', or name a server") from None
    return ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
