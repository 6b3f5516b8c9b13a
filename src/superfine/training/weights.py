"""Float32 master weights behind a network that computes in bfloat16.

Half-precision weights alone lose small updates: a step of 1e-4 on a weight of 0.1 is below bfloat16's resolution
(Micikevicius et al. 2018). So the optimiser works on float32 copies, and the network holds their rounded values.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from superfine.backbones.backbone import Backbone


class MasterWeights:
    """The trained parameters of a backbone in float32, by name.

    In bfloat16 `Backbone.rounded_parameters` have masters; the others, and all in float32, are masters themselves and not copied.
    """

    def __init__(self, backbone: Backbone, dtype: torch.dtype) -> None:
        rounded = {id(parameter) for parameter in backbone.rounded_parameters()} if dtype == torch.bfloat16 else set()
        named = [(name, p) for name, p in backbone.network.named_parameters() if p.requires_grad]
        self.names = [name for name, _ in named]
        self.masters: list[nn.Parameter] = []
        self._backbone = backbone
        self._rounded: list[tuple[nn.Parameter, nn.Parameter]] = []
        backbone.compute_dtype = dtype
        for _, parameter in named:
            if id(parameter) not in rounded:
                self.masters.append(parameter)
                continue
            master = nn.Parameter(parameter.detach().clone())
            parameter.data = parameter.data.to(dtype)
            self.masters.append(master)
            self._rounded.append((parameter, master))
        self._buffers = [torch.empty_like(master) for _, master in self._rounded]
        """For the gradients of the masters, so that a step takes no new memory for them."""

    def collect_gradients(self) -> None:
        """Move the gradients of rounded parameters to their masters, in float32."""
        for (parameter, master), buffer in zip(self._rounded, self._buffers, strict=True):
            master.grad = None if parameter.grad is None else buffer.copy_(parameter.grad)
            parameter.grad = None

    def publish(self) -> None:
        """Round the masters into the network."""
        if self._rounded:
            with torch.no_grad():
                torch._foreach_copy_([p for p, _ in self._rounded], [m for _, m in self._rounded])

    def snapshot(self) -> dict[str, Tensor]:
        """A copy of the masters by name."""
        return {name: master.detach().clone() for name, master in zip(self.names, self.masters, strict=True)}

    def restore(self, snapshot: dict[str, Tensor]) -> None:
        """Set masters and network to a snapshot."""
        with torch.no_grad():
            for name, master in zip(self.names, self.masters, strict=True):
                master.copy_(snapshot[name])
        self.publish()

    def finish(self) -> None:
        """Leave the network in float32 with the masters as its weights."""
        for parameter, master in self._rounded:
            parameter.data = master.detach()
            parameter.grad = None
        self._rounded, self._buffers = [], []
        self._backbone.compute_dtype = torch.float32
