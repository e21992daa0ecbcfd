"""`--layer-skip` and its companions as the rule that the model follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from vall_e_core import UsageError

if TYPE_CHECKING:
    from .model import BaseModel, EarlyExit


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
    if not options.layer_skip and (
        options.layer_skip_exit_layer is not None
        or (options.layer_skip_entropy_threshold, options.layer_skip_varentropy_threshold) != (0.1, 0.1)
    ):
        raise ValueError("layer-skip-… settings do nothing without layer-skip")


def describe(rule: EarlyExit | None) -> dict[str, object] | None:
    """The rule as a record keeps it."""
    if rule is None:
        return None
    return {
        "exit_layer": rule.exit_layer, "entropy_threshold": rule.entropy_threshold,
        "varentropy_threshold": rule.varentropy_threshold,
    }  # fmt: skip
