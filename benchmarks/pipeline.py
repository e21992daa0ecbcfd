"""Part `pipeline`: the whole of `vall-e tts` with a published model's shape and EnCodec, three seconds of speech.

Weights are random, so it says nothing, but it takes as long. The further levels are also held against the processor's
own limit: an 8-bit product of their size, measured in the same run.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from unittest.mock import patch

import torch
from safetensors.torch import save_file

from vall_e_core import VallE, VallEError
from vall_e_lm import save_model

from .contenders import make_model
from .report import Report, Row
from .settings import THREE_SECONDS, Settings, Shape

PART = "pipeline"
VOICE = "heart"
KINDS = {"none": "float32", "int8": "int8", "int4": "int4"}
MOST_FACTOR = {"int8": 1.6, "int4": 1.4}
MOST_LOAD = 1.0
CODEBOOK, LEVELS = 1024, 8
"""Of EnCodec at 6 kbps."""
STAGES = ("encode", "text", "level 0", "further levels", "decode")
PIECES = ("<unk>", "<bos>", "</eos>", "<mask>", " ", *".,?!;:-'ˈˌː̩abdefhijklmnoprstuvwxzæðŋɐɑɔəɚɛɜɡɪɫɬɹɾʃʊʌʒʔθᵻ")
"""A phoneme table as checkpoints have it."""
ROWS_OF_PEAK = 510
"""Positions of a further level: text, reference, three seconds of speech."""


def run(settings: Settings, report: Report) -> None:
    """Each kind of weights: loaded for the first time and again, then warm."""
    shape = replace(settings.shape, audio_tokens=CODEBOOK)
    with tempfile.TemporaryDirectory() as name, patch.dict(os.environ, VALL_E_HOME=str(Path(name) / "home")):
        folder = Path(name)
        table = {piece: number for number, piece in enumerate(PIECES)}
        save_model(folder / "model.sft", make_model(shape), symmap=table)
        _save_codec(folder / "codec.safetensors")
        peak = product_peak(shape, settings)
        report.add(Row(PART, f"{PART}.peak", "8-bit product of a layer's size", peak / 1e9, "GOP/s", "oneDNN"))
        for quantize, title in KINDS.items():
            try:
                _measure(folder, quantize, title, shape, peak, settings, report)
            except VallEError as error:
                report.missing(PART, f"{PART}.{title}.rtf", f"{title}: real-time factor", error.render())


def _measure(
    folder: Path, quantize: str, title: str, shape: Shape, peak: float, settings: Settings, report: Report
) -> None:
    """One kind of weights."""
    def load() -> tuple[VallE, float]:
        began = perf_counter()
        made = VallE.load(
            folder / "model.sft", codec=f"encodec:{folder / 'codec.safetensors'}", quantize=quantize, device="cpu",
            threads=settings.threads,
        )  # fmt: skip
        return made, perf_counter() - began

    engine, first = load()
    again = tuple(load()[1] for _ in range(settings.runs))
    most = None if quantize == "none" or settings.quick else MOST_LOAD
    note = f"the first time {first:.3g}"
    report.add(Row(PART, f"{PART}.{title}.load", f"{title}: load", median(again), "s", note, most=most, rounds=again))

    steps = 6 if settings.quick else 225
    asked: dict[str, Any] = {"voice": VOICE, "seed": 1, "max_tries": 1, "max_ar_steps": str(steps), "listen": "off"}
    engine.synthesize("Ready.", **asked)
    factors, timings = [], []
    for _ in range(settings.runs):
        began = perf_counter()
        speech = engine.synthesize(THREE_SECONDS, **asked)
        factors.append((perf_counter() - began) / speech.seconds)
        timings.append(speech.record["timings"])
    most = None if settings.quick else MOST_FACTOR.get(quantize)
    name, rounds = f"{title}: real-time factor, the voice read before", tuple(factors)
    report.add(Row(PART, f"{PART}.{title}.rtf", name, median(factors), "x", f"{speech.seconds:.2f} s of speech",
                   most=most, rounds=rounds))  # fmt: skip
    for stage in STAGES:
        spent = tuple(each.get(stage, 0.0) for each in timings)
        key = f"{PART}.{title}.{stage.replace(' ', '_')}"
        report.add(Row(PART, key, f"{title}: {stage}", median(spent), "s", rounds=spent))
    _share_of_peak(speech.record, median(each["further levels"] for each in timings), title, shape, peak, report)


def _share_of_peak(
    record: dict[str, Any], seconds: float, title: str, shape: Shape, peak: float, report: Report
) -> None:
    """The products of the further levels, over what the processor can do: two operations a weight and position."""
    positions = sum(part["frames"] + len(part["phonemes"]) for part in record["parts"])
    positions += len(record["parts"]) * record["prompt"]["frames"]
    weights = shape.layers * (4 * shape.width**2 + 3 * shape.width * 4 * shape.width)
    made = 2 * weights * positions * (LEVELS - 1) / seconds
    note = f"{positions} positions, {LEVELS - 1} passes, {made / 1e9:.3g} GOP/s"
    name = f"{title}: further levels / 8-bit product"
    report.add(Row(PART, f"{PART}.{title}.of_peak", name, made / peak, "x", note))


def product_peak(shape: Shape, settings: Settings) -> float:
    """Operations a second of a quantized product [510, width] x [width, 4 width], the best of several."""
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    stream = torch.Generator().manual_seed(0)
    inputs, outputs = shape.width, 4 * shape.width
    packed = torch.ops.onednn.qlinear_prepack(
        torch.randint(-127, 128, (outputs, inputs), generator=stream, dtype=torch.int8), None
    )
    scales, zeros = torch.ones(outputs), torch.zeros(outputs, dtype=torch.int32)
    given = torch.randint(0, 256, (ROWS_OF_PEAK, inputs), generator=stream, dtype=torch.uint8)
    best = float("inf")
    for _ in range(5 if settings.quick else 50):
        began = perf_counter()
        torch.ops.onednn.qlinear_pointwise(
            given, 1.0, 128, packed, scales, zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )
        best = min(best, perf_counter() - began)
    return 2 * ROWS_OF_PEAK * inputs * outputs / best


def _save_codec(path: Path) -> None:
    """EnCodec's architecture with random weights, the codebooks too."""
    from vall_e_encodec.codec import new_network

    stream, state = torch.Generator().manual_seed(0), new_network().state_dict()
    for name, value in state.items():
        if name.endswith("embed"):
            value.normal_(generator=stream)
    save_file({name: value.contiguous() for name, value in state.items()}, str(path))
