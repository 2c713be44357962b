"""Does what was planned: reads afresh, decides, notes the intent, acts, and notes what came of it."""
