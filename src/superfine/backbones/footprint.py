"""How much memory a model takes in training and scoring, told from its configuration before its weights are loaded."""

from __future__ import annotations

from superfine.backbones.load import Pretrained
from superfine.config import RunConfig


def needed_bytes(pretrained: Pretrained, config: RunConfig) -> int:
    raise NotImplementedError
