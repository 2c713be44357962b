"""What an adapter implements, and what it is told: ports, capabilities, what a target shows, names."""
