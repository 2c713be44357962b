"""Local stand-ins for the vendors: real HTTP, real tokens, a clock that can be set, faults on request."""

from keysteward.sandbox.clock import Clock
from keysteward.sandbox.faults import Fault
from keysteward.sandbox.keycloak import KeycloakStandIn
from keysteward.sandbox.sandbox import Sandbox, serve
from keysteward.sandbox.server import Call, StandIn
from keysteward.sandbox.vault import VaultStandIn

__all__ = ["Call", "Clock", "Fault", "KeycloakStandIn", "Sandbox", "StandIn", "VaultStandIn", "serve"]
