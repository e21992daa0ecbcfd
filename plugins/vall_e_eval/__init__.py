"""`vall-e eval`: how well a model speaks and listens, measured offline; and the judges that measure it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from vall_e_core import BuildContext, Component, LazyCommand, hookimpl, lazy_names, param

from .judge import Figure, JointJudgeModel, Judge, JudgeModel

if TYPE_CHECKING:
    from .judged import Judged, Recording, Verdict
else:
    __getattr__, __dir__ = lazy_names(__name__, {".judged": ("Judged", "Recording", "Verdict")})

__all__ = ["Figure", "JointJudgeModel", "Judge", "JudgeModel", "Judged", "Recording", "Verdict"]
requires = ("stt", "tts", "voices")


class Sentences(Judge):
    """Which sentence of the closed set was said, to its end? pocketsphinx with a grammar of whole sentences."""

    name = "sentences"
    default = True
    needs = frozenset({"text"})
    figures: ClassVar[Mapping[str, Figure]] = {"identified": Figure("identified", "higher", "%")}

    def build(self, ctx: BuildContext) -> JudgeModel:
        from .sphinx import SentenceJudge

        return SentenceJudge.of(ctx)


class Alignment(Judge):
    """Is every word there, in order, and the last one too? pocketsphinx's forced alignment, and the times that it
    gives.

    The last word is there if of all beginnings of the text the whole one fits best.
    """

    name = "alignment"
    default = True
    needs = frozenset({"text"})
    figures: ClassVar[Mapping[str, Figure]] = {
        "complete": Figure("all words aligned", "higher", "%"),
        "ending": Figure("last word there", "higher", "%"),
        "pace": Figure("words per second", "neither"),
        "pause": Figure("longest pause between words", "lower", "s"),
        "tail": Figure("left after the last word", "lower", "s"),
    }

    def build(self, ctx: BuildContext) -> JudgeModel:
        from .sphinx import AlignmentJudge

        return AlignmentJudge.of(ctx)


class Mfcc(Judge):
    """Whose voice is it? Mean and standard deviation of 19 MFCCs: enough to tell voices apart, but not a speaker
    model."""

    name = "mfcc"
    default = True
    needs = frozenset({"reference"})

    def build(self, ctx: BuildContext) -> JudgeModel:
        from .voices import MfccJudge

        return MfccJudge()


@dataclass(frozen=True)
class Pitch(Judge):
    """Is the median fundamental frequency near the reference's? Both by YIN."""

    name = "pitch"
    default = True
    needs = frozenset({"reference"})
    figures: ClassVar[Mapping[str, Figure]] = {
        "near": Figure("median F0 near the reference's", "higher", "%"),
        "off": Figure("median F0 off by", "lower", "semitones"),
    }

    within: float = param(0.12, primary=True, min=0.0, max=1.0, help="how far it may be off, as a share")

    def build(self, ctx: BuildContext) -> JudgeModel:
        from .voices import PitchJudge

        return PitchJudge(self.within)


class Signal(Judge):
    """Pauses, silence, clipping, a constant offset, hiss at the end: what can be measured without knowing the words."""

    name = "signal"
    default = True
    figures: ClassVar[Mapping[str, Figure]] = {
        "silence": Figure("silence", "neither", "%"),
        "pause": Figure("longest silence inside", "lower", "s"),
        "clipped": Figure("clipped", "lower", "%"),
        "offset": Figure("constant offset above 5 % of the level", "lower", "%"),
        "hiss": Figure("spectral flatness of the last 0.3 s", "neither"),
        "level": Figure("level", "neither", "dBFS"),
    }

    def build(self, ctx: BuildContext) -> JudgeModel:
        from .signals import SignalJudge

        return SignalJudge()


