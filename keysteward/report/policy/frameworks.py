"""Which item of which framework the rules, commands and properties answer, and what they cannot. Data only.

The items are told in our own words; each framework names the document where the original stands. Whoever is asked for
evidence gets it from the commands named; whether it is enough, an auditor decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from keysteward.core.policy import RULES


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a framework: what it asks for, which rules answer it, what evidence there is, and what is beyond."""

    number: str
    asks: str
    rules: tuple[str, ...]
    evidence: tuple[str, ...]
    beyond: str


@dataclass(frozen=True, slots=True)
class Framework:
    """One framework; `document` says where it stands, `section` in which part of that."""

    name: str
    document: str
    section: str
    items: tuple[Item, ...]


def _owasp(risk: str, name: str, asks: str, evidence: tuple[str, ...], beyond: str) -> Item:
    """Return a risk with the rules that say they answer it."""
    rules = tuple(rule.number for rule in RULES.values() if risk in rule.owasp)
    return Item(f"{risk}:2025 {name}", asks, rules, evidence, beyond)


def _rules(*ranges: str) -> tuple[str, ...]:
    """Return the rules of ranges such as "1-9"."""
    found: list[str] = []
    for given in ranges:
        first, _, last = given.partition("-")
        found += [f"KS{number:03}" for number in range(int(first), int(last or first) + 1)]
    return tuple(found)


DECLARED = "the declarations, each changed in a reviewed commit"
INVENTORY = "`keysteward inventory`: every credential with owner, purpose, scopes, age and last use"
DRIFT = "`keysteward drift`: what exists and is not declared, what was changed elsewhere, what is overdue"
REVIEW = "`keysteward review`: what a pull request adds, widens and waives, and who must approve"
AUDIT = "`keysteward audit export`: who did what to which secret, from which commit, and how an end was proven"
OFFBOARD = "`keysteward offboard OWNER`: all that an owner answers for, handed over or revoked"
REVOKE = "`keysteward revoke`: one credential ended at once, also without the program or the ledger store"
WHOSE = "`keysteward whose`: which credential a leaked value is, without showing it"
ROTATION = "rotation with overlap: every secret has an interval, and its successor is proven before it ends"
WAIVERS = "waivers with reason, approver and end date, shown in review and drift"
DOCTOR = "`keysteward doctor`: whether reader and runner have too many rights"

OWASP = Framework(
    "OWASP Non-Human Identities Top 10",
    "OWASP Non-Human Identities Top 10, 2025",
    "NHI1:2025 to NHI10:2025",
    (
        _owasp(
            "NHI1",
            "Improper Offboarding",
            "An identity that nobody needs any more is found and ended.",
            (OFFBOARD, DRIFT, "`decommission`: suspended on a day, deleted later, in reviewed commits"),
            "It ends what it can reach. Copies that a consumer made of its rights elsewhere, and accounts at systems "
            "that are no target, stay.",
        ),
        _owasp(
            "NHI2",
            "Secret Leakage",
            "Secrets do not get to places that were not meant for them.",
            (
                "no secret in state, plans, logs, errors, arguments or reports; values go from target to store",
                WHOSE,
                REVOKE,
            ),
            "It does not search code, tickets or chats by itself, and cannot see what a consumer logs.",
        ),
        _owasp(
            "NHI3",
            "Vulnerable Third-Party NHI",
            "What third parties hold cannot be turned against you, or not for long.",
            (
                "consumers of kind `partner` or `integration` in the owners file, with their state",
                "governed sets: ceiling, age and number of keys that others make",
                REVOKE,
            ),
            "It does not look into a third party, and does not know which extensions or packages can read a secret.",
        ),
        _owasp(
            "NHI4",
            "Insecure Authentication",
            "Machines authenticate by methods that are not outdated or weak.",
            ("`private_key_jwt` wherever a target takes it", "`ApiKey` needs a reason and a last day"),
            "Which methods a target offers is its vendor's decision; TLS and token formats are not looked at.",
        ),
        _owasp(
            "NHI5",
            "Overprivileged NHI",
            "An identity may do what it needs and no more.",
            ("scopes are declared one by one from a catalogue", DRIFT, REVIEW, INVENTORY),
            "What a scope really allows is decided by the API behind it, and roles given to an account beside its "
            "scopes are not judged. Which scopes are used, it cannot see.",
        ),
        _owasp(
            "NHI6",
            "Insecure Cloud Deployment Configurations",
            "Pipelines and deployments hold no standing keys, and check whom they trust.",
            (
                "the generated pull-request job holds no secret",
                "administrator credentials are references, so that a pipeline can bring ones that are short-lived",
            ),
            "It does not read your pipelines or the trust policies of a cloud account.",
        ),
        _owasp(
            "NHI7",
            "Long-Lived Secrets",
            "Secrets and tokens live no longer than needed.",
            (ROTATION, "`expires`: from that day on the credential does not work", "`keysteward calendar`"),
            "A consumer that ignores its new secret until the old one ends is seen only where the target shows use.",
        ),
        _owasp(
            "NHI8",
            "Environment Isolation",
            "Production has identities of its own.",
            ("a target may be bound to environments; another one is an error before any call",),
            "It knows an environment by what the declaration, the store and the path say. Networks are not looked at.",
        ),
        _owasp(
            "NHI9",
            "NHI Reuse",
            "Each consumer has an identity of its own.",
            (
                "one place holds one credential; two for one place are refused before any call",
                DRIFT + ", and one secret in two places",
            ),
            "It cannot see that two systems read one place.",
        ),
        _owasp(
            "NHI10",
            "Human Use of NHI",
            "People do not work under a machine's identity.",
            (
                "clients are made for the grant `client_credentials` alone, and other flows are held off",
                "`keysteward inventory`: clients that people log in through are marked",
            ),
            "No rule answers it: whether a person used a machine's secret is not visible to it.",
        ),
    ),
)

