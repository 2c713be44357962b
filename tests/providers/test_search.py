"""A known secret is found whatever stands around it, and what is found is never the value."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from keysteward.host.material import fingerprinter, new_material, thumbprint
from keysteward.operations.search import candidates as found_in
from keysteward.operations.search.searcher import CHUNK, NOWHERE, OVERLAP, Answer, Form, Hit, Piece, Searcher

KEY = b"\x07" * 32
URLSAFE = string.ascii_letters + string.digits + "-_"
ALNUM = string.ascii_letters + string.digits


def _drawn(seed: int, alphabet: str) -> str:
    """Return 40 characters as a vendor draws them."""
    return "".join(random.Random(seed).choices(alphabet, k=40))  # noqa: S311 - a seed for a test


OURS = st.text(URLSAFE, min_size=43, max_size=43)
"""What keysteward makes: 32 random bytes as base64url. The worst of them are made of `-` and `_` alone."""

VENDORS = st.one_of(
    st.text(ALNUM, min_size=32, max_size=32),  # Keycloak
    st.text(ALNUM, min_size=52, max_size=64),  # Cognito, Okta
    st.integers(0, 2**64).map(lambda seed: _drawn(seed, ALNUM + "+/")),  # AWS
    st.integers(0, 2**64).map(lambda seed: _drawn(seed, URLSAFE + ".~")),  # Entra
)


def hash_of(canonical: str) -> str:
    return fingerprinter(KEY, "k")(canonical).partition(":")[2]


def search(text: bytes, *values: str, pairs: tuple[str, ...] = (), alone: bool = False) -> tuple[Hit, ...]:
    searcher = Searcher(KEY, map(hash_of, values), map(hash_of, pairs))
    return searcher.answer(Piece("text", data=text, size=len(text), alone=alone)).hits


HARD = st.sampled_from(["", " ", '"', "'", "\n", "\t", ":", "=", ",", ";", "&", "?", "(", ">", "@", "|", "\x00", "é"])
AROUND = st.text(st.characters(codec="utf-8"), max_size=60)


@given(before=AROUND, left=HARD, secret=st.one_of(OURS, VENDORS), right=HARD, after=AROUND)
def test_a_secret_between_separators_is_found_in_any_text(
    before: str, left: str, secret: str, right: str, after: str
) -> None:
    text = f"{before}{left or ' '}{secret}{right or ' '}{after}"
    lines = {number for number, line in enumerate(text.encode().split(b"\n")) if secret.encode() in line}
    assert {(hit.line, hit.fingerprint) for hit in search(text.encode(), secret)} == {
        (line, hash_of(secret)) for line in lines
    }


@given(secret=OURS, left=st.sampled_from("-_./+~"), right=st.sampled_from("-_./+~"), name=st.text(ALNUM, max_size=20))
def test_one_of_ours_is_found_beside_characters_that_it_may_hold_itself(
    secret: str, left: str, right: str, name: str
) -> None:
    assert search(f"{name}{left}{secret}{right}{name}".encode(), secret) != ()
    longer = f"{name}_{'x' * 80}{left}{secret}{right}{name}"
    assert search(longer.encode(), secret) != (), "in a long word as well"


@given(middle=st.text(URLSAFE, min_size=41, max_size=41), ends=st.text("-_", min_size=2, max_size=2))
def test_one_of_ours_that_begins_and_ends_with_a_dash_is_found_amid_letters(middle: str, ends: str) -> None:
    secret = f"{ends[0]}{middle}{ends[1]}"
    assert search(f"key{secret}old".encode(), secret) != ()


@given(secret=st.text(ALNUM, min_size=16, max_size=64), left=st.sampled_from("-_./+~"), right=st.sampled_from("-_./+~"))
def test_a_vendors_value_is_found_beside_them_too(secret: str, left: str, right: str) -> None:
    assert search(f"key{left}{secret}{right}old".encode(), secret) != ()


FORMS = {
    "JSON": lambda s: json.dumps({"a": {"client_secret": s}}),
    "JSON in JSON": lambda s: json.dumps({"body": json.dumps({"client_secret": s, "x": 1})}),
    "JSON in JSON in JSON": lambda s: json.dumps([json.dumps({"body": json.dumps({"client_secret": s})})]),
    "JSON with an escaped slash": lambda s: json.dumps({"s": s}).replace("/", "\\/"),
    "JSON with an escaped equals sign": lambda s: f'"body":"client_secret\\u003d{s}\\u0026x"',
    "JSON with a line break before": lambda s: json.dumps({"log": f"line one\n{s}\nline three"}),
    "a form": lambda s: f"grant_type=client_credentials&client_secret={quote(s, safe='')}&scope=a",
    "percent-encoded twice": lambda s: quote(f"secret={quote(s, safe='')}&x", safe=""),
    "a URL": lambda s: f"https://client:{quote(s, safe='')}@id.example.com/token?x=1#y",
    "Basic": lambda s: f"Authorization: Basic {base64.b64encode(f'billing:{s}'.encode()).decode()}",
    "Basic, form-encoded": lambda s: f"Basic {base64.b64encode(b'b%2Fx:' + quote(s, safe='').encode()).decode()}",
    "base64url": lambda s: f"token={base64.urlsafe_b64encode(s.encode()).decode().rstrip('=')}",
    "base64 of JSON": lambda s: f"data: {base64.b64encode(json.dumps({'client_secret': s}).encode()).decode()}",
    "shell": lambda s: f"export CLIENT_SECRET='{s}'; curl -u billing:{s}",
    "YAML": lambda s: f"client_secret: {s}  # rotate me",
    "repr": lambda s: repr({"client_secret": s}),
    "XML": lambda s: f"<secret>{s}</secret>",
    "coloured": lambda s: f"\x1b[1;31m{s}\x1b[0m",
    "quoted-printable": lambda s: f"client_secret=3D{s}=\n",
    "the end of a sentence": lambda s: f"The secret is {s}.",
}


@pytest.mark.parametrize("form", FORMS)
@given(secret=st.one_of(OURS, VENDORS))
def test_a_secret_is_found_in_every_form(form: str, secret: str) -> None:
    text = FORMS[form](secret).encode()
    assert [hit.fingerprint for hit in search(text, secret)] == [hash_of(secret)]


ODD = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp", "Cs"]), min_size=1, max_size=40)


@given(secret=ODD.filter(lambda s: s == s.strip("\"'`,; \t") and not s.isspace()))
def test_a_value_of_any_characters_is_found_when_it_stands_alone(secret: str) -> None:
    for text in (secret, f"{secret}\n", f'"{secret}"', f"{json.dumps(secret)}\n", f"  {secret}\r\n", quote(secret)):
        assert search(text.encode(), secret, alone=True) != (), text
    for text in (json.dumps({"client_secret": secret}), f"x\nclient_secret={secret}\n"):
        assert search(text.encode(), secret, alone=True) != (), text


@given(text=st.binary(max_size=2000), alone=st.booleans())
def test_no_text_is_taken_for_a_secret_that_it_does_not_hold_and_none_is_too_strange(
    text: bytes, *, alone: bool
) -> None:
    assert search(text, "a" * 43, pairs=("b" * 43,), alone=alone) == ()


def test_lines_are_counted_and_each_is_told_once() -> None:
    secret = new_material("client_secret").value.get_secret_value()
    text = f"first\n{secret} {secret}\n\nx={secret}\n".encode()
    assert search(text, secret) == (Hit(1, hash_of(secret), Form.VALUE), Hit(3, hash_of(secret), Form.VALUE))


# ---- key pairs


def _pairs() -> dict[str, tuple[str, dict[str, str], object]]:
    """Return for each kind of key its thumbprint, private JWK and key."""
    made: dict[str, tuple[str, dict[str, str], object]] = {}
    for name, key, algorithm in (
        ("EC", ec.generate_private_key(ec.SECP256R1()), ECAlgorithm(ECAlgorithm.SHA256)),
        ("RSA", rsa.generate_private_key(65537, 2048), RSAAlgorithm(RSAAlgorithm.SHA256)),
        ("OKP", ed25519.Ed25519PrivateKey.generate(), OKPAlgorithm()),
    ):
        jwk = algorithm.to_jwk(key, as_dict=True)  # type: ignore[arg-type]
        made[name] = (thumbprint(jwk), {k: v for k, v in jwk.items() if isinstance(v, str)}, key)
    return made


PAIRS = _pairs()
PRIVATE = {"d", "p", "q", "dp", "dq", "qi"}


@pytest.mark.parametrize("kind", PAIRS)
def test_a_jwk_is_recognised_however_it_is_written(kind: str) -> None:
    mark, jwk, _ = PAIRS[kind]
    document = {"identity": "acme/demo/billing", "private_jwk": {"kid": mark, **jwk}, "keysteward": {"current": {}}}
    for text in (
        json.dumps(jwk),
        json.dumps(document, indent=2),
        json.dumps({"log": json.dumps(document, indent=1)}),
        repr(document),
        "\n".join(f"+{line}" for line in json.dumps(document, indent=2).splitlines()),
        base64.b64encode(json.dumps(jwk).encode()).decode(),
        quote(json.dumps(jwk, separators=(",", ":"))),
    ):
        assert {(h.fingerprint, h.form) for h in search(text.encode(), pairs=(mark,))} == {
            (hash_of(mark), Form.PRIVATE)
        }, text
    public = json.dumps({"keys": [{name: value for name, value in jwk.items() if name not in PRIVATE}]})
    assert [h.form for h in search(public.encode(), pairs=(mark,))] == [Form.PUBLIC]


@pytest.mark.parametrize(
    ("kind", "form"),
    [(kind, PrivateFormat.PKCS8) for kind in PAIRS]
    + [(kind, PrivateFormat.TraditionalOpenSSL) for kind in PAIRS if kind != "OKP"],  # which has no such form
)
def test_a_pem_key_is_recognised_however_it_is_written(kind: str, form: PrivateFormat) -> None:
    mark, _, key = PAIRS[kind]
    pem = key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()  # type: ignore[attr-defined]
    for text in (
        pem,
        json.dumps({"key": pem}),
        "\n".join(f"    {line}" for line in pem.splitlines()),
        "\n".join(f"-{line}" for line in pem.splitlines()),
        "x\r\n" + pem.replace("\n", "\r\n"),
    ):
        assert [h.form for h in search(text.encode(), pairs=(mark,))] == [Form.PRIVATE], text
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    assert [h.form for h in search(public, pairs=(mark,))] == [Form.PUBLIC]


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PRIVATE KEY-----\nnot base64\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nTm8ga2V5IGF0IGFsbA==\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nTm8gZW5k",
        '{"kty": "EC"}',
        '"kty": "EC", "x": "AAAA", "y": "AAAA", "crv": "P-256"',
        '{"kty": "RSA", "n": 7}',
    ],
)
def test_what_only_looks_like_a_key_is_passed_over(text: str) -> None:
    assert search(text.encode(), pairs=(PAIRS["EC"][0],)) == ()


def test_a_key_id_is_told_of_a_value_and_is_usual_in_a_log() -> None:
    mark, jwk, _ = PAIRS["EC"]
    assert [h.form for h in search(f"{mark}\n".encode(), pairs=(mark,), alone=True)] == [Form.KEY_ID]
    assert search(f"kid={mark}\n".encode(), pairs=(mark,)) == ()
    both = json.dumps({"kid": mark, **jwk})
    assert [h.form for h in search(both.encode(), pairs=(mark,), alone=True)] == [Form.PRIVATE]


# ---- pieces


@pytest.mark.parametrize("shift", [-43, -20, -1, 0, 1])
def test_nothing_is_lost_between_two_pieces_and_nothing_told_twice(tmp_path: Path, shift: int) -> None:
    secret = new_material("client_secret").value.get_secret_value()
    text = b"\n" * (CHUNK + shift) + f"{secret}\n".encode() + b"x" * OVERLAP
    path = tmp_path / "log"
    path.write_bytes(text)
    searcher = Searcher(KEY, [hash_of(secret)])
    first = searcher.answer(Piece("log", path, offset=0, size=CHUNK))
    second = searcher.answer(Piece("log", path, offset=CHUNK, size=len(text) - CHUNK))
    lines = {h.line for h in first.hits} | {h.line + first.lines for h in second.hits}
    assert lines == {CHUNK + shift}
    assert len({*first.hits}) + len({*second.hits}) == 1


def test_a_secret_seen_once_is_found_again_in_the_next_text() -> None:
    secret = new_material("client_secret").value.get_secret_value()
    searcher = Searcher(KEY, [hash_of(secret)])
    text = f"a {secret} b".encode()
    assert searcher.answer(Piece("one", data=text, size=len(text))).hits
    assert searcher.answer(Piece("two", data=b"nothing of ours in here at all", size=30)).hits == ()
    assert searcher.answer(Piece("three", data=text, size=len(text))).hits


def test_a_file_named_after_the_secret_is_told_without_its_name(tmp_path: Path) -> None:
    secret = new_material("client_secret").value.get_secret_value()
    path = tmp_path / f"token-{secret}.txt"
    path.write_text("nothing")
    answer = Searcher(KEY, [hash_of(secret)]).answer(Piece(str(path), path, size=7))
    assert answer.hits == (Hit(NOWHERE, hash_of(secret), Form.VALUE),)
    assert secret not in repr(answer)


def test_a_file_that_went_away_is_a_problem_in_words(tmp_path: Path) -> None:
    path = tmp_path / "gone"
    assert Searcher(KEY, []).answer(Piece("gone", path, size=1)) == Answer("gone", problem="No such file or directory")


# Texts that were made to take long


HOSTILE = {
    "keys that begin in each other's text": b"{" + b'"kty":"EC",' * 1_400 + b"}",
    "objects that begin in each other": b'{"kty":"EC"' * 1_400 + b"}",
    "keys behind backslashes": b"{" + b'\\"kty\\":\\"EC\\",' * 1_000 + b"}",
    "PEM in PEM": b"-----BEGIN PRIVATE KEY-----\n" * 500 + b"-----END PRIVATE KEY-----",
    "one letter between signs": b" ".join(b"-".join([bytes([97 + i % 26])] * 50) for i in range(200)),
    "signs of both kinds": b" ".join(b"/".join([b"-".join([bytes([65 + i % 26])] * 50)] * 20) for i in range(20)),
    "letters and dots": b".".join(b"-".join([bytes([65 + i % 26])] * 30) for i in range(200)),
    "backslashes": b"\\" * 20_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_work_grows_with_the_text_and_no_faster(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted are the bytes read for keys, and those of the candidates that are hashed."""
    work = 0

    def counted(read: Callable[..., object]) -> Callable[..., object]:
        def reading(text: bytes, **named: bool) -> object:
            nonlocal work
            work += len(text)
            return read(text, **named)

        return reading

    for part in ("_jwk", "_pem"):
        monkeypatch.setattr(found_in, part, counted(getattr(found_in, part)))
    for word in found_in.words(HOSTILE[name]):
        work += sum(map(len, found_in.candidates(word)))
    plain = list(found_in.keys(HOSTILE[name]))
    search(HOSTILE[name], "A" * 43)
    assert plain == []
    assert work < 200 * len(HOSTILE[name])


def test_a_key_is_found_among_what_only_looks_like_one() -> None:
    material = new_material("private_key_jwt")
    text = b'{"kty":"EC",' * 50 + material.value.get_secret_value().encode() + b'{"kty":"EC"}' * 50
    mark = material.canonical.get_secret_value()
    assert [hit.form for hit in search(text, pairs=(mark,))] == [Form.PRIVATE]
    pem = ec.generate_private_key(ec.SECP256R1())
    block = pem.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    jwk = ECAlgorithm(ECAlgorithm.SHA256).to_jwk(pem, as_dict=True)
    text = b"-----BEGIN PRIVATE KEY-----\n" * 50 + block + b"-----BEGIN PRIVATE KEY-----\n" * 50
    assert [hit.form for hit in search(text, pairs=(thumbprint(jwk),))] == [Form.PRIVATE]
