"""Unpadded computation: the layout of texts laid end to end, and attention that stays inside each text."""
