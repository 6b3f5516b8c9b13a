"""Where pretrained weights come from that are neither a folder of the user's nor on the hub: packages that bring them along."""
