"""How a model computes, in the words of settings and manifests."""

from typing import Literal

Precision = Literal["float32", "bfloat16"]
"""In which number format a model computes."""
BundlePrecision = Literal["float32", "bfloat16", "int8"]
"""Exported models compute in the last one too."""
WindowPooling = Literal["mean", "attention"]
"""What the answer for a text in windows is made of, see `superfine.data.preparation.Windows`."""
