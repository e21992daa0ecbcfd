"""How speech is transcribed: flags of the task `stt`, keywords of `VallE.transcribe`.

Importing this imports nothing heavy.
"""

from __future__ import annotations

from dataclasses import dataclass

from vall_e_core import Component, param
from vall_e_lm import check_layer_skip, require_condition


@dataclass(frozen=True)
class HearingOptions(Component):
    """Language, the cutting of long audio, and the passes over the model."""

    name = "hearing options"

    language: str = param("en", help="language spoken: the condition of models trained with one")
    window: float | None = param(
        None, min=1.0, max=60.0, unit="s",
        help="longest piece transcribed at once, long audio is cut where it is quiet; if absent as the checkpoint "
        "advises, else 10",
    )  # fmt: skip
    vad: str = param(
        "auto", choices=("auto", "silero", "energy", "off"),
        help="what finds the speech in a recording: Silero's network, loudness (auto, where the network isn't "
        "installed), or nothing: then whatever sounds is transcribed",
    )  # fmt: skip
    max_steps: int | None = param(None, min=1, help="most phonemes of one piece; from its length if absent")
    seed: int | None = param(None, min=0, max=2**63 - 1, help="random seed, for a chain that draws; 0 if absent")
    layer_skip: bool = param(False, help="leave the model's stack early where it is sure enough (if trained for it)")
    layer_skip_exit_layer: int | None = param(
        None, min=0, help="last layer that may be used, from 0, never below half the stack; the last if absent"
    )
    layer_skip_entropy_threshold: float = param(
        0.1, min=0.0, max=float("inf"), unit="bits", help="leave early when the entropy is at most this"
    )
    layer_skip_varentropy_threshold: float = param(
        0.1, min=0.0, max=float("inf"), unit="bits²", help="leave early when the varentropy is at most this"
    )
    batch_size: int = param(
        8, min=1, max=1024, help="pieces worked on together; in float32 it doesn't change the result"
    )

    def check(self) -> None:
        """Rules between options. Raises ValueError."""
        require_condition(self.language)
        check_layer_skip(self)
