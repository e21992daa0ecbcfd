"""Where a history repeats itself: the longest common suffixes, kept up to date token by token.

A state tensor `matches` [N, L] holds for each place i but the last how many tokens that end there equal the tokens
that end the history. A new token t turns it into `matches[i - 1] + 1 if history[i] == t else 0`: one shift and one
comparison, whatever the history holds, instead of a search at every step.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from vall_e_core.sampling import StateContext, Step


def no_matches(rows: int, ctx: StateContext) -> Tensor:
    """The matches [N, L] int32 of empty histories."""
    return torch.zeros(rows, ctx.capacity, dtype=torch.int32, device=ctx.device)


def extend_matches(matches: Tensor, tokens: Tensor, step: Step, ends: Tensor | None = None) -> Tensor:
    """The matches [N, L] after tokens [N], which aren't in `step.history` yet. Where `ends` [N], no match goes on.

    They are 0 at the new token's place and behind it.
    """
    history = step.history
    if history.shape[1] == 0:
        return matches
    if history.shape[0] == 1 and history.device.type == "cpu":
        return _extend_row(matches, tokens, step, ends)
    same = history == tokens.unsqueeze(1)
    same &= torch.arange(history.shape[1], device=history.device) < step.lengths.unsqueeze(1)
    if ends is not None:
        same &= ~ends.unsqueeze(1)
    return pad(matches[:, :-1], (1, 0)).add_(1).mul_(same)  # far cheaper on a CPU than `where`


def _extend_row(matches: Tensor, tokens: Tensor, step: Step, ends: Tensor | None) -> Tensor:
    """The same for one row on a CPU, where a call of numpy's costs a third of one of torch's."""
    known, history = matches.numpy()[0], step.history.numpy()[0]
    made = np.zeros(known.size, known.dtype)
    length = min(step.lengths.tolist()[0], history.size)
    if length > 0 and (ends is None or not ends.tolist()[0]):
        places = (history[:length] == tokens.tolist()[0]).nonzero()[0]
        made[places] = known.take(places - 1) + 1
        if places.size > 0 and places[0] == 0:  # nothing comes before it
            made[0] = 1
    return torch.from_numpy(made[None])


def continuations(matches: Tensor, step: Step, vocab: int) -> tuple[Tensor, Tensor]:
    """What followed each earlier place, and how long the match that ends there is: (ids, lengths), both [N, L - 1].

    If nothing followed, or the id isn't one of the `vocab` ids, the length is 0 and the id is a valid one, so that
    it can be gathered and scattered.
    """
    ids = step.history[:, 1:]
    known = ids.clamp(0, vocab - 1)
    return known, matches[:, :-1] * (ids == known)
