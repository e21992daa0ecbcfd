"""What each try of a bad take changes: the noise, then what samplers offer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vall_e_core import PluginError, UsageError
from vall_e_core.sampling.running import ChainPlan, canonical, compile_chain

if TYPE_CHECKING:
    from vall_e_core import Sampler

AS_ASKED = "as asked"


@dataclass(frozen=True)
class Rung:
    """The chain of a try, and what is to be said of it."""

    name: str
    plan: ChainPlan


def ladder(plan: ChainPlan, known: Iterable[type[Sampler]]) -> tuple[Rung, ...]:
    """The chain of each try, in order; the last one serves all tries after it.

    The second try is the first with other noise. Then comes what the installed samplers offer (`Sampler.retry`):
    repetition-aware sampling, which gets out of loops, and a lower temperature. Only an AR chain that ends in a plain
    draw is changed: who asks for a search or another selector gets it in every try.
    """
    asked = Rung(AS_ASKED, plan)
    if plan.stage != "ar" or not plan.draws:
        return (asked,)
    offers = (_offer(each, plan) for each in reversed(canonical(known)))
    return (asked, asked, *filter(None, offers))


def _offer(sampler: type[Sampler], plan: ChainPlan) -> Rung | None:
    """What a sampler offers for a bad take. Raises PluginError for an offer that is none."""
    offered: Any = sampler.retry(plan.transforms)
    if offered is None:
        return None
    try:
        name, chain = offered
        return Rung(str(name), compile_chain(list(chain), plan.stage))
    except (TypeError, ValueError, AttributeError, UsageError) as error:
        raise PluginError(
            f"the sampler {sampler.name} offers no chain: retry() must return a name and the members, or None",
            cause=f"{type(error).__name__}: {error}; it comes from the package {sampler.__module__.partition('.')[0]}",
            try_="leave it out (VALL_E_DISABLE); its author can run: vall-e plugins check",
        ) from error
