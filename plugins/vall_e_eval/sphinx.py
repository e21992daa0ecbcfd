"""The judges that listen to words: pocketsphinx, with the US English model and dictionary that come with it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from vall_e_core import ModelError

from .extras import need, versions
from .features import RATE, at_rate
from .judged import Verdict

if TYPE_CHECKING:
    from vall_e_core import BuildContext

    from .judged import Judged, Recording

SILENCE = np.zeros(round(0.3 * RATE), np.int16)
"""Put before and after each recording."""
LEVEL = 0.7
"""The peak that every recording is brought to."""


def words(sentence: str) -> str:
    """A sentence as the dictionary spells it: lower-case words with single spaces."""
    return " ".join(re.sub(r"[^a-z' ]", "", sentence.lower().replace("’", "'").replace("-", " ")).split())


class _Listener:
    """A decoder, made when it is first used (a run that goes on may not need it), and how a recording is put to it."""

    def __init__(self, **beams: float) -> None:
        """`beams`: how far below the best a path may be and still be followed, in place of pocketsphinx's own."""
        self._sphinx = need("pocketsphinx", "this judge")
        self._beams = beams
        self.versions = versions("pocketsphinx")

    @cached_property
    def decoder(self) -> Any:  # noqa: ANN401 - pocketsphinx is untyped
        """With the acoustic model and the dictionary, and nothing to choose from yet."""
        return self._sphinx.Decoder(samprate=RATE, loglevel="FATAL", lm=None, **self._beams)

    def knows(self, sentence: str) -> bool:
        """Whether its words are all in the dictionary."""
        spoken = words(sentence).split()
        return bool(spoken) and all(self.decoder.lookup_word(word) for word in spoken)

    def allow(self, choices: Sequence[str]) -> None:
        """From now on it is one of these that is heard."""
        grammar = f"#JSGF V1.0;\ngrammar choices;\npublic <choice> = {' | '.join(choices)};\n"
        self.decoder.add_jsgf_string("choices", grammar)
        self.decoder.activate_search("choices")

    def listen(self, recording: Recording) -> None:
        """Decode one recording; what was heard before leaves no trace."""
        wave = at_rate(recording)
        samples = (wave / max(1e-6, float(np.abs(wave).max(initial=0.0))) * LEVEL * 32767).astype(np.int16)
        self.decoder.reinit_feat()  # the cepstral mean would carry over
        self.decoder.start_utt()
        self.decoder.process_raw(np.concatenate([SILENCE, samples, SILENCE]).tobytes(), full_utt=True)
        self.decoder.end_utt()


class SentenceJudge(_Listener):
    """Identifies sentences of a closed set; chance is one in their number."""

    def __init__(self, sentences: Sequence[str]) -> None:
        """Sentences with a word that the dictionary lacks are left out."""
        super().__init__()
        self._all = sentences

    @cached_property
    def sentences(self) -> dict[str, str]:
        """The closed set, each by its words. Raises ModelError where it isn't one."""
        found = {words(each): each for each in self._all if self.knows(each)}
        if len(found) < 2:
            raise ModelError(
                "the judge sentences needs at least two sentences", cause="it knows only English words",
                try_="choose other judges with --judge",
            )  # fmt: skip
        self.allow(list(found))
        return found

    @classmethod
    def of(cls, ctx: BuildContext) -> SentenceJudge:
        """Raises ModelError where pocketsphinx isn't installed, or no sentences are known."""
        return cls(ctx.sentences)

    def hear(self, recording: Recording) -> str | None:
        """The sentence that a recording says, or None where none fits."""
        known = self.sentences
        self.listen(recording)
        guess = self.decoder.hyp()
        return None if guess is None else known.get(guess.hypstr)

    def judge(self, given: Judged) -> Verdict:
        """Whether the sentence was found; None for one that isn't in the set."""
        if words(given.text) not in self.sentences:
            return Verdict({"identified": None})
        heard = self.hear(given.recording)
        right = heard is not None and words(heard) == words(given.text)
        return Verdict({"identified": float(right)}, heard)


class AlignmentJudge(_Listener):
    """Aligns the words that should be there."""

    def __init__(self) -> None:
        super().__init__()
        self.patient = _Listener(beam=1e-80, pbeam=1e-80, wbeam=1e-60, maxhmmpf=-1)
        """Follows every path, so that a slurred word in the middle hides nothing of the end."""

    @classmethod
    def of(cls, ctx: BuildContext) -> AlignmentJudge:
        """Raises ModelError where pocketsphinx isn't installed."""
        return cls()

    def judge(self, given: Judged) -> Verdict:
        """Whether all words were found, and their times; None for a text with a word that the dictionary lacks."""
        if not self.knows(given.text):
            return Verdict(dict.fromkeys(("complete", "ending", "pace", "pause", "tail")))
        ending = self._ending(given)
        self.decoder.set_align_text(words(given.text))
        self.listen(given.recording)
        if self.decoder.hyp() is None:
            return Verdict({"complete": 0.0, "ending": ending, "pace": None, "pause": None, "tail": None})
        found = [
            (each.start_frame / 100, (each.end_frame + 1) / 100)
            for each in self.decoder.seg()
            if not each.word.startswith(("<", "["))
        ]
        spoken = found[-1][1] - found[0][0]
        pauses = [after[0] - before[1] for before, after in pairwise(found)]
        end = given.recording.seconds + len(SILENCE) / RATE
        return Verdict({
            "complete": 1.0, "ending": ending, "pace": len(found) / max(spoken, 0.01),
            "pause": round(max([0.0, *pauses]), 3), "tail": round(max(0.0, end - found[-1][1]), 3),
        })  # fmt: skip

    def _ending(self, given: Judged) -> float:
        """Whether the whole text fits better than any of its beginnings; 0 where none fits."""
        spoken = words(given.text).split()
        self.patient.allow([" ".join(spoken[: end + 1]) for end in range(len(spoken))])
        self.patient.listen(given.recording)
        guess = self.patient.decoder.hyp()
        return float(guess is not None and len(guess.hypstr.split()) == len(spoken))
