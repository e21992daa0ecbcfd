"""What the record of a synthesis says."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any

from vall_e_files import FORMAT, versions

from .passes import describe_passes
from .run import SpeechRun


def speech_record(run: SpeechRun, parts: Sequence[Mapping[str, Any]], samples: int, spent: float) -> dict[str, Any]:
    """Everything about a finished run.

    `parts` are the parts' own records, `samples` the length of the whole, `spent` the seconds of work.
    """
    plan, prompt = run.plan, run.plan.prompt
    engine, loaded, prepared = plan.engine, plan.engine.loaded, plan.prepared
    seconds = samples / plan.codec.sample_rate
    refined = [part["refined"] for part in parts if "refined" in part]
    reasons = [part["stop_reason"] for part in parts]
    return {
        "format": FORMAT, "task": plan.task.name, "text": printable_text(prepared.reading.text),
        "spoken": " ".join(part["spoken"] for part in parts), "language": prepared.language,
        "language_id": plan.language, "phonemes": " ".join(part["phonemes"] for part in parts),
        "phonemizer": prepared.phonemizer.name, "normalizers": [name for name, _ in prepared.front.normalizers],
        "markup": prepared.reading.markup, "speed": plan.options.speed,
        "characters_removed": prepared.reading.removed, "seed": plan.seed,
        "modality": plan.passes.modality, "stop_reason": "length" if "length" in reasons else reasons[0],
        "refined": refined[0] if len(set(refined)) == 1 else refined or None,
        "tries": max(part["tries"] for part in parts), "duration": round(seconds, 6), "parts": list(parts),
        "references": [each.record() for each in prepared.references],
        "prompt": None if prompt is None else {
            "frames": len(prompt.codes), "seconds": round(prompt.used_seconds, 6),
            "transcript": prompt.transcript or None,
        },
        "listen": {"on": plan.deaf is None, "why_not": plan.deaf},
        "scorers": [each.scorer.to_spec() for each in plan.judges],
        "samplers": {stage: plan.record() for stage, plan in plan.chains.items()},
        "passes": describe_passes(plan.passes),
        "model": {
            "name": engine.place.label, "path": str(loaded.path), "sha256": loaded.sha256,
            "loras": [str(path) for path in loaded.loras], "config": dict(loaded.config.summary()),
        },
        "codec": {
            "name": plan.codec.name, "spec": engine.codec_spec, "sample_rate": plan.codec.sample_rate,
            "frame_rate": plan.codec.frame_rate, "levels": plan.codec.levels,
        },
        "device": engine.device.name, "device_reason": engine.device.reason, "dtype": engine.options.dtype,
        "engine": engine.engine, "quantize": engine.options.quantize,
        "threads": engine.threads, "versions": versions(),
        "timings": {
            "load": round(engine.load_seconds, 4), "total": round(spent, 4),
            **{stage: round(value, 4) for stage, value in run.clock.seconds.items()},
        },
        "rtf": round(spent / seconds, 4) if seconds > 0 else None, "warnings": list(run.warnings),
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }  # fmt: skip


def printable_text(text: str) -> str:
    """A text as JSON can hold it, with every character in its place: lone surrogates can't be written."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)
