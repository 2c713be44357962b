"""The calls to one user pool: one method for each, in Cognito's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from keysteward.core.errors import KeystewardError, NotFound, Rejected
from keysteward.providers.aws.cognito.models import has_secret
from keysteward.providers.aws.connection import AwsClient
from keysteward.providers.aws.listing import listed
from keysteward.providers.kit.pages import Listing

SERVICE: Final = "cognito-idp"
CLIENTS_PER_PAGE: Final = 60
SERVERS_PER_PAGE: Final = 50
"""Largest MaxResults (API Reference, ListUserPoolClients and ListResourceServers)."""

SECRETS_PER_CLIENT: Final = 2
"""API Reference, AddUserPoolClientSecret."""


class PoolApi:
    """The calls of one credential to one pool."""

    def __init__(self, client: AwsClient, user_pool: str) -> None:
        self._client = client
        self._pool = user_pool

    def clients(self) -> Listing[Mapping[str, Any]]:
        """`ListUserPoolClients`: id and name of each."""
        return self._listed("ListUserPoolClients", CLIENTS_PER_PAGE, "UserPoolClients")

    def servers(self) -> tuple[Mapping[str, Any], ...]:
        """`ListResourceServers`, with their scopes."""
        return self._listed("ListResourceServers", SERVERS_PER_PAGE, "ResourceServers").entries

    def client(self, client_id: str) -> Mapping[str, Any] | None:
        """`DescribeUserPoolClient`; None when it is not there. It shows a secret in clear: it goes no further."""
        try:
            found = self._read("DescribeUserPoolClient", f"client {client_id}", {"ClientId": client_id})
        except NotFound:
            return None
        shown: Mapping[str, Any] = found["UserPoolClient"]
        return {**shown, "ClientSecret": None} if has_secret(shown) else shown

    def create_client(self, body: Mapping[str, Any], name: str) -> str:
        """`CreateUserPoolClient`; returns the id that Cognito chose."""
        answer = self._write("CreateUserPoolClient", f"client {name}", body)
        return str(answer["UserPoolClient"]["ClientId"])

    def update_client(self, client_id: str, body: Mapping[str, Any], operation: str) -> None:
        """`UpdateUserPoolClient` with the whole description: what it does not name would be reset."""
        takes = self._client.accepted(SERVICE, "UpdateUserPoolClient")
        whole = {name: value for name, value in body.items() if name in takes and value is not None}
        self._write("UpdateUserPoolClient", f"client {client_id} ({operation})", {**whole, "ClientId": client_id})

    def delete_client(self, client_id: str) -> None:
        """`DeleteUserPoolClient`; gone already is success."""
        self._gone("DeleteUserPoolClient", f"client {client_id}", {"ClientId": client_id})

    def secrets(self, client_id: str) -> tuple[Mapping[str, Any], ...]:
        """`ListUserPoolClientSecrets`: id and date of each, oldest first, never a value."""
        answer = self._read("ListUserPoolClientSecrets", f"client {client_id}", {"ClientId": client_id})
        return tuple(sorted(answer.get("ClientSecrets") or (), key=_age))

    def add_secret(self, client_id: str, value: str | None) -> str:
        """`AddUserPoolClientSecret` with a value of ours, or, for None, one that is told to nobody; returns its id.

        Raises Rejected at the cap.
        """
        full = Rejected(
            f"{self._client.connection.name}: client {client_id} has both of its {SECRETS_PER_CLIENT} secrets: end one "
            "of them first"
        )
        given = {"ClientId": client_id, **({} if value is None else {"ClientSecret": value})}
        told = {"LimitExceededException": full}
        answer = self._write("AddUserPoolClientSecret", f"client {client_id}", given, told=told)
        return str(answer["ClientSecretDescriptor"]["ClientSecretId"])

    def delete_secret(self, client_id: str, secret_id: str) -> None:
        """`DeleteUserPoolClientSecret`; gone already is success. Raises Rejected for the last one."""
        last = Rejected(
            f"{self._client.connection.name}: {secret_id} is the last secret of client {client_id}, which Cognito "
            "never deletes: issue another first, suspend the client, or delete it"
        )
        given = {"ClientId": client_id, "ClientSecretId": secret_id}
        told = {"InvalidParameterException": last}
        self._gone("DeleteUserPoolClientSecret", f"secret {secret_id}", given, told=told)

    def server(self, identifier: str) -> Mapping[str, Any] | None:
        """`DescribeResourceServer`; None when it is not there."""
        try:
            answer = self._read("DescribeResourceServer", f"resource server {identifier}", {"Identifier": identifier})
        except NotFound:
            return None
        found: Mapping[str, Any] = answer["ResourceServer"]
        return found

    def write_server(self, server: Mapping[str, Any], *, new: bool) -> None:
        """`CreateResourceServer`, or `UpdateResourceServer` with all scopes: it replaces them."""
        body = {name: server[name] for name in ("Identifier", "Name", "Scopes")}
        operation = "CreateResourceServer" if new else "UpdateResourceServer"
        self._write(operation, f"resource server {server['Identifier']}", body)

    def delete_server(self, identifier: str) -> None:
        """`DeleteResourceServer`; gone already is success."""
        self._gone("DeleteResourceServer", f"resource server {identifier}", {"Identifier": identifier})

    def _listed(self, operation: str, size: int, entries: str) -> Listing[Mapping[str, Any]]:
        given = {"UserPoolId": self._pool, "MaxResults": size}
        told = {"ResourceNotFoundException": self._no_pool()}
        return listed(self._client, SERVICE, operation, f"user pool {self._pool}", given, entries=entries, told=told)

    def _no_pool(self) -> NotFound:
        return NotFound(
            f"{self._client.connection.name}: there is no user pool {self._pool} in this account: correct `user_pool`, "
            "or the credential"
        )

    def _read(self, operation: str, on: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._client.read(SERVICE, operation, on, {"UserPoolId": self._pool, **given})

    def _write(
        self, operation: str, on: str, given: Mapping[str, Any], told: Mapping[str, KeystewardError] | None = None
    ) -> Mapping[str, Any]:
        return self._client.write(SERVICE, operation, on, {"UserPoolId": self._pool, **given}, told=told)

    def _gone(
        self, operation: str, on: str, given: Mapping[str, Any], told: Mapping[str, KeystewardError] | None = None
    ) -> None:
        try:
            self._write(operation, on, given, told)
        except NotFound:
            return


def _age(secret: Mapping[str, Any]) -> tuple[Any, str]:
    return secret.get("ClientSecretCreateDate"), str(secret["ClientSecretId"])
