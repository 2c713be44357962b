"""What an AWS server such as moto lacks, in front of it: refusals of access keys, Cognito's secrets and tokens."""

from keysteward.sandbox.aws.stand_in import AwsStandIn

__all__ = ["AwsStandIn"]
