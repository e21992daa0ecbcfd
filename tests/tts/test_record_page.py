"""The record that lies beside the audio has the keys that `docs/record.md` explains."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "record.md"


def explained(heading: str) -> set[str]:
    """The keys in the table below a heading."""
    section = PAGE.read_text("utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
    return {key for row in rows for key in re.findall(r"`(\w+)`", row)}


def test_the_page_explains_every_key_of_a_record(tts: Any) -> None:
    assert explained("Keys") == set(tts())


@pytest.mark.slow
def test_the_page_explains_every_key_of_a_part(tts: Any) -> None:
    tts.run("--candidates", 2, "--scorer", "length")
    assert explained("Keys of a part") >= {key for part in tts.record()["parts"] for key in part}
