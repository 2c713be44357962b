"""The audit log: its chain, its check, and the trace of one generation through it."""
