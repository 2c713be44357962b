"""The ownership mark as one line of text, for vendors that keep no two fields for it."""

from __future__ import annotations

from keysteward.core.contract.observed import Mark


def write_mark(mark: Mark) -> str:
    """Return a mark as text: identity, a blank, nonce; neither has a blank of its own."""
    return f"{mark.identity} {mark.nonce}"


def read_mark(text: str | None) -> Mark | None:
    """Return the mark that a text is; None when it is none."""
    identity, _, nonce = (text or "").partition(" ")
    return Mark(identity, nonce) if identity and nonce and " " not in nonce else None
