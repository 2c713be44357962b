"""One story about Keycloak, told to the stand-in and to the real server: where they disagree, the stand-in is wrong."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from keysteward.sandbox import KeycloakStandIn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JsonDict = dict[str, Any]
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
UNAUTHORIZED = {"error": "unauthorized_client", "error_description": "Invalid client or Invalid client credentials"}
NOT_A_CLIENT = {"error": "invalid_client", "error_description": "Invalid client or Invalid client credentials"}
FORBIDDEN = {"error": "HTTP 403 Forbidden"}
UNKNOWN = {"error": "unknown_error", "error_description": "For more on this error consult the server log."}
BUILT_IN = {"web-origins", "acr", "roles", "profile", "basic", "email"}
ROTATED = "client.secret.rotated"


@dataclass
class Admin:
    """A caller of the Admin API of one realm."""

    url: str
    realm: str
    client_id: str = "sandbox-admin"
    secret: str = "sandbox-admin-secret"
    home: str = "master"
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        login = self.token_call(self.home, client_id=self.client_id, client_secret=self.secret)
        assert login.status_code == 200, login.text
        self.session.headers["Authorization"] = f"Bearer {login.json()['access_token']}"

    def __call__(self, method: str, path: str, document: object = None) -> requests.Response:
        address = f"{self.url}/admin/realms/{self.realm}{path}"
        return self.session.request(method, address, json=document, timeout=60)

    def token_call(self, realm: str | None = None, **form: str) -> requests.Response:
        address = f"{self.url}/realms/{realm or self.realm}/protocol/openid-connect/token"
        return requests.post(address, data={"grant_type": "client_credentials"} | form, timeout=60)

    def token(self, client_id: str, secret: str, **form: str) -> requests.Response:
        return self.token_call(client_id=client_id, client_secret=secret, **form)

    def accepts(self, client_id: str, secret: str) -> bool:
        answer = self.token(client_id, secret)
        assert answer.status_code == 200 or (answer.status_code, answer.json()) == (401, UNAUTHORIZED), answer.text
        return answer.status_code == 200

    def create(self, **fields: object) -> str:
        """Create a machine client and return its id."""
        machine = {"serviceAccountsEnabled": True, "standardFlowEnabled": False, "clientId": new_name("client")}
        answer = self("POST", "/clients", machine | fields)
        assert answer.status_code == 201, answer.text
        assert not answer.content
        return answer.headers["Location"].rpartition("/")[2]

    def client(self, client_uuid: str) -> JsonDict:
        shown: JsonDict = self("GET", f"/clients/{client_uuid}").json()
        return shown

    def scope(self, name: str, **fields: object) -> str:
        answer = self("POST", "/client-scopes", {"name": name, "protocol": "openid-connect"} | fields)
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"].rpartition("/")[2]

    def administrator(self, *roles: str, **fields: object) -> Admin:
        """Make a client of this realm whose service account has these roles of realm-management, and log it in."""
        name = new_name("admin")
        client_uuid = self.create(clientId=name, secret="admin-secret", **fields)
        self.give(client_uuid, *roles)
        return Admin(self.url, self.realm, name, "admin-secret", home=self.realm)

    def give(self, client_uuid: str, *roles: str, method: str = "POST") -> None:
        management = self("GET", "/clients?clientId=realm-management").json()[0]["id"]
        user = self("GET", f"/clients/{client_uuid}/service-account-user").json()["id"]
        chosen = [self("GET", f"/clients/{management}/roles/{role}").json() for role in roles]
        answer = self(method, f"/users/{user}/role-mappings/clients/{management}", chosen)
        assert answer.status_code == 204, answer.text


def new_name(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex[:8]}"


def claims_of(answer: requests.Response) -> JsonDict:
    assert answer.status_code == 200, answer.text
    claims: JsonDict = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    return claims


def audience_mapper(audience: str) -> JsonDict:
    config = {"included.custom.audience": audience, "access.token.claim": "true", "id.token.claim": "false"}
    return {"name": "aud", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper", "config": config}


STOCK = ["stand-in", pytest.param("real stock", marks=pytest.mark.real("keycloak"))]
ROTATION = [
    "stand-in with rotation",
    pytest.param("real with rotation", marks=pytest.mark.real("keycloak-rotation")),
    pytest.param("older with rotation", marks=[pytest.mark.real("keycloak-older"), pytest.mark.proof]),
]
REAL = {
    "real stock": "real_keycloak",
    "real with rotation": "real_keycloak_rotation",
    "older with rotation": "real_keycloak_older",
}
"""The fixtures of the real servers."""

OLDER_DIFFERS = {
    "test_create_answers_with_an_address_and_fills_in_what_was_left_out": "a secret it makes has 32 characters",
    "test_a_public_client_has_no_secret_and_gets_a_new_one_on_return": "a secret it makes has 32 characters",
    "test_nobody_changes_realm_management": "it says of realm-management that it may be changed",
    "test_attributes_cannot_be_searched_unless_the_server_allows_them": "they can be",
    "test_a_manager_of_clients": "what such a one sees of the realm has no word about organizations",
    "test_rights_are_looked_up_live": "a token keeps the rights it was made with",
    "test_features_are_shown": "federated client authentication is a preview",
}
"""What the older server does otherwise than the present one, which the stand-in follows."""


@pytest.fixture(scope="module", params=[*STOCK, *ROTATION])
def admin(request: pytest.FixtureRequest, fresh_realm: Callable[..., str]) -> Iterator[Admin]:
    if request.param in REAL:
        server = request.getfixturevalue(REAL[request.param])
        yield Admin(server.url, fresh_realm(server.url))
        return
    with KeycloakStandIn(secret_rotation="rotation" in request.param) as stand_in:
        yield Admin(stand_in.url, "demo")


@pytest.fixture(autouse=True)
def _expected_of_the_older(request: pytest.FixtureRequest) -> None:
    differs = OLDER_DIFFERS.get(request.node.originalname)
    if differs is not None and request.node.callspec.params["admin"] == "older with rotation":
        request.applymarker(pytest.mark.xfail(reason=differs, strict=True))


@pytest.fixture
def rotates(request: pytest.FixtureRequest) -> bool:
    return "rotation" in request.node.callspec.params["admin"]


class TestClients:
    def test_create_answers_with_an_address_and_fills_in_what_was_left_out(self, admin: Admin) -> None:
        name = new_name("client")
        client = admin.client(admin.create(clientId=name))
        assert len(client["secret"]) == 86
        assert client["attributes"]["client.secret.creation.time"].isdigit()
        assert client["attributes"]["realm_client"] == "false"
        assert client["fullScopeAllowed"] is True
        assert client["clientAuthenticatorType"] == "client-secret"
        assert client["access"] == {"view": True, "configure": True, "manage": True}
        assert set(client["defaultClientScopes"]) == BUILT_IN | {"service_account"}
        assert set(client["optionalClientScopes"]) == {
            *("address", "phone", "offline_access", "organization", "microprofile-jwt")
        }

    def test_a_chosen_secret_has_no_creation_time(self, admin: Admin) -> None:
        client = admin.client(admin.create(secret="chosen"))
        assert client["secret"] == "chosen"
        assert "client.secret.creation.time" not in client["attributes"]

    def test_default_scopes_named_are_taken_exactly_plus_service_account(self, admin: Admin) -> None:
        named = admin.client(admin.create(defaultClientScopes=["email", "unknown"], optionalClientScopes=[]))
        assert set(named["defaultClientScopes"]) == {"email", "service_account"}
        assert named["optionalClientScopes"] == []
        web = admin.client(admin.create(serviceAccountsEnabled=False, defaultClientScopes=[]))
        assert web["defaultClientScopes"] == []

    def test_a_taken_client_id_is_a_conflict(self, admin: Admin) -> None:
        name = new_name("client")
        first = admin.create(clientId=name)
        again = admin("POST", "/clients", {"clientId": name})
        assert (again.status_code, again.json()) == (409, {"errorMessage": f"Client {name} already exists"})
        other = admin.create()
        renamed = admin("PUT", f"/clients/{other}", {"clientId": name})
        assert renamed.status_code == 409
        assert renamed.json() == {"error": "conflict", "error_description": "Duplicate resource error"}
        assert admin("GET", f"/clients?clientId={name}").json()[0]["id"] == first

    def test_an_id_may_be_chosen(self, admin: Admin) -> None:
        chosen = str(uuid.uuid4())
        assert admin.create(id=chosen) == chosen
        again = admin("POST", "/clients", {"id": chosen, "clientId": new_name("client")})
        assert again.status_code == 409

    def test_bad_bodies(self, admin: Admin) -> None:
        blank = admin("POST", "/clients", {"clientId": ""})
        assert blank.status_code == 400
        assert blank.json() == {"error": "invalid_input", "error_description": "Client ID cannot be blank"}
        unknown = admin("POST", "/clients", {"clientId": "x", "bogus": 1})
        assert unknown.status_code == 400
        assert unknown.json()["error"].startswith(
            'Invalid json representation for ClientRepresentation. Unrecognized field "bogus" at line 1 column '
        )
        array = admin("POST", "/clients", [1])
        assert array.json() == {"error": "unknown_error", "error_description": "Cannot parse the JSON"}

    def test_put_leaves_what_it_does_not_name(self, admin: Admin) -> None:
        id_ = admin.create(secret="s", description="d", name="n", attributes={"a": "1", "b": "2"})
        before = admin.client(id_)
        assert admin("PUT", f"/clients/{id_}", {}).status_code == 204
        assert comparable(admin.client(id_)) == comparable(before)

    def test_put_merges_attributes_and_removes_the_empty_ones(self, admin: Admin) -> None:
        id_ = admin.create(secret="s", attributes={"a": "1", "b": "2", "c": "3"})
        admin("PUT", f"/clients/{id_}", {"attributes": {"a": "9", "b": "", "c": None, "d": 1}})
        assert admin.client(id_)["attributes"] == {"realm_client": "false", "a": "9", "d": "1"}

    def test_put_does_not_look_at_scopes(self, admin: Admin) -> None:
        id_ = admin.create()
        before = comparable(admin.client(id_))
        admin("PUT", f"/clients/{id_}", {"defaultClientScopes": ["email"], "optionalClientScopes": ["profile"]})
        assert comparable(admin.client(id_)) == before

    def test_put_writes_a_secret_and_a_new_client_id(self, admin: Admin) -> None:
        id_, name = admin.create(secret="one"), new_name("renamed")
        admin("PUT", f"/clients/{id_}", {"secret": "two", "clientId": name, "id": str(uuid.uuid4())})
        client = admin.client(id_)
        assert (client["secret"], client["clientId"], client["id"]) == ("two", name, id_)
        user = admin("GET", f"/clients/{id_}/service-account-user").json()
        assert user["username"] == f"service-account-{name}"

    def test_put_of_mappers_replaces_them(self, admin: Admin) -> None:
        id_ = admin.create(protocolMappers=[audience_mapper("a")])
        admin("PUT", f"/clients/{id_}", {"protocolMappers": [audience_mapper("b")]})
        (mapper,) = admin.client(id_)["protocolMappers"]
        assert mapper["config"]["included.custom.audience"] == "b"
        admin("PUT", f"/clients/{id_}", {"protocolMappers": []})
        assert "protocolMappers" not in admin.client(id_)

    def test_what_is_too_long_is_a_server_error_and_changes_nothing(self, admin: Admin) -> None:
        id_ = admin.create()
        for document in ({"description": "x" * 256}, {"attributes": {"x" * 256: "y"}}):
            answer = admin("PUT", f"/clients/{id_}", document)
            assert (answer.status_code, answer.json()) == (500, UNKNOWN)
        assert "description" not in admin.client(id_)
        assert admin("PUT", f"/clients/{id_}", {"attributes": {"x" * 255: "y" * 6000}}).status_code == 204

    def test_delete_then_not_found(self, admin: Admin) -> None:
        id_ = admin.create()
        assert admin("DELETE", f"/clients/{id_}").status_code == 204
        for method, path in [("DELETE", ""), ("GET", ""), ("PUT", ""), ("GET", "/client-secret")]:
            answer = admin(method, f"/clients/{id_}{path}", {} if method == "PUT" else None)
            assert (answer.status_code, answer.json()) == (404, {"error": "Could not find client"})

    def test_a_public_client_has_no_secret_and_gets_a_new_one_on_return(self, admin: Admin) -> None:
        id_ = admin.create(secret="old")
        admin("PUT", f"/clients/{id_}", {"publicClient": True})
        assert "secret" not in admin.client(id_)
        admin("PUT", f"/clients/{id_}", {"publicClient": False})
        assert len(admin.client(id_)["secret"]) == 86

    def test_service_account_comes_and_goes_with_its_scope(self, admin: Admin) -> None:
        id_ = admin.create(secret="s", clientId=(name := new_name("client")))
        first = admin("GET", f"/clients/{id_}/service-account-user").json()["id"]
        admin("PUT", f"/clients/{id_}", {"serviceAccountsEnabled": False})
        gone = admin("GET", f"/clients/{id_}/service-account-user")
        assert gone.status_code == 400
        assert gone.json() == {"error": f"Service account not enabled for the client '{name}'"}
        assert "service_account" not in admin.client(id_)["defaultClientScopes"]
        admin("PUT", f"/clients/{id_}", {"serviceAccountsEnabled": True})
        assert "service_account" in admin.client(id_)["defaultClientScopes"]
        assert admin("GET", f"/clients/{id_}/service-account-user").json()["id"] != first

    def test_nobody_changes_realm_management(self, admin: Admin) -> None:
        management = admin("GET", "/clients?clientId=realm-management").json()[0]
        assert management["access"] == {"view": True, "configure": False, "manage": False}
        for method in ("PUT", "DELETE"):
            answer = admin(method, f"/clients/{management['id']}", {} if method == "PUT" else None)
            assert (answer.status_code, answer.json()) == (403, FORBIDDEN)


def comparable(client: JsonDict) -> JsonDict:
    """Order of scopes means nothing."""
    return client | {name: sorted(client[name]) for name in ("defaultClientScopes", "optionalClientScopes")}


class TestLists:
    def test_all_at_once_in_order_or_in_pages(self, admin: Admin) -> None:
        everything = [client["clientId"] for client in admin("GET", "/clients").json()]
        built_in = ["account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console"]
        assert [name for name in everything if name in built_in] == built_in
        assert everything == sorted(everything)
        paged = [client["clientId"] for client in admin("GET", "/clients?first=2&max=3").json()]
        assert paged == everything[2:5]
        assert admin("GET", "/clients?max=0").json() == []
        assert len(admin("GET", "/clients?max=-1&viewableOnly=true").json()) == len(everything)

    def test_by_client_id_exact_or_part(self, admin: Admin) -> None:
        name = new_name("Exact")
        admin.create(clientId=name)
        assert [client["clientId"] for client in admin("GET", f"/clients?clientId={name}").json()] == [name]
        assert admin("GET", f"/clients?clientId={name[:-2]}").json() == []
        part = admin("GET", f"/clients?clientId={name[:-2].upper()}&search=true").json()
        assert [client["clientId"] for client in part] == [name]

    def test_attributes_cannot_be_searched_unless_the_server_allows_them(self, admin: Admin) -> None:
        answer = admin("GET", "/clients?q=keysteward.managed:true")
        assert answer.status_code == 400
        text = "Attributes [keysteward.managed] not allowed for search"
        assert answer.json() == {"error": "invalid_request", "error_description": text}


class TestScopes:
    def test_life_of_a_scope(self, admin: Admin) -> None:
        name = new_name("scope")
        id_ = admin.scope(
            name, description="d", attributes={"a": "1", "b": "2"}, protocolMappers=[audience_mapper("x")]
        )
        taken = admin("POST", "/client-scopes", {"name": name, "protocol": "openid-connect"})
        assert (taken.status_code, taken.json()) == (409, {"errorMessage": f"Client Scope {name} already exists"})
        change = {"name": name, "protocol": "openid-connect", "attributes": {"a": "9"}, "protocolMappers": []}
        assert admin("PUT", f"/client-scopes/{id_}", change).status_code == 204
        shown = admin("GET", f"/client-scopes/{id_}").json()
        assert (shown["attributes"], shown["description"]) == ({"a": "9", "b": "2"}, "d")
        assert shown["protocolMappers"][0]["config"]["included.custom.audience"] == "x"
        assert admin("DELETE", f"/client-scopes/{id_}").status_code == 204
        gone = admin("GET", f"/client-scopes/{id_}")
        assert (gone.status_code, gone.json()) == (404, {"error": "Could not find client scope"})

    def test_put_needs_the_name(self, admin: Admin) -> None:
        id_, name = admin.scope(new_name("scope"), attributes={"a": ""}), new_name("renamed")
        for document in ({}, {"protocol": "openid-connect"}):
            answer = admin("PUT", f"/client-scopes/{id_}", document)
            assert (answer.status_code, answer.json()) == (500, UNKNOWN)
        assert admin("PUT", f"/client-scopes/{id_}", {"name": name, "attributes": {"b": ""}}).status_code == 204
        shown = admin("GET", f"/client-scopes/{id_}").json()
        assert (shown["name"], shown["attributes"]) == (name, {"a": "", "b": ""})

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            ({"name": "a b", "protocol": "openid-connect"}, 'Unexpected name "a b" for ClientScope'),
            ({"name": "x"}, "Unexpected protocol"),
            ({"name": "x", "protocol": "soap"}, "Unexpected protocol"),
        ],
    )
    def test_bad_scopes(self, admin: Admin, document: JsonDict, message: str) -> None:
        answer = admin("POST", "/client-scopes", document)
        assert (answer.status_code, answer.json()) == (400, {"errorMessage": message})

    def test_a_scope_is_assigned_one_way_only(self, admin: Admin) -> None:
        name = new_name("scope")
        scope = admin.scope(name)
        client = f"/clients/{admin.create(defaultClientScopes=['basic'], optionalClientScopes=[])}"
        for kind in ("optional", "optional", "default"):
            assert admin("PUT", f"{client}/{kind}-client-scopes/{scope}").status_code == 204
        assert name not in names(admin("GET", f"{client}/default-client-scopes"))
        assert name in names(admin("GET", f"{client}/optional-client-scopes"))
        for _ in range(2):
            assert admin("DELETE", f"{client}/default-client-scopes/{scope}").status_code == 204
        assert name not in names(admin("GET", f"{client}/optional-client-scopes"))
        assert admin("PUT", f"{client}/default-client-scopes/{scope}").status_code == 204
        assert name in names(admin("GET", f"{client}/default-client-scopes"))
        missing = admin("PUT", f"{client}/default-client-scopes/nope")
        assert (missing.status_code, missing.json()) == (404, {"error": "Client scope not found"})

    def test_deleting_a_scope_takes_it_from_clients_without_a_word(self, admin: Admin) -> None:
        name = new_name("scope")
        scope = admin.scope(name)
        id_ = admin.create(defaultClientScopes=[name])
        assert admin("DELETE", f"/client-scopes/{scope}").status_code == 204
        assert admin.client(id_)["defaultClientScopes"] == ["service_account"]

    def test_mappers_one_by_one(self, admin: Admin) -> None:
        models = f"/client-scopes/{admin.scope(new_name('scope'))}/protocol-mappers/models"
        made = admin("POST", models, audience_mapper("x"))
        assert made.status_code == 201
        id_ = made.headers["Location"].rpartition("/")[2]
        twice = admin("POST", models, audience_mapper("x"))
        assert (twice.status_code, twice.json()) == (409, {"errorMessage": "Protocol mapper exists with same name"})
        kind = admin("POST", models, audience_mapper("x") | {"name": "y", "protocolMapper": "nope"})
        assert (kind.status_code, kind.json()) == (404, {"error": "ProtocolMapper provider not found"})
        change = audience_mapper("z") | {"id": id_, "name": "other", "config": {"included.custom.audience": "z"}}
        assert admin("PUT", f"{models}/{id_}", change).status_code == 204
        shown = admin("GET", f"{models}/{id_}").json()
        assert (shown["name"], shown["config"]) == ("aud", {"included.custom.audience": "z"})
        assert admin("PUT", f"{models}/{id_}", audience_mapper("z")).status_code == 500
        assert admin("DELETE", f"{models}/{id_}").status_code == 204
        gone = admin("GET", f"{models}/{id_}")
        assert (gone.status_code, gone.json()) == (404, {"error": "Model not found"})

    def test_defaults_of_the_realm_reach_new_clients(self, admin: Admin) -> None:
        name = new_name("scope")
        scope = admin.scope(name)
        assert admin("PUT", f"/default-default-client-scopes/{scope}").status_code == 204
        assert admin("PUT", f"/default-default-client-scopes/{scope}").status_code == 409
        assert name in names(admin("GET", "/default-default-client-scopes"))
        assert name in admin.client(admin.create())["defaultClientScopes"]
        assert admin("DELETE", f"/default-default-client-scopes/{scope}").status_code == 204
        assert name not in admin.client(admin.create())["defaultClientScopes"]


def names(answer: requests.Response) -> set[str]:
    return {item["name"] for item in answer.json()}


class TestTokens:
    def test_claims_of_a_machine_token(self, admin: Admin) -> None:
        read, write, hidden = new_name("read"), new_name("write"), new_name("hidden")
        admin.scope(read, protocolMappers=[audience_mapper("https://api")])
        admin.scope(write)
        admin.scope(hidden, attributes={"include.in.token.scope": "false"})
        name = new_name("client")
        admin.create(
            clientId=name,
            secret="s",
            defaultClientScopes=[read, hidden],
            optionalClientScopes=[write],
            attributes={"access.token.lifespan": "120"},
        )
        answer = admin.token(name, "s")
        claims = claims_of(answer)
        body = {key: value for key, value in answer.json().items() if key != "access_token"}
        assert body.pop("expires_in") in {119, 120}
        assert body == {
            "refresh_expires_in": 0,
            "token_type": "Bearer",
            "not-before-policy": 0,
            "scope": read,
        }
        assert answer.headers["Cache-Control"] == "no-store"
        assert claims["iss"] == f"{admin.url}/realms/{admin.realm}"
        assert claims["exp"] - claims["iat"] == 120
        assert claims["jti"].startswith("trrtcc:")
        shown = {key: claims[key] for key in ("aud", "typ", "azp", "client_id", "scope")}
        assert shown == {"aud": "https://api", "typ": "Bearer", "azp": name, "client_id": name, "scope": read}
        assert claims["sub"]
        optional = claims_of(admin.token(name, "s", scope=write))
        assert set(optional["scope"].split()) == {read, write}
        assert set(claims_of(admin.token(name, "s", scope=f"openid {read}"))["scope"].split()) == {"openid", read}

    def test_a_client_with_built_in_scopes(self, admin: Admin) -> None:
        name = new_name("client")
        admin.create(clientId=name, secret="s")
        claims = claims_of(admin.token(name, "s"))
        assert claims["exp"] - claims["iat"] == 300
        assert (claims["aud"], claims["acr"]) == ("account", "1")
        assert set(claims["scope"].split()) == {"email", "profile"}
        assert claims["preferred_username"] == f"service-account-{name}"
        assert f"default-roles-{admin.realm}" in claims["realm_access"]["roles"]

    def test_unknown_scopes_are_refused(self, admin: Admin) -> None:
        name = new_name("client")
        admin.create(clientId=name, secret="s", optionalClientScopes=[])
        for wanted in ("nope", "email phone"):
            answer = admin.token(name, "s", scope=wanted)
            assert answer.status_code == 400
            assert answer.json() == {"error": "invalid_scope", "error_description": f"Invalid scopes: {wanted}"}

    def test_the_signature_is_by_a_published_key(self, admin: Admin) -> None:
        name = new_name("client")
        admin.create(clientId=name, secret="s")
        token = admin.token(name, "s").json()["access_token"]
        discovery = requests.get(
            f"{admin.url}/realms/{admin.realm}/.well-known/openid-configuration", timeout=60
        ).json()
        assert discovery["issuer"] == f"{admin.url}/realms/{admin.realm}"
        assert discovery["token_endpoint"] == f"{discovery['issuer']}/protocol/openid-connect/token"
        keys = jwt.PyJWKSet.from_dict(requests.get(discovery["jwks_uri"], timeout=60).json())
        kid = jwt.get_unverified_header(token)["kid"]
        jwt.decode(token, keys[kid], algorithms=["RS256"], audience="account", issuer=discovery["issuer"])

    def test_how_a_secret_may_be_sent(self, admin: Admin) -> None:
        name = new_name("client")
        admin.create(clientId=name, secret="s+ 1")
        address = f"{admin.url}/realms/{admin.realm}/protocol/openid-connect/token"
        form = {"grant_type": "client_credentials"}
        assert requests.post(address, data=form, auth=(name, "s%2B+1"), timeout=60).status_code == 200
        wrong = requests.post(address, data=form, auth=(name, "bad"), timeout=60)
        assert (wrong.status_code, wrong.json()) == (401, UNAUTHORIZED)
        assert admin.accepts(name, "s+ 1")

    def test_refusals(self, admin: Admin) -> None:
        name = new_name("client")
        id_ = admin.create(clientId=name, secret="s")
        assert not admin.accepts(name, "bad")
        for form in ({"client_id": name}, {"client_id": name, "client_secret": ""}):
            answer = admin.token_call(**form)
            assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED)
        for form in ({}, {"client_id": "unknown", "client_secret": "s"}):
            answer = admin.token_call(**form)
            assert (answer.status_code, answer.json()) == (401, NOT_A_CLIENT)
        address = f"{admin.url}/realms/{admin.realm}/protocol/openid-connect/token"
        grant = requests.post(address, data={"client_id": name, "client_secret": "s"}, timeout=60)
        assert grant.status_code == 400
        assert grant.json() == {"error": "invalid_request", "error_description": "Missing form parameter: grant_type"}
        kind = admin.token_call(grant_type="bogus", client_id=name, client_secret="s")
        assert kind.json() == {"error": "unsupported_grant_type", "error_description": "Unsupported grant_type"}
        admin("PUT", f"/clients/{id_}", {"enabled": False})
        answer = admin.token(name, "s")
        assert (answer.status_code, answer.json()) == (401, NOT_A_CLIENT)

    def test_clients_that_are_no_machines(self, admin: Admin) -> None:
        web, public = new_name("web"), new_name("public")
        admin.create(clientId=web, secret="s", serviceAccountsEnabled=False)
        admin.create(clientId=public, publicClient=True, serviceAccountsEnabled=False)
        expected = {
            web: "Client not enabled to retrieve service account",
            public: "Public client not allowed to retrieve service account",
        }
        for name, text in expected.items():
            answer = admin.token(name, "s")
            assert answer.status_code == 401
            assert answer.json() == {"error": "unauthorized_client", "error_description": text}

    def test_unknown_realm(self, admin: Admin) -> None:
        for path in ("", "/.well-known/openid-configuration", "/protocol/openid-connect/certs"):
            answer = requests.get(f"{admin.url}/realms/nope{path}", timeout=60)
            assert (answer.status_code, answer.json()) == (404, {"error": "Realm does not exist"})


KEYS: dict[str, tuple[str, Any]] = {
    "rsa-1": ("RS256", rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    "rsa-2": ("RS256", rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    "ec": ("ES256", ec.generate_private_key(ec.SECP256R1())),
    "ed": ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
}


def jwk(name: str, **changes: object) -> JsonDict:
    """Return the public key as a client publishes it; a change to None leaves the member out."""
    algorithm, key = KEYS[name]
    members = json.loads(jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key()))
    members.pop("key_ops", None)
    whole = members | {"kid": name, "use": "sig", "alg": algorithm} | changes
    return {member: value for member, value in whole.items() if value is not None}


@dataclass
class KeyClient:
    """A client that authenticates with private_key_jwt."""

    admin: Admin
    keys: list[JsonDict]
    name: str = field(default_factory=lambda: new_name("keys"))

    def __post_init__(self) -> None:
        attributes = {"use.jwks.string": "true", "jwks.string": json.dumps({"keys": self.keys})}
        self.id = self.admin.create(clientId=self.name, clientAuthenticatorType="client-jwt", attributes=attributes)

    def publish(self, *keys: JsonDict) -> None:
        change = {"attributes": {"jwks.string": json.dumps({"keys": keys})}}
        assert self.admin("PUT", f"/clients/{self.id}", change).status_code == 204

    def assertion(self, kid: str = "rsa-1", *, header: str | None = None, **changes: object) -> str:
        now = int(time.time())
        whole = {
            "iss": self.name,
            "sub": self.name,
            "aud": f"{self.admin.url}/realms/{self.admin.realm}",
            "iat": now,
            "exp": now + 60,
            "jti": str(uuid.uuid4()),
            **changes,
        }
        claims = {name: value for name, value in whole.items() if value is not None}
        algorithm, key = KEYS[kid]
        headers = {"kid": header or kid} if header != "" else None
        return jwt.encode(claims, key, algorithm=algorithm, headers=headers)

    def login(self, assertion: str, **form: str) -> tuple[int, str | None]:
        answer = self.admin.token_call(
            **{"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion} | form
        )
        return answer.status_code, answer.json().get("error_description")


@pytest.fixture(scope="module")
def client(admin: Admin) -> KeyClient:
    return KeyClient(admin, [jwk(kid) for kid in KEYS])


class TestPrivateKeyJwt:
    @pytest.mark.parametrize("kid", KEYS)
    def test_every_published_key_works(self, client: KeyClient, kid: str) -> None:
        assert client.login(client.assertion(kid)) == (200, None)

    def test_an_assertion_works_once(self, client: KeyClient) -> None:
        assertion = client.assertion()
        assert client.login(assertion) == (200, None)
        assert client.login(assertion) == (400, "Token reuse detected")

    def test_audiences(self, client: KeyClient) -> None:
        issuer = f"{client.admin.url}/realms/{client.admin.realm}"
        endpoint = f"{issuer}/protocol/openid-connect/token"
        for good in (endpoint, [endpoint], [issuer]):
            assert client.login(client.assertion(aud=good)) == (200, None)
        assert client.login(client.assertion(aud=[issuer, endpoint])) == (400, "Multiple audiences not allowed")
        for bad in ("https://other.example", None):
            assert client.login(client.assertion(aud=bad)) == (400, "Invalid token audience")

    def test_times(self, client: KeyClient) -> None:
        now = int(time.time())
        assert client.login(client.assertion(exp=now + 3600)) == (200, None)
        assert client.login(client.assertion(iat=None)) == (200, None)
        assert client.login(client.assertion(iat=now - 100, exp=now - 40)) == (400, "Token is not active")
        assert client.login(client.assertion(nbf=now + 120)) == (400, "Token is not active")
        future = client.assertion(iat=now + 120, exp=now + 180)
        assert client.login(future) == (400, "Token was issued in the future")
        assert client.login(client.assertion(exp=None)) == (400, "Token exp claim is required")
        assert client.login(client.assertion(jti=None)) == (400, "Token jti claim is required")

    def test_who(self, client: KeyClient) -> None:
        generic = (401, "Invalid client or Invalid client credentials")
        assert client.login(client.assertion(iss="other")) == generic
        assert client.login(client.assertion(iss="other", sub="other")) == generic
        assert client.login("garbage") == generic
        assert client.login(client.assertion(), client_assertion_type="other") == generic
        assert client.login(client.assertion(), client_id="other") == generic
        assert client.login(client.assertion(), client_id=client.name) == (200, None)

    def test_keys(self, client: KeyClient) -> None:
        assert client.login(client.assertion(header="")) == (200, None)
        assert client.login(client.assertion(header="unknown")) == (400, "Unable to load public key")
        bad = client.assertion()[:-8] + "AAAAAAAA"
        text = "Client authentication with signed JWT failed: Signature on JWT token failed validation"
        assert client.login(bad) == (400, text)

    def test_a_key_taken_away_is_refused_at_once(self, admin: Admin) -> None:
        client = KeyClient(admin, [jwk("rsa-1"), jwk("rsa-2")])
        client.publish(jwk("rsa-2"))
        assert client.login(client.assertion("rsa-1")) == (400, "Unable to load public key")
        assert client.login(client.assertion("rsa-2")) == (200, None)

    def test_a_published_key_needs_kid_and_use(self, admin: Admin) -> None:
        client = KeyClient(admin, [jwk("rsa-1", alg=None)])
        assert client.login(client.assertion()) == (200, None)
        for changes in ({"use": None}, {"use": "enc"}, {"kid": None}):
            client.publish(jwk("rsa-1", **changes))
            assert client.login(client.assertion()) == (400, "Unable to load public key")

    def test_of_two_keys_with_one_kid_the_first_that_can_be_read_counts(self, admin: Admin) -> None:
        client = KeyClient(admin, [jwk("rsa-1")])
        other = jwk("rsa-2") | {"kid": "rsa-1"}
        client.publish(other, jwk("rsa-1"))
        assert client.login(client.assertion("rsa-1"))[0] == 400
        assert client.login(client.assertion("rsa-2", header="rsa-1")) == (200, None)
        client.publish(jwk("rsa-1"), other)
        assert client.login(client.assertion("rsa-1")) == (200, None)
        assert client.login(client.assertion("rsa-2", header="rsa-1"))[0] == 400
        client.publish({"kid": "rsa-1", "kty": "RSA", "use": "sig"}, jwk("rsa-1"))
        assert client.login(client.assertion("rsa-1")) == (200, None)

    def test_an_algorithm_that_does_not_fit_is_as_no_key(self, admin: Admin) -> None:
        client = KeyClient(admin, [jwk("rsa-1", alg="ES256")])
        assert client.login(client.assertion("rsa-1"))[0] == 400

    def test_keys_come_from_one_place(self, admin: Admin) -> None:
        client = KeyClient(admin, [jwk("rsa-1")])
        url = {"use.jwks.url": "true", "jwks.url": "https://keys.example.com/jwks"}
        answer = admin("PUT", f"/clients/{client.id}", {"attributes": url})
        text = 'The "Use JWKS" switch and the switch "Use JWKS URL" cannot be ON at the same time.'
        assert (answer.status_code, answer.json()) == (400, {"error": "invalid_input", "error_description": text})
        assert client.login(client.assertion("rsa-1")) == (200, None)
        answer = admin("PUT", f"/clients/{client.id}", {"attributes": {**url, "use.jwks.string": "false"}})
        assert answer.status_code == 204
        assert client.login(client.assertion("rsa-1"))[0] == 400

    def test_one_method_at_a_time(self, admin: Admin, client: KeyClient) -> None:
        secret = admin.client(client.id)["secret"]
        answer = admin.token(client.name, secret)
        text = "Parameter client_assertion_type is missing"
        assert (answer.status_code, answer.json()["error_description"]) == (400, text)
        name = new_name("client")
        admin.create(clientId=name, secret="s")
        assertion = client.assertion(iss=name, sub=name)
        assert client.login(assertion) == (401, "Invalid client or Invalid client credentials")

    def test_a_disabled_client_is_refused(self, admin: Admin) -> None:
        client = KeyClient(admin, [jwk("rsa-1")])
        admin("PUT", f"/clients/{client.id}", {"enabled": False})
        assert client.login(client.assertion()) == (401, "Invalid client or Invalid client credentials")


class TestSecrets:
    def test_regenerating_without_a_policy_is_a_hard_cut(self, admin: Admin) -> None:
        name = new_name("client")
        id_ = admin.create(clientId=name, secret="first")
        answer = admin("POST", f"/clients/{id_}/client-secret")
        second = answer.json()["value"]
        assert (answer.status_code, answer.json()["type"]) == (200, "secret")
        assert admin("GET", f"/clients/{id_}/client-secret").json() == {"type": "secret", "value": second}
        assert not admin.accepts(name, "first")
        assert admin.accepts(name, second)
        assert admin.client(id_)["attributes"]["client.secret.creation.time"].isdigit()

    def test_no_rotated_secret(self, admin: Admin) -> None:
        rotated = f"/clients/{admin.create()}/client-secret/rotated"
        answer = admin("GET", rotated)
        assert (answer.status_code, answer.json()) == (404, {"error": "Client does not have a rotated secret"})
        assert admin("DELETE", rotated).status_code == 204


def rotation_profile(**periods: int) -> JsonDict:
    wanted = {"expiration_period": 3000, "rotated_expiration_period": 1000, "remaining_rotation_period": 500} | periods
    configuration = {name.replace("_", "-"): value for name, value in wanted.items()}
    return {"profiles": [{"name": "p", "executors": [{"executor": "secret-rotation", "configuration": configuration}]}]}


def marked_policy() -> JsonDict:
    attributes = json.dumps([{"key": "managed", "value": "yes"}])
    condition = {"condition": "client-attributes", "configuration": {"attributes": attributes}}
    return {"policies": [{"name": "m", "enabled": True, "conditions": [condition], "profiles": ["p"]}]}


@pytest.mark.parametrize("admin", ROTATION, indirect=True, scope="module")
class TestRotationPolicy:
    @pytest.fixture(autouse=True)
    def policy(self, admin: Admin) -> Iterator[None]:
        assert admin("PUT", "/client-policies/profiles", rotation_profile()).status_code == 204
        assert admin("PUT", "/client-policies/policies", marked_policy()).status_code == 204
        yield
        admin("PUT", "/client-policies/policies", {"policies": []})
        admin("PUT", "/client-policies/profiles", {"profiles": []})

    def attributes(self, admin: Admin, id_: str) -> JsonDict:
        found = admin.client(id_)["attributes"]
        return {name: value for name, value in found.items() if name.startswith("client.secret.")}

    def test_a_new_client_has_an_expiry(self, admin: Admin) -> None:
        attributes = self.attributes(admin, admin.create(attributes={"managed": "yes"}))
        created, expires = (int(attributes[f"client.secret.{what}.time"]) for what in ("creation", "expiration"))
        assert expires - created in {3000, 3001}
        assert self.attributes(admin, admin.create(secret="s")) == {}

    def test_marking_a_client_later_gives_it_an_expiry(self, admin: Admin) -> None:
        id_ = admin.create(secret="s")
        admin("PUT", f"/clients/{id_}", {"attributes": {"managed": "yes"}})
        assert set(self.attributes(admin, id_)) == {"client.secret.expiration.time"}
        assert admin.client(id_)["secret"] == "s"

    def test_an_update_without_attributes_fails_until_a_client_has_its_expiry(self, admin: Admin) -> None:
        condition = {"condition": "any-client", "configuration": {}}
        policy = {"name": "any", "enabled": True, "conditions": [condition], "profiles": ["p"]}
        made = [admin.create(secret="s"), admin.create(secret="s")]
        keys = KeyClient(admin, [jwk("rsa-1")]).id
        public = admin.create(publicClient=True, serviceAccountsEnabled=False)
        assert admin("PUT", "/client-policies/policies", {"policies": [policy]}).status_code == 204
        for id_ in (made[0], keys):
            for body in ({"description": "d"}, {"secret": "t"}, {"enabled": False}):
                answer = admin("PUT", f"/clients/{id_}", body)
                assert (answer.status_code, answer.json()) == (500, UNKNOWN)
        assert admin.client(made[0])["secret"] == "s"
        assert admin("PUT", f"/clients/{public}", {"description": "d"}).status_code == 204
        assert admin("PUT", f"/clients/{made[0]}", {"description": "d", "attributes": {}}).status_code == 204
        assert set(self.attributes(admin, made[0])) == {"client.secret.expiration.time"}
        assert admin("PUT", f"/clients/{made[0]}", {"secret": "t"}).status_code == 204
        assert admin.client(made[0])["secret"] == "t"
        assert admin("POST", f"/clients/{made[1]}/client-secret").status_code == 200
        assert admin.client(made[1])["attributes"][ROTATED] == "s"

    def test_two_secrets_live_and_a_third_displaces_the_oldest(self, admin: Admin) -> None:
        name = new_name("client")
        id_ = admin.create(clientId=name, secret="first", attributes={"managed": "yes"})
        second = admin("POST", f"/clients/{id_}/client-secret").json()["value"]
        assert admin.accepts(name, "first")
        assert admin.accepts(name, second)
        shown = self.attributes(admin, id_)
        assert shown[ROTATED] == "first"
        assert int(shown[f"{ROTATED}.expiration.time"]) - int(shown[f"{ROTATED}.creation.time"]) in {1000, 1001}
        assert admin("GET", f"/clients/{id_}/client-secret/rotated").json() == {"type": "secret", "value": "first"}
        admin("POST", f"/clients/{id_}/client-secret")
        assert not admin.accepts(name, "first")
        assert admin.accepts(name, second)

    def test_a_put_with_a_secret_replaces_the_primary_only(self, admin: Admin) -> None:
        name = new_name("client")
        id_ = admin.create(clientId=name, secret="first", attributes={"managed": "yes"})
        generated = admin("POST", f"/clients/{id_}/client-secret").json()["value"]
        before = self.attributes(admin, id_)
        admin("PUT", f"/clients/{id_}", {"secret": "chosen"})
        assert self.attributes(admin, id_) == before
        assert [admin.accepts(name, secret) for secret in ("first", generated, "chosen")] == [True, False, True]

    def test_reading_and_writing_back_changes_nothing(self, admin: Admin) -> None:
        id_ = admin.create(secret="first", attributes={"managed": "yes"})
        admin("POST", f"/clients/{id_}/client-secret")
        before = admin.client(id_)
        assert admin("PUT", f"/clients/{id_}", before).status_code == 204
        assert comparable(admin.client(id_)) == comparable(before)

    def test_deleting_the_rotated_secret(self, admin: Admin) -> None:
        name = new_name("client")
        id_ = admin.create(clientId=name, secret="first", attributes={"managed": "yes"})
        admin("POST", f"/clients/{id_}/client-secret")
        for _ in range(2):
            assert admin("DELETE", f"/clients/{id_}/client-secret/rotated").status_code == 204
        assert not admin.accepts(name, "first")
        assert ROTATED not in self.attributes(admin, id_)

    def test_a_rotated_secret_ends_at_its_time_but_is_still_shown(self, admin: Admin) -> None:
        name = new_name("client")
        id_ = admin.create(clientId=name, secret="first", attributes={"managed": "yes"})
        admin("POST", f"/clients/{id_}/client-secret")
        past = {"attributes": {f"{ROTATED}.expiration.time": str(int(time.time()) - 5)}}
        admin("PUT", f"/clients/{id_}", past)
        assert not admin.accepts(name, "first")
        assert admin("GET", f"/clients/{id_}/client-secret/rotated").json()["value"] == "first"

    def test_a_put_of_a_client_whose_secret_expired_rotates(self, admin: Admin) -> None:
        name = new_name("client")
        id_ = admin.create(clientId=name, secret="first", attributes={"managed": "yes"})
        past = {"attributes": {"client.secret.expiration.time": str(int(time.time()) - 5)}}
        admin("PUT", f"/clients/{id_}", past)
        assert self.attributes(admin, id_)[ROTATED] == "first"
        assert admin.accepts(name, "first")
        assert admin.accepts(name, admin.client(id_)["secret"])

    def test_an_expired_primary_blocks_the_rotated_one_too(self, admin: Admin) -> None:
        name, now = new_name("client"), int(time.time())
        times = {f"{ROTATED}.creation.time": str(now), f"{ROTATED}.expiration.time": str(now + 500)}
        late = {"client.secret.expiration.time": str(now - 10)}
        admin.create(clientId=name, secret="first", attributes={ROTATED: "old", **times, **late})
        assert not admin.accepts(name, "first")
        assert not admin.accepts(name, "old")
        other = new_name("client")
        admin.create(clientId=other, secret="first", attributes={ROTATED: "old", **times})
        assert admin.accepts(other, "old")

    def test_without_the_policy_a_write_forgets_the_rotated_secret(self, admin: Admin) -> None:
        name = new_name("client")
        id_ = admin.create(clientId=name, secret="first", attributes={"managed": "yes"})
        admin("POST", f"/clients/{id_}/client-secret")
        admin("PUT", f"/clients/{id_}", {"attributes": {"managed": ""}})
        assert set(self.attributes(admin, id_)) == {"client.secret.creation.time"}
        assert not admin.accepts(name, "first")

    def test_policies_removed_act_with_the_next_write(self, admin: Admin) -> None:
        name = new_name("client")
        id_ = admin.create(clientId=name, secret="first", attributes={"managed": "yes"})
        admin("POST", f"/clients/{id_}/client-secret")
        admin("PUT", "/client-policies/policies", {"policies": []})
        assert admin.accepts(name, "first")
        admin("PUT", f"/clients/{id_}", {"description": "x"})
        assert not admin.accepts(name, "first")

    def test_no_overlap(self, admin: Admin) -> None:
        admin("PUT", "/client-policies/profiles", rotation_profile(rotated_expiration_period=0))
        name = new_name("client")
        id_ = admin.create(clientId=name, secret="first", attributes={"managed": "yes"})
        admin("POST", f"/clients/{id_}/client-secret")
        assert not admin.accepts(name, "first")
        assert ROTATED not in self.attributes(admin, id_)

    def test_documents_are_replaced_whole_and_checked(self, admin: Admin) -> None:
        wrong = admin("PUT", "/client-policies/profiles", rotation_profile(rotated_expiration_period=3001))
        assert wrong.status_code == 400
        assert wrong.json()["errorMessage"].startswith("proposed client profile contains the executor")
        missing = rotation_profile()
        del missing["profiles"][0]["executors"][0]["configuration"]["remaining-rotation-period"]
        assert admin("PUT", "/client-policies/profiles", missing).status_code == 500
        policy = marked_policy()
        policy["policies"][0]["profiles"] = ["nope"]
        unknown = admin("PUT", "/client-policies/policies", policy)
        assert (unknown.status_code, unknown.json()) == (
            400,
            {"errorMessage": "Policy m contains invalid profile nope"},
        )
        assert admin("GET", "/client-policies/policies").json()["policies"][0]["profiles"] == ["p"]
        twice = admin("PUT", "/client-policies/policies", {"policies": marked_policy()["policies"] * 2})
        assert twice.json() == {"errorMessage": "proposed client policy name duplicated"}
        assert admin("PUT", "/client-policies/profiles", {}).status_code == 204
        assert admin("GET", "/client-policies/profiles").json() == {"profiles": []}


@pytest.mark.parametrize("admin", STOCK, indirect=True, scope="module")
class TestStock:
    def test_the_executor_is_unknown(self, admin: Admin) -> None:
        answer = admin("PUT", "/client-policies/profiles", rotation_profile())
        assert answer.status_code == 400
        assert answer.json()["errorMessage"].startswith("proposed client profile contains the executor")

    def test_a_rotated_secret_means_nothing_and_an_expiry_does(self, admin: Admin) -> None:
        name, late, now = new_name("client"), new_name("late"), int(time.time())
        rotated = {ROTATED: "old"} | {
            f"{ROTATED}.creation.time": str(now),
            f"{ROTATED}.expiration.time": str(now + 500),
        }
        id_ = admin.create(clientId=name, secret="first", attributes=rotated)
        assert admin.accepts(name, "first")
        assert not admin.accepts(name, "old")
        assert admin("GET", f"/clients/{id_}/client-secret/rotated").status_code == 404
        expired = {"client.secret.expiration.time": str(now - 10)}
        id_ = admin.create(clientId=late, secret="first", attributes=rotated | expired)
        assert not admin.accepts(late, "first")
        admin("PUT", f"/clients/{id_}", {"description": "x"})
        assert admin.client(id_)["attributes"] == {"realm_client": "false"}
        assert admin.accepts(late, "first")


class TestRights:
    def test_a_reader_sees_secrets_and_writes_nothing(self, admin: Admin) -> None:
        id_ = admin.create(secret="plain", clientId=(name := new_name("client")))
        reader = admin.administrator("view-clients")
        (listed,) = reader("GET", f"/clients?clientId={name}").json()
        assert listed["secret"] == "plain"
        assert listed["access"] == {"view": True, "configure": False, "manage": False}
        assert reader("GET", f"/clients/{id_}/client-secret").json()["value"] == "plain"
        writes: list[tuple[str, str, object]] = [
            ("PUT", f"/clients/{id_}", {}),
            ("POST", "/clients", {}),
            ("DELETE", f"/clients/{id_}", None),
        ]
        writes += [("POST", f"/clients/{id_}/client-secret", None), ("POST", "/client-scopes", {})]
        for method, path, document in writes:
            answer = reader(method, path, document)
            assert (answer.status_code, answer.json()) == (403, FORBIDDEN)

    def test_querying_alone_shows_nothing(self, admin: Admin) -> None:
        id_ = admin.create()
        asker = admin.administrator("query-clients")
        assert asker("GET", "/clients").json() == []
        assert asker("GET", f"/clients/{id_}").json() == FORBIDDEN
        assert asker("GET", "/clients/nope").status_code == 404
        stranger = admin.administrator("view-realm")
        assert stranger("GET", "/clients").json() == FORBIDDEN
        assert stranger("GET", "/clients/nope").status_code == 403

    def test_a_manager_of_clients(self, admin: Admin) -> None:
        manager = admin.administrator("manage-clients")
        id_ = manager.create()
        scope = manager.scope(new_name("scope"))
        assert manager("PUT", f"/clients/{id_}/optional-client-scopes/{scope}").status_code == 204
        assert manager("GET", "/default-default-client-scopes").status_code == 200
        assert manager("GET", "").json() == {
            "realm": admin.realm,
            "bruteForceProtected": False,
            "supportedLocales": [],
            "organizationsEnabled": False,
        }
        for method, path in [
            *(("PUT", ""), ("GET", "/client-policies/profiles"), ("PUT", "/client-policies/policies")),
            *(("GET", "/events"), ("GET", "/events/config"), ("GET", "/keys")),
        ]:
            assert manager(method, path, {} if method == "PUT" else None).json() == FORBIDDEN

    @pytest.mark.parametrize(
        ("role", "allowed", "refused"),
        [
            (
                "view-realm",
                [("GET", "/client-policies/profiles"), ("GET", "/keys")],
                [("PUT", "/client-policies/profiles")],
            ),
            (
                "manage-realm",
                [("PUT", "/client-policies/profiles"), ("PUT", "")],
                [("GET", "/clients"), ("GET", "/events")],
            ),
            ("view-events", [("GET", "/events"), ("GET", "/events/config")], [("PUT", "/events/config")]),
            ("manage-events", [("GET", "/events"), ("PUT", "/events/config")], [("PUT", "")]),
            ("create-client", [("GET", "")], [("POST", "/clients"), ("GET", "/clients")]),
        ],
    )
    def test_other_roles(
        self, admin: Admin, role: str, allowed: list[tuple[str, str]], refused: list[tuple[str, str]]
    ) -> None:
        caller = admin.administrator(role)
        for method, path in allowed:
            assert caller(method, path, {} if method == "PUT" else None).status_code in {200, 204}
        for method, path in refused:
            assert caller(method, path, {} if method != "GET" else None).json() == FORBIDDEN

    def test_rights_are_looked_up_live(self, admin: Admin) -> None:
        caller = admin.administrator("manage-clients")
        id_ = admin("GET", f"/clients?clientId={caller.client_id}").json()[0]["id"]
        admin.give(id_, "manage-clients", method="DELETE")
        assert caller("GET", "/clients").status_code == 403
        admin.give(id_, "manage-clients")
        assert caller("GET", "/clients").status_code == 200
        admin("POST", f"/clients/{id_}/client-secret")
        assert caller("GET", "/clients").status_code == 200
        admin("PUT", f"/clients/{id_}", {"enabled": False})
        answer = caller("GET", "/clients")
        assert (answer.status_code, answer.json()) == (401, {"error": "HTTP 401 Unauthorized"})
        admin("DELETE", f"/clients/{id_}")
        assert caller("GET", "/clients").status_code == 401

    def test_scope_of_the_administrator(self, admin: Admin) -> None:
        narrow = admin.administrator("manage-clients", fullScopeAllowed=False)
        assert narrow("GET", "/clients").status_code == 403
        plain = admin.administrator("manage-clients", defaultClientScopes=["basic"], optionalClientScopes=[])
        assert plain("GET", "/clients").status_code == 200

    def test_other_realms_are_closed(self, admin: Admin) -> None:
        caller = admin.administrator("realm-admin")
        caller.realm = "master"
        assert caller("GET", "/clients").json() == FORBIDDEN
        admin_elsewhere = Admin(admin.url, "nope")
        answer = admin_elsewhere("GET", "/clients")
        assert (answer.status_code, answer.json()) == (404, {"error": "Realm not found."})

    def test_no_token(self, admin: Admin) -> None:
        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            answer = requests.get(f"{admin.url}/admin/realms/{admin.realm}/clients", headers=headers, timeout=60)
            assert (answer.status_code, answer.json()) == (401, {"error": "HTTP 401 Unauthorized"})

    def test_lacking_the_right_to_delete_a_rotated_secret_is_a_server_error(self, admin: Admin) -> None:
        reader = admin.administrator("view-clients")
        answer = reader("DELETE", f"/clients/{admin.create()}/client-secret/rotated")
        assert (answer.status_code, answer.json()) == (500, UNKNOWN)


class TestRealm:
    def test_features_are_shown(self, admin: Admin, rotates: bool) -> None:
        info = admin.session.get(f"{admin.url}/admin/serverinfo", timeout=60).json()
        features = {feature["name"]: (feature["type"], feature["enabled"]) for feature in info["features"]}
        assert features["CLIENT_SECRET_ROTATION"] == ("PREVIEW", rotates)
        assert features["CLIENT_AUTH_FEDERATED"] == ("DEFAULT", True)
        assert info["systemInfo"]["version"] == "26.7.5"

    def test_put_merges(self, admin: Admin) -> None:
        assert admin("PUT", "", {"accessTokenLifespan": 111, "attributes": {"k": "v"}}).status_code == 204
        realm = admin("GET", "").json()
        assert (realm["accessTokenLifespan"], realm["attributes"]["k"]) == (111, "v")
        admin("PUT", "", {"accessTokenLifespan": 300})
        assert admin("GET", "").json()["attributes"]["k"] == "v"

    def test_events_say_who_logged_in_and_not_with_which_secret(self, admin: Admin) -> None:
        wanted = {"eventsEnabled": True, "enabledEventTypes": ["CLIENT_LOGIN", "CLIENT_LOGIN_ERROR"]}
        assert admin("PUT", "/events/config", wanted).status_code == 204
        name = new_name("client")
        admin.create(clientId=name, secret="s")
        admin.token(name, "s")
        admin.token(name, "bad")
        failed, passed = admin("GET", f"/events?client={name}").json()
        assert (passed["type"], failed["type"]) == ("CLIENT_LOGIN", "CLIENT_LOGIN_ERROR")
        assert failed["error"] == "invalid_client_credentials"
        assert set(passed["details"]) == {"token_id", "grant_type", "scope", "client_auth_method", "username"}
        assert admin("GET", f"/events?client={name}&type=CLIENT_LOGIN").json() == [passed]
        assert admin("GET", f"/events?client={name}&dateFrom=2099-01-01").json() == []
        admin("PUT", "/events/config", {"eventsEnabled": False})
