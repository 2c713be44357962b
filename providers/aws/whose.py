"""Whose an access key of IAM is: a user keeps keys under a new name, and calls about a key need that name."""

from __future__ import annotations

from typing import Final

from keysteward.core.errors import AccessDenied, NotFound
from keysteward.host.pool import in_pool
from keysteward.providers.aws.connection import AwsClient
from keysteward.providers.aws.listing import listed

SERVICE: Final = "iam"
PAGE_SIZE: Final = 1000
"""Largest MaxItems (IAM API Reference, ListUsers)."""


def owner_of(client: AwsClient, key_id: str) -> str | None:
    """Return the name of the user who has a key, by `GetAccessKeyLastUsed`; None when IAM knows it for nobody.

    The API Reference does not say what that call answers of an unknown key. NoSuchEntity is taken at its word; a
    refusal may mean the key or a right, so that then the keys of all users are listed.
    """
    on = f"access key {key_id}"
    try:
        return str(client.read(SERVICE, "GetAccessKeyLastUsed", on, {"AccessKeyId": key_id})["UserName"])
    except NotFound:
        return None
    except AccessDenied:
        pass
    users = listed(client, SERVICE, "ListUsers", "users", {"MaxItems": PAGE_SIZE}, entries="Users").entries
    names = [str(user["UserName"]) for user in users]
    held = in_pool(lambda name: key_id in (_keys_of(client, name) or ()), names)
    return next((name for name, has in zip(names, held, strict=True) if has), None)


def may_hold(client: AwsClient, user: str, key_id: str) -> bool:
    """Say whether a user may still have a key: no list of theirs shows that they do not."""
    held = _keys_of(client, user)
    return held is None or key_id in held


def _keys_of(client: AwsClient, user: str) -> frozenset[str] | None:
    given = {"UserName": user, "MaxItems": PAGE_SIZE}
    try:
        found = listed(client, SERVICE, "ListAccessKeys", f"user {user}", given, entries="AccessKeyMetadata").entries
    except NotFound:
        return None
    return frozenset(str(key["AccessKeyId"]) for key in found)
