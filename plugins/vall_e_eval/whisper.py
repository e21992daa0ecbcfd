"""The judge that writes down what it hears: Whisper, by faster-whisper, on one thread with weights of 8 bits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vall_e_core import ModelError
from vall_e_files import sha256_file

from .extras import INSTALL_JUDGES, need, versions
from .features import at_rate
from .joining import RATE, Word, join, part, windows
from .judged import Verdict
from .scoring import word_errors
from .weights import JOIN, find_weights

if TYPE_CHECKING:
    from .joining import Samples
    from .judged import Judged, Recording
    from .phones import Errors

LEVEL = 0.7
"""The peak that every clip is brought to, so that a soft one isn't lost among loud ones."""
ALONE = 29.0
"""Seconds up to which a clip fits into one of Whisper's windows."""


class WhisperJudge:
    """Word error rate of what is heard. English, greedy, without any sampling, so that equal clips give equal words."""

    def __init__(self, folder: Path | None = None, *, joins: bool = True) -> None:
        """Find the weights; they are read when they are first used.

        Args:
            folder: a model of faster-whisper; if None, where `find_weights` looks.
            joins: hear several clips in one window, where several are given at once.

        Raises:
            ModelError: faster-whisper, the normalizer or the weights aren't there.
        """
        self._whisper = need("faster_whisper", "the judge whisper", INSTALL_JUDGES)
        need("whisper_normalizer.english", "the judge whisper", INSTALL_JUDGES)
        self.folder, self.joins = find_weights(folder), joins
        self.versions = {
            **versions("faster-whisper", "ctranslate2", "whisper-normalizer"),
            "weights": sha256_file(self.folder / "model.bin")[:12],
        }

    @cached_property
    def model(self) -> Any:  # noqa: ANN401 - untyped
        """The recognizer. Raises ModelError for a folder that it can't read."""
        try:
            return self._whisper.WhisperModel(
                str(self.folder), device="cpu", compute_type="int8", cpu_threads=1, num_workers=1, local_files_only=True
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelError(
                f"the judge whisper can't read its model: {self.folder}", cause=str(error), try_=JOIN
            ) from error

    def judge(self, given: Judged) -> Verdict:
        """One recording alone."""
        if not _english(given):
            return Verdict({"wer": None, "exact": None})
        heard = self._alone(_clip(given.recording))
        return _verdict(word_errors(given.text, heard), heard)

    def judge_all(self, given: Sequence[Judged]) -> list[Verdict]:
        """Recordings joined into windows, which costs a third, and is easier for a recognizer than one short clip."""
        if not self.joins:
            return [self.judge(each) for each in given]
        found = [Verdict({"wer": None, "exact": None})] * len(given)
        english = [at for at, each in enumerate(given) if _english(each)]
        clips = {at: _clip(given[at].recording) for at in english}
        for window in windows([(given[at].text, len(clips[at]) / RATE) for at in english]):
            places = [english[at] for at in window]
            heard = (
                self._joined([clips[at] for at in places]) if len(places) > 1 else [self._alone(clips[places[0]])]
            )
            for at, words in zip(places, heard, strict=True):
                found[at] = _verdict(word_errors(given[at].text, words), words)
        return found

    def _alone(self, clip: Samples) -> str:
        seconds = len(clip) / RATE
        if not clip.any():
            return ""
        segments, _ = self.model.transcribe(clip, **_settings(seconds), without_timestamps=seconds <= ALONE)
        return " ".join(each.text.strip() for each in segments)

    def _joined(self, clips: Sequence[Samples]) -> list[str]:
        wave, spans = join(clips)
        segments, _ = self.model.transcribe(wave, **_settings(len(wave) / RATE), word_timestamps=True)
        words = [
            Word(each.word, float(each.start), float(each.end)) for segment in segments for each in segment.words or ()
        ]
        return part(words, spans)


def _settings(seconds: float) -> dict[str, Any]:
    """Greedy and without a second try, which would draw lots; a loop ends at ten tokens a second."""
    return {
        "language": "en", "beam_size": 1, "temperature": 0.0, "condition_on_previous_text": False,
        "compression_ratio_threshold": None, "log_prob_threshold": None, "no_speech_threshold": None,
        "max_new_tokens": min(220, round(20 + 10 * seconds)),
    }  # fmt: skip


def _english(given: Judged) -> bool:
    """The normalizer knows no other language."""
    return given.language.lower().partition("-")[0] in ("en", "auto")


def _clip(recording: Recording) -> Samples:
    wave = at_rate(recording, RATE)
    return np.asarray(wave / max(1e-6, float(np.abs(wave).max(initial=0.0))) * LEVEL, np.float32)


def _verdict(errors: Errors, heard: str) -> Verdict:
    wanted = max(1, errors.wanted)
    return Verdict(
        {"wer": errors.errors / wanted, "exact": float(errors.errors == 0)}, heard, weights={"wer": float(wanted)}
    )
