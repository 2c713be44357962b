"""Systems without an API for keys: a person makes and ends a key there, one declared HTTP request proves it."""

from keysteward.providers.manual.adapter import Manual
from keysteward.providers.manual.client import Probe

__all__ = ["Manual", "Probe"]
