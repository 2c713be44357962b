"""WorkOS: one environment as a target, for API keys of organizations and for M2M applications of WorkOS Connect."""

from keysteward.providers.workos.adapter import WorkOS

__all__ = ["WorkOS"]
