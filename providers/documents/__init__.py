"""A document of generations, as stores keep it."""
