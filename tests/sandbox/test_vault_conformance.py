"""One story about Vault, told to the stand-in and to a real server: where they disagree, the stand-in is wrong."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keysteward.sandbox import VaultStandIn

if TYPE_CHECKING:
    from collections.abc import Iterator

DENIED = {"errors": ["1 error occurred:\n\t* permission denied\n\n"]}
CAS_MISMATCH = {"errors": ["check-and-set parameter did not match the current version"]}
MERGE_PATCH = "application/merge-patch+json"
ENVELOPE = {"request_id", "lease_id", "renewable", "lease_duration", "data", "wrap_info", "warnings", "auth"}


@dataclass(frozen=True)
class Vault:
    """A caller with a token; ``mount`` is a KV engine of the test module's own."""

    url: str
    token: str
    mount: str

    def __call__(self, method: str, path: str, document: object = None, **headers: str) -> requests.Response:
        given = {"X-Vault-Token": self.token} | {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.request(method, f"{self.url}/v1/{path}", json=document, headers=given, timeout=30)

    def kv(self, method: str, path: str, document: object = None, **headers: str) -> requests.Response:
        return self(method, f"{self.mount}/{path}", document, **headers)

    def write(self, path: str, **data: object) -> requests.Response:
        return self.kv("POST", f"data/{path}", {"data": data})

    def metadata(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self.kv("GET", f"metadata/{path}").json()["data"]
        return found

    def limited(self, policy: str, **fields: object) -> Vault:
        """Return a caller whose token has this policy, with ``MOUNT`` standing for the module's engine."""
        name = new_name("policy")
        written = self("PUT", f"sys/policies/acl/{name}", {"policy": policy.replace("MOUNT", self.mount)})
        assert written.status_code == 204, written.text
        made = self("POST", "auth/token/create", {"policies": [name], **fields}).json()
        return Vault(self.url, made["auth"]["client_token"], self.mount)


def new_name(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module", params=["stand-in", pytest.param("real", marks=pytest.mark.real("vault"))])
def vault(request: pytest.FixtureRequest) -> Iterator[Vault]:
    if request.param == "stand-in":
        with VaultStandIn() as stand_in:
            yield Vault(stand_in.url, "sandbox-root", "secret")
        return
    real = request.getfixturevalue("real_vault")
    own = Vault(real.url, real.token, new_name("kv"))
    assert own("POST", f"sys/mounts/{own.mount}", {"type": "kv", "options": {"version": "2"}}).status_code == 204
    yield own
    own("DELETE", f"sys/mounts/{own.mount}")


@pytest.fixture(scope="module")
def jwt_login(vault: Vault) -> Iterator[str]:
    mount = new_name("jwt")
    assert vault("POST", f"sys/auth/{mount}", {"type": "jwt"}).status_code == 204
    yield mount
    vault("DELETE", f"sys/auth/{mount}")


class TestVersions:
    def test_write_and_read(self, vault: Vault) -> None:
        written = vault.write("a", x=1)
        assert written.status_code == 200
        assert set(written.json()) == ENVELOPE
        about = written.json()["data"]
        assert about.pop("created_time").endswith("Z")
        assert about == {"version": 1, "deletion_time": "", "destroyed": False, "custom_metadata": None}
        read = vault.kv("GET", "data/a").json()["data"]
        assert (read["data"], read["metadata"]["version"]) == ({"x": 1}, 1)
        vault.write("a", x=2)
        assert vault.kv("GET", "data/a").json()["data"]["data"] == {"x": 2}
        for version, expected in (("1", {"x": 1}), ("0", {"x": 2})):
            assert vault.kv("GET", f"data/a?version={version}").json()["data"]["data"] == expected
        missing = vault.kv("GET", "data/a?version=99")
        assert (missing.status_code, missing.json()) == (404, {"errors": []})

    def test_check_and_set(self, vault: Vault) -> None:
        def write(cas: object) -> requests.Response:
            return vault.kv("PUT", "data/cas", {"data": {"x": 1}, "options": {"cas": cas}})

        assert (write(1).status_code, write(1).json()) == (400, CAS_MISMATCH)
        assert write(0).json()["data"]["version"] == 1
        assert (write(0).status_code, write(0).json()) == (400, CAS_MISMATCH)
        assert write(1).json()["data"]["version"] == 2
        assert write("2").json()["data"]["version"] == 3
        assert write("x").json() == {"errors": ["error parsing check-and-set parameter"]}
        vault.kv("DELETE", "data/cas")
        assert write(0).json() == CAS_MISMATCH
        assert write(3).json()["data"]["version"] == 4

    def test_check_and_set_required(self, vault: Vault) -> None:
        vault.kv("POST", "metadata/strict", {"cas_required": True})
        refused = vault.write("strict", x=1)
        text = "check-and-set parameter required for this call"
        assert (refused.status_code, refused.json()) == (400, {"errors": [text]})
        assert vault.kv("POST", "data/strict", {"data": {}, "options": {"cas": 0}}).status_code == 200

    def test_bad_bodies(self, vault: Vault) -> None:
        for document in (None, {}, {"x": 1}):
            answer = vault.kv("POST", "data/bad", document)
            assert (answer.status_code, answer.json()) == (400, {"errors": ["no data provided"]})
        assert vault.kv("POST", "data/bad", {"data": "text"}).status_code == 400
        slash = vault.kv("POST", "data/bad/", {"data": {}})
        assert slash.json() == {"errors": ["cannot write to a path ending in '/'"]}

    def test_delete_and_undelete(self, vault: Vault) -> None:
        vault.write("gone", x=1)
        assert vault.kv("DELETE", "data/gone").status_code == 204
        answer = vault.kv("GET", "data/gone")
        assert answer.status_code == 404
        assert answer.json()["data"]["data"] is None
        assert answer.json()["data"]["metadata"]["deletion_time"]
        assert vault.metadata("gone")["versions"]["1"]["deletion_time"]
        assert vault.kv("POST", "undelete/gone", {"versions": [1]}).status_code == 204
        assert vault.kv("GET", "data/gone").json()["data"]["data"] == {"x": 1}

    def test_destroy(self, vault: Vault) -> None:
        vault.write("destroyed", x=1)
        vault.write("destroyed", x=2)
        assert vault.kv("PUT", "destroy/destroyed", {"versions": [1]}).status_code == 204
        answer = vault.kv("GET", "data/destroyed?version=1")
        assert answer.status_code == 404
        assert answer.json()["data"]["metadata"]["destroyed"] is True
        vault.kv("POST", "undelete/destroyed", {"versions": [1]})
        assert vault.kv("GET", "data/destroyed?version=1").status_code == 404
        assert vault.kv("GET", "data/destroyed").status_code == 200

    def test_what_is_not_there_is_deleted_with_success(self, vault: Vault) -> None:
        assert vault.kv("DELETE", "data/never").status_code == 204
        assert vault.kv("DELETE", "metadata/never").status_code == 204
        for verb, path in (("POST", "delete"), ("POST", "undelete"), ("PUT", "destroy")):
            assert vault.kv(verb, f"{path}/never", {"versions": [7]}).status_code == 204
            answer = vault.kv(verb, f"{path}/never", {"versions": []})
            word = "no" if path == "destroy" else "No"
            assert (answer.status_code, answer.json()) == (400, {"errors": [f"{word} version number provided"]})

    def test_versions_end_by_number(self, vault: Vault) -> None:
        vault.kv("POST", "metadata/few", {"max_versions": 2})
        for number in range(4):
            vault.write("few", n=number)
        about = vault.metadata("few")
        assert (about["current_version"], about["oldest_version"], set(about["versions"])) == (4, 3, {"3", "4"})
        for number in range(12):
            vault.write("many", n=number)
        assert set(vault.metadata("many")["versions"]) == {str(number) for number in range(3, 13)}

    def test_versions_end_by_time(self, vault: Vault) -> None:
        vault.kv("POST", "metadata/timed", {"delete_version_after": "3h"})
        assert vault.write("timed", x=1).json()["data"]["deletion_time"]
        assert vault.metadata("timed")["delete_version_after"] == "3h0m0s"
        assert vault.kv("GET", "data/timed").status_code == 200

    def test_patch(self, vault: Vault) -> None:
        vault.write("patched", x=1, y={"a": 1, "b": 2})
        change = {"data": {"x": None, "y": {"b": None, "c": 3}}, "options": {"cas": 1}}
        assert vault.kv("PATCH", "data/patched", change, Content_Type=MERGE_PATCH).status_code == 200
        assert vault.kv("GET", "data/patched").json()["data"]["data"] == {"y": {"a": 1, "c": 3}}
        again = vault.kv("PATCH", "data/patched", change, Content_Type=MERGE_PATCH)
        assert (again.status_code, again.json()) == (400, CAS_MISMATCH)
        assert vault.kv("PATCH", "data/never", change, Content_Type=MERGE_PATCH).status_code == 404
        assert vault.kv("PATCH", "data/patched", change).status_code == 415


class TestMetadata:
    def test_life_of_an_entry_without_data(self, vault: Vault) -> None:
        assert vault.kv("POST", "metadata/m", {"custom_metadata": {"a": "1", "b": "2"}}).status_code == 204
        about = vault.metadata("m")
        assert (about["current_version"], about["versions"], about["custom_metadata"]) == (0, {}, {"a": "1", "b": "2"})
        assert vault.kv("GET", "data/m").json() == {"errors": []}
        written = vault.kv("POST", "data/m", {"data": {"n": 1}, "options": {"cas": 0}})
        assert written.json()["data"]["custom_metadata"] == {"a": "1", "b": "2"}

    def test_post_replaces_and_patch_merges(self, vault: Vault) -> None:
        vault.kv("POST", "metadata/tags", {"custom_metadata": {"a": "1"}, "max_versions": 3})
        vault.kv("POST", "metadata/tags", {"custom_metadata": {"b": "2"}})
        assert vault.metadata("tags")["custom_metadata"] == {"b": "2"}
        assert vault.metadata("tags")["max_versions"] == 3
        change = {"custom_metadata": {"b": None, "c": "3"}}
        assert vault.kv("PATCH", "metadata/tags", change, Content_Type=MERGE_PATCH).status_code == 204
        assert vault.metadata("tags")["custom_metadata"] == {"c": "3"}
        assert vault.kv("PATCH", "metadata/never", change, Content_Type=MERGE_PATCH).status_code == 404

    @pytest.mark.parametrize(
        "tags",
        [
            {str(number): "x" for number in range(65)},
            {"k" * 129: "x"},
            {"k": "v" * 513},
            {"": "x"},
            {"k": ""},
            {"k": "a\nb"},
            {"k": {"a": 1}},
        ],
    )
    def test_custom_metadata_has_limits(self, vault: Vault, tags: dict[str, object]) -> None:
        answer = vault.kv("POST", "metadata/limits", {"custom_metadata": tags})
        assert answer.status_code == 400
        assert "custom_metadata validation failed" in answer.json()["errors"][0]
        assert vault.kv("GET", "metadata/limits").status_code == 404

    def test_custom_metadata_at_its_limits(self, vault: Vault) -> None:
        tags: dict[str, object] = {str(number): number for number in range(63)} | {"k" * 128: "v" * 512}
        assert vault.kv("POST", "metadata/full", {"custom_metadata": tags}).status_code == 204
        assert vault.metadata("full")["custom_metadata"]["7"] == "7"

    def test_delete_takes_everything(self, vault: Vault) -> None:
        vault.write("all", x=1)
        assert vault.kv("DELETE", "metadata/all").status_code == 204
        assert vault.kv("GET", "data/all").json() == {"errors": []}
        assert vault.write("all", x=1).json()["data"]["version"] == 1

    def test_lists(self, vault: Vault) -> None:
        for path in ("list/b", "list/a", "list/a/deep", "list/c/d/e"):
            vault.write(path, x=1)
        for method, path in (("LIST", "metadata/list"), ("LIST", "metadata/list/"), ("GET", "metadata/list?list=true")):
            assert vault.kv(method, path).json()["data"]["keys"] == ["a", "a/", "b", "c/"]
        for path in ("metadata/nothing", "metadata/list/b"):
            answer = vault.kv("LIST", path)
            assert (answer.status_code, answer.json()) == (404, {"errors": []})
        wrong = vault.kv("LIST", "data/list")
        assert (wrong.status_code, wrong.json()) == (
            405,
            {"errors": ["1 error occurred:\n\t* unsupported operation\n\n"]},
        )
        vault.kv("DELETE", "data/list/b")
        assert "b" in vault.kv("LIST", "metadata/list").json()["data"]["keys"]

    def test_settings_of_the_engine(self, vault: Vault) -> None:
        before = vault.kv("GET", "config").json()["data"]
        assert (before["max_versions"], before["cas_required"], before["delete_version_after"]) == (0, False, "0s")
        assert vault.kv("POST", "config", {"cas_required": True}).status_code == 204
        assert vault.write("strict-engine", x=1).status_code == 400
        vault.kv("POST", "config", {"cas_required": False})


class TestPolicies:
    def test_consumer_reader_and_runner(self, vault: Vault) -> None:
        """The three kinds of caller that a stack has."""
        vault.write("apps/billing", secret="s")
        consumer = vault.limited('path "MOUNT/data/apps/billing" { capabilities = ["read"] }')
        reader = vault.limited('path "MOUNT/metadata/*" { capabilities = ["read", "list"] }')
        runner = vault.limited(
            """
            # everything below the engine
            path "MOUNT/data/*"     { capabilities = ["create", "read", "update", "patch", "delete"] }
            path "MOUNT/metadata/*" { capabilities = ["create", "read", "update", "list", "delete"] }
            """
        )
        assert consumer.kv("GET", "data/apps/billing").json()["data"]["data"] == {"secret": "s"}
        assert consumer.kv("GET", "metadata/apps/billing").json() == DENIED
        assert consumer.kv("GET", "data/apps/other").json() == DENIED
        assert consumer.write("apps/billing", secret="x").json() == DENIED
        assert reader.kv("GET", "metadata/apps/billing").status_code == 200
        assert reader.kv("LIST", "metadata/apps").json()["data"]["keys"] == ["billing"]
        assert reader.kv("GET", "data/apps/billing").json() == DENIED
        assert reader.kv("DELETE", "metadata/apps/billing").json() == DENIED
        assert runner.write("apps/billing", secret="two").status_code == 200
        assert runner.kv("DELETE", "metadata/apps/billing").status_code == 204
        assert runner.kv("POST", "destroy/apps/billing", {"versions": [1]}).json() == DENIED

    def test_create_is_not_update(self, vault: Vault) -> None:
        caller = vault.limited(
            'path "MOUNT/data/new/*" { capabilities = ["create"] }\n'
            'path "MOUNT/metadata/new/*" { capabilities = ["create"] }'
        )
        assert caller.write("new/a", x=1).status_code == 200
        vault.kv("DELETE", "data/new/a")
        assert caller.write("new/a", x=1).json() == DENIED
        assert caller.kv("POST", "metadata/new/b", {"max_versions": 1}).status_code == 204
        assert caller.write("new/b", x=1).json() == DENIED

    def test_which_rule_decides(self, vault: Vault) -> None:
        caller = vault.limited(
            """
            path "MOUNT/data/p/*"     { capabilities = ["read"] }
            path "MOUNT/data/p/+/x"   { capabilities = ["deny"] }
            path "MOUNT/data/p/a/*"   { capabilities = ["update"] }
            path "MOUNT/data/p*"      { capabilities = ["delete"] }
            path "MOUNT/data/+/b/*"   { capabilities = ["list"] }
            path "MOUNT/data/q/+/+"   { capabilities = ["read"] }
            path "MOUNT/data/q/+/z"   { capabilities = ["update"] }
            path "MOUNT/data/q/y/+"   { capabilities = ["delete"] }
            path "MOUNT/data/exact"   { capabilities = ["create"] }
            path "MOUNT/data/exac*"   { capabilities = ["read"] }
            path "MOUNT/metadata/l"   { capabilities = ["list"] }
            """
        )
        expected = {
            "data/p/k": "read",
            "data/p/k/x": "deny",
            "data/p/a/x": "update",
            "data/p/b/k": "read",
            "data/pp": "delete",
            "data/p": "delete",
            "data/z/b/x": "list",
            "data/q/a/z": "update",
            "data/q/y/z": "delete",
            "data/q/a/b": "read",
            "data/q/a": "deny",
            "data/exact": "create",
            "data/exactly": "read",
            "metadata/l": "list",
            "metadata/l/": "list",
            "elsewhere": "deny",
        }
        paths = {f"{vault.mount}/{path}": [capability] for path, capability in expected.items()}
        found = caller("POST", "sys/capabilities-self", {"paths": list(paths)}).json()["data"]
        assert {path: found[path] for path in paths} == paths

    def test_policies_of_a_token_add_up_and_deny_wins(self, vault: Vault) -> None:
        one, two = new_name("policy"), new_name("policy")
        path = f"{vault.mount}/data/sum"
        vault("PUT", f"sys/policies/acl/{one}", {"policy": f'path "{path}/*" {{ capabilities = ["read"] }}'})
        vault("PUT", f"sys/policies/acl/{two}", {"policy": f'path "{path}/*" {{ capabilities = ["create"] }}'})
        token = vault("POST", "auth/token/create", {"policies": [one, two]}).json()["auth"]["client_token"]
        caller = Vault(vault.url, token, vault.mount)
        ask = {"path": f"{path}/x"}
        assert caller("POST", "sys/capabilities-self", ask).json()["data"]["capabilities"] == ["create", "read"]
        vault("PUT", f"sys/policies/acl/{two}", {"policy": f'path "{path}/*" {{ capabilities = ["deny"] }}'})
        assert caller("POST", "sys/capabilities-self", ask).json()["data"]["capabilities"] == ["deny"]
        assert vault("POST", "sys/capabilities-self", ask).json()["data"]["capabilities"] == ["root"]

    def test_life_of_a_policy(self, vault: Vault) -> None:
        name, text = new_name("policy"), 'path "x" { capabilities = ["read"] }'
        assert vault("GET", f"sys/policies/acl/{name}").json() == {"errors": []}
        assert vault("PUT", f"sys/policies/acl/{name}", {"policy": text}).status_code == 204
        assert vault("GET", f"sys/policies/acl/{name}").json()["data"]["policy"] == text
        assert name in vault("LIST", "sys/policies/acl").json()["data"]["keys"]
        for _ in range(2):
            assert vault("DELETE", f"sys/policies/acl/{name}").status_code == 204

    @pytest.mark.parametrize(
        ("policy", "said"),
        [
            ("path {", "failed to parse policy: "),
            ('path "a" { capabilities = ["fly"] }', 'path "a": invalid capability "fly"'),
            ("", "'policy' parameter not supplied or empty"),
        ],
    )
    def test_bad_policies(self, vault: Vault, policy: str, said: str) -> None:
        answer = vault("PUT", f"sys/policies/acl/{new_name('bad')}", {"policy": policy})
        assert answer.status_code == 400
        assert said in answer.json()["errors"][0]


class TestTokens:
    def test_lookup(self, vault: Vault) -> None:
        caller = vault.limited('path "x" { capabilities = ["read"] }', ttl="1h", meta={"a": "b"}, display_name="ci")
        about = caller("GET", "auth/token/lookup-self").json()["data"]
        assert "default" in about["policies"]
        assert (about["creation_ttl"], about["meta"], about["display_name"]) == (3600, {"a": "b"}, "token-ci")
        assert 3590 < about["ttl"] <= 3600
        root = vault("GET", "auth/token/lookup-self").json()["data"]
        assert (root["policies"], root["ttl"], root["expire_time"]) == (["root"], 0, None)

    def test_a_token_without_the_default_policy_cannot_look_at_itself(self, vault: Vault) -> None:
        caller = vault.limited('path "x" { capabilities = ["read"] }', no_default_policy=True)
        assert caller("GET", "auth/token/lookup-self").json() == DENIED

    def test_bad_tokens(self, vault: Vault) -> None:
        for token in ("", "bad"):
            answer = Vault(vault.url, token, vault.mount).kv("GET", "data/a")
            assert (answer.status_code, answer.json()) == (403, {"errors": ["permission denied"]})

    def test_revoked(self, vault: Vault) -> None:
        caller = vault.limited('path "x" { capabilities = ["read"] }')
        assert caller("POST", "auth/token/revoke-self").status_code == 204
        assert caller("GET", "auth/token/lookup-self").json() == {"errors": ["permission denied"]}

    def test_a_child_has_no_more_than_its_parent(self, vault: Vault) -> None:
        caller = vault.limited('path "auth/token/create" { capabilities = ["update"] }')
        refused = caller("POST", "auth/token/create", {"policies": ["root"]})
        text = "child policies must be subset of parent"
        assert (refused.status_code, refused.json()) == (400, {"errors": [text]})
        child = caller("POST", "auth/token/create", {}).json()["auth"]["client_token"]
        caller("POST", "auth/token/revoke-self")
        assert Vault(vault.url, child, vault.mount)("GET", "auth/token/lookup-self").status_code == 403

    def test_bearer_works_too(self, vault: Vault) -> None:
        headers = {"Authorization": f"Bearer {vault.token}"}
        answer = requests.get(f"{vault.url}/v1/auth/token/lookup-self", headers=headers, timeout=30)
        assert answer.status_code == 200


class TestJwtLogin:
    KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @pytest.fixture
    def role(self, vault: Vault, jwt_login: str) -> str:
        public = self.KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        settings = {"jwt_validation_pubkeys": [public], "bound_issuer": "https://ci.example"}
        assert vault("POST", f"auth/{jwt_login}/config", settings).status_code == 204
        role = {
            "role_type": "jwt",
            "user_claim": "sub",
            "bound_audiences": ["vault"],
            "bound_claims": {"repository": "acme/keys"},
            "token_ttl": "10m",
        }
        assert vault("POST", f"auth/{jwt_login}/role/runner", role).status_code == 204
        return "runner"

    def login(self, vault: Vault, mount: str, role: str, **changes: object) -> requests.Response:
        now = int(time.time())
        claims = {
            "iss": "https://ci.example",
            "aud": "vault",
            "sub": "s",
            "iat": now,
            "exp": now + 60,
            "repository": "acme/keys",
            **changes,
        }
        token = jwt.encode(claims, self.KEY, algorithm="RS256")
        document = {"role": role, "jwt": token}
        return requests.post(f"{vault.url}/v1/auth/{mount}/login", json=document, timeout=30)

    def test_login(self, vault: Vault, jwt_login: str, role: str) -> None:
        auth = self.login(vault, jwt_login, role).json()["auth"]
        assert (auth["lease_duration"], auth["metadata"]) == (600, {"role": "runner"})
        assert self.login(vault, jwt_login, role, exp=int(time.time()) - 30).status_code == 200

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"aud": "other"}, "error validating token: invalid audience (aud) claim"),
            ({"iss": "other"}, "error validating token: invalid issuer (iss) claim"),
            ({"exp": 1_000_000_000}, "error validating token: invalid expiration time (exp) claim: token is expired"),
            ({"repository": "x"}, 'error validating claims: claim "repository" does not match'),
        ],
    )
    def test_refusals(self, vault: Vault, jwt_login: str, role: str, changes: dict[str, object], message: str) -> None:
        answer = self.login(vault, jwt_login, role, **changes)
        assert answer.status_code == 400
        assert answer.json()["errors"][0].startswith(message)

    def test_unknown_role(self, vault: Vault, jwt_login: str, role: str) -> None:
        assert role == "runner"
        answer = self.login(vault, jwt_login, "nope")
        assert (answer.status_code, answer.json()) == (400, {"errors": ['role "nope" could not be found']})


