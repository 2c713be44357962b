"""What is wrong with one credential, and its status: findings, never steps."""
