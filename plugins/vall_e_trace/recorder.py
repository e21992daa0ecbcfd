"""A trace of every step of a chain: reckoned on the device while the chain works, fetched when the run is over.

Nothing here makes the host wait before `fetch` is called, and nothing is reckoned where no recorder is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from vall_e_core.sampling import Step

MODEL = "model"
"""The first stage of every step: what the model said."""
LN2 = 0.6931471805599453
COLUMNS = 6
"""Numbers of a stage: kept, entropy, KL, p(stop), p(choice), rank of the choice."""


@dataclass
class Event:
    """One step of N rows, on the device or (after `fetch`) on the host."""

    stage: str
    seed: int
    level: int
    stop_token: int | None
    names: tuple[str, ...]
    """Of the S stages that follow each other."""
    detail_names: tuple[str, ...]
    whole: Tensor
    """[N, 5] int64: utterance key, step, frame (-1 where rows aren't frames), token, parent (the row itself)."""
    values: Tensor
    """[N, S * COLUMNS + details] float32."""


@dataclass
class TraceRecorder:
    """A `Trace` that keeps everything. Give it to `Chain.watched`, run, then `fetch`.

    A token and stage take 24 bytes on the device, and each token 40 more.
    """

    selector: str = "select"
    """How the last stage of every step is called: what the selector drew from."""
    events: list[Event] = field(default_factory=list)
    _pending: list[tuple[str, Tensor]] = field(default_factory=list, repr=False)
    """The stages of the step that is on its way: name and logits [N, V]."""

    def begin(self, logits: Tensor, step: Step) -> None:
        """What the model said, [N, V]."""
        self._pending = [(MODEL, logits.clone())]

    def stage(self, name: str, before: Tensor, after: Tensor, step: Step) -> None:
        """What a stage made of it, [N, V]; copied, for the chain may write to it."""
        self._pending.append((name, after.clone()))

    def choice(
        self, logits: Tensor, tokens: Tensor, step: Step, parents: Tensor | None, details: Mapping[str, Tensor]
    ) -> None:
        """Tokens [N] were chosen: reckon the numbers of every stage, and let its logits go."""
        stages = [*self._pending, (self.selector, logits)]
        self._pending = []
        rows = torch.arange(len(tokens), device=tokens.device)
        parent = rows if parents is None else parents
        measured: list[Tensor] = []
        before: Tensor | None = None
        for _, each in stages:
            mine = each if parents is None else each[parents]
            logprobs = torch.log_softmax(mine, dim=-1)
            measured += measure(mine, logprobs, before, tokens, step.stop_token)
            before = logprobs
        measured += [each.to(torch.float32) for each in details.values()]
        frame = torch.full_like(rows, -1) if step.frame is None else step.frame
        whole = torch.stack([step.rows, step.index.expand_as(rows), frame, tokens, parent], dim=1)
        self.events.append(
            Event(
                step.stage, step.noise.seed, step.level, step.stop_token, tuple(name for name, _ in stages),
                tuple(details), whole, torch.stack(measured, dim=1),
            )
        )  # fmt: skip

    def fetch(self) -> list[Event]:
        """Everything, on the host, in the order in which it happened: two transfers, whatever the run's length."""
        if not self.events:
            return []
        whole = torch.cat([each.whole.flatten() for each in self.events]).cpu()
        values = torch.cat([each.values.flatten() for each in self.events]).cpu()
        found: list[Event] = []
        at_whole = at_values = 0
        for each in self.events:
            shape, size = each.whole.shape, each.values.shape
            found.append(
                Event(
                    each.stage, each.seed, each.level, each.stop_token, each.names, each.detail_names,
                    whole[at_whole : (at_whole := at_whole + shape.numel())].view(shape),
                    values[at_values : (at_values := at_values + size.numel())].view(size),
                )
            )  # fmt: skip
        return found


def measure(
    logits: Tensor, logprobs: Tensor, before: Tensor | None, tokens: Tensor, stop: int | None
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The numbers of one stage, [N] float32 each; entropy and KL in bits.

    Args:
        logits, logprobs: [N, V] after the stage, and their log-softmax.
        before: the log-softmax [N, V] of the stage before; without it the KL is NaN.
        tokens: the choice [N].

    Returns:
        How many tokens are kept; the entropy; KL(this stage ‖ the one before); the probability of the stop token and
        of the choice; the choice's rank, 1 for the most probable (equals share one). A row with nothing left has no
        numbers (NaN) but a count of 0.
    """
    probs = logprobs.exp()
    own = logits.gather(1, tokens.unsqueeze(1))
    nowhere = torch.full_like(own[:, 0], float("nan"))
    kept = (logits > float("-inf")).sum(-1).to(torch.float32)
    entropy = torch.special.entr(probs).sum(-1) / LN2
    if before is None:
        kl = nowhere
    else:
        kl = torch.where(probs > 0, probs * (logprobs - before), 0.0).sum(-1).clamp(min=0.0) / LN2
        kl = torch.where(probs.isnan().any(-1), nowhere, kl)
    p_stop = nowhere if stop is None or not 0 <= stop < logits.shape[-1] else probs[:, stop]
    rank = (logits > own).sum(-1).to(torch.float32) + 1
    rank = torch.where(own[:, 0] > float("-inf"), rank, nowhere)
    return kept, entropy, kl, p_stop, probs.gather(1, tokens.unsqueeze(1))[:, 0], rank
