"""The command line: parse, call a recipe, print. Nothing is decided here that Python users would miss."""
