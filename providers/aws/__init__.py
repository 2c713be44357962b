"""AWS: documents in Secrets Manager, ledgers in DynamoDB; IAM, Cognito and API Gateway as targets.

Needs boto3: `pip install 'keysteward[aws]'`.
"""

from keysteward.providers.aws.api_gateway import ApiGateway
from keysteward.providers.aws.cognito import Cognito
from keysteward.providers.aws.dynamodb import DynamoLedgers
from keysteward.providers.aws.iam import Iam
from keysteward.providers.aws.policy import policy
from keysteward.providers.aws.secrets_manager import SecretsManager

__all__ = ["ApiGateway", "Cognito", "DynamoLedgers", "Iam", "SecretsManager", "policy"]
