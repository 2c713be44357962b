"""Vault and OpenBao: secrets and ledgers in KV version 2 engines."""

from keysteward.providers.vault.adapter import Vault
from keysteward.providers.vault.ledgers import VaultLedgers
from keysteward.providers.vault.policy import policy

__all__ = ["Vault", "VaultLedgers", "policy"]
