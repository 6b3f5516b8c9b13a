"""What `superfine export` is made of: rows, receipt, gate, and what becomes of one format or of all that a machine can run."""
