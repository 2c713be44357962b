"""A first look at a target: each credential once, and each finding on its bad and on its good side."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from keysteward.core.contract.capabilities import Capabilities
from keysteward.core.contract.observed import Mark, Observation, ObservedObject, ObservedScope, ObservedSecret, Settings
from keysteward.core.drift.inventory import InventoryEntry, Standing
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.policy import RULES
from keysteward.report.inventory.first_look import first_look

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
REALM = Capabilities(
    methods=("client_secret", "private_key_jwt"), last_use="client", safeguards={"fullScopeAllowed": "false"}
)
KEYS = Capabilities(methods=("api_key",), secrets=1_000, last_use="secret", immutable=("scopes", "expires"))
PAIRS = Capabilities(methods=("api_key",), secrets=2, last_use="secret", federation="a role that is assumed")
SOUND = Settings("private_key_jwt", safeguards={"fullScopeAllowed": "false"})


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def secret(days: float = 10, id_: str = "primary", slot: str = "primary", **fields: object) -> ObservedSecret:
    return ObservedSecret(id_, slot, created_at=ago(days), **fields)  # type: ignore[arg-type]


def client(*secrets: ObservedSecret, settings: Settings = SOUND, **fields: object) -> ObservedObject:
    given: dict[str, object] = {"last_used": ago(1), "enabled": True, **fields}
    return ObservedObject("id-1", "etl", settings=settings, secrets=secrets or (secret(),), **given)  # type: ignore[arg-type]


def key(days: float = 10, id_: str = "k1", **fields: object) -> ObservedSecret:
    given: dict[str, object] = {"last_used": ago(1), "expires_at": NOW + timedelta(days=100), **fields}
    return secret(days, id_, "key", **given)


def holder(*keys: ObservedSecret) -> ObservedObject:
    settings = Settings("none", grants=frozenset())
    return ObservedObject("org_1", "org_1", True, settings, keys, holder="organization", label="Northwind")


def look(
    *objects: ObservedObject, keys: Capabilities = KEYS, scopes: tuple[ObservedScope, ...] = ()
) -> list[InventoryEntry]:
    seen = Observation("corp", NOW, objects=objects, scopes=scopes)
    return list(first_look(seen, REALM, keys, NOW).entries)


def found(*objects: ObservedObject, keys: Capabilities = KEYS) -> tuple[Finding, ...]:
    return tuple(finding for entry in look(*objects, keys=keys) for finding in entry.findings)


def told(*objects: ObservedObject, keys: Capabilities = KEYS) -> list[str]:
    return [f"{f.rule or f.kind}: {f.message}" for f in found(*objects, keys=keys)]


# What is listed


def test_every_client_and_every_key_is_listed_once_by_name() -> None:
    entries = look(client(), holder(key(id_="k2", name="B"), key(id_="k1", name="a")))
    assert [(e.name, e.kind, e.standing.value) for e in entries] == [
        ("a", "API key", "unmanaged"),
        ("B", "API key", "unmanaged"),
        ("etl", "M2M client", "unmanaged"),
    ]
    assert entries[0].label == "Northwind"
    assert entries[0].clients == ("org_1",)
    assert "at target corp only, by an administrator: disable or delete key k1" in entries[0].revoke


def test_keys_that_are_over_and_the_holders_other_secrets_are_left_out() -> None:
    over = key(id_="k2", expires_at=ago(1))
    password = secret(id_="login", slot="password")
    assert [e.key_ids for e in look(holder(key(), over, password))] == [("k1",)]


@pytest.mark.parametrize(
    ("item", "standing", "identity"),
    [
        (client(), Standing.UNMANAGED, None),
        (client(mark=Mark("acme/prod/etl", "n")), Standing.ELSEWHERE, "acme/prod/etl"),
        (client(built_in=True, settings=replace(SOUND, grants=frozenset())), Standing.BUILT_IN, None),
        (client(built_in=True), Standing.UNMANAGED, None),
        (holder(key(name="acme/prod/partner 3 nonce")), Standing.ELSEWHERE, "acme/prod/partner"),
        (holder(key(name="partner")), Standing.UNMANAGED, None),
    ],
)
def test_standing_is_what_the_object_itself_says(
    item: ObservedObject, standing: Standing, identity: str | None
) -> None:
    [entry] = look(item)
    assert (entry.standing, entry.identity) == (standing, identity)


@pytest.mark.parametrize(
    ("grants", "secrets", "kind", "interactive"),
    [
        ({"client_credentials"}, (secret(),), "M2M client", False),
        ({"authorization_code"}, (secret(),), "login client", True),
        ({"password"}, (), "login client", True),
        (set(), (), "client without secret", False),
    ],
)
def test_kind_says_whether_people_log_in(
    grants: set[str], secrets: tuple[ObservedSecret, ...], kind: str, *, interactive: bool
) -> None:
    [entry] = look(replace(client(), settings=replace(SOUND, grants=frozenset(grants)), secrets=secrets))
    assert (entry.kind, entry.interactive) == (kind, interactive)


def test_it_says_what_a_client_reaches_by_the_targets_own_catalogue() -> None:
    billing = "https://billing.example.com"
    scopes = (
        ObservedScope("1", "invoices:read", audience=billing),
        ObservedScope("2", "invoices:write", audience=billing),
        ObservedScope("3", "profile", audience="account", built_in=True),
        ObservedScope("4", "loose"),
    )
    settings = replace(
        SOUND, scopes=frozenset({"invoices:read", "profile", "loose"}), optional_scopes=frozenset({"invoices:write"})
    )
    [entry] = look(client(settings=settings), scopes=scopes)
    assert entry.reaches == (f"{billing}: invoices:read, invoices:write",)


def test_how_many_secrets_there_are_is_not_said_where_they_are_hidden() -> None:
    seen = Observation(
        "corp", NOW, objects=(client(settings=replace(SOUND, method="client_secret")),), secrets_shown=False
    )
    [entry] = first_look(seen, REALM, None, NOW).entries
    assert entry.secrets is None


# What is found


def test_a_sound_client_and_a_sound_key_have_no_findings() -> None:
    assert found(client()) == ()
    assert found(holder(key())) == ()


def test_what_belongs_to_the_target_itself_is_not_judged() -> None:
    grants = frozenset({"password"})
    assert found(client(secret(9_000), built_in=True, settings=replace(SOUND, grants=grants))) == ()


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (client(secret(211)), "KS014: its secret is 211 days old; for an M2M client the rule is 210d at most"),
        (holder(key(105)), "KS014: it is 105 days old; for an API key the rule is 104d at most"),
    ],
)
def test_an_old_secret(item: ObservedObject, expected: str) -> None:
    assert told(item) == [expected]


def test_secrets_that_are_not_too_old() -> None:
    assert found(client(secret(210))) == ()
    assert found(holder(key(104))) == ()
    assert found(client(ObservedSecret("kid-1", "key"))) == ()


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (client(secret(200), last_used=ago(91)), "KS030: last used 91 days ago; the rule is 90d at most"),
        (
            client(secret(91), last_used=None),
            "KS030: not used since its secret was made 91 days ago; the rule is 90d at most",
        ),
        (holder(key(100, last_used=ago(61))), "KS030: last used 61 days ago; the rule is 60d at most"),
    ],
)
def test_what_nobody_uses(item: ObservedObject, expected: str) -> None:
    assert told(item) == [expected]
    assert found(item)[0].kind is Kind.UNUSED


def test_what_is_used_or_new_or_cannot_be_known() -> None:
    assert found(client(secret(200), last_used=ago(89))) == ()
    assert found(client(secret(89), last_used=None)) == ()
    assert found(client(ObservedSecret("kid-1", "key"), last_used=None)) == ()
    assert found(holder(key(80, last_used=None)), keys=replace(KEYS, last_use=None)) == ()


@pytest.mark.parametrize(
    ("scope", "what"), [("orders:*", "a wildcard"), ("users:admin", "an administrator's rights"), ("root", "all")]
)
def test_a_scope_that_is_everything(scope: str, what: str) -> None:
    start = f"KS016: scope '{scope}' is {what}"
    [asked] = told(client(settings=replace(SOUND, optional_scopes=frozenset({scope, "a:read"}))))
    [held] = told(holder(key(scopes=frozenset({scope}))))
    assert asked.startswith(start)
    assert held.startswith(start)


def test_an_ordinary_scope_and_one_that_the_target_lets_every_client_ask_for() -> None:
    assert found(client(settings=replace(SOUND, scopes=frozenset({"admin-reports:read"})))) == ()
    own = (ObservedScope("1", "offline_access", built_in=True),)
    [entry] = look(client(settings=replace(SOUND, optional_scopes=frozenset({"offline_access"}))), scopes=own)
    assert entry.findings == ()
    [entry] = look(client(settings=replace(SOUND, scopes=frozenset({"offline_access"}))), scopes=own)
    assert [f.rule for f in entry.findings] == ["KS016"]


def test_several_secrets() -> None:
    assert told(client(secret(60), secret(40, "second"))) == [
        "KS012: it has 2 secrets that work, the newest is 40 days old; the rule is 30d together at most"
    ]
    assert told(client(secret(60), secret(20, "second"))) == ["several secrets: it has 2 secrets that work"]
    assert found(client(secret(60), secret(20, "second", enabled=False))) == ()
    assert found(client(secret(60), secret(20, "second", expires_at=ago(1)))) == ()


def test_several_keys_count_where_a_holder_takes_two() -> None:
    two = holder(key(60), key(40, "k2"))
    found_ = told(two, keys=replace(PAIRS, federation=""))
    assert [text for text in found_ if text.startswith("KS012")] == [
        "KS012: its holder has 2 keys that work, the newest is 40 days old; the rule is 14d together at most"
    ] * 2
    assert found(two) == ()


def test_a_disabled_client_or_key_that_was_kept() -> None:
    assert told(client(enabled=False)) == [
        "left disabled: it is disabled and keeps its secrets: whoever enables it makes them work again"
    ]
    assert told(holder(key(enabled=False))) == [
        "left disabled: it is disabled and has not ended: whoever enables it makes it work again"
    ]
    assert found(replace(client(enabled=False), secrets=())) == ()


def test_a_key_without_end() -> None:
    assert told(holder(key(expires_at=None))) == ["KS010: it never expires"]
    assert found(holder(key(expires_at=None)))[0].severity is Severity.WARNING
    [noted] = found(holder(key(expires_at=None)), keys=replace(KEYS, immutable=()))
    assert noted.severity is Severity.NOTE
    assert noted.message == "it never expires: target corp has no last day for keys"
    assert told(holder(key(expires_at=NOW + timedelta(days=800)))) == [
        "KS010: it ends on 2029-02-02; an API key lives 730d at most"
    ]


def test_a_key_where_there_is_something_better() -> None:
    assert told(holder(key()), keys=PAIRS) == ["KS023: it is an API key, and target corp has a role that is assumed"]


def test_a_secret_where_a_key_pair_would_do() -> None:
    by_secret = replace(SOUND, method="client_secret")
    assert told(client(settings=by_secret)) == [
        "KS022: it uses a secret, and target corp takes key pairs, which never travel"
    ]
    assert found(client(settings=replace(by_secret, grants=frozenset({"authorization_code"})))) == ()


def test_tokens_that_live_long() -> None:
    assert told(client(settings=replace(SOUND, token_lifetime=7_200))) == [
        "KS015: its tokens live 2h; the rule is 1h at most"
    ]
    assert found(client(settings=replace(SOUND, token_lifetime=3_600))) == ()


@pytest.mark.parametrize("grant", ["password", "implicit"])
def test_a_grant_of_the_past(grant: str) -> None:
    grants = SOUND.grants | {grant}
    [text] = told(client(settings=replace(SOUND, grants=grants)))
    assert text.startswith("outdated grant: ")
    assert f"(grant {grant}, which RFC 9700" in text
    assert found(client(settings=replace(SOUND, grants=SOUND.grants | {"authorization_code"}))) == ()


def test_a_safeguard_that_is_off() -> None:
    off = {"fullScopeAllowed": "true"}
    assert told(client(settings=replace(SOUND, safeguards=off))) == [
        "too wide: fullScopeAllowed is true; for a machine's client it should be false"
    ]
    login = replace(SOUND, safeguards=off, grants=frozenset({"authorization_code"}))
    assert found(client(settings=login)) == ()


def test_a_finding_says_what_it_is_about_and_what_mends_it() -> None:
    everything = client(
        secret(400),
        secret(300, "second"),
        enabled=False,
        last_used=None,
        settings=Settings(
            "client_secret",
            frozenset({"*"}),
            token_lifetime=9_999,
            grants=frozenset({"password", "client_credentials"}),
        ),
    )
    findings = (*found(everything), *found(holder(key(300, expires_at=None, scopes=frozenset({"*"}), last_used=None))))
    assert {f.rule for f in findings} >= {"KS010", "KS012", "KS014", "KS015", "KS016", "KS030"}
    for finding in findings:
        assert finding.mend
        assert finding.subject in {"corp: etl", "corp: k1"}
        assert "waive" not in finding.mend
        if finding.rule:
            assert finding.kind is RULES[finding.rule].kind
