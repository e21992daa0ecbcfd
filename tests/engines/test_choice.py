"""Which engine `--engine` and `--quantize` mean."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from vall_e_core import BuildContext, Engine, ModelError, Registry, UsageError, hookimpl
from vall_e_core.cli import main
from vall_e_lm import Loaded, ModelOptions, choose_engine, save_model
from vall_e_lm.engines import weights_identity
from vall_e_onnx import Onnx

from .conftest import small_model


@dataclass(frozen=True)
class Exact(Engine):
    """As eager, on anything."""

    name = "exact"
    devices = frozenset({"cpu", "cuda"})
    dtypes = frozenset({"float32", "bfloat16"})
    order = 3


@dataclass(frozen=True)
class Absent(Engine):
    """Would be quicker, if it were here."""

    name = "absent"
    order = 5

    @classmethod
    def available(cls) -> bool:
        return False


@pytest.fixture
def registry() -> Registry:
    return Registry.load(third_party=False)


@pytest.fixture
def more(registry: Registry) -> Registry:
    module = ModuleType("more_engines")

    @hookimpl
    def vall_e_engines() -> Iterable[type[Engine]]:
        return [Exact, Absent]

    module.vall_e_engines = vall_e_engines  # type: ignore[attr-defined]  # a module made here
    registry.register(module, name="more")
    return registry


def name(registry: Registry, device: str = "cpu", **options: Any) -> str | None:
    found = choose_engine(registry, ModelOptions(**options), device)
    return None if found is None else found.name


def test_nothing_asked_for_changes_no_weights(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    assert name(registry) == ("onnx" if Onnx.available() else None)
    monkeypatch.setattr("vall_e_onnx.find_spec", lambda package: None)
    assert name(registry) is None
    assert name(registry, engine="eager") is None
    assert name(registry, device="cuda:0", dtype="bfloat16") is None


def test_auto_takes_the_best_that_is_here_and_exact(more: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vall_e_onnx.find_spec", lambda package: None)
    assert name(more) == "exact"
    assert name(more, device="cuda:1", dtype="bfloat16") == "exact"
    assert name(more, dtype="float16") is None
    assert name(more, engine="eager") is None
    assert name(more, engine="exact") == "exact"


def test_quantized_weights_are_the_business_of_an_engine_that_knows_them(more: Registry) -> None:
    assert name(more, quantize="int8") == name(more, quantize="int4", engine="onnx") == "onnx"


@pytest.mark.parametrize(
    ("options", "device", "says"),
    [
        ({"engine": "onyx"}, "cpu", "unknown engine"),
        ({"engine": "eager", "quantize": "int8"}, "cpu", "can't quantize to int8"),
        ({"engine": "onnx", "dtype": "bfloat16"}, "cpu", "takes weights of float32, not bfloat16"),
        ({"engine": "onnx", "quantize": "int8"}, "cuda:0", "runs on cpu, not cuda"),
        ({"quantize": "int8"}, "mps", "no engine can run weights of int8"),
        ({"quantize": "int4", "dtype": "float16"}, "cpu", "takes weights of float32, not float16"),
    ],
)
def test_what_cannot_be_is_said(registry: Registry, options: dict[str, Any], device: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        name(registry, device, **options)
    assert says in f"{caught.value} {caught.value.cause}"


def test_without_engines_quantizing_is_refused() -> None:
    with pytest.raises(UsageError, match="no engine can run weights of int8"):
        choose_engine(Registry(), ModelOptions(quantize="int8"), "cpu")


def test_a_missing_package_is_named(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vall_e_onnx.find_spec", lambda package: None)
    chosen = choose_engine(registry, ModelOptions(quantize="int8"), "cpu")
    assert chosen is not None
    with pytest.raises(ModelError) as caught:
        chosen.build(BuildContext(quantize="int8"))
    assert "onnxruntime" in str(caught.value.cause) and "vall-e[fast]" in str(caught.value.try_)


def test_adapters_are_part_of_what_weights_are(tmp_path: Path) -> None:
    model = small_model()
    path = save_model(tmp_path / "model.sft", model) or tmp_path / "model.sft"
    loaded = Loaded(model, model.config, Path(path))
    adapter, other = tmp_path / "a.sft", tmp_path / "b.sft"
    adapter.write_bytes(b"one")
    other.write_bytes(b"two")
    with_one = [replace(loaded, loras=each) for each in ((), (adapter,), (other,), (adapter, other), (other, adapter))]
    assert len({weights_identity(each) for each in with_one}) == 5
    assert weights_identity(loaded) == weights_identity(with_one[0])


def test_the_list_says_what_is_ready(more: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engines", "list", "--json"], registry=more) == 0
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)["engines"]}
    assert set(found) == {"eager", "onnx", "cuda-graph", "exact", "absent"}
    assert found["eager"]["available"] and not found["absent"]["available"]
    assert found["onnx"]["quantizations"] == ["int4", "int8", "none"]
    assert found["onnx"]["available"] == Onnx.available()
