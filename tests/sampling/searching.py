"""A slow beam search over lists, all complete hypotheses kept; and toy models to search."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product

import torch
from torch import Tensor

from vall_e_core.sampling import Step
from vall_e_core.sampling.running import Chain, ChainState

GONE = float("-inf")
Model = Callable[[Sequence[int]], list[float]]
"""The log-probabilities of the token after those given."""


def table(seed: int, size: int, scale: float = 2.0) -> Tensor:
    """A toy model: the logits [V] after token t are row t, at the beginning the last row; [V + 1, V]."""
    return torch.randn(size + 1, size, generator=torch.Generator().manual_seed(seed)) * scale


def as_model(logits: Tensor) -> Model:
    """The toy model for `beam` and `best_of_all`."""
    rows = torch.log_softmax(logits.double(), -1).tolist()
    return lambda past: list(rows[past[-1] if past else -1])


def best_of_all(model: Model, size: int, length: int, stop: int | None, penalty: float) -> tuple[list[int], float]:
    """The sequence of the highest score among all that end with the stop token or have `length` tokens."""
    found: list[tuple[float, list[int]]] = []
    for ids in product(range(size), repeat=length):
        end = ids.index(stop) + 1 if stop in ids else length
        past = list(ids[:end])
        total = sum(model(past[:place])[token] for place, token in enumerate(past))
        found.append((total / end**penalty, past))
    score, best = max(found)
    return best, score


def beam(
    model: Model, width: int, length: int, stop: int | None, penalty: float, early: bool
) -> tuple[list[int], float]:
    """What the search should find, and its score."""
    going: list[tuple[float, list[int]]] = [(0.0, [])]
    done: list[tuple[float, list[int]]] = []
    ended = False
    for step in range(1, length + 1):
        every = [
            (total + logprob, [*past, token])
            for total, past in going
            for token, logprob in enumerate(model(past))
            if logprob > GONE
        ]
        every.sort(key=lambda each: -each[0])
        done += [(total / step**penalty, past) for total, past in every[:width] if past[-1] == stop]
        going = [each for each in every[: 2 * width] if each[1][-1] != stop][: width - bool(done)]
        best = max((score for score, _ in done), default=GONE)
        leader = going[0][0] / step**penalty if going else GONE
        if done and (not going or (len(done) >= width and (early or leader <= best))):
            ended = True
            break
    if not ended:
        done += [(total / step**penalty, past) for total, past in going]
    score, past = max(done, key=lambda each: each[0])
    return past, score


def search(
    chain: Chain, models: Sequence[Tensor], length: int, stop: int | None = None, limits: Sequence[int] | None = None
) -> tuple[list[list[int]], ChainState, Step]:
    """Each toy model's best sequence by a chain with a search, as the engine runs it; the state and step at the end."""
    width, count = chain.width, len(models)
    step = Step.start([u for u in range(count) for _ in range(width)], capacity=length, stop_token=stop)
    rows = torch.stack(list(models)).repeat_interleave(width, 0)
    limit = torch.tensor([length] * count if limits is None else list(limits)).repeat_interleave(width)
    state = chain.init(count * width, step)
    last = torch.full((count * width,), -1)
    finished = torch.zeros(count * width, dtype=torch.bool)
    counts = torch.zeros(count * width, dtype=torch.long)
    each = torch.arange(count * width)
    for _ in range(length):
        processed = chain.process(rows[each, last], step, state)
        choice, state = chain.advance(processed, step, state, finished)
        assert torch.equal(choice.parents // width, each // width)
        step = step.select(choice.parents)
        finished, counts = finished[choice.parents], counts[choice.parents]
        tokens = choice.tokens.masked_fill(finished, 0)
        state = chain.accept(tokens, step, state)
        counts = counts + ~finished
        finished = finished | choice.finished | (counts >= limit)
        step.append(tokens)
        last = tokens
        if bool(finished.all()):
            break
    firsts = range(0, count * width, width)
    return [step.history[row, : int(counts[row])].tolist() for row in firsts], state, step


def score(model: Model, tokens: Sequence[int], penalty: float) -> float:
    """What a search compares."""
    total = sum(model(tokens[:place])[token] for place, token in enumerate(tokens))
    return total / len(tokens) ** penalty if tokens else math.nan
