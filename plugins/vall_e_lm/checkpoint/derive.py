"""A model's configuration from what its file says and the shapes of its tensors."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from vall_e_core import CheckpointError, UsageError, suggestion

from ..model.config import ModelConfig
from .container import TensorInfo

T = TypeVar("T")

PRESETS: dict[str, tuple[int, int, int]] = {
    "full": (1024, 16, 12),
    "double": (1024, 16, 24),
    "extended": (1024, 16, 16),
    "half": (512, 8, 12),
    "quarter": (256, 4, 12),
}
"""Named sizes: width, heads, layers."""
LIMITS: dict[str, int] = {
    "version": 7,
    "dim": 1 << 16,
    "heads": 1 << 10,
    "layers": 1 << 10,
    "audio_tokens": 1 << 20,
    "text_tokens": 1 << 22,
    "phoneme_tokens": 1 << 20,
    "resp_levels": 64,
    "tasks": 1 << 12,
    "langs": 1 << 12,
    "tones": 1 << 12,
    "causal_size": 1 << 10,
}
"""The largest value that is believed, of a file and of a configuration."""
SWITCHES = ("layout", "sum_mode", "stt_mode", "noncausal_masks", "lang_mode")
CHOICES: dict[str, tuple[object, ...]] = {
    "layout": ("era", "later"),
    "sum_mode": ("exclusive", "inclusive"),
    "stt_mode": ("cumulative", "plain"),
    "sums": (True, False, "prom", "resp"),
}

Shapes = Mapping[str, TensorInfo]


def vote(values: Iterable[T | None], default: T) -> T:
    """The most frequent value (the first among equals), so that one damaged tensor doesn't decide."""
    counts = Counter(v for v in values if v is not None)
    return counts.most_common(1)[0][0] if counts else default


def rows(shapes: Shapes, name: str) -> int | None:
    """First dimension of a tensor, or None."""
    info = shapes.get(name)
    return info.shape[0] if info is not None and info.shape else None


def count(shapes: Shapes, pattern: str) -> int:
    """One more than the highest number that stands in the names that `pattern` matches."""
    found = [int(m[1]) for name in shapes if (m := re.match(pattern, name))]
    return max(found) + 1 if found else 0


def limited(name: str, value: object, minimum: int = 1) -> int:
    """A configured number within its limits, or CheckpointError."""
    if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= LIMITS[name]:
        raise CheckpointError(
            f"the model's configuration says {name}: {value}",
            cause=f"expected a whole number from {minimum} to {LIMITS[name]}",
        )
    return value


def derive(stored: Mapping[str, Any], shapes: Shapes, overrides: Mapping[str, object] | None = None) -> ModelConfig:
    """The configuration of a model file. Widths come from its tensors, heads and switches from what is stored.

    Args:
        stored: the `config` object (upstream's keys; unknown ones are ignored).
        shapes: the file's tensors.
        overrides: fields of ModelConfig that the user imposes.
    """
    forced = check_overrides(overrides or {})
    if not shapes:
        raise CheckpointError("the model file holds no tensors")
    if (arch := stored.get("arch_type", "llama")) not in ("llama", None):
        raise CheckpointError(f"the model's backbone is {arch}", cause="only llama is supported")
    if stored.get("experts", 1) not in (0, 1, None):
        raise CheckpointError(f"the model has {stored['experts']} experts", cause="only one is supported")
    seven = any(name.startswith(("proms_emb.embs.", "audio_emb.embs.", "audio_decoder.")) for name in shapes)
    version = limited("version", forced.get("version", stored.get("version", 7 if seven else 5)))
    if version < 5:
        raise CheckpointError(f"the model is of version {version}", cause="versions 5, 6 and 7 are supported")
    if version >= 7:
        from .derive7 import derive7

        return ModelConfig(**(derive7(stored, shapes, forced) | forced))
    return _derive5(version, stored, shapes, forced)


