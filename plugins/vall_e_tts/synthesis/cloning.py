"""What is done where a model can't speak like a reference: another prompt for level 0, and an end to what isn't speech.

A model that has never met such a voice may babble. Its own ear finds that out. Then level 0, which says what is said,
is taken from a prompt that the model knows well, and the further levels from the reference. Where even that doesn't
help in the first parts, the run ends: what follows would be no better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vall_e_core import InputError, Voice
from vall_e_lm import neutral_voice

from .plan import Try

if TYPE_CHECKING:
    from ..valle import VallE
    from .request import PreparedSpeech

NEUTRAL = "neutral prompt"
"""The name of the last try."""
FIRST_PARTS = 3
"""So many parts of a text tell whether the model can speak like a reference."""
MOST_BAD = 1 / 3
"""Of them, this share may be bad."""
BABBLE = ("lost", "loop", "length", "empty")
"""Verdicts of takes that don't say their text. Nor does a short one, unless its length is expected from a transcript,
which may be wrong."""


def is_strange(engine: VallE, prepared: PreparedSpeech) -> bool:
    """Whether a reference is a recording that no plugin brought."""
    packaged = {*engine.registry.names(Voice.kind)}
    found = [each.record() for each in prepared.references]
    return any(each["voice"] not in packaged or "recording_sha256" in each for each in found)


def with_neutral(engine: VallE, tries: Sequence[Try], most: int) -> tuple[Try, ...]:
    """The tries; the last of at most `most` has a neutral prompt and the chain that was asked for."""
    if most < 2 or neutral_voice(engine.registry, engine.place) not in engine.registry.names(Voice.kind):
        return tuple(tries)
    return (*tries[: most - 1], replace(tries[0], name=NEUTRAL, neutral=True))


class Trial:
    """The first parts of a run in a strange voice."""

    def __init__(self, parts: int, prepared: PreparedSpeech) -> None:
        """`parts`: how many the run has; `prepared`: its request."""
        self._prepared, self._wanted = prepared, min(parts, FIRST_PARTS)
        self._bad = BABBLE if prepared.reference_phonemes else (*BABBLE, "short")
        self._good: list[bool] = []

    def note(self, verdict: str) -> None:
        """How the next part went."""
        if not self.over:
            self._good.append(verdict not in self._bad)

    @property
    def over(self) -> bool:
        """Whether enough parts are known."""
        return len(self._good) >= self._wanted

    @property
    def failed(self) -> bool:
        """Whether too many of them are bad."""
        return self.over and self._good.count(False) > MOST_BAD * len(self._good)

    def error(self) -> InputError:
        """What is said of it."""
        bad, total = self._good.count(False), len(self._good)
        where = "of the text" if total == 1 else f"in {bad} of the first {total} parts"
        return InputError(
            f"the model can't speak like {names(self._prepared)}",
            cause=f"it doesn't hear the words {where}, even in the best of all tries",
            try_="another recording (3 to 10 s, one speaker, no noise), or --voice-fallback NAME for a voice it knows",
        )


def said_neutrally(parts: int, total: int, prepared: PreparedSpeech) -> str:
    """The warning that so many parts have a neutral prompt."""
    what = "the text" if total == 1 else f"{parts} of {total} parts"
    how = "made with a neutral prompt, which is clear but less like it"
    return f"the model couldn't say {what} like {names(prepared)}: {how}"


def names(prepared: PreparedSpeech) -> str:
    """The references, as a user knows them."""
    return ", ".join(_name(each.record()) for each in prepared.references)


def _name(record: Mapping[str, Any]) -> str:
    path = record.get("path")
    return str(record["voice"] or (Path(path).name if path else "the recording"))
