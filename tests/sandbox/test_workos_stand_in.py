"""The WorkOS stand-in over time and on bad days; `test_workos_conformance.py` holds it against the vendor's papers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from keysteward.sandbox import DEMO_ORGANIZATION, Fault, Sandbox

if TYPE_CHECKING:
    from keysteward.sandbox import WorkOSStandIn


@pytest.fixture
def organization(workos_stand_in: WorkOSStandIn) -> str:
    return workos_stand_in.add_organization("Acme")


def call(stand_in: WorkOSStandIn, method: str, path: str, document: object = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {stand_in.api_key}"}
    return requests.request(method, f"{stand_in.url}{path}", json=document, headers=headers, timeout=10)


def listed(stand_in: WorkOSStandIn, path: str) -> list[dict[str, Any]]:
    answer = call(stand_in, "GET", path)
    assert answer.ok, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def valid(stand_in: WorkOSStandIn, value: str) -> bool:
    return call(stand_in, "POST", "/api_keys/validations", {"value": value}).json()["api_key"] is not None


def token(stand_in: WorkOSStandIn, **form: str) -> requests.Response:
    return requests.post(f"{stand_in.url}/oauth2/token", data=form, timeout=10)


class TestApiKeys:
    def test_expiry_comes_with_time_and_can_be_moved(self, workos_stand_in: WorkOSStandIn, organization: str) -> None:
        clock = workos_stand_in.clock
        id_, value = workos_stand_in.add_api_key(
            "etl", organization=organization, expires_at=clock.now() + timedelta(days=1)
        )
        assert valid(workos_stand_in, value)
        later = (clock.now() + timedelta(days=3)).isoformat()
        assert call(workos_stand_in, "POST", f"/api_keys/{id_}/expire", {"expires_at": later}).ok
        clock.advance(timedelta(days=2))
        assert valid(workos_stand_in, value)
        clock.advance(timedelta(days=2))
        assert not valid(workos_stand_in, value)
        (key,) = listed(workos_stand_in, f"/organizations/{organization}/api_keys")
        assert key["id"] == id_
        refused = call(workos_stand_in, "POST", f"/api_keys/{id_}/expire", {"expires_at": None})
        assert (refused.status_code, refused.json()["code"]) == (409, "api_key_already_expired")

    def test_a_time_in_the_past_ends_it_now_and_null_ends_a_schedule(
        self, workos_stand_in: WorkOSStandIn, organization: str
    ) -> None:
        soon = workos_stand_in.clock.now() + timedelta(days=1)
        kept, _ = workos_stand_in.add_api_key("kept", organization=organization, expires_at=soon)
        ended, value = workos_stand_in.add_api_key("ended", organization=organization)
        assert (
            call(workos_stand_in, "POST", f"/api_keys/{kept}/expire", {"expires_at": None}).json()["expires_at"] is None
        )
        call(workos_stand_in, "POST", f"/api_keys/{ended}/expire", {"expires_at": "2001-01-01T00:00:00Z"})
        assert not valid(workos_stand_in, value)
        wrong = call(workos_stand_in, "POST", f"/api_keys/{kept}/expire", {"expires_at": "soon"})
        assert wrong.json()["errors"] == [{"code": "invalid", "field": "expires_at"}]

    def test_validation_counts_as_use(self, workos_stand_in: WorkOSStandIn, organization: str) -> None:
        _, value = workos_stand_in.add_api_key("used", organization=organization)
        workos_stand_in.add_api_key("silent", organization=organization)
        workos_stand_in.clock.advance(timedelta(hours=5))
        assert valid(workos_stand_in, value)
        silent, used = listed(workos_stand_in, f"/organizations/{organization}/api_keys")
        assert (silent["name"], silent["last_used_at"]) == ("silent", None)
        assert used["last_used_at"] > used["created_at"]

    def test_a_value_is_shown_once_and_ends_with_its_key(
        self, workos_stand_in: WorkOSStandIn, organization: str
    ) -> None:
        keys = f"/organizations/{organization}/api_keys"
        made = call(workos_stand_in, "POST", keys, {"name": "etl"}).json()
        assert made["value"] not in call(workos_stand_in, "GET", keys).text
        assert made["obfuscated_value"] == f"sk_...{made['value'][-4:]}"
        assert call(workos_stand_in, "DELETE", f"/api_keys/{made['id']}").status_code == 204
        assert not valid(workos_stand_in, made["value"])
        assert listed(workos_stand_in, keys) == []

    def test_keys_of_users_are_listed_with_the_user_only(
        self, workos_stand_in: WorkOSStandIn, organization: str
    ) -> None:
        other = workos_stand_in.add_organization("Other")
        user = workos_stand_in.add_user("ann@example.com", organizations=[organization, other])
        workos_stand_in.add_api_key("here", organization=organization, user=user)
        workos_stand_in.add_api_key("there", organization=other, user=user)
        assert listed(workos_stand_in, f"/organizations/{organization}/api_keys") == []
        own = f"/user_management/users/{user}/api_keys"
        assert [key["name"] for key in listed(workos_stand_in, own)] == ["there", "here"]
        assert [key["name"] for key in listed(workos_stand_in, f"{own}?organization_id={other}")] == ["there"]
        assert listed(workos_stand_in, f"/user_management/users?organization_id={other}")[0]["id"] == user
        assert listed(workos_stand_in, "/user_management/users?email=nobody@example.com") == []

    def test_a_permission_that_ends_leaves_its_keys(self, workos_stand_in: WorkOSStandIn, organization: str) -> None:
        for slug in ("posts:read", "posts:write"):
            workos_stand_in.add_permission(slug)
        workos_stand_in.add_api_key("etl", organization=organization, permissions=["posts:read", "posts:write"])
        call(workos_stand_in, "DELETE", "/authorization/permissions/posts:write")
        (key,) = listed(workos_stand_in, f"/organizations/{organization}/api_keys")
        assert key["permissions"] == ["posts:read"]


class TestPages:
    def ids(self, stand_in: WorkOSStandIn, query: str) -> tuple[list[str], str | None, str | None]:
        document = call(stand_in, "GET", f"/organizations?{query}").json()
        cursors = document["list_metadata"]
        return [item["id"] for item in document["data"]], cursors["before"], cursors["after"]

    def test_both_ways_in_every_order(self, workos_stand_in: WorkOSStandIn) -> None:
        a, b, c, d, e = (workos_stand_in.add_organization(name) for name in "abcde")
        assert self.ids(workos_stand_in, "limit=2") == ([e, d], None, d)
        assert self.ids(workos_stand_in, f"limit=2&after={d}") == ([c, b], c, b)
        assert self.ids(workos_stand_in, f"limit=2&after={b}") == ([a], a, None)
        assert self.ids(workos_stand_in, f"limit=2&before={c}") == ([e, d], None, d)
        assert self.ids(workos_stand_in, f"limit=2&before={a}") == ([c, b], c, b)
        assert self.ids(workos_stand_in, "limit=2&order=asc") == ([a, b], None, b)
        assert self.ids(workos_stand_in, f"limit=3&order=asc&after={b}") == ([c, d, e], c, None)
        assert self.ids(workos_stand_in, "limit=2&order=normal") == ([e, d], d, None)
        assert self.ids(workos_stand_in, f"limit=2&order=normal&before={d}") == ([c, b], b, c)
        assert self.ids(workos_stand_in, f"after={a}") == ([], None, None)

    def test_ten_by_default_a_hundred_at_most(self, workos_stand_in: WorkOSStandIn, organization: str) -> None:
        for number in range(101):
            workos_stand_in.add_api_key(f"key {number}", organization=organization)
        keys = f"/organizations/{organization}/api_keys"
        assert len(listed(workos_stand_in, keys)) == 10
        assert len(listed(workos_stand_in, f"{keys}?limit=100")) == 100
        for limit in ("0", "101", "-1", "ten"):
            refused = call(workos_stand_in, "GET", f"{keys}?limit={limit}")
            assert refused.status_code == 422
            assert refused.json()["errors"] == [{"code": "invalid", "field": "limit"}]

    def test_an_object_that_ends_between_two_pages_costs_nothing(
        self, workos_stand_in: WorkOSStandIn, organization: str
    ) -> None:
        for name in ("one", "two", "three"):
            workos_stand_in.add_api_key(name, organization=organization)
        keys = f"/organizations/{organization}/api_keys"
        (third,) = listed(workos_stand_in, f"{keys}?limit=1")
        call(workos_stand_in, "DELETE", f"/api_keys/{third['id']}")
        assert [key["name"] for key in listed(workos_stand_in, f"{keys}?after={third['id']}")] == ["two", "one"]

    def test_filters(self, workos_stand_in: WorkOSStandIn) -> None:
        document = {"name": "Acme Inc", "domain_data": [{"domain": "acme.test", "state": "verified"}]}
        acme = call(workos_stand_in, "POST", "/organizations", document).json()["id"]
        other = workos_stand_in.add_organization("Other")
        assert self.ids(workos_stand_in, "search=acme")[0] == [acme]
        assert self.ids(workos_stand_in, "domains=acme.test")[0] == [acme]
        web = workos_stand_in.add_application("web", organization=other)
        agent = workos_stand_in.add_application("agent", dynamic=True)
        assert [item["id"] for item in listed(workos_stand_in, "/connect/applications")] == [web]
        dynamic = listed(workos_stand_in, "/connect/applications?registration_types=dynamic")
        assert [item["id"] for item in dynamic] == [agent]
        assert listed(workos_stand_in, f"/connect/applications?organization_id={acme}") == []


class TestApplications:
    @pytest.fixture
    def machine(self, workos_stand_in: WorkOSStandIn, organization: str) -> dict[str, Any]:
        id_ = workos_stand_in.add_application("etl", kind="m2m", organization=organization, scopes=["a", "b"])
        found: dict[str, Any] = call(workos_stand_in, "GET", f"/connect/applications/{id_}").json()
        return found

    def secret(self, stand_in: WorkOSStandIn, application: str) -> dict[str, Any]:
        answer = call(stand_in, "POST", f"/connect/applications/{application}/client_secrets", {})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def test_each_secret_works_until_it_is_deleted_and_keeps_its_own_last_use(
        self, workos_stand_in: WorkOSStandIn, machine: dict[str, Any]
    ) -> None:
        old, new = (self.secret(workos_stand_in, machine["id"]) for _ in range(2))

        def accepted(secret: str) -> int:
            form = {"client_id": machine["client_id"], "client_secret": secret}
            return token(workos_stand_in, grant_type="client_credentials", **form).status_code

        workos_stand_in.clock.advance(timedelta(hours=1))
        assert [accepted(old["secret"]), accepted("wrong"), accepted("")] == [200, 401, 401]
        secrets = call(workos_stand_in, "GET", f"/connect/applications/{machine['client_id']}/client_secrets").json()
        assert [item["id"] for item in secrets] == [new["id"], old["id"]]
        assert secrets[0]["last_used_at"] is None
        assert secrets[1]["last_used_at"] > old["created_at"]
        assert old["secret"] not in str(secrets)
        call(workos_stand_in, "DELETE", f"/connect/client_secrets/{old['id']}")
        assert [accepted(old["secret"]), accepted(new["secret"])] == [401, 200]
        call(workos_stand_in, "DELETE", f"/connect/applications/{machine['id']}")
        assert accepted(new["secret"]) == 401
        assert call(workos_stand_in, "DELETE", f"/connect/client_secrets/{new['id']}").status_code == 404

    def test_five_secrets_at_most(self, workos_stand_in: WorkOSStandIn, machine: dict[str, Any]) -> None:
        first, *_ = [self.secret(workos_stand_in, machine["id"]) for _ in range(5)]
        path = f"/connect/applications/{machine['id']}/client_secrets"
        refused = call(workos_stand_in, "POST", path, {})
        assert (refused.status_code, len(call(workos_stand_in, "GET", path).json())) == (422, 5)
        call(workos_stand_in, "DELETE", f"/connect/client_secrets/{first['id']}")
        self.secret(workos_stand_in, machine["id"])

    def test_refusals_of_the_token_endpoint(self, workos_stand_in: WorkOSStandIn, machine: dict[str, Any]) -> None:
        web = workos_stand_in.add_application("web")
        client_id = call(workos_stand_in, "GET", f"/connect/applications/{web}").json()["client_id"]
        foreign = {"client_id": client_id, "client_secret": self.secret(workos_stand_in, web)["secret"]}
        own = {
            "client_id": machine["client_id"],
            "client_secret": self.secret(workos_stand_in, machine["id"])["secret"],
        }
        grant = {"grant_type": "client_credentials"}
        for form, status, error in (
            (own, 400, "invalid_request"),
            (own | {"grant_type": "password"}, 400, "unsupported_grant_type"),
            (grant, 401, "invalid_client"),
            (own | grant | {"client_secret": "wrong"}, 401, "invalid_client"),
            (foreign | grant, 400, "unauthorized_client"),
            (own | grant | {"scope": "a c"}, 400, "invalid_scope"),
        ):
            refused = token(workos_stand_in, **form)
            assert (refused.status_code, refused.json()["error"]) == (status, error)

    def test_what_an_update_leaves_out_stays(self, workos_stand_in: WorkOSStandIn, machine: dict[str, Any]) -> None:
        path = f"/connect/applications/{machine['id']}"
        workos_stand_in.clock.advance(timedelta(hours=1))
        changed = call(workos_stand_in, "PUT", path, {"description": "ours", "organization_id": "org_other"}).json()
        assert changed.pop("updated_at") > machine["updated_at"]
        before = {name: value for name, value in machine.items() if name != "updated_at"}
        assert changed == before | {"description": "ours"}
        cleared = call(workos_stand_in, "PUT", path, {"description": None, "scopes": None}).json()
        assert (cleared["description"], cleared["scopes"]) == (None, [])
        uris = {"redirect_uris": [{"uri": "https://example.com"}]}
        assert call(workos_stand_in, "PUT", path, uris).status_code == 422
        web = workos_stand_in.add_application("web")
        changed = call(workos_stand_in, "PUT", f"/connect/applications/{web}", uris).json()
        assert changed["redirect_uris"] == [{"uri": "https://example.com", "default": False}]


class TestFaults:
    def test_a_throttled_call_does_no_work(self, workos_stand_in: WorkOSStandIn, organization: str) -> None:
        keys = f"/organizations/{organization}/api_keys"
        throttled = Fault(kind="status", method="POST", status=429, headers={"Retry-After": "7"})
        workos_stand_in.faults.add(throttled)
        workos_stand_in.faults.add(Fault(kind="status", method="POST", status=500))
        answers = [call(workos_stand_in, "POST", keys, {"name": "etl"}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [429, 500, 201]
        assert answers[0].headers["Retry-After"] == "7"
        assert isinstance(answers[1].json()["message"], str)
        assert len({answer.headers["X-Request-ID"] for answer in answers}) == 3
        assert len(listed(workos_stand_in, keys)) == 1

    def test_a_lost_reply_leaves_what_it_made(self, workos_stand_in: WorkOSStandIn, organization: str) -> None:
        keys = f"/organizations/{organization}/api_keys"
        workos_stand_in.faults.add(Fault(kind="lost_reply", method="POST", path="/api_keys$"))
        workos_stand_in.faults.add(Fault(kind="lost_request", method="DELETE"))
        with pytest.raises(requests.ConnectionError):
            call(workos_stand_in, "POST", keys, {"name": "etl"})
        (made,) = listed(workos_stand_in, keys)
        with pytest.raises(requests.ConnectionError):
            call(workos_stand_in, "DELETE", f"/api_keys/{made['id']}")
        assert [key["id"] for key in listed(workos_stand_in, keys)] == [made["id"]]

    def test_lists_lag(self, workos_stand_in: WorkOSStandIn, organization: str) -> None:
        keys = f"/organizations/{organization}/api_keys"
        old, _ = workos_stand_in.add_api_key("old", organization=organization)
        application = workos_stand_in.add_application("web")
        secrets = f"/connect/applications/{application}/client_secrets"
        workos_stand_in.clock.advance(timedelta(minutes=1))
        workos_stand_in.add_api_key("new", organization=organization)
        call(workos_stand_in, "DELETE", f"/api_keys/{old}")
        call(workos_stand_in, "POST", secrets, {})
        workos_stand_in.faults.add(
            Fault(kind="stale_list", method="GET", path="(api_keys|client_secrets)$", seconds=30, times=4)
        )
        assert [key["name"] for key in listed(workos_stand_in, keys)] == ["old"]
        assert call(workos_stand_in, "GET", secrets).json() == []
        workos_stand_in.clock.advance(timedelta(minutes=1))
        assert [key["name"] for key in listed(workos_stand_in, keys)] == ["new"]
        assert len(call(workos_stand_in, "GET", secrets).json()) == 1

    def test_a_caller_without_the_key(self, workos_stand_in: WorkOSStandIn) -> None:
        for headers in ({}, {"Authorization": "Bearer sk_other"}, {"Authorization": "Basic sk_sandbox"}):
            refused = requests.get(f"{workos_stand_in.url}/organizations", headers=headers, timeout=10)
            assert (refused.status_code, refused.json()) == (401, {"message": "Unauthorized"})


class TestBadBodies:
    @pytest.mark.parametrize(
        ("document", "field", "code"),
        [
            ({"slug": 1, "name": "n"}, "slug", "invalid"),
            ({"slug": "s"}, "name", "required"),
            ({"slug": "s", "name": "n" * 49}, "name", "too_long"),
            ({"slug": "s", "name": "n", "description": "d" * 151}, "description", "too_long"),
            ({"slug": "s", "name": "n", "description": 1}, "description", "invalid"),
        ],
    )
    def test_the_field_is_named(
        self, workos_stand_in: WorkOSStandIn, document: dict[str, Any], field: str, code: str
    ) -> None:
        refused = call(workos_stand_in, "POST", "/authorization/permissions", document)
        assert (refused.status_code, refused.json()["errors"]) == (422, [{"code": code, "field": field}])


class TestSeeds:
    def test_a_sandbox_has_an_organization_that_a_stack_can_name(self) -> None:
        with Sandbox() as sandbox:
            found = call(sandbox.workos, "GET", f"/organizations/{DEMO_ORGANIZATION}").json()
            assert (found["name"], found["external_id"]) == ("Demo", "demo")

    def test_state_shows_live_secrets(self, workos_stand_in: WorkOSStandIn, organization: str) -> None:
        _, value = workos_stand_in.add_api_key("etl", organization=organization)
        machine = workos_stand_in.add_application("etl", kind="m2m", organization=organization)
        secret = call(workos_stand_in, "POST", f"/connect/applications/{machine}/client_secrets", {}).json()["secret"]
        workos_stand_in.add_user("ann@example.com", organizations=[organization])
        state = requests.get(f"{workos_stand_in.url}/_sandbox/state", timeout=10).json()
        assert state["api_keys"][0]["value"] == value
        assert (state["client_secrets"][0]["secret"], state["client_secrets"][0]["application_id"]) == (secret, machine)
        assert len(state["memberships"]) == len(state["users"]) == 1

    def test_owners_must_exist(self, workos_stand_in: WorkOSStandIn) -> None:
        with pytest.raises(ValueError, match="no organization org_none: add it first"):
            workos_stand_in.add_api_key("etl", organization="org_none")
        with pytest.raises(ValueError, match="belongs to an organization"):
            workos_stand_in.add_application("etl", kind="m2m")
