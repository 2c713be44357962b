"""The numbered rules and the frameworks as pages of the documentation, in Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from keysteward.core.contract.capabilities import BroadScopes
from keysteward.core.declare.environments import WORDS
from keysteward.core.declare.limits import CLIENT_RULES, KEY_RULES
from keysteward.core.policy import RULES, Rule
from keysteward.core.policy.broad_scopes import ADMINISTRATORS, TABLE
from keysteward.report.policy.explain import python_waiver, severity_words, yaml_waiver
from keysteward.report.policy.frameworks import FRAMEWORKS, Framework, Item, answered

RULES_HEAD = """\
# The numbered rules

{notice}

Every declaration is held against these rules. What a rule counts as depends on the kind, "-" means that it does not
apply. An **error** stops `keysteward up` and `preview`, and `pulumi up` and `preview`, before any call; a **warning**
shows in both previews and stops nothing; a **note** shows in `keysteward show`, `keysteward drift` and
`keysteward review`, which are never stopped.

- **Levels**: `Stack(..., levels={{"KS016": "error"}})` sets what a rule counts as in a stack: `off`, `note`, `warning`
  or `error`. `keysteward rules --stack NAME` shows what counts there.
- **Waivers**: `waivers=[Waiver(...)]` in a declaration lets one credential break one rule until a day, with a reason
  and who approved it. Its findings become notes that say so; from that day on the rule counts again, and the waiver is
  a finding itself (KS031). So is one that is longer than the review interval of its kind, and an entry of
  `Stack(allowed=...)` that is longer than that of an API key.
- **Mandatory** rules can be neither waived nor lowered: {mandatory}.
- **Live** rules need a look at ledger and target, and cannot stop a run before its first call: {live}.
- What is declared wrongly as such (a scope that no resource server offers, two credentials for one place) is no matter
  of rules: it is an error always. See [declaration.md](declaration.md).

The same is told by `keysteward explain RULE`. Which items of which framework a rule answers, and what no rule can
answer: [frameworks.md](frameworks.md).

"""

SWEEPING_HEAD = """\
## Sweeping scopes

What KS016 looks for. A scope is read without the address or audience before its name, in parts between `:`, `/` and
`.`, and without regard to case.

- a `*` anywhere;
- a part that is one of {administrators}, unless the last part is `readonly`;
- one of these, where `*` in a pattern stands for any text:

"""

ENVIRONMENTS_HEAD = """\
## Words for environments

What KS019, KS020, KS021, KS029 and [the brake on endings](what-is-deleted.md#the-brake) take for an environment. In
`environment` of a declaration the first or the last word counts (`prod-eu` is production, and so is `test-prod`). **An
unknown word counts as production** wherever that asks for more care: for KS020, KS029 and the brake. In a place a word
counts where it is the store's name, a whole part of the path, or behind the last hyphen, dot or underscore of one
(`apps/billing-prod`), and not where that part is the credential's own name, its client_id or its consumer. The
environments that a stack's credentials name are words as well. `non-production` is any but production.

"""

FRAMEWORKS_HEAD = """\
# Frameworks

{notice}

Which items of which framework keysteward answers, with what evidence, and what it cannot answer. The items are told
here in our own words; the documents named hold the originals. Whether the evidence is enough is for an auditor to say,
and every framework asks for more than credentials of machines.

The rules are those of [rules.md](rules.md), the commands those of [cli.md](cli.md).

"""


def rules_page(notice: str, until: date, vendors: Mapping[str, tuple[BroadScopes, ...]]) -> str:
    """Return docs/rules.md; `until` is the day in its examples of a waiver, `vendors` what targets call sweeping."""
    mandatory = ", ".join(_linked(rule.number) for rule in RULES.values() if not rule.waivable)
    live = ", ".join(_linked(rule.number) for rule in RULES.values() if rule.live)
    lines = [RULES_HEAD.format(notice=notice, mandatory=mandatory, live=live).rstrip(), ""]
    lines += [f"| rule | {CLIENT_RULES.kind} | {KEY_RULES.kind} | how it should be |", "|---|---|---|---|"]
    for rule in RULES.values():
        lines.append(
            f"| {_linked(rule.number)} | {severity_words(rule.client)} | {severity_words(rule.key)} | {rule.title} |"
        )
    for rule in RULES.values():
        lines += ["", *_section(rule, until)]
    names = ", ".join(f"`{word}`" for word in sorted(ADMINISTRATORS))
    lines += [
        "",
        SWEEPING_HEAD.format(administrators=names).rstrip(),
        "",
        "| vendor | scopes | allow |",
        "|---|---|---|",
    ]
    there = {f"{vendor} (at its targets alone)": rows for vendor, rows in vendors.items()}
    for vendor, rows in {**TABLE, **there}.items():
        for row in rows:
            lines.append(f"| {vendor} | {', '.join(f'`{scope}`' for scope in row.scopes)} | {row.what} |")
    lines += ["", ENVIRONMENTS_HEAD.rstrip(), "", "| environment | words |", "|---|---|"]
    for environment in dict.fromkeys(WORDS.values()):
        words = ", ".join(f"`{word}`" for word, meant in WORDS.items() if meant == environment)
        lines.append(f"| {environment} | {words} |")
    return "\n".join(lines) + "\n"


def _linked(number: str) -> str:
    return f"[{number}](#{number.lower()})"


def _section(rule: Rule, until: date) -> Iterable[str]:
    yield f"## {rule.number}"
    yield ""
    yield f"**{rule.title}.** {rule.reason}"
    yield ""
    yield f"- Broken by: {rule.breaks}"
    client, key = severity_words(rule.client), severity_words(rule.key)
    live = ", seen by a look at ledger and target" if rule.live else ""
    yield f"- Counts as: {CLIENT_RULES.kind} {client}, {KEY_RULES.kind} {key}{live}. A finding of kind `{rule.kind}`."
    yield f"- Fix: {rule.mend}."
    for framework, items in answered(rule.number):
        yield f"- {framework.name}: {', '.join(_item_link(item) for item in items)}"
    if not rule.waivable:
        yield "- Mandatory: it can be neither waived nor lowered."
        return
    yield "- Waive it:"
    yield ""
    yield "  ```python"
    yield from (f"  {text}" for text in python_waiver(rule, until))
    yield "  ```"
    yield ""
    yield "  ```yaml"
    yield from (f"  {text}" for text in yaml_waiver(rule, until))
    yield "  ```"


def _item_link(item: Item) -> str:
    return f"[{item.number}](frameworks.md#{_anchor(item.number)})"


def _anchor(heading: str) -> str:
    """Return the anchor of a heading, as forges make it."""
    return "".join(c for c in heading.lower() if c.isalnum() or c in "_- ").replace(" ", "-")


def frameworks_page(notice: str) -> str:
    """Return docs/frameworks.md."""
    lines = [FRAMEWORKS_HEAD.format(notice=notice).rstrip()]
    for framework in FRAMEWORKS:
        lines += ["", *_framework(framework)]
    return "\n".join(lines) + "\n"


def _framework(framework: Framework) -> Iterable[str]:
    yield f"## {framework.name}"
    yield ""
    yield f"{framework.document}. {framework.section}."
    for item in framework.items:
        yield ""
        yield f"### {item.number}"
        yield ""
        yield item.asks
        yield ""
        rules = ", ".join(f"[{number}](rules.md#{number.lower()})" for number in item.rules)
        yield f"- Rules: {rules or 'none'}."
        yield from (f"- Evidence: {evidence}." for evidence in item.evidence)
        yield f"- Beyond it: {item.beyond}"
