"""What works with the ledger store down: the stack's card and records of revocations."""