def _derive5(version: int, stored: Mapping[str, Any], shapes: Shapes, forced: dict[str, Any]) -> ModelConfig:
    found = common(stored, shapes, forced, levels_pattern=r"proms_emb\.embeddings\.(\d+)\.weight$")
    experimental = experimental_of(stored)
    size = stored["size"] if isinstance(stored.get("size"), Mapping) else {}
    capabilities = forced.get("capabilities", found["capabilities"])
    response0 = rows(shapes, "resps_emb.embeddings.0.weight")
    audio = vote([rows(shapes, n) for n in sorted(shapes) if re.match(r"proms_emb\.embeddings\.\d+\.weight$", n)], 0)
    levels_found = count(shapes, r"proms_emb\.embeddings\.(\d+)\.weight$")
    heads_found = count(shapes, r"classifiers\.proj\.(\d+)\.(?:weight|bias)$")
    without_stop = [n == audio for n in (response0, rows(shapes, "classifiers.proj.0.weight")) if n is not None]
    shifted = "len" in capabilities and bool(without_stop) and all(without_stop)
    level_rows = rows(shapes, "rvq_l_emb.weight")
    stated = stored.get("resp_levels", size.get("resp_levels"))
    stated = None if stated is None else limited("resp_levels", stated)
    levels = vote([levels_found, level_rows if level_rows is None else level_rows - shifted, stated], 8)
    evidence = [
        f"resps_emb.embeddings.{levels}.weight" in shapes,
        heads_found >= levels + 2,
        "len_emb.weight" in shapes,
    ]
    later = not shifted and sum(evidence) >= 2
    layout = forced.get("layout") or experimental.get("layout") or ("later" if later else "era")
    split = forced.get("split_classifiers", experimental.get("split_classifiers", False))
    has_heads = "classifier.weight" in shapes or bool(heads_found)
    if has_heads:
        split = bool(heads_found)
    if layout == "later" and not split:
        raise CheckpointError(
            "the model has one head for everything, in the later layout",
            cause="published code can't decode with such a model",
        )
    extra_heads = heads_found - levels - (layout == "later") - ("len" in capabilities)
    biases = any(re.match(r"classifiers?\.(proj\.\d+\.)?bias$", n) for n in shapes)
    text = 0
    if layout == "later":
        full = levels + 2 + ("len" in capabilities) + 1
        heads_text = rows(shapes, f"classifiers.proj.{full - 1}.weight") if version >= 6 else None
        text = vote([rows(shapes, "raw_text_emb.weight"), heads_text], 0)
    phoneme_sources = [
        rows(shapes, "text_emb.weight"),
        rows(shapes, f"classifiers.proj.{levels + (layout == 'later')}.weight") if extra_heads >= 1 else None,
        size.get("phoneme_tokens"),
    ]
    sums = normal_sums(forced.get("sums", experimental.get("audio_embedding_sums", False)))
    response_sums = sums is True or sums == "resp"
    derived: dict[str, Any] = found | {
        "version": version,
        "levels": limited("resp_levels", levels),
        "audio_tokens": limited("audio_tokens", audio),
        "phoneme_tokens": limited("phoneme_tokens", vote(phoneme_sources, 256)),
        "text_tokens": limited("text_tokens", text, minimum=0),
        "layout": layout,
        "sums": sums,
        "split_classifiers": split,
        "classifiers_bias": biases or (bool(experimental.get("classifiers_bias", True)) and not has_heads),
        "stt_head": extra_heads >= 1 if split else True,
        "causal_size": limited("causal_size", experimental.get("causal_size", 1)),
        "layerskip": bool(experimental.get("layerskip", False)),
        "nar_levels": nar_levels(experimental),
        "sum_mode": experimental.get("sum_mode", "inclusive" if layout == "later" else "exclusive"),
        "whole_prompt": bool(experimental.get("whole_prompt", False)),
        "stt_mode": experimental.get("stt_mode", "cumulative" if layout == "era" and response_sums else "plain"),
        "noncausal_masks": bool(experimental.get("noncausal_masks", False)),
        "lang_mode": bool(experimental.get("lang_mode", layout == "later" or "lang" in capabilities)),
    }
    check_choices(derived)
    return ModelConfig(**(derived | forced))


def common(
    stored: Mapping[str, Any], shapes: Shapes, forced: Mapping[str, Any], *, levels_pattern: str
) -> dict[str, Any]:
    """The fields that every version derives in the same way: sizes of the backbone, small tables, plain switches."""
    experimental = experimental_of(stored)
    tables = [n for n in sorted(shapes) if re.match(levels_pattern, n)]
    names = ["sep", "text_emb.weight", "phn_emb.weight", "langs_emb.weight", "tasks_emb.weight", *tables]
    width = vote([shapes[n].shape[-1] for n in names if n in shapes and shapes[n].shape], 0)
    if width == 0:
        raise CheckpointError("the model file holds no VALL-E model", cause="tensor sep [width] is missing")
    heads, layers = backbone_size(stored.get("size", "full"), limited("dim", width), forced.get("heads"))
    found_layers = count(shapes, r"model\.layers\.(\d+)\.")
    languages = rows(shapes, "langs_emb.weight")
    capabilities = stored.get("capabilities", ("ar", "nar"))
    if isinstance(capabilities, str) or not isinstance(capabilities, Iterable):
        raise CheckpointError(f"the model's configuration says capabilities: {capabilities!r}", cause="expected a list")
    return {
        "name": str(stored.get("name", "ar+nar")),
        "width": width,
        "heads": heads,
        "layers": limited("layers", max(found_layers, layers or 0)),
        "langs": limited("langs", languages if languages is not None else stored.get("langs", 1)),
        "tasks": limited("tasks", rows(shapes, "tasks_emb.weight") or stored.get("tasks", 8)),
        "tones": limited("tones", rows(shapes, "tones_emb.weight") or stored.get("tones", 1)),
        "capabilities": frozenset(map(str, capabilities)),
        "unified_position_ids": bool(experimental.get("unified_position_ids", True)),
    }


