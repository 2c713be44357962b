"""Tells consumers by signed webhooks that a new secret was delivered to them."""

from keysteward.operations.webhook.client import notify

__all__ = ["notify"]
