"""One look at all clients of a realm: `keysteward drift` against a plan of OpenTofu with the Keycloak provider.

OpenTofu is used as it is found: `tofu` on PATH, and the provider's program (`terraform-provider-keycloak*`) in the
folder that BENCH_TOFU_PROVIDERS names; where one of them is not there, nothing is measured. The clients are those that
keysteward has made, imported as they stand, so that the plan changes nothing. There, each is one resource and nothing
more: no scopes, no keys; here, its ledger and its document in the store are looked at too. Both sides are whole
commands, from their start to their end, and of each the better one of two counts.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from company import ADMINISTRATOR, REALM, Company
from measurement import Measurement, Results, versions
from sight import Look
from timing import Took, timed

from keysteward.core.errors import KeystewardError

PROVIDERS = "BENCH_TOFU_PROVIDERS"
PROGRAM = "terraform-provider-keycloak*"
SOURCE = "keycloak/keycloak"
RATIO = 10
FROM = 1_000
"""The goal is one for so many clients and more: with a few, both commands do little more than start."""

ROUNDS = 2
SETTINGS = """\
provider_installation {{
  dev_overrides {{
    "{source}" = "{folder}"
  }}
}}
"""

HEAD = """\
terraform {{
  required_providers {{
    keycloak = {{ source = "{source}" }}
  }}
}}
"""

CLIENT = """
resource "keycloak_openid_client" "{client_id}" {{
  realm_id                  = "{realm}"
  client_id                 = "{client_id}"
  description               = "{description}"
  access_type               = "CONFIDENTIAL"
  client_authenticator_type = "client-jwt"
  service_accounts_enabled  = true
  full_scope_allowed        = false
  use_refresh_tokens        = false
}}
"""
"""One block for each client: OpenTofu plans these faster than instances of one block with `for_each`."""

IMPORT = """
import {{
  to = keycloak_openid_client.{client_id}
  id = "{realm}/{remote_id}"
}}
"""


def missing() -> str:
    """Say what is lacking for the comparison; "" when all is there."""
    if shutil.which("tofu") is None:
        return "tofu not on PATH"
    folder = os.environ.get(PROVIDERS)
    if not folder:
        return f"{PROVIDERS} does not name the folder of the Keycloak provider"
    return "" if any(Path(folder).glob(PROGRAM)) else f"no {PROGRAM} in {folder}"


def measure(results: Results, company: Company, target: str, used: Mapping[str, str]) -> None:
    """Compare both on a real Keycloak whose realm holds this company's clients."""
    name = f"one look at {company.clients:,} clients"
    lacking = missing()
    if lacking:
        results.skip(f"{name}, against a plan of OpenTofu that changes nothing", target, lacking)
        return
    with tempfile.TemporaryDirectory(prefix="keysteward-bench-") as folder:
        configuration = Configuration(Path(folder), company)
        configuration.take_in()
        theirs = _better(configuration.plan)
        about = versions(**used, opentofu=configuration.version(), provider=_provider())
        look = Look(Path(folder) / "ours", company)
        look.write()
        ours = _better(look.run)
    goal = RATIO if company.clients >= FROM else None
    ratio = theirs.wall / ours.wall
    results.add(
        Measurement(f"{name}: times faster than OpenTofu's plan", ratio, "times", target, goal, "higher", about),
        Measurement(f"{name}: ours", ours.wall, "s", target, versions=about),
        Measurement(f"{name}: OpenTofu's plan", theirs.wall, "s", target, versions=about),
        Measurement(f"{name}: ours, processor time", ours.cpu, "s", target, versions=about),
        Measurement(f"{name}: OpenTofu's plan, processor time", theirs.cpu, "s", target, versions=about),
    )


def _better(run: Callable[[], Took]) -> Took:
    return min((run() for _ in range(ROUNDS)), key=lambda took: took.wall)


def _provider() -> str:
    return next(Path(os.environ[PROVIDERS]).glob(PROGRAM)).name


@dataclass(frozen=True)
class Configuration:
    """A folder with the clients of a company as OpenTofu's resources. Its state holds secrets: it ends with the bench.

    The administrator's credential reaches the provider by environment variables and stands in no file.
    """

    folder: Path
    company: Company

    def take_in(self) -> None:
        """Write the configuration and import all clients. Raises KeystewardError when one would be changed."""
        providers = Path(os.environ[PROVIDERS]).absolute()
        clients = self._clients()
        imports = self.folder / "imports.tf"
        for path, text in (
            (self.folder / "tofu.rc", SETTINGS.format(source=SOURCE, folder=providers)),
            (self.folder / "main.tf", HEAD.format(source=SOURCE) + "".join(CLIENT.format(**c) for c in clients)),
            (imports, "".join(IMPORT.format(**c) for c in clients)),
        ):
            path.write_text(text, encoding="utf-8")
        self._run(f"{self.company.clients} imported, 0 added, 0 changed, 0 destroyed", "apply", "-auto-approve")
        imports.unlink()

    def _clients(self) -> list[dict[str, str]]:
        stack = self.company.stack()
        (realm,) = stack.targets.values()
        seen = realm.observe(None).by_client_id
        return [
            {
                "realm": REALM,
                "client_id": spec.client_id,
                "remote_id": seen[spec.client_id].remote_id,
                "description": spec.description,
            }
            for spec in stack.specs.values()
        ]

    def plan(self) -> Took:
        """Plan once. Raises KeystewardError when it is not the plan that changes nothing."""
        return self._run("No changes.", "plan")

    def version(self) -> str:
        """Return the version of OpenTofu."""
        done = timed(["tofu", "version"], self.folder, self._environment())
        return done.output.split(maxsplit=2)[1]

    def _run(self, words: str, *arguments: str) -> Took:
        command = ["tofu", *arguments, "-input=false", "-no-color"]
        done = timed(command, self.folder, self._environment())
        if done.code != 0 or words not in done.output:
            raise KeystewardError(
                f"$ tofu {' '.join(arguments)}: not {words!r}\n{(done.output + done.errors)[-2_000:]}"
            )
        return done.took

    def _environment(self) -> dict[str, str]:
        where, _, secret = ADMINISTRATOR.partition(":")
        realm, _, client_id = where.partition("/")
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TF_CLI_CONFIG_FILE": str(self.folder / "tofu.rc"),
            "KEYCLOAK_URL": self.company.keycloak,
            "KEYCLOAK_REALM": realm,
            "KEYCLOAK_CLIENT_ID": client_id,
            "KEYCLOAK_CLIENT_SECRET": secret,
        }
