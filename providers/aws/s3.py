"""One S3 object as a file of lines. Needs boto3: `pip install 'keysteward[aws]'`."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from keysteward.core.errors import (
    AccessDenied,
    DeclarationError,
    KeystewardError,
    NotFound,
    Unavailable,
    VersionConflict,
)
from keysteward.providers.aws.connection import silence

_MISSING: Final = frozenset({"NoSuchKey", "NoSuchBucket", "404"})
_DENIED: Final = frozenset({"AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"})
_TAKEN: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


class S3Object:
    """An object at s3://bucket/key; credentials and region as boto3 finds them; with versioning all states stay."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._url = url
        self._bucket, self._key = parts.netloc, parts.path.lstrip("/")
        if parts.scheme != "s3" or not self._bucket or not self._key:
            raise DeclarationError(f"{url!r} names no S3 object; write it as s3://bucket/key")

    def lines(self) -> list[str]:
        """Return its lines. Raises NotFound when there is no such object."""
        return self._read()[0].splitlines()

    def add_line(self, line: str) -> None:
        """Add a line at the end; the object is made when it is missing. Raises VersionConflict when it changed."""
        try:
            text, tag = self._read()
        except NotFound:
            text, tag = "", None
        condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
        body = f"{text}{line}\n".encode()
        self._call("put_object", Body=body, ContentType="application/jsonl", **condition)

    def _read(self) -> tuple[str, str]:
        answer = self._call("get_object")
        return answer["Body"].read().decode("utf-8", "replace"), str(answer["ETag"])

    def _call(self, operation: str, **given: Any) -> Any:  # noqa: ANN401 - whatever boto3 answers
        try:
            import boto3  # noqa: PLC0415 - an optional extra
            from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
        except ImportError:
            raise DeclarationError("S3 needs boto3, which is not installed; pip install 'keysteward[aws]'") from None
        failure: KeystewardError
        try:
            client = boto3.client("s3")
            silence()
            return getattr(client, operation)(Bucket=self._bucket, Key=self._key, **given)
        except ClientError as error:
            failure = self._translated(str(error.response.get("Error", {}).get("Code")))
        except BotoCoreError as error:
            failure = Unavailable(
                f"{self._url} cannot be reached ({type(error).__name__}); check region and credentials"
            )
        raise failure

    def _translated(self, code: str) -> KeystewardError:
        if code in _MISSING:
            return NotFound(f"there is no object {self._url}; check bucket and key")
        if code in _DENIED:
            return AccessDenied(
                f"{self._url}: S3 refuses the credentials ({code}); grant s3:GetObject and s3:PutObject"
            )
        if code in _TAKEN:
            return VersionConflict(f"{self._url} was changed by somebody else meanwhile; run again")
        return Unavailable(f"{self._url}: S3 answers {code}; run again later")
