"""Where credentials may go: over TLS to anywhere, without it to this machine alone, however it is spelt."""

from __future__ import annotations

import pytest

from keysteward.core.contract.address import check_address, is_here, leaves_in_clear
from keysteward.core.errors import DeclarationError

HERE = [
    "http://localhost:8080/auth",
    "HTTP://LOCALHOST:8080",
    "http://keycloak.localhost",
    "http://a.b-c.localhost:8080",
    "http://127.0.0.1:8200",
    "http://127.8.9.10",
    "http://[::1]:8200/",
    "http://[0:0:0:0:0:0:0:1]",
]
OVER_TLS = [
    "https://id.example.com",
    "HTTPS://ID.Example.com/auth",
    "https://10.0.0.7:8443",
    "https://[2001:db8::7]:8200",
    "https://id.example.com./path?query=1@2#3",
    "https://b\u00fccher.example",
]
IN_CLEAR = [
    "http://id.example.com",
    "HTTP://id.example.com",
    "hTTp://10.0.0.7:8200",
    "http://vault",
    "http://vault.platform.svc.cluster.local:8200",
    # names that only look like this machine's
    "http://127.0.0.1.evil.example",
    "http://localhost.evil.example",
    "http://evil.example/localhost",
    "http://evil.example?localhost",
    "http://evil.example#@localhost",
    "http://evillocalhost",
    "http://.localhost",
    "http://-.localhost",
    "http://localhost.",
    "http://localhost..",
    "http://127.0.0.1.",
    "http://localho\u017ft",
    "http://\uff11\uff12\uff17.0.0.1",
    "http://127\u30020\u30020\u30021",
    # numbers that some resolvers take for it, and others do not
    "http://2130706433",
    "http://0x7f000001",
    "http://0x7f.0.0.1",
    "http://0177.0.0.1",
    "http://127.1",
    "http://0",
    "http://0.0.0.0:8200",
    "http://128.0.0.1",
    # IPv6 that is not ::1
    "http://[::]",
    "http://[::2]",
    "http://[::127.0.0.1]",
    "http://[::ffff:127.0.0.1]",
    "http://[::ffff:7f00:1]",
    "http://[64:ff9b::7f00:1]",
    "http://[fe80::1]",
]
NO_ADDRESS = [
    "",
    "id.example.com",
    "//localhost",
    "localhost:8080",
    "http:localhost",
    "http:/localhost",
    "http://",
    "http:///localhost",
    "https://",
    "https://:8443",
    "ftp://localhost",
    "file:///etc/passwd",
    "httpss://localhost",
    "http://[::1",
    "http://::1",
    "http://[::1%25eth0]",
    "http://[::1]evil.example",
    "http://[localhost]",
    "http://127.0.0.1%2eevil.example",
    "http://localhost%00.evil.example",
    "http://localhost:80:90",
    "http://localhost:",
    "http://localhost:x",
    "http://localhost:99999",
    # what one reader drops and another does not
    " http://localhost",
    "http://localhost ",
    "http://local\thost",
    "http://localhost\n.evil.example",
    "http://localhost\x00",
    "http://localhost\\.evil.example",
    "http://evil.example\\@localhost",
    "https://id.example.com\\@evil.example",
    "http://localhost\uff0f.evil.example",
]
WITH_LOGIN = [
    "https://reader:s3cret@id.example.com",
    "https://s3cret@id.example.com",
    "https://@id.example.com",
    "http://s3cret@localhost",
    "http://localhost@evil.example",
    "http://127.0.0.1:80@evil.example",
    "http://localhost:s3cret@evil.example/127.0.0.1",
    "http://evil.example@localhost@evil.example",
]


@pytest.mark.parametrize("text", HERE)
def test_this_machine_may_do_without_tls(text: str) -> None:
    assert check_address(text, field="url").scheme == "http"
    assert is_here(text)
    assert not leaves_in_clear(text)


@pytest.mark.parametrize("text", OVER_TLS)
def test_tls_may_go_anywhere(text: str) -> None:
    assert check_address(text, field="url").scheme == "https"
    assert not leaves_in_clear(text)
    assert not is_here(text)


@pytest.mark.parametrize("text", IN_CLEAR)
def test_http_to_anything_else_is_one_sentence_and_a_declaration_can_allow_it(text: str) -> None:
    for allowed in (None, False):
        with pytest.raises(DeclarationError) as refused:
            check_address(text, field="corp: url", allow_http=allowed)
        assert refused.value.message == (
            "corp: url must begin with https://: over http:// what is sent travels in clear; only this machine "
            "(localhost, 127.0.0.1, [::1]) may do without"
            + ("" if allowed is None else ", or set allow_http=True where a mesh or a sidecar encrypts")
        )
    assert check_address(text, field="corp: url", allow_http=True).scheme == "http"
    assert leaves_in_clear(text)
    assert not is_here(text)


@pytest.mark.parametrize("text", NO_ADDRESS)
def test_what_is_no_address_or_is_read_in_two_ways_is_never_allowed(text: str) -> None:
    for allowed in (None, False, True):
        with pytest.raises(DeclarationError) as refused:
            check_address(text, field="url", shape="the server's address, https://host", allow_http=allowed)
        assert refused.value.message == "url must be the server's address, https://host"
        assert refused.value.__cause__ is None
        assert refused.value.__suppress_context__ or refused.value.__context__ is None
    assert not is_here(text)
    assert leaves_in_clear(text) or text.startswith("https://")


@pytest.mark.parametrize("text", WITH_LOGIN)
def test_a_login_in_an_address_is_refused_and_not_repeated(text: str) -> None:
    for allowed in (None, True):
        with pytest.raises(DeclarationError) as refused:
            check_address(text, field="url", allow_http=allowed)
        assert refused.value.message == "url must not hold a credential; leave out what stands before the @"
    assert not is_here(text)
