"""The trace of a synthesis: one recorder for each use of a chain, and in the end one log of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from vall_e_core.sampling.running import utterance_key
from vall_e_trace import TraceLine, TraceLog, TraceRecorder, traced_steps

from .candidates import Chosen, identity
from .takes import Wanted, retry_seed

if TYPE_CHECKING:
    from vall_e_core.sampling.running import ChainPlan

Use = Literal["level 0", "further levels"]


class Traces:
    """What is recorded in one run."""

    def __init__(self) -> None:
        self._recorders: list[tuple[Use, TraceRecorder]] = []

    def recorder(self, use: Use, plan: ChainPlan) -> TraceRecorder:
        """A recorder for the chain of one use."""
        made = TraceRecorder(plan.chooser)
        self._recorders.append((use, made))
        return made

    def log(
        self,
        plans: Mapping[str, ChainPlan],
        wanted: Sequence[Wanted],
        chosen: Sequence[Chosen],
        record: Mapping[str, Any],
    ) -> TraceLog:
        """Everything, fetched from the device and told apart: of which part, candidate and try, and whether it's heard.

        `wanted` and `chosen` are of the parts in order; `record` is the run's own.
        """
        count = len(chosen[0].candidates)
        owners = {utterance_key(identity(i, n)): (i, n) for i in range(len(chosen)) for n in range(count)}
        limits = {key: wanted[part].limit for key, (part, _) in owners.items()}
        tries = {retry_seed(record["seed"], n): n for n in range(record["passes"]["max_tries"])}
        lines: list[TraceLine] = []
        for use, recorder in self._recorders:
            for step in traced_steps(recorder.fetch(), limits):
                part, candidate = owners[step.key]
                one = chosen[part]
                take = one.candidates[candidate].take
                again = tries[step.seed] if use == "level 0" else tries[take.seed]
                kept = candidate == one.place and again == tries[take.seed]
                lines.append(TraceLine(step, part, candidate, again, kept))
        lines.sort(key=lambda each: (each.step.stage, each.part, each.candidate, each.attempt))
        head = {key: record[key] for key in ("text", "seed", "modality", "created", "model", "codec", "versions")}
        chains = {stage: plan.describe() for stage, plan in plans.items()}
        parts = [{"text": each["text"], "phonemes": each["phonemes"]} for each in record["parts"]]
        return TraceLog({**head, "chains": chains, "parts": parts}, lines)
