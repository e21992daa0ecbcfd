"""Muon for the backbone's matrices (Jordan 2024; update size as in Liu et al., arXiv 2502.16982), AdamW for others."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn


@torch.no_grad()
def orthogonal(matrices: Tensor, steps: int = 5) -> Tensor:
    """Each matrix [B, rows, columns] with its singular values brought near 1 (quintic Newton-Schulz iteration)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised for each matrix; matrices of one shape are done together."""

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.05,
        bf16: bool = False,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.dtype = torch.bfloat16 if bf16 else torch.float32

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes.setdefault(parameter.shape, []).append(parameter)
            for (rows, columns), parameters in shapes.items():
                grads = torch.stack([p.grad for p in parameters])  # type: ignore[misc]
                momenta = torch.stack([self.state[p].setdefault("momentum", torch.zeros_like(p)) for p in parameters])
                momenta.mul_(group["momentum"]).add_(grads)
                step = orthogonal(grads.add_(momenta, alpha=group["momentum"]).to(self.dtype)).float()
                update = step * (0.2 * math.sqrt(max(rows, columns)))
                for parameter, momentum, change in zip(parameters, momenta, update, strict=True):
                    self.state[parameter]["momentum"].copy_(momentum)
                    parameter.mul_(1.0 - group["lr"] * group["weight_decay"]).add_(change, alpha=-group["lr"])
