"""The audit log as it is kept: written, signed, anchored and examined."""
