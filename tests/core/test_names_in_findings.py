"""Findings name an object in one way: what it is, its id, and what people call it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_changed_by_hand import client, told
from test_stories import running

from keysteward.core.contract.observed import ObservedObject, Settings

ITEM = ObservedObject("id-1", "client_01H", enabled=True, settings=Settings("client_secret"))


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (ITEM, "client 'client_01H'"),
        (replace(ITEM, label="Invoice export"), "client 'client_01H' (Invoice export)"),
        (replace(ITEM, label="client_01H"), "client 'client_01H'"),
        (replace(ITEM, holder="usage plan", label="partners"), "usage plan 'client_01H' (partners)"),
        (replace(ITEM, client_id="no usage plan", holder="usage plan", loose=True), "no usage plan"),
        (replace(ITEM, label="a\x1b[31m\nb"), r"client 'client_01H' (a\x1b[31m\nb)"),
    ],
)
def test_the_words_for_an_object(item: ObservedObject, words: str) -> None:
    assert item.named == words


def test_a_finding_about_our_client_names_it_as_people_do() -> None:
    made = running(auth_method="private_key_jwt")
    item = client(made)
    item.label, item.settings = "Invoice export", replace(item.settings, token_lifetime=86_400)
    assert any(f"client {item.client_id!r} (Invoice export) at target idp differs" in f.message for f in told(made))
