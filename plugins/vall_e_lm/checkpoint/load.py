"""`load_model`: from a path to a model that is ready to use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from vall_e_core import CheckpointError, DeviceError, UsageError
from vall_e_files import sha256_file

from ..model import BaseModel, Model, Model7, ModelConfig
from ..tokenizer import Tokenizer
from .container import PICKLES, SAFETENSORS, Container, read_safetensors
from .derive import derive
from .fit import UNUSED, check_fit, fill, plain_names
from .lora import apply_adapters, read_adapter

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16, "float64": torch.float64}
DEFAULT_CODEC = "encodec"


@dataclass(frozen=True)
class Loaded:
    """A model and what its file says about itself."""

    model: BaseModel
    """In eval mode, on its device."""
    config: ModelConfig
    path: Path
    tokenizer: Tokenizer | None = None
    """None where the file carries no vocabulary and none was given."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """`config`, `stats`, `userdata`, ... as they are stored."""
    codec: str = DEFAULT_CODEC
    """Name of the codec component that the model's codes belong to."""
    advice: Mapping[str, Any] = field(default_factory=dict)
    """Settings that the model's author recommends (our own optional metadata key)."""
    loras: tuple[Path, ...] = ()
    ignored: tuple[str, ...] = ()
    """Tensors of the file that the model has no use for."""

    @cached_property
    def sha256(self) -> str:
        """The file's hash; computed when it is first asked for."""
        return sha256_file(self.path)


def load_model(
    path: Path | str | None = None,
    *,
    yaml: Path | str | None = None,
    lora: Sequence[Path | str] = (),
    overrides: Mapping[str, object] | None = None,
    allow_pickle: bool = False,
    tokenizer: Path | str | None = None,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = "float32",
) -> Loaded:
    """Read a model.

    Args:
        path: `.sft`/`.safetensors`, or `.pth` with `allow_pickle`; with `yaml` it replaces the weights named there.
        yaml: upstream's configuration; its model entry goes before what the weights file says of itself.
        lora: adapters to merge.
        overrides: fields of ModelConfig that go before everything else.
        tokenizer: a vocabulary file, instead of the one in the weights file.

    Raises CheckpointError (exit code 4), naming the tensor where one is at fault; nothing large is allocated before
    all names, shapes and types are known to fit. UsageError for a bad override, DeviceError for a bad device.
    """
    from .yaml_file import read_yaml

    named = read_yaml(Path(yaml), weights=None if path is None else Path(path)) if yaml is not None else None
    if named is None and path is None:
        raise UsageError("no model is named", try_="--model PATH or --yaml PATH")
    source = named.weights if named is not None else Path(str(path))
    container = open_container(source, allow_pickle=allow_pickle)
    stored = merged(container.config, named.model if named is not None else {})
    names = plain_names(container.tensors)
    shapes = {plain: container.tensors[name] for plain, name in names.items()}
    config = derive(stored, shapes, overrides)
    model = empty_model(config)
    needed = {"len_emb.weight", "len_emb"} if config.len_mode else set()
    ignored = check_fit(container, names, model, optional=frozenset(UNUSED) - needed)
    vocabulary = Path(tokenizer) if tokenizer is not None else named.tokenizer if named is not None else None
    pieces = find_tokenizer(container, vocabulary, given=tokenizer is not None)
    if pieces is not None:
        check_vocabulary(pieces, config, source)
    adapters = [read_adapter(Path(p), model, allow_pickle=allow_pickle) for p in lora or (named.loras if named else ())]
    where, kind = resolve(device, dtype)
    try:
        fill(container, names, model, device=where, dtype=kind)
        apply_adapters(model, adapters)
    except torch.cuda.OutOfMemoryError as e:
        raise DeviceError(f"the model doesn't fit into the memory of {where}", cause=str(e).splitlines()[0]) from e
    advice = container.metadata.get("advice", stored.get("advice"))
    return Loaded(
        model=model.eval(),
        config=config,
        path=source,
        tokenizer=pieces,
        metadata=container.metadata,
        codec=codec_name(config, stored, container, named.audio_backend if named is not None else None),
        advice=advice if isinstance(advice, Mapping) else {},
        loras=tuple(a.path for a in adapters),
        ignored=tuple(ignored),
    )