CSF_2 = Framework(
    "NIST Cybersecurity Framework 2.0",
    "NIST CSWP 29, February 2024",
    "Protect: Identity Management, Authentication, and Access Control (PR.AA)",
    (
        Item(
            "PR.AA-01",
            "The organization manages the identities and credentials of its users, services and hardware.",
            _rules("1-15", "22-31"),
            (DECLARED, INVENTORY, DRIFT, ROTATION, OFFBOARD, AUDIT),
            "Services only, and of these what the targets issue: no people, no devices, no certificates of hardware.",
        ),
        Item(
            "PR.AA-05",
            "Permissions follow a policy that is written down, enforced and reviewed, with least privilege and "
            "separated duties.",
            _rules("15-21", "27-28", "31"),
            (
                REVIEW,
                "`keysteward codeowners`: who must approve, by owner, stricter for API keys",
                "`keysteward attest NAME`: a review is a commit",
                WAIVERS,
            ),
            "The API enforces a scope, not this tool; whether approver and author differ is a setting of the forge.",
        ),
    ),
)

CSF_1 = Framework(
    "NIST Cybersecurity Framework 1.1",
    "NIST CSWP 6, April 2018 (superseded by 2.0)",
    "Protect: Identity Management, Authentication and Access Control (PR.AC)",
    (
        Item(
            "PR.AC-1",
            "Credentials of devices, users and processes are issued, managed, checked, revoked and audited.",
            _rules("1-15", "22-31"),
            (
                DECLARED,
                ROTATION,
                "every new secret is tried before it is delivered",
                REVOKE,
                AUDIT,
                "`keysteward audit verify`: the log was neither cut nor rewritten",
            ),
            "Processes only: neither devices nor people.",
        ),
        Item(
            "PR.AC-4",
            "Permissions are managed with least privilege and separated duties.",
            _rules("15-21", "27-28", "31"),
            (REVIEW, "scopes are declared one by one", DRIFT),
            "As for PR.AA-05: what a scope allows, and who may merge, is decided elsewhere.",
        ),
    ),
)

ZERO_TRUST = Framework(
    "NIST Zero Trust Architecture",
    "NIST SP 800-207, August 2020",
    "Section 2.1, the seven tenets",
    (
        Item(
            "Tenet 1",
            "Every source of data and every computing service counts as a resource.",
            _rules("17"),
            ("APIs are declared as `ResourceServer`, with audience and scopes", INVENTORY),
            "Resources that take none of its credentials are not known to it.",
        ),
        Item(
            "Tenet 2",
            "Communication is protected wherever it runs.",
            (),
            ("its own calls and webhooks use TLS; plain HTTP stays on this machine unless a declaration allows it",),
            "It does not see the communication of your services.",
        ),
        Item(
            "Tenet 3",
            "Access to a resource is granted for one session at a time.",
            _rules("10", "15", "23-26"),
            ("M2M clients get short-lived tokens", "an API key has a reason, a last day and a way out"),
            "A token may serve many calls, and an API key is standing access: it can only be bounded in time.",
        ),
        Item(
            "Tenet 4",
            "Access depends on a policy that takes in what is observed at that moment.",
            (),
            (),
            "Not answered: scopes are fixed when they are declared. Policy decision points do this.",
        ),
        Item(
            "Tenet 5",
            "The state of all assets is watched, and nothing is trusted by itself.",
            _rules("14", "30"),
            (DRIFT, DOCTOR),
            "Watched are credentials, the objects that carry them, and their places; no machines and no software.",
        ),
        Item(
            "Tenet 6",
            "Every access is authenticated and authorized first, again and again.",
            _rules("16", "19-23"),
            (ROTATION, "every secret is tried against the issuer before consumers get it"),
            "The issuer and the API enforce it; it gives them credentials that are scoped and fresh.",
        ),
        Item(
            "Tenet 7",
            "What is learned about assets and their use makes them safer.",
            _rules("27-28", "30"),
            (DRIFT, AUDIT, "last use, kept from run to run since the logs of targets forget"),
            "It sees the last use, where a target shows it; no traffic and no behaviour.",
        ),
    ),
)

