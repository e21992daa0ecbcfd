"""Part `length`: what a step costs as the speech grows longer, as it has more keys and values to read.

A step's time doesn't depend on what the cache holds, so it isn't filled by minutes of decoding: the places are counted
as taken, and a few steps are timed behind them. Sampling is left out; its cost doesn't grow (part `samplers`).
"""

from __future__ import annotations

from itertools import pairwise
from statistics import median

import torch

from vall_e_core import ModelError
from vall_e_lm import BaseModel, KVCache

from .contenders import ENGINES, make_model, run_by
from .report import Report, Row
from .settings import CLOCKS, Settings

PART = "length"
FRAME_RATE = 75.0
MOST = 1.5
STEPS = 4


def run(settings: Settings, report: Report) -> None:
    """Every engine and length has a turn in every round."""
    models: dict[str, BaseModel] = {"vall-e": make_model(settings.shape)}
    for key, (name, _) in ENGINES.items():
        if key in settings.contenders:
            try:
                models[key] = run_by(settings.shape, key)
            except ModelError as error:
                report.missing(PART, f"{PART}.{key}", name, str(error))
    lengths = {seconds: settings.shape.context + round(seconds * FRAME_RATE) for seconds in settings.seconds}
    room = max(lengths.values()) + STEPS + 1
    taken: dict[tuple[str, float], list[float]] = {(key, at): [] for key in models for at in lengths}
    caches = {key: model.new_cache(1, room) for key, model in models.items()}
    for turn in range(settings.runs + 1):
        for (key, at), spent in taken.items():
            one = step_seconds(models[key], caches[key], lengths[at], settings)
            if turn:
                spent.append(one * 1000)
    first, last = min(lengths), max(lengths)
    for key in models:
        name = ENGINES[key][0] if key in ENGINES else key
        for at in lengths:
            rounds = tuple(taken[key, at])
            report.add(
                Row(PART, f"{PART}.{key}.{at:g}s", f"{name}: a step after {at:g} s of speech", median(rounds), "ms",
                    f"{min(rounds):.3g} to {max(rounds):.3g}; {lengths[at]} tokens", rounds=rounds)
            )  # fmt: skip
        ratios = tuple(b / a for a, b in zip(taken[key, first], taken[key, last], strict=True))
        mean = tuple(average({at: taken[key, at][turn] for at in lengths}) for turn in range(settings.runs))
        most = MOST if key in ("int8", "int4") and not settings.quick else None
        name = f"{name}: {last:g} s / {first:g} s"
        report.add(Row(PART, f"{PART}.{key}.growth", f"{name}, the last token", median(ratios), "x", rounds=ratios))
        report.add(
            Row(PART, f"{PART}.{key}.mean_growth", f"{name}, all tokens", median(mean), "x", most=most, rounds=mean)
        )


def average(costs: dict[float, float]) -> float:
    """The mean cost of a token from the shortest to the longest length (by trapezoids), over that at the shortest."""
    at = sorted(costs)
    if len(at) == 1:
        return 1.0
    area = sum((b - a) * (costs[a] + costs[b]) / 2 for a, b in pairwise(at))
    return area / (at[-1] - at[0]) / costs[at[0]]


@torch.inference_mode()
def step_seconds(model: BaseModel, cache: KVCache, tokens: int, settings: Settings) -> float:
    """Seconds of a step of one row behind `tokens` tokens, the quickest of a few (another program adds, none takes)."""
    clock = CLOCKS[settings.clock]
    cache.reset()
    cache.advance(tokens)
    x = torch.full((1, 1, settings.shape.width), 0.1)
    spent = []
    for step in range(STEPS):
        began = clock()
        model(x, torch.tensor([[tokens + step]]), causal=True, cache=cache)
        spent.append(clock() - began)
    return min(spent[1:])
