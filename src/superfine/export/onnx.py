"""A trained network as a graph in the Open Neural Network Exchange format, in float32, for rectangles of any size."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from superfine.backbones import window_attention
from superfine.backbones.backbone import Backbone
from superfine.backbones.heads import logits_of
from superfine.backbones.padding import Padding
from superfine.errors import ModelError, first_line
from superfine.predictors.bundle import GraphFacts, InputName
from superfine.predictors.graph import LOGITS, WINDOW_SCORES, Rectangle
from superfine.records import Examples

if TYPE_CHECKING:
    from superfine.model import Model
    from superfine.records import Read

GRAPH = "model.onnx"
INPUTS: tuple[InputName, ...] = ("input_ids", "attention_mask", "token_type_ids")
MOST_IN_ONE_FILE = 1_900_000_000
"""Bytes of weights: a file of the format holds at most 2 GB, and what is more goes into one beside it."""
EXAMPLE = ("one two three four", "five six", "seven")
"""Texts that the network is traced with: more than one, of several tokens, for a 1 would be taken for a constant."""


def write_onnx(model: Model, folder: Path) -> GraphFacts:
    """Write `model.onnx` into the folder. Raises ModelError for a network that cannot be written so."""
    backbone = model.backbone
    was_packed = backbone.is_packed
    backbone.use_padding()
    network = backbone.network.eval().float()
    backbone.compute_dtype = torch.float32
    if hasattr(network.config, "use_cache"):
        network.config.use_cache = False
    facts = GraphFacts(
        file=GRAPH,
        inputs=INPUTS if backbone.takes_types else INPUTS[:2],
        padding=backbone.padding,
        pad_id=backbone.pad_id,
        empty_id=model.encoder.empty_id,
    )
    with _quiet(), _plain_attention(network):
        try:
            _trace(model, facts, folder / GRAPH, torch.int64)
        except Exception:
            try:  # some networks compute with the mask as it is (XLNet)
                _trace(model, facts, folder / GRAPH, torch.float32)
            except Exception as error:  # whatever the exporter raises, it is of this network
                raise ModelError(
                    f"{type(network).__name__} cannot be written as ONNX: {first_line(error)}",
                    "Use it through Superfine itself, or fine-tune a model of another type.",
                ) from None
    if was_packed:
        backbone.pack_if_sound()
    import onnx

    graph = onnx.load(str(folder / GRAPH), load_external_data=False).graph  # what has no effect may have been left out
    return facts.model_copy(update={"inputs": tuple(one.name for one in graph.input)})


def _trace(model: Model, facts: GraphFacts, path: Path, mask_dtype: torch.dtype) -> None:
    network = model.backbone.network
    weighs = model.backbone.weighs_windows and not model.task.head.by_token
    traced = _Answering(model.backbone, facts.padding, mask_dtype) if weighs else _Plain(network, mask_dtype)
    size = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    program = torch.onnx.export(
        traced.eval(),
        tuple(_example(model, facts)),
        input_names=list(facts.inputs),
        output_names=[LOGITS, WINDOW_SCORES] if weighs else [LOGITS],
        dynamic_shapes=(tuple(size for _ in facts.inputs),),
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    n_bytes = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    program.save(path, external_data=n_bytes > MOST_IN_ONE_FILE)


def _example(model: Model, facts: GraphFacts) -> list[Tensor]:
    """The inputs for some texts, with padding among them where the network takes any."""
    texts = [EXAMPLE[0]] * len(EXAMPLE) if facts.padding == "none" else list(EXAMPLE)
    encoded = model.encoder.encode(Examples.of_texts(texts, texts if model.takes_pairs else None)).as_sequences()
    rectangle = Rectangle.of(encoded, np.arange(len(texts)), facts)
    return [torch.from_numpy(getattr(rectangle, name)) for name in facts.inputs]


class _Plain(nn.Module):
    """The network's own forward pass, from ids to logits."""

    def __init__(self, network: Any, mask_dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self.mask_dtype = network, mask_dtype

    def forward(self, *inputs: Tensor) -> Any:
        return logits_of(self.network(**_named(inputs, self.mask_dtype))).float()


class _Answering(nn.Module):
    """The same, and how much a window counts, by the states that `Backbone.logits_and_scores` reads."""

    def __init__(self, backbone: Backbone, padding: Padding, mask_dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self.padding, self.mask_dtype = backbone.network, padding, mask_dtype
        self.reads: Read = backbone.window_reads
        attention = window_attention.of(backbone.network)
        assert attention is not None
        self.attention = attention

    def forward(self, *inputs: Tensor) -> Any:
        seen: list[Tensor] = []
        hook = self.network.base_model.register_forward_hook(lambda *call: seen.append(call[2].last_hidden_state))
        try:
            logits = logits_of(self.network(**_named(inputs, self.mask_dtype))).float()
        finally:
            hook.remove()
        return logits, self.attention(self._read(seen[0], inputs[1])).float()

    def _read(self, states: Tensor, mask: Tensor) -> Tensor:
        """(n, width) of states (n, length, width)."""
        if self.reads == "first" and self.padding != "left":
            return states[:, 0]
        if self.reads == "last" and self.padding == "left":
            return states[:, -1]
        if self.reads in ("first", "last"):
            counts = mask.cumsum(1)
            wanted = mask.sum(1, keepdim=True) if self.reads == "last" else torch.ones_like(counts[:, :1])
            chosen = ((counts == wanted) & (mask > 0)).to(states.dtype)
            return (states * chosen[:, :, None]).sum(1)
        shares = mask.to(states.dtype)
        return (states * shares[:, :, None]).sum(1) / shares.sum(1, keepdim=True)


def _named(inputs: tuple[Tensor, ...], mask_dtype: torch.dtype) -> dict[str, Tensor]:
    named: dict[str, Tensor] = dict(zip(INPUTS, inputs, strict=False))
    return {**named, "attention_mask": named["attention_mask"].to(mask_dtype)}


@contextmanager
def _plain_attention(network: Any) -> Iterator[None]:
    """Attention as products and a softmax, which runtimes know how to fuse."""
    before = network.config._attn_implementation
    try:
        network.set_attn_implementation("eager")
    except Exception:  # some types have one way alone
        yield
        return
    try:
        yield
    finally:
        network.set_attn_implementation(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what exporters say of their own parts."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "torch.export")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
