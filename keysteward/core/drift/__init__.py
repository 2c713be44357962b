"""What exists beside what is declared: the look at whole targets, and what to bring under declaration."""
