"""Where a text is in capitals, so that capitals tell nothing of a word."""

from __future__ import annotations

import re
from bisect import bisect_right

from .letters import is_acronym, is_initials, is_word

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_ENOUGH = 3
"""Words in a row."""


class Shouts:
    """The parts of a text in which three words or more in a row are in capitals, and not all are initials."""

    def __init__(self, text: str) -> None:
        """Looks at each word of the text once."""
        self._starts: list[int] = []
        self._ends: list[int] = []
        run: list[re.Match[str]] = []
        for word in _WORD.finditer(text):
            if word.group().isupper():
                run.append(word)
                continue
            self._add(run)
            run = []
        self._add(run)

    def at(self, pos: int) -> bool:
        """Whether a position is in one of them."""
        index = bisect_right(self._starts, pos) - 1
        return index >= 0 and pos < self._ends[index]

    def _add(self, run: list[re.Match[str]]) -> None:
        words = [stem for word in run if len(stem := re.split("['’]", word.group())[0]) > 1]
        plain = sum(is_word(word) or not (is_acronym(word) or is_initials(word, False)) for word in words)
        if len(run) >= _ENOUGH and 2 * plain >= len(words) and plain:
            self._starts.append(run[0].start())
            self._ends.append(run[-1].end())
