"""`--layer-skip` and its companions: how they are declared, and the rule that the model follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from vall_e_core import UsageError, param

if TYPE_CHECKING:
    from .model import BaseModel, EarlyExit


_DECLARED: Mapping[str, Mapping[str, Any]] = {
    "layer_skip": {
        "default": False, "help": "early exit: skip layers when the model is sure enough (if it was trained for it)",
    },
    "layer_skip_exit_layer": {
        "default": None, "min": 0, "help": "last layer to use, from 0, at least half of them; default: the last",
    },
    "layer_skip_entropy_threshold": {
        "default": 0.1, "min": 0.0, "max": float("inf"), "unit": "bits",
        "help": "exit early if the entropy is at most this",
    },
    "layer_skip_varentropy_threshold": {
        "default": 0.1, "min": 0.0, "max": float("inf"), "unit": "bits²",
        "help": "exit early if the varentropy is at most this",
    },
}  # fmt: skip


def layer_skip_param(name: str) -> Any:  # noqa: ANN401 - stands for a value of the field's type, as `param` does
    """One of the four options, for a group of options that has them all. Raises KeyError for another name."""
    return param(**_DECLARED[name])


class LayerSkip(Protocol):
    """The four options, of whichever task has them."""

    @property
    def layer_skip(self) -> bool: ...
    @property
    def layer_skip_exit_layer(self) -> int | None: ...
    @property
    def layer_skip_entropy_threshold(self) -> float: ...
    @property
    def layer_skip_varentropy_threshold(self) -> float: ...


def early_exit(model: BaseModel, options: LayerSkip) -> EarlyExit | None:
    """The rule, or None without `--layer-skip`. Raises UsageError for a model that wasn't trained for it."""
    from .model import EarlyExit

    if not options.layer_skip:
        return None
    if not model.config.layerskip:
        raise UsageError("--layer-skip can't be used here", cause="the model wasn't trained for early exit")
    layers = model.config.layers
    last = layers - 1 if options.layer_skip_exit_layer is None else options.layer_skip_exit_layer
    if last >= layers:
        raise UsageError(f"--layer-skip-exit-layer {last}: the model's last layer is {layers - 1}")
    return EarlyExit(last, options.layer_skip_entropy_threshold, options.layer_skip_varentropy_threshold)


def check_layer_skip(options: LayerSkip) -> None:
    """That the companions don't stand alone. Raises ValueError."""
    companions = [name for name in _DECLARED if name != "layer_skip"]
    if not options.layer_skip and any(getattr(options, each) != _DECLARED[each]["default"] for each in companions):
        raise ValueError("layer-skip-… settings do nothing without layer-skip")


def describe(rule: EarlyExit | None) -> dict[str, object] | None:
    """The rule as a record keeps it."""
    if rule is None:
        return None
    return {
        "exit_layer": rule.exit_layer, "entropy_threshold": rule.entropy_threshold,
        "varentropy_threshold": rule.varentropy_threshold,
    }  # fmt: skip
