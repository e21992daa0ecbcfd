"""What decodes: the project's own loop, with its cache and without. Further ways of decoding join the list here."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import nn

from vall_e_core import BuildContext, Engine, ModelError, Registry
from vall_e_core.sampling.running import Chain
from vall_e_lm import (
    ArPass,
    Inputs,
    Model,
    ModelConfig,
    ModelOptions,
    Target,
    Utterance,
    choose_engine,
    generate_ar,
    plan_chain,
)
from vall_e_lm.engines import EAGER
from vall_e_lm.model.linear import Linear

from .settings import Shape

LANGUAGE_LEVEL_SEPARATORS = 6
"""Tokens of a sequence that are neither phonemes nor reference nor response."""
NEVER = -1e4
"""The stop token's bias: it has to be in the running, as always, but must not end a run."""


@dataclass(frozen=True)
class Timing:
    """One call: seconds to the first token (the prefill), and seconds and number of the steps after it."""

    first: float
    rest: float
    steps: int
    rows: int

    @property
    def rate(self) -> float:
        """Tokens a second, the prefill left out."""
        return self.rows * self.steps / self.rest

    @property
    def whole_rate(self) -> float:
        """Tokens a second of the whole call."""
        return self.rows * (self.steps + 1) / (self.first + self.rest)


class Contender(Protocol):
    """A way of decoding."""

    key: str
    name: str

    def decode(self, rows: int, tokens: int) -> Timing:
        """Generate exactly `tokens` tokens in each of `rows` rows, after a context of the shape's length."""


@dataclass
class Stopwatch:
    """Times a call from outside, through whatever it calls after each token."""

    device: str
    clock: Callable[[], float] = time.perf_counter
    began: float = 0.0
    first: float = 0.0
    count: int = field(default=0)

    def __post_init__(self) -> None:
        self.began = self._now()

    def tick(self) -> None:
        """A token (of every row) is there."""
        self.count += 1
        if self.count == 1:
            self.first = self._now()

    def stop(self, rows: int, tokens: int) -> Timing:
        """The call has ended. Raises RuntimeError unless every token was made: such a figure would mean nothing."""
        ended = self._now()
        if self.count != tokens:
            raise RuntimeError(f"{self.count} tokens were made instead of {tokens}")
        return Timing(self.first - self.began, ended - self.first, tokens - 1, rows)

    def _now(self) -> float:
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()
        return self.clock()


