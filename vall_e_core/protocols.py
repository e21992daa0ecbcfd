"""What the objects that `build` returns look like. Plugin authors implement these; nothing here imports torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor



@runtime_checkable
class CodecModel(Protocol):
    """A built codec. `levels` is the number of code books Q, `frame_rate` the frames in a second.

    It may have `code_books_sha256`, a hash of its code books, and `codes_of`, the name of the codec whose codes it
    takes and gives if that isn't its own: a saved voice is refused where they tell that its codes mean something else.
    Sound that is played while it is made is decoded window by window, with `context_frames` more on either side: as
    many as a frame's samples depend on, or (a recurrent codec) as many as are enough. 32 where it doesn't say.
    """

    name: str
    sample_rate: int
    frame_rate: float
    levels: int
    codebook_size: int

    def encode(self, wave: Tensor) -> Tensor:
        """wave [samples] float32 at `sample_rate` -> codes [T, Q] int64."""
        ...

    def decode(self, codes: Tensor) -> Tensor:
        """codes [T, q] int64, q <= Q -> wave [samples] float32 at `sample_rate`."""
        ...


@runtime_checkable
class PhonemizerModel(Protocol):
    """A built phonemizer."""

    name: str

    def languages(self) -> Sequence[str]:
        """The language codes it knows."""
        ...

    def phonemize(self, texts: Sequence[str], language: str) -> list[str]:
        """One IPA string for each text: stress marked, punctuation kept, no space at the ends.

        Raises InputError for a language it doesn't know or text it can't read.
        """
        ...


@dataclass(frozen=True)
class Replacement:
    """What is said instead of the characters `start` up to `end` of a text; an empty `text` says nothing."""

    start: int
    end: int
    text: str


@runtime_checkable
class NormalizerModel(Protocol):
    """A built normalizer."""

    def replacements(self, text: str, language: str) -> Iterable[Replacement]:
        """What is said differently from how it is written, in order and without overlap; the rest stays as it is.

        `text` is a run of words in one language: cleaned text without markup, IPA, pauses or line ends. A replacement
        holds words and the marks `. , ; : ? !`, and no line end.
        """
        ...


@dataclass(frozen=True, eq=False)
class FinishedTake:
    """One take of one part of a text, ready to be heard: what a scorer judges."""

    text: str
    phonemes: str
    """What was to be said, as the model read it."""
    language: str
    codes: Tensor = field(repr=False)
    """[T, q] int64."""
    wave: NDArray[np.float32] = field(repr=False)
    """[samples] in -1..1 at `sample_rate`."""
    sample_rate: int
    frame_rate: float
    expected_seconds: float
    """How long the text usually takes, at the pace of the reference where that is known."""
    stop_reason: str
    """`stop` by the model itself, `length` at the bound, `predicted` where the length was known beforehand."""
    verdict: str
    """`ok`, `short`, `length` (never stopped), `loop`."""
    log_probability: float | None = None
    """The model's own, of all of level 0 with its stop token (natural logarithm); None where there is no AR pass."""

    @property
    def seconds(self) -> float:
        """Length of the wave."""
        return len(self.wave) / self.sample_rate


@runtime_checkable
class ScorerModel(Protocol):
    """A built scorer."""

    def score(self, take: FinishedTake) -> float | None:
        """How good the take is: the higher, the better, and 0 for one that is perfect if there is such a thing.

        None where it can't tell. A score depends on the take alone, never on its neighbours.
        """
        ...


@dataclass(frozen=True, eq=False)
class Recording:
    """Samples [n] in -1..1 at `sample_rate`."""

    wave: NDArray[np.float32] = field(repr=False)
    sample_rate: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.wave) / self.sample_rate


@dataclass(frozen=True, eq=False)
class Judged:
    """A recording before a judge, and what is known about it; what isn't known is None or empty."""

    recording: Recording
    text: str = ""
    """What it is to say."""
    phonemes: str = ""
    language: str = "en"
    reference: Recording | None = None
    """The voice it is to have, saying something else."""
    original: Recording | None = None
    """What it was made from, at the same rate, length and time: the input of a codec."""


@dataclass(frozen=True)
class Verdict:
    """What a judge says of one recording."""

    figures: Mapping[str, float | None] = field(default_factory=dict)
    """By the keys that `Judge.figures` declares; None where it can't tell. The mean over all recordings is reported."""
    heard: str | None = None
    """What it heard, for whoever wants to know why."""
    voice: Sequence[float] | None = None
    """Where the voice lies in a space of the judge's own. Of these `vall-e eval` makes ABX figures."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """How much a figure counts in the mean where that isn't 1: the number of words, for a word error rate."""


@runtime_checkable
class JudgeModel(Protocol):
    """A built judge."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Whatever its verdicts depend on, with versions: libraries, models."""
        ...

    def judge(self, given: Judged) -> Verdict:
        """The verdict depends on what is given alone, never on what was judged before."""
        ...


@runtime_checkable
class JointJudgeModel(JudgeModel, Protocol):
    """A built judge that hears several recordings at once at less cost."""

    def judge_all(self, given: Sequence[Judged]) -> Sequence[Verdict]:
        """A verdict for each, in their order, as near to what `judge` says of it alone as can be had."""
        ...
