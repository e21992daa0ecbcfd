"""A small random model whose heads suit ONNX Runtime, as it is and as the engine runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from vall_e_lm import Model, ModelConfig

Converted = Callable[..., Model]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder for each test."""
    monkeypatch.setenv("VALL_E_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def small_model(**changes: object) -> Model:
    """Width 64, four heads of 16, three layers; weights large enough for a decided opinion."""
    settings: dict[str, object] = {
        "width": 64, "heads": 4, "layers": 4, "levels": 4, "audio_tokens": 32, "phoneme_tokens": 48, "langs": 4,
        "capabilities": frozenset({"ar", "nar", "stt"}),
    }  # fmt: skip
    model = Model(ModelConfig(**{**settings, **changes}), seed=0).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                parameter.mul_(8.0 if "emb" in name or "classifiers" in name else 3.0)
    return model


@pytest.fixture
def converted() -> Converted:
    """`converted(bits, identity=None, notices=list, **config)`: the same model, run by the engine."""
    pytest.importorskip("onnxruntime")
    from vall_e_onnx.convert import OnnxModel

    def make(
        bits: int = 8, identity: str | None = None, notices: list[str] | None = None, threads: int = 1, **config: object
    ) -> Model:
        heard: list[str] = [] if notices is None else notices
        model = small_model(**config)
        OnnxModel(bits, threads, heard.append).adopt(model, identity)
        return model

    return make