def inspect_model(path: Path | str, *, allow_pickle: bool = False) -> tuple[ModelConfig, Container]:
    """A model file's configuration and header, checked, without reading its weights."""
    container = open_container(Path(path), allow_pickle=allow_pickle)
    names = plain_names(container.tensors)
    config = derive(container.config, {p: container.tensors[n] for p, n in names.items()})
    check_fit(container, names, empty_model(config), optional=frozenset(UNUSED))
    return config, container


def task_rows(path: Path, *, allow_pickle: bool = False) -> tuple[int | None, Mapping[str, Any]]:
    """How many tasks the table of a model file has (None without one), and what else the file says of itself.

    Reads its header alone. Raises CheckpointError.
    """
    container = open_container(path, allow_pickle=allow_pickle)
    name = plain_names(container.tensors).get("tasks_emb.weight")
    found = None if name is None else container.tensors[name].shape
    return (found[0] if found else None), container.metadata


def open_container(path: Path, *, allow_pickle: bool) -> Container:
    """Open a model file by its suffix."""
    suffix = path.suffix.lower()
    if suffix in SAFETENSORS:
        return read_safetensors(path)
    if suffix in PICKLES:
        from .pickled import read_pickle

        return read_pickle(path, allow_pickle=allow_pickle)
    known = ", ".join(sorted(SAFETENSORS | PICKLES))
    raise CheckpointError(f"not the suffix of a model file: {path}", cause=f"expected one of {known}")


def merged(stored: Mapping[str, Any], stated: Mapping[str, Any]) -> dict[str, Any]:
    """A stored configuration under one that is stated elsewhere; `experimental` is merged key by key."""
    both = dict(stored) | dict(stated)
    inner = [m["experimental"] for m in (stored, stated) if isinstance(m.get("experimental"), Mapping)]
    if inner:
        both["experimental"] = {k: v for m in inner for k, v in m.items()}
    return both


def empty_model(config: ModelConfig) -> BaseModel:
    """The model of a configuration, without storage."""
    if config.version >= 7:
        return Model7(config, seed=None)
    return Model(config, seed=None)


def resolve(device: str | torch.device, dtype: str | torch.dtype) -> tuple[torch.device, torch.dtype]:
    """A device and a type from their names. Raises DeviceError and UsageError."""
    try:
        where = torch.device(device)
        torch.zeros(1, device=where)
    except (RuntimeError, AssertionError) as e:
        raise DeviceError(f"the device {device} can't be used", cause=str(e).splitlines()[0]) from e
    kind = dtype if isinstance(dtype, torch.dtype) else DTYPES.get(dtype.removeprefix("torch."))
    if kind is None:
        raise UsageError(f"unknown type {dtype!r}", try_=f"one of {', '.join(DTYPES)}")
    return where, kind


def find_tokenizer(container: Container, path: Path | None, *, given: bool) -> Tokenizer | None:
    """The vocabulary that the user named, else the file's own, else the YAML's, else None."""
    if path is not None and given:
        return Tokenizer.from_file(path)
    if container.symmap is not None:
        return Tokenizer.from_symmap(container.symmap)
    return Tokenizer.from_file(path) if path is not None else None


def check_vocabulary(tokenizer: Tokenizer, config: ModelConfig, path: Path) -> None:
    """Every id has a row in the phoneme table. Raises CheckpointError."""
    if tokenizer.size > config.phoneme_tokens:
        piece = max(tokenizer.pieces, key=lambda p: tokenizer.pieces[p])
        table = "phn_emb.weight" if config.version >= 7 else "text_emb.weight"
        raise CheckpointError(
            f"{path}: tensor {table} is too small for the vocabulary",
            cause=f"expected at least {tokenizer.size} rows for the piece {piece!r}, found {config.phoneme_tokens}",
        )


def codec_name(config: ModelConfig, stored: Mapping[str, Any], container: Container, backend: str | None) -> str:
    """The codec that the codes belong to: as stated by the file or the YAML, else by the shapes of version 7."""
    for value in (container.metadata.get("audio_backend"), stored.get("audio_backend"), backend):
        if isinstance(value, str) and value:
            return value
    if config.levels == 9:
        return "dac"
    return "nemo" if config.audio_tokens == 1000 else DEFAULT_CODEC
