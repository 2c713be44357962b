"""AWS: secrets in Secrets Manager, ledgers in DynamoDB. Needs boto3: `pip install 'keysteward[aws]'`."""

from keysteward.providers.aws.dynamodb import DynamoLedgers
from keysteward.providers.aws.policy import policy
from keysteward.providers.aws.secrets_manager import SecretsManager

__all__ = ["DynamoLedgers", "SecretsManager", "policy"]
