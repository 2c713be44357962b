"""What to do next: the planner's list of rules, first to last, and the steps that they give."""
