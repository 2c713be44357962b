"""What people and programs read: plans, results and records as text for a terminal and as JSON. Pure."""
