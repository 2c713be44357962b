"""What a person should know beside the answer: a warning each, which the door that was used shows in its way."""

from __future__ import annotations

import logging
from typing import Final

NOTICES: Final = "keysteward.notices"
"""The logger of notices: the command line prints them as sentences; elsewhere they are log lines like others."""


def warn(text: str) -> None:
    """Tell a person something that stops nothing."""
    logging.getLogger(NOTICES).warning(text)
