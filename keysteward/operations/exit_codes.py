"""Exit codes that say more than done (0) or failed (1)."""

from __future__ import annotations

from typing import Final

INTERRUPTED: Final = 130
"""After Ctrl-C, as shells have it: 128 + SIGINT."""
