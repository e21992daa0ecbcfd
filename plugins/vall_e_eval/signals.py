"""The judges of the signal: alone, and against the recording that it was made from."""

from __future__ import annotations

import warnings
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from .extras import need, versions
from .features import RATE, active, align, at_rate, frames, mel_cepstral_distortion, si_sdr
from .judged import Verdict

if TYPE_CHECKING:
    from .features import Floats
    from .judged import Judged

CLIPPED = 0.999
TAIL = round(0.3 * RATE)
LONGEST_LAG = round(0.1 * RATE)
"""A codec may delay the signal by so much."""


class SignalJudge:
    """What samples alone can tell."""

    def __init__(self) -> None:
        self.versions = versions("numpy")

    def judge(self, given: Judged) -> Verdict:
        """Shares are of time; `clipped` and `offset` are 1 or 0, so that their means are shares of recordings."""
        raw = np.asarray(given.recording.wave, dtype=np.float64)
        wave = at_rate(given.recording)
        if len(wave) == 0:
            return Verdict({"silence": 1.0})
        sound = active(wave)
        inside = np.flatnonzero(sound)
        quiet = ~sound[inside[0] : inside[-1] + 1] if len(inside) else np.array([], dtype=bool)
        edges = np.flatnonzero(np.diff(np.concatenate(([False], quiet, [False])).astype(np.int8)))
        power = float(np.square(raw).mean())
        last = wave[-TAIL:]
        return Verdict({
            "silence": float(1 - sound.mean()),
            "pause": round(float((edges[1::2] - edges[::2]).max(initial=0)) * 0.01, 3),
            "clipped": float(np.mean(np.abs(raw) >= CLIPPED) > 1e-3),
            "offset": float(abs(float(raw.mean())) > 0.05 * np.sqrt(max(power, 1e-12))),
            "hiss": flatness(last),
            "level": round(float(10 * np.log10(max(power, 1e-12))), 2),
        })  # fmt: skip


def flatness(wave: Floats) -> float:
    """Spectral flatness of samples [n]: geometric over arithmetic mean of the power spectrum, 1 for white noise."""
    blocks = frames(wave)
    power = np.square(np.abs(np.fft.rfft(blocks * np.hanning(blocks.shape[1])))).mean(0) + 1e-12
    return round(float(np.exp(np.log(power).mean()) / power.mean()), 6)


def _pair(given: Judged, rate: int = RATE) -> tuple[Floats, Floats] | None:
    """Original and recording at one rate, aligned; None where there is no original or less than 0.1 s is left."""
    if given.original is None:
        return None
    left, right = align(at_rate(given.original, rate), at_rate(given.recording, rate), LONGEST_LAG)
    return None if len(left) < rate // 10 else (left, right)


class DistanceJudge:
    """SI-SDR and mel-cepstral distortion."""

    def __init__(self) -> None:
        self.versions = versions("numpy", "scipy")

    def judge(self, given: Judged) -> Verdict:
        """Against the original."""
        pair = _pair(given)
        if pair is None:
            return Verdict({"mcd": None, "si-sdr": None})
        return Verdict({"mcd": mel_cepstral_distortion(*pair), "si-sdr": si_sdr(*pair)})


class StoiJudge:
    """pystoi."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.versions = versions("pystoi")

    @classmethod
    def of(cls) -> StoiJudge:
        """Raises ModelError where it isn't installed."""
        return cls(need("pystoi", "the judge stoi"))

    def judge(self, given: Judged) -> Verdict:
        """None where there is too little speech for it."""
        pair = _pair(given)
        if pair is None:
            return Verdict({"stoi": None})
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            try:
                return Verdict({"stoi": float(self.module.stoi(*pair, RATE))})
            except RuntimeWarning:  # what it says when less than 0.4 s of speech is left
                return Verdict({"stoi": None})


class PesqJudge:
    """The package pesq, in wide-band mode, at 16 kHz."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.versions = versions("pesq")

    @classmethod
    def of(cls) -> PesqJudge:
        """Raises ModelError where it isn't installed."""
        return cls(need("pesq", "the judge pesq", "pip install 'vall-e[pesq]', with a C compiler"))

    def judge(self, given: Judged) -> Verdict:
        """None where it finds no utterance."""
        pair = _pair(given)
        if pair is None:
            return Verdict({"pesq": None})
        try:
            return Verdict({"pesq": float(self.module.pesq(RATE, *pair, "wb"))})
        except self.module.PesqError:
            return Verdict({"pesq": None})
