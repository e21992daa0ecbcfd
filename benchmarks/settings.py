"""What is measured: the model's shape, the length of the context, how many tokens and runs."""

from __future__ import annotations

import time
from dataclasses import dataclass

WORDS = "The birch canoe slid on the smooth planks."
THREE_SECONDS = "The birch canoe slid on the smooth planks this morning."
"""About that long when the embedded voice says it."""
SENTENCES = (
    WORDS,
    "The gardener watered the roses before breakfast.",
    "A yellow bus stopped in front of the library.",
    "My cousin keeps a parrot that can whistle.",
    "They built a fire near the edge of the lake.",
)
"""For `quality`."""
LLAMA_CPP = ("llama-f32", "llama-q8_0", "llama-q4_0")
CONTENDERS = ("vall-e", "onnx", "int8", "int4", "captured", "transformers", *LLAMA_CPP)


@dataclass(frozen=True)
class Shape:
    """A transformer's sizes; the gated layers' hidden width is 4 x `width`."""

    layers: int
    width: int
    heads: int
    audio_tokens: int
    """Codes of a level; the output has one more, the stop."""
    context: int
    """Tokens of the sequence that the response is appended to."""

    @property
    def vocabulary(self) -> int:
        """Outputs of the AR head."""
        return self.audio_tokens + 1


FULL = Shape(layers=12, width=1024, heads=16, audio_tokens=1024, context=291)
"""The published models: 60 phonemes, 3 s of reference, separators."""
CLOCKS = {"wall": time.perf_counter, "process": time.process_time}
QUICK = Shape(layers=2, width=64, heads=4, audio_tokens=64, context=40)
"""For trying out the benchmarks; its figures mean nothing."""


@dataclass(frozen=True)
class Settings:
    """How a run measures."""

    shape: Shape = FULL
    tokens: int = 48
    """New tokens of each row."""
    uncached_tokens: int = 4
    """The same for the loop without a cache, which is slow."""
    runs: int = 5
    """Rounds after the warm-up; figures are medians over them."""
    batches: tuple[int, ...] = (1, 8, 16)
    threads: int | None = None
    """None: torch's own choice."""
    dtype: str = "float32"
    clock: str = "wall"
    """`wall`, or `process`: the processor's time of this process, for one thread on a machine that others use too."""
    contenders: tuple[str, ...] = CONTENDERS
    """Who takes part in `decode`."""
    piper: str | None = None
    """A voice of piper's, for `speakers`."""
    kokoro: str | None = None
    """The teacher's folder of `tools/train_mini`, for `speakers`."""
    quick: bool = False
    text: str = WORDS

    seconds: tuple[float, ...] = (1, 5, 15, 30, 60)
    """Lengths of speech at which `length` takes a step's time."""

    @classmethod
    def small(cls) -> Settings:
        """A tiny shape and few runs."""
        return cls(
            QUICK, tokens=6, uncached_tokens=3, runs=2, batches=(1, 2), seconds=(1, 5), quick=True, text="Good day."
        )
