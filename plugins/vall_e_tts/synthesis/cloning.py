"""What is done where a model can't speak like a reference: another prompt for level 0, and an end to what isn't speech.

A model that has never met such a voice may babble. Its own ear finds that out. Then level 0, which says what is said,
is taken from a prompt that the model knows well, and the further levels from the reference. Where even that doesn't
help in the first parts, the run ends: what follows would be no better.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vall_e_core import InputError, Voice
from vall_e_lm import neutral_voice

from .plan import Try

if TYPE_CHECKING:
    from vall_e_audio import Wave
    from vall_e_core import CodecModel

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


HEARD_SECONDS = 10.0
"""So much of the speech tells whose voice it is."""
LEAST_LIKE, SAME_SPEAKER = 0.43, 0.7
"""Cosines of `vall_e_audio.voiceprint`: where as many pairs of one speaker are rejected as pairs of two are accepted,
and the mean of one speaker's recordings, both of speakers that its projection hasn't met."""


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


class Resemblance:
    """How like its references speech sounds in a voice that no plugin brought, by its first seconds."""

    def __init__(self, prepared: PreparedSpeech, codec: CodecModel) -> None:
        """`prepared`: the request; `codec`: whose sound it is."""
        self._prepared, self._codec = prepared, codec
        self._heard: list[Wave] = []
        self._wanted = round(HEARD_SECONDS * codec.sample_rate)

    def add(self, wave: Wave) -> None:
        """More of the speech."""
        if self._wanted > 0:
            self._heard.append(wave[: self._wanted])
            self._wanted -= len(wave)

    def value(self) -> float | None:
        """The cosine with the references together; None where there is hardly any sound in either."""
        from vall_e_audio import likeness, voiceprint

        spoken = voiceprint(np.concatenate([*self._heard, np.zeros(0, np.float32)]), self._codec.sample_rate)
        found = [each.voiceprint(self._codec) for each in self._prepared.references]
        known = [each for each in found if each is not None]
        if spoken is None or not known:
            return None
        together = np.sum(known, axis=0)
        return round(likeness(spoken, together / np.linalg.norm(together)), 3)

    def warning(self, value: float | None) -> Iterator[str]:
        """What is said where it is low."""
        if value is not None and value < LEAST_LIKE:
            yield (
                f"it sounds little like {names(self._prepared)}: likeness {value:.2f} "
                f"(recordings of one speaker have about {SAME_SPEAKER}, of two speakers about 0)"
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
