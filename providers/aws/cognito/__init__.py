"""Amazon Cognito: one user pool as a target."""

from keysteward.providers.aws.cognito.adapter import Cognito

__all__ = ["Cognito"]
