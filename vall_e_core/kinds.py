"""The kinds of component that a plugin can bring.

Importing this module, or one that declares components, imports nothing heavy: `build` does that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, TypeVar

from .component import BuildContext, Component
from .parameters import MISSING, param

if TYPE_CHECKING:
    from typing_extensions import Self

    from .protocols import CodecModel, JudgeModel, NormalizerModel, PhonemizerModel, ScorerModel
    from .session import Session

Group = TypeVar("Group", bound=Component)


class Sampler(Component):
    """A member of the sampling chain; `build` returns a Transform, a Selector or a Search, by its role."""

    kind = "sampler"
    role: ClassVar[Literal["transform", "selector", "search"]] = "transform"
    stages: ClassVar[frozenset[str]] = frozenset({"ar", "nar", "stt", "len"})
    order: ClassVar[int] = 0
    """The canonical place when switched on by a plain flag: guidance 10, bans 20, repetition 30, dry 40, length 50,
    top-n-sigma 60, top-k 70, typical 80, top-p 90, min-p 100, xtc 110, temperature 120, selectors 200."""
    experimental: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()
    """What a step must carry beside the logits, such as `unconditional_logits`."""
    removes: ClassVar[bool] = True
    """Whether it may remove tokens (set their logit to -inf); the chain then gives the stop token back."""
    bans: ClassVar[bool] = False
    """Whether it may remove even the stop token, because that is what the user asks of it."""
    invariances: ClassVar[frozenset[str]] = frozenset()
    """What holds for it: `argmax` (the most probable token stays so), `shift` (a constant added to all logits changes
    nothing else), `deterministic` (a selector that takes the most probable token), `compact` (it sees nothing but the
    logits that are left, in the order of their ids: without the removed tokens it does the same with the others)."""
    waits: ClassVar[bool] = False
    """Whether it may wait for the device, as code that wasn't written for vall-e does; no such step can be captured."""
    examples: ClassVar[Sequence[Mapping[str, object]]] = ()
    """Parameters that the contract suite tries beside the defaults; needed where a parameter has no default."""
    conflicts: ClassVar[Mapping[str, str]] = {}
    """Samplers that it can't work beside, by name, and the reason."""
    beside: ClassVar[Mapping[str, str]] = {}
    """What is to be said where it works beside another sampler, by that one's name: the plan then notes it."""
    harmed_by_filters: ClassVar[str] = ""
    """Why filters before it do harm, where they do: the plan then warns of each."""
    stage_reasons: ClassVar[Mapping[str, str]] = {}
    """Why it can't work in a stage that `stages` leaves out."""

    def is_neutral(self) -> bool:
        """Whether it would change nothing: every parameter that declares a neutral value has it."""
        declared = [each for each in self.params() if each.neutral is not MISSING]
        return bool(declared) and all(getattr(self, each.name) == each.neutral for each in declared)

    @classmethod
    def filters(cls) -> bool:
        """Whether it takes tokens from what may be drawn, without having been told which."""
        return cls.role == "transform" and cls.removes and not cls.bans

    def takes_maximum(self) -> bool:
        """Whether this instance leaves nothing but the most probable token, as temperature 0 does."""
        return False

    def least_seconds(self) -> float:
        """How long it makes a result last at least; the bound that follows from the text is no tighter then."""
        return 0.0

    @classmethod
    def flag_stage(cls, stage: str) -> Literal["ar", "nar"]:
        """Whose flags (`Flag.stage`) set the parameters in a stage. Override where one flag serves both passes."""
        return "nar" if stage == "nar" else "ar"

    @classmethod
    def from_flags(cls, flags: Mapping[str, object], stage: str) -> Self | None:
        """The instance that the plain task flags which were given ask for, or None where they leave it off.

        `flags` has canonical names without dashes in front (`top-p`). A parameter that has a neutral value and whose
        flag isn't given takes the neutral one: an absent flag never switches anything on.
        """
        side = cls.flag_stage(stage)
        given: dict[str, object] = {}
        for each in cls.params():
            names = [flag.key for flag in each.flags if flag.stage == side]
            found = [name for name in names if name in flags]
            if found:
                given[each.name] = flags[found[0]]
        if not given:
            return None
        neutral = {each.name: each.neutral for each in cls.params() if each.neutral is not MISSING}
        made = cls.from_mapping({**neutral, **given})
        return None if made.is_neutral() else made


class Codec(Component):
    """A neural audio codec."""

    kind = "codec"

    if TYPE_CHECKING:

        def build(self, ctx: BuildContext) -> CodecModel: ...


class Phonemizer(Component):
    """Turns text into the phonemes a model was trained on."""

    kind = "phonemizer"
    reads: ClassVar[Literal["words", "phonemes"]] = "words"
    """What it is given: `phonemes` are never normalized."""

    if TYPE_CHECKING:

        def build(self, ctx: BuildContext) -> PhonemizerModel: ...


class Normalizer(Component):
    """Says what written words mean when they are read aloud: numbers, abbreviations, symbols.

    It replaces ranges of the words it is given and never sees anything else: IPA, pauses and stops are kept from it.
    """

    kind = "normalizer"
    languages: ClassVar[frozenset[str]] = frozenset()
    """The language codes it serves; `en` serves `en-us` and `en-gb` too."""

    @classmethod
    def serves(cls, language: str) -> bool:
        """Whether it is meant for text in a language such as `en` or `en-us`."""
        code = language.strip().lower().replace("_", "-")
        return code in cls.languages or code.partition("-")[0] in cls.languages

    if TYPE_CHECKING:

        def build(self, ctx: BuildContext) -> NormalizerModel: ...


