"""One verb per file, the readable top of the house: each wires rooms together and owns no mechanism of its own."""
