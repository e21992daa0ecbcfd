"""The chain of each stage: what the user asked for, else the checkpoint's advice, else ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from vall_e_core import MISSING, UsageError
from vall_e_core.sampling.running import ChainPlan, ChainRequest, chain_from_flags, compile_chain, flag_names

if TYPE_CHECKING:
    from vall_e_core import Sampler

#: What a stage does when nobody says anything, as plain flags. Stages that aren't here take the likeliest token.
DEFAULTS: Mapping[str, Mapping[str, object]] = {"ar": {"ar-temp": 0.95}, "nar": {"nar-temp": 0.0}}
_GREEDY: Mapping[str, object] = {"ar-temp": 0.0, "nar-temp": 0.0}


def plan_chain(
    known: Iterable[type[Sampler]],
    stage: str,
    request: ChainRequest | None = None,
    advice: Mapping[str, object] | None = None,
) -> ChainPlan:
    """The plan of a stage. Raises UsageError for a chain that can't be.

    `advice` is the checkpoint's, in the names of plain flags; it counts where nothing else was said.
    """
    asked = ChainRequest() if request is None else request
    if asked.explicit is not None:
        return compile_chain(chain_from_flags(known, {}, stage, explicit=asked.explicit), stage)
    classes = list(known)
    advised = as_flags(classes, advice or {}) if stage in DEFAULTS else {}
    chain = chain_from_flags(classes, asked.flags, stage, {**DEFAULTS.get(stage, _GREEDY), **advised})
    plan = compile_chain(chain, stage)
    return replace(plan, warnings=(*plan.warnings, *idle_flags(classes, asked.flags, advised, stage)))


def idle_flags(
    known: Iterable[type[Sampler]], given: Mapping[str, object], advised: Mapping[str, object], stage: str
) -> list[str]:
    """A sentence for each sampler that given flags only adjust, while nothing says to switch it on (`--dry-base`)."""
    found: list[str] = []
    for each in known:
        if stage not in each.stages:
            continue
        side = each.flag_stage(stage)
        flags = [(flag, param) for param in each.params() for flag in param.flags if flag.stage == side]
        mine = [flag.name for flag, _ in flags if given.get(flag.key) is not None]
        switches = [flag for flag, param in flags if param.neutral is not MISSING]
        if mine and switches and not any(flag.key in given or flag.key in advised for flag in switches):
            do = "do" if len(mine) > 1 else "does"
            found.append(f"{', '.join(mine)} {do} nothing without {switches[0].name}")
    return found


def as_flags(known: Iterable[type[Sampler]], advice: Mapping[str, object]) -> dict[str, object]:
    """What of a checkpoint's advice is a plain sampler flag, in any spelling (`ar_temperature`), by its own name."""
    spellings = {
        name.lstrip("-"): flag.key
        for sampler in known
        for parameter in sampler.params()
        for flag in parameter.flags
        for name in (flag.name, *flag.aliases)
    }
    keys = {key: spellings.get(str(key).replace("_", "-")) for key in advice}
    return {flag: advice[key] for key, flag in keys.items() if flag is not None}


def check_version(plan: ChainPlan, version: int) -> None:
    """That a model of this version can follow the plan of its AR pass. Raises UsageError."""
    if version < 7:
        return
    for each in plan.active:
        if each.role == "search":
            raise UsageError(
                f"{each.name} can't be used with this model",
                cause="it is of version 7, which chooses all levels of a frame at once: a search follows single tokens",
                try_="leave it out; --candidates 4 makes several takes and keeps the best",
            )
        if "unconditional_logits" in each.needs:
            raise UsageError(
                f"{each.name} can't be used with this model",
                cause="it is of version 7, which chooses all levels of a frame at once, and guidance must see them all",
                try_="--cfg-strength",
            )


def ar_only(known: Iterable[type[Sampler]], request: ChainRequest | None) -> list[str]:
    """What was said about the AR chain and about no other, as flags: what a model without that pass can't follow."""
    if request is None:
        return []
    if request.explicit is not None:
        return [f"--sampler {each.name}" for each in request.explicit if "nar" not in each.stages]
    shared = {flag for each in known if "nar" in each.stages for flag in flag_names(each, "nar")}
    return [f"--{key}" for key in request.flags if key not in shared]
