"""The identity of a CI job: tokens that its forge signs, asked for, checked, and verified later."""

from keysteward.operations.audit.ci.client import Actions, keys_of_issuer
from keysteward.operations.audit.ci.tokens import Claims, checked_token, claims_of, shown, verified_claims

__all__ = ["Actions", "Claims", "checked_token", "claims_of", "keys_of_issuer", "shown", "verified_claims"]
