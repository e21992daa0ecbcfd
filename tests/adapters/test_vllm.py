"""Chains as a vLLM v1 logits processor, driven by a small batch that behaves as vLLM's does. Needs no vLLM, no GPU."""

from __future__ import annotations

import enum
import random
import sys
import types
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from vall_e_adapters import as_vllm_processor
from vall_e_adapters.vllm import ChainLogitsProcessor
from vall_e_core import UsageError

from .samplers import Counting

SIZE = 23
GONE = float("-inf")


class Direction(enum.Enum):
    UNIDIRECTIONAL = 0
    SWAP = 1


@dataclass
class Params:
    """What of vLLM's SamplingParams is looked at."""

    extra_args: dict[str, Any] | None = None
    seed: int | None = None


@dataclass
class Update:
    batch_size: int
    removed: list[int] = field(default_factory=list)
    added: list[tuple[int, Params, list[int] | None, list[int]]] = field(default_factory=list)
    moved: list[tuple[int, int, Direction]] = field(default_factory=list)


@dataclass
class Request:
    params: Params
    prompt: list[int]
    output: list[int] = field(default_factory=list)


class Batch:
    """The persistent batch: a place for each request, closed up when some leave."""

    def __init__(self, *processors: ChainLogitsProcessor) -> None:
        self.processors = processors
        self.places: list[Request] = []
        self.update = Update(0)

    def change(self, leaving: Sequence[Request] = (), coming: Sequence[Request] = ()) -> None:
        """Some leave, others take their places or come at the end, the last ones move into the gaps."""
        gaps = sorted(self.places.index(each) for each in leaving)
        new = list(coming)
        self.update.removed += gaps[len(new) :]
        for each in new:
            place = gaps.pop(0) if gaps else len(self.places)
            self.places[place : place + 1] = [each]
            self.update.added.append((place, each.params, each.prompt, each.output))
        while gaps:
            last = len(self.places) - 1
            gap = last if last in gaps else gaps[0]
            gaps.remove(gap)
            moved = self.places.pop()
            if gap != last:
                self.places[gap] = moved
                self.update.moved.append((last, gap, Direction.UNIDIRECTIONAL))

    def swap(self, one: int, other: int) -> None:
        """Two requests change places."""
        self.places[one], self.places[other] = self.places[other], self.places[one]
        self.update.moved.append((one, other, Direction.SWAP))

    def step(self, logits: Tensor) -> Tensor:
        """Tell what changed, apply, as the engine does."""
        said = self.update if self.update.removed or self.update.added or self.update.moved else None
        self.update = Update(len(self.places))
        for each in self.processors:
            each.update_state(said)
            logits = each.apply(logits)
        return logits


def make(kind: type[ChainLogitsProcessor], longest: int = 64) -> ChainLogitsProcessor:
    config = types.SimpleNamespace(model_config=types.SimpleNamespace(max_model_len=longest))
    return kind(config, torch.device("cpu"), False)


def alone(kind: type[ChainLogitsProcessor], request: Request, logits: Tensor) -> Tensor:
    """What a new processor makes of one request, everything replayed."""
    batch = Batch(make(kind))
    batch.change(coming=[request])
    return batch.step(logits.clone().unsqueeze(0))[0]


@pytest.mark.parametrize("seed", range(4))
def test_every_request_gets_what_it_would_get_alone(seed: int) -> None:
    """Requests come, go, are replaced, move and swap; some have the chain, some their own, some none."""
    chance, made = random.Random(seed), torch.Generator().manual_seed(seed)
    kind = as_vllm_processor([Counting(strength=0.5), "top-k:12"])
    batch = Batch(make(kind))
    chains: list[dict[str, Any] | None] = [
        None, {}, {"vall_e_samplers": "top-k:3 temperature:0.5"}, {"vall_e_samplers": []},
        {"vall_e_samplers": ["repetition-penalty:1.5,window=-1", "min-p:0.1"]},
    ]  # fmt: skip
    for _ in range(40):
        leaving = [each for each in batch.places if chance.random() < 0.15]
        coming = [
            Request(Params(chance.choice(chains), seed=7), [chance.randrange(SIZE) for _ in range(chance.randrange(5))])
            for _ in range(chance.choice([0, 0, 1, 2]))
        ]
        batch.change(leaving, coming)
        if len(batch.places) > 1 and chance.random() < 0.4:
            batch.swap(*chance.sample(range(len(batch.places)), 2))
        if not batch.places:
            continue
        logits = torch.randn(len(batch.places), SIZE, generator=made)
        left = batch.step(logits.clone())
        for place, request in enumerate(batch.places):
            expected = alone(kind, request, logits[place])
            assert torch.equal(left[place] == GONE, expected == GONE)
            assert torch.allclose(left[place], expected, atol=1e-5)
        for request in batch.places:
            for _ in range(chance.choice([0, 1, 1, 1, 2])):  # none while a prompt is read in chunks
                request.output.append(chance.randrange(SIZE))


