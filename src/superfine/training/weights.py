"""Float32 master weights behind a network that computes in bfloat16.

Half-precision weights alone lose small updates: a step of 1e-4 on a weight of 0.1 is below bfloat16's resolution
(Micikevicius et al. 2018). So the optimiser works on float32 copies, and the network holds their rounded values.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import groupby
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from superfine.backbones.backbone import Backbone
from superfine.training.kept import Kept

Key = TypeVar("Key", bound=Hashable)


class MasterWeights:
    """The trained parameters of a backbone in float32, by name.

    In bfloat16 `Backbone.rounded_parameters` have masters; the others, and all in float32, are masters themselves and not copied.
    Masters, their gradients and the rounded weights are views of three long tensors, matrices first, so that what concerns all of
    them is one operation and not a hundred.

    rows: (r,) the rows of the table of word embeddings that can move; None is all. Snapshots hold these alone.
    """

    def __init__(self, backbone: Backbone, dtype: torch.dtype, rows: Tensor | None = None) -> None:
        self.rows = rows
        rounded = {id(parameter) for parameter in backbone.rounded_parameters()} if dtype == torch.bfloat16 else set()
        named = [(name, p) for name, p in backbone.network.named_parameters() if p.requires_grad]
        frozen = [p for p in backbone.network.parameters() if not p.requires_grad and id(p) in rounded]
        # What they were comes from the pretrained model again: a copy would take twice as much as they do.
        self._frozen = [(p, None if backbone.can_restore else p.data) for p in frozen]
        for parameter in frozen:
            parameter.data = parameter.data.to(dtype)
        self.names = [name for name, _ in named]
        self._table = backbone.word_embeddings.weight
        self._backbone = backbone
        backbone.compute_dtype = dtype
        self._rounded = sorted((p for _, p in named if id(p) in rounded), key=lambda p: p.dim() <= 1)
        lengths = [p.numel() for p in self._rounded]
        self._all = torch.cat([p.detach().flatten().float() for p in self._rounded]) if lengths else torch.empty(0)
        self._all_rounded = self._all.to(dtype)
        self._all_gradients = torch.zeros_like(self._all)
        views = [
            [part.view(p.shape) for part, p in zip(torch.split(whole, lengths), self._rounded, strict=True)] if lengths else []
            for whole in (self._all, self._all_rounded, self._all_gradients)
        ]
        self._buffers = views[2]
        self._given = [False] * len(self._rounded)
        self._hooks = [
            parameter.register_post_accumulate_grad_hook(self._taking(place)) for place, parameter in enumerate(self._rounded)
        ]
        master_of = {id(p): nn.Parameter(master) for p, master in zip(self._rounded, views[0], strict=True)}
        for parameter, value in zip(self._rounded, views[1], strict=True):
            parameter.data = value
        self.masters: list[nn.Parameter] = [master_of.get(id(p), p) for _, p in named]
        self._place = {id(p): i for i, p in enumerate(self._rounded)}
        self._parameters = [p for _, p in named]
        self._spans: list[tuple[nn.Parameter, Tensor]] = []

    def spans(self, keys: Sequence[Key]) -> list[tuple[Key, nn.Parameter]]:
        """The masters as the optimiser is to see them: neighbours with the same key are one. keys: one for each master.

        From now on `collect_gradients` gives the spans their gradients.
        """
        found: list[tuple[Key, nn.Parameter]] = []
        laid: list[tuple[int, Key]] = []
        for parameter, key in zip(self._parameters, keys, strict=True):
            place = self._place.get(id(parameter))
            if place is None:
                found.append((key, parameter))
            else:
                laid.append((place, key))
        self._spans, start = [], 0
        for key, members in groupby(sorted(laid, key=lambda pair: pair[0]), key=lambda pair: pair[1]):
            stop = start + sum(self._rounded[place].numel() for place, _ in members)
            span = nn.Parameter(self._all[start:stop])
            self._spans.append((span, self._all_gradients[start:stop]))
            found.append((key, span))
            start = stop
        return found

    def _taking(self, place: int) -> Callable[[Tensor], None]:
        """Moves the gradient of a rounded parameter to its master as soon as it is there, so that no two sets of gradients are
        held at once."""

        def take(parameter: Tensor) -> None:
            buffer, gradient = self._buffers[place], cast(Tensor, parameter.grad)
            buffer.add_(gradient) if self._given[place] else buffer.copy_(gradient)
            self._given[place] = True
            parameter.grad = None

        return take

    def begin_batch(self) -> None:
        """From now on gradients are those of another batch."""
        self._given = [False] * len(self._rounded)

    def collect_gradients(self) -> None:
        """Give the masters the gradients of the batch so far. Where there is none it is zero."""
        for buffer, is_given in zip(self._buffers, self._given, strict=True):
            if not is_given:
                buffer.zero_()
        self._given = [True] * len(self._rounded)
        for span, gradient in self._spans:
            span.grad = gradient

    def publish(self) -> None:
        """Round the masters into the network."""
        with torch.no_grad():
            self._all_rounded.copy_(self._all)

    @property
    def read_whole(self) -> list[Tensor]:
        """The masters that an update reads from end to end: all but a table of which some rows move."""
        return [master for master in self.masters if self.rows is None or master is not self._table]

    def current(self) -> dict[str, Tensor]:
        """All that can move, by name: (r, width) of the table of word embeddings. The others are the masters, not copies."""
        return {
            name: master.detach()[self.rows] if self._moves_by_rows(master) else master.detach()
            for name, master in zip(self.names, self.masters, strict=True)
        }

    def snapshot(self, into: Kept | None = None) -> Kept:
        """A copy of `current`. into: an earlier one to overwrite."""
        found = self.current()
        kept = Kept({name: value.shape for name, value in found.items()}) if into is None else into
        for name, value in found.items():
            kept.put(name, value)
        return kept

    def restore(self, snapshot: Mapping[str, Tensor]) -> None:
        """Set masters and network to a snapshot."""
        with torch.no_grad():
            for name, master in zip(self.names, self.masters, strict=True):
                if self._moves_by_rows(master):
                    master.index_copy_(0, cast(Tensor, self.rows), snapshot[name].to(master.device))
                else:
                    master.copy_(snapshot[name])
        self.publish()

    def _moves_by_rows(self, master: Tensor) -> bool:
        return self.rows is not None and master is self._table

    def finish(self) -> None:
        """Leave the network in float32 with the masters as its weights."""
        for hook in self._hooks:
            hook.remove()
        self._buffers, self._spans, self._all_gradients = [], [], torch.empty(0)
        for parameter, master in zip(self._parameters, self.masters, strict=True):
            if id(parameter) in self._place:
                parameter.data = master.detach().clone()
                parameter.grad = None
        for parameter, value in self._frozen:
            parameter.data = parameter.data if value is None else value
        if lost := [parameter for parameter, value in self._frozen if value is None]:
            self._backbone.restore(lost)
        self._rounded, self._place, self._frozen = [], {}, []
        self._all = self._all_rounded = torch.empty(0)
        self._backbone.compute_dtype = torch.float32
