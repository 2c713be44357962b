"""Keycloak: one realm as a target. Tried on Keycloak 26.7.5, with and without its client-secret-rotation feature."""

from keysteward.providers.keycloak.adapter import Keycloak

__all__ = ["Keycloak"]
