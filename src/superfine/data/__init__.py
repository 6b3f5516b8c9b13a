"""Files become examples, examples become encoded columns: reading, choosing columns, cleaning, splitting, encoding, checking."""