class TestSystem:
    def test_health(self, vault: Vault) -> None:
        answer = requests.get(f"{vault.url}/v1/sys/health", timeout=30)
        assert answer.status_code == 200
        assert (answer.json()["initialized"], answer.json()["sealed"]) == (True, False)
        assert requests.get(f"{vault.url}/v1/sys/seal-status", timeout=30).json()["sealed"] is False

    def test_mounts(self, vault: Vault) -> None:
        mounts = vault("GET", "sys/mounts").json()
        assert mounts["data"][f"{vault.mount}/"]["options"] == {"version": "2"}
        assert mounts[f"{vault.mount}/"]["type"] == "kv"
        assert vault.limited('path "x" { capabilities = ["read"] }')("GET", "sys/mounts").json() == DENIED
        taken = vault("POST", f"sys/mounts/{vault.mount}", {"type": "kv"})
        assert (taken.status_code, taken.json()) == (400, {"errors": [f"path is already in use at {vault.mount}/"]})

    def test_a_mount_is_visible_to_those_who_have_any_right_in_it(self, vault: Vault) -> None:
        below = vault.limited('path "MOUNT/data/a" { capabilities = ["read"] }')
        for path in ("", "/data/a", "/elsewhere"):
            shown = below("GET", f"sys/internal/ui/mounts/{vault.mount}{path}").json()["data"]
            assert (shown["path"], shown["type"], shown["options"]) == (f"{vault.mount}/", "kv", {"version": "2"})
        stranger = vault.limited('path "other/*" { capabilities = ["read"] }')
        answer = stranger("GET", f"sys/internal/ui/mounts/{vault.mount}")
        assert answer.status_code == 403
        assert answer.json()["errors"][0].startswith("preflight capability check returned 403")

    def test_no_such_mount(self, vault: Vault) -> None:
        answer = vault("GET", "nowhere/data/a")
        text = 'no handler for route "nowhere/data/a". route entry not found.'
        assert (answer.status_code, answer.json()) == (404, {"errors": [text]})
