"""Everything that talks: targets, stores, ledger stores, HTTP, and the one Pulumi bridge."""
