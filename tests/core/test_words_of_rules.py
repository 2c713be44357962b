"""Which scopes are sweeping, and which words say an environment: the tables, with what must not be taken for either."""

from __future__ import annotations

import pytest

from keysteward.core.contract.capabilities import BroadScopes
from keysteward.core.declare.environments import WORDS, differs, environment_of, is_production, said, words_of
from keysteward.core.policy.broad_scopes import TABLE, sweeping

KNOWN = (
    BroadScopes(("manage-users", "manage-clients", "manage-realm", "impersonation"), "administration of the realm"),
    BroadScopes(("widgets:*:manage",), "administration of an organization"),
)
SWEEPING = {
    "*": "a wildcard",
    "*:*": "a wildcard",
    "s3:*": "a wildcard",
    "invoices.*": "a wildcard",
    "https://billing.example.com/*": "a wildcard",
    "admin": "an administrator's rights",
    "admin:org": "an administrator's rights",
    "users:admin": "an administrator's rights",
    "Admin.Write": "an administrator's rights",
    "sudo": "an administrator's rights",
    "realm-admin": "an administrator's rights",
    "site_admin": "an administrator's rights",
    "admin.directory.user": "an administrator's rights",
    "https://www.googleapis.com/auth/admin.directory.user": "an administrator's rights",
    "all": "all that the API offers",
    "manage-users": "administration of the realm",
    "manage-clients": "administration of the realm",
    "manage-realm": "administration of the realm",
    "impersonation": "administration of the realm",
    "offline_access": "tokens that outlive every session",
    "widgets:users-table:manage": "administration of an organization",
    "okta.roles.manage": "administration of the tenant",
    "create:client_grants": "the right to give itself any scope",
    "AdministratorAccess": "nearly all of an account",
    ".default": "all that was ever consented to",
    "https://graph.microsoft.com/.default": "all that was ever consented to",
    "api://11111111-2222-3333-4444-555555555555/.default": "all that was ever consented to",
    "Directory.ReadWrite.All": "administration of the directory, or of everybody's data",
    "RoleManagement.ReadWrite.Directory": "administration of the directory, or of everybody's data",
    "Sites.FullControl.All": "administration of the directory, or of everybody's data",
    "https://www.googleapis.com/auth/cloud-platform": "all that its roles allow in Google Cloud",
    "https://www.googleapis.com/auth/drive": "everybody's files",
    "repo": "full control of repositories or of the organization",
    "administration:write": "full control of repositories or of the organization",
}

INNOCENT = (
    "invoices:read",
    "all-hands:read",
    "call.all-hands.read",
    "read:all-invoices",
    "small:read",
    "owner:read",
    "read:owners",
    "data-owner:read",
    "root-cause:read",
    "administrative-areas:read",
    "admin-reports:read",
    "administration:read",
    "badminton:book",
    "https://admin.example.com/invoices.read",
    "https://www.googleapis.com/auth/admin.directory.group.readonly",
    "https://www.googleapis.com/auth/cloud-platform.read-only",
    "https://www.googleapis.com/auth/drive.file",
    "User.Read.All",
    "Invoices.ReadWrite.All",
    "manage-events",
    "manage-account",
    "okta.users.read",
    "okta.workflows.invoke.manage",
    "widgets:users-table:read",
    "read:client_grants",
    "repo:status",
    "public_repo",
    "default:read",
    "everything-is-fine:read",
)


@pytest.mark.parametrize(("scope", "what"), SWEEPING.items())
def test_a_sweeping_scope_is_found(scope: str, what: str) -> None:
    assert sweeping(scope, known=KNOWN) == what


@pytest.mark.parametrize("scope", INNOCENT)
def test_an_ordinary_scope_is_left_alone(scope: str) -> None:
    assert sweeping(scope, known=KNOWN) is None


def test_every_row_of_the_table_has_an_example() -> None:
    rows = [row for rows in TABLE.values() for row in rows]
    assert {row.what for row in (*rows, *KNOWN)} <= set(SWEEPING.values())


