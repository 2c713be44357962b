"""Cognito user pools: resource servers, clients' secrets, and updates that reset what they do not name.

moto keeps pools and clients; it has no call for secrets and cannot change or delete a resource server. Sources:
botocore's model of ``cognito-idp``; Amazon Cognito Developer Guide, "App client settings" and "Resource servers".
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import NotFound

from keysteward.sandbox.aws import tokens
from keysteward.sandbox.aws.calls import Refused
from keysteward.sandbox.aws.user_pools import Client, Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from werkzeug.wrappers import Request, Response

    from keysteward.sandbox.aws.calls import AwsCall

    Forward = Callable[[Mapping[str, Any] | None], Response]

SECRETS_PER_CLIENT = 2
SERVERS_PER_PAGE = 50
CLIENTS_PER_PAGE = 60
_SECRET = re.compile(r"[\w+]{24,64}", re.ASCII)

DEFAULTS: dict[str, Any] = {
    "AllowedOAuthFlowsUserPoolClient": False,
    "AuthSessionValidity": 3,
    "EnablePropagateAdditionalUserContextData": False,
    "EnableTokenRevocation": True,
    "RefreshTokenValidity": 30,
    "ExplicitAuthFlows": ["ALLOW_CUSTOM_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"],
}
"""What a client has where a request says nothing."""

_FIXED = frozenset({"UserPoolId", "ClientId", "ClientName", "ClientSecret", "CreationDate", "LastModifiedDate"})
"""What an update leaves as it is."""


class UserPools:
    """All pools that were made through this stand-in, by id."""

    def __init__(self) -> None:
        self.pools: dict[str, Pool] = {}

    def answer(self, call: AwsCall, forward: Forward, now: datetime) -> Response:
        """Answer what concerns secrets, resource servers and clients; everything else goes on."""
        if call.operation == "CreateUserPool":
            response = forward(None)
            self.pools[json.loads(response.get_data())["UserPool"]["Id"]] = Pool()
            return response
        pool = self.pools.get(call.given.get("UserPoolId", ""))
        if pool is None and "UserPoolId" in call.given:
            raise _missing(call, f"User pool {call.given['UserPoolId']} does not exist.")
        if pool is not None and call.operation in _SERVERS:
            return _SERVERS[call.operation](call, pool)
        if pool is not None and call.operation in _CLIENTS:
            return _CLIENTS[call.operation](call, pool, forward, now)
        return forward(None)

    def public(self, request: Request, now: datetime) -> Response:
        """Answer calls without signature: the token endpoint of every pool, and each pool's keys."""
        if (request.method, request.path) == ("POST", "/oauth2/token"):
            held = ((pool_id, pool.clients, pool.servers) for pool_id, pool in self.pools.items())
            return tokens.issue(request, held, now)
        pool_id, _, rest = request.path.strip("/").partition("/")
        if pool_id in self.pools and (request.method, rest) == ("GET", ".well-known/jwks.json"):
            return tokens.jwks()
        raise NotFound

    def state(self) -> dict[str, dict[str, str]]:
        """Return each client's living secrets by id."""
        return {
            client_id: {secret.id: secret.value for secret in client.secrets}
            for pool in self.pools.values()
            for client_id, client in pool.clients.items()
        }


def _missing(call: AwsCall, message: str) -> Refused:
    return call.refuse("ResourceNotFoundException", message)


def _invalid(call: AwsCall, message: str) -> Refused:
    return call.refuse("InvalidParameterException", message)


def _client(call: AwsCall, pool: Pool) -> Client:
    if call.given["ClientId"] not in pool.clients:
        raise _missing(call, f"User pool client {call.given['ClientId']} does not exist.")
    return pool.clients[call.given["ClientId"]]


def _check(call: AwsCall, pool: Pool, *, secret: bool) -> None:
    """Refuse settings that do not fit together."""
    given = call.given
    flows = set(given.get("AllowedOAuthFlows") or ())
    if flows and "client_credentials" in flows and len(flows) > 1:
        raise _invalid(call, "client_credentials flow can not be selected along with code flow or implicit flow.")
    if "client_credentials" in flows and not secret:
        raise _invalid(call, "client_credentials flow can not be selected if client does not have a client secret.")
    if given.get("AllowedOAuthFlowsUserPoolClient") and not (flows and given.get("AllowedOAuthScopes")):
        text = "AllowedOAuthFlows and AllowedOAuthScopes are required if the client is allowed to use OAuth flows."
        raise _invalid(call, text)
    for scope in given.get("AllowedOAuthScopes") or ():
        if "/" in scope and scope not in tokens.offered(pool.servers):
            raise call.refuse("ScopeDoesNotExistException", f"Scope {scope} does not exist.")


def _create_client(call: AwsCall, pool: Pool, forward: Forward, now: datetime) -> Response:
    value = call.given.get("ClientSecret")
    if value is not None and (call.given.get("GenerateSecret") or not _SECRET.fullmatch(value)):
        raise _invalid(call, "The client secret is not valid.")
    _check(call, pool, secret=bool(value or call.given.get("GenerateSecret")))
    response = forward({**DEFAULTS, **call.given})
    settings = json.loads(response.get_data())["UserPoolClient"]
    client = pool.clients[settings["ClientId"]] = Client(settings)
    secret = settings.pop("ClientSecret", None)
    if secret is not None:
        client.add(secret, now)
    return response


