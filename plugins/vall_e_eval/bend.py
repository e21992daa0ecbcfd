"""References bent into voices that no model has heard: another pitch, another pace.

`pitch=+4` plays the recording faster by 2^(4/12), so that pitch and formants rise by four semitones together (as a
smaller person's would), and stretches the time back. `pitch=+4,formant=0` moves the formants back. `rate=0.85` speaks
more slowly at the same pitch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vall_e_audio import bent
from vall_e_core import UsageError

Samples = NDArray[np.float32]

PITCHES, RATES = (-24.0, 24.0), (0.4, 2.5)


@dataclass(frozen=True)
class Bend:
    """One variant: `pitch` and `formant` in semitones (None: it follows the pitch), `rate` a factor of the pace."""

    pitch: float = 0.0
    rate: float = 1.0
    formant: float | None = None

    @classmethod
    def parse(cls, spec: str) -> Bend:
        """`pitch=+4`, `rate=0.9`, `pitch=-3,formant=0,rate=1.1`, or `none`. Raises UsageError."""
        if spec.strip().lower() == "none":
            return cls()
        values: dict[str, float] = {}
        for part in spec.split(","):
            key, equals, value = (each.strip() for each in part.partition("="))
            limits = {"pitch": PITCHES, "formant": PITCHES, "rate": RATES}.get(key)
            try:
                number = float(value)
            except ValueError:
                number = float("nan")
            if not equals or limits is None or key in values or not limits[0] <= number <= limits[1]:
                raise UsageError(
                    f"--bend: can't bend a voice by {spec!r}",
                    cause=f"pitch and formant are in semitones, {PITCHES[0]:g} to {PITCHES[1]:g}; rate a factor, "
                    f"{RATES[0]:g} to {RATES[1]:g}",
                    try_="--bend pitch=+4   --bend pitch=-4,formant=0,rate=1.1   --bend none",
                )
            values[key] = number
        return cls(**values)

    @property
    def neutral(self) -> bool:
        """Whether it changes nothing."""
        return self.pitch == 0 and self.rate == 1 and self.formant in (None, 0.0)

    @property
    def label(self) -> str:
        """What a bent reference's name ends with; empty where nothing changes."""
        pitch = f"{self.pitch:+g}" if self.pitch else ""
        formant = f"f{self.formant:+g}" if self.formant is not None else ""
        return pitch + formant + (f"x{self.rate:g}" if self.rate != 1 else "")

    def __call__(self, wave: Samples, sample_rate: int) -> Samples:
        """Samples [n] at `sample_rate`, bent; about n / rate of them."""
        if self.neutral:
            return wave
        return bent(wave, sample_rate, pitch=self.pitch, formant=self.formant, rate=self.rate)
