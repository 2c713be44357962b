"""What a person declares, checked and put into the form that the planner reads."""
