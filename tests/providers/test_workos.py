"""What is WorkOS's own: its settings, marks, refusals, rights and costs. The contract is in tests/contract."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from keysteward.core.contract.facets import PreparesOverlap, Suspends
from keysteward.core.contract.observed import Mark, ObservedObject, ObservedSecret, Settings
from keysteward.core.contract.ports import Action, Claim, Created, Issued, ObjectRef, Order, Proof, ScopeWant
from keysteward.core.errors import AccessDenied, Conflict, DeclarationError, NotFound, Rejected, Unavailable
from keysteward.host.material import material_of
from keysteward.providers.workos import WorkOS
from keysteward.providers.workos.models import mark_in, with_mark, without_mark
from keysteward.sandbox import WorkOSStandIn
from keysteward.sandbox.faults import Fault
from keysteward.sandbox.workos import tokens

MARK = Mark("acme/prod/exporter", "0123456789abcdef")
PLAIN = Settings("client_secret", scopes=frozenset({"invoices:read"}), description="Nightly export")
GIVEN: dict[str, Any] = {"authkit_domain": "acme.authkit.app", "client_id": "client_env", "admin": "env:WORKOS_ADMIN"}


class Environment:
    """A stand-in's environment with one organization and one permission, as a target."""

    def __init__(self, stand_in: WorkOSStandIn, patch: pytest.MonkeyPatch) -> None:
        self.stand_in = stand_in
        patch.setenv("WORKOS_ADMIN", stand_in.api_key)
        patch.setenv("WORKOS_READER", stand_in.api_key)
        self.organization = stand_in.add_organization("Acme")
        stand_in.add_permission("invoices:read")
        self.target = self.declared()

    def declared(self, **fields: object) -> WorkOS:
        url = self.stand_in.url
        given = {**GIVEN, "url": url, "authkit_domain": url, "client_id": self.stand_in.client_id}
        return WorkOS("customers", **{**given, "organization": self.organization, **fields})

    def application(self) -> Created:
        return self.target.create("exporter", PLAIN, MARK, None)

    def mint(self, remote_id: str | None = None, **fields: Any) -> Issued:  # noqa: ANN401 - forwarded
        order = Order(Action.MINT, name="acme/prod/key 1 nonce", **fields)
        return self.target.issue(remote_id or self.organization, order)

    def look(self, remote_id: str) -> ObservedObject:
        found = self.target.look(ObjectRef(remote_id, remote_id), None)
        assert found is not None
        return found

    def description(self, made: Created) -> str | None:
        kept = self.stand_in.environment.applications.get(made.remote_id)
        assert kept is not None
        return kept.description

    def refuse(self, path: str, status: int, *, method: str = "*", **fields: Any) -> None:  # noqa: ANN401 - forwarded
        self.stand_in.faults.add(Fault(kind="status", method=method, path=path, status=status, times=None, **fields))


@pytest.fixture
def workos(workos_stand_in: WorkOSStandIn, monkeypatch: pytest.MonkeyPatch) -> Environment:
    return Environment(workos_stand_in, monkeypatch)


