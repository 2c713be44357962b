"""Every numbered rule on its good and its bad side, and what levels, waivers and owners make of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date

import pytest
from policy_stack import (
    API,
    BOTH,
    CLOUD,
    CORP,
    LABORATORY,
    NO_LIST,
    OWNERS,
    PLAIN,
    SECOND,
    SECRETS,
    Scene,
    client,
    every,
    exception,
    in_days,
    key,
    scene,
    secret,
    server,
    transition,
    used,
    waiver,
)

from keysteward import Allowed, Bootstrap, Governed, Owner, Owners
from keysteward.core.declare.credentials import Declaration
from keysteward.core.declare.owners import UNASSIGNED
from keysteward.core.errors import DeclarationError
from keysteward.core.findings import Finding, Kind, Severity
from keysteward.core.policy import RULES

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE

SEVERITIES = {
    **dict.fromkeys(("KS001", "KS002", "KS005"), (ERROR, ERROR)),
    **dict.fromkeys(("KS003", "KS004", "KS007", "KS008", "KS014", "KS016"), (WARNING, WARNING)),
    **dict.fromkeys(("KS019", "KS020", "KS021", "KS027", "KS030", "KS031"), (WARNING, WARNING)),
    **dict.fromkeys(("KS006", "KS009", "KS011", "KS012", "KS013", "KS018"), (NOTE, WARNING)),
    **dict.fromkeys(("KS010", "KS024", "KS025", "KS026", "KS029"), (None, WARNING)),
    **dict.fromkeys(("KS023", "KS028"), (None, NOTE)),
    "KS015": (WARNING, None),
    "KS017": (NOTE, NOTE),
    "KS022": (NOTE, None),
}


@dataclass(frozen=True)
class Sides:
    """What keeps a rule, and what breaks it, by the words that are said of it."""

    good: tuple[Scene, ...]
    bad: dict[str, Scene]


def orders(*scopes: str) -> dict[object, list[str]]:
    """Return access to an API of scopes, all of them granted."""
    return {server(*scopes, name="orders-api"): list(scopes)}


def production_and_test(**test: object) -> Scene:
    return scene(client(), client("tester", environment="test", **test))


LISTED = "billing-lead, orders-lead, team-billing, team-moved, team-sold"
SIDES: dict[str, Sides] = {
    "KS001": Sides(
        (scene(client()), scene(key(owner="billing-lead")), scene(client(owner=UNASSIGNED))),
        {
            f"owner: 'team-x' is not in the owners file (it lists {LISTED})": scene(client(owner="team-x")),
            "owner: 'team-x' is not in the owners file (it lists nobody)": scene(key(owner="team-x"), owners=Owners()),
        },
    ),
    "KS002": Sides(
        (scene(client()), scene(key(owner="team-moved")), scene(client(owner="billing-lead"))),
        {"owner: 'team-sold' is gone, and nobody answers in their place": scene(client(owner="team-sold"))},
    ),
    "KS003": Sides(
        (scene(client()), scene(client(owner="orders-lead")), scene(client(owner="team-sold"))),
        {
            "owner: 'billing-lead' leaves on 2026-12-11": scene(client(owner="billing-lead")),
            "owner: 'team-moved' is gone, and 'team-billing' answers in their place": scene(key(owner="team-moved")),
        },
    ),
    "KS004": Sides(
        (scene(client()), scene(client(owner=UNASSIGNED), owners=Owners())),
        {"owner: nobody answers for it yet; it needs an owner until 2027-01-30": scene(client(owner=UNASSIGNED))},
    ),
    "KS005": Sides(
        (scene(client()), scene(client(owner=UNASSIGNED))),
        {
            "owner: nobody answers for it, and the owners file has no unassigned_until": scene(
                client(owner=UNASSIGNED), owners=Owners()
            ),
            "owner: nobody answers for it, which was allowed until 2026-12-01": scene(
                key(owner=UNASSIGNED), owners=Owners(unassigned_until=in_days(0))
            ),
        },
    ),
    "KS006": Sides(
        (scene(client()),),
        {
            "consumer: nobody is named who uses it": scene(client(consumer=None)),
            "consumer: nobody is": scene(key(consumer=None)),
        },
    ),
    "KS007": Sides(
        (scene(client()), scene(client(consumer="anybody"), owners=NO_LIST), scene(client(consumer=None))),
        {"consumer: 'anybody' is not in the owners file": scene(client(consumer="anybody"))},
    ),
    "KS008": Sides(
        (
            scene(client()),
            scene(client(consumer="late-shop")),
            scene(client(consumer="old-shop", decommission=in_days(14))),
        ),
        {
            "consumer: 'old-shop' is retired": scene(client(consumer="old-shop")),
            "consumer: 'new-shop' is retired on 2026-12-21": scene(key(consumer="new-shop")),
        },
    ),
    "KS009": Sides(
        (
            scene(client(purpose="Invoice export")),
            scene(client(purpose="夜間請求書エクスポート")),
            scene(client("exporter", purpose="The exporter's own login")),
        ),
        {
            "purpose: 'Export' does not say what it is for": scene(client(purpose="Export")),
            "purpose: 'Billing exporter' does not": scene(client("billing_exporter", purpose="Billing exporter")),
            "purpose: 'x' does not say": scene(key(purpose="x")),
        },
    ),
    "KS010": Sides(
        (scene(key()), scene(key(expires=in_days(730))), scene(client(expires=in_days(4000)))),
        {"expires: it ends on 2036-11-28; an API key lives 730d at most": scene(key(expires=in_days(3650)))},
    ),
    "KS011": Sides(
        (
            scene(client(rotation=every("180d"))),
            scene(key(rotation=every("90d"))),
            scene(client(rotation=every("12h", "1h"))),
        ),
        {
            "rotation.every: it is 181d, for an M2M client the rule is 180d at most": scene(
                client(rotation=every("181d"))
            ),
            "rotation.every: it is 91d, for an API key the rule is 90d at most": scene(key(rotation=every("91d"))),
        },
    ),
    "KS012": Sides(
        (scene(client(rotation=every("90d", "30d"))), scene(key(rotation=every("60d", "14d")))),
        {
            "rotation.overlap: it is 31d, for an M2M client the rule is 30d at most": scene(
                client(rotation=every("90d", "31d"))
            ),
            "rotation.overlap: it is 15d, for an API key": scene(key(rotation=every("60d", "15d"))),
        },
    ),
    "KS013": Sides(
        (
            scene(client(rotation=every("90d", "1h"))),
            scene(secret(target=PLAIN, accept_gap=True, rotation=every("90d", "0s"))),
        ),
        {
            "rotation.overlap: it is 0, so that each rotation breaks": scene(client(rotation=every("90d", "0s"))),
            "rotation.overlap: it is 0": scene(key(rotation=every("60d", "0s"))),
            "rotation.overlap: it is": scene(secret(rotation=every("90d", "0s"))),
        },
    ),
    "KS014": Sides(
        (scene(client()), scene(client(), life=used(since=210)), scene(key(), life=used(since=104))),
        {
            "its secret is 211 days old; for an M2M client the rule is 210d at most": scene(
                client(), life=used(since=211)
            ),
            "its secret is 105 days old; for an API key the rule is 104d": scene(key(), life=used(since=105)),
        },
    ),
    "KS015": Sides(
        (scene(client()), scene(client(token_lifetime="1h")), scene(client(token_lifetime="5m"))),
        {"token_lifetime: its tokens live 1d; the rule is 1h at most": scene(client(token_lifetime="1d"))},
    ),
    "KS016": Sides(
        (scene(client()), scene(client(access=orders("orders:read", "all-hands:read", "owner:read")))),
        {
            "access: scope 'orders:*' is a wildcard": scene(client(access=orders("orders:*"))),
            "access: scope 'admin:org' is an administrator's rights": scene(client(access=orders("admin:org"))),
            "access: scope 'realm-admin' is an": scene(client(access={}, optional_access=orders("realm-admin"))),
            "access: scope 'all' is all that": scene(
                key(access={server("all", name="orders-api", target=key().target): "all"})
            ),
        },
    ),
    "KS017": Sides(
        (scene(client()), scene(client(access={}, optional_access={API: "invoices:read"})), scene(secret())),
        {
            "access: it names no resource server, so that nothing says for whom its tokens are": scene(
                client(access={})
            ),
            "access: it names": scene(key(access={})),
        },
    ),
    "KS018": Sides(
        (
            scene(client()),
            scene(client(consumer="Search and Discovery"), owners=NO_LIST),
            scene(client(consumer="Marks & Spencer"), owners=NO_LIST),
            scene(client(consumer="Acme, Inc."), owners=NO_LIST),
            scene(client(consumer="R&D"), owners=NO_LIST),
            scene(client(consumer="Sandra's warehouse, the one in Bonn"), owners=NO_LIST),
            scene(client(consumer="search, suggest")),
            scene(client(deliver_to=[SECRETS.path("apps/exporter"), SECOND.path("apps/exporter")])),
        ),
        {
            "consumer: 'billing, shipping' reads like more than one": scene(client(consumer="billing, shipping")),
            "consumer: 'billing; shipping' reads": scene(key(consumer="billing; shipping"), owners=NO_LIST),
            "consumer: 'warehouse-etl and crm-sync' reads": scene(client(consumer="warehouse-etl and crm-sync")),
            "deliver_to: it is delivered to 2 places: apps/a, apps/b": scene(
                client(deliver_to=[SECRETS.path("apps/a"), SECRETS.path("apps/b")])
            ),
        },
    ),
    "KS019": Sides(
        (
            scene(client(deliver_to=[SECRETS.path("prod/a"), SECRETS.path("b-production")])),
            scene(client(deliver_to=[SECRETS.path("apps/test-results"), SECRETS.path("apps/live-stream")])),
            scene(client(deliver_to=[SECRETS.path("apps/live-stream"), SECRETS.path("test/exporter")])),
            scene(client(deliver_to=[SECRETS.path("nonprod/a"), SECRETS.path("test/b")])),
        ),
        {
            "deliver_to: its places are of production, test": scene(
                client(deliver_to=[SECRETS.path("prod/exporter"), SECRETS.path("test/exporter")])
            ),
            "deliver_to: its places are of development, production": scene(
                key(deliver_to=[SECRETS.path("apps/a-prod"), LABORATORY.path("apps/a")])
            ),
        },
    ),
    "KS020": Sides(
        (
            production_and_test(access=orders("orders:read")),
            scene(client(), client("second")),
            scene(client(environment="test"), client("second", environment="staging")),
            scene(client(environment="prod-eu"), client("second", environment="live")),
        ),
        {
            "access: 'https://billing-api.example.com' is also what exporter of production uses": production_and_test(),
            "access: 'org-acme' is also what partner of production uses": scene(
                key(holder="org-acme"), key("tester", holder="org-acme", environment="test", access={})
            ),
            "access: 'https://billing-api.example.com' is": scene(
                client(environment="prod-eu"), client("tester", environment="test")
            ),
        },
    ),
    "KS021": Sides(
        (
            scene(client(deliver_to=SECRETS.path("prod/apps/exporter"))),
            scene(client(deliver_to=SECRETS.path("apps/test-results"))),
            scene(client(deliver_to=SECRETS.path("apps/live-stream")), client("tester", environment="test")),
            scene(client("load-test", deliver_to=SECRETS.path("apps/load-test"))),
            scene(client(environment="pre-prod", deliver_to=SECRETS.path("pre-prod/exporter"))),
            scene(client(environment="test", deliver_to=SECRETS.path("non-prod/exporter"))),
            scene(client(environment="qa", deliver_to=SECRETS.path("test/exporter"))),
            scene(client(environment="prod-eu", deliver_to=SECRETS.path("prod/exporter"))),
            scene(client(deliver_to=SECRETS.path("demography/stages/developers/tests/exporter"))),
        ),
        {
            "deliver_to: secrets:test/exporter is of test, and the credential of production": scene(
                client(deliver_to=SECRETS.path("test/exporter"))
            ),
            "deliver_to: secrets:apps/exporter-staging is of staging": scene(
                client(deliver_to=SECRETS.path("apps/exporter-staging"))
            ),
            "deliver_to: secrets:apps/nonprod/exporter is of non-production": scene(
                client(deliver_to=SECRETS.path("apps/nonprod/exporter"))
            ),
            "deliver_to: vault-dev:apps/partner is of development": scene(
                key(deliver_to=LABORATORY.path("apps/partner"))
            ),
            "deliver_to: secrets:us/exporter is of us, and the credential of eu": scene(
                client(environment="eu", deliver_to=SECRETS.path("us/exporter")), client("second", environment="us")
            ),
        },
    ),
    "KS022": Sides(
        (
            scene(client()),
            scene(
                client(
                    target=PLAIN, auth_method="client_secret", access={}, accept_gap=True, rotation=every("90d", "0s")
                )
            ),
            scene(secret()),
        ),
        {
            "auth_method: it uses a secret, and target corp takes key pairs": scene(
                client(auth_method="client_secret")
            ),
        },
    ),
    "KS023": Sides(
        (
            scene(key()),
            scene(client(), key(target=BOTH, access={}, classification=transition(30))),
            scene(key(target=BOTH, access={}, classification=Bootstrap(exchanged_for="a client"))),
        ),
        {
            "kind: it is an API key, and target both has M2M clients": scene(key(target=BOTH, access={})),
            "kind: it is an API key, and target cloud has OIDC federation": scene(key(target=CLOUD, access={})),
        },
    ),
    "KS024": Sides(
        (scene(client(), key(classification=transition(1))), scene(key(classification=exception(-1)))),
        {
            "classification: its consumer was to use client exporter by 2026-12-01": scene(
                client(), key(classification=transition(0))
            )
        },
    ),
    "KS025": Sides(
        (scene(key(classification=exception(1))), scene(client(), key(classification=transition(-1)))),
        {
            "classification: its exception was to be reviewed by 2026-12-01": scene(key(classification=exception(0))),
        },
    ),
    "KS026": Sides(
        (scene(key(classification=exception(180))), scene(client(), key(classification=transition(300)))),
        {
            "classification: its exception is reviewed by 2027-12-01, and the rule is every 180d": scene(
                key(classification=exception(365))
            )
        },
    ),
    "KS027": Sides(
        (
            scene(client()),
            scene(client(reviewed=in_days(-364))),
            scene(key(reviewed=in_days(-179))),
            scene(client(reviewed=in_days(1))),
        ),
        {
            "reviewed: the last review was on 2025-11-30, and an M2M client is reviewed every 365d": scene(
                client(reviewed=in_days(-366))
            ),
            "reviewed: the last review was on 2026-06-03, and an API key is reviewed every 180d": scene(
                key(reviewed=in_days(-181))
            ),
            "reviewed: 2029-08-27 is still to come": scene(client(reviewed=in_days(1000))),
        },
    ),
    "KS028": Sides(
        (scene(key()), scene(client())),
        {"reviewed: no review is noted; an API key is reviewed every 180d": scene(key(reviewed=None))},
    ),
    "KS029": Sides(
        (scene(key()), scene(key(runbook=None, environment="test")), scene(client(runbook=None))),
        {
            "runbook: there is none, and it is a production key": scene(key(runbook=None)),
            "runbook: there is none": scene(key(runbook=None, environment="prod-eu")),
        },
    ),
    "KS030": Sides(
        (
            scene(client()),
            scene(client(), life=used(last=90)),
            scene(client(), life=used(last=300, shows=False)),
            scene(key(), life=used(last=60)),
            scene(client(decommission=in_days(5)), life=used(last=300)),
        ),
        {
            "it was last used 91 days ago; the rule is 90d at most": scene(client(), life=used(last=91, since=400)),
            "it was last used 200 days ago; the": scene(client(), life=used(last=200, since=3)),
            "it was never seen in use since it was issued, 61 days ago; the rule is 60d": scene(
                key(), life=used(since=10, begun=61)
            ),
        },
    ),
    "KS031": Sides(
        (scene(client(waivers=[waiver("KS016", 1)])), scene(key(waivers=[waiver("KS016", 180)]))),
        {
            "waivers: the one for KS016 ended on 2026-12-01 (A migration is under way)": scene(
                client(waivers=[waiver("KS016", 0)])
            ),
            "waivers: the one for KS016 is until 2027-12-01; the rule is 180d at most": scene(
                key(waivers=[waiver("KS016", 365)])
            ),
        },
    ),
}

SIDES_OF_AN_OWNER = (next(iter(SIDES["KS001"].bad)), next(iter(SIDES["KS002"].bad)))
GOOD = [(number, good) for number, sides in SIDES.items() for good in sides.good]
BAD = [(number, words, bad) for number, sides in SIDES.items() for words, bad in sides.bad.items()]


def test_every_rule_has_a_good_side_a_bad_side_and_a_severity() -> None:
    assert set(SIDES) == set(RULES) == set(SEVERITIES)
    assert [number for number, sides in SIDES.items() if not sides.good or not sides.bad] == []


def test_what_is_sound_breaks_no_rule() -> None:
    assert scene(client(), key()).judged() == ()


@pytest.mark.parametrize(("number", "good"), GOOD, ids=[number for number, _ in GOOD])
def test_the_good_side(number: str, good: Scene) -> None:
    assert good.found(number) == []


@pytest.mark.parametrize(("number", "words", "bad"), BAD, ids=[f"{number} {words[:40]}" for number, words, _ in BAD])
def test_the_bad_side(number: str, words: str, bad: Scene) -> None:
    found = bad.found(number)
    assert len(found) == 1
    assert found[0].message.startswith(words)
    as_written = re.sub(r"\b(?:NAME|OWNER|OTHER)\b", r"\\S+", re.escape(RULES[number].mend))
    assert re.fullmatch(as_written, found[0].mend)
    assert "NAME" not in found[0].mend.replace("NAMES", "")
    assert "OWNER" not in found[0].mend
    specs = bad.stack.specs
    assert found[0].severity is SEVERITIES[number][specs[found[0].subject].key]


def test_severities_are_those_of_the_table() -> None:
    assert {number: (rule.client, rule.key) for number, rule in RULES.items()} == SEVERITIES


def test_every_rule_says_why_what_breaks_it_and_what_to_do() -> None:
    for rule in RULES.values():
        assert all((rule.title, rule.reason, rule.breaks, rule.mend, rule.owasp)), rule.number
        assert rule.reason.endswith(".")
        assert not rule.mend.endswith(".")
        assert rule.breaks.endswith((".", ")"))


def test_a_level_of_the_stack_counts_in_place_of_the_rules_own() -> None:
    many = scene(client(access=orders("admin:org")), key(consumer=None))
    assert [(f.rule, f.severity) for f in many.judged()] == [("KS016", WARNING), ("KS006", WARNING)]
    raised = scene(*many.declared, levels={"KS016": "error", "KS006": "note"})
    assert [(f.rule, f.severity) for f in raised.judged()] == [("KS016", ERROR), ("KS006", NOTE)]
    assert scene(*many.declared, levels={"KS016": "off", "KS006": "off"}).judged() == ()
    with pytest.raises(
        DeclarationError, match=r"^M2MClient 'exporter': access: scope 'admin:org' is an administrator's"
    ):
        raised.checked()


def test_a_level_brings_no_rule_to_a_kind_that_it_is_not_for() -> None:
    assert scene(client(), levels={"KS028": "error", "KS029": "error"}).judged() == ()


@pytest.mark.parametrize(
    ("levels", "sentence"),
    [
        ({"KS099": "error"}, "Stack 'acme/prod': levels: 'KS099' is no rule; keysteward rules lists them"),
        ({"ks016": "error"}, "Stack 'acme/prod': levels: 'ks016' is no rule; keysteward rules lists them"),
        ({"KS016": "fatal"}, "Stack 'acme/prod': levels: KS016 must be one of off, note, warning, error"),
        ({"KS001": "off"}, "Stack 'acme/prod': levels: KS001 is mandatory and cannot be lowered to off: A credential"),
        (
            {"KS005": "warning"},
            "Stack 'acme/prod': levels: KS005 is mandatory and cannot be lowered to warning: A date",
        ),
        ({"KS031": "note"}, "Stack 'acme/prod': levels: KS031 is mandatory and cannot be lowered to note: A waiver"),
    ],
)
def test_a_level_that_cannot_be_meant_is_an_error_before_any_call(levels: dict[str, str], sentence: str) -> None:
    with pytest.raises(DeclarationError) as error:
        scene(client(), levels=levels).checked(strict=False)
    assert str(error.value).startswith(sentence)


def test_a_mandatory_rule_can_be_raised() -> None:
    over = scene(client(waivers=[waiver("KS016", 0)]), levels={"KS031": "error", "KS001": "error"})
    assert [f.severity for f in over.judged()] == [ERROR]


def test_a_waiver_makes_a_note_that_says_until_when_by_whom_and_why() -> None:
    waived = scene(client(access=orders("admin:org"), waivers=[waiver("KS016")]), levels={"KS016": "error"})
    (finding,) = waived.checked()
    assert finding.severity is NOTE
    assert finding.waived
    assert finding.message == (
        "access: scope 'admin:org' is an administrator's rights "
        "(waived until 2027-03-01 by security: A migration is under way)"
    )


def test_a_waiver_ends_on_its_day_and_the_rule_counts_again() -> None:
    over = scene(client(access=orders("admin:org"), waivers=[waiver("KS016", 0)]))
    assert [(f.rule, f.severity, f.waived) for f in over.judged()] == [
        ("KS016", WARNING, False),
        ("KS031", WARNING, False),
    ]
    tomorrow = scene(client(access=orders("admin:org"), waivers=[waiver("KS016", 1)]))
    assert [(f.rule, f.severity, f.waived) for f in tomorrow.judged()] == [("KS016", NOTE, True)]


def test_a_waiver_is_for_one_rule_of_one_credential() -> None:
    two = scene(
        client(access=orders("admin:org"), consumer=None, waivers=[waiver("KS016")]),
        client("second", access=orders("admin:org")),
    )
    assert [(f.subject[10:], f.rule, f.waived) for f in two.judged()] == [
        ("exporter", "KS006", False),
        ("exporter", "KS016", True),
        ("second", "KS016", False),
    ]


def test_an_owner_who_is_gone_may_be_waived_for_a_time_and_then_stops_nothing() -> None:
    waived = scene(client(owner="team-sold", waivers=[waiver("KS002", 14)]))
    assert [(f.kind, f.waived) for f in waived.checked()] == [(Kind.OWNER_GONE, True)]


@pytest.mark.parametrize(
    ("waivers", "sentence"),
    [
        ([waiver("KS099")], "M2MClient 'exporter': waivers: KS099 is no rule; keysteward rules lists them"),
        (
            [waiver("KS001")],
            "M2MClient 'exporter': waivers: KS001 is mandatory and cannot be waived: A credential that",
        ),
        ([waiver("KS031")], "M2MClient 'exporter': waivers: KS031 is mandatory and cannot be waived: A waiver that"),
        (["KS016"], "M2MClient 'exporter': waivers: write Waiver(\"KS016\", reason=..., approved_by=..., until=...)"),
    ],
)
def test_a_waiver_that_cannot_be_meant_is_an_error_before_any_call(waivers: list[object], sentence: str) -> None:
    with pytest.raises(DeclarationError) as error:
        scene(client(waivers=waivers)).checked(strict=False)
    assert str(error.value).startswith(sentence)


def test_a_waiver_names_a_rule_by_its_number() -> None:
    with pytest.raises(DeclarationError, match=r"Waiver 'wildcards': write the number of a rule, such as KS016"):
        waiver("wildcards")


def test_what_must_be_is_an_error_of_all_credentials_at_once_and_reading_is_never_stopped() -> None:
    wrong = scene(client(owner="team-x"), key(owner="team-sold"), client("third", owner=UNASSIGNED), owners=OWNERS)
    with pytest.raises(DeclarationError) as error:
        wrong.checked()
    assert str(error.value).splitlines() == [
        "M2MClient 'exporter': " + SIDES_OF_AN_OWNER[0] + "; " + RULES["KS001"].mend,
        "ApiKey 'partner': " + SIDES_OF_AN_OWNER[1] + "; " + RULES["KS002"].mend.replace("OWNER", "team-sold"),
    ]
    assert [(f.rule, f.severity) for f in wrong.checked(strict=False)] == [
        ("KS001", ERROR),
        ("KS002", ERROR),
        ("KS004", WARNING),
    ]


def test_unassigned_is_a_finding_until_its_day_and_then_an_error() -> None:
    credential = client(owner=UNASSIGNED)
    before, on = (Owners(unassigned_until=in_days(days)) for days in (1, 0))
    assert [f.severity for f in scene(credential, owners=before).checked()] == [WARNING]
    with pytest.raises(
        DeclarationError, match="nobody answers for it, which was allowed until 2026-12-01; name an owner"
    ):
        scene(credential, owners=on).checked()


def test_the_day_on_which_an_owner_leaves_is_the_first_without_them() -> None:
    def leaving(days: int) -> Scene:
        people = {"billing-lead": Owner(contact="billing-lead@example.com", state="leaving", leaves=in_days(days))}
        return scene(client(owner="billing-lead", consumer="shop"), owners=Owners(people=people))

    assert [f.rule for f in leaving(31).judged()] == []
    assert [f.rule for f in leaving(30).judged()] == ["KS003"]
    assert [f.rule for f in leaving(1).judged()] == ["KS003"]
    assert [f.rule for f in leaving(0).judged()] == ["KS002"]


def chain(*people: tuple[str, int, str | None]) -> Owners:
    """Return people who leave in so many days, each with a deputy."""
    return Owners(
        teams={"team-billing": Owner(contact="billing@example.com")},
        people={
            name: Owner(contact=f"{name}@example.com", state="leaving", leaves=in_days(days), deputy=deputy)
            for name, days, deputy in people
        },
    )


def test_deputies_answer_one_after_the_other() -> None:
    owners = chain(
        ("billing-lead", -9, "warehouse-lead"),
        ("warehouse-lead", -5, "security-lead"),
        ("security-lead", -1, "team-billing"),
    )
    (finding,) = scene(client(owner="billing-lead", consumer="shop"), owners=owners).checked()
    assert (finding.rule, finding.message) == (
        "KS003",
        "owner: 'billing-lead' is gone, and 'team-billing' answers in their place",
    )


def test_deputies_of_each_other_are_nobody_once_both_are_gone() -> None:
    circle = chain(("billing-lead", -9, "warehouse-lead"), ("warehouse-lead", -5, "billing-lead"))
    with pytest.raises(DeclarationError, match="owner: 'billing-lead' is gone, and nobody answers in their place"):
        scene(client(owner="billing-lead", consumer="shop"), owners=circle).checked()
    half = chain(("billing-lead", -9, "warehouse-lead"), ("warehouse-lead", 90, "billing-lead"))
    assert [f.message for f in scene(client(owner="billing-lead", consumer="shop"), owners=half).checked()] == [
        "owner: 'billing-lead' is gone, and 'warehouse-lead' answers in their place"
    ]


def governed(owner: str) -> Governed:
    return Governed("customer-keys", target=key().target, owner=owner, purpose="Keys that customers make")


def allowed(owner: str) -> Allowed:
    return Allowed(["legacy-*"], target=CORP, owner=owner, reason="Goes with the old shop", until=in_days(90))


def of_sets(owner: str, *, owners: Owners = OWNERS, **fields: object) -> tuple[Finding, ...]:
    both: tuple[Declaration, ...] = (governed(owner),)
    return scene(*both, owners=owners, allowed=[allowed(owner)], **fields).checked(strict=False)


def test_sets_and_allowances_have_owners_like_credentials() -> None:
    assert of_sets("team-billing") == ()
    subjects = ["acme/prod/customer-keys", "corp: allowed legacy-*"]
    for owner, rule, severity in (
        ("team-x", "KS001", ERROR),
        ("team-sold", "KS002", ERROR),
        ("team-moved", "KS003", WARNING),
        ("billing-lead", "KS003", WARNING),
        (UNASSIGNED, "KS004", WARNING),
    ):
        found = of_sets(owner)
        assert [(f.subject, f.rule, f.severity) for f in found] == [(subject, rule, severity) for subject in subjects]
    assert "keysteward offboard team-moved --to team-billing " in of_sets("team-moved")[0].mend
    assert of_sets("team-sold", levels={"KS002": "off"}) == ()
    assert [f.severity for f in of_sets("team-sold", levels={"KS002": "note"})] == [NOTE, NOTE]
    with pytest.raises(DeclarationError, match=r"^corp: allowed legacy-\*: owner: 'team-x' is not in the owners file"):
        scene(client(), allowed=[allowed("team-x")]).checked()


FOR_EVER = date(2999, 12, 31)


def test_nothing_is_left_alone_for_longer_than_a_key_goes_without_review() -> None:
    def left(until: date, **fields: object) -> tuple[Finding, ...]:
        entry = Allowed(["legacy-*"], target=CORP, owner="team-billing", reason="Goes with the old shop", until=until)
        return scene(client(), allowed=[entry], **fields).checked(strict=False)

    assert left(in_days(1)) == left(in_days(180)) == ()
    assert left(in_days(0)) == (), "that it is over is drift"
    [far] = left(in_days(181))
    assert (far.subject, far.rule, far.severity) == ("corp: allowed legacy-*", "KS031", WARNING)
    assert far.message == (
        f"until: it is left alone until {in_days(181)} (Goes with the old shop); the rule is 180d at most"
    )
    assert "approved again with a new day" in far.mend
    [ever] = left(FOR_EVER)
    assert "until 2999-12-31 " in ever.message
    with pytest.raises(DeclarationError, match=r"^corp: allowed legacy-\*: until: it is left alone until 2999-12-31"):
        scene(client(), allowed=[replace(allowed("team-billing"), until=FOR_EVER)], levels={"KS031": "error"}).checked()
    with pytest.raises(DeclarationError, match="KS031 is mandatory and cannot be lowered to off"):
        left(FOR_EVER, levels={"KS031": "off"})


def test_what_mends_it_is_a_command_that_a_shell_takes_as_it_is() -> None:
    owners = Owners(people={"Billing lead $(id)": Owner(contact="billing-lead@example.com", state="gone")})
    (finding,) = scene(client(owner="Billing lead $(id)", consumer="shop"), owners=owners).judged()
    assert "keysteward offboard 'Billing lead $(id)' --to OTHER " in finding.mend
