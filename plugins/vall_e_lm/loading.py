"""Finding the model and the components that a run names, before any weight is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from vall_e_core import Codec, Component, ModelError, ModelSource, Phonemizer, Scorer, UsageError

from .device import check_device_name
from .options import ModelOptions, parse_overrides

if TYPE_CHECKING:
    from vall_e_core import BuildContext, CodecModel, Registry

    from .checkpoint import Loaded

DEFAULT_PHONEMIZER = "espeak"
_SUFFIXES = (".sft", ".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".yaml", ".yml")


@dataclass(frozen=True)
class ModelPlace:
    """Where the model is. Exactly one of `path` and `yaml` is set; `source` is its registered name, if it has one."""

    path: Path | None
    yaml: Path | None
    source: str | None = None

    @property
    def label(self) -> str:
        """A short name for records and messages."""
        if self.source is not None:
            return self.source
        found = self.yaml if self.path is None else self.path
        return "" if found is None else found.stem


def find_model(registry: Registry, options: ModelOptions, cache_dir: Path | None = None) -> ModelPlace:
    """The file that `--yaml`, `--model` or neither means. Reads nothing.

    Raises UsageError for flags that contradict each other and ModelError where the file isn't there.
    """
    check_device_name(options.device)
    parse_overrides(options.set)
    for path in options.lora:
        _require_file(path, "LoRA file")
    if options.tokenizer is not None:
        _require_file(options.tokenizer, "tokenizer file")
    if options.yaml is not None:
        if options.yaml.suffix.lower() not in (".yaml", ".yml"):
            raise UsageError(f"--yaml takes a .yaml file, not {options.yaml}", try_=f"--model {options.yaml}")
        return ModelPlace(None, _require_file(options.yaml, "YAML file"))
    if options.model is not None:
        path = Path(options.model).expanduser()
        if path.exists() or path.suffix.lower() in _SUFFIXES or len(path.parts) > 1:
            return ModelPlace(_require_file(path, "model file"), None)
        source = _source(registry, options.model)
        return _from_source(source, cache_dir)
    for source in registry.all(ModelSource).values():
        if source.default:
            return _from_source(source, cache_dir)
    raise ModelError("no model is installed", try_="--model FILE, or `vall-e models list`")


def advised_seconds(advice: Mapping[str, object], key: str, usual: float) -> float:
    """A duration among a checkpoint's advice, in either spelling of its key; `usual` where there is none."""
    value = advice.get(key, advice.get(key.replace("-", "_")))
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number and value > 0 else usual  # type: ignore[arg-type, operator]


def learnt_languages(registry: Registry, loaded: Loaded, place: ModelPlace) -> frozenset[str]:
    """The languages that a model was trained on, as its file or whoever brings it says; empty where neither does."""
    named = loaded.metadata.get("languages")
    if isinstance(named, (list, tuple)) and all(isinstance(each, str) for each in named):
        return frozenset(named)
    source = registry.all(ModelSource).get(place.source or "")
    return frozenset() if source is None else source.languages


def require_task(
    registry: Registry, place: ModelPlace, task: str, *, loaded: Loaded | None = None, allow_pickle: bool = False
) -> None:
    """Check that a model was trained for a task, as far as that can be known.

    Args:
        registry: Whose models say what they were trained for.
        place: Where the model is.
        task: `tts`, for which nothing is read, or another.
        loaded: The model, if it has been read. Else the header of its file tells.
        allow_pickle: For that header.

    Raises:
        UsageError: If its source or its file says that it wasn't trained for the task, or if its table of
            tasks has no row for it.
        CheckpointError: If the file can't be read.
    """
    source = _source_of(registry, place, task)
    if source is not None and source.tasks and task not in source.tasks:
        raise _not_learnt(source.name, task, f"it was trained for {', '.join(sorted(source.tasks))}")
    if task == "tts":
        return
    from .model import TASK_IDS

    rows: int | None
    if loaded is not None:
        rows, metadata = loaded.config.tasks, loaded.metadata
    elif place.path is not None:
        from .checkpoint import task_rows

        rows, metadata = task_rows(place.path, allow_pickle=allow_pickle)
    else:
        return  # a YAML file names the weights: they are looked at once they are read
    listed = metadata.get("tasks")
    if isinstance(listed, (list, tuple)) and listed and task not in listed:
        raise _not_learnt(place.label, task, f"its file lists {', '.join(map(str, listed))}")
    if rows is not None and TASK_IDS.get(task, 0) >= rows:
        raise _not_learnt(place.label, task, f"its table has {rows} tasks, and {task} is number {TASK_IDS[task] + 1}")