# The declaration


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"url": "api.workos.com"}, "url must be the API's address"),
        ({"url": "https://sk_key@api.workos.com"}, "url must not hold a credential"),
        ({"url": "https://api.workos.com/v1"}, "url must be the API's address"),
        ({"authkit_domain": "acme.authkit.app/oauth2"}, "authkit_domain must be the AuthKit domain"),
        ({"client_id": ""}, "client_id must be the environment's client ID"),
        ({"organization": "Acme"}, "organization must be the id of an organization"),
        ({"admin": "sk_test_key"}, "admin must be a reference"),
        ({"reader": "sk_test_key"}, "reader must be a reference"),
    ],
)
def test_a_wrong_setting_is_one_sentence_that_repeats_no_value(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        WorkOS("customers", **{**GIVEN, **settings})
    assert refused.value.message.startswith(f"WorkOS 'customers': {sentence}")
    assert "sk_" not in refused.value.message


def test_a_target_is_made_again_from_its_descriptor() -> None:
    for fields in (
        {},
        {
            "reader": "env:WORKOS_READER",
            "organization": "org_1",
            "user_keys": True,
            "url": "https://api.workos-test.com",
        },
        {"environments": ["production"], "ca": "/etc/ssl/corp.pem"},
    ):
        target = WorkOS("customers", **{**GIVEN, **fields})
        assert target.descriptor.kind == "keysteward.providers.workos:WorkOS"
        assert WorkOS(**target.descriptor.settings) == target
    assert WorkOS("customers", **GIVEN).token_url == "https://acme.authkit.app/oauth2/token"


# Marks


@pytest.mark.parametrize("text", ["Nightly export", "", "Two [brackets] and more", "café — ünïcode"])
def test_a_mark_stands_at_the_end_of_a_description_and_comes_off_again(text: str) -> None:
    marked = with_mark(text, MARK)
    assert marked.endswith("[keysteward acme/prod/exporter 0123456789abcdef]")
    assert (mark_in(marked), without_mark(marked)) == (MARK, text)
    other = Mark("acme/prod/other", "n")
    assert with_mark(marked, other) == with_mark(text, other)
    assert with_mark(marked, None) == text


@pytest.mark.parametrize("text", [None, "", "Made by keysteward", "[keysteward]", "[keysteward acme/prod/exporter]"])
def test_what_is_no_mark_is_none(text: str | None) -> None:
    assert mark_in(text) is None
    assert without_mark(text) == (text or "")


def test_the_mark_survives_what_a_person_writes_around_it(workos: Environment) -> None:
    made = workos.application()
    assert workos.description(made) == "Nightly export [keysteward acme/prod/exporter 0123456789abcdef]"
    kept = workos.stand_in.environment.applications.get(made.remote_id)
    assert kept is not None
    kept.description = f"ASK ANN FIRST {kept.description} (see wiki)"
    found = workos.look(made.remote_id)
    assert found.mark == MARK
    assert found.settings.description == "ASK ANN FIRST Nightly export (see wiki)"
    workos.target.update(made.remote_id, PLAIN, MARK)
    assert workos.description(made) == "Nightly export [keysteward acme/prod/exporter 0123456789abcdef]"
    kept.description = None
    assert workos.look(made.remote_id).mark is None
    workos.target.mark(made.remote_id, MARK)
    assert workos.description(made) == "[keysteward acme/prod/exporter 0123456789abcdef]"


# Applications


def test_the_client_id_is_workos_s_and_the_name_is_the_declared_one(workos: Environment) -> None:
    made = workos.application()
    assert made.client_id.startswith("client_")
    found = workos.look(made.remote_id)
    assert (found.client_id, found.label, found.within) == (made.client_id, "exporter", workos.organization)
    again = workos.target.create("exporter", PLAIN, Mark(MARK.identity, "another attempt"), None)
    assert again.remote_id != made.remote_id, "names are not unique, and another attempt has an object of its own"


def test_an_application_needs_an_organization_that_exists(workos: Environment) -> None:
    with pytest.raises(Rejected, match=r'write organization="org_\.\.\." on target customers'):
        workos.declared(organization=None).create("exporter", PLAIN, MARK, None)
    with pytest.raises(NotFound, match="organization org_gone does not exist in this environment"):
        workos.declared(organization="org_gone").create("exporter", PLAIN, MARK, None)


def test_the_sixth_secret_is_refused_by_name_and_five_go_on_working(workos: Environment) -> None:
    made = workos.application()
    issued = [workos.mint(made.remote_id) for _ in range(5)]
    with pytest.raises(Rejected) as refused:
        workos.mint(made.remote_id)
    assert refused.value.message == f"application {made.remote_id} has all its 5 client secrets; end one of them first"
    for one in issued:
        assert one.material is not None
        assert workos.target.verify(Claim(made.client_id, one.material, scopes=PLAIN.scopes)).good
    assert len(workos.look(made.remote_id).secrets) == 5


def test_the_last_use_of_each_secret_is_shown(workos: Environment) -> None:
    made = workos.application()
    silent, used = workos.mint(made.remote_id), workos.mint(made.remote_id)
    assert used.material is not None
    workos.target.verify(Claim(made.client_id, used.material))
    shown = {secret.id: secret.last_used for secret in workos.look(made.remote_id).secrets}
    assert shown[silent.id or ""] is None
    assert shown[used.id or ""] is not None


def test_an_application_that_logs_people_in_is_shown_and_only_its_secret_may_be_ours(workos: Environment) -> None:
    remote_id = workos.stand_in.add_application("Portal")
    found = workos.look(remote_id)
    assert found.settings.grants == {"authorization_code"}
    with pytest.raises(Rejected, match="declare a ClientSecret for its secret alone"):
        workos.target.update(remote_id, PLAIN, None)
    issued = workos.mint(remote_id)
    assert issued.material is not None
    proven = workos.target.verify(Claim(found.client_id, issued.material, token=False))
    assert (proven.proof, proven.reason) == (
        Proof.PROVEN,
        "authenticated; the application has no client_credentials grant",
    )
    assert workos.target.verify(Claim(found.client_id, issued.material)).proof is Proof.WRONG


def test_what_workos_cannot_do_is_refused_before_any_call(workos: Environment) -> None:
    calls = len(workos.stand_in.calls)
    target = workos.target
    wrong = (
        Settings("private_key_jwt"),
        Settings("client_secret", grants=frozenset({"password"})),
        Settings("client_secret", token_lifetime=300),
        Settings("client_secret", optional_scopes=frozenset({"invoices:read"})),
    )
    for want in wrong:
        with pytest.raises(Rejected):
            target.create("exporter", want, MARK, None)
    for act in (
        lambda: target.issue("conn_app_1", Order(Action.SET, material_of("client_secret", "ours"))),
        lambda: target.delete(workos.organization),
    ):
        with pytest.raises(Rejected):
            act()
    assert not isinstance(target, Suspends | PreparesOverlap)
    assert len(workos.stand_in.calls) == calls


# Keys


def test_a_key_carries_its_permissions_and_its_end(workos: Environment) -> None:
    end = datetime(2027, 3, 1, tzinfo=UTC)
    workos.stand_in.clock.set(datetime(2027, 1, 1, tzinfo=UTC))
    issued = workos.mint(scopes=frozenset({"invoices:read"}), expires=end)
    assert issued.material is not None
    (secret,) = workos.look(workos.organization).secrets
    assert (secret.id, secret.scopes, secret.expires_at) == (issued.id, {"invoices:read"}, end)
    claim = Claim(workos.organization, issued.material, secret_id=issued.id)
    assert workos.target.verify(claim).good
    workos.stand_in.clock.set(end)
    assert workos.target.verify(claim).proof is Proof.REFUSED


def test_a_permission_that_the_environment_does_not_know_is_named(workos: Environment) -> None:
    with pytest.raises(Rejected) as refused:
        workos.mint(scopes=frozenset({"invoices:read", "invoices:shred"}))
    assert refused.value.message == (
        "this environment has no permission invoices:shred; declare it in a ResourceServer"
    )
    assert workos.look(workos.organization).secrets == ()


def test_another_refusal_is_told_in_workos_s_words(workos: Environment) -> None:
    with pytest.raises(Rejected, match=r"create API key: WorkOS answered 422: Validation failed \(expires_at\)"):
        workos.mint(expires=datetime(2020, 1, 1, tzinfo=UTC))


def test_a_key_of_another_organization_or_another_key_is_wrong(workos: Environment) -> None:
    other = workos.stand_in.add_organization("Globex")
    issued = workos.mint()
    assert issued.material is not None
    wrong = workos.target.verify(Claim(other, issued.material))
    assert (wrong.proof, wrong.reason) == (Proof.WRONG, "it is a key of another organization")
    wrong = workos.target.verify(Claim(workos.organization, issued.material, secret_id="api_key_other"))
    assert (wrong.proof, wrong.reason) == (Proof.WRONG, f"it is the value of another key, {issued.id}")


def test_keys_of_people_are_observed_when_asked_for_at_one_call_each(workos: Environment) -> None:
    stand_in = workos.stand_in
    other = stand_in.add_organization("Globex")
    ann = stand_in.add_user("ann@example.com", organizations=[workos.organization, other])
    stand_in.add_user("member@example.com", organizations=[other])
    here, _ = stand_in.add_api_key("laptop", organization=workos.organization, user=ann)
    there, _ = stand_in.add_api_key("phone", organization=other, user=ann)
    before = len(stand_in.calls)
    assert {o.holder for o in workos.target.observe(None).objects} == {"organization"}
    without = len(stand_in.calls) - before
    target = workos.declared(user_keys=True)
    people = [o for o in target.observe(None).objects if o.holder == "user"]
    assert len(stand_in.calls) - before - without == without + 1 + 2
    assert {(o.within, o.label, *(s.id for s in o.secrets)) for o in people} == {
        (workos.organization, "ann@example.com", here),
        (other, "ann@example.com", there),
    }
    for person in people:
        found = target.look(ObjectRef(person.client_id), None)
        assert found is not None
        assert found.secrets == person.secrets
    assert target.look(ObjectRef("user_none@org_none"), None) is None


def test_a_key_of_a_person_ends_by_its_own_endpoint(workos: Environment) -> None:
    ann = workos.stand_in.add_user("ann@example.com", organizations=[workos.organization])
    theirs, value = workos.stand_in.add_api_key("laptop", organization=workos.organization, user=ann)
    claim = Claim(f"{ann}@{workos.organization}", material_of("api_key", value), token=False, secret_id=theirs)
    assert workos.target.verify(claim).good
    workos.target.retire(f"{ann}@{workos.organization}", ObservedSecret(theirs, "key"))
    assert workos.target.verify(claim).proof is Proof.REFUSED
    workos.target.retire(f"{ann}@{workos.organization}", ObservedSecret(theirs, "key"))


def test_the_kind_of_an_id_says_how_a_secret_ends_whoever_holds_it(workos: Environment) -> None:
    """A ledger knows the id; its holder may be gone from view, or noted under another name."""
    made, key = workos.application(), workos.mint()
    secret = workos.mint(made.remote_id)
    workos.target.retire("org_gone", ObservedSecret(secret.id or "", "key"))
    workos.target.retire("conn_app_gone", ObservedSecret(key.id or "", "key"))
    assert workos.look(made.remote_id).secrets == ()
    assert workos.look(workos.organization).secrets == ()
    before = len(workos.stand_in.calls)
    with pytest.raises(Rejected, match=r"'primary' of conn_app_1 is neither an API key .* nor a client secret"):
        workos.target.retire("conn_app_1", ObservedSecret("primary", "primary"))
    assert len(workos.stand_in.calls) == before


def test_a_person_gets_no_key_from_here(workos: Environment) -> None:
    ann = workos.stand_in.add_user("ann@example.com", organizations=[workos.organization])
    before = len(workos.stand_in.calls)
    for holder in (ann, f"{ann}@{workos.organization}"):
        with pytest.raises(Rejected) as refused:
            workos.mint(holder)
        assert refused.value.message == (
            f"{holder} is no organization (org_...), and only organizations get keys from here; keys of people are "
            "observed and governed"
        )
        with pytest.raises(Rejected, match="holds keys, and is nobody's to delete here"):
            workos.target.delete(holder)
    assert len(workos.stand_in.calls) == before


def test_a_throttled_key_is_asked_for_again_and_made_once(workos: Environment) -> None:
    path = f"/organizations/{workos.organization}/api_keys"
    workos.stand_in.faults.add(Fault(kind="status", method="POST", path=path, status=429, headers={"Retry-After": "0"}))
    issued = workos.mint()
    assert [secret.id for secret in workos.look(workos.organization).secrets] == [issued.id]


def test_a_list_goes_over_pages_and_leaves_out_what_is_deleted_meanwhile(workos: Environment) -> None:
    ids = [workos.stand_in.add_organization(f"Customer {number}") for number in range(104)]
    for number in range(120):
        workos.stand_in.add_api_key(f"key {number}", organization=ids[0])
    workos.refuse(f"/organizations/{ids[1]}", 404)
    observed = workos.target.observe(None)
    assert {o.remote_id for o in observed.objects} == {*ids, workos.organization} - {ids[1]}
    assert len({s.id for s in observed.by_id[ids[0]].secrets}) == 120


def test_what_is_there_and_cannot_be_listed_is_an_error_and_never_empty(workos: Environment) -> None:
    """As with an address that answers as WorkOS does and lacks calls."""
    made = workos.application()
    person = workos.stand_in.add_user("person@example.com")
    target = workos.declared(user_keys=True)
    for path, of in (
        (f"/organizations/{workos.organization}/api_keys", f"organization {workos.organization}"),
        (f"/connect/applications/{made.remote_id}/client_secrets", f"application {made.remote_id}"),
        (f"/user_management/users/{person}/api_keys", f"user {person}"),
    ):
        workos.stand_in.faults.clear()
        workos.refuse(path, 404)
        with pytest.raises(Unavailable, match=f"WorkOS has {of}, and answers 404 for what it holds; see that `url`"):
            target.observe(None)


# The catalogue


def want(**fields: Any) -> ScopeWant:  # noqa: ANN401 - forwarded
    given = {"name": "reports:read", "description": "Read reports", "audience": "client_sandbox", "mark": MARK}
    return ScopeWant(**{**given, **fields})


def test_a_permission_of_workos_s_own_is_never_touched(workos: Environment) -> None:
    own = workos.target.observe(None).scope_by_name["widgets:api-keys:manage"]
    for remote_id in (None, own.remote_id):
        with pytest.raises(Conflict, match="'widgets:api-keys:manage' is WorkOS's own; choose another name"):
            workos.target.put_scope(want(name="widgets:api-keys:manage"), remote_id)
    with pytest.raises(Conflict, match="is WorkOS's own and stays"):
        workos.target.drop_scope(own.remote_id)
    assert workos.target.observe(None).scope_by_name["widgets:api-keys:manage"] == own


def test_a_permission_made_anew_by_somebody_else_is_not_dropped(workos: Environment) -> None:
    ours = workos.target.put_scope(want(), None)
    kept = workos.stand_in.environment.permissions
    found = kept.get(ours)
    assert found is not None
    kept.drop(found, workos.stand_in.clock.now())
    theirs = workos.stand_in.add_permission("reports:read")
    workos.target.drop_scope(ours)
    assert workos.target.observe(None).scope_by_name["reports:read"].remote_id == theirs
    with pytest.raises(NotFound, match="'reports:read' is not the one it was any more"):
        workos.target.put_scope(want(), ours)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"audience": "https://api.example.com"}, "every token of this environment is for 'client_sandbox'"),
        ({"name": "r" * 49}, "has 49 characters, and a slug at most 48; shorten it"),
        ({"description": "R" * 103}, "is 2 characters too long: WorkOS holds 150, the mark of acme/prod/exporter"),
    ],
)
def test_what_a_permission_cannot_hold_is_told_before_any_call(
    workos: Environment, fields: dict[str, object], sentence: str
) -> None:
    before = len(workos.stand_in.calls)
    with pytest.raises(Rejected, match=sentence):
        workos.target.put_scope(want(**fields), None)
    assert len(workos.stand_in.calls) == before
    workos.target.put_scope(want(description="R" * 101), None)


