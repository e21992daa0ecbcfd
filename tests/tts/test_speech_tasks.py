"""What can be done with a text and a recording is open: a plugin of a few lines brings a task."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tiny import tiny_plugin
from vall_e_core import Registry, UsageError, VallE, hookimpl
from vall_e_core.cli import main
from vall_e_tts import SpeechTask


@dataclass(frozen=True)
class LastSecond(SpeechTask):
    """Pick a speaker out of the last second of a recording."""

    name = "last-second"
    token = "tse"

    def prompt(self, codes: Any) -> Sequence[Any]:
        return ["tse", codes[-50:]]


class Plugin:
    @hookimpl
    def vall_e_speech_tasks(self) -> Iterable[type[SpeechTask]]:
        return [LastSecond]


def plugins(*more: object) -> Registry:
    made = Registry.load(third_party=False)
    made.register(tiny_plugin(), name="tiny")
    for each in more:
        made.register(each, name=type(each).__name__.lower())
    return made


def test_a_task_of_a_plugin_is_spoken_by_its_name(
    model_path: Path, reference: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    registry = plugins(Plugin())
    engine = VallE.load(model_path, registry=registry, device="cpu")
    how: dict[str, Any] = {"phonemizer": "letters", "seed": 1, "max_ar_steps": "20", "max_tries": 1}
    own = engine.synthesize("hello there", reference, task="last-second", **how)
    assert own.record["task"] == "last-second" and own.record["prompt"]["frames"] == 100
    assert own.record["listen"]["on"] is False
    known = engine.synthesize("hello there", reference, task="ns", **how)
    assert own.record["parts"][0]["codes_sha256"] != known.record["parts"][0]["codes_sha256"]
    flags = ["--model", str(model_path), "--phonemizer", "letters", "--seed", "1", "--max-ar-steps", "20",
             "--max-tries", "1", "--device", "cpu"]  # fmt: skip
    out = tmp_path / "out.wav"
    assert main(["--task", "last-second", "hello there", str(reference), str(out), *flags], registry=registry) == 0
    assert out.exists(), capfd.readouterr().err


def test_a_task_that_nobody_brings_is_refused_with_a_list(model_path: Path, reference: Path) -> None:
    engine = VallE.load(model_path, registry=plugins(), device="cpu")
    with pytest.raises(UsageError, match="unknown task: last-second") as caught:
        engine.synthesize("hello", reference, task="last-second", phonemizer="letters")
    assert caught.value.try_ == "one of ns, sr, tts"


def test_without_its_plugin_a_task_is_gone(model_path: Path, reference: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALL_E_DISABLE", "noise")
    engine = VallE.load(model_path, registry=plugins(), device="cpu")
    with pytest.raises(UsageError, match="unknown task: ns"):
        engine.synthesize("hello", reference, task="ns", phonemizer="letters")


def test_a_task_that_works_on_a_recording_needs_one(model_path: Path) -> None:
    engine = VallE.load(model_path, registry=plugins(), device="cpu")
    with pytest.raises(UsageError, match="needs a recording"):
        engine.synthesize("hello", task="ns", phonemizer="letters")


def test_the_example_on_the_page_is_a_plugin() -> None:
    page = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text("utf-8")
    section = page.split("### vall_e_speech_tasks\n")[1].split("\n#")[0]
    _, example = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    module = ModuleType("example_of_a_task")
    sys.modules[module.__name__] = module
    try:
        exec(compile(example, "docs/hooks.md", "exec"), vars(module))
        assert [each.token for each in module.vall_e_speech_tasks()] == ["ns"]
    finally:
        del sys.modules[module.__name__]
