"""The teacher: Kokoro-82M (Apache-2.0) speaks English in its voices and in mixtures of them, with exact phone times.

The model and its voices come from the package registries, as the README of this folder says; `FOLDER` then holds
`kokoro-v1.0.int8.onnx`, `vocab.json` and `voices/*.bin`. English phonemes are espeak's, mapped to the alphabet that
Kokoro was trained on (misaki's).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

RATE = 24000
FRAME = 600
"""Samples in a frame of the teacher's durations."""
SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
"""Of the int8 ONNX file as its packages carry it."""
DURATIONS = "/encoder/Clip_output_0"
"""The tensor of the graph that holds each token's length in frames."""
LONGEST = 508
"""Tokens in one call, without the zeros around them."""

_TIES = {
    "ʔˌn̩": "ʔn", "ʔn̩": "ʔn", "a^ɪ": "I", "a^ʊ": "W", "d^ʒ": "ʤ", "e^ɪ": "A", "e": "A", "t^ʃ": "ʧ", "ɔ^ɪ": "Y",
    "ə^l": "ᵊl", "ʲo": "jo", "ʲə": "jə", "ʲ": "", "ɚ": "əɹ", "r": "ɹ", "x": "k", "ç": "k", "ɐ": "ə", "ɬ": "l",
    "̃": "",
}  # fmt: skip
_AMERICAN = (("o^ʊ", "O"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɪə", "iə"), ("ː", ""))
_BRITISH = (("e^ə", "ɛː"), ("iə", "ɪə"), ("ə^ʊ", "Q"))
_LAST = (("o", "ɔ"), ("ɾ", "T"), ("ʔ", "t"), ("^", ""))
SILENT = frozenset(' .,!?;:—…"()“”')
STRESS = frozenset("ˈˌ")


class Spoken(NamedTuple):
    """What the teacher said."""

    wave: np.ndarray
    """[samples] float32 at 24 kHz, trimmed."""
    phones: list[tuple[str, float]]
    """Misaki symbol and its end in seconds; an empty one for silence at the ends."""


class Teacher:
    """Kokoro on one thread, which is its best throughput for each core.

    Args:
        folder: what the module's docstring says.
        threads: of ONNX Runtime.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self.folder, self.threads = folder, threads
        self.vocabulary: dict[str, int] = json.loads((folder / "vocab.json").read_text("utf-8"))["vocab"]
        self._phonemizers: dict[str, Any] = {}

    @cached_property
    def session(self) -> Any:  # noqa: ANN401 - onnxruntime has no types
        """The graph with the durations as a second output."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        return onnxruntime.InferenceSession(
            str(with_durations(self.folder)), options, providers=["CPUExecutionProvider"]
        )

    def voice(self, weights: Mapping[str, float]) -> np.ndarray:
        """A mixture of voices: [510, 256]. The weights sum to 1; a negative one extrapolates away from a voice."""
        parts = [
            weight * np.fromfile(self.folder / "voices" / f"{name}.bin", np.float32).reshape(510, 256)
            for name, weight in weights.items()
        ]
        return np.sum(parts, axis=0, dtype=np.float32)

    def phonemes(self, text: str, british: bool = False) -> str:
        """English text in misaki's alphabet."""
        language = "en-gb" if british else "en-us"
        if language not in self._phonemizers:
            self._phonemizers[language] = _espeak(language)
        ipa = self._phonemizers[language].phonemize([text])[0].strip()
        for old, new in sorted(_TIES.items(), key=lambda pair: -len(pair[0])):
            ipa = ipa.replace(old, new)
        ipa = re.sub("(\\S)̩", r"ᵊ\1", ipa).replace("̩", "")
        for old, new in (*(_BRITISH if british else _AMERICAN), *_LAST):
            ipa = ipa.replace(old, new)
        return str(ipa)

    def speak(self, text: str, voice: np.ndarray, speed: float = 1.0, british: bool = False) -> Spoken | None:
        """A sentence or a few, or None where there is nothing or too much to say.

        Args:
            voice: [510, 256], one style for each number of tokens.
        """
        symbols = [char for char in self.phonemes(text, british) if char in self.vocabulary]
        if not 1 <= len(symbols) <= LONGEST:
            return None
        tokens = np.array([[0, *(self.vocabulary[char] for char in symbols), 0]], np.int64)
        style = voice[len(symbols) - 1][None].astype(np.float32)
        wave, frames = self.session.run(
            None, {"tokens": tokens, "style": style, "speed": np.array([speed], np.float32)}
        )
        wave = np.asarray(wave, np.float32).ravel()
        return trimmed(wave, symbols, np.cumsum(np.asarray(frames).ravel()) * FRAME)


def trimmed(wave: np.ndarray, symbols: list[str], ends: np.ndarray) -> Spoken | None:
    """With 50 ms of silence before the first sound and 100 ms behind the last; None if there is no sound."""
    loud = np.flatnonzero(np.abs(wave) > 0.01)
    if not len(loud) or not np.isfinite(wave).all():
        return None
    begin, end = max(0, int(loud[0]) - RATE // 20), min(len(wave), int(loud[-1]) + RATE // 10)
    times = (np.clip(ends, begin, end) - begin) / RATE
    return Spoken(wave[begin:end], [(s, round(float(t), 4)) for s, t in zip(["", *symbols, ""], times, strict=True)])


def merged(phones: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Phones alone: a stress mark goes to the phone behind it, a short blank to the one before; silence is `''`."""
    found: list[tuple[str, float]] = []
    start = 0.0
    for symbol, end in phones:
        if symbol in STRESS:
            continue
        if symbol in SILENT and end - start < 0.06 and found:
            found[-1] = (found[-1][0], end)
        else:
            found.append(("" if symbol in SILENT else symbol, end))
        start = end
    return found


def with_durations(folder: Path) -> Path:
    """The ONNX file whose second output is `DURATIONS`; made from the packaged one if it isn't there yet.

    Raises:
        ValueError: the packaged file isn't the one that this recipe was made with.
    """
    path = folder / "kokoro-durations.onnx"
    if path.is_file():
        return path
    import onnx

    source = folder / "kokoro-v1.0.int8.onnx"
    if hashlib.sha256(source.read_bytes()).hexdigest() != SHA256:
        raise ValueError(f"{source} has another SHA-256 than {SHA256}")
    graph = onnx.load(source)
    graph.graph.output.append(onnx.helper.make_tensor_value_info(DURATIONS, onnx.TensorProto.FLOAT, None))
    onnx.save(graph, path)
    return path


def _espeak(language: str) -> Any:  # noqa: ANN401 - phonemizer has no types
    import espeakng_loader
    from phonemizer.backend import EspeakBackend
    from phonemizer.backend.espeak.wrapper import EspeakWrapper

    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    return EspeakBackend(language, preserve_punctuation=True, with_stress=True, tie="^", words_mismatch="ignore")
