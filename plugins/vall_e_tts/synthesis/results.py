"""What a synthesis hands back."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, overload

import numpy as np
from numpy.typing import NDArray

from vall_e_core import UsageError

from .ladder import AS_ASKED

if TYPE_CHECKING:
    from torch import Tensor

    from vall_e_files import OutputTarget
    from vall_e_trace import TraceLog

    from .parts import Said


@dataclass(frozen=True)
class Part:
    """One piece of a text: what was said for it and how it went.

    `codes` is [T, q]; `start` and `seconds` place it in the wave; `pause` is the silence after it, in seconds.
    """

    text: str
    phonemes: str
    codes: Tensor
    start: float
    seconds: float
    pause: float
    stop_reason: str
    seed: int
    tries: int
    verdict: str
    findings: tuple[str, ...] = ()
    log_probability: float | None = None
    refined: str | None = None
    alternative_log_probability: float | None = None
    degenerate: int = 0
    candidates: Sequence[Mapping[str, object]] = ()
    """What is known of every take that was judged, the kept one among them; empty where none was."""
    rung: str = AS_ASKED
    """Which chain made it: the one asked for, or what the ladder of tries changed about it."""
    attempts: Sequence[Mapping[str, object]] = ()
    """What became of every try, in order; empty where the first was good."""
    said: Said | None = None
    """What was read for the text, and where in the text that was given it stands."""

    def record(self, index: int) -> dict[str, object]:
        """What the record keeps of it."""
        from vall_e_files import sha256_codes

        found: dict[str, object] = {
            "index": index, "text": self.text, **self._said(), "phonemes": self.phonemes, "start": round(self.start, 6),
            "duration": round(self.seconds, 6), "pause": round(self.pause, 6), "frames": len(self.codes),
            "levels": self.codes.shape[1], "codes_sha256": sha256_codes(self.codes), "stop_reason": self.stop_reason,
            "seed": self.seed, "tries": self.tries, "rung": self.rung, "verdict": self.verdict,
            "findings": list(self.findings), "degenerate_steps": self.degenerate,
        }  # fmt: skip
        if self.attempts:
            found["attempts"] = [dict(each) for each in self.attempts]
        if self.log_probability is not None:
            found["log_probability"] = self.log_probability
        if self.refined is not None:
            found["refined"] = self.refined
            found["alternative_log_probability"] = self.alternative_log_probability
        if self.candidates:
            found["candidates"] = [dict(each) for each in self.candidates]
        return found


    def _said(self) -> dict[str, object]:
        if self.said is None:
            return {}
        found: dict[str, object] = {"spoken": self.said.spoken}
        if self.said.span is not None:
            found["span"] = list(self.said.span)
        if self.said.pause is not None:
            found["asked_pause"] = self.said.pause
        if self.said.lead:
            found["lead"] = self.said.lead
        if self.said.rate != 1:
            found["rate"] = self.said.rate
        return found


@dataclass(frozen=True)
class Speech:
    """A finished synthesis: `wave` [samples] float32 in -1..1, its rate, its parts in order, and the record."""

    wave: NDArray[np.float32]
    sample_rate: int
    parts: Sequence[Part]
    record: dict[str, Any]
    warnings: Sequence[str] = ()
    trace: TraceLog | None = None
    """What the chains did at every step, where a trace was asked for."""

    @property
    def seconds(self) -> float:
        """Length of the wave."""
        return len(self.wave) / self.sample_rate

    @property
    def stopped(self) -> bool:
        """Whether every part ended by itself."""
        return all(part.stop_reason != "length" for part in self.parts)

    @overload
    def save(
        self, target: Path | str, *, format: str | None = None, overwrite: bool = False, sidecar: bool = True
    ) -> Path: ...

    @overload
    def save(self, target: BinaryIO, *, format: str | None = None) -> None: ...

    def save(
        self, target: Path | str | BinaryIO, *, format: str | None = None, overwrite: bool = False, sidecar: bool = True
    ) -> Path | None:
        """Write the audio to a file, with the record beside it, or to an open binary file.

        Args:
            target: a path, or a file object, which is written to where it stands and left open.
            format: `wav`, `flac`, `ogg`, `opus`, `mp3`, or raw samples as `pcm_s16le`, `pcm_f32le`; if absent by the
                path's suffix, and WAV for a file object.
            overwrite: replace a file that exists.
            sidecar: write the record beside the audio.

        Returns:
            The path, or None for a file object.

        Raises:
            UsageError: for an existing file without `overwrite`, or an unknown format.
            InputError: where it can't be written.
        """
        from vall_e_files import check_output

        if not isinstance(target, str | Path):
            target.write(self.to_bytes("wav" if format is None else format))
            return None
        checked = check_output(str(target), format=format, overwrite=overwrite, sidecar=sidecar)
        self.write(checked, sidecar=sidecar)
        return Path(target)

    def to_bytes(self, format: str = "wav") -> bytes:
        """The audio as the bytes of a file; the formats are those of `save`. Raises UsageError for an unknown one."""
        from vall_e_audio import SYNTHETIC, encode_wave
        from vall_e_files import FORMATS

        if format not in FORMATS:
            raise UsageError(f"unknown format: {format}", try_=f"one of: {', '.join(FORMATS)}")
        return encode_wave(self.wave, self.sample_rate, format, comment=SYNTHETIC)

    def _repr_html_(self) -> str:
        """A player with what was said, for a notebook."""
        sound = base64.b64encode(self.to_bytes("wav")).decode("ascii")
        said = html.escape(" ".join(part.text for part in self.parts))
        return (
            f'<figure><figcaption>{said} ({self.seconds:.1f} s)</figcaption>'
            f'<audio controls src="data:audio/wav;base64,{sound}"></audio></figure>'
        )

    def write(self, target: OutputTarget, *, sidecar: bool = True) -> dict[str, Any]:
        """Write to a checked target; returns the record, with the file's path, format, size and hash added."""
        import hashlib

        from vall_e_files import with_output

        data = self.to_bytes(target.format)
        sha256 = hashlib.sha256(data).hexdigest()
        record = with_output(self.record, target, self.sample_rate, len(self.wave), sha256)
        target.write(data, record if sidecar else None)
        return record
