"""What the models of all versions share: the forward pass over embeddings, the cache, early exit."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from vall_e_core import ModelError

from . import early_exit as exits
from .backbone import Backbone, RMSNorm
from .cache import KVCache
from .config import ModelConfig
from .early_exit import EarlyExit
from .sequence import EmbeddedSequence, Inputs, Target

if TYPE_CHECKING:
    from ..engine import StepRecorder


class BaseModel(nn.Module, ABC):
    """A language model over one backbone. Nothing here turns gradients off: training runs the code of inference."""

    model: Backbone
    sep: nn.Parameter

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self._by_level: dict[int, Backbone] = {}
        self.recorder: StepRecorder | None = None
        """What keeps the steps of the AR loop, where an engine does."""
        self.cache_type: Callable[..., KVCache] = KVCache
        """What makes its caches; an engine may have its own."""

    def _build_backbone(self) -> None:
        self.model = Backbone(self.config)

    @abstractmethod
    def supports(self, target: Target) -> bool:
        """Has the model what it takes to predict `target`?"""

    @abstractmethod
    def causal(self, target: Target) -> bool:
        """Does a row see only what is before it?"""

    @abstractmethod
    def stop_token(self, target: Target) -> int | None:
        """The id that ends a sequential target; None where there is none."""

    @property
    @abstractmethod
    def mask_token(self) -> int:
        """The id of a masked place in a response that is demasked."""

    @abstractmethod
    def embed(self, inputs: Inputs, target: Target) -> EmbeddedSequence:
        """One utterance's sequence. Raises InputError for ids that the tables don't have."""

    @abstractmethod
    def embed_token(self, tokens: Tensor, target: Target) -> Tensor:
        """The rows [N, D] that one more token of a sequential target adds."""

    @abstractmethod
    def logits(self, hidden: Tensor, target: Target, *, raw: bool = False) -> Tensor:
        """The target's scores, float32."""

    def forward(
        self,
        embeds: Tensor,
        positions: Tensor,
        *,
        causal: bool,
        lengths: Tensor | None = None,
        cache: KVCache | None = None,
        early_exit: EarlyExit | None = None,
        target: Target | None = None,
        blocks: Tensor | None = None,
    ) -> Tensor:
        """Embeds [N, T, D] and positions [N, T] -> hidden states [N, T, D] (after the final norm).

        Rows are right-padded, `lengths` [N] says how far (None: no padding). With a cache: an empty one is filled
        (`lengths` then gives each row's tokens), a filled one takes T more tokens of every row at the row's own end.
        `early_exit` asks the head of `target` (default AR) how sure it is. A model with adapters that act on some
        levels only (`level_dependent`) needs `target` to know which it runs.
        """
        backbone = self._backbone(target)
        if cache is not None:
            cache.reserve(embeds.shape[1])
        if early_exit is None:
            if cache is not None and cache.exit is not None:
                raise ValueError("a KV cache that was filled under early exit must go on under it")
            attend = backbone.attend(embeds, positions, causal=causal, lengths=lengths, blocks=blocks, cache=cache)
            hidden: Tensor = backbone(embeds, attend)
        else:
            hidden = self._early(backbone, embeds, positions, early_exit, target, causal, lengths, cache)
        if cache is not None:
            cache.advance(embeds.shape[1], lengths)
        return hidden

    def new_cache(self, rows: int, max_length: int, bucket: int | None = None) -> KVCache:
        """An empty cache of this model's shape, device and dtype; for `bucket` see `KVCache`."""
        c = self.config
        return self.cache_type(
            c.layers, rows, c.heads, max_length, c.head_width, device=self.sep.device, dtype=self.sep.dtype,
            bucket=bucket,
        )  # fmt: skip

    def require(self, target: Target) -> None:
        """ModelError unless the model supports `target`."""
        if not self.supports(target):
            level = f" level {target.level}" if target.kind == "nar" else ""
            raise ModelError(
                f"this model can't do {target.kind}{level}",
                cause=f"its capabilities: {', '.join(sorted(self.config.capabilities))}",
            )

    @property
    def level_dependent(self) -> bool:
        """Do some levels run on weights of their own?"""
        return bool(self._by_level)

    def backbones(self) -> dict[int | None, Backbone]:
        """The model's own backbone (None), and those of single levels."""
        own: list[tuple[int | None, Backbone]] = [(None, self.model)]
        return dict([*own, *self._by_level.items()])

    def set_backbone(self, level: int | None, backbone: Backbone) -> None:
        """Let targets of `level` (all but NAR are of level 0) run on another backbone of the same shape; None: all
        that have none of their own."""
        if level is None:
            self.model = backbone
        else:
            self._by_level[level] = backbone

    def exit_logits(self, states: Tensor, target: Target) -> Tensor:
        """What early exit measures: the head's scores of states before the final norm."""
        return self.logits(states, target, raw=True)

    def _backbone(self, target: Target | None) -> Backbone:
        if not self._by_level:
            return self.model
        if target is None:
            raise ValueError("this model's weights depend on the level: pass `target`")
        return self._by_level.get(target.level if target.kind == "nar" else 0, self.model)

    def _early(
        self,
        backbone: Backbone,
        embeds: Tensor,
        positions: Tensor,
        rule: EarlyExit,
        target: Target | None,
        causal: bool,
        lengths: Tensor | None,
        cache: KVCache | None,
    ) -> Tensor:
        asked = Target("ar") if target is None else target

        def to_logits(states: Tensor) -> Tensor:
            return self.exit_logits(states, asked)

        if cache is not None and cache.extent:
            states = exits.step(backbone, embeds, positions, rule, to_logits, cache)
        else:
            states = exits.run(
                backbone, embeds, positions, rule, to_logits, causal=causal, lengths=lengths, cache=cache
            )
        hidden: Tensor = backbone.norm(states)
        return hidden


def initialise(model: nn.Module, config: ModelConfig, seed: int) -> None:
    """Fill every parameter from one seeded stream: normal, std 0.02, the layers' output projections scaled by depth
    (GPT-2's rule); gains 1, biases 0."""
    stream = torch.Generator().manual_seed(seed)
    gains = {id(m.weight) for m in model.modules() if isinstance(m, (RMSNorm, nn.LayerNorm))}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif id(parameter) in gains:
                parameter.fill_(1.0)
            else:
                narrow = name.endswith(("o_proj.weight", "down_proj.weight"))
                parameter.normal_(0.0, 0.02 / math.sqrt(2 * config.layers) if narrow else 0.02, generator=stream)
