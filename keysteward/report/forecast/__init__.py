"""What is to come, as a forecast and as a calendar."""