def _update_client(call: AwsCall, pool: Pool, forward: Forward, _now: datetime) -> Response:
    """Write what is named and reset the rest to its default. A null is how moto forgets a field."""
    client = _client(call, pool)
    _check(call, pool, secret=bool(client.secrets))
    reset = {name: DEFAULTS.get(name) for name in client.settings if name not in _FIXED}
    response = forward({**reset, **call.given})
    client.settings = json.loads(response.get_data())["UserPoolClient"]
    client.settings.pop("ClientSecret", None)
    return _with_secret(call, client)


def _describe_client(call: AwsCall, pool: Pool, _forward: Forward, _now: datetime) -> Response:
    return _with_secret(call, _client(call, pool))


def _with_secret(call: AwsCall, client: Client) -> Response:
    """Show a client as the API does, with the value of its oldest secret. Which one AWS shows is not published."""
    shown = {name: value for name, value in client.settings.items() if value is not None}
    if client.secrets:
        shown["ClientSecret"] = client.secrets[0].value
    return call.json({"UserPoolClient": shown})


def _delete_client(call: AwsCall, pool: Pool, forward: Forward, _now: datetime) -> Response:
    _client(call, pool)
    response = forward(None)
    del pool.clients[call.given["ClientId"]]
    return response


def _add_secret(call: AwsCall, pool: Pool, _forward: Forward, now: datetime) -> Response:
    client, value = _client(call, pool), call.given.get("ClientSecret")
    if not client.secrets:
        raise _invalid(call, "The client has no client secret.")
    if len(client.secrets) >= SECRETS_PER_CLIENT:
        raise call.refuse("LimitExceededException", "The client has the maximum number of secrets.")
    if value is not None and not _SECRET.fullmatch(value):
        raise _invalid(call, "The client secret is not valid.")
    made = client.add(value or tokens.new_secret(), now)
    own = {} if value else {"ClientSecretValue": made.value}
    return call.json({"ClientSecretDescriptor": {**made.shown(), **own}})


def _list_secrets(call: AwsCall, pool: Pool, _forward: Forward, _now: datetime) -> Response:
    return call.json({"ClientSecrets": [secret.shown() for secret in _client(call, pool).secrets]})


def _delete_secret(call: AwsCall, pool: Pool, _forward: Forward, _now: datetime) -> Response:
    client = _client(call, pool)
    left = [secret for secret in client.secrets if secret.id != call.given["ClientSecretId"]]
    if len(left) == len(client.secrets):
        raise _missing(call, "The client secret does not exist.")
    if not left:
        raise _invalid(call, "The last secret of a client cannot be deleted.")
    client.secrets = left
    return call.json({})


def _write_server(call: AwsCall, pool: Pool) -> Response:
    given, there = call.given, call.given["Identifier"] in pool.servers
    if call.operation == "CreateResourceServer" and there:
        raise _invalid(call, f"{given['Identifier']} already exists in user pool {given['UserPoolId']}.")
    if call.operation == "UpdateResourceServer" and not there:
        raise _missing(call, f"Resource server {given['Identifier']} does not exist.")
    kept = {name: given[name] for name in ("UserPoolId", "Identifier", "Name")}
    made = pool.servers[given["Identifier"]] = {**kept, "Scopes": list(given.get("Scopes") or ())}
    return call.json({"ResourceServer": made})


def _describe_server(call: AwsCall, pool: Pool) -> Response:
    found = pool.servers.get(call.given["Identifier"])
    if found is None:
        raise _missing(call, f"Resource server {call.given['Identifier']} does not exist.")
    return call.json({"ResourceServer": found})


def _delete_server(call: AwsCall, pool: Pool) -> Response:
    _describe_server(call, pool)
    del pool.servers[call.given["Identifier"]]
    return call.json({})


def _list_servers(call: AwsCall, pool: Pool) -> Response:
    size = call.given.get("MaxResults") or SERVERS_PER_PAGE
    if size > SERVERS_PER_PAGE:
        raise _invalid(call, f"MaxResults must be at most {SERVERS_PER_PAGE}.")
    first = int(call.given.get("NextToken") or 0)
    servers = list(pool.servers.values())
    more = {"NextToken": str(first + size)} if first + size < len(servers) else {}
    return call.json({"ResourceServers": servers[first : first + size], **more})


_SERVERS: dict[str, Callable[[AwsCall, Pool], Response]] = {
    "CreateResourceServer": _write_server,
    "UpdateResourceServer": _write_server,
    "DescribeResourceServer": _describe_server,
    "DeleteResourceServer": _delete_server,
    "ListResourceServers": _list_servers,
}
_CLIENTS: dict[str, Callable[[AwsCall, Pool, Forward, datetime], Response]] = {
    "CreateUserPoolClient": _create_client,
    "UpdateUserPoolClient": _update_client,
    "DescribeUserPoolClient": _describe_client,
    "DeleteUserPoolClient": _delete_client,
    "AddUserPoolClientSecret": _add_secret,
    "ListUserPoolClientSecrets": _list_secrets,
    "DeleteUserPoolClientSecret": _delete_secret,
}
