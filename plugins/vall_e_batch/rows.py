"""The data of a batch: rows that ask for speech, and what became of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vall_e_core import UsageError

Status = Literal["done", "failed", "crashed", "left"]
"""A row has `crashed` where the process that made it died, and once more when it made the row alone."""
SHOWN_PROBLEMS = 50
"""Errors of a manifest that a message lists; the rest is counted."""

LONGEST_PROBLEM = 240
"""Characters of one of them: what was given may be as long as it likes."""


@dataclass(frozen=True, slots=True)
class Row:
    """One utterance to make, or with `audio` one recording to transcribe. What is left out comes from the batch.

    `settings` are fields of `SpeechOptions` (`{"speed": 1.2}`), flags of samplers (`{"top_p": 0.9}`), and the chains
    `sampler` and `nar_sampler` as lists of specs: what `VallE.synthesize` takes as keywords.
    """

    id: str
    """Unique in its batch. It names the files and, with the batch's seed, sets the row's own."""
    text: str = ""
    phonemes: bool = False
    """The text is IPA."""
    voice: str | None = None
    ref: tuple[Path, ...] = ()
    ref_text: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    format: str | None = None
    out: str | None = None
    """The file in the batch's folder; by default the id and the format's suffix."""
    meta: Any = None
    """Passed through to the results."""
    audio: Path | None = None
    """The recording to transcribe."""
    line: int | None = None
    """Where it stands in its manifest, from 1."""
    span: tuple[float, float | None] | None = None
    """Where in `ref` or `audio` it lies: the offset and the length in seconds, None up to the end; None: all of it."""

    @property
    def seed(self) -> int | None:
        """Its own seed, if it has one."""
        found = self.settings.get("seed")
        return found if isinstance(found, int) else None


@dataclass(frozen=True, slots=True)
class RowResult:
    """What is known of a row. `status` is `left` where it hasn't been made yet."""

    id: str
    status: Status
    key: str
    out: Path
    """Where the output is, or will be."""
    seed: int | None = None
    sha256: str | None = None
    """Of the output file."""
    seconds: float = 0.0
    """Of speech."""
    spent: float = 0.0
    """Seconds between its begin and its end."""
    tries: int = 0
    verdict: str | None = None
    """The worst of its parts' verdicts: `ok`, `lost`, `short`, `length`, `loop` or `empty`. Of a recording `ok`, or
    `no speech`."""
    error: Mapping[str, str] | None = None
    """`type` and `message` of what failed."""
    heard: str | None = None
    """The phonemes, where it is a recording that was transcribed."""
    made: bool = False
    """Whether this run has made it, or tried to."""

    @property
    def unmade(self) -> bool:
        """Whether it was tried, and couldn't be made."""
        return self.status in ("failed", "crashed")

    @property
    def flagged(self) -> bool:
        """Whether it was made, but a part of it isn't as it should be."""
        return self.status == "done" and self.verdict not in (None, "ok", "no speech")


@dataclass(frozen=True)
class Problem:
    """An error in a manifest."""

    line: int | None
    message: str

    def __str__(self) -> str:
        found = self.message if self.line is None else f"line {self.line}: {self.message}"
        return found if len(found) <= LONGEST_PROBLEM else f"{found[:LONGEST_PROBLEM]}…"


class ManifestError(UsageError):
    """A manifest with errors; `problems` has all of them, the message the first 50 and their number."""

    def __init__(self, name: str, problems: list[Problem]) -> None:
        self.problems = problems
        count = len(problems)
        shown = [str(each) for each in problems[:SHOWN_PROBLEMS]]
        if count > SHOWN_PROBLEMS:
            shown.append(f"and {count - SHOWN_PROBLEMS} more")
        what = "1 error" if count == 1 else f"{count} errors"
        super().__init__("\n  ".join([f"{what} in {name}; nothing was made", *shown]))

    def __reduce__(self) -> tuple[object, ...]:
        return (UsageError, (self.message,))


def row_seed(batch_seed: int, row_id: str) -> int:
    """The seed of a row without one of its own: the same in any order, shard and worker."""
    return int.from_bytes(hashlib.sha256(f"{batch_seed}\n{row_id}".encode()).digest()[:4], "big") >> 1


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` shares of a batch. Rows keep their shard when others are added."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """`0/4`: the first of four. Raises UsageError."""
        first, _, second = text.partition("/")
        if first.strip().isdecimal() and second.strip().isdecimal() and int(first) < int(second):
            return cls(int(first), int(second))
        raise UsageError(f"not a shard: {text!r}", try_="I/N with I from 0 to N-1: --shard 0/4 … --shard 3/4")

    def __contains__(self, row_id: str) -> bool:
        return int.from_bytes(hashlib.sha256(row_id.encode()).digest()[:8], "big") % self.count == self.index

    def __str__(self) -> str:
        return f"{self.index}-of-{self.count}"
