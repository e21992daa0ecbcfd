"""LoRA adapters: the merged model is the one whose weights were changed by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from vall_e_core import CheckpointError
from vall_e_lm import BaseModel, Model, Target, load_model

from .conftest import Write
from .test_load import logits

AR, NAR1, NAR2 = Target("ar"), Target("nar", 1), Target("nar", 2)
Pairs = Mapping[str, tuple[Tensor, Tensor]]
LINEARS = ("model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj", "model.layers.1.self_attn.o_proj")


def write_adapter(path: Path, linears: Pairs, config: Mapping[str, Any] | None, *, parametrised: bool = False) -> Path:
    """An adapter file in either spelling."""
    from safetensors.torch import save_file

    middle = ".parametrizations.weight.0" if parametrised else ""
    tensors = {f"{k}{middle}.lora_{side}": v for k, pair in linears.items() for side, v in zip("AB", pair, strict=True)}
    metadata = {"config": json.dumps(config)} if config is not None else None
    save_file({k: v.contiguous() for k, v in tensors.items()}, str(path), metadata=metadata)
    return path


def pairs(model: Model, rank: int = 2, seed: int = 0) -> dict[str, tuple[Tensor, Tensor]]:
    """Random A [rank, in] and B [out, rank] for some layers."""
    stream = torch.Generator().manual_seed(seed)
    found = {}
    for name in LINEARS:
        out, into = model.get_parameter(f"{name}.weight").shape
        found[name] = torch.randn(rank, into, generator=stream), torch.randn(out, rank, generator=stream)
    return found


def changed(path: Path, linears: Pairs, scale: float) -> BaseModel:
    """The base model with W + scale * B A."""
    model = load_model(path).model
    with torch.no_grad():
        for name, (a, b) in linears.items():
            model.get_parameter(f"{name}.weight").add_(scale * (b @ a))
    return model


@pytest.mark.parametrize("parametrised", [True, False])
@pytest.mark.parametrize("config", [{"rank": 2, "alpha": 3}, {"rank": 2, "alpha": 3, "rvq_levels": [0, 1, 2]}])
def test_merged(write: Write, tmp_path: Path, parametrised: bool, config: dict[str, Any]) -> None:
    path = write()
    linears = pairs(load_model(path).model)
    adapter = write_adapter(tmp_path / "a.sft", linears, config, parametrised=parametrised)
    loaded, expected = load_model(path, lora=[adapter]), changed(path, linears, 1.5)
    assert loaded.loras == (adapter,)
    for target in (AR, NAR1, NAR2):
        torch.testing.assert_close(logits(loaded.model, target), logits(expected, target))
    assert not torch.allclose(logits(loaded.model, AR), logits(load_model(path).model, AR))


def test_levels_have_their_own_adapters(write: Write, tmp_path: Path) -> None:
    path = write()
    base = load_model(path).model
    first, second = pairs(base, seed=1), pairs(base, rank=3, seed=2)
    a = write_adapter(tmp_path / "a.sft", first, {"rank": 2, "alpha": 2, "rvq_levels": [0, 2]})
    b = write_adapter(tmp_path / "b.sft", second, {"rank": 3, "alpha": 6, "rvq_levels": [2]})
    model = load_model(path, lora=[a, b]).model
    assert model.level_dependent
    torch.testing.assert_close(logits(model, AR), logits(changed(path, first, 1.0), AR))
    torch.testing.assert_close(logits(model, NAR1), logits(base, NAR1))
    both = changed(path, first, 1.0)
    with torch.no_grad():
        for name, (x, y) in second.items():
            both.get_parameter(f"{name}.weight").add_(2.0 * (y @ x))
    torch.testing.assert_close(logits(model, NAR2), logits(both, NAR2))
    with pytest.raises(ValueError, match="target"):
        model(torch.zeros(1, 2, 16), torch.zeros(1, 2, dtype=torch.long), causal=True)


def test_levels_share_what_adapters_leave_alone(write: Write, tmp_path: Path) -> None:
    path = write()
    adapter = write_adapter(tmp_path / "a.sft", pairs(load_model(path).model), {"rank": 2, "rvq_levels": [1]})
    model = load_model(path, lora=[adapter]).model
    variant = dict(model._backbone(NAR1).named_parameters())
    own = dict(model.model.named_parameters())
    apart = {name for name, p in own.items() if p is not variant[name]}
    assert apart == {f"{name.removeprefix('model.')}.weight" for name in LINEARS}


def test_scale_without_a_configuration_is_one(write: Write, tmp_path: Path) -> None:
    path = write()
    linears = pairs(load_model(path).model)
    loaded = load_model(path, lora=[write_adapter(tmp_path / "a.sft", linears, None)])
    torch.testing.assert_close(logits(loaded.model, AR), logits(changed(path, linears, 1.0), AR))


def test_embeddings_can_be_adapted(write: Write, tmp_path: Path) -> None:
    path = write()
    stream = torch.Generator().manual_seed(1)
    a, b = torch.randn(2, 84, generator=stream), torch.randn(16, 2, generator=stream)
    adapter = write_adapter(tmp_path / "a.sft", {"text_emb": (a, b)}, {"rank": 2, "alpha": 2})
    found = load_model(path, lora=[adapter]).model.get_parameter("text_emb.weight")
    torch.testing.assert_close(found, load_model(path).model.get_parameter("text_emb.weight") + (b @ a).T)


def test_pickled_adapter(write: Write, tmp_path: Path) -> None:
    path = write()
    linears = pairs(load_model(path).model)
    state = {f"{k}.lora_{s}": v for k, pair in linears.items() for s, v in zip("AB", pair, strict=True)}
    adapter = tmp_path / "a.pth"
    torch.save({"lora": state, "config": {"rank": 2, "alpha": 2}}, adapter)
    with pytest.raises(CheckpointError, match="is a pickle"):
        load_model(path, lora=[adapter])
    loaded = load_model(path, lora=[adapter], allow_pickle=True)
    torch.testing.assert_close(logits(loaded.model, AR), logits(changed(path, linears, 1.0), AR))


def test_adapters_that_do_not_fit(write: Write, tmp_path: Path) -> None:
    path = write()
    name = LINEARS[0]

    def refused(word: str, linears: Pairs, config: Mapping[str, Any] | None = None) -> None:
        adapter = write_adapter(tmp_path / "a.sft", linears, config)
        with pytest.raises(CheckpointError) as caught:
            load_model(path, lora=[adapter])
        assert word in caught.value.render()

    refused(f"{name}.lora_A", {name: (torch.zeros(2, 17), torch.zeros(16, 2))})
    refused("wrong shapes", {name: (torch.zeros(2, 16), torch.zeros(16, 3))})
    refused("model.layers.7.mlp.up_proj", {"model.layers.7.mlp.up_proj": (torch.zeros(2, 16), torch.zeros(64, 2))})
    refused("holds nan", {name: (torch.full((2, 16), float("nan")), torch.zeros(16, 2))})
    refused("wrong type", {name: (torch.zeros(2, 16, dtype=torch.int32), torch.zeros(16, 2))})
    good = (torch.zeros(2, 16), torch.zeros(16, 2))
    refused("rank", {name: good}, {"rank": 0})
    refused("alpha", {name: good}, {"alpha": "much"})
    refused("rvq_levels", {name: good}, {"rvq_levels": "all"})
    refused("some levels only", {"tasks_emb": (torch.zeros(2, 16), torch.zeros(9, 2))}, {"rvq_levels": [1]})
    with pytest.raises(CheckpointError, match="no LoRA"):
        load_model(path, lora=[path])
    from safetensors.torch import save_file

    save_file({f"{name}.lora_A": torch.zeros(2, 16)}, str(tmp_path / "half.sft"))
    with pytest.raises(CheckpointError, match=f"{name}.lora_B is missing"):
        load_model(path, lora=[tmp_path / "half.sft"])
