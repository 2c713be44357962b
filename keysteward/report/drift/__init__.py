"""What drift found, in each format."""
