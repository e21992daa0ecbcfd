"""LoRA adapters: low-rank additions to a model's weights, merged when the model is loaded."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vall_e_core import CheckpointError

from ..model import BaseModel
from ..model.backbone import Backbone
from .container import FLOATS, PICKLES, Container, read_safetensors
from .fit import check_finite, shape

KEY = re.compile(r"(?P<name>.+?)\.(?:parametrizations\.weight\.\d+\.)?lora_(?P<side>[AB])$")
DEFAULT_ALPHA = 128.0


@dataclass(frozen=True)
class Adapter:
    """One adapter file: for each weight the product B A, scaled by alpha / rank."""

    path: Path
    deltas: Mapping[str, tuple[Tensor, Tensor]]
    """Weight name -> A [rank, in], B [out, rank]."""
    scale: float
    levels: frozenset[int]
    """The target levels that it acts on; empty: all."""

    def acts_on(self, level: int) -> bool:
        """Is it active for target `level`?"""
        return not self.levels or level in self.levels


def read_adapter(path: Path, model: nn.Module, *, allow_pickle: bool = False) -> Adapter:
    """Read and check an adapter against the model that it will change. Raises CheckpointError."""
    container: Container
    if path.suffix.lower() in PICKLES:
        from .pickled import read_pickle

        container = read_pickle(path, allow_pickle=allow_pickle)
    else:
        container = read_safetensors(path)
    config: Mapping[str, Any] = container.config
    if isinstance(config.get("lora"), Mapping):
        config = config["lora"]
    sides: dict[str, dict[str, str]] = {}
    for name in container.tensors:
        if (m := KEY.match(name)) is not None:
            weight = re.sub(r"^retnet\.", "model.", m["name"]) + ".weight"
            sides.setdefault(weight, {})[m["side"]] = name
    if not sides:
        raise CheckpointError(f"{path} holds no LoRA adapter", cause="expected tensors named ….lora_A and ….lora_B")
    parameters = dict(model.named_parameters())
    for weight, found in sides.items():
        _check_pair(container, weight, found, parameters)
    with container.open() as read:
        deltas = {}
        for weight, found in sides.items():
            values = {side: read(name) for side, name in found.items()}
            for side, name in found.items():
                check_finite(path, name, values[side])
            deltas[weight] = (values["A"].float(), values["B"].float())
    rank = next(iter(deltas.values()))[0].shape[0]
    alpha = config.get("alpha", DEFAULT_ALPHA if config else rank)
    stated = config.get("rank", rank)
    for key, value in (("alpha", alpha), ("rank", stated)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e6:
            raise CheckpointError(f"{path}: the LoRA's configuration says {key}: {value}", cause="expected a number")
    levels = config.get("rvq_levels") or ()
    if not isinstance(levels, (list, tuple)) or not all(isinstance(q, int) for q in levels):
        raise CheckpointError(f"{path}: the LoRA's configuration says rvq_levels: {levels}", cause="expected levels")
    return Adapter(path, deltas, float(alpha) / float(stated), frozenset(levels))


def apply_adapters(model: BaseModel, adapters: Sequence[Adapter]) -> None:
    """Merge adapters into a model, in place.

    Those that act on all levels change the model's own weights. Those that act on some give it further backbones, one
    for each different set of them, that share every other weight.
    """
    parameters = dict(model.named_parameters())
    for adapter in adapters:
        if not adapter.levels:
            for weight, pair in adapter.deltas.items():
                _add(parameters[weight], pair, adapter.scale)
    partial = [a for a in adapters if a.levels]
    made: dict[tuple[int, ...], Backbone] = {}
    for level in range(model.config.levels):
        chosen = tuple(i for i, a in enumerate(partial) if a.acts_on(level))
        if not chosen:
            continue
        if chosen not in made:
            made[chosen] = _variant(model, [partial[i] for i in chosen])
        model.set_backbone(level, made[chosen])


def _variant(model: BaseModel, adapters: Sequence[Adapter]) -> Backbone:
    """A second backbone that shares all parameters with the model's, but for the ones that the adapters change."""
    shared = {id(p): p for p in model.model.parameters()}
    variant = copy.deepcopy(model.model, memo=dict(shared))
    for adapter in adapters:
        for weight, pair in adapter.deltas.items():
            if not weight.startswith("model."):
                raise CheckpointError(
                    f"{adapter.path}: the adapter changes {weight} for some levels only",
                    cause="only the backbone's weights can differ by level",
                )
            owner_name, _, leaf = weight.removeprefix("model.").rpartition(".")
            owner = variant.get_submodule(owner_name)
            old = getattr(owner, leaf)
            if id(old) in shared:
                setattr(owner, leaf, nn.Parameter(old.detach().clone(), requires_grad=old.requires_grad))
            _add(getattr(owner, leaf), pair, adapter.scale)
    return variant


def _check_pair(container: Container, weight: str, found: Mapping[str, str], parameters: Mapping[str, Tensor]) -> None:
    path = container.path
    if weight not in parameters:
        raise CheckpointError(f"{path}: the adapter changes {weight}, which the model doesn't have")
    for side in "AB":
        if side not in found:
            name = weight.removesuffix(".weight") + f".lora_{side}"
            raise CheckpointError(f"{path}: tensor {name} is missing", cause="expected lora_A and lora_B in pairs")
        if (info := container.tensors[found[side]]).dtype not in FLOATS:
            raise CheckpointError(f"{path}: tensor {found[side]} has the wrong type", cause=f"found {info.dtype}")
    a, b = container.tensors[found["A"]].shape, container.tensors[found["B"]].shape
    target = tuple(parameters[weight].shape)
    fits = len(a) == len(b) == 2 and a[0] == b[1] and (b[0], a[1]) in (target, target[::-1])
    if not fits:
        expected = f"expected [rank, {target[-1]}] and [{target[0]}, rank]"
        raise CheckpointError(
            f"{path}: tensors {found['A']} and {found['B']} have the wrong shapes",
            cause=f"{expected}, found {shape(a)} and {shape(b)}",
        )


def _add(parameter: Tensor, pair: tuple[Tensor, Tensor], scale: float) -> None:
    """W += scale * B A, computed in float32 (transposed for tables that are stored the other way round)."""
    a, b = (side.to(parameter.device) for side in pair)
    delta = scale * (b @ a)
    if delta.shape != parameter.shape:
        delta = delta.T
    with torch.no_grad():
        parameter.copy_((parameter.float() + delta).to(parameter.dtype))
