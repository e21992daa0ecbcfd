"""Which engine runs the layers: what `--engine` and `--quantize` mean for a model on a device."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from vall_e_core import Engine, ModelError, UsageError, suggestion

if TYPE_CHECKING:
    from vall_e_core import BuildContext, Registry

    from .checkpoint import Loaded
    from .engine import EngineModel
    from .options import ModelOptions

AUTO, EAGER, AS_IT_IS = "auto", "eager", "none"


def choose_engine(registry: Registry, options: ModelOptions, device: str) -> Engine | None:
    """The engine, or None for the core itself (`eager`); nothing heavy is imported.

    `auto` takes what is measured to be quickest among the engines that do what is asked: with weights as they are only
    those whose results are eager's. Raises UsageError.
    """
    known = registry.all(Engine)
    name, _, values = options.engine.partition(":")
    if name == EAGER:
        if options.quantize != AS_IT_IS:
            raise UsageError(
                f"the engine eager can't quantize to {options.quantize}", try_="--engine auto"
            )
        return None
    if name == AUTO:
        offered = [each for each in known.values() if each.automatic]
        fitting = [each for each in offered if _objection(each, options, device) is None]
        ready = [each for each in fitting if each.available()]
        chosen = max(ready or fitting, key=lambda each: (each.order, each.name), default=None)
        if options.quantize == AS_IT_IS:
            return chosen() if chosen is not None and ready else None
        if chosen is None:
            reasons = [reason for each in offered if (reason := _objection(each, options, device)) is not None]
            raise UsageError(
                f"no engine can run weights of {options.quantize} here",
                cause="; ".join(reasons) or "no engine is installed",
                try_="--quantize none",
            )
        return chosen()
    if name not in known:
        raise UsageError(f"unknown engine: {name}", try_=suggestion(name, [AUTO, EAGER, *known]))
    objection = _objection(known[name], options, device)
    if objection is not None:
        raise UsageError(objection, try_="--engine auto")
    return known[name].from_spec(values)


def adopt_engine(engine: Engine | None, loaded: Loaded, ctx: BuildContext, options: ModelOptions) -> str:
    """Hand the model to its engine; the name of what runs it now. Raises ModelError.

    An engine that nobody asked for and that can't run this model leaves it to the core, with a notice.
    """
    if engine is None:
        return EAGER
    try:
        model: EngineModel = engine.build(ctx)
        model.adopt(loaded.model, weights_identity(loaded))
    except ModelError as error:
        if options.engine != AUTO or options.quantize != AS_IT_IS:
            raise
        reason = f": {error.cause}" if error.cause else ""
        ctx.notify(f"{error}{reason}; {EAGER} does")
        return EAGER
    return model.name


def weights_identity(loaded: Loaded) -> str:
    """A hash that tells weights apart: the checkpoint's own, and its adapters', in their order."""
    from vall_e_files import sha256_file

    return hashlib.sha256(" ".join([loaded.sha256, *map(sha256_file, loaded.loras)]).encode()).hexdigest()


def _objection(engine: type[Engine], options: ModelOptions, device: str) -> str | None:
    """Why an engine can't do what is asked, in a sentence; None where it can."""
    kind = device.partition(":")[0]
    for what, found, takes in (
        ("runs on", kind, engine.devices),
        ("takes weights of", options.dtype, engine.dtypes),
        ("knows --quantize", options.quantize, engine.quantizations),
    ):
        if found not in takes:
            return f"the engine {engine.name} {what} {', '.join(sorted(takes))}, not {found}"
    return None
