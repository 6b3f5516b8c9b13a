"""The report page and the model card, from saved records only: neither needs the model, and both can be made again later."""