def backbone_size(size: object, width: int, forced: int | None = None) -> tuple[int, int | None]:
    """Attention heads, and layers where they are stated, of a model whose width is `width`.

    A stated size counts only if its width is the tensors': the era code ignores sizes given as a mapping. Otherwise
    heads are 64 wide, as in every named size. `forced` heads go before either.
    """
    heads: int | None = None
    layers: int | None = None
    if isinstance(size, Mapping):
        for key in ("dim", "heads", "layers", "audio_tokens", "text_tokens", "phoneme_tokens", "resp_levels"):
            if size.get(key) is not None:
                limited(key, size[key], minimum=0 if key == "text_tokens" else 1)
        if size.get("dim", width) == width:
            heads, layers = size.get("heads"), size.get("layers")
    elif isinstance(size, str) and size in PRESETS:
        if PRESETS[size][0] == width:
            _, heads, layers = PRESETS[size]
    elif isinstance(size, (int, float)) and not isinstance(size, bool):
        if not math.isfinite(size) or not 0 < size <= 64:
            raise CheckpointError(f"the model's configuration says size: {size}", cause="expected a factor up to 64")
        if math.floor(1024 * size) == width:
            heads, layers = math.floor(16 * size), 12
    if forced is not None:
        heads = limited("heads", forced)
    elif heads is None:
        heads = width // 64 if width % 64 == 0 else 0
    if heads < 1 or width % heads or (width // heads) % 2:
        raise CheckpointError(
            f"the number of attention heads can't be known: {heads or 'none'} stated for a width of {width}",
            cause="tensors don't show it, and the configuration doesn't fit them",
            try_="--set heads=N",
        )
    return heads, layers


def experimental_of(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """The `experimental` object; empty where there is none."""
    found = stored.get("experimental")
    return found if isinstance(found, Mapping) else {}


def nar_levels(experimental: Mapping[str, Any]) -> int | None:
    """The level count that `rvq_level_range` sets for NAR: its last value."""
    found = experimental.get("rvq_level_range")
    if not isinstance(found, (list, tuple)) or not found:
        return None
    return limited("resp_levels", found[-1], minimum=0) or None


def normal_sums(value: object) -> object:
    """`audio_embedding_sums` in one spelling: True, False, `prom` or `resp`."""
    if value is None or value in (0, 1):
        return bool(value)
    if not isinstance(value, str):
        return value
    names = {"true": True, "false": False, "both": True, "proms": "prom", "resps": "resp"}
    return names.get(value.strip().lower(), value)


def check_choices(values: Mapping[str, Any]) -> None:
    """Every switch that is stored has a value that exists."""
    for key, known in CHOICES.items():
        if key in values and values[key] not in known:
            raise CheckpointError(
                f"the model's configuration says {key}: {values[key]!r}",
                cause=f"expected one of {', '.join(map(str, known))}",
            )


def check_overrides(overrides: Mapping[str, object]) -> dict[str, Any]:
    """Overrides by field name, values in the field's type. Raises UsageError."""
    names = {f.name: f for f in fields(ModelConfig)}
    checked: dict[str, Any] = {}
    for given, value in overrides.items():
        key = {"causal_mode": "noncausal_masks", "audio_embedding_sums": "sums"}.get(given, given)
        if key not in names:
            raise UsageError(f"a model has no option {given!r}", try_=suggestion(given, names))
        if key == "sums":
            value = normal_sums(value)
        default = names[key].default
        if isinstance(value, str) and isinstance(default, bool) and key != "sums":
            folded = value.strip().lower()
            if folded not in ("true", "false", "yes", "no", "on", "off", "1", "0"):
                raise UsageError(f"the model option {given} is yes or no, not {value!r}")
            value = folded in ("true", "yes", "on", "1")
        if isinstance(value, str) and isinstance(default, int) and not isinstance(default, bool):
            if not value.strip().isdigit():
                raise UsageError(f"the model option {given} is a whole number, not {value!r}")
            value = int(value)
        if key == "capabilities":
            value = frozenset(value.split(",") if isinstance(value, str) else value)  # type: ignore[call-overload]
        if key in CHOICES and value not in CHOICES[key]:
            known = ", ".join(map(str, CHOICES[key]))
            raise UsageError(f"the model option {given} can't be {value!r}", try_=f"one of {known}")
        checked[key] = value
    return checked
