"""Components: a frozen dataclass whose fields are its parameters.

    @dataclass(frozen=True)
    class TopK(Sampler):
        \"\"\"Keep the k most probable tokens.\"\"\"

        name = "top-k"
        order = 70
        k: int = param(40, primary=True, min=0, neutral=0, help="how many tokens to keep; 0 keeps all",
                       flags=(Flag("--top-k"),))

        def build(self, ctx: BuildContext) -> Transform:
            from .top_k import TopKTransform

            return TopKTransform(self.k)

From this one declaration come the flags, the help, the keys of a YAML file, the messages, the JSON schema and the
documentation. A component is validated whenever it is made, by `from_mapping`, by `from_spec` or directly.
Importing this module, or one that declares components, imports nothing heavy: `build` does that.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from .errors import ComponentError, suggestion
from .parameters import MISSING, Flag, Param, param

if TYPE_CHECKING:
    from typing_extensions import Self

    from .protocols import CodecModel, PhonemizerModel, ScorerModel
    from .session import Session
    from .synthesis.engine import VallE

__all__ = [
    "KINDS", "MISSING", "BuildContext", "Codec", "Component", "Engine", "Flag", "LazyCommand", "ModelSource", "Param",
    "Phonemizer", "Sampler", "Scorer", "Task", "Voice", "param",
]  # fmt: skip


def _silent(line: str) -> None:
    """The default of `BuildContext.notify`: nobody listens."""


@dataclass(frozen=True)
class BuildContext:
    """What `build` may need to know. Everything but the device is optional."""

    device: str = "cpu"
    dtype: str = "float32"
    offline: bool = True
    cache_dir: Path | None = None
    threads: int | None = None
    vocab_size: int | None = None
    stop_token: int | None = None
    frame_rate: float | None = None
    stage: str = "ar"
    notify: Callable[[str], None] = _silent
    """Takes one-line notices to the user."""
    component: Callable[[str, str], type[Component]] | None = None
    """Finds a component by kind and name; without it, `find` looks among the installed ones."""

    engine: VallE | None = None
    """The loaded model, for a scorer: it may listen to a take."""

    def find(self, kind: str, name: str) -> type[Component]:
        """Another component, for one that builds on it (a decoder on an encoder). Raises UsageError."""
        if self.component is not None:
            return self.component(kind, name)
        from .registry import Registry

        return Registry.load().get(kind, name)


@dataclass(frozen=True)
class Component:
    """Base of everything a plugin brings. Subclass one of the kinds below, not this."""

    kind: ClassVar[str] = ""
    name: ClassVar[str] = ""

    def __post_init__(self) -> None:
        """Check every field. Raises ComponentError."""
        for parameter in self.params():
            try:
                value = parameter.check(getattr(self, parameter.name))
            except ValueError as error:
                raise ComponentError(f"{self.name}: {parameter.key}: {error}") from error
            object.__setattr__(self, parameter.name, value)
        try:
            self.check()
        except ValueError as error:
            raise ComponentError(f"{self.name}: {error}") from error

    def check(self) -> None:
        """Override for rules between parameters: raise ValueError with a sentence about what is wrong."""

    @classmethod
    def params(cls) -> tuple[Param, ...]:
        """The parameters in the order of declaration. Raises TypeError where a declaration is malformed."""
        cached = cls.__dict__.get("_params")
        if cached is None:
            fields = dataclasses.fields(cls)
            hints = typing.get_type_hints(cls) if fields else {}
            cached = tuple(Param.of(field, hints[field.name]) for field in fields)
            type.__setattr__(cls, "_params", cached)
        return typing.cast("tuple[Param, ...]", cached)

    @classmethod
    def param(cls, key: str) -> Param | None:
        """The parameter of that name, in either spelling (`allowed-length`, `allowed_length`)."""
        name = key.replace("-", "_")
        return next((parameter for parameter in cls.params() if parameter.name == name), None)

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> Self:
        """An instance from keys and values, as YAML or JSON holds them. Raises ComponentError."""
        known: dict[str, object] = {}
        for key, value in values.items():
            parameter = cls.param(str(key))
            if parameter is None:
                hint = suggestion(str(key), [each.key for each in cls.params()])
                raise ComponentError(
                    f"{cls.name} has no parameter {str(key)!r}", try_=hint or f"{cls.name} takes no parameters"
                )
            if parameter.name in known:
                raise ComponentError(f"{cls.name}: {parameter.key} is given twice")
            known[parameter.name] = value
        missing = [each.key for each in cls.params() if each.required and each.name not in known]
        if missing:
            raise ComponentError(f"{cls.name} needs {', '.join(missing)}")
        return cls(**known)

    @classmethod
    def from_spec(cls, text: str) -> Self:
        """From what follows the colon in `NAME:…`: `0.9`, `p=0.9`, or `0.8,base=2`. Raises ComponentError."""
        values: dict[str, object] = {}
        for position, part in enumerate(text.split(",") if text.strip() else []):
            key, equals, value = part.partition("=")
            if not equals:
                primary = next((each for each in cls.params() if each.primary), None)
                if primary is None or position > 0:
                    raise ComponentError(
                        f"{cls.name}: expected key=value, found {part.strip()!r}",
                        try_=f"one of: {', '.join(each.key for each in cls.params())}" if cls.params() else None,
                    )
                key, value = primary.key, part
            key = key.strip()
            if key in values:
                raise ComponentError(f"{cls.name}: {key} is given twice")
            values[key] = value.strip()
        return cls.from_mapping(values)

    def to_mapping(self) -> dict[str, object]:
        """What `from_mapping` makes an equal instance from; only types that YAML and JSON hold."""
        return {each.key: each.plain(getattr(self, each.name)) for each in self.params()}

    def to_spec(self) -> str:
        """`NAME:k=v,…`: what `--sampler` takes for an equal instance; values that equal their defaults are left out."""
        given = [
            f"{each.key}={each.type.format(getattr(self, each.name))}"
            for each in self.params()
            if each.required or getattr(self, each.name) != each.default
        ]
        return f"{self.name}:{','.join(given)}" if given else self.name

    @classmethod
    def json_schema(cls) -> dict[str, object]:
        """JSON Schema (draft 2020-12) of the mapping that `from_mapping` takes."""
        schema: dict[str, object] = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": cls.name,
            "description": cls.summary(),
            "type": "object",
            "properties": {each.key: each.json_schema() for each in cls.params()},
            "additionalProperties": False,
        }
        required = [each.key for each in cls.params() if each.required]
        return {**schema, "required": required} if required else schema

    @classmethod
    def summary(cls) -> str:
        """The first paragraph of the class's docstring, on one line."""
        text = cls.__dict__.get("__doc__") or ""
        if text.startswith(f"{cls.__name__}("):  # what dataclass writes when there is no docstring
            return ""
        return " ".join(text.strip().split("\n\n")[0].split())

    def build(self, ctx: BuildContext) -> Any:  # noqa: ANN401 - each kind narrows it
        """The object that does the work. The only place where heavy imports belong."""
        raise NotImplementedError(f"{type(self).__name__}.build")


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
    nothing else), `deterministic` (a selector that takes the most probable token)."""
    waits: ClassVar[bool] = False
    """Whether it may wait for the device, as code that wasn't written for vall-e does; no such step can be captured."""
    examples: ClassVar[Sequence[Mapping[str, object]]] = ()
    """Parameters that the contract suite tries beside the defaults; needed where a parameter has no default."""
    conflicts: ClassVar[Mapping[str, str]] = {}
    """Samplers that it can't work beside, by name, and the reason."""
    harmed_by_filters: ClassVar[str] = ""
    """Why filters before it do harm, where they do: the plan then warns of each."""
    stage_reasons: ClassVar[Mapping[str, str]] = {}
    """Why it can't work in a stage that `stages` leaves out."""

    def is_neutral(self) -> bool:
        """Whether it would change nothing: every parameter that declares a neutral value has it."""
        declared = [each for each in self.params() if each.neutral is not MISSING]
        return bool(declared) and all(getattr(self, each.name) == each.neutral for each in declared)

    def takes_maximum(self) -> bool:
        """Whether this instance leaves nothing but the most probable token, as temperature 0 does."""
        return False

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

    if TYPE_CHECKING:

        def build(self, ctx: BuildContext) -> PhonemizerModel: ...


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


class Engine(Component):
    """Executes a step: eager, captured, exported (reserved)."""

    kind = "engine"


@dataclass(frozen=True)
class LazyCommand:
    """A click command that is imported when it is used: `target` is `module:attribute`."""

    name: str
    help: str
    target: str


KINDS: dict[str, type[Component]] = {
    kind.kind: kind for kind in (Sampler, Codec, Phonemizer, Task, ModelSource, Voice, Scorer, Engine)
}
"""Every kind by its name, in the order they are shown."""