class Task(Component):
    """A subcommand: its parameters are the command's options, `run` does the work."""

    kind = "task"
    sampler_stages: ClassVar[tuple[str, ...]] = ()
    """Whose plain sampler flags, `--sampler`, `--ar-sampler` and `--nar-sampler` the subcommand takes."""
    flag_defaults: ClassVar[Mapping[str, str]] = {}
    """What help says about plain sampler flags that aren't off when absent, such as `{"ar-temp": "0.95"}`."""

    def run(self, session: Session) -> None:
        """Do it. Raises VallEError."""
        raise NotImplementedError(f"{type(self).__name__}.run")

    def group(self, kind: type[Group]) -> Group:
        """The values of one of the task's groups of options (`SpeechOptions`, say, where it derives from it)."""
        return kind(**{each.name: getattr(self, each.name) for each in kind.params()})


class ModelSource(Component):
    """A known checkpoint: packaged, or to be downloaded."""

    kind = "model"
    title: ClassVar[str] = ""
    license: ClassVar[str] = ""
    size: ClassVar[int | None] = None
    """Bytes, where known."""
    url: ClassVar[str | None] = None
    sha256: ClassVar[str | None] = None
    """None where the publisher's hash isn't known."""
    default: ClassVar[bool] = False
    languages: ClassVar[frozenset[str]] = frozenset()
    """The language codes it learnt; empty where that isn't known. A checkpoint's own `languages` go first."""
    tasks: ClassVar[frozenset[str]] = frozenset()
    """What it learnt to do with a recording: `tts`, `ns`, `sr`; empty where that isn't known."""
    listens: ClassVar[bool] = False
    """Its transcription is good enough to judge its own takes by (`--listen auto`). A checkpoint's own `listens` goes
    first."""

    def path(self, cache_dir: Path | None) -> Path | None:
        """Where it lies on this machine, or None if it isn't there."""
        raise NotImplementedError(f"{type(self).__name__}.path")


class Voice(Component):
    """A packaged reference voice."""

    kind = "voice"
    transcript: ClassVar[str] = ""
    language: ClassVar[str] = "en"

    def audio_path(self) -> Path:
        """The recording."""
        raise NotImplementedError(f"{type(self).__name__}.audio_path")


@dataclass(frozen=True)
class Scorer(Component):
    """Judges a finished take. Of several candidates the one with the highest sum of weight × score is kept."""

    kind = "scorer"
    default: ClassVar[bool] = False
    """Whether it judges where no scorer is named. One whose `build` raises ModelError is then left out."""

    weight: float = param(1.0, primary=True, min=0.0, help="what its score is multiplied by")

    if TYPE_CHECKING:

        def build(self, ctx: BuildContext) -> ScorerModel: ...


@dataclass(frozen=True)
class Figure:
    """What a figure of an evaluation means: how it is shown, and which way is better."""

    title: str
    """What a table calls it."""
    better: Literal["higher", "lower", "neither"] = "higher"
    unit: str = ""
    """`%` for a share in 0..1, which is shown in per cent; else what the number is counted in."""


class Judge(Component):
    """Says how good a recording is, for `vall-e eval`: by its words, its voice, its signal."""

    kind = "judge"
    default: ClassVar[bool] = False
    """Whether it judges where no judge is named. One whose `build` raises ModelError is then left out, and said so."""
    needs: ClassVar[frozenset[str]] = frozenset()
    """What it must be given beside the recording: `text` (what it says), `reference` (the voice it is to have),
    `original` (the recording it was made from, aligned in time). It isn't asked where that isn't known."""
    figures: ClassVar[Mapping[str, Figure]] = {}
    """What its verdicts hold, by key."""
    joint: ClassVar[bool] = False
    """Whether several recordings at once cost it less: what it builds is then a `JointJudgeModel`."""
    hears_silence: ClassVar[bool] = False
    """Whether it also judges an item that made no sound, as an empty recording (all its words are missing)."""
    cosine: ClassVar[bool] = False
    """Whether the cosine of two of its voices means something as it is, as a speaker model's does. If not, all
    voices of a run are brought to mean 0 and deviation 1 before they are compared."""

    if TYPE_CHECKING:

        def build(self, ctx: BuildContext) -> JudgeModel: ...


class Engine(Component):
    """Runs a model's layers its own way. What the core does by itself is called `eager`, and is the reference.

    An engine whose `quantizations` hold `none` gives eager's results up to rounding: `--engine auto` may take it
    unasked, if it is `automatic`. The same seed, engine and device always give the same codes.
    """

    kind = "engine"
    devices: ClassVar[frozenset[str]] = frozenset({"cpu"})
    """Device types that it runs on."""
    dtypes: ClassVar[frozenset[str]] = frozenset({"float32"})
    """Number formats of the loaded weights that it takes."""
    quantizations: ClassVar[frozenset[str]] = frozenset({"none"})
    """What it makes of the weights: `none`, `int8`, `int4`."""
    automatic: ClassVar[bool] = True
    """Whether `auto` may take it; not before it has been measured."""
    order: ClassVar[int] = 0
    """Among those that suit, `auto` takes the one with the highest."""

    @classmethod
    def available(cls) -> bool:
        """Whether what it needs is installed, without importing it. Where it isn't, `build` says what is missing."""
        return True


@dataclass(frozen=True)
class LazyCommand:
    """A click command that is imported when it is used.

    `name` is a command's own (`voices`), or `GROUP NAME` for one in a group that is there already (`samplers plot`).
    `target` is `module:attribute` of a click command, or of a function that makes one from the state of the call.
    """

    name: str
    help: str
    target: str


KINDS: dict[str, type[Component]] = {
    kind.kind: kind
    for kind in (Sampler, Codec, Phonemizer, Normalizer, Task, ModelSource, Voice, Scorer, Judge, Engine)
}
"""Every kind by its name, in the order they are shown."""
