"""`vall-e samplers explain`: what a chain will do, before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vall_e_core import ModelError, Sampler, Task, param
from vall_e_core.cli import State, TaskCommand

if TYPE_CHECKING:
    from vall_e_core import Session
    from vall_e_core.sampling.running import ChainPlan, ChainRequest
    from vall_e_lm import BaseModel

_WHERE = {"ar": "AR pass", "nar": "NAR levels", "stt": "transcription"}


@dataclass(frozen=True)
class Explain(Task):
    """Show the chain that flags build: its members, what is left out and why, and warnings.

    Takes --sampler and the plain sampler flags of `vall-e tts`, or with --stage stt those of `vall-e stt`. Only the
    model's advice is read.
    """

    name = "explain"
    sampler_stages = ("ar", "nar")

    stage: str | None = param(None, choices=("ar", "nar", "stt"), help="show only this stage; default: ar and nar")
    model: str | None = param(
        None, metavar="FILE|NAME", help="the model whose advice is used; default: the embedded voice"
    )

    def run(self, session: Session) -> None:
        from vall_e_core.sampling.running import ChainRequest
        from vall_e_lm import plan_chain

        wanted = ("ar", "nar") if self.stage is None else (self.stage,)
        known = session.registry.samplers()
        seen: Seen | None = None
        record: dict[str, object] = {}
        lines: list[str] = []
        for stage in wanted:
            flags = {key: value for key, value in session.sampler_flags(stage).items() if session.given(key)}
            request = ChainRequest(session.chain("ar" if stage == "stt" else stage), flags)
            if seen is None and (request.explicit is None or self.model is not None):
                seen = look(session, self.model)
            source = "--nar-sampler" if stage == "nar" else "--sampler"
            if request.explicit is None:
                source = f"{'plain flags, ' if flags else ''}the model's advice and the defaults"
            plan = plan_chain(known, stage, request, {} if seen is None else seen.advice)
            lines += [""] if lines else []
            if stage == "ar" and seen is not None and not seen.follows(plan, request, known):
                record[stage] = None
                lines.append(f"{_WHERE[stage]}: none, the model makes level 0 at once, by the chain of the NAR levels")
                continue
            record[stage] = {"members": plan.record(), "chooser": plan.chooser, "warnings": list(plan.warnings)}
            lines += [f"{_WHERE[stage]}, from {source}:", *explained(plan)]
            if wanted == ("nar",) and session.chain("ar") is not None:
                lines.append("  note: --sampler is the AR pass's chain, --nar-sampler that of the levels")
        session.result(record, "\n".join(lines))


@dataclass(frozen=True)
class Seen:
    """What the header of a model tells: its advice, and the model without its weights, if there is one."""

    advice: Mapping[str, object]
    model: BaseModel | None = None

    def follows(self, plan: ChainPlan, request: ChainRequest, known: Sequence[type[Sampler]]) -> bool:
        """Whether the model has an AR pass for the plan. Raises UsageError for what it can't do of it."""
        from vall_e_lm import ar_only, check_version

        from .synthesis.passes import choose_modality, require_ar

        if self.model is None:
            return True
        modality = choose_modality(self.model, "auto")
        require_ar(self.model, modality, ar_only(known, request))
        if modality == "ar":
            check_version(plan, self.model.config.version)
        return modality == "ar"


def look(session: Session, model: str | None) -> Seen:
    """Read a model's header; where no model is named and none is installed there is nothing to see."""
    from vall_e_lm import ModelOptions, empty_model, find_model, inspect_model

    try:
        place = find_model(session.registry, ModelOptions(model=model))
    except ModelError:
        if model is not None:
            raise
        return Seen({})
    if place.path is None:
        return Seen({})
    config, container = inspect_model(Path(place.path))
    found = container.metadata.get("advice", container.config.get("advice"))
    return Seen(dict(found) if isinstance(found, dict) else {}, empty_model(config))


def explained(plan: ChainPlan) -> list[str]:
    """A line for each member in order with what it does, those that are off with the reason, then the warnings."""
    rows: list[tuple[str, str, str]] = []
    count = 0
    for each in plan.members:
        spec, text = each.sampler.to_spec(), each.sampler.summary()
        if each.off is None:
            count += 1
            rows.append((str(count), spec, text))
        else:
            rows.append(("-", spec, f"off: {each.off}"))
    if plan.search is None and plan.selector is None:
        text = "the most probable token" if plan.takes_maximum else "draws from what is left"
        rows.append((str(count + 1), plan.chooser, text))
    width = max(len(spec) for _, spec, _ in rows)
    lines = [f"  {number:>2}  {spec:<{width}}  {text}" for number, spec, text in rows]
    return lines + [f"  warning: {line}" for line in plan.warnings]


def explain_command(state: State) -> click.Command:
    """The command; its flags are those of the installed samplers."""
    return TaskCommand("explain", Explain, state)
