"""Consumers with a webhook: told once per delivery, told again when they did not listen."""

from __future__ import annotations

from bench_world import STOCK, Company

from keysteward.core.declare.delivery import Place, Webhook
from keysteward.core.declare.spec import dump_spec, load_spec
from keysteward.core.errors import Unavailable
from keysteward.core.findings import Kind
from keysteward.core.record.requests import rollback
from keysteward.core.run.executor import News

NAME = "acme/test/billing"


class Consumer:
    """Takes news, or does not."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, str]] = []
        self.deaf = False

    def __call__(self, place: Place, news: News) -> None:
        assert place.webhook == "https://billing.example.com/reload"
        if self.deaf:
            raise Unavailable("the webhook answered 503")
        self.heard.append((news.generation, news.place))


def company() -> tuple[Company, Consumer]:
    consumer = Consumer()
    made = Company(STOCK, notify=consumer)
    hook = Webhook("https://billing.example.com/reload", "env:RELOAD_KEY")
    made.declare(made.client(auth_method="private_key_jwt", deliver_to=made.store.path("apps/billing", webhook=hook)))
    return made, consumer


def test_a_consumer_is_told_once_of_each_delivery() -> None:
    made, consumer = company()
    assert "tell the consumer of store:apps/billing about generation 1" in made.words()
    made.up()
    made.up()
    assert consumer.heard == [(1, "store:apps/billing")]
    made.pass_time(days=90)
    made.up()
    made.up()
    assert consumer.heard == [(1, "store:apps/billing"), (2, "store:apps/billing")]
    assert made.words() == ""


def test_one_that_does_not_listen_is_a_finding_and_told_by_the_next_run() -> None:
    made, consumer = company()
    consumer.deaf = True
    result = made.up()[NAME]
    assert [s.do.value for s in result.done].count("notify") == 1
    finding = next(f for f in result.findings if f.kind is Kind.UNNOTIFIED)
    assert "the webhook of store:apps/billing did not take the news of generation 1" in finding.message
    assert made.consumer_works()
    assert made.words() == "tell the consumer of store:apps/billing about generation 1"
    consumer.deaf = False
    assert made.up()[NAME].findings == ()
    assert consumer.heard == [(1, "store:apps/billing")]
    assert made.words() == ""


def test_a_deaf_consumer_stops_neither_rotation_nor_retirement() -> None:
    made, consumer = company()
    made.up()
    consumer.deaf = True
    made.pass_time(days=90)
    made.up()
    made.pass_time(days=8)
    made.up()
    assert made.states() == ["1 retired", "2 current"]
    consumer.deaf = False
    made.up()
    assert consumer.heard[-1] == (2, "store:apps/billing")


def test_a_rollback_and_a_mended_document_are_told_as_well() -> None:
    made, consumer = company()
    made.up()
    made.pass_time(days=90)
    made.up()
    made.reconciler().edit(NAME, lambda ledger: rollback(ledger, "me", made.clock.now))
    made.up()
    assert [number for number, _ in consumer.heard] == [1, 2, 1]


def test_a_webhook_survives_the_stored_form_of_a_declaration() -> None:
    made, _ = company()
    spec = made.specs[NAME]
    assert load_spec(dump_spec(spec)) == spec
    [place] = load_spec(dump_spec(spec)).places
    assert (place.webhook, place.webhook_key) == ("https://billing.example.com/reload", "env:RELOAD_KEY")
    made.up()
    assert made.ledger().places[0].webhook == "https://billing.example.com/reload"
