"""One forward pass over whole responses and a choice at every frame: what NAR levels and demasking share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vall_e_core.sampling import Step

from ..model import Inputs, KVCache, Target, pad_blocks
from .guidance import Guidance, mix, rescale
from .steppers import Batch
from .types import Utterance

if TYPE_CHECKING:
    from vall_e_core.sampling.running import Chain

    from ..model import BaseModel

TOKENS_AT_ONCE = 16384
"""Padded positions in one forward pass; more utterances than fit are run one group after the other."""


def groups(lengths: Sequence[int], budget: int = TOKENS_AT_ONCE) -> Iterator[list[int]]:
    """Places of ``lengths`` in groups of similar length whose padded size stays within ``budget`` (or a single one)."""
    group: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        if group and lengths[place] * (len(group) + 1) > budget:
            yield group
            group = []
        group.append(place)
    if group:
        yield group


def inputs_with(utterance: Utterance, response: Tensor) -> Inputs:
    """The model's inputs for an utterance with this response."""
    return Inputs(phonemes=utterance.phonemes, language=utterance.language, prompt=utterance.prompt, response=response)


def response_logits(
    model: BaseModel,
    target: Target,
    utterances: Sequence[Utterance],
    responses: Sequence[Tensor],
    guidance: Guidance | None,
    dims: tuple[int, ...] = (0, 1),
) -> list[Tensor]:
    """Logits over each response's own rows, guided where asked: one ``[T, V]`` (version 7: ``[Q, T, V]``) for each.

    Args:
        responses: ``[T]`` or ``[T, q]`` as the target reads them.
        dims: over which dimensions of an utterance's logits guidance measures their spread.
    """
    sequences = [model.embed(inputs_with(u, r), target) for u, r in zip(utterances, responses, strict=True)]
    if guidance is not None:
        sequences += [
            model.embed(inputs_with(u.unconditional(), r), target) for u, r in zip(utterances, responses, strict=True)
        ]
    out: list[Tensor | None] = [None] * len(sequences)
    for group in groups([len(s.embeds) for s in sequences]):
        members = [sequences[i] for i in group]
        bucket = KVCache.BUCKETS.get(members[0].embeds.device.type, 1)  # so that an engine may repeat a pass
        batch = Batch.of(members, bucket)
        hidden = model(
            batch.embeds,
            batch.positions,
            causal=model.causal(target),
            lengths=batch.padded,
            target=target,
            blocks=pad_blocks(members, bucket),
        )
        rows = [hidden[i, member.output_rows] for i, member in enumerate(members)]
        logits = torch.split(model.logits(torch.cat(rows), target), [len(r) for r in rows], dim=-2)
        for place, mine in zip(group, logits, strict=True):
            out[place] = mine
    found = [logits for logits in out if logits is not None]
    if guidance is None:
        return found
    pairs = zip(found[: len(utterances)], found[len(utterances) :], strict=True)
    return [rescale(mix(c, n, guidance.strength), c, guidance.rescale, dims) for c, n in pairs]


class FrameChoice:
    """Applies a chain to the logits of all frames of all utterances at once."""

    def __init__(self, chain: Chain, stage: str, seed: int, identities: Sequence[int | str], frame_rate: float) -> None:
        self.chain, self.stage, self.seed, self.identities = chain, stage, seed, list(identities)
        self.frame_rate = frame_rate
        self._faults: Tensor | None = None

    def __call__(
        self, logits: Sequence[Tensor], level: int, index: int = 0, sharpen: float = 1.0
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Choose for ``logits[i]`` ``[T, V]`` -> ids ``[T]`` and the chain's logits ``[T, V]``, for each utterance.

        Args:
            level: the level of the ids, ``index`` the step, where there are several: both enter the noise.
            sharpen: the chain's logits are divided by it before the choice; 0 takes the likeliest.
        """
        sizes = [len(each) for each in logits]
        together = torch.cat(list(logits))
        step = Step.parallel(
            self.identities,
            sizes,
            stage=self.stage,
            seed=self.seed,
            level=level,
            index=index,
            frame_rate=self.frame_rate,
            device=together.device,
        )
        state = self.chain.init(len(together))
        processed = self.chain.process(together, step, state)
        if sharpen <= 0.0:
            ids = processed.argmax(-1)
            if self.chain.trace is not None:
                self.chain.trace.choice(processed, ids, step, None, {})
        else:
            ids = self.chain.select(processed / sharpen if sharpen != 1.0 else processed, step, state)
        if state.faults.device.type != "cpu" and state.faults.numel() > 0:
            worst = state.faults.amax()
            self._faults = worst if self._faults is None else torch.maximum(self._faults, worst)
        return list(torch.split(ids, sizes)), list(torch.split(processed, sizes))

    def require(self) -> None:
        """Raises PluginError where a member of the chain broke its contract; waits for the device, once."""
        if self._faults is not None and (found := int(self._faults)):
            raise self.chain.fault(found)
