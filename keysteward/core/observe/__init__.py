"""What is known of a credential at one moment: its world, read from ledger, target and stores."""