class Distance(Judge):
    """How far from the original, sample by sample and frame by frame: SI-SDR and mel-cepstral distortion."""

    name = "distance"
    default = True
    needs = frozenset({"original"})
    figures: ClassVar[Mapping[str, Figure]] = {
        "mcd": Figure("mel-cepstral distortion", "lower", "dB"),
        "si-sdr": Figure("SI-SDR", "higher", "dB"),
    }

    def build(self, ctx: BuildContext) -> JudgeModel:
        from .signals import DistanceJudge

        return DistanceJudge()


class Stoi(Judge):
    """Short-time objective intelligibility against the original, by pystoi: 0 to 1."""

    name = "stoi"
    default = True
    needs = frozenset({"original"})
    figures: ClassVar[Mapping[str, Figure]] = {"stoi": Figure("STOI", "higher")}

    def build(self, ctx: BuildContext) -> JudgeModel:
        from .signals import StoiJudge

        return StoiJudge.of()


class Pesq(Judge):
    """Wide-band PESQ against the original, by the package pesq (which is built from source): 1 to 4.64."""

    name = "pesq"
    default = True
    needs = frozenset({"original"})
    figures: ClassVar[Mapping[str, Figure]] = {"pesq": Figure("PESQ (wide band)", "higher")}

    def build(self, ctx: BuildContext) -> JudgeModel:
        from .signals import PesqJudge

        return PesqJudge.of()


@dataclass(frozen=True)
class Whisper(Judge):
    """Which words are heard? The word error rate of Whisper (faster-whisper), after its authors' own normalization.

    English. No package contains the weights: `vall-e eval whisper-weights` joins them.
    """

    name = "whisper"
    default = True
    joint = True
    hears_silence = True
    needs = frozenset({"text"})
    figures: ClassVar[Mapping[str, Figure]] = {
        "wer": Figure("word error rate", "lower", "%"),
        "exact": Figure("every word right", "higher", "%"),
    }

    model: Path | None = param(
        None, primary=True, metavar="FOLDER",
        help="a model for faster-whisper; default: VALL_E_WHISPER, else the one from `vall-e eval whisper-weights`",
    )  # fmt: skip

    join: bool = param(True, help="join clips of one voice into windows of 26 s, with a second of silence between them")

    def build(self, ctx: BuildContext) -> JudgeModel:
        from .whisper import WhisperJudge

        return WhisperJudge(self.model, joins=self.join)


class Dnsmos(Judge):
    """How good does it sound, to a network trained on listeners' ratings? DNSMOS, the three scales of P.835: 1 to 5."""

    name = "dnsmos"
    default = True
    figures: ClassVar[Mapping[str, Figure]] = {
        "ovrl": Figure("overall quality (DNSMOS)", "higher"),
        "sig": Figure("quality of the speech (DNSMOS)", "higher"),
        "bak": Figure("quality of the background (DNSMOS)", "higher"),
        "loss": Figure("loss of overall quality (DNSMOS)", "lower"),
    }

    def build(self, ctx: BuildContext) -> JudgeModel:
        from .quality import DnsmosJudge

        return DnsmosJudge()


class Speaker(Judge):
    """Whose voice is it? Cosines of resemblyzer's speaker embeddings."""

    name = "speaker"
    default = True
    cosine = True
    figures: ClassVar[Mapping[str, Figure]] = {"own": Figure("similarity to its own reference", "higher")}

    def build(self, ctx: BuildContext) -> JudgeModel:
        from .speaker import SpeakerJudge

        return SpeakerJudge()


@hookimpl
def vall_e_kinds() -> Iterable[type[Component]]:
    """The kind `judge`."""
    return [Judge]


@hookimpl
def vall_e_judges() -> Iterable[type[Judge]]:
    """The judges."""
    return [Sentences, Alignment, Mfcc, Pitch, Signal, Distance, Stoi, Pesq, Whisper, Dnsmos, Speaker]


@hookimpl
def vall_e_commands() -> Iterable[LazyCommand]:
    """The command `eval`."""
    return [LazyCommand("eval", "measure how well a model speaks and transcribes", "vall_e_eval.tasks:evaluate")]