def _not_learnt(name: str, task: str, cause: str) -> UsageError:
    return UsageError(
        f"the model {name} wasn't trained for the task {task}", cause=cause,
        try_="--model with another one, or leave --task out",
    )  # fmt: skip


def _source_of(registry: Registry, place: ModelPlace, task: str) -> type[ModelSource] | None:
    """Whoever brings a model, by its name; for a task that not every model learns by its file too."""
    known = registry.all(ModelSource)
    if place.source is not None or place.path is None or task == "tts":
        return known.get(place.source or "")
    for source in known.values():
        path = source().path(None) if source.tasks else None
        if path is not None and path.is_file() and path.samefile(place.path):
            return source
    return None


def listens(registry: Registry, loaded: Loaded, place: ModelPlace) -> bool:
    """Whether a model judges its own takes by listening unless told otherwise, as its file or its source says."""
    if "stt" not in loaded.config.capabilities:
        return False
    said = loaded.metadata.get("listens")
    if isinstance(said, bool):
        return said
    source = registry.all(ModelSource).get(place.source or "")
    return source is not None and source.listens


def neutral_voice(registry: Registry, place: ModelPlace) -> str | None:
    """The name of a packaged voice that a model speaks clearly with; None where none is known."""
    source = registry.all(ModelSource).get(place.source or "")
    return None if source is None else source.neutral_voice


def find_codec(registry: Registry, spec: str) -> Codec:
    """`NAME[:k=v,…]` as a configured codec. Raises UsageError."""
    return cast(Codec, _find(registry, Codec.kind, spec))


def find_phonemizer(registry: Registry, spec: str | None) -> Phonemizer:
    """The same for a phonemizer; the usual one for None. Raises UsageError."""
    return cast(Phonemizer, _find(registry, Phonemizer.kind, DEFAULT_PHONEMIZER if spec is None else spec))


def find_scorers(registry: Registry, specs: Sequence[str]) -> list[Scorer]:
    """Scorers in order, each with its weight. Raises UsageError for an unknown one, or one given twice."""
    found = [cast(Scorer, _find(registry, Scorer.kind, spec)) for spec in specs]
    names = [each.name for each in found]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"the scorer {name} is given twice", try_=f"--scorer {name}:WEIGHT, once")
    return found


def _find(registry: Registry, kind: str, spec: str) -> Component:
    name, _, values = spec.partition(":")
    return registry.get(kind, name.strip()).from_spec(values)


def _source(registry: Registry, name: str) -> type[ModelSource]:
    known = registry.all(ModelSource)
    found = known.get(name, known.get(name.replace("+", "-")))  # published names have a plus: ar+nar-llama-8
    if found is None:
        from vall_e_core import suggestion

        raise ModelError(
            f"no such model: {name}",
            cause="it is neither a file nor a known model",
            try_=suggestion(name, known, "vall-e models list"),
        )
    return found


def _from_source(source: type[ModelSource], cache_dir: Path | None) -> ModelPlace:
    path = source().path(cache_dir)
    if path is None or not path.is_file():
        raise ModelError(
            f"the model {source.name} isn't on this machine",
            try_=f"vall-e models download {source.name}" if source.url is not None else "--model FILE",
        )
    return ModelPlace(path, None, source.name)


def _require_file(path: Path, what: str) -> Path:
    found = path.expanduser()
    if not found.exists():
        raise ModelError(f"no such {what}: {path}", try_="vall-e models list shows the known ones")
    if not found.is_file():
        raise ModelError(f"the {what} isn't a regular file: {path}")
    return found


def check_codec(codec: CodecModel, loaded: Loaded) -> None:
    """That the codec's codes are what the model was made for. Raises ModelError."""
    config = loaded.config
    if codec.codebook_size != config.audio_tokens or codec.levels < config.levels:
        raise ModelError(
            f"the codec {codec.name} doesn't fit the model",
            cause=f"the model takes {config.levels} levels of {config.audio_tokens} codes, "
            f"the codec has {codec.levels} of {codec.codebook_size}",
            try_=f"--codec {loaded.codec}",
        )


def build_codec(registry: Registry, spec: str, ctx: BuildContext, *, named: bool, loaded: Loaded) -> CodecModel:
    """The codec that `spec` names; `named` by the user, else by the model. Raises UsageError, ModelError."""
    try:
        component: Codec = find_codec(registry, spec)
    except UsageError as error:
        if named:
            raise
        raise ModelError(
            f"the model asks for a codec that isn't installed: {spec}",
            cause=f"so says {loaded.path.name}",
            try_="--codec NAME   (vall-e plugins list shows the codecs)",
        ) from error
    return component.build(ctx)
