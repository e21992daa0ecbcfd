"""A saved voice as a file, and back, with every check: such a file may come from anywhere.

It is safetensors: `codes` int32 [T, Q], `audio` int16 [N] if the recording was kept, and one JSON object among the
metadata. Nothing in it is ever run. Importing this imports neither torch nor numpy.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vall_e_core import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .folder import SavedVoice

FORMAT = 1
"""Of the JSON; a reader refuses a newer one."""
KEY = "vall-e-voice"
LARGEST_FILE = 1 << 28
LONGEST_TEXT = 20_000
_MOST_FRAMES, _MOST_LEVELS, _MOST_CODES, _MOST_WARNINGS = 1 << 20, 64, 1 << 20, 50
_RATES = (1, 768_000)


def read_voice(path: Path, *, audio: bool = True) -> SavedVoice:
    """A voice from its file; the file's name is the voice's.

    Args:
        audio: read the kept recording's samples too.

    Raises InputError for a file that isn't a voice, whatever is wrong with it.
    """
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it isn't a regular file")
        if status.st_size > LARGEST_FILE:
            raise ValueError(f"it has {status.st_size} bytes, and no voice has so many")
        return _read(path, audio)
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        cause = getattr(error, "strerror", None) or printable(" ".join(str(error).split()))[:200]
        name = path.stem.lower()
        raise InputError(
            f"not a usable voice: {path}",
            cause=cause or type(error).__name__,
            try_=f"vall-e voices add {name} REF.wav --force   or vall-e voices rm {name}",
        ) from error


def voice_bytes(voice: SavedVoice) -> bytes:
    """The file's content."""
    import numpy as np
    from safetensors.numpy import save

    known = {key: value for key, value in voice.record().items() if key not in ("name", "seconds", "path")}
    tensors: dict[str, NDArray[Any]] = {"codes": np.ascontiguousarray(voice.codes, np.int32)}
    if voice.audio is not None:
        tensors["audio"] = np.ascontiguousarray(voice.audio, np.int16)
    made: bytes = save(tensors, {KEY: json.dumps({"format": FORMAT, **known}, allow_nan=False)})
    return made


def printable(text: str) -> str:
    """Without what could steer a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def _read(path: Path, audio: bool) -> SavedVoice:
    from safetensors import SafetensorError, safe_open

    from .folder import CodesOrigin, SavedVoice

    try:
        with safe_open(str(path), framework="numpy") as file:
            info = _parsed((file.metadata() or {}).get(KEY))
            names = set(file.keys())
            if names not in ({"codes"}, {"codes", "audio"}):
                raise ValueError(f"it holds {', '.join(sorted(names)) or 'nothing'} where codes should be")
            frames, levels = _shape(file.get_slice("codes"), "I32", 2)
            if not (0 < frames <= _MOST_FRAMES and 0 < levels <= _MOST_LEVELS):
                raise ValueError(f"it has codes of {frames} frames and {levels} levels")
            kept = "audio" in names
            if kept and _shape(file.get_slice("audio"), "I16", 1) == [0]:
                raise ValueError("the recording in it is empty")
            codes = file.get_tensor("codes")
            samples = file.get_tensor("audio") if kept and audio else None
    except SafetensorError as error:
        raise ValueError(f"it isn't safetensors: {error}") from error
    codec = info.get("codec")
    if not isinstance(codec, dict) or not _text(codec, "name"):
        raise ValueError("it doesn't name its codec")
    origin = CodesOrigin(
        str(_text(codec, "name")), _text(codec, "code_books_sha256"), int(_number(codec, "sample_rate", *_RATES)),
        _number(codec, "frame_rate", 0.1, 10_000), levels, int(_number(codec, "codebook_size", 1, _MOST_CODES)),
    )  # fmt: skip
    if codes.min() < 0 or codes.max() >= origin.codebook_size:
        raise ValueError(f"a code in it lies outside 0..{origin.codebook_size - 1}")
    warnings = info.get("warnings", [])
    if not isinstance(warnings, list) or not all(isinstance(each, str) for each in warnings[:_MOST_WARNINGS]):
        raise ValueError("its warnings aren't text")
    rate, channels = _given(info, "recording_rate", *_RATES), _given(info, "recording_channels", 1, 1024)
    return SavedVoice(
        codes, origin, path.stem.lower(), transcript=_text(info, "transcript"), phonemes=_text(info, "phonemes"),
        language=_text(info, "language") or "en", source=_text(info, "source"),
        recording_sha256=_text(info, "recording_sha256"), recording_rate=None if rate is None else int(rate),
        recording_channels=None if channels is None else int(channels), pitch=_given(info, "pitch", 1, 10_000),
        created=_text(info, "created"), note=_text(info, "note"),
        warnings=tuple(printable(each)[:LONGEST_TEXT] for each in warnings[:_MOST_WARNINGS]),
        audio_rate=int(_number(info, "audio_rate", *_RATES)) if kept else None, audio=samples, path=path,
    )  # fmt: skip


def _parsed(text: str | None) -> dict[str, Any]:
    found: Any = None if text is None else json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("its metadata isn't that of a voice")
    number = found.get("format")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ValueError("its metadata isn't that of a voice")
    if number > FORMAT:
        raise ValueError(f"its format is {number}, and this program reads up to {FORMAT}")
    return found


def _shape(found: Any, dtype: str, dimensions: int) -> list[int]:  # noqa: ANN401 - safetensors' own slice
    """The shape of a tensor whose samples haven't been read. Raises ValueError for another type or rank."""
    shape: list[int] = found.get_shape()
    if found.get_dtype() != dtype or len(shape) != dimensions:
        raise ValueError(f"a tensor in it is {found.get_dtype()} {shape}, not {dtype} of rank {dimensions}")
    return shape


def _text(info: Mapping[str, Any], key: str) -> str | None:
    value = info.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise ValueError(f"its {key} isn't a text of usual length")
    return printable(value)


def _given(info: Mapping[str, Any], key: str, least: float, most: float) -> float | None:
    return None if info.get(key) is None else _number(info, key, least, most)


def _number(info: Mapping[str, Any], key: str, least: float, most: float) -> float:
    value = info.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:  # no NaN passes
        raise ValueError(f"its {key} is {printable(str(value))[:40]}")
    return float(value)
