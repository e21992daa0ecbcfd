"""docs/adapters.md: its Python runs, its specs are understood."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from vall_e_adapters.vllm import ChainLogitsProcessor
from vall_e_core.testing import as_sampler

TEXT = (Path(__file__).parents[2] / "docs" / "adapters.md").read_text("utf-8")


class Model:
    """Takes what `generate()` is given."""

    def generate(self, prompts: object, **settings: object) -> list[object]:
        return [prompts, settings["logits_processor"]]


def test_its_python_runs() -> None:
    pytest.importorskip("transformers")
    blocks = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {"model": Model(), "prompts": [1]}
    for block in blocks:
        exec(block, names)
    assert names["ids"] == [[1], [names["processor"]]]
    assert issubclass(names["Sampler"], ChainLogitsProcessor)


def test_its_specs_are_understood() -> None:
    pytest.importorskip("transformers")
    specs = re.findall(r"--sampler (\S+)", TEXT)
    assert len(specs) >= 3
    for spec in specs:
        if "my_module" not in spec and "module:Class" not in spec:
            as_sampler(spec)