def make_model(shape: Shape, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Model:
    """A model with random weights that never stops by itself."""
    config = ModelConfig(
        width=shape.width, heads=shape.heads, layers=shape.layers, audio_tokens=shape.audio_tokens, langs=4
    )
    model = Model(config, seed=0).eval()
    with torch.no_grad():
        ar_head(model).bias[shape.audio_tokens] = NEVER
    return model.to(device, dtype)


def ar_head(model: Model) -> nn.Linear:
    """What scores the codes of level 0."""
    head = None if model.classifiers is None else model.classifiers.proj[0]
    if not isinstance(head, nn.Linear):
        raise TypeError("the model has no head of its own for level 0")
    return head


def make_chain(shape: Shape, device: str = "cpu") -> Chain:
    """The chain that a user gets who says nothing."""
    plan = plan_chain(Registry.load(third_party=False).samplers(), "ar")
    return plan.build(
        BuildContext(device, vocab_size=shape.vocabulary, stop_token=shape.audio_tokens, frame_rate=75.0, stage="ar")
    )


def make_utterances(shape: Shape, rows: int, device: str = "cpu") -> list[Utterance]:
    """Random text and reference whose sequence is as long as the shape's context."""
    stream = torch.Generator().manual_seed(1)
    phonemes = min(60, shape.context // 2)
    frames = shape.context - phonemes - LANGUAGE_LEVEL_SEPARATORS
    return [
        Utterance(
            i,
            torch.randint(3, 200, (phonemes,), generator=stream).to(device),
            0,
            torch.randint(0, shape.audio_tokens, (frames, 8), generator=stream).to(device),
        )
        for i in range(rows)
    ]


def weight_bytes(model: Model) -> int:
    """Bytes that a step has to read: the layers, the last norm, the AR head. Of the tables it reads single rows."""
    used = [*model.model.parameters(), *ar_head(model).parameters()]
    return sum(each.numel() * each.element_size() for each in used)


def as_torch_multiplies(model: Model) -> Model:
    """The same weights, multiplied by torch's own linear layer, as upstream does, instead of ours."""
    shared: dict[int, object] = {id(each): each for each in model.parameters()}
    twin = deepcopy(model, shared)
    for module in list(twin.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, Linear):
                plain = nn.Linear(child.in_features, child.out_features, bias=False, device="meta")
                plain.weight = child.weight
                setattr(module, name, plain)
    return twin


ENGINES = {
    "onnx": ("vall-e --engine onnx", ModelOptions(engine="onnx")),
    "int8": ("vall-e --quantize int8", ModelOptions(quantize="int8")),
    "int4": ("vall-e --quantize int4", ModelOptions(quantize="int4")),
}
"""What runs the model on a CPU beside eager: what it is called, and what is asked for."""
BITS = {"onnx": 32, "int8": 8, "int4": 4}
"""Of the weights that a step reads."""


def run_by(shape: Shape, key: str) -> Model:
    """The same model as one of `ENGINES` runs it. Raises ModelError where that can't be."""
    name, options = ENGINES[key]
    engine = choose_engine(Registry.load(third_party=False), options, "cpu")
    if engine is None:
        raise ModelError(f"no engine for {name}")
    return adopted(engine, shape, options.quantize)


def captured(shape: Shape, device: str, dtype: str) -> Model:
    """The same model whose steps are captured on a GPU. Raises UsageError, ModelError where they can't be."""
    options = ModelOptions(engine="cuda-graph", device=device, dtype=dtype)
    engine = choose_engine(Registry.load(third_party=False), options, device)
    if engine is None:
        raise ModelError("no engine captures steps")
    return adopted(engine, shape, "none", device, dtype)


def adopted(engine: Engine, shape: Shape, quantize: str, device: str = "cpu", dtype: str = "float32") -> Model:
    """A new model, run by `engine`."""
    built = engine.build(BuildContext(device, dtype, quantize=quantize, threads=torch.get_num_threads()))
    model = make_model(shape, device=device, dtype=getattr(torch, dtype))
    built.adopt(model, None)
    return model


def rivals(shape: Shape, quantize: str, measured: Collection[str] = ()) -> tuple[str, dict[str, Model]]:
    """The engine that `--engine auto` takes, and the same model run by each other one that does the same here and isn't
    among those already `measured`."""
    registry = Registry.load(third_party=False)
    chosen = choose_engine(registry, ModelOptions(quantize=quantize), "cpu")
    name = EAGER if chosen is None else chosen.name
    others = {
        each.name: adopted(each.from_spec(""), shape, quantize)
        for each in registry.all(Engine).values()
        if each.name not in (name, *measured) and each.available()
        and "cpu" in each.devices and quantize in each.quantizations
    }
    if quantize == "none" and EAGER not in (name, *measured):
        others[EAGER] = make_model(shape)
    return name, others


def rounded_bytes(model: Model, bits: int) -> int:
    """As `weight_bytes` of a float32 `model` whose layers' products have `bits`; their scales aren't counted."""
    products = sum(each.numel() for each in model.model.layers.parameters() if each.dim() == 2)
    return weight_bytes(model) - 4 * products + products * bits // 8


class Own:
    """`generate_ar`, as `vall-e tts` calls it."""

    def __init__(
        self, model: Model, shape: Shape, *, key: str = "vall-e", name: str = "vall-e", device: str = "cpu",
        cache: bool = True, clock: Callable[[], float] = time.perf_counter,
    ) -> None:  # fmt: skip
        self.key, self.name, self._clock = key, name, clock
        self._model, self._shape, self._device, self._cache = model, shape, device, cache
        self._chain = make_chain(shape, device)
        given = make_utterances(shape, 1, device)[0]
        nothing = torch.zeros(0, dtype=torch.long, device=device)
        inputs = Inputs(given.phonemes, given.language, given.prompt, nothing)
        length = len(model.embed(inputs, Target("ar")).embeds)
        if length != shape.context:
            raise RuntimeError(f"the context has {length} tokens instead of {shape.context}")

    def decode(self, rows: int, tokens: int) -> Timing:
        """One call of `generate_ar`."""
        utterances = make_utterances(self._shape, rows, self._device)
        watch = Stopwatch(self._device, self._clock)

        def tick(stage: str, done: int, most: int) -> None:
            watch.tick()

        how = ArPass(self._chain, seed=0, cache=self._cache, progress=tick)
        made = generate_ar(self._model, utterances, how, max_steps=tokens)
        timing = watch.stop(rows, tokens)
        if any(len(each.codes) != tokens for each in made):
            raise RuntimeError("a row stopped by itself")
        return timing
