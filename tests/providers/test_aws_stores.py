"""What is Secrets Manager's and DynamoDB's own: labels, tags, scheduled deletion, rights, limits. On moto's server."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from aws_server import ACCOUNT, REGION, AwsServer, Fault
from samples import sampled

from keysteward.core.contract.observed import Delivered, DeliveredEntry
from keysteward.core.errors import (
    AccessDenied,
    Conflict,
    Damaged,
    DeclarationError,
    KeystewardError,
    NotFound,
    Rejected,
)
from keysteward.providers.aws import DynamoLedgers, SecretsManager, marks, policy
from keysteward.providers.aws.connection import AwsClient
from keysteward.providers.aws.versions import Versions
from keysteward.providers.documents.description import Description
from keysteward.testing.store_world import IDENTITY, PATH, STRANGER, about, at, deliver, entry, secret, text_of

STAGED = f"keysteward/staged/{PATH}"


class Account:
    """One account with a runner, a reader and an application, each with the policy that is shipped."""

    def __init__(self, aws: AwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws = aws
        self.client = aws.client("secretsmanager")
        monkeypatch.setenv("RUNNER", aws.grant("AKIARUNNER0000000000", "runner", delivered="apps/*"))
        monkeypatch.setenv("READER", aws.grant("AKIAREADER0000000000", "reader", delivered="apps/*"))
        monkeypatch.setenv("APPLICATION", aws.grant("AKIACONSUMER00000000", "consumer", delivered=PATH))

    def store(self, **settings: Any) -> SecretsManager:  # noqa: ANN401 - whatever the store takes
        given = {"region": REGION, "endpoint_url": self.aws.url, "admin": "env:RUNNER", "reader": "env:READER"}
        return SecretsManager("secrets", **{**given, **settings})

    def labels(self, name: str = PATH) -> dict[str, str]:
        """Return the current generation that each label shows."""
        found: dict[str, str] = {}
        if name not in self.aws.secrets():
            return found
        for version in self.aws.secrets()[name].versions.values():
            document = json.loads(version["secret_string"])
            found |= dict.fromkeys(version["version_stages"], document.get("client_secret", "nothing"))
        return found

    def stages(self) -> list[list[str]]:
        return [version["version_stages"] for version in self.aws.secrets()[PATH].versions.values()]


@pytest.fixture
def account(aws: AwsServer, monkeypatch: pytest.MonkeyPatch) -> Account:
    return Account(aws, monkeypatch)


def both(value: str) -> dict[str, str]:
    return {"AWSCURRENT": value, "AWSPENDING": value}


STORY: list[tuple[Callable[[SecretsManager], None], dict[str, str]]] = [
    (lambda store: store.stage(PATH, entry(1, "one"), secret("one")), {}),
    (lambda store: store.promote(PATH, entry(1, "one"), about(), {}), {"AWSPREVIOUS": "nothing", **both("one")}),
    (lambda store: store.stage(PATH, entry(2, "two"), secret("two")), {"AWSPREVIOUS": "nothing", **both("one")}),
    (lambda store: store.promote(PATH, entry(2, "two"), about(), {}), {"AWSPREVIOUS": "one", **both("two")}),
    (lambda store: store.discard(PATH, IDENTITY, 1), both("two")),
    (lambda store: store.discard(PATH, IDENTITY, 2), both("nothing")),
]
"""The life of two generations, and which value each label shows after each step."""


class Fatal:
    """Lets the process die at its nth call to AWS."""

    def __init__(self, number: int, *, sent: bool) -> None:
        self.number, self.sent, self.count = number, sent, 0

    def call(self, really: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - passed on
            self.count += 1
            if self.count == self.number and not self.sent:
                raise KeyboardInterrupt
            answer = really(*arguments, **named)
            if self.count == self.number:
                raise KeyboardInterrupt
            return answer

        return call


def kill(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Let the process die at its next call of this kind."""

    def die(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Versions, method, die)


