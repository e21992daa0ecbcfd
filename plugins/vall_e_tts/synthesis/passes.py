"""The passes that turn phonemes and a reference's codes into the codes of speech."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from torch import Tensor

from vall_e_core import UsageError
from vall_e_lm import (
    DEFAULT_GUIDANCE,
    Guidance,
    Target,
    early_exit,
)
from vall_e_lm import describe as describe_layer_skip

from ..options import DEMASKING_STEPS
from .takes import Wanted

if TYPE_CHECKING:
    from vall_e_lm import BaseModel, EarlyExit

    from ..options import SpeechOptions

Modality = Literal["ar", "nar-len"]

LENGTH_PADDING = 1.05
"""Lengths are predicted to the frame; a little room keeps the last sound whole."""
RESCALE = 0.7
"""Of guidance in the AR pass and the NAR levels, where it is asked for and this isn't. Demasking has its own."""


@dataclass(frozen=True)
class Passes:
    """How the passes are run: what is left of the options once the model is known."""

    modality: Modality
    seed: int
    max_tries: int
    batch_size: int
    levels: int | None
    """NAR levels; None for all, 0 for none."""
    early_exit: EarlyExit | None = None
    refine: bool = False
    prefix: bool = False
    ar_guidance: Guidance | None = None
    nar_guidance: Guidance | None = None
    demask_guidance: Guidance | None = None
    steps: int = 25
    candidates: int = 1
    """Takes of each part, of which the best is kept."""


def settle_passes(model: BaseModel, options: SpeechOptions, seed: int, given_ar: Sequence[str] = ()) -> Passes:
    """Match the options with what the model can do.

    `given_ar` names further AR-only settings that were asked for. Raises UsageError where they can't apply.
    """
    modality = choose_modality(model, options.modality)
    only_ar = [
        name
        for name, on in (
            ("--input-prompt-prefix", options.input_prompt_prefix),
            ("--refine-on-stop", options.refine_on_stop),
            ("--layer-skip", options.layer_skip),
        )
        if on
    ]
    refused = [*only_ar, *given_ar]
    require_ar(model, modality, refused)
    if modality == "ar" and options.refine_on_stop and model.config.version >= 7:
        raise UsageError(
            "--refine-on-stop can't be used with this model",
            cause="it is of version 7, which chooses all levels of a frame at once",
        )
    if modality == "ar" and options.steps != DEMASKING_STEPS:
        raise UsageError("--steps does nothing here", cause="it is for --modality nar-len; the AR pass runs")
    strength = options.cfg_strength
    if modality == "ar" and not strength and options.cfg_rescale is not None:
        raise UsageError("--cfg-rescale does nothing without guidance", try_="--cfg-strength 2")
    rescale = RESCALE if options.cfg_rescale is None else options.cfg_rescale
    shared = None if not strength else Guidance(strength, rescale)
    demask = Guidance(
        DEFAULT_GUIDANCE.strength if strength is None else strength,
        DEFAULT_GUIDANCE.rescale if options.cfg_rescale is None else options.cfg_rescale,
    )
    return Passes(
        modality, seed, options.max_tries, options.batch_size, options.max_nar_levels,
        early_exit=early_exit(model, options), refine=options.refine_on_stop, prefix=options.input_prompt_prefix,
        ar_guidance=shared, nar_guidance=shared, demask_guidance=demask, steps=options.steps,
        candidates=options.candidates,
    )  # fmt: skip


def require_ar(model: BaseModel, modality: Modality, given: Sequence[str]) -> None:
    """Raises UsageError where AR-only settings were given, by the names in `given`, and no AR pass is run."""
    if modality == "ar" or not given:
        return
    has = has_ar_pass(model)
    why = "level 0 is made at once (nar-len), without an AR pass" if has else "the model has no AR pass"
    raise UsageError(
        f"{', '.join(given)} can't be used here", cause=f"AR only: {why}", try_="--modality ar" if has else None
    )


def has_ar_pass(model: BaseModel) -> bool:
    """Whether the model was trained for the AR pass; tables and heads for it are there in any case."""
    return "ar" in model.config.capabilities and model.supports(Target("ar"))


def choose_modality(model: BaseModel, asked: str) -> Modality:
    """`ar` or `nar-len`. Raises UsageError where the model can't do what is asked."""
    has_ar = has_ar_pass(model)
    has_len = "len" in model.config.capabilities and all(model.supports(Target(kind)) for kind in ("nar-len", "len"))
    if asked == "auto":
        if not has_ar and not has_len:
            raise UsageError("the model can't speak", cause=f"its capabilities: {_capabilities(model)}")
        at_once = has_len and model.config.version >= 7  # what models of version 7 are made for
        return "ar" if has_ar and not at_once else "nar-len"
    if asked == "ar" and not has_ar:
        raise UsageError("the model has no AR pass", cause=f"its capabilities: {_capabilities(model)}")
    if asked == "nar-len" and not has_len:
        raise UsageError(
            "the model can't make level 0 at once (nar-len)", cause=f"its capabilities: {_capabilities(model)}"
        )
    return "ar" if asked == "ar" else "nar-len"


def describe_passes(passes: Passes) -> dict[str, object]:
    """The settled passes as the record keeps them."""
    guide = passes.ar_guidance if passes.modality == "ar" else passes.demask_guidance
    return {
        "nar_levels": passes.levels, "refine_on_stop": passes.refine, "input_prompt_prefix": passes.prefix,
        "early_exit": describe_layer_skip(passes.early_exit),
        "guidance": None if guide is None else {"strength": guide.strength, "rescale": guide.rescale},
        "steps": passes.steps if passes.modality == "nar-len" else None,
        "max_tries": passes.max_tries, "candidates": passes.candidates, "batch_size": passes.batch_size,
    }  # fmt: skip


def padded_length(predicted: int, wanted: Wanted, frame_rate: float) -> int:
    """A predicted length in frames as it is used: a little longer, at least a second (or the text's own length)."""
    least = math.ceil(min(frame_rate, wanted.expected))
    return min(max(math.ceil(predicted * LENGTH_PADDING), least, 1), wanted.limit)


def trim_prompt(codes: Tensor, frames: int, *, repeat: bool = False) -> Tensor:
    """The first `frames` of a reference's codes [T, Q], all of them for 0; with `repeat` a short one is said again."""
    if frames <= 0 or len(codes) == 0:
        return codes
    if repeat and len(codes) < frames:
        codes = codes.repeat(-(-frames // len(codes)), 1)
    return codes[:frames]


def _capabilities(model: BaseModel) -> str:
    return ", ".join(sorted(model.config.capabilities)) or "none"


__all__ = [
    "Modality", "Passes", "choose_modality", "describe_passes", "padded_length", "settle_passes", "trim_prompt",
]  # fmt: skip