MAESTRO = Framework(
    "CSA MAESTRO",
    "Cloud Security Alliance, Agentic AI Threat Modeling Framework: MAESTRO, February 2025 (a second version with ten "
    "layers was in peer review in 2026)",
    "The seven layers",
    (
        Item("Layer 1, foundation models", "Threats to the model.", (), (), "Not answered."),
        Item(
            "Layer 2, data operations",
            "Threats to the data that agents store and search.",
            _rules("16-17"),
            ("scopes and audience of the credential by which an agent reaches its data",),
            "What is in the data, and whether it was poisoned, is not seen.",
        ),
        Item(
            "Layer 3, agent frameworks",
            "Threats to the code that lets a model act.",
            _rules("16", "18"),
            ("a credential of its own for each agent and tool, declared with what it may do",),
            "What a framework does with its credential, and what it can be talked into, is not seen.",
        ),
        Item(
            "Layer 4, deployment and infrastructure",
            "Threats to where agents run, and to the secrets there.",
            _rules("11-14", "19-23"),
            (ROTATION, "stores: a policy of least rights for each consumer (`keysteward policy`)"),
            "Containers, networks and hosts are not looked at.",
        ),
        Item(
            "Layer 5, evaluation and observability",
            "Agents are watched, and what is watched can be believed.",
            _rules("14", "30"),
            (DRIFT, AUDIT, "`keysteward audit verify`"),
            "It watches credentials, not what agents say and do.",
        ),
        Item(
            "Layer 6, security and compliance",
            "Controls that cut across all layers, and the proof that they hold.",
            _rules("1-9", "15", "24-29", "31"),
            (REVIEW, WAIVERS, AUDIT, "this page"),
            "Controls beyond credentials.",
        ),
        Item(
            "Layer 7, agent ecosystem",
            "Agents meet other agents and services, and may be impersonated or compromised.",
            _rules("1-2", "6-8", "10", "18"),
            ("each agent has an owner and a consumer's entry", REVOKE, WHOSE),
            "What agents tell each other, and whether to believe it, is not seen.",
        ),
    ),
)

AI_RMF = Framework(
    "NIST AI Risk Management Framework",
    "NIST AI 100-1, January 2023",
    "Section 5.1, GOVERN. It asks about AI systems; answered is the part of it that their credentials are",
    (
        Item(
            "GOVERN 1.5",
            "Monitoring goes on, and reviews are planned, with who makes them and how often.",
            _rules("25-28", "31"),
            ("`keysteward attest NAME`", DRIFT, "`keysteward calendar`"),
            "Reviews of credentials only.",
        ),
        Item(
            "GOVERN 1.6",
            "There is an inventory of AI systems.",
            _rules("6-7", "9", "17"),
            (INVENTORY + "; agents are consumers in the owners file",),
            "An AI system without a credential of these targets is not in it.",
        ),
        Item(
            "GOVERN 1.7",
            "Systems are phased out in a safe way.",
            _rules("8", "24", "30"),
            ("`decommission`, then removal of the declaration", REVOKE),
            "It ends what a system can reach, not the system.",
        ),
        Item(
            "GOVERN 2.1",
            "Roles, duties and ways to reach each other are written down.",
            _rules("1-7", "29"),
            ("the owners file: owners and consumers with contact, state and deputy", OFFBOARD),
            "Roles in building and testing a model.",
        ),
        Item(
            "GOVERN 6.1",
            "There are policies for the risks of third parties.",
            _rules("8", "16", "18", "23"),
            ("consumers of kind `partner` or `integration`", "governed sets with a ceiling"),
            "Rights in data and models, and what a third party does inside.",
        ),
        Item(
            "GOVERN 6.2",
            "There is a plan for the failure of a third party that much depends on.",
            _rules("29"),
            (REVOKE, "`runbook` on every production key", WHOSE),
            "What takes over when a third party fails.",
        ),
    ),
)

