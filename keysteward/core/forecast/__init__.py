"""What runs will do on days to come: the planner played ahead on paper."""
