"""Who signs the evidence log: a key that is given, the user's own, or a CI job by its identity."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from audit_bench import STACK, entry
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from issuer import BEARER, Issuer, issuing

from keysteward.core.audit.chain import audience, key_id
from keysteward.core.audit.verify_log import examine_log
from keysteward.core.errors import AccessDenied, Damaged, DeclarationError, KeystewardError, Unavailable
from keysteward.operations.audit.ci import claims_of, keys_of_issuer, shown, verified_claims
from keysteward.operations.audit.log import AuditLog
from keysteward.operations.audit.signing import Signer, default_signing_key, read_public_key
from keysteward.testing.memory import Clock, MemoryLedgers

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
KEY = key_id(PRIVATE.public_key().public_bytes_raw())
PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as made:
        yield made


def given(content: bytes, folder: Path, **environment: str) -> Signer:
    path = folder / "given.key"
    path.write_bytes(content)
    return Signer({"KEYSTEWARD_SIGNING_KEY": f"file:{path}", **environment})


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.OpenSSH])
def test_a_given_key_signs(tmp_path: Path, form: PrivateFormat) -> None:
    signing = given(PRIVATE.private_bytes(Encoding.PEM, form, NoEncryption()), tmp_path).signing()
    assert key_id(signing.public_key) == KEY
    PRIVATE.public_key().verify(signing.sign(b"head"), b"head")
    assert signing.token is None


@pytest.mark.parametrize(
    ("content", "told", "kind"),
    [
        (b"secret-nonsense", "holds no private key in PEM or OpenSSH form", Damaged),
        (PEM[:80], "holds no private key in PEM or OpenSSH form", Damaged),
        (
            PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")),
            "the key is encrypted",
            DeclarationError,
        ),
        (
            ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "must be an Ed25519 key",
            DeclarationError,
        ),
    ],
)
def test_what_is_no_such_key_is_refused_without_a_word_of_it(
    tmp_path: Path, content: bytes, told: str, kind: type[KeystewardError]
) -> None:
    with pytest.raises(kind, match=told) as caught:
        given(content, tmp_path).signing()
    assert caught.value.__cause__ is None
    assert content.decode() not in str(caught.value)
    with pytest.raises(DeclarationError, match="never a value"):
        Signer({"KEYSTEWARD_SIGNING_KEY": content.decode()}).signing()


def test_without_one_the_users_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "data" / "signing.pem"
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: Signer({}, path=path).signing().public_key, range(8)))
    assert len(set(keys)) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["signing.pem"]
    path.chmod(0o640)
    with pytest.raises(AccessDenied, match="can be read by others"):
        Signer({}, path=path).signing()


def test_its_place_is_the_users_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_signing_key().name == "signing.pem"
    assert "keysteward" in str(default_signing_key())


def test_nothing_is_read_or_made_before_it_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    log = AuditLog(MemoryLedgers("ledgers", Clock()), STACK, Signer({}, path=path))
    log.append([])
    assert not path.exists()


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.OpenSSH])
def test_a_public_key_is_known_by_the_same_name(encoding: Encoding) -> None:
    form = PublicFormat.SubjectPublicKeyInfo if encoding is Encoding.PEM else PublicFormat.OpenSSH
    content = PRIVATE.public_key().public_bytes(encoding, form)
    assert read_public_key(content, where="f") == KEY
    with pytest.raises(DeclarationError, match="no public Ed25519 key"):
        read_public_key(PEM, where="f")


def test_a_ci_job_signs_by_its_identity(issuer: Issuer) -> None:
    """With a key of this process alone, which the token names as its one audience."""
    ledgers = MemoryLedgers("ledgers", Clock())
    log = AuditLog(ledgers, STACK, Signer(issuer.environment))
    for number in range(3):
        log.append([entry(number)])
    found = examine_log(STACK, log.segments())
    assert found.sound
    [(key, token)] = found.tokens  # kept once
    assert issuer.asked == [audience(key)]
    claims = verified_claims(token, key, {issuer.url: keys_of_issuer(issuer.url)})
    assert claims is not None
    assert shown(claims) == {"iss": issuer.url, **issuer.claims}
    assert BEARER not in str(ledgers.documents)

    other = AuditLog(ledgers, STACK, Signer(issuer.environment))
    other.append([entry(9)])
    found = examine_log(STACK, log.segments())
    assert found.sound
    assert len(found.keys) == len(found.tokens) == 2


def test_a_token_proves_nothing_for_another_key_issuer_or_signature(issuer: Issuer) -> None:
    keys = {issuer.url: keys_of_issuer(issuer.url)}
    token = issuer.token(audience(KEY))
    assert verified_claims(token, KEY, keys) is not None
    assert verified_claims(token, "another", keys) is None
    assert verified_claims(token, KEY, {"https://ci.example": keys[issuer.url]}) is None
    assert verified_claims(issuer.token(audience(KEY), iss="https://ci.example"), KEY, keys) is None
    head, claims, signature = token.split(".")
    assert verified_claims(f"{head}.{claims}.{signature[:-8]}AAAAAAAA", KEY, keys) is None
    assert verified_claims("nonsense", KEY, keys) is None
    with issuing() as stranger:
        forged = stranger.token(audience(KEY), iss=issuer.url)
    assert verified_claims(forged, KEY, keys) is None
    assert claims_of(forged)["repository"] == "acme/credentials"  # what it says, whoever made it


def test_a_given_key_can_be_bound_by_a_given_token(issuer: Issuer, tmp_path: Path) -> None:
    """GitLab makes tokens before the job begins: their audience names a key that is known."""
    token = issuer.token([audience(KEY)])
    assert given(PEM, tmp_path, KEYSTEWARD_ID_TOKEN=token).signing().token == token
    assert issuer.asked == []
    for wrong in (
        issuer.token("https://vault.example.com"),
        issuer.token([audience(KEY), "https://vault.example.com"]),
        "x.y.z",
        "",
    ):
        signer = given(PEM, tmp_path, KEYSTEWARD_ID_TOKEN=wrong)
        if not wrong:
            assert signer.signing().token is None
            continue
        with pytest.raises(DeclarationError, match=f"its one audience must be keysteward-audit:{KEY}") as caught:
            signer.signing()
        assert wrong not in str(caught.value)


def test_a_given_key_is_bound_by_the_job_that_uses_it(issuer: Issuer, tmp_path: Path) -> None:
    signing = given(PEM, tmp_path, **issuer.environment).signing()
    assert key_id(signing.public_key) == KEY
    assert issuer.asked == [audience(KEY)]
    assert signing.token is not None


def test_a_token_that_is_good_for_long_is_not_kept(issuer: Issuer, tmp_path: Path) -> None:
    issuer.lifetime = 3601
    with pytest.raises(DeclarationError, match="good for more than an hour"):
        given(PEM, tmp_path, KEYSTEWARD_ID_TOKEN=issuer.token(audience(KEY))).signing()
    with pytest.raises(DeclarationError, match="good for more than an hour"):
        Signer(issuer.environment).signing()


def test_an_issuer_that_gives_no_token_is_one_sentence(issuer: Issuer) -> None:
    issuer.status = 403
    with pytest.raises(AccessDenied, match="permissions: id-token: write") as caught:
        Signer(issuer.environment).signing()
    assert BEARER not in str(caught.value)
    issuer.status = 500
    with pytest.raises(Unavailable):
        Signer(issuer.environment).signing()
    issuer.called = "https://ci.example"
    with pytest.raises(DeclarationError, match="calls itself by another name"):
        keys_of_issuer(issuer.url)
    with pytest.raises(DeclarationError, match="ACTIONS_ID_TOKEN_REQUEST_URL must begin with https://"):
        Signer({**issuer.environment, "ACTIONS_ID_TOKEN_REQUEST_URL": "http://ci.example"}).signing()
