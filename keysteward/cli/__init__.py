"""What a person runs beside `pulumi`: one module per command."""

import atexit
import gc

OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""A command builds up what it shows and throws little away: Python's own 700 makes it a sixth slower, imports first."""

gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
atexit.register(gc.freeze)  # what is there at the end goes with the process, and is not looked through once more
