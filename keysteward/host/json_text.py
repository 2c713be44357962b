"""Text that every store takes: half of a surrogate pair stands in it as its escape.

Such a half comes from an argument, a variable or a file name that is no UTF-8 (PEP 383), and from a server's JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def escaped(text: str) -> str:
    r"""Return a text that can be written in UTF-8; what cannot stands there as "\udce9"."""
    return text.encode("utf-8", "backslashreplace").decode()


def json_text(document: Mapping[str, Any], *, indent: int | None = None) -> str:
    """Return a document as JSON that can be written in UTF-8, and that reads back as what it was."""
    separators = (",", ":") if indent is None else None
    return escaped(json.dumps(document, ensure_ascii=False, separators=separators, indent=indent))
