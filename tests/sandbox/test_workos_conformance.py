"""The WorkOS stand-in against what the vendor publishes: its OpenAPI description, its Python SDK, its emulator."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import requests
import workos_description
from workos import AuthenticationError, ConflictError, NotFoundError, UnprocessableEntityError, WorkOSClient

from keysteward.sandbox import WorkOSStandIn
from keysteward.sandbox.workos.records import Organization
from keysteward.sandbox.workos.urls import API

if TYPE_CHECKING:
    from collections.abc import Iterator

ID = re.compile(r"[a-z_]+_[0-9A-HJKMNP-TV-Z]{26}")


@dataclass(frozen=True)
class WorkOS:
    """A caller with a key of the environment."""

    url: str
    key: str

    def __call__(self, method: str, path: str, document: object = None, **query: object) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        return requests.request(method, f"{self.url}{path}", json=document, params=query, headers=headers, timeout=30)

    def made(self, path: str, **document: object) -> dict[str, Any]:
        answer = self("POST", path, document)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
def workos(workos_stand_in: WorkOSStandIn) -> WorkOS:
    return WorkOS(workos_stand_in.url, workos_stand_in.api_key)


class TestDescription:
    """The vendor's OpenAPI description; `workos_stand_in` holds every call of every other test against it too."""

    def test_every_call_that_it_describes_is_as_described(
        self, workos_spec: workos_description.Recorder, workos_stand_in: WorkOSStandIn, workos: WorkOS
    ) -> None:
        before = workos_spec.seen.copy()
        organization = workos.made("/organizations", name="Acme", external_id="acme", metadata={"tier": "gold"})["id"]
        user = workos.made("/user_management/users", email="ann@example.com")["id"]
        workos.made("/user_management/organization_memberships", user_id=user, organization_id=organization)
        workos.made("/authorization/permissions", slug="posts:read", name="Read posts", description="All of them")
        key = workos.made(f"/organizations/{organization}/api_keys", name="exporter", permissions=["posts:read"])
        own = f"/user_management/users/{user}/api_keys"
        workos.made(own, name="laptop", organization_id=organization)
        third_party = {"is_first_party": False, "organization_id": organization}
        for kind in ({"is_first_party": True}, third_party):
            uris = [{"uri": "https://example.com/callback", "default": True}]
            workos.made("/connect/applications", name="web", application_type="oauth", redirect_uris=uris, **kind)
        workos_stand_in.add_application("agent", dynamic=True)
        machine = workos.made(
            "/connect/applications", name="m", application_type="m2m", organization_id=organization, scopes=["a"]
        )["id"]
        secret = workos.made(f"/connect/applications/{machine}/client_secrets")["id"]
        for path in (
            *("/organizations", f"/organizations/{organization}", "/organizations/external_id/acme"),
            *(f"/organizations/{organization}/api_keys", "/user_management/users", own),
            *(f"/user_management/users/{user}", f"/user_management/organization_memberships?user_id={user}"),
            *("/authorization/permissions", "/authorization/permissions/posts:read", "/connect/applications"),
            "/connect/applications?registration_types=dynamic,authenticated",
            *(f"/connect/applications/{machine}", f"/connect/applications/{machine}/client_secrets"),
        ):
            assert workos("GET", path).status_code == 200, path
        for value in (key["value"], "sk_nobody"):
            assert workos("POST", "/api_keys/validations", {"value": value}).status_code == 200
        assert workos("PATCH", "/authorization/permissions/posts:read", {"description": None}).status_code == 200
        assert workos("PUT", f"/connect/applications/{machine}", {"scopes": ["a", "b"]}).status_code == 200
        for when in ({"expires_at": "2099-01-01T00:00:00.000Z"}, {"expires_at": None}, {}):
            assert workos("POST", f"/api_keys/{key['id']}/expire", when).status_code == 200
        assert workos("POST", f"/api_keys/{key['id']}/expire", {}).status_code == 409
        for path in (
            *(f"/api_keys/{key['id']}", f"/connect/client_secrets/{secret}"),
            *(f"/connect/applications/{machine}", "/authorization/permissions/posts:read"),
        ):
            assert workos("DELETE", path).status_code == 204
            assert workos("DELETE", path).status_code == 404
        answered = {(method, re.sub(r"<\w+>", "{}", path)) for method, path, _ in API}
        described = {(method, re.sub(r"{\w+}", "{}", path)): (method, path) for method, path in workos_spec.described}
        unheld = workos_spec.missing(described[call] for call in answered & described.keys())
        assert unheld == set()
        assert answered - described.keys() <= {("POST", "/api_keys/{}/expire")}
        assert sum((workos_spec.seen - before).values()) >= 30

    def test_refusals_are_as_described(self, workos_spec: workos_description.Recorder, workos: WorkOS) -> None:
        assert workos_spec.description is not None
        organization = workos.made("/organizations", name="Acme", external_id="taken")["id"]
        user = workos.made("/user_management/users", email="ann@example.com")["id"]
        workos.made("/authorization/permissions", slug="posts:read", name="Read posts")
        keys, own = f"/organizations/{organization}/api_keys", f"/user_management/users/{user}/api_keys"
        member = workos.made("/user_management/users", email="member@example.com")["id"]
        workos.made("/user_management/organization_memberships", user_id=member, organization_id=organization)
        unknown = {"name": "k", "organization_id": organization, "permissions": ["posts:unknown"]}
        memberships = "/user_management/organization_memberships"
        for method, path, document, status in (
            ("GET", "/organizations/org_none", None, 404),
            ("GET", "/organizations/external_id/none", None, 404),
            ("GET", "/organizations?limit=101", None, 422),
            ("GET", "/organizations?order=up", None, 422),
            ("POST", "/organizations", {}, 422),
            ("POST", "/organizations", {"name": "B", "external_id": "taken"}, 400),
            ("POST", "/organizations", {"name": "B", "domain_data": [{"domain": "b.test"}]}, 422),
            ("POST", "/organizations", {"name": "B", "metadata": {"k": "v" * 601}}, 400),
            ("GET", "/organizations/org_none/api_keys", None, 404),
            ("POST", "/organizations/org_none/api_keys", {"name": "k"}, 404),
            ("POST", keys, {}, 422),
            ("POST", keys, {"name": "k", "permissions": ["posts:unknown"]}, 422),
            ("POST", keys, {"name": "k", "expires_at": "2020-01-01T00:00:00Z"}, 422),
            ("POST", own, {"name": "k"}, 400),
            ("POST", own, {"name": "k", "organization_id": "org_none"}, 404),
            ("POST", own, {"name": "k", "organization_id": organization}, 422),
            ("GET", "/user_management/users/user_none/api_keys", None, 404),
            ("POST", f"/user_management/users/{member}/api_keys", unknown, 422),
            ("GET", memberships, None, 400),
            ("GET", f"{memberships}?user_id={member}&statuses=gone", None, 400),
            ("POST", memberships, {"user_id": member}, 422),
            ("POST", memberships, {"user_id": member, "organization_id": "org_none"}, 404),
            ("DELETE", "/api_keys/api_key_none", None, 404),
            ("POST", "/api_keys/api_key_none/expire", {}, 404),
            ("POST", "/api_keys/validations", {}, 422),
            ("POST", "/authorization/permissions", {"slug": "Posts", "name": "n"}, 422),
            ("POST", "/authorization/permissions", {"slug": "a" * 49, "name": "n"}, 422),
            ("POST", "/authorization/permissions", {"slug": "posts:read", "name": "n"}, 409),
            ("POST", "/authorization/permissions", {"slug": "b", "name": "n", "resource_type_slug": "none"}, 404),
            ("GET", "/authorization/permissions/none", None, 404),
            ("PATCH", "/authorization/permissions/widgets:api-keys:manage", {"name": "n"}, 403),
            ("DELETE", "/authorization/permissions/widgets:api-keys:manage", None, 403),
            ("GET", "/connect/applications/none", None, 404),
            ("GET", "/connect/applications?registration_types=none", None, 422),
            ("POST", "/connect/applications", {"application_type": "m2m", "name": "m"}, 422),
            ("POST", "/connect/applications", {"application_type": "m2m", "name": "m", "organization_id": "no"}, 404),
            ("POST", "/connect/applications", {"application_type": "oauth", "name": "m"}, 422),
            ("POST", "/connect/applications", {"application_type": "cli", "name": "m"}, 422),
            ("POST", "/connect/applications/none/client_secrets", {}, 404),
        ):
            assert workos(method, path, document).status_code == status, (method, path, document)

    def test_the_recorder_tells_what_is_not_as_described(
        self,
        workos_spec: workos_description.Recorder,
        workos_stand_in: WorkOSStandIn,
        workos: WorkOS,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        organization = workos_stand_in.add_organization("Acme")
        complete = Organization.representation

        def without_name(record: Organization) -> dict[str, object]:
            return {name: value for name, value in complete(record).items() if name != "name"}

        with monkeypatch.context() as patch:
            patch.setattr(Organization, "representation", without_name)
            workos("GET", f"/organizations/{organization}")
            workos("GET", "/organizations")
        workos("POST", f"/connect/applications/{workos_stand_in.add_application('a')}/client_secrets")
        one, listed, bodiless = workos_spec.take_wrong()
        assert one.endswith("the reply with status 200 is not as described: InvalidData ($ fails required)")
        assert listed.endswith("InvalidData ($.data[0] fails required)")
        assert "answered 201 to a request that is not as described" in bodiless

    def test_a_call_that_it_does_not_have_is_told(
        self, workos_spec: workos_description.Recorder, workos_stand_in: WorkOSStandIn, workos: WorkOS
    ) -> None:
        assert workos("GET", "/nothing/here").status_code == 404
        assert workos("PATCH", "/organizations").status_code == 404
        assert workos_spec.take_wrong() == []
        fault = {"kind": "status", "status": 200, "path": "/nothing"}
        requests.post(f"{workos_stand_in.url}/_sandbox/faults", json=fault, timeout=10)
        workos("GET", "/nothing/here")
        (told,) = workos_spec.take_wrong()
        assert told == "GET /nothing/here: answered 200, though the description has no such call"


class TestSdk:
    """The vendor's own Python SDK as a client: its models read every reply."""

    @pytest.fixture
    def sdk(self, workos_stand_in: WorkOSStandIn) -> Iterator[WorkOSClient]:
        with self.client(workos_stand_in, workos_stand_in.api_key) as client:
            yield client

    def client(self, stand_in: WorkOSStandIn, key: str) -> WorkOSClient:
        return WorkOSClient(api_key=key, client_id=stand_in.client_id, base_url=stand_in.url, max_retries=0)

    def test_the_life_of_an_api_key(self, sdk: WorkOSClient, workos_stand_in: WorkOSStandIn) -> None:
        organization = sdk.organizations.create_organization(name="Acme").id
        sdk.authorization.create_permission(slug="posts:read", name="Read posts")
        soon = workos_stand_in.clock.now().replace(microsecond=0) + timedelta(days=7)
        made = sdk.api_keys.create_organization_api_key(
            organization, name="exporter", permissions=["posts:read"], expires_at=soon
        )
        assert (made.name, made.permissions, made.expires_at) == ("exporter", ["posts:read"], soon)
        (listed,) = sdk.api_keys.list_organization_api_keys(organization).data
        assert (listed.id, listed.last_used_at) == (made.id, None)
        assert not hasattr(listed, "value")
        assert made.value not in str(listed)
        valid = sdk.api_keys.create_validation(value=made.value).api_key
        assert valid is not None
        assert valid.last_used_at is not None
        assert sdk.api_keys.create_validation(value="sk_nobody").api_key is None
        assert sdk.api_keys.create_api_key_expire(made.id, expires_at=soon + timedelta(days=1)).expires_at is not None
        ended = sdk.api_keys.create_api_key_expire(made.id)
        assert ended.expires_at is not None
        assert ended.expires_at <= workos_stand_in.clock.now()
        assert sdk.api_keys.create_validation(value=made.value).api_key is None
        with pytest.raises(ConflictError) as conflict:
            sdk.api_keys.create_api_key_expire(made.id)
        assert conflict.value.code == "api_key_already_expired"
        assert conflict.value.request_id
        sdk.api_keys.delete_api_key(made.id)
        with pytest.raises(NotFoundError):
            sdk.api_keys.delete_api_key(made.id)

    def test_keys_of_users(self, sdk: WorkOSClient) -> None:
        organization = sdk.organizations.create_organization(name="Acme").id
        user = sdk.user_management.create_user(email="ann@example.com").id
        sdk.organization_membership.create_organization_membership(user_id=user, organization_id=organization)
        made = sdk.user_management.create_user_api_key(user, name="laptop", organization_id=organization)
        assert made.value.startswith("sk_")
        (found,) = sdk.user_management.list_users(organization_id=organization).data
        (key,) = sdk.user_management.list_user_api_keys(found.id).data
        assert (key.owner.type, key.owner.id, key.owner.organization_id) == ("user", user, organization)
        assert sdk.api_keys.list_organization_api_keys(organization).data == []

    def test_permissions(self, sdk: WorkOSClient) -> None:
        made = sdk.authorization.create_permission(slug="posts:write", name="Write posts", description="All")
        assert (made.system, made.resource_type_slug) == (False, "organization")
        assert sdk.authorization.update_permission("posts:write", name="Write").name == "Write"
        slugs = {item.slug for item in sdk.authorization.list_permissions(limit=1).auto_paging_iter()}
        assert slugs >= {"posts:write", "widgets:api-keys:manage"}
        with pytest.raises(ConflictError):
            sdk.authorization.create_permission(slug="posts:write", name="again")
        sdk.authorization.delete_permission("posts:write")
        with pytest.raises(NotFoundError):
            sdk.authorization.get_permission("posts:write")

    def test_the_life_of_an_application(self, sdk: WorkOSClient, workos_stand_in: WorkOSStandIn) -> None:
        organization = sdk.organizations.create_organization(name="Acme").id
        made = sdk.connect.create_m2m_application(name="etl", organization_id=organization, scopes=["posts:read"])
        first = sdk.connect.create_application_client_secret(made.id)
        for _ in range(4):
            sdk.connect.create_application_client_secret(made.client_id)
        with pytest.raises(UnprocessableEntityError):
            sdk.connect.create_application_client_secret(made.id)
        form = {"grant_type": "client_credentials", "client_id": made.client_id, "client_secret": first.secret}
        assert requests.post(f"{workos_stand_in.url}/oauth2/token", data=form, timeout=10).ok
        listed = sdk.connect.list_application_client_secrets(made.id)
        assert [item.last_used_at is not None for item in listed] == [False] * 4 + [True]
        assert first.secret.endswith(listed[-1].secret_hint)
        sdk.connect.delete_client_secret(first.id)
        assert len(sdk.connect.list_application_client_secrets(made.id)) == 4
        renamed = sdk.connect.update_application(made.id, name="warehouse")
        assert (renamed.name, renamed.scopes) == ("warehouse", ["posts:read"])
        assert [item.id for item in sdk.connect.list_applications(organization_id=organization).data] == [made.id]
        sdk.connect.delete_application(made.id)
        with pytest.raises(NotFoundError):
            sdk.connect.get_application(made.id)

    def test_pages_are_walked_to_the_end(self, sdk: WorkOSClient, workos_stand_in: WorkOSStandIn) -> None:
        made = [workos_stand_in.add_organization(f"org {number}") for number in range(25)]
        walked = [item.id for item in sdk.organizations.list_organizations(order="asc").auto_paging_iter()]
        assert walked == made
        assert sum(call.path == "/organizations" for call in workos_stand_in.calls) == 3

    def test_a_bad_key(self, workos_stand_in: WorkOSStandIn) -> None:
        with (
            self.client(workos_stand_in, "sk_wrong") as stranger,
            pytest.raises(AuthenticationError) as refused,
        ):
            stranger.organizations.list_organizations()
        assert refused.value.request_id

    def test_tokens_are_those_of_the_documentation(self, workos_stand_in: WorkOSStandIn) -> None:
        url = workos_stand_in.url
        metadata = requests.get(f"{url}/.well-known/oauth-authorization-server", timeout=10).json()
        organization = workos_stand_in.add_organization("Acme")
        workos = WorkOS(url, workos_stand_in.api_key)
        machine = workos.made(
            "/connect/applications", name="m", application_type="m2m", organization_id=organization, scopes=["a", "b"]
        )
        secret = workos.made(f"/connect/applications/{machine['id']}/client_secrets")["secret"]
        form = {"grant_type": "client_credentials", "client_id": machine["client_id"], "client_secret": secret}
        answer = requests.post(metadata["token_endpoint"], data=form | {"scope": "a"}, timeout=10).json()
        assert (answer["token_type"], answer["expires_in"]) == ("bearer", 3600)
        key = jwt.PyJWKClient(metadata["jwks_uri"]).get_signing_key_from_jwt(answer["access_token"])
        claims = jwt.decode(
            answer["access_token"], key, algorithms=["RS256"], audience=workos_stand_in.client_id, issuer=url
        )
        assert claims["sub"] == claims["client_id"] == machine["client_id"]
        assert (claims["org_id"], claims["scope"]) == (organization, "a")
        assert datetime.fromtimestamp(claims["exp"], UTC) - datetime.fromtimestamp(claims["iat"], UTC) == timedelta(
            hours=1
        )


class TestBesideTheEmulator:
    """One story told to the stand-in and to the vendor's emulator: the calls that both answer as described."""

    @pytest.fixture(params=["stand-in", pytest.param("emulator", marks=pytest.mark.real("workos"))])
    def either(self, request: pytest.FixtureRequest) -> Iterator[WorkOS]:
        if request.param == "stand-in":
            stand_in = request.getfixturevalue("workos_stand_in")
            yield WorkOS(stand_in.url, stand_in.api_key)
        else:
            running = request.getfixturevalue("workos_emulator")
            yield WorkOS(running.url, running.api_key)

    def test_organizations_and_their_pages(self, either: WorkOS) -> None:
        made = [either.made("/organizations", name=f"org {number}")["id"] for number in range(5)]
        assert all(ID.fullmatch(id_) for id_ in made)
        pages, after = [], None
        while True:
            query = {"limit": 2, "order": "asc"} | ({"after": after} if after else {})
            page = either("GET", "/organizations", **query).json()
            assert page["object"] == "list"
            pages.append([item["id"] for item in page["data"]])
            after = page["list_metadata"]["after"]
            if after is None:
                break
        assert {len(page) for page in pages[:-1]} == {2}
        assert [id_ for page in pages for id_ in page][-5:] == made, "others may have made some before"
        newest = either("GET", "/organizations", limit=1).json()
        assert [item["id"] for item in newest["data"]] == made[-1:]
        assert newest["list_metadata"] == {"before": None, "after": made[-1]}
        assert either("GET", f"/organizations/{made[0]}").json()["name"] == "org 0"
        assert either("POST", "/organizations", {"name": ""}).status_code == 422

    def test_users_and_memberships(self, either: WorkOS) -> None:
        organization = either.made("/organizations", name="Acme")["id"]
        user = either.made("/user_management/users", email="ann@example.com")
        membership = either.made(
            "/user_management/organization_memberships", user_id=user["id"], organization_id=organization
        )
        assert (membership["status"], membership["role"]["slug"]) == ("active", "member")
        (listed,) = either("GET", "/user_management/organization_memberships", organization_id=organization).json()[
            "data"
        ]
        assert listed["id"] == membership["id"]
        assert user["id"] in {item["id"] for item in either("GET", "/user_management/users").json()["data"]}

    def test_permissions(self, either: WorkOS) -> None:
        either.made("/authorization/permissions", slug="posts:read", name="Read posts")
        found = either("GET", "/authorization/permissions/posts:read").json()
        assert (found["object"], found["slug"], found["description"]) == ("permission", "posts:read", None)
        assert "posts:read" in {item["slug"] for item in either("GET", "/authorization/permissions").json()["data"]}
        assert either("DELETE", "/authorization/permissions/posts:read").status_code == 204
        assert either("GET", "/authorization/permissions/posts:read").status_code == 404

    def test_applications_and_their_secrets(self, either: WorkOS) -> None:
        organization = either.made("/organizations", name="Acme")["id"]
        machine = either.made("/connect/applications", name="etl", application_type="m2m", organization_id=organization)
        assert either("GET", f"/connect/applications/{machine['id']}").json()["client_id"] == machine["client_id"]
        assert machine["id"] in {item["id"] for item in either("GET", "/connect/applications").json()["data"]}
        secret = either.made(f"/connect/applications/{machine['id']}/client_secrets")
        assert either("DELETE", f"/connect/client_secrets/{secret['id']}").status_code == 204
        assert either("DELETE", f"/connect/client_secrets/{secret['id']}").status_code == 404

    def test_refusals(self, either: WorkOS) -> None:
        for url in (
            "/organizations/org_none",
            "/connect/applications/none",
            "/authorization/permissions/none",
            "/none",
        ):
            answer = either("GET", url)
            assert answer.status_code == 404
            assert isinstance(answer.json()["message"], str)
        assert either("DELETE", "/api_keys/none").status_code == 404
        bad = WorkOS(either.url, "sk_wrong")("GET", "/organizations")
        assert (bad.status_code, bad.json()["message"]) == (401, "Unauthorized")
        assert bad.headers["X-Request-ID"]
        broken = requests.post(
            f"{either.url}/connect/applications",
            data="{",
            headers={"Authorization": f"Bearer {either.key}"},
            timeout=10,
        )
        assert (broken.status_code, broken.json()["code"]) == (400, "invalid_request_body")


@pytest.mark.real("workos")
def test_where_the_emulator_is_not_as_described(request: pytest.FixtureRequest) -> None:
    running = request.getfixturevalue("workos_emulator")
    emulator = WorkOS(running.url, running.api_key)
    organization = emulator.made("/organizations", name="Acme")["id"]
    machine = emulator.made(
        "/connect/applications", name="m", application_type="m2m", organization_id=organization, scopes=["a"]
    )
    assert not {"application_type", "organization_id", "scopes"} & machine.keys()
    secrets = f"/connect/applications/{machine['id']}/client_secrets"
    made = [emulator.made(secrets) for _ in range(6)]
    assert {"value", "last_four"} <= made[0].keys()
    permission = emulator.made("/authorization/permissions", slug="Not A Slug", name="n")
    assert not {"system", "resource_type_slug"} & permission.keys()
    membership = emulator.made(
        "/user_management/organization_memberships",
        user_id=emulator.made("/user_management/users", email="member@example.com")["id"],
        organization_id=organization,
    )
    assert "user" not in membership
    for method, path, document, status in (
        ("POST", f"/organizations/{organization}/api_keys", {"name": "k"}, 404),
        ("POST", "/api_keys/none/expire", {}, 404),
        ("GET", "/organizations/org_none/api_keys", None, 200),
        ("GET", "/user_management/users/none/api_keys", None, 404),
        ("PATCH", "/authorization/permissions/Not%20A%20Slug", {"name": "n"}, 404),
        ("POST", "/authorization/permissions", {"slug": "Not A Slug", "name": "n"}, 422),
        ("PUT", f"/connect/applications/{machine['id']}", {"name": "n"}, 404),
        ("DELETE", f"/connect/applications/{machine['id']}", None, 404),
        ("GET", secrets, None, 404),
        ("POST", "/oauth2/token", None, 404),
        ("GET", "/oauth2/jwks", None, 404),
        ("GET", "/organizations?limit=1000", None, 200),
        ("GET", "/user_management/organization_memberships", None, 200),
    ):
        assert emulator(method, path, document).status_code == status, (method, path)
    assert emulator("POST", "/api_keys/validations", {"key": running.api_key}).json() == {"valid": True}
