"""The judge of whose voice it is: the speaker model of the package resemblyzer, whose weights come with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .extras import INSTALL_JUDGES, need, quietly, versions
from .features import RATE, at_rate
from .judge import Figure
from .judged import Verdict

if TYPE_CHECKING:
    from .judged import Judged, Recording

INSTALL = f"pip install --no-deps resemblyzer==0.1.4, and {INSTALL_JUDGES}"
"""Its requirements name packages that no longer install; what it uses of them comes with the extra."""
SOFTEST = 1e-4
"""A peak below this is silence."""

SAME = Figure("similarity to other recordings of the speaker", "higher")
OTHERS = Figure("similarity to other speakers", "neither")


class SpeakerJudge:
    """Places of 256 numbers whose cosine says how alike two voices are."""

    def __init__(self) -> None:
        """Raises ModelError where resemblyzer, or what it uses, isn't installed."""
        for module in ("librosa", "webrtcvad"):
            need(module, "the judge speaker", INSTALL_JUDGES)
        self._resemblyzer = need("resemblyzer", "the judge speaker", INSTALL)
        self.versions = versions("resemblyzer", "librosa", "webrtcvad-wheels")
        self._place = lru_cache(maxsize=256)(self._measure)

    @cached_property
    def _encoder(self) -> Any:  # noqa: ANN401 - untyped
        return self._resemblyzer.VoiceEncoder("cpu", verbose=False)

    def judge(self, given: Judged) -> Verdict:
        """Where the voice lies, and its cosine with the reference's; None where there is no voice in one of them."""
        place = self._place(given.recording)
        own = None if given.reference is None else self._place(given.reference)
        figures = {"own": None if place is None or own is None else cosine(place, own)}
        return Verdict(figures, voice=None if place is None else [round(each, 6) for each in place])

    def _measure(self, recording: Recording) -> list[float] | None:
        wave = at_rate(recording).astype(np.float32)
        if np.abs(wave).max(initial=0.0) < SOFTEST:
            return None
        with quietly():
            voiced = self._resemblyzer.preprocess_wav(np.clip(wave, -1.0, 1.0), RATE)
            if len(voiced) == 0:
                return None
            return [float(each) for each in self._encoder.embed_utterance(voiced)]


def cosine(left: Sequence[float], right: Sequence[float]) -> float:
    """Of the angle between two places; 0 where one has no direction."""
    one, two = np.asarray(left, np.float64), np.asarray(right, np.float64)
    return float(one @ two / max(float(np.linalg.norm(one) * np.linalg.norm(two)), 1e-12))


def among(
    place: Sequence[float], speaker: str, item: str, places: Mapping[str, tuple[str, Sequence[float]]]
) -> tuple[float | None, float | None]:
    """The mean cosine with the speaker's other recordings, and with other speakers' recordings; None without any.

    Args:
        item: the recording that `place` was made of or from; it isn't compared with itself.
        places: speaker and place of every recording.
    """
    same = [cosine(place, where) for name, (who, where) in places.items() if who == speaker and name != item]
    others = [cosine(place, where) for who, where in places.values() if who != speaker]
    return (float(np.mean(same)) if same else None), (float(np.mean(others)) if others else None)
