"""Pretrained encoders and decoders: loading them, and running them on packed batches that hold no padding."""