class TestLabels:
    def test_the_labels_mean_what_they_mean_in_aws(self, account: Account) -> None:
        store = account.store()
        deliver(store, 1, "one")
        assert account.labels() == {"AWSPREVIOUS": "nothing", "AWSCURRENT": "one", "AWSPENDING": "one"}
        deliver(store, 2, "two")
        assert account.labels() == {"AWSPREVIOUS": "one", "AWSCURRENT": "two", "AWSPENDING": "two"}
        store.discard(PATH, IDENTITY, 1)
        assert account.labels() == {"AWSCURRENT": "two", "AWSPENDING": "two"}

    def test_the_first_version_is_empty_so_that_the_first_document_is_moved_too(self, account: Account) -> None:
        deliver(account.store(), 1, "one")
        first = next(iter(account.aws.secrets()[PATH].versions.values()))
        assert first["secret_string"] == "{}"

    def test_a_pending_version_that_somebody_left_stops_nothing(self, account: Account) -> None:
        store = account.store()
        deliver(store, 1, "one")
        left = '{"left": "behind"}'
        account.client.put_secret_value(SecretId=PATH, SecretString=left, VersionStages=["AWSPENDING"])
        assert at(store.as_reader()) == at(store)
        deliver(store, 2, "two")
        assert account.labels()["AWSPENDING"] == "two"
        assert text_of(store, 1) == "one"

    def test_a_version_that_somebody_labelled_loses_its_labels_with_its_secret(self, account: Account) -> None:
        store = account.store()
        deliver(store, 1, "one")
        current = account.client.get_secret_value(SecretId=PATH)["VersionId"]
        account.client.update_secret_version_stage(SecretId=PATH, VersionStage="BLUE", MoveToVersionId=current)
        deliver(store, 2, "two")
        store.discard(PATH, IDENTITY, 1)
        assert '"one"' not in account.aws.everything()

    def test_a_version_of_before_a_take_over_stays(self, account: Account) -> None:
        store = account.store()
        account.client.create_secret(Name=PATH, SecretString='{"password": "theirs"}')
        store.take_over(PATH, IDENTITY)
        deliver(store, 1, "one")
        account.client.update_secret_version_stage(
            SecretId=PATH, VersionStage="OLD", MoveToVersionId=next(iter(account.aws.secrets()[PATH].versions))
        )
        deliver(store, 2, "two")
        store.discard(PATH, IDENTITY, 1)
        assert ["OLD"] in account.stages()

    def test_two_who_promote_at_once_make_one_version(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        """The second finds the label moved, looks again, and is content."""
        store = account.store()
        deliver(store, 1, "one")
        store.stage(PATH, entry(2, "two"), secret("two"))
        write = Versions.write
        raced = []

        def overtaken(self: Versions, name: str, *rest: Any) -> None:  # noqa: ANN401 - passed on
            if not raced:
                raced.append(name)
                account.store().promote(PATH, entry(2, "two"), about(), {})
            write(self, name, *rest)

        monkeypatch.setattr(Versions, "write", overtaken)
        store.promote(PATH, entry(2, "two"), about(), {})
        assert account.labels() == {"AWSPREVIOUS": "one", "AWSCURRENT": "two", "AWSPENDING": "two"}
        assert len(account.stages()) == 3

    def test_another_writer_is_not_overwritten(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        store = account.store()
        deliver(store, 1, "one")
        store.stage(PATH, entry(2, "two"), secret("two"))
        document = json.loads(account.client.get_secret_value(SecretId=PATH)["SecretString"])
        write = Versions.write
        raced = []

        def overtaken(self: Versions, name: str, *rest: Any) -> None:  # noqa: ANN401 - passed on
            if not raced:
                raced.append(name)
                text = json.dumps({**document, "note": "theirs"})
                account.client.put_secret_value(SecretId=PATH, SecretString=text)
            write(self, name, *rest)

        monkeypatch.setattr(Versions, "write", overtaken)
        store.promote(PATH, entry(2, "two"), about(), {})
        found = json.loads(account.client.get_secret_value(SecretId=PATH)["SecretString"])
        assert (found["client_secret"], found["note"]) == ("two", "theirs")


class TestKills:
    @pytest.mark.parametrize("sent", sampled((False, True), [True]), ids=["before it is sent", "after the answer"])
    def test_a_kill_at_any_call_is_gone_on_from(
        self, account: Account, monkeypatch: pytest.MonkeyPatch, *, sent: bool
    ) -> None:
        """Of a first delivery, a rotation, a retirement, the end: doing it again ends as an undisturbed run does."""
        runner = account.store()
        for number in itertools.count(1):
            account.aws.reset()
            fatal = Fatal(number, sent=sent)
            for step, labels in STORY:
                with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
                    patch.setattr(AwsClient, "_call", fatal.call(AwsClient._call))
                    step(runner)
                at(runner.as_reader())
                at(runner)
                step(runner)
                assert account.labels() == labels, f"killed at call {number}"
                assert at(runner.as_reader()) == at(runner)
            assert list(account.aws.secrets()) == [PATH]
            assert account.aws.secrets()[PATH].is_deleted()
            for gone in ('"one"', '"two"'):
                assert gone not in account.aws.everything(), f"killed at call {number}"
            if number > fatal.count:
                break
        assert fatal.count == 33, "docs/safety.md names this number"

    def test_a_run_finishes_a_removal_that_was_killed(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        store = account.store()
        deliver(store, 1, "one")
        with monkeypatch.context() as patch:
            kill(patch, "unlabel")
            with pytest.raises(KeyboardInterrupt):
                store.discard(PATH, IDENTITY, 1)
        assert '"one"' in account.aws.everything()
        assert at(account.store()) == Delivered()
        assert '"one"' not in account.aws.everything()


class TestScheduledDeletion:
    def test_what_is_left_empty_can_be_restored_for_a_while(self, account: Account) -> None:
        store = account.store(recovery_days=7)
        deliver(store, 1, "one")
        store.discard(PATH, IDENTITY, 1)
        left = account.client.describe_secret(SecretId=PATH)
        assert (left["DeletedDate"] - left["LastChangedDate"]).days in {6, 7}
        account.client.restore_secret(SecretId=PATH)
        assert account.client.get_secret_value(SecretId=PATH)["SecretString"] == "{}"

    def test_our_own_is_restored_with_the_fields_of_others(self, account: Account) -> None:
        store = account.store()
        deliver(store, 1, "one")
        document = json.loads(account.client.get_secret_value(SecretId=PATH)["SecretString"])
        account.client.put_secret_value(SecretId=PATH, SecretString=json.dumps({**document, "note": "theirs"}))
        account.client.delete_secret(SecretId=PATH)
        assert at(store) == at(store.as_reader()) == Delivered()
        assert store.read(PATH, 1) is None
        store.discard(PATH, IDENTITY, 7)
        assert account.aws.secrets()[PATH].is_deleted(), "discarding brings nothing back"
        deliver(store, 2, "two")
        found = json.loads(account.client.get_secret_value(SecretId=PATH)["SecretString"])
        assert (found["client_secret"], found["previous"]["client_secret"], found["note"]) == ("two", "one", "theirs")

    @pytest.mark.parametrize("whose", ["another identity's", "somebody else's"])
    def test_another_ones_is_refused(self, account: Account, whose: str) -> None:
        store = account.store()
        if whose == "another identity's":
            deliver(store, 1, "one")
        else:
            account.client.create_secret(Name=PATH, SecretString='{"password": "x"}')
        account.client.delete_secret(SecretId=PATH)
        theirs = entry(1, "theirs", identity=STRANGER)
        store.stage(PATH, theirs, secret("theirs"))
        expected = f"belongs to {IDENTITY}" if whose == "another identity's" else "is not keysteward's"
        with pytest.raises(Conflict, match=f"is scheduled for deletion and {expected}"):
            store.promote(PATH, theirs, about(), {})
        assert account.aws.secrets()[PATH].is_deleted()

    def test_the_name_of_a_deleted_staging_secret_is_waited_for(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pauses: list[float] = []
        monkeypatch.setattr("tenacity.nap.time.sleep", pauses.append)
        account.aws.faults.append(Fault("secretsmanager:CreateSecret", "InvalidRequestException", times=2))
        account.store().stage(PATH, entry(1, "one"), secret("one"))
        assert len(pauses) == 2
        assert text_of(account.store(), 1) == "one"

    def test_a_staging_secret_that_somebody_scheduled_for_deletion_is_made_anew(self, account: Account) -> None:
        store = account.store()
        store.stage(PATH, entry(1, "one"), secret("one"))
        account.client.delete_secret(SecretId=STAGED)
        assert at(store) == Delivered()
        deliver(store, 1, "one")
        assert account.labels()["AWSCURRENT"] == "one"


class TestOthers:
    def test_a_secret_without_a_value_is_filled(self, account: Account) -> None:
        """As Terraform makes them, with its policy and key."""
        account.client.create_secret(Name=PATH, Tags=[{"Key": "team", "Value": "billing"}])
        store = account.store()
        assert at(store) == Delivered()
        deliver(store, 1, "one")
        assert account.labels()["AWSCURRENT"] == "one"
        assert {"Key": "team", "Value": "billing"} in account.aws.secrets()[PATH].tags

    @pytest.mark.parametrize("value", [{"SecretString": "plain"}, {"SecretString": "[1]"}, {"SecretBinary": b"\x00"}])
    def test_text_that_is_no_document_is_left_alone(self, account: Account, value: dict[str, Any]) -> None:
        account.client.create_secret(Name=PATH, **value)
        store = account.store()
        assert at(store) == at(store.as_reader()) == Delivered(exists=True)
        store.stage(PATH, entry(1, "one"), secret("one"))
        with pytest.raises(Conflict, match="holds text that is no JSON object"):
            store.promote(PATH, entry(1, "one"), about(), {})
        store.discard(PATH, IDENTITY, 1)
        assert store.read(PATH, 1) is None
        assert account.aws.secrets()[PATH].tags is None

    def test_an_empty_secret_of_another_identity_is_refused(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = account.store()
        store.stage(PATH, entry(1, "one"), secret("one"))
        with monkeypatch.context() as patch:
            kill(patch, "write")
            with pytest.raises(KeyboardInterrupt):
                store.promote(PATH, entry(1, "one"), about(), {})
        seen = at(store.as_reader())
        assert (seen.identity, seen.unknown) == (IDENTITY, True)
        store.discard(PATH, IDENTITY, 2)
        account.client.create_secret(
            Name="apps/other", SecretString="{}", Tags=[{"Key": "keysteward:identity", "Value": STRANGER}]
        )
        store.stage("apps/other", entry(1, "one"), secret("one"))
        with pytest.raises(Conflict, match=f"is empty and belongs to {STRANGER}"):
            store.promote("apps/other", entry(1, "one"), about(), {})

    def test_tags_of_others_stay(self, account: Account) -> None:
        store = account.store()
        deliver(store, 1, "one")
        account.client.tag_resource(SecretId=PATH, Tags=[{"Key": "team", "Value": "billing"}])
        deliver(store, 2, "two")
        assert {"Key": "team", "Value": "billing"} in account.aws.secrets()[PATH].tags

    def test_a_document_that_is_too_long_is_refused_by_size(self, account: Account) -> None:
        store = account.store()
        deliver(store, 1, "one")
        document = json.loads(account.client.get_secret_value(SecretId=PATH)["SecretString"])
        account.client.put_secret_value(SecretId=PATH, SecretString=json.dumps({**document, "note": "x" * 65_000}))
        with pytest.raises(Rejected, match=r"has \d+ bytes, and Secrets Manager takes 65536"):
            deliver(store, 2, "two")
        assert account.labels()["AWSCURRENT"] == "one"


class TestRights:
    def test_an_application_reads_its_document_and_nothing_that_is_staged(self, account: Account) -> None:
        store = account.store()
        deliver(store, 1, "one")
        deliver(store, 1, "other", path="apps/other")
        store.stage(PATH, entry(2, "two"), secret("two"))
        application = account.store(admin="env:APPLICATION")
        assert text_of_staged(application) is AccessDenied
        held = Versions(application._admin).read(PATH)
        assert held.data is not None
        assert held.data["client_secret"] == "one"
        for name in ("apps/other", STAGED):
            with pytest.raises(AccessDenied):
                Versions(application._admin).read(name)
        assert "two" not in json.dumps(held.data)

    def test_keys_are_chosen_for_what_is_delivered_and_staged(self, account: Account) -> None:
        store = account.store(kms_key="alias/delivered", staging_kms_key="alias/staged")
        store.stage(PATH, entry(1, "one"), secret("one"))
        assert account.aws.secrets()[STAGED].kms_key_id == "alias/staged"
        store.promote(PATH, entry(1, "one"), about(), {})
        assert account.aws.secrets()[PATH].kms_key_id == "alias/delivered"
        again = SecretsManager(**store.descriptor.settings)
        assert again.descriptor == store.descriptor

    def test_doctor_says_what_is_lacking_and_what_is_too_much(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deliver(account.store(), 1, "one")
        before = account.aws.everything()
        lacking = [c for c in account.store(admin="env:READER").diagnose([PATH]) if not c.ok]
        assert len(lacking) == 1
        assert "PutSecretValue on keysteward/staged/keysteward-doctor" in lacking[0].detail
        assert f"GetSecretValue on {PATH}" in lacking[0].detail
        excess = [c for c in account.store(reader="env:RUNNER").as_reader().diagnose([PATH]) if c.warning]
        assert len(excess) == 1
        assert "may do what it never needs: GetSecretValue on keysteward/staged" in excess[0].detail
        assert account.aws.everything() == before, "nothing was changed by asking"
        account.client.delete_secret(SecretId=PATH)
        scheduled = list(account.store().diagnose([PATH]))
        assert "is scheduled for deletion" in scheduled[-1].detail
        monkeypatch.delenv("RUNNER")
        [dead] = account.store().diagnose([PATH])
        assert not dead.ok
        assert "environment variable RUNNER is not set" in dead.detail

    def test_doctor_names_a_rotation_of_aws_itself(self, account: Account) -> None:
        account.client.create_secret(Name=PATH, SecretString="{}")
        account.client.rotate_secret(SecretId=PATH, RotationRules={"AutomaticallyAfterDays": 30})
        assert any("also rotated by Secrets Manager" in c.detail for c in account.store().diagnose([PATH]) if c.warning)

    def test_policies_are_for_one_partition_of_aws_and_one_key(self) -> None:
        named = {"delivered": "apps/billing", "account": ACCOUNT, "kms_key": "arn:key"}
        chinese = json.loads(policy("consumer", region="cn-north-1", **named))
        assert chinese["Statement"][0]["Resource"].startswith("arn:aws-cn:secretsmanager:cn-north-1:")
        assert chinese["Statement"][0]["Resource"].endswith(":secret:apps/billing-??????")
        assert chinese["Statement"][1]["Action"] == ["kms:Decrypt"]
        assert "arn:key" not in policy("reader", region="us-gov-west-1", **named), "a reader reads no value"
        for wrong in ({"account": "acme"}, {"kind": "owner"}):
            with pytest.raises(DeclarationError):
                policy(**{"kind": "reader", "region": REGION, **named, **wrong})  # type: ignore[arg-type]


def text_of_staged(store: SecretsManager) -> type[KeystewardError] | None:
    try:
        store.read(PATH, 2)
    except KeystewardError as error:
        return type(error)
    return None


class TestSettings:
    def test_what_cannot_be_is_refused_before_any_call(self, account: Account) -> None:
        store = account.store()
        for path in ("keysteward/staged", "keysteward/staged/x", "keysteward-doctor", "a" * 500):
            with pytest.raises(DeclarationError, match="deliver_to"):
                store.path(path)
        assert store.path(PATH, fields={"client_secret": "password"}).path == PATH
        with pytest.raises(DeclarationError, match="takes 7 to 30"):
            account.store(recovery_days=1)
        with pytest.raises(DeclarationError, match="3 to 255"):
            store.ledgers("x")
        with pytest.raises(DeclarationError, match="partition is empty"):
            store.ledgers(partition="")
        assert account.aws.calls == []
        assert repr(store) == "SecretsManager('secrets', region='eu-central-1')"


class TestMarks:
    def test_what_is_said_of_a_secret_is_read_back(self) -> None:
        long = DeliveredEntry(4, "k1:ab", "nonce", "https://é / = ~@+ id " * 20, "d" * 64)
        short = DeliveredEntry(3, "k1:cd", "n", None, None)
        for description in (
            Description(IDENTITY, long, short),
            Description(IDENTITY, short, None),
            Description("acme/ü " * 60, None, None, (long, short)),
        ):
            tags = marks.pack(description, "v1")
            assert all(len(value) <= 256 for value in tags.values())
            assert all(set(v) <= set(marks_alphabet()) for v in tags.values()), "what AWS allows in a tag"
            said = marks.unpack(tags)
            assert said is not None
            assert (said.description, said.version) == (description, "v1")

    def test_the_rest_of_a_longer_tag_is_not_read(self) -> None:
        long = DeliveredEntry(4, "k1:ab", "nonce", "x" * 300, "d" * 64)
        tags = {
            **marks.pack(Description(IDENTITY, long), "v1"),
            **marks.pack(Description(IDENTITY, replace(long, remote_id="x")), "v2"),
        }
        said = marks.unpack(tags)
        assert said is not None
        assert said.description.current == replace(long, remote_id="x")

    def test_a_tag_that_somebody_spoilt_describes_nothing(self) -> None:
        tags = {**marks.pack(Description(IDENTITY, DeliveredEntry(1, "f", "n")), "v1"), "keysteward:current": "x y"}
        said = marks.unpack(tags)
        assert said is not None
        assert (said.description, said.version) == (Description(IDENTITY), "")
        assert marks.unpack({"team": "billing"}) is None


def marks_alphabet() -> str:
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 +-=._:/@"


class TestLedgers:
    def ledgers(self, account: Account, **settings: str) -> DynamoLedgers:
        account.aws.make_table()
        return account.store().ledgers(**settings)

    def test_a_stack_is_one_query_and_pages_are_followed(self, account: Account) -> None:
        ledgers = self.ledgers(account)
        for number in range(4):
            ledgers.write(f"ledgers/acme/prod/{number}", {"n": number, "words": "x" * 390_000}, 0)
        ledgers.write("keys/1", {}, 0)
        account.aws.calls.clear()
        assert [stored.document["n"] for stored in ledgers.list("ledgers/").values() if stored.document] == [0, 1, 2, 3]
        assert account.aws.counted == {"dynamodb:Query": 2}

    def test_partitions_keep_stacks_apart(self, account: Account) -> None:
        account.aws.make_table()
        ledgers = account.store().ledgers()
        ledgers.write("ledgers/x", {"a": 1}, 0)
        with pytest.raises(AccessDenied, match="may not dynamodb:GetItem on table keysteward"):
            account.store().ledgers(partition="others").read("ledgers/x")

    def test_an_item_that_is_too_large_is_refused_by_size(self, account: Account) -> None:
        ledgers = self.ledgers(account)
        account.aws.calls.clear()
        with pytest.raises(Rejected, match=r"ledgers/x has \d+ bytes, and an item of DynamoDB holds 409600"):
            ledgers.write("ledgers/x", {"words": "ü" * 210_000}, 0)
        assert account.aws.calls == []

    def test_a_missing_table_comes_with_its_command(self, account: Account) -> None:
        ledgers = account.store().ledgers()
        for call in (
            ledgers.now,
            lambda: ledgers.read("x"),
            lambda: ledgers.list("x"),
            lambda: ledgers.write("x", {}, 0),
        ):
            with pytest.raises(NotFound, match="there is no table keysteward: aws dynamodb create-table --region"):
                call()
        [check] = ledgers.diagnose()
        assert not check.ok
        command = check.detail.partition("; ")[2].split()
        assert command[:4] == ["aws", "dynamodb", "create-table", "--region"]
        given = dict(zip(command[3::2], command[4::2], strict=False))
        assert given["--table-name"] == "keysteward"

    def test_doctor_looks_at_keys_rights_and_backups(self, account: Account) -> None:
        ledgers = self.ledgers(account)
        checks = list(ledgers.diagnose())
        assert all(check.ok for check in checks)
        assert "PointInTimeRecoveryEnabled=true" in checks[-1].detail
        account.aws.client("dynamodb").update_continuous_backups(
            TableName="keysteward", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
        assert not [check for check in ledgers.diagnose() if check.warning]
        lacking = [c for c in account.store(admin="env:READER").ledgers().diagnose() if not c.ok]
        assert [c.detail for c in lacking] == ["lacks PutItem on keysteward"]
        excess = [c for c in account.store(reader="env:RUNNER").ledgers().as_reader().diagnose() if c.warning]
        assert [c.detail for c in excess] == ["may do what it never needs: PutItem on keysteward"]
        assert dict(ledgers.list("")) == {}, "nothing was written by asking"

    def test_doctor_goes_on_from_what_it_may_not_see(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        ledgers = self.ledgers(account)
        statements = account.aws.policies["AKIARUNNER0000000000"]["Statement"]
        next(s for s in statements if s["Sid"] == "Table")["Action"] = ["dynamodb:DescribeTable"]
        assert "grant dynamodb:DescribeContinuousBackups" in list(ledgers.diagnose())[-1].detail
        statements[:] = [s for s in statements if s["Sid"] != "Table"]
        [check] = ledgers.diagnose()
        assert not check.ok
        assert "may not dynamodb:DescribeTable on table keysteward" in check.detail
        monkeypatch.setenv("RUNNER", account.aws.grant("AKIARUNNER0000000000", "runner", delivered="elsewhere/*"))
        lacking = [c.detail for c in account.store().diagnose([PATH]) if not c.ok]
        assert lacking == [f"lacks DescribeSecret on {PATH}"]

    def test_a_table_with_other_keys_is_none_for_ledgers(self, account: Account) -> None:
        account.aws.client("dynamodb").create_table(
            TableName="keysteward",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
        )
        [check] = account.store().ledgers().diagnose()
        assert not check.ok
        assert "has other keys than ledgers and key" in check.detail

    def test_an_item_that_is_no_ledger_is_damaged(self, account: Account) -> None:
        ledgers = self.ledgers(account)
        item = {
            "ledgers": {"S": "keysteward"},
            "key": {"S": "ledgers/x"},
            "document": {"S": "{"},
            "version": {"N": "1"},
        }
        account.aws.client("dynamodb").put_item(TableName="keysteward", Item=item)
        with pytest.raises(Damaged, match="the item ledgers/x in table keysteward is no ledger"):
            ledgers.read("ledgers/x")

    def test_it_is_made_again_from_its_descriptor(self, account: Account) -> None:
        ledgers = self.ledgers(account, partition="keysteward")
        ledgers.write("ledgers/x", {"a": 1}, 0)
        again = DynamoLedgers(**ledgers.descriptor.settings)
        assert again.read("ledgers/x").document == {"a": 1}
        assert repr(again) == "DynamoLedgers('secrets', region='eu-central-1', table='keysteward')"
