"""What an environment holds: organizations and people with their keys, applications with their secrets, permissions.

WorkOS lists neither keys nor client secrets across an environment, so that each owner costs a call. These calls are
independent and go out a few at a time, within the budget of the one session.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from keysteward.core.contract.observed import Observation, ObservedObject
from keysteward.core.errors import KeystewardError, Unavailable
from keysteward.host.pool import in_pool
from keysteward.providers.workos import models
from keysteward.providers.workos.api import Api

ORGANIZATION_PREFIX, USER_PREFIX = "org_", "user_"
KEY_PREFIX, SECRET_PREFIX = "api_key_", "secret_"
AT: Final = "@"
"""Joins a user and an organization to the id of one holder: a person's keys count for one organization each."""


def is_holder(remote_id: str) -> bool:
    """Say whether an id is that of an organization: ids of WorkOS begin with the kind of their object."""
    return remote_id.startswith(ORGANIZATION_PREFIX)


def is_person(remote_id: str) -> bool:
    """Say whether an id is that of a user, or of a user in one organization."""
    return remote_id.startswith(USER_PREFIX)


def observe(api: Api, target: str, client_id: str, *, user_keys: bool) -> Observation:
    """List everything, whoever made it. What is deleted while it is listed is left out.

    `target` is the target's name, `client_id` the audience of its tokens; keys of users are listed with `user_keys`.
    Raises Unavailable where something is there and what it holds cannot be listed: it is never shown as empty.
    """
    organizations = api.organizations()
    applications = api.applications()
    permissions = api.permissions()
    keys = in_pool(lambda organization: _keys(api, organization.id), organizations.entries)
    secrets = in_pool(lambda application: _secrets(api, application.id), applications)
    objects = [
        *(o.observed(held) for o, held in zip(organizations.entries, keys, strict=True) if held is not None),
        *(a.observed(held) for a, held in zip(applications, secrets, strict=True) if held is not None),
        *(_people(api) if user_keys else ()),
    ]
    return Observation(
        target=target,
        started_at=organizations.started_at,
        clock=organizations.clock,
        objects=tuple(objects),
        scopes=tuple(permission.observed(client_id) for permission in permissions),
    )


def look(api: Api, name: str) -> ObservedObject | None:
    """Read one object: an organization or a user by id, an application by id or client id."""
    if is_holder(name):
        keys = _keys(api, name)
        return None if keys is None else models.holder(name, models.ORGANIZATION, keys)
    if is_person(name):
        user = models.User(id=name.partition(AT)[0])
        return next((found for found in _keys_of(api, user) if found.remote_id == name), None)
    application = api.application(name)
    secrets = None if application is None else _secrets(api, application.id)
    return None if application is None or secrets is None else application.observed(secrets)


def _keys(api: Api, organization_id: str) -> tuple[models.ApiKey, ...] | None:
    """Return the keys of an organization; None when there is no such organization."""
    keys = api.keys(organization_id)
    if keys is None and api.organization(organization_id) is not None:
        raise _not_listed(api, "list API keys", f"organization {organization_id}")
    return keys


def _secrets(api: Api, application_id: str) -> tuple[models.ClientSecret, ...] | None:
    """Return the secrets of an application; None when there is no such application."""
    secrets = api.secrets(application_id)
    if secrets is None and api.application(application_id) is not None:
        raise _not_listed(api, "list client secrets", f"application {application_id}")
    return secrets


def _keys_of_user(api: Api, user_id: str) -> tuple[models.ApiKey, ...]:
    """Return the keys of a user; none when there is no such user."""
    keys = api.keys_of_user(user_id)
    if keys is None and any(user.id == user_id for user in api.users()):
        raise _not_listed(api, "list API keys", f"user {user_id}")
    return keys or ()


def _not_listed(api: Api, operation: str, of: str) -> KeystewardError:
    text = f"{operation}: WorkOS has {of}, and answers 404 for what it holds; see that `url` is WorkOS, then run again"
    return api.error(Unavailable, operation, text)


def _people(api: Api) -> Iterator[ObservedObject]:
    for found in in_pool(lambda user: list(_keys_of(api, user)), api.users()):
        yield from found


def _keys_of(api: Api, user: models.User) -> Iterator[ObservedObject]:
    """Yield a user once for each organization in which there are keys of theirs."""
    keys = _keys_of_user(api, user.id)
    for organization in sorted({key.owner.organization_id or "" for key in keys}):
        held = [key for key in keys if (key.owner.organization_id or "") == organization]
        id_ = f"{user.id}{AT}{organization}"
        yield models.holder(
            id_, models.USER, held, label=user.email, within=organization or None, created_at=user.created_at
        )
