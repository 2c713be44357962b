"""Contract suites and in-memory ports, shipped so that a target or store kept elsewhere can be tested with them."""
