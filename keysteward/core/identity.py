"""What an identity says: the stack and the name of a credential or resource server, "acme/prod/billing-exporter". Pure.

A stack's own identity may hold slashes; a name holds none.
"""

from __future__ import annotations


def name_of(identity: str) -> str:
    """Return the name without the stack."""
    return identity.rpartition("/")[2]


def in_stack(stack: str, identity: str) -> bool:
    """Say whether an identity is one of this stack's: "acme/prod/eu/job" is of acme/prod/eu, and not of acme/prod."""
    return stack_of(identity) == stack


def stack_of(identity: str) -> str:
    """Return the stack of an identity: what stands before the name."""
    return identity.rpartition("/")[0]
