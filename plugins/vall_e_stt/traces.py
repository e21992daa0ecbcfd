"""The trace of a transcription."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vall_e_core.sampling.running import utterance_key
from vall_e_trace import TraceLine, TraceLog, TraceRecorder, traced_steps

if TYPE_CHECKING:
    from vall_e_core.sampling.running import ChainPlan


def heard_log(
    recorder: TraceRecorder, plan: ChainPlan, limits: Mapping[int, int], record: Mapping[str, Any]
) -> TraceLog:
    """The trace of a transcription: its parts are the windows, in order.

    `limits` are the most steps of each window by its number; `record` is the run's own.
    """
    places = {utterance_key(number): number for number in limits}
    most = {utterance_key(number): limit for number, limit in limits.items()}
    lines = [TraceLine(step, places[step.key]) for step in traced_steps(recorder.fetch(), most)]
    lines.sort(key=lambda each: (each.part, each.step.step))
    head = {key: record[key] for key in ("task", "phonemes", "seed", "model", "codec", "versions")}
    parts = [{key: each[key] for key in ("start", "duration", "phonemes")} for each in record["windows"]]
    return TraceLog({**head, "chains": {"stt": plan.describe()}, "parts": parts}, lines)
