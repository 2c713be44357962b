"""Anchors in an S3 object, on moto's S3."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from audit_bench import STACK, log_of, witness
from moto import mock_aws

from keysteward.core.audit.chain import load_segment
from keysteward.core.errors import AccessDenied, DeclarationError, NotFound, Unavailable, VersionConflict
from keysteward.operations.audit.anchors import anchor_in_s3, line_of, read_anchors
from keysteward.providers.aws.s3 import S3Object

URL = "s3://anchors/keysteward/demo.jsonl"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "eu-central-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="anchors", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        yield


@pytest.mark.usefixtures("bucket")
def test_an_object_is_an_anchor_whose_lines_are_added() -> None:
    documents = log_of([1, 2, 1])
    heads = [load_segment(documents[number]).head for number in (1, 3)]
    for head in heads:
        assert anchor_in_s3(head, URL) == URL
    found = read_anchors(URL, STACK, Path())
    assert list(found.heads) == heads
    assert found.spoilt == 0
    assert found.heads[-1].position == witness(documents).position
    with pytest.raises(NotFound, match="holds no anchor of acme/prod"):
        read_anchors(URL, "acme/prod", Path())


@pytest.mark.usefixtures("bucket")
def test_a_line_that_somebody_else_added_meanwhile_is_not_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    line = line_of(load_segment(log_of([1])[1]).head)
    read = S3Object._read

    def overtaken(self: S3Object) -> tuple[str, str]:
        monkeypatch.setattr(S3Object, "_read", read)
        try:
            return read(self)
        finally:
            S3Object(URL).add_line("theirs")

    for lines in (["theirs"], ["theirs", "theirs"]):
        monkeypatch.setattr(S3Object, "_read", overtaken)
        with pytest.raises(VersionConflict, match="changed by somebody else meanwhile"):
            S3Object(URL).add_line(line)
        assert S3Object(URL).lines() == lines


@pytest.mark.usefixtures("bucket")
def test_what_goes_wrong_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound, match="there is no object"):
        S3Object(URL).lines()
    with pytest.raises(NotFound, match="there is no object"):
        S3Object("s3://elsewhere/demo").add_line("x")
    for url in ("s3://", "s3://bucket", "https://bucket/key"):
        with pytest.raises(DeclarationError, match="names no S3 object"):
            S3Object(url)
    assert isinstance(S3Object(URL)._translated("AccessDenied"), AccessDenied)
    assert isinstance(S3Object(URL)._translated("SlowDown"), Unavailable)
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(DeclarationError, match=r"pip install 'keysteward\[aws\]'"):
        S3Object(URL).lines()


def test_without_credentials_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("CONFIG_FILE", "SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(f"AWS_{name}", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with pytest.raises(Unavailable, match="check region and credentials"):
        S3Object(URL).lines()
