"""The command line: parse, call a recipe, print. Nothing is decided here that Python users would miss."""

import time

STARTED = time.monotonic()
"""When the command began: what a time limit counts from."""
