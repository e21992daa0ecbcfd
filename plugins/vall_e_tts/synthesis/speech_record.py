"""What the record of a synthesis says."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any

from vall_e_files import FORMAT, versions

from .passes import describe_passes
from .run import Run


def speech_record(run: Run, parts: Sequence[Mapping[str, Any]], samples: int, spent: float) -> dict[str, Any]:
    """Everything about a finished run.

    `parts` are the parts' own records, `samples` the length of the whole, `spent` the seconds of work.
    """
    engine, loaded, prompt = run.engine, run.engine.loaded, run.prompt
    seconds = samples / run.codec.sample_rate
    refined = [part["refined"] for part in parts if "refined" in part]
    reasons = [part["stop_reason"] for part in parts]
    return {
        "format": FORMAT, "task": run.request.task, "text": printable_text(run.prepared.reading.text),
        "spoken": " ".join(part["spoken"] for part in parts), "language": run.prepared.language,
        "language_id": run.language, "phonemes": " ".join(part["phonemes"] for part in parts),
        "phonemizer": run.prepared.phonemizer.name, "normalizers": [name for name, _ in run.prepared.front.normalizers],
        "markup": run.prepared.reading.markup, "speed": run.options.speed,
        "characters_removed": run.prepared.reading.removed, "seed": run.seed,
        "modality": run.passes.modality, "stop_reason": "length" if "length" in reasons else reasons[0],
        "refined": refined[0] if len(set(refined)) == 1 else refined or None,
        "tries": max(part["tries"] for part in parts), "duration": round(seconds, 6), "parts": list(parts),
        "references": [each.record() for each in run.prepared.references],
        "prompt": None if prompt is None else {
            "frames": len(prompt.codes), "seconds": round(prompt.used_seconds, 6),
            "transcript": prompt.transcript or None,
        },
        "listen": {"on": run.deaf is None, "why_not": run.deaf},
        "scorers": [each.scorer.to_spec() for each in run.judges],
        "samplers": {stage: plan.record() for stage, plan in run.plans.items()},
        "passes": describe_passes(run.passes),
        "model": {
            "name": engine.place.label, "path": str(loaded.path), "sha256": loaded.sha256,
            "loras": [str(path) for path in loaded.loras], "config": dict(loaded.config.summary()),
        },
        "codec": {
            "name": run.codec.name, "spec": engine.codec_spec, "sample_rate": run.codec.sample_rate,
            "frame_rate": run.codec.frame_rate, "levels": run.codec.levels,
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
