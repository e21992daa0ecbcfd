"""The chains of an engine's runs: equal ones are built once, so that rows of several runs can share one."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from vall_e_core import BuildContext

if TYPE_CHECKING:
    from vall_e_core.sampling.running import Chain, ChainPlan

    from ..valle import VallE

KEPT = 64
"""Chains that are remembered."""


class Chains:
    """Builds chains for an engine; a chain holds nothing that changes, so that one serves any number of runs."""

    def __init__(self, engine: VallE) -> None:
        self._engine = engine
        self._made: OrderedDict[str, Chain] = OrderedDict()

    def build(self, plan: ChainPlan) -> Chain:
        """The chain of a plan."""
        key = f"{plan.stage} {plan.active!r}"
        if key not in self._made:
            self._made[key] = self._build(plan)
        self._made.move_to_end(key)
        while len(self._made) > KEPT:
            self._made.popitem(last=False)
        return self._made[key]

    def _build(self, plan: ChainPlan) -> Chain:
        engine, config = self._engine, self._engine.loaded.config
        stops, tokens = plan.stage == "ar", config.audio_tokens
        context = BuildContext(
            engine.device.name, engine.options.dtype, threads=engine.threads,
            vocab_size=tokens + (stops or config.version >= 7), stop_token=tokens if stops else None,
            frame_rate=engine.codec.frame_rate, stage=plan.stage, notify=engine.notify,
            component=engine.registry.get, owner=engine.registry.owner,
        )  # fmt: skip
        return plan.build(context)