PCI = Framework(
    "PCI DSS",
    "PCI DSS v4.0.1, June 2024",
    "Requirement 8.6, application and system accounts",
    (
        Item(
            "8.6.1",
            "Accounts of systems and applications are not logged in to by people, but for a documented and approved "
            "exception, limited in time and traced to a person.",
            (),
            (
                "clients are made for the grant `client_credentials` alone",
                "`keysteward inventory`: clients that people log in through are marked",
            ),
            "No rule answers it: logins to hosts and databases, and exceptions from it, are managed elsewhere.",
        ),
        Item(
            "8.6.2",
            "Passwords of such accounts, where they allow logging in, stand in no script, configuration or code.",
            _rules("21-22"),
            (
                "declarations hold no secret; administrator credentials are references",
                "secrets are delivered to a store, under a policy for each consumer",
                WHOSE + "; also over folders and the output of `git log -p`",
            ),
            "It finds values that it knows. A search for unknown ones is a secret scanner's work.",
        ),
        Item(
            "8.6.3",
            "Passwords of such accounts are protected against misuse: changed at an interval that a targeted risk "
            "analysis gives, and upon suspicion, and as complex as that interval needs.",
            _rules("10-14", "16", "19", "21", "24-26", "29-30"),
            (
                ROTATION,
                "secrets of its own choice have 256 bits; keys are generated by their vendor's rules",
                "`keysteward reissue` and `keysteward revoke` upon suspicion",
                AUDIT,
            ),
            "The targeted risk analysis (requirement 12.3.1) is yours: `rotation.every` is where its result goes.",
        ),
    ),
)

SOC_2 = Framework(
    "SOC 2",
    "AICPA TSP Section 100, 2017 Trust Services Criteria, with the points of focus of 2022",
    "Common criteria CC6, CC7 and CC8",
    (
        Item(
            "CC6.1",
            "Logical access to what is worth protecting is restricted.",
            _rules("10-23", "29"),
            (DECLARED, "scopes are declared one by one", ROTATION, INVENTORY),
            "Access of people, networks and encryption at rest.",
        ),
        Item(
            "CC6.2",
            "Whoever gets access is registered and authorized first, and loses the credentials when that ends.",
            _rules("1-9", "24-25", "30"),
            (REVIEW, OFFBOARD, AUDIT),
            "Registration of people. Who approved is in the forge; the export names the commit.",
        ),
        Item(
            "CC6.3",
            "Access is given, changed and taken away by role, with least privilege and separated duties.",
            _rules("2-5", "15-21", "26-28", "31"),
            (REVIEW, "`keysteward codeowners`", "`keysteward attest NAME`", WAIVERS),
            "Whether the forge lets an author approve their own change.",
        ),
        Item(
            "CC6.6",
            "Access from outside the system's boundaries is protected against.",
            _rules("8", "16", "18", "22-23"),
            ("partners' keys: declared, bounded, revocable", "governed sets"),
            "Boundaries, gateways, networks and intrusion: not answered.",
        ),
        Item(
            "CC7.2",
            "Components are watched for what may be malicious, a disaster or an error.",
            _rules("14", "27", "30"),
            (DRIFT + ", nightly in CI", "extra secrets, strangers' clients, changes made elsewhere"),
            "Only what a look at credentials shows; it reads no logs of use and raises no alarm by itself.",
        ),
        Item(
            "CC8.1",
            "Changes are authorized, documented, tested, approved and carried out as such.",
            _rules("9", "31"),
            (
                DECLARED,
                REVIEW,
                "`keysteward up --plan FILE`: what was approved is what is done, or it stops",
                AUDIT,
            ),
            "Changes of anything but credentials.",
        ),
    ),
)

FRAMEWORKS: tuple[Framework, ...] = (OWASP, CSF_2, CSF_1, ZERO_TRUST, MAESTRO, AI_RMF, PCI, SOC_2)


def answered(rule: str) -> Iterator[tuple[Framework, tuple[Item, ...]]]:
    """Yield the frameworks that have items which a rule answers, with these."""
    for framework in FRAMEWORKS:
        items = tuple(item for item in framework.items if rule in item.rules)
        if items:
            yield framework, items
