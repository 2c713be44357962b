"""A stand-in for WorkOS, checked by `tests/sandbox/test_workos_conformance.py` against what the vendor publishes."""

from keysteward.sandbox.workos.stand_in import WorkOSStandIn

__all__ = ["WorkOSStandIn"]