def test_an_empty_chain_does_nothing() -> None:
    batch = Batch(make(as_vllm_processor()))
    batch.change(coming=[Request(Params(), [1]), Request(Params({"other": 1}), [1])])
    logits = torch.randn(2, SIZE)
    assert torch.equal(batch.step(logits.clone()), logits)


def test_tokens_that_are_not_there_yet_are_waited_for() -> None:
    kind = as_vllm_processor("repetition-penalty:2,window=-1")
    batch, request = Batch(make(kind)), Request(Params(), [1])
    batch.change(coming=[request])
    logits = torch.ones(1, SIZE)
    batch.step(logits.clone())
    request.output.append(-1)
    assert (batch.step(logits.clone()) < 1).nonzero()[:, 1].tolist() == [1]
    request.output[0] = 4
    assert (batch.step(logits.clone()) < 1).nonzero()[:, 1].tolist() == [1, 4]
    request.output.clear()  # it was preempted
    assert (batch.step(logits.clone()) < 1).nonzero()[:, 1].tolist() == [1]


def test_a_chain_with_a_selector_chooses_by_the_requests_seed() -> None:
    kind = as_vllm_processor(["top-k:20", "multinomial"], seed=1)
    logits = torch.zeros(3, SIZE)

    def run(order: list[int]) -> dict[int, list[int]]:
        batch = Batch(make(kind))
        requests = {seed: Request(Params(seed=seed), [1]) for seed in order}
        batch.change(coming=list(requests.values()))
        for _ in range(6):
            left = batch.step(logits[: len(order)].clone())
            assert bool(((left > GONE).sum(1) == 1).all())
            for each, row in zip(batch.places, left, strict=True):
                each.output.append(int(row.argmax()))
        return {seed: each.output for seed, each in requests.items()}

    whole = run([5, 6, 7])
    assert run([7, 5]) == {seed: whole[seed] for seed in (7, 5)}
    assert len({tuple(each) for each in whole.values()}) == 3


def test_bad_requests_are_refused_as_vllm_asks() -> None:
    kind = as_vllm_processor()
    kind.validate_params(Params({"vall_e_samplers": "top-p:0.9"}))
    for wrong in ("top-q:0.9", "top-p:7", "beam:3", ["top-p:0.9", "greedy", "top-k:3"]):
        with pytest.raises(ValueError, match="error: "):
            kind.validate_params(Params({"vall_e_samplers": wrong}))
    with pytest.raises(UsageError):
        as_vllm_processor("top-q")
    batch = Batch(make(as_vllm_processor("top-k:3"), longest=2))
    batch.change(coming=[Request(Params(), [1, 1, 1])])
    with pytest.raises(UsageError, match="room for 2"):
        batch.step(torch.zeros(1, SIZE))


def test_it_is_a_subclass_of_vllms_own_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class LogitsProcessor(ABC):
        @abstractmethod
        def __init__(self, vllm_config: object, device: torch.device, is_pin_memory: bool) -> None: ...

        @abstractmethod
        def apply(self, logits: Tensor) -> Tensor: ...

        @abstractmethod
        def is_argmax_invariant(self) -> bool: ...

        @abstractmethod
        def update_state(self, batch_update: object) -> None: ...

    module = types.ModuleType("vllm.v1.sample.logits_processor")
    monkeypatch.setattr(module, "LogitsProcessor", LogitsProcessor, raising=False)
    for name in ("vllm", "vllm.v1", "vllm.v1.sample"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    kind = as_vllm_processor("top-k:3")
    assert issubclass(kind, LogitsProcessor)
    assert make(kind).is_argmax_invariant() is False