# Refusals


@pytest.mark.parametrize(
    ("status", "kind", "sentence"),
    [
        (401, AccessDenied, "WorkOS refuses the admin key (env:WORKOS_ADMIN); put the value of a living API key"),
        (403, AccessDenied, "the admin key (env:WORKOS_ADMIN) may not do this; give it the right"),
        (404, NotFound, "it does not exist in this environment, or not any more; run again"),
        (422, Rejected, "WorkOS answered 422: fault on request"),
        (500, Unavailable, "WorkOS answered 500; see its status page, then run again"),
    ],
)
def test_each_refusal_is_one_sentence(workos: Environment, status: int, kind: type[Exception], sentence: str) -> None:
    workos.refuse("/connect/applications", status)
    with pytest.raises(kind) as refused:
        workos.target.observe(None)
    assert str(refused.value).startswith(f"list applications: {sentence}")
    assert "[target=customers operation=list applications request_id=" in str(refused.value)
    assert workos.stand_in.api_key not in str(refused.value)


def test_throttling_is_waited_for_when_short_and_told_when_long(workos: Environment) -> None:
    workos.stand_in.faults.add(Fault(kind="status", path="/organizations$", status=429, headers={"Retry-After": "0"}))
    assert workos.target.observe(None).objects
    workos.refuse("/organizations$", 429, headers={"Retry-After": "120"})
    with pytest.raises(Unavailable, match=r"WorkOS limits the calls of the admin key .*; run again in 120 s"):
        workos.target.observe(None)


