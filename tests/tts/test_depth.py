"""How deep speaking goes: the frames of our own code from a task's `run` to the model's first pass."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest

from vall_e_core.cli import main

DEEPEST = 10


class _Seen(Exception):
    """The model's first pass."""


def test_a_sentence_reaches_the_model_in_few_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import vall_e_lm.model.base

    found: list[str] = []

    def forward(self: Any, *args: Any, **settings: Any) -> None:
        stack = [(Path(each.filename), each.name) for each in traceback.extract_stack()]
        own = [(path, name) for path, name in stack if any(part.startswith("vall_e_") for part in path.parts)]
        names = [f"{path.parent.name}/{path.name}:{name}" for path, name in own]
        found.extend(names[names.index("vall_e_tts/command.py:run") : -1])
        raise _Seen

    monkeypatch.setattr(vall_e_lm.model.base.BaseModel, "forward", forward)
    main(["tts", "Hello there.", "--voice", "heart", "-o", str(tmp_path / "out.wav"), "--engine", "eager"])
    assert 0 < len(found) <= DEEPEST, "\n".join(found)
