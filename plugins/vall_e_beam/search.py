"""The work of `beam`.

Only the best complete hypothesis of an utterance can become the result, so it alone keeps a row; the others are
counted. U is the number of utterances, W the width, N = U·W rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from vall_e_core.sampling import Choice, StateContext, Step

NEVER = float("-inf")


@dataclass
class BeamState:
    """What is known of each row [N]; a row without a hypothesis has the sum -inf."""

    total: Tensor
    """The sum of log-probabilities."""
    final: Tensor
    """The score of a complete hypothesis, -inf where it goes on."""
    steps: Tensor
    """Steps of the utterance so far."""
    completed: Tensor
    """Hypotheses of the utterance that were completed so far."""
    over: Tensor
    """Whether the utterance's search has ended."""


class Ongoing(NamedTuple):
    """The best hypotheses that go on [U, W], best first: sums, the rows they continue (0 … W - 1), tokens."""

    total: Tensor
    parent: Tensor
    token: Tensor


class Complete(NamedTuple):
    """The best complete hypothesis of each utterance [U]: score (-inf: there is none), sum, row it continues, token."""

    score: Tensor
    total: Tensor
    parent: Tensor
    token: Tensor


class BeamSearch:
    """Beam search with complete hypotheses kept."""

    def __init__(self, width: int, length_penalty: float = 1.0, *, early_stop: bool = False) -> None:
        self.width, self.length_penalty, self.early_stop = width, length_penalty, early_stop

    def init(self, utterances: int, ctx: StateContext) -> BeamState:
        """One hypothesis, the empty one, in each utterance's first row."""
        rows = utterances * self.width
        never = torch.full((rows,), NEVER, device=ctx.device)
        count = torch.zeros(rows, dtype=torch.long, device=ctx.device)
        first = torch.arange(rows, device=ctx.device) % self.width == 0
        return BeamState(torch.where(first, 0.0, never), never, count, count.clone(), count > 0)

    def advance(self, logprobs: Tensor, step: Step, state: BeamState) -> tuple[Choice, BeamState]:
        """Log-probabilities [N, V] -> each row's parent and token, and the state after them."""
        width, size = self.width, logprobs.shape[-1]
        going = torch.where((state.final > NEVER) | state.over, NEVER, state.total)
        sums = (going.unsqueeze(1) + logprobs).reshape(-1, width * size)  # [U, W·V]
        best, places = ordered_top(sums, min(2 * width, width * size))
        parents, tokens = places // size, places % size
        over = state.over.reshape(-1, width)[:, 0]
        length = self._weight(state.steps.reshape(-1, width)[:, 0] + 1)
        ends = torch.zeros_like(over).unsqueeze(1) if step.stop_token is None else tokens == step.stop_token
        live = best > NEVER
        filtered = ((logprobs.amin(1) == NEVER) & (going > NEVER)).view(-1, width).any(1, keepdim=True)
        others = (live & ~ends).sum(1, keepdim=True).clamp(1, width)  # filters may have left fewer than the width
        others = torch.where(filtered, others, width)
        ending = ends & live & (torch.arange(best.shape[1], device=best.device) < others)
        completed = state.completed.reshape(-1, width)[:, 0] + ending.sum(1)
        complete = self._completed(best, parents, tokens, ending, length, state)
        ongoing = self._ongoing(best, parents, tokens, ends)
        ended = over | self._ended(complete, ongoing, completed, length)
        return self._rows(complete, ongoing, completed, length, over, ended, state)

    def _weight(self, steps: Tensor) -> Tensor:
        """What a sum over so many tokens is divided by."""
        return steps.to(torch.float32) ** self.length_penalty

    def _ongoing(self, best: Tensor, parents: Tensor, tokens: Tensor, ends: Tensor) -> Ongoing:
        """The first W candidates [U, K] that aren't stop tokens; there is at most one of those for each parent."""
        at = torch.arange(best.shape[1], device=best.device).expand_as(best)
        order = torch.where(ends, at + best.shape[1], at).sort(dim=1).indices[:, : self.width]
        total = torch.where(ends, NEVER, best).gather(1, order)
        return Ongoing(total, parents.gather(1, order), tokens.gather(1, order))

    def _completed(
        self, best: Tensor, parents: Tensor, tokens: Tensor, ending: Tensor, length: Tensor, state: BeamState
    ) -> Complete:
        """The better of the one there was and the best of those that end now; among equals the earlier."""
        old = state.final.reshape(-1, self.width).max(dim=1)
        old_total = state.total.reshape(-1, self.width).gather(1, old.indices.unsqueeze(1)).squeeze(1)
        first = ending.to(torch.uint8).argmax(1, keepdim=True)  # candidates are sorted, and all equally long
        total = torch.where(ending, best, NEVER).gather(1, first).squeeze(1)
        score = total / length
        newer = score > old.values
        return Complete(
            torch.where(newer, score, old.values),
            torch.where(newer, total, old_total),
            torch.where(newer, parents.gather(1, first).squeeze(1), old.indices),
            torch.where(newer, tokens.gather(1, first).squeeze(1), 0),
        )

    def _ended(self, complete: Complete, ongoing: Ongoing, completed: Tensor, length: Tensor) -> Tensor:
        """Whether an utterance's search ends with this step [U]."""
        leader = ongoing.total[:, 0]
        enough = completed >= self.width
        if not self.early_stop:
            enough = enough & (leader / length <= complete.score)
        alone = torch.ones_like(enough) if self.width == 1 else leader == NEVER
        return (complete.score > NEVER) & (enough | alone)

    def _rows(
        self,
        complete: Complete,
        ongoing: Ongoing,
        completed: Tensor,
        length: Tensor,
        over: Tensor,
        ended: Tensor,
        state: BeamState,
    ) -> tuple[Choice, BeamState]:
        """Lay the hypotheses out, best first, the complete one among them; where the search is over, all stays."""
        width = self.width
        own = torch.arange(width, device=over.device).expand(over.shape[0], width)
        exists = complete.score > NEVER
        ahead = (ongoing.total / length.unsqueeze(1) > complete.score.unsqueeze(1)).sum(1).clamp(max=width - 1)
        place = torch.where(ended, 0, ahead).unsqueeze(1)
        is_complete = exists.unsqueeze(1) & (own == place)
        take = own - (exists.unsqueeze(1) & (own > place)).long()

        def laid(whole: Tensor, going: Tensor, kept: Tensor | int | bool) -> Tensor:
            """[U] for the complete row, [U, W] for the others, and what a row has whose search was over before."""
            rows = torch.where(is_complete, whole.unsqueeze(1), going.gather(1, take))
            return torch.where(over.unsqueeze(1), kept, rows)

        parent = laid(complete.parent, ongoing.parent, own)
        token = laid(complete.token, ongoing.token, 0)
        total = laid(complete.total, ongoing.total, state.total.reshape(-1, width))
        final = laid(complete.score, torch.full_like(ongoing.total, NEVER), state.final.reshape(-1, width))
        first = torch.arange(over.shape[0], device=over.device).unsqueeze(1) * width
        finished = is_complete | ended.unsqueeze(1)
        after = BeamState(
            total.reshape(-1),
            final.reshape(-1),
            state.steps + 1,
            completed.repeat_interleave(width, output_size=total.numel()),
            ended.repeat_interleave(width, output_size=total.numel()),
        )
        return Choice(token.reshape(-1), (first + parent).reshape(-1), finished.reshape(-1)), after


def ordered_top(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` largest of each row [U, M] and their places, best first, the lowest places first among equals."""
    size = values.shape[1]
    last = values.topk(count, dim=1).values[:, -1:]
    above, equal = values > last, values == last
    kept = above | (equal & (equal.cumsum(1) <= count - above.sum(1, keepdim=True)))
    ranks = torch.where(kept, torch.arange(size, 0, -1, device=values.device), 0)
    places = size - ranks.topk(count, dim=1).values  # ascending
    found = values.gather(1, places).sort(dim=1, descending=True, stable=True)
    return found.values, places.gather(1, found.indices)
