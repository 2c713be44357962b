"""Local files: secrets encrypted with age, ledgers in one SQLite file. For one machine, tests and the demo."""

from keysteward.providers.local.ledgers import LocalLedgers
from keysteward.providers.local.store import LocalStore

__all__ = ["LocalLedgers", "LocalStore"]
