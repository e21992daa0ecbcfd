"""What the contract suite tries a sampler on: instances with many parameters, logits of many shapes, histories."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from vall_e_core import MISSING, Param, Sampler, VallEError
from vall_e_core.sampling import Step

VOCABULARIES = (2, 3, 17, 1025, 5000)
LONG_AT = 1025
"""The vocabulary whose histories are longer than most windows."""
SEED = 20260101


@dataclass(frozen=True)
class Probe:
    """Logits [N, V], a history for each row, and what they are, for messages."""

    name: str
    logits: Tensor
    histories: tuple[Tensor, ...]
    stage: str = "ar"
    waits: bool = True
    """Whether to look for what waits for the device."""

    def step(self, rows: list[int] | None = None, garbage: int | None = None, stop_token: int | None = None) -> Step:
        """A step of these rows (all of them, in order, by default); `garbage` fills what lies behind the histories."""
        chosen = list(range(self.logits.shape[0])) if rows is None else rows
        capacity = max((len(each) for each in self.histories), default=0)
        room = 0 if capacity == 0 and garbage is None else capacity + 3
        step = Step.start(
            chosen, stage=self.stage, seed=SEED, capacity=room, stop_token=stop_token,
            prefixes=[self.histories[row] for row in chosen], device=self.logits.device,
        )  # fmt: skip
        if garbage is not None:
            behind = torch.arange(room) >= step.lengths.unsqueeze(1)
            step.history.masked_fill_(behind, garbage)
        step.unconditional_logits = -0.5 * self.logits[chosen]
        return step

    @property
    def size(self) -> int:
        """V."""
        return self.logits.shape[1]


def probes(stage: str = "ar") -> Iterator[Probe]:
    """Batches of six rows: ordinary, steep, tied, half removed, one token left, all equal; with and without history."""
    made = torch.Generator().manual_seed(SEED)
    for size in VOCABULARIES:
        logits = torch.randn(6, size, generator=made) * 3
        logits[1] *= 6
        logits[2] = (logits[2] * 2).round() / 2
        logits[3, torch.randperm(size, generator=made)[: size // 2]] = float("-inf")
        logits[4, :-1] = float("-inf")
        logits[5] = 1.5
        empty = tuple(torch.zeros(0, dtype=torch.long) for _ in range(6))
        yield Probe(f"V={size}, no history", logits, empty, stage)
        if stage in ("ar", "stt"):
            most = 97 if size == LONG_AT else 31  # each is replayed token by token, dozens of times
            loop = torch.tensor([1, 0, size - 1]).repeat(most // 5)
            noise = torch.randint(size, (most - 7,), generator=made)
            histories = (noise, loop, noise[:1], torch.cat([noise, loop[:7]]), empty[0], torch.zeros(most - 17).long())
            yield Probe(f"V={size}, histories of 0 to {most}", logits, histories, stage)
    yield Probe("one row, V=1025, no history", torch.randn(1, 1025, generator=made), empty[:1], stage)


def nearly_nothing(stage: str = "ar") -> Iterator[tuple[Probe, int]]:
    """What a tight filter leaves: one or two likely tokens, said often before, and an unlikely stop token."""
    for size in (5, 17, 1025):
        for stop, first, second in ((size - 1, 0, 1), (0, size - 1, size - 2)):
            logits = torch.full((3, size), float("-inf"))
            logits[:, first], logits[1:, second], logits[:, stop] = 0.0, -0.1, -16.0
            both = torch.tensor([first, second]).repeat(30)
            histories = (torch.full((60,), first), both, both[:1])
            if stage not in ("ar", "stt"):
                histories = (both[:0],) * 3
            yield Probe(f"V={size}, stop {stop}, little left", logits, histories, stage), stop


def instances(sampler: type[Sampler]) -> list[Sampler]:
    """The default instance, and with one parameter changed: its choices, neutral value, ends, and values between."""
    made: dict[str, Sampler] = {}

    def add(**values: object) -> None:
        try:
            one = sampler.from_mapping(values)
        except VallEError:
            return
        made.setdefault(one.to_spec(), one)

    add()
    for parameter in sampler.params():
        for value in _values(parameter):
            add(**{parameter.name: value})
    neutral = {each.name: each.neutral for each in sampler.params() if each.neutral is not MISSING}
    if neutral:
        add(**neutral)
    for each in sampler.examples:
        one = sampler.from_mapping(each)
        made.setdefault(one.to_spec(), one)
    return list(made.values())


def _values(parameter: Param) -> list[object]:
    found: list[object] = []
    if parameter.neutral is not MISSING:
        found.append(parameter.neutral)
    if parameter.choices is not None:
        return found + list(parameter.choices)
    kind = parameter.type
    if kind.form == "list" and kind.item in (int, float):
        return [*found, (0,), (0, 1)]
    if kind.form == "map":
        return [*found, {0: 1.0}, {0: -2.0, 1: 0.5}]
    if kind.item is bool:
        return [True, False]
    if kind.item not in (int, float) or kind.form != "scalar":
        return found
    default = parameter.default if isinstance(parameter.default, (int, float)) else 1
    near = [default * 0.5, default * 1.5, 1]
    ends = [end for end in (parameter.min, parameter.max) if end is not None]
    return found + [kind.item(each) for each in [*near, *ends] if abs(each) < 1e6]
