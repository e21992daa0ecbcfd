"""A tiny random model and a tiny codec: the real pipeline, end to end, in a fraction of a second."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import soundfile

from babble import babble
from vall_e_core import Registry
from vall_e_core.cli import main

ROOT = Path(__file__).parents[2]
PLUGIN = Path(__file__).parent / "tiny_plugin"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SYMMAP = {
    "<unk>": 0, "<bos>": 1, "</eos>": 2, "<mask>": 3, " ": 4,
    **{char: 5 + i for i, char in enumerate(LETTERS + ".,!?;:'-")},
}  # fmt: skip
TEXT = "the canoe slid."
"""A random model's first take is long enough for it; of a longer text three takes would be made."""


def tiny_plugin() -> ModuleType:
    """The plugin's module, imported by its path: it isn't installed in this process."""
    if "vall_e_tiny" not in sys.modules:
        spec = importlib.util.spec_from_file_location("vall_e_tiny", PLUGIN / "vall_e_tiny" / "__init__.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["vall_e_tiny"] = module
        spec.loader.exec_module(module)
    return sys.modules["vall_e_tiny"]


@pytest.fixture(scope="session")
def registry() -> Registry:
    made = Registry.load(third_party=False)
    made.register(tiny_plugin(), name="tiny")
    return made


def make_model(
    path: Path, *, seed: int = 0, extra: dict[str, Any] | None = None, symmap: bool = True, stop: float = -1.0,
    **config: object,
) -> Path:
    """A random checkpoint: AR, NAR and STT unless `config` says otherwise; `stop` is the stop token's bias."""
    import torch

    from vall_e_lm import Model, ModelConfig, save_model
    from vall_e_lm.model.version7 import Model7

    settings: dict[str, Any] = {
        "width": 32, "heads": 4, "layers": 4, "levels": 4, "audio_tokens": 32, "phoneme_tokens": 48, "langs": 4,
        "sum_mode": "inclusive", "capabilities": frozenset({"ar", "nar", "stt"}),
    }  # fmt: skip
    made = ModelConfig(**{**settings, **config})
    model = Model7(made, seed=seed) if made.version >= 7 else Model(made, seed=seed)
    gains = {"emb": 1.0, "self_attn": 2.0, "mlp": 3.0, "classifiers": 5.0}
    with torch.no_grad():  # weights large enough for every condition to be heard
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                parameter.mul_(next((gain for part, gain in gains.items() if part in name), 1.0))
            if name == "classifiers.proj.0.bias" and parameter.shape[0] == 33:
                parameter[32] = stop
    save_model(path, model, symmap=SYMMAP if symmap else None, extra={"audio_backend": "tiny", **(extra or {})})
    return path


@pytest.fixture(scope="session", name="make_model")
def make_model_fixture() -> Callable[..., Path]:
    """`make_model(path, seed=…, extra=metadata, symmap=False, **model config)`."""
    return make_model


@pytest.fixture(scope="session")
def symmap() -> dict[str, int]:
    """The tiny models' phonemes."""
    return dict(SYMMAP)


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "tiny.sft", layerskip=True)


@pytest.fixture(scope="session")
def len_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A later-layout model without an AR pass."""
    return make_model(
        tmp_path_factory.mktemp("models") / "len.sft", layout="later", capabilities=frozenset({"nar", "len"}),
        text_tokens=0,
    )  # fmt: skip


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    path = tmp_path / "ref.wav"
    soundfile.write(path, babble(2.0, 16_000), 16_000)
    return path


@dataclass
class Done:
    """What a run of the program left."""

    code: int
    stdout: str
    stderr: str

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.stdout)
        return found


Run = Callable[..., Done]


@pytest.fixture
def cli(registry: Registry, capfd: pytest.CaptureFixture[str]) -> Run:
    """The program in this process: `cli("tts", TEXT, ...)`."""

    def run(*args: object, code: int | None = 0) -> Done:
        capfd.readouterr()
        found = main([str(arg) for arg in args], registry=registry)
        captured = capfd.readouterr()
        if code is not None:
            assert found == code, captured.err
        return Done(found, captured.out, captured.err)

    return run


@dataclass
class Tts:
    """`vall-e tts` with the tiny model; each call writes a file of its own."""

    cli: Run
    model: Path
    reference: Path
    folder: Path
    count: int = 0

    def run(
        self, *flags: object, text: str = TEXT, model: Path | None = None, seed: int | None = 1, code: int = 0
    ) -> Done:
        self.count += 1
        chosen = ["--seed", seed] if seed is not None else []
        return self.cli(
            "tts", text, self.reference, self.out, "--model", self.model if model is None else model,
            "--phonemizer", "letters", "--device", "cpu", "-y", *chosen, *flags, code=code,
        )  # fmt: skip

    def __call__(self, *flags: object, **settings: Any) -> dict[str, Any]:
        """Run, and the record it wrote."""
        self.run(*flags, **settings)
        return self.record()

    @property
    def out(self) -> Path:
        return self.folder / f"out{self.count}.wav"

    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(Path(f"{self.out}.json").read_text("utf-8"))
        return found


@pytest.fixture
def tts(cli: Run, model_path: Path, reference: Path, tmp_path: Path) -> Tts:
    return Tts(cli, model_path, reference, tmp_path)


def subprocess_command(*args: object) -> tuple[list[str], dict[str, str]]:
    """The program as a process of its own, with the tiny plugin installed, and its environment."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "plugins"), str(PLUGIN), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    return [sys.executable, "-m", "vall_e_core", *map(str, args)], environment


@pytest.fixture
def command() -> Callable[..., tuple[list[str], dict[str, str]]]:
    """`command("tts", …)`: the program as a process of its own, and its environment."""
    return subprocess_command


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment of such a process."""
    return subprocess_command()[1]
