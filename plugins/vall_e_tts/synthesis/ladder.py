"""What each try of a bad take changes: the noise, then the selector, then the temperature."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vall_e_core.sampling.running import ChainPlan, compile_chain

if TYPE_CHECKING:
    from vall_e_core import Sampler

AS_ASKED = "as asked"
COOLER = 0.7
"""The last rung's temperature, as a share of the one asked for."""


@dataclass(frozen=True)
class Rung:
    """The chain of a try, and what is to be said of it."""

    name: str
    plan: ChainPlan


def ladder(plan: ChainPlan, known: Iterable[type[Sampler]]) -> tuple[Rung, ...]:
    """The chain of each try, in order; the last one serves all tries after it.

    The second try is the first with other noise. Then come repetition-aware sampling (Chen et al., "VALL-E 2", arXiv
    2406.05370), which gets out of loops, and a lower temperature, as far as these samplers are installed. Only an AR
    chain that ends in a plain draw is changed: who asks for a search or another selector gets it in every try.
    """
    asked = Rung(AS_ASKED, plan)
    if plan.stage != "ar" or plan.chooser != "multinomial":
        return (asked,)
    installed = {each.name: each for each in known}
    rungs = [asked, asked]
    if aware := installed.get("ras"):
        rungs.append(Rung("ras", compile_chain([*plan.transforms, aware()], plan.stage)))
    if temperature := installed.get("temperature"):
        rungs.append(Rung("cooler", compile_chain(cooled(plan.transforms, temperature), plan.stage)))
    return tuple(rungs)


def cooled(members: Sequence[Sampler], temperature: type[Sampler]) -> list[Sampler]:
    """The members with their temperature lowered, or with one where there was none."""
    lowered = [
        each.from_mapping({"t": round(COOLER * float(str(each.to_mapping()["t"])), 6)})
        if isinstance(each, temperature)
        else each
        for each in members
    ]
    return lowered if lowered != list(members) else [*members, temperature.from_mapping({"t": COOLER})]
