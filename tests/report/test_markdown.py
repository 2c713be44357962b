"""What a stranger wrote shows in a comment letter by letter: it formats, links, calls and hides nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from keysteward.report.text.markdown import APART, LONGEST, code, codes, escape, table
from keysteward.report.text.plain import plain

FORGE = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
"""CommonMark with raw HTML, tables and strikethrough, as forges read it."""

NASTY = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![](https://evil.example/pixel.png)",
    "[click](https://evil.example)",
    "https://evil.example www.evil.example mail@evil.example",
    "@acme/security please approve, cc @all",
    "closes #12, GH-12, acme/repo#3, !4, %v1, ~bug, $7, &8, ^9",
    "a | b | c",
    "`code` ``more`` \\` end",
    "**bold** _it_ ~~gone~~ ~~~",
    "- item",
    "1. item",
    "# heading",
    "> quote",
    "=====",
    "---",
    "two\nlines\r\n/merge\n<!-- keysteward review -->",
    "\x1b[31mred\x07\u202egnp.exe\u2066\u200b\u00ad",
    "&lt;b&gt; &#60; &amp;",
    ":rocket: $x^2$ {{ x }} [[x]] [x]: y",
    "`|`",
    "\\",
    "ж`|`\\|@acme",
]


class Seen(HTMLParser):
    """Collects what a reader sees, and the elements it is made of."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.tags = "", list[str]()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, _data: str) -> None:
        self.tags.append("comment")


def seen(markdown: str) -> Seen:
    return Seen(FORGE.render(markdown))


def shown(text: str) -> str:
    """Return the text as a line shows it: HTML makes one space of several."""
    return " ".join(plain(text).split())


def read(found: Seen) -> str:
    return " ".join(found.text.replace("\u200b", "").split())


@pytest.mark.parametrize("text", NASTY)
def test_text_of_a_stranger_is_shown_and_does_nothing(text: str) -> None:
    for markdown in (escape(text), f"- {escape(text)}", f"- so: {escape(text)}"):
        assert "\n" not in markdown
        found = seen(markdown)
        assert set(found.tags) <= {"p", "ul", "li"}
        assert read(found).removeprefix("so: ") == shown(text)


@pytest.mark.parametrize("text", NASTY)
def test_code_of_a_stranger_is_shown_and_does_nothing(text: str) -> None:
    found = seen(f"- {code(text)}")
    assert set(found.tags) <= {"ul", "li", "code"}
    assert read(found) == shown(text)


@pytest.mark.parametrize("text", NASTY)
def test_a_cell_of_a_stranger_stays_one_cell(text: str) -> None:
    found = seen("\n".join(table(["what", "how"], [[escape(text), code(text)], ["x", "y"]])))
    assert found.tags.count("td") == 4
    assert set(found.tags) <= {"table", "thead", "tbody", "tr", "th", "td", "code"}
    assert shown(text) in read(found)


@given(st.text(max_size=80))
def test_no_text_at_all_gets_through(text: str) -> None:
    for markdown in (f"- {escape(text)}", f"- {code(text)}"):
        found = seen(markdown)
        assert set(found.tags) <= {"p", "ul", "li", "code"}
        assert read(found) == " ".join(plain(text).split())


@given(st.text(alphabet="@#!%$~&^:/.wghGH-19a ", max_size=40))
def test_nobody_is_called_and_nothing_is_linked(text: str) -> None:
    rendered = seen(escape(text)).text
    assert not re.search(r"[@#!%~$&^][^\s\u200b]|://|:[\w+-]+:", rendered)
    assert not re.search(r"(?i)www\.|\bgh-\d", rendered)


def test_control_characters_and_reversed_lines_are_left_out() -> None:
    assert escape("a\x1b[0m\u202eb\x00\u2028c") == "a&#91;0mbc"
    assert code("a\u202eb") == "`ab`"


def test_a_long_text_is_cut() -> None:
    assert len(seen(escape("x" * 5000)).text.strip()) == LONGEST
    assert escape("x" * 5000).endswith("…")


def test_ordinary_text_stays_readable() -> None:
    plainly = "scopes: 2 were added (a, b); until 2026-12-01"
    assert escape(plainly) == plainly
    assert code("invoices:read") == "`invoices:read`"
    assert codes(["a", "b"]) == "`a`, `b`"
    assert codes([]) == "none"
    assert escape("@acme") == f"&#64;{APART}acme"
