"""Local stand-ins for the vendors: real HTTP, real tokens, a clock that can be set, faults on request."""

from keysteward.sandbox.clock import Clock
from keysteward.sandbox.faults import Fault
from keysteward.sandbox.keycloak import KeycloakStandIn
from keysteward.sandbox.sandbox import DEMO_ORGANIZATION, Sandbox, serve
from keysteward.sandbox.server import Call, StandIn
from keysteward.sandbox.vault import VaultStandIn
from keysteward.sandbox.workos import WorkOSStandIn

__all__ = [
    "DEMO_ORGANIZATION",
    "Call",
    "Clock",
    "Fault",
    "KeycloakStandIn",
    "Sandbox",
    "StandIn",
    "VaultStandIn",
    "WorkOSStandIn",
    "serve",
]
