"""A trained network as a graph in the Open Neural Network Exchange format, in float32, for rectangles of any size."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from superfine.backbones import window_attention
from superfine.backbones.backbone import Backbone
from superfine.backbones.heads import logits_of
from superfine.backbones.padding import Padding
from superfine.errors import ModelError, first_line
from superfine.predictors.bundle import GraphFacts
from superfine.predictors.graph import LOGITS, WINDOW_SCORES

if TYPE_CHECKING:
    from superfine.model import Model
    from superfine.records import Read

GRAPH = "model.onnx"
MOST_IN_ONE_FILE = 1_900_000_000
"""Bytes of weights: a file of the format holds at most 2 GB, and what is more goes into one beside it."""
EXAMPLE = (3, 7)
"""Texts and tokens of the rectangle that the network is traced with: neither is 1, which would be taken for a constant."""


def write_onnx(model: Model, folder: Path, padding: Padding | None = None) -> GraphFacts:
    """Write `model.onnx` into the folder. padding: other than the one that the network was found to take.

    Raises ModelError for a network that cannot be written so.
    """
    backbone = model.backbone
    was_packed = backbone.is_packed
    backbone.use_padding()
    network = backbone.network.eval().float()
    backbone.compute_dtype = torch.float32
    side: Padding = backbone.padding if padding is None else padding
    if hasattr(network.config, "use_cache"):
        network.config.use_cache = False
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if backbone.takes_types else [])]
    weighs = backbone.weighs_windows and not model.task.head.by_token
    traced = _Answering(backbone, side) if weighs else _Plain(network)
    example = _example(backbone, side)[: len(names)]
    size = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with _quiet(), _plain_attention(network):
        try:
            program = torch.onnx.export(
                traced.eval(),
                example,
                input_names=names,
                output_names=[LOGITS, WINDOW_SCORES] if weighs else [LOGITS],
                dynamic_shapes=(tuple(size for _ in names),),
                dynamo=True,
                verbose=False,
            )
            assert program is not None
            n_bytes = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
            program.save(folder / GRAPH, external_data=n_bytes > MOST_IN_ONE_FILE)
        except Exception as error:  # whatever the exporter raises, it is of this network
            raise ModelError(
                f"{type(network).__name__} cannot be written as ONNX: {first_line(error)}",
                "Use it through Superfine itself, or fine-tune a model of another type.",
            ) from None
        finally:
            if was_packed:
                backbone.pack_if_sound()
    inputs = tuple(_inputs_of(folder / GRAPH))
    return GraphFacts(file=GRAPH, inputs=inputs, padding=side, pad_id=backbone.pad_id, empty_id=model.encoder.empty_id)


def _inputs_of(path: Path) -> list[Any]:
    """Those that the graph reads; the exporter may leave out what has no effect."""
    import onnx

    graph = onnx.load(str(path), load_external_data=False).graph
    return [one.name for one in graph.input]


def _example(backbone: Backbone, padding: Padding) -> tuple[Tensor, Tensor, Tensor]:
    """Ids, mask and types of a rectangle with some padding in it, where the network takes any."""
    generator = torch.Generator().manual_seed(0)
    size = int(backbone.word_embeddings.num_embeddings)
    ids = torch.randint(size // 2, size, EXAMPLE, generator=generator)
    mask = torch.ones_like(ids)
    if padding != "none":
        padded = slice(None, 3) if padding == "left" else slice(-3, None)
        ids[1, padded], mask[1, padded] = backbone.pad_id, 0
    return ids, mask, torch.zeros_like(ids)


class _Plain(nn.Module):
    """The network's own forward pass, from ids to logits."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Any:
        return logits_of(self.network(**_named(inputs))).float()


class _Answering(nn.Module):
    """The same, and how much a window counts, by the states that `Backbone.logits_and_scores` reads."""

    def __init__(self, backbone: Backbone, padding: Padding) -> None:
        super().__init__()
        self.network, self.padding = backbone.network, padding
        self.reads: Read = backbone.window_reads
        attention = window_attention.of(backbone.network)
        assert attention is not None
        self.attention = attention

    def forward(self, *inputs: Tensor) -> Any:
        seen: list[Tensor] = []
        hook = self.network.base_model.register_forward_hook(lambda *call: seen.append(call[2].last_hidden_state))
        try:
            logits = logits_of(self.network(**_named(inputs))).float()
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


def _named(inputs: tuple[Tensor, ...]) -> dict[str, Tensor]:
    return dict(zip(("input_ids", "attention_mask", "token_type_ids"), inputs, strict=False))


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