def test_what_one_target_calls_sweeping_is_an_ordinary_name_at_another() -> None:
    assert sweeping("manage-users", known=KNOWN) == "administration of the realm"
    assert sweeping("manage-users") is None


def test_an_audience_before_the_name_says_nothing() -> None:
    assert sweeping("admin/invoices.read") == "an administrator's rights"
    assert sweeping("admin/invoices.read", ["admin"]) is None
    assert sweeping("admin/admin", ["admin"]) == "an administrator's rights"
    assert sweeping("Admin/*", ["admin/"]) == "a wildcard"


SAID = {
    "prod/apps/billing": {"production"},
    "apps/PROD/billing": {"production"},
    "live/billing": {"production"},
    "apps/billing-prod": {"production"},
    "apps/billing_staging": {"staging"},
    "apps/billing.test": {"test"},
    "apps/billing-pre-prod": {"staging"},
    "apps/billing-non-prod": {"non-production"},
    "apps/billing-non_prod": {"non-production"},
    "dev/apps/billing-prod": {"development", "production"},
    "apps/test-results": set(),
    "apps/live-stream": set(),
    "apps/stage-manager": set(),
    "apps/demo-booking": set(),
    "apps/dev-portal": set(),
    "apps/contest": set(),
    "apps/latest": set(),
    "apps/liveness": set(),
    "apps/P90D": set(),
    "apps/production-planning": set(),
    "apps/billing": set(),
}


@pytest.mark.parametrize(("path", "environments"), SAID.items())
def test_a_path_says_an_environment_as_a_part_or_behind_a_name(path: str, environments: set[str]) -> None:
    assert said(path.split("/"), WORDS, ()) == environments


def test_a_part_that_is_the_credentials_own_name_says_nothing() -> None:
    assert said(("apps", "load-test"), WORDS, ()) == {"test"}
    assert said(("apps", "Load-Test"), WORDS, ("load-test",)) == set()
    assert said(("test", "load-test"), WORDS, ("load-test",)) == {"test"}


def test_the_environments_that_a_stack_names_are_words_too() -> None:
    assert said(("eu", "billing"), words_of(("eu", "us")), ()) == {"eu"}
    assert said(("apps", "billing-us"), words_of(("eu", "us")), ()) == {"us"}
    assert said(("prod-eu", "billing"), words_of(("prod-eu",)), ()) == {"production"}


@pytest.mark.parametrize(
    ("declared", "environment"),
    [
        ("production", "production"),
        ("Prod", "production"),
        ("live", "production"),
        ("prod-eu", "production"),
        ("eu-prod", "production"),
        ("production_us", "production"),
        ("preprod", "staging"),
        ("pre-prod", "staging"),
        ("pre-prod-eu", "staging"),
        ("non-prod", "non-production"),
        ("nonprod-eu", "non-production"),
        ("non-production-eu", "non-production"),
        ("qa", "test"),
        ("eu", "eu"),
        ("products", "products"),
        ("delivery", "delivery"),
    ],
)
def test_what_a_declared_environment_means(declared: str, environment: str) -> None:
    assert environment_of(declared) == environment


@pytest.mark.parametrize("declared", ["production", "PROD", "prd-2", "eu-live", "eu-central", "acme", "", "test-prod"])
def test_an_unknown_word_counts_as_production(declared: str) -> None:
    assert is_production(declared)


@pytest.mark.parametrize("declared", ["test", "uat", "stg", "pre-prod-eu", "eu-non-prod", "Demo", "dev_2"])
def test_a_known_word_for_another_environment_does_not(declared: str) -> None:
    assert not is_production(declared)


def test_non_production_is_every_environment_but_production() -> None:
    assert differs("production", "non-production")
    assert not differs("test", "non-production")
    assert differs("test", "staging")
    assert not differs("test", "test")
