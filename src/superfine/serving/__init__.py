"""A model that answers over HTTP: what is asked is checked, waits in one queue, and is computed in common batches."""
