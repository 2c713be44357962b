"""The pure core: what is declared, what is known, and what to do next. No I/O, no clock, no randomness."""
