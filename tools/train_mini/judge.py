"""Which sentence of a closed set does a recording say, to the end? pocketsphinx with a grammar of whole sentences."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soxr
from pocketsphinx import Decoder

from .corpus import SENTENCES

RATE = 16000
SILENCE = np.zeros(round(0.3 * RATE), np.int16)
"""Put before and after each recording."""


def read_sentences(lists: str = "ABC", path: Path = SENTENCES) -> list[str]:
    """The sentences of some lists, in the file's order."""
    rows = [line.split("\t") for line in path.read_text("utf-8").splitlines()[1:] if line.strip()]
    return [text for _, name, text in rows if name in lists]


def words(sentence: str) -> str:
    """A sentence as the judge's dictionary spells it."""
    return re.sub(r"[^a-z' ]", "", sentence.lower()).strip()


class SentenceJudge:
    """Identifies sentences of a closed set; chance is one in their number."""

    def __init__(self, sentences: Sequence[str]) -> None:
        self.sentences = {words(s): s for s in sentences}
        grammar = "#JSGF V1.0;\ngrammar sentences;\npublic <s> = " + " | ".join(self.sentences) + ";\n"
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "sentences.gram"
            path.write_text(grammar)
            self.decoder = Decoder(samprate=RATE, loglevel="FATAL", lm=None, jsgf=str(path))

    def hear(self, wave: np.ndarray, sample_rate: int) -> str | None:
        """The sentence that samples [n] say, or None where none fits."""
        wave = soxr.resample(wave, sample_rate, RATE) if sample_rate != RATE else wave
        loud = max(1e-6, float(np.abs(wave).max()))
        samples = (wave / loud * 0.7 * 32767).astype(np.int16)
        self.decoder.start_utt()
        self.decoder.process_raw(np.concatenate([SILENCE, samples, SILENCE]).tobytes(), full_utt=True)
        self.decoder.end_utt()
        guess = self.decoder.hyp()
        return None if guess is None else self.sentences.get(guess.hypstr)
