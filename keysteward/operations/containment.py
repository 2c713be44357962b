"""What only a defect raises ends the one thing it met, and not the others beside it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from keysteward.core.errors import KeystewardError

_log = logging.getLogger(__name__)


@contextmanager
def contained(subject: str) -> Iterator[None]:
    """Turn whatever is no error of ours into one about this subject; its traceback goes to the debug log."""
    try:
        yield
    except KeystewardError:
        raise
    except Exception as error:  # noqa: BLE001 - that is what this is for
        _log.debug("subject=%s outcome=internal", subject, exc_info=True)
        failure = KeystewardError(f"internal error ({type(error).__name__}); see --log-level debug, and report it")
    else:
        return
    failure.credential = subject
    raise failure
