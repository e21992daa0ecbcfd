"""`--yaml`: upstream's training configuration, which names a model and says where its weights are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vall_e_core import CheckpointError
from vall_e_core.run import load_plain

SUFFIXES = ("sft", "safetensors", "pth", "pt")
MAX_BYTES = 4_000_000


@dataclass(frozen=True)
class YamlModel:
    """What a YAML file says about the model to use."""

    path: Path
    model: Mapping[str, Any]
    """The chosen entry of `models`."""
    weights: Path
    loras: tuple[Path, ...]
    audio_backend: str | None
    tokenizer: Path | None


def read_yaml(path: Path, *, weights: Path | None = None) -> YamlModel:
    """Read a YAML file and find the weights it names (or take `weights`). Raises CheckpointError."""
    import yaml

    try:
        if path.stat().st_size > MAX_BYTES:
            raise CheckpointError(f"{path} is too large for a configuration")
        data = load_plain(path.read_text(encoding="utf-8"), yaml.SafeLoader)
    except OSError as e:
        raise CheckpointError(f"can't read {path}", cause=e.strerror) from e
    except (yaml.YAMLError, ValueError, RecursionError) as e:
        raise CheckpointError(f"not valid YAML: {path}", cause=" ".join(str(e).split())) from e
    if not isinstance(data, Mapping):
        raise CheckpointError(f"{path} is not a configuration", cause="expected groups with names")
    model = choose_model(path, data)
    found = weights if weights is not None else find_weights(path, data, model)
    adapters = tuple(
        resolved
        for entry in mappings(data.get("loras"))
        if isinstance(entry.get("path"), str) and (resolved := path.parent / entry["path"]).is_file()
    )
    backend = data.get("audio_backend")
    return YamlModel(path, model, found, adapters, str(backend) if backend else None, tokenizer_file(path, data))


def mappings(value: object) -> list[Mapping[str, Any]]:
    """The entries of a list that are mappings."""
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list) else []


def choose_model(path: Path, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first model marked `training`, else the first."""
    models = mappings(data.get("models"))
    if not models:
        raise CheckpointError(f"{path} names no model", cause="its group `models` is empty")
    return next((m for m in models if m.get("training")), models[0])


def full_names(data: Mapping[str, Any], model: Mapping[str, Any]) -> list[str]:
    """The folder names that a model may have: name, size unless full, backbone, codebook levels, joined by `-`."""
    size = model.get("size", "full")
    table = size if isinstance(size, Mapping) else {}
    label = table.get("label") if table else size
    labels = [] if label in ("full", "extended", None) else [str(label)]
    arch = str(model.get("arch_type", "llama"))
    experts = model.get("experts", 1)
    tail = [f"{experts}x{arch}" if isinstance(experts, int) and experts > 1 else arch]
    optimizations = data.get("optimizations")
    if isinstance(optimizations, Mapping) and optimizations.get("bitnet"):
        tail.append("bitnet")
    tail.append(str(model.get("resp_levels", table.get("resp_levels", 8))))
    name = str(model.get("name", "ar+nar"))
    return list(dict.fromkeys("-".join([name, *part, *tail]) for part in (labels, [str(label)] if label else [], [])))


def find_weights(path: Path, data: Mapping[str, Any], model: Mapping[str, Any]) -> Path:
    """`ckpt/<full name>/` beside the YAML: the state of the tag that `latest` names, else the exported weights."""
    looked: list[Path] = []
    stated = model.get("path")
    if isinstance(stated, str):
        looked.append(path.parent / stated)
    preferred = str(data.get("weights_format", "sft"))
    suffixes = list(dict.fromkeys([preferred, *SUFFIXES]))
    for name in full_names(data, model):
        folder = path.parent / "ckpt" / name
        latest = folder / "latest"
        if latest.is_file():
            tag = latest.read_text(encoding="utf-8", errors="replace").strip()
            if Path(tag).name == tag:
                looked += [folder / tag / f"state.{s}" for s in suffixes]
        looked += [folder / f"{data.get('weights_name', 'fp32')}.{s}" for s in suffixes]
    for candidate in looked:
        if candidate.is_file():
            return candidate
    folders = list(dict.fromkeys(str(p.parent) for p in looked))
    raise CheckpointError(f"{path} names a model whose weights aren't there", cause=f"looked in {', '.join(folders)}")


def tokenizer_file(path: Path, data: Mapping[str, Any]) -> Path | None:
    """The vocabulary that `tokenizer_path` names, in the YAML's folder or in ./data; None where there is none."""
    stated = data.get("tokenizer_path", "tokenizer.json")
    if not isinstance(stated, str):
        return None
    return next((p for p in (path.parent / stated, Path("data") / stated) if p.is_file()), None)