@pytest.mark.parametrize("value", ["sk_one sk_two", "sk_kéy", "sk_\x01"])
def test_a_key_that_is_none_is_told_without_its_value(
    workos: Environment, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("WORKOS_ADMIN", value)
    with pytest.raises(AccessDenied, match=r"put the (token|credential) there, and nothing else") as refused:
        workos.target.observe(None)
    assert value not in str(refused.value)


def test_a_wrong_authkit_domain_is_told(workos: Environment) -> None:
    made = workos.application()
    issued = workos.mint(made.remote_id)
    assert issued.material is not None
    workos.refuse("/oauth2/token", 404)
    with pytest.raises(NotFound, match="answers 404 to: ask for a token; correct `authkit_domain`"):
        workos.target.verify(Claim(made.client_id, issued.material))


def test_a_scope_that_is_not_granted_is_wrong(workos: Environment) -> None:
    made = workos.application()
    issued = workos.mint(made.remote_id)
    assert issued.material is not None
    wrong = workos.target.verify(Claim(made.client_id, issued.material, scopes=frozenset({"invoices:shred"})))
    assert (wrong.proof, wrong.reason) == (Proof.WRONG, "a scope is not granted to the application")


# Rights and secrets


def test_diagnose_says_what_a_key_may_and_that_none_only_reads(workos: Environment) -> None:
    checks = {check.subject: check for check in workos.declared(reader="env:WORKOS_READER").diagnose()}
    assert [check for check in checks.values() if not check.ok] == []
    assert checks["customers: admin"].detail == "may write; it reaches everything in the environment, people too"
    reader = list(workos.declared(reader="env:WORKOS_READER").as_reader().diagnose())
    (warned,) = [check for check in reader if not check.ok]
    assert warned.warning
    assert warned.detail == "can write: WorkOS has no keys that only read, so keep it as safe as the runner's"
    (unread,) = [check for check in workos.target.diagnose() if not check.ok]
    assert unread.detail.startswith("no reader is declared")


def test_diagnose_names_what_is_missing(workos: Environment) -> None:
    broken = workos.declared(organization="org_gone", reader="env:WORKOS_READER")
    (gone,) = [check for check in broken.diagnose() if not check.ok]
    assert (gone.detail, gone.warning) == ("org_gone does not exist; correct it", False)
    workos.refuse("/api_keys/", 403, method="DELETE")
    target = workos.declared(reader="env:WORKOS_READER")
    (lacking,) = [check for check in target.diagnose() if not check.ok]
    assert lacking.detail == "may not delete API keys; give it that right"
    assert [check for check in target.as_reader().diagnose() if not check.ok] == []
    workos.refuse("/connect/applications", 403)
    failed = list(target.diagnose())[-1]
    assert "may not do this" in failed.detail
    assert not failed.ok


def test_diagnose_names_the_issuer_when_tokens_come_from_a_domain_of_one_s_own(
    workos: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "issuer", lambda _request: "https://login.acme.com")
    (wrong,) = [check for check in workos.target.diagnose() if not check.ok and not check.warning]
    assert wrong.subject == "customers: authkit_domain"
    assert wrong.detail == "tokens name the issuer https://login.acme.com; write that domain"
    made = workos.application()
    issued = workos.mint(made.remote_id)
    assert issued.material is not None
    found = workos.target.verify(Claim(made.client_id, issued.material))
    assert (found.proof, found.reason) == (Proof.WRONG, "the token names another issuer than the target's")


def test_no_value_shows_in_logs_errors_or_reprs(workos: Environment, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made = workos.application()
    secret, key = workos.mint(made.remote_id), workos.mint()
    assert secret.material is not None
    assert key.material is not None
    workos.target.verify(Claim(made.client_id, secret.material))
    workos.target.verify(Claim(workos.organization, key.material))
    workos.refuse("/api_keys/validations", 422)
    with pytest.raises(Rejected) as refused:
        workos.target.verify(Claim(workos.organization, key.material))
    workos.target.retire(workos.organization, ObservedSecret(key.id or "", "key"))
    told = caplog.text + repr(refused.value) + repr((secret, key)) + repr(workos.target)
    for value in (secret.material, key.material):
        assert value.value.get_secret_value() not in told
    assert workos.stand_in.api_key not in told
