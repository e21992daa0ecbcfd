"""Subtitles, SubRip and WebVTT: which rows are shown, and what stands around them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

_CUE = re.compile(r"(?:\d{1,2}:)?\d{1,2}:\d\d[.,]\d{3} ?-->")
_NOT_SHOWN = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)")


@dataclass(frozen=True)
class Subtitles:
    """Rows of a text, by number: `shown` beside a film, and `timing`, which isn't read."""

    shown: frozenset[int]
    timing: frozenset[int]

    def gaps(self, rows: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Rows that are shown one after the other, with nothing else to read between them."""
        for before, after in pairwise(sorted(self.shown)):
            if all(at in self.timing or not rows[at] for at in range(before + 1, after)):
                yield before, after


def find_subtitles(rows: Sequence[str]) -> Subtitles:
    """The subtitles among the rows of a text: a cue goes from its times to the next empty row."""
    shown, timing = set(), set()
    web = bool(rows) and rows[0].startswith("WEBVTT")
    within = noted = web
    for at, row in enumerate(rows):
        if _CUE.match(row):
            within, noted = True, False
            timing.add(at)
        elif not row:
            within = noted = False
        elif at + 1 < len(rows) and _CUE.match(rows[at + 1]) and (row.isdecimal() or (web and not within)):
            timing.add(at)
        elif noted or (web and not within and _NOT_SHOWN.match(row)):
            noted = True
            timing.add(at)
        elif within:
            shown.add(at)
    return Subtitles(frozenset(shown), frozenset(timing))
