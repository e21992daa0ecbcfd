"""The record that lies beside the audio has the keys that `docs/record.md` explains."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "record.md"


def test_the_page_explains_every_key_of_a_record(tts: Any) -> None:
    section = PAGE.read_text("utf-8").partition("## Keys\n")[2]
    rows = re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
    assert {key for row in rows for key in re.findall(r"`(\w+)`", row)} == set(tts())
