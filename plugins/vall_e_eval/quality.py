"""The judge of how a recording sounds: DNSMOS by the package speechmos, whose models come with it."""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .extras import INSTALL_JUDGES, need, quietly, versions
from .features import RATE, at_rate
from .judged import Verdict

if TYPE_CHECKING:
    from .judged import Judged, Recording

WINDOW = round(9.01 * RATE)
"""Samples that the network takes at once."""
SHORTEST = round(0.1 * RATE)
SCALES = {"ovrl": "ovrl_mos", "sig": "sig_mos", "bak": "bak_mos"}
"""What speechmos calls the three scales of ITU-T P.835."""


class DnsmosJudge:
    """Opinion scores as listeners would give them, guessed by a network: 1 to 5; clean speech gets 3.2 to 3.4."""

    def __init__(self) -> None:
        """Raises ModelError where speechmos isn't installed."""
        self._speechmos = need("speechmos.dnsmos", "the judge dnsmos", INSTALL_JUDGES)
        self.versions = versions("speechmos", "librosa", "onnxruntime")
        self._scores = lru_cache(maxsize=64)(self._measure)

    @cached_property
    def _model(self) -> Any:  # noqa: ANN401 - untyped
        """speechmos's own class with sessions on one thread: its own take every core there is."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        folder = Path(str(self._speechmos.__file__)).parent / "dnsmos_models"
        model = self._speechmos.DNSMOS.__new__(self._speechmos.DNSMOS)
        model.onnx_sess = onnxruntime.InferenceSession(str(folder / "sig_bak_ovr.onnx"), options)
        model.p808_onnx_sess = onnxruntime.InferenceSession(str(folder / "model_v8.onnx"), options)
        return model

    def judge(self, given: Judged) -> Verdict:
        """The three scales, and what is lost of the first against the original; None for what has no sound."""
        found = dict(self._scores(given.recording))
        if given.original is not None:
            before = self._scores(given.original)["ovrl"]
            after = found["ovrl"]
            found["loss"] = None if before is None or after is None else before - after
        return Verdict(found)

    def _measure(self, recording: Recording) -> dict[str, float | None]:
        wave = np.clip(at_rate(recording), -1.0, 1.0).astype(np.float32)
        if len(wave) < SHORTEST or not wave.any():
            return dict.fromkeys(SCALES)
        if len(wave) < WINDOW:  # speechmos itself doubles what is short until it is too long: up to nine windows
            wave = np.resize(wave, WINDOW)
        with quietly():
            scores = self._model(wave, RATE, False)
        return {name: float(scores[key]) for name, key in SCALES.items()}
