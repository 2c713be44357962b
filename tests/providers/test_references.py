"""What a reference points to is the credential and nothing else; an error names the reference and never the value."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from keysteward.core.errors import AccessDenied
from keysteward.host.references import resolve, resolve_lines, resolve_token
from keysteward.providers.vault import Vault

SECRET = "s.canary"


@pytest.mark.parametrize(
    "value",
    [
        f"{SECRET}\nsecond",
        f"{SECRET}\r\nX-Evil: 1",
        f"{SECRET}\x1b[2J",
        f"\ufeff{SECRET}",
        f"{SECRET}\u2028x",
    ],
)
def test_what_is_not_one_line_of_text_is_refused_without_repeating_it(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", value)
    (tmp_path / "token").write_text(value, encoding="utf-8", newline="")
    for reference in ("env:TOKEN", f"file:{tmp_path}/token"):
        for read in (resolve, resolve_token):
            with pytest.raises(AccessDenied, match=r"corp: what (environment variable TOKEN|.*/token) h") as refused:
                read(reference, purpose="corp")
            assert SECRET not in str(refused.value)
            assert (refused.value.__cause__, refused.value.__context__) == (None, None)


@pytest.mark.parametrize("value", ["two words", "t\u00f6ken", "\u0442\u043e\u043a\u0435\u043d"])
def test_what_a_header_cannot_carry_is_no_token(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", value)
    assert resolve("env:TOKEN", purpose="corp").get_secret_value() == value
    with pytest.raises(AccessDenied, match="environment variable TOKEN holds cannot be a token") as refused:
        resolve_token("env:TOKEN", purpose="corp")
    assert value not in str(refused.value)


def test_a_binary_file_is_no_credential(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\x80\x04\x95" + SECRET.encode() + b"\xff\x00")
    for read in (resolve, resolve_token, resolve_lines):
        with pytest.raises(AccessDenied, match="/token holds is no text; put the credential there") as refused:
            read(f"file:{tmp_path}/token", purpose="corp")
        assert SECRET not in str(refused.value)


def test_bytes_in_the_environment_that_are_no_text_are_no_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", os.fsdecode(b"\xff\xfe"))
    with pytest.raises(AccessDenied, match="environment variable TOKEN holds is no text"):
        resolve("env:TOKEN", purpose="corp")


def test_white_space_around_a_value_is_no_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mounted secrets and `base64 -d` leave a line break behind."""
    monkeypatch.setenv("TOKEN", f"{SECRET}\n")
    (tmp_path / "token").write_text(f"{SECRET}\r\n", encoding="utf-8")
    for reference in ("env:TOKEN", f"file:{tmp_path}/token"):
        assert resolve_token(reference, purpose="corp").get_secret_value() == SECRET


def test_several_lines_are_kept_where_they_belong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "-----BEGIN\nabc\n-----END\n")
    assert resolve_lines("env:KEY", purpose="signing").get_secret_value() == "-----BEGIN\nabc\n-----END"


def test_a_path_that_is_none_is_an_error_of_ours() -> None:
    for path in ("\x00", "a" * 5000, "~nobody-of-this-name/x"):
        with pytest.raises(AccessDenied, match="cannot be read"):
            resolve(f"file:{path}", purpose="corp")


def test_a_vault_token_with_a_line_break_inside_is_named_and_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_RUNNER", f"{SECRET}\nsecond")
    store = Vault("secrets", url="http://127.0.0.1:9", admin="env:VAULT_RUNNER")
    with pytest.raises(AccessDenied, match="secrets: what environment variable VAULT_RUNNER holds") as refused:
        list(store.delivered(["apps/billing"]))
    assert SECRET not in str(refused.value)
