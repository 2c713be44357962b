"""What adapters share: the frame of a doctor, lists that come in pages, targets that hold keys alone."""
