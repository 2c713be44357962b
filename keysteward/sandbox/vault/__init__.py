"""A stand-in for Vault and OpenBao, checked against a real server by `tests/sandbox/test_vault_conformance.py`."""

from keysteward.sandbox.vault.stand_in import VaultStandIn

__all__ = ["VaultStandIn"]
