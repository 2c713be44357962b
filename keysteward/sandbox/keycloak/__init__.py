"""A stand-in for Keycloak, checked against the real server by `tests/sandbox/test_keycloak_conformance.py`."""

from keysteward.sandbox.keycloak.stand_in import KeycloakStandIn

__all__ = ["KeycloakStandIn"]
