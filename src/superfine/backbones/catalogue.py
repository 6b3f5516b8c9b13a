"""The field's usual pretrained models, and where their weights are at hand here. Needs no torch."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from superfine.backbones.choose import in_hub_cache
from superfine.backbones.sources.embedded import embedded_model
from superfine.data.hub import hub_out_of_reach

FILE = Path(__file__).with_name("catalogue.yaml")
Place = Literal["embedded", "cache", "hub", "out of reach"]


class Entry(BaseModel):
    """A model. parameters, body: millions, in all and without the table of word embeddings. languages: their codes, or how many.
    max_length: tokens; None is no bound."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    type: str
    languages: tuple[str, ...] | int
    parameters: float
    body: float
    max_length: int | None
    licence: str
    good_at: str

    def reads(self, language: str) -> bool:
        """Whether it was pretrained on the language: a code, or "many" for one that has no code here, and for mixtures."""
        return isinstance(self.languages, int) or language in self.languages or language == "none"

    def place(self, hub_in_reach: bool) -> Place:
        """Where its weights are, from this machine."""
        embedded = embedded_model(self.name)
        if embedded is not None and embedded.at_hand:
            return "embedded"
        if in_hub_cache(self.name):
            return "cache"
        return "hub" if hub_in_reach and "/" in self.name else "out of reach"


@cache
def catalogue() -> tuple[Entry, ...]:
    """All models, as `catalogue.yaml` lists them."""
    return tuple(Entry.model_validate(entry) for entry in yaml.safe_load(FILE.read_text(encoding="utf-8")))


def places() -> dict[str, Place]:
    """Where the weights of each model are."""
    in_reach = hub_out_of_reach() is None
    return {entry.name: entry.place(in_reach) for entry in catalogue()}
