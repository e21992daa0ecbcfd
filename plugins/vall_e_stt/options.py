"""How speech is transcribed: flags of the task `stt`, keywords of `VallE.transcribe`.

Importing this imports nothing heavy.
"""

from __future__ import annotations

from dataclasses import dataclass

from vall_e_core import Component, param
from vall_e_lm import check_layer_skip, layer_skip_param, require_condition


@dataclass(frozen=True, eq=False, repr=False)
class HearingOptions(Component):
    """Language, the cutting of long audio, and the passes over the model."""

    name = "hearing options"

    language: str = param("en", help="spoken language, for models trained with one")
    spell: str = param(
        "none", metavar="NAME",
        help="write words with this speller instead of phonemes; auto is one for the language, if there is one",
    )  # fmt: skip
    window: float | None = param(
        None, min=1.0, max=60.0, unit="s",
        help="longest piece to transcribe at once; long audio is cut at quiet places; default: the checkpoint's "
             "advice, else 10",
    )  # fmt: skip
    vad: str = param(
        "auto", choices=("auto", "silero", "energy", "off"),
        help="how speech is found: silero is a neural network, energy is loudness, off transcribes everything; "
             "auto is silero if it is installed, else energy",
    )  # fmt: skip
    max_steps: int | None = param(None, min=1, help="maximum number of phonemes per piece; default: by its length")
    seed: int | None = param(None, min=0, max=2**63 - 1, help="random seed, for a chain that draws; default: 0")
    layer_skip: bool = layer_skip_param("layer_skip")
    layer_skip_exit_layer: int | None = layer_skip_param("layer_skip_exit_layer")
    layer_skip_entropy_threshold: float = layer_skip_param("layer_skip_entropy_threshold")
    layer_skip_varentropy_threshold: float = layer_skip_param("layer_skip_varentropy_threshold")
    timeout: float | None = param(
        None, min=0.001, max=1e6, unit="s",
        help="give up on a recording that isn't transcribed after this long; the others go on",
    )  # fmt: skip
    batch_size: int = param(
        8, min=1, max=1024, help="pieces processed together; doesn't change the result in float32"
    )

    def check(self) -> None:
        """Rules between options. Raises ValueError."""
        require_condition(self.language)
        check_layer_skip(self)
