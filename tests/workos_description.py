"""The vendor's OpenAPI description of WorkOS, and a recorder that holds every call with a stand-in against it."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import yaml
from openapi_core import Config, OpenAPI
from openapi_core.contrib.werkzeug import WerkzeugOpenAPIRequest, WerkzeugOpenAPIResponse
from openapi_core.templating.paths.exceptions import PathError
from openapi_core.templating.paths.finders import APICallPathFinder
from openapi_core.templating.responses.exceptions import ResponseNotFound

from keysteward.sandbox.server import CONTROL_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from werkzeug.wrappers import Request, Response

    from keysteward.sandbox import WorkOSStandIn

PACKAGE, VERSION = "@workos/openapi-spec", "0.1.0"
FILE = "open-api-spec.yaml"

NOT_DESCRIBED = {
    ("POST", r"/oauth2/token"),
    ("GET", r"/oauth2/jwks"),
    ("GET", r"/\.well-known/oauth-authorization-server"),
    ("POST", r"/api_keys/[^/]+/expire"),
}
"""Calls that version 0.1.0 does not describe: the AuthKit domain, and expiry, which later versions describe."""

EVERYWHERE = {400, 401, 403, 404, 422, 429}
"""Refusals that the vendor's pages on errors list for all calls; the description names few of them per call."""


class Recorder:
    """Counts the calls it has seen and lists what was wrong with them.

    A reply must be as described for its status. A refusal whose status the description does not name for that call
    must be one that the vendor lists for all calls, in the shape of its errors. A request that is not as described
    must have been refused. What was wrong is told without any value.
    """

    def __init__(self, file: Path) -> None:
        document: dict[str, Any] = yaml.load(
            file.read_text(encoding="utf-8"),
            Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader),  # noqa: S506  (both are the safe loader)
        )
        document.pop("servers")
        _drop_discriminators(document)
        self.description = OpenAPI.from_dict(document, config=Config(spec_validator_cls=None))
        self.described = {
            (method.upper(), path)
            for path, item in document["paths"].items()
            for method in item
            if method != "parameters"
        }
        self._finder = APICallPathFinder(self.description.spec, base_url=None)
        self.seen: Counter[tuple[str, str, int]] = Counter()
        self.wrong: list[str] = []

    def watch(self, stand_in: WorkOSStandIn) -> None:
        """Hold every call that this stand-in answers from now on against the description."""
        respond = stand_in.respond

        def watched(request: Request) -> Response | None:
            response = respond(request)
            if response is not None and not request.path.startswith(CONTROL_PREFIX):
                self.hold(request, response)
            return response

        stand_in.respond = watched  # type: ignore[method-assign]

    def hold(self, request: Request, response: Response) -> None:
        """Hold one call against the description."""
        call, status = f"{request.method} {request.path}", response.status_code
        try:
            found = self._finder.find(request.method.lower(), request.base_url)
        except PathError:
            allowed = any(
                request.method == method and re.fullmatch(path, request.path) for method, path in NOT_DESCRIBED
            )
            if not (allowed or status == 404):
                self.wrong.append(f"{call}: answered {status}, though the description has no such call")
            return
        self.seen[request.method, found.path_result.pattern, status] += 1
        asked = WerkzeugOpenAPIRequest(request)
        faulty = [_told(error) for error in self.description.iter_request_errors(asked)]
        if faulty and status < 400:
            self.wrong.append(f"{call}: answered {status} to a request that is not as described: {'; '.join(faulty)}")
        for error in self.description.iter_response_errors(asked, WerkzeugOpenAPIResponse(response)):
            if not (isinstance(error, ResponseNotFound) and _is_refusal(response)):
                self.wrong.append(f"{call}: the reply with status {status} is not as described: {_told(error)}")

    def take_wrong(self) -> list[str]:
        """Return what was wrong since the last time."""
        taken, self.wrong = self.wrong, []
        return taken

    def missing(self, calls: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return those of these described calls that were never seen to succeed."""
        done = {(method, path) for method, path, status in self.seen if status < 400}
        return set(calls) & self.described - done

    def summary(self) -> str:
        """Say how much was held against the description."""
        calls = {(method, path) for method, path, _ in self.seen}
        replies = {(method, path, status) for method, path, status in self.seen}
        return (
            f"{sum(self.seen.values())} calls held against it: {len(calls)} operations, {len(replies)} kinds of reply"
        )


def _drop_discriminators(node: object) -> None:
    """Drop the hints between alternatives that are written in place: such have no names that a hint could mean.

    The OpenAPI Specification 3.1 lets a discriminator choose among named schemas only; ``oneOf`` still holds.
    """
    if isinstance(node, dict):
        alternatives = node.get("oneOf")
        if (
            "discriminator" in node
            and isinstance(alternatives, list)
            and any("$ref" not in one for one in alternatives)
        ):
            del node["discriminator"]
        for below in node.values():
            _drop_discriminators(below)
    elif isinstance(node, list):
        for below in node:
            _drop_discriminators(below)


def _is_refusal(response: Response) -> bool:
    document = json.loads(response.get_data() or b"null")
    shaped = isinstance(document, dict) and isinstance(document.get("message"), str)
    return shaped and (response.status_code in EVERYWHERE or response.status_code >= 500)


def _told(error: BaseException) -> str:
    """Say what is wrong by place and rule; the schema errors' own words hold values."""
    cause = error.__cause__ or error
    places = [f"{item.json_path} fails {item.validator}" for item in getattr(cause, "schema_errors", ())]
    return f"{type(error).__name__} ({', '.join(places) or type(cause).__name__})"
