"""The mapping of rules to frameworks is whole, and honest where there is no answer."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from keysteward.core.policy import RULES
from keysteward.report.policy.frameworks import FRAMEWORKS, OWASP, Framework, answered

ITEMS = [(framework, item) for framework in FRAMEWORKS for item in framework.items]

REQUIRED = {
    "NIST Cybersecurity Framework 2.0": {"PR.AA-01", "PR.AA-05"},
    "NIST Cybersecurity Framework 1.1": {"PR.AC-1", "PR.AC-4"},
    "NIST Zero Trust Architecture": {f"Tenet {number}" for number in range(1, 8)},
    "PCI DSS": {"8.6.1", "8.6.2", "8.6.3"},
    "SOC 2": {"CC6.1", "CC6.2", "CC6.3", "CC6.6", "CC7.2", "CC8.1"},
}


def test_all_ten_owasp_entries_are_there_in_their_order() -> None:
    assert [item.number.split(" ")[0] for item in OWASP.items] == [f"NHI{number}:2025" for number in range(1, 11)]


def test_every_rule_names_owasp_entries_that_there_are_and_is_found_under_them() -> None:
    known = {item.number.split(":")[0] for item in OWASP.items}
    for rule in RULES.values():
        assert set(rule.owasp) <= known, rule.number
        under = {item.number.split(":")[0] for item in OWASP.items if rule.number in item.rules}
        assert under == set(rule.owasp), rule.number


@pytest.mark.parametrize("number", RULES)
def test_every_rule_is_mapped_beyond_owasp_too(number: str) -> None:
    frameworks = [framework.name for framework, _ in answered(number)]
    assert OWASP.name in frameworks
    assert len(frameworks) > 1


def test_every_mapped_rule_exists_and_is_named_once_in_order() -> None:
    for framework, item in ITEMS:
        assert set(item.rules) <= set(RULES), (framework.name, item.number)
        assert all(first < second for first, second in pairwise(item.rules)), (framework.name, item.number)


def test_the_items_that_were_asked_for_are_there() -> None:
    given = {framework.name: {item.number for item in framework.items} for framework in FRAMEWORKS}
    for name, numbers in REQUIRED.items():
        assert given[name] == numbers
    assert len(given["CSA MAESTRO"]) == 7
    assert all(number.startswith("GOVERN ") for number in given["NIST AI Risk Management Framework"])


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda framework: framework.name)
def test_every_framework_cites_its_document_and_every_item_says_what_is_beyond_it(framework: Framework) -> None:
    assert re.search(r"20[0-9]{2}", framework.document)
    assert framework.section
    for item in framework.items:
        assert item.asks.endswith(".")
        assert item.beyond.endswith(".")
        assert item.evidence or "Not answered" in item.beyond, item.number


def test_what_has_neither_rule_nor_evidence_says_that_it_is_not_answered() -> None:
    silent = {item.number for _, item in ITEMS if not item.rules and not item.evidence}
    assert silent == {"Tenet 4", "Layer 1, foundation models"}
