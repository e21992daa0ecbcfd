"""The contract that every codec keeps."""
# ruff: noqa: ANN401 - what a codec's methods return is what is looked at

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from vall_e_core import Codec

from .declared import NotBuilt, attributes, built, kept, methods, named

SECONDS = 1.3
CLOSE = 1e-4
"""How far samples may be apart where the same frames are decoded with others around them."""
CONTEXT = 32
"""Frames of context where a codec doesn't say."""


def check_codec(codec: type[Codec]) -> list[str]:
    """What a codec's class does that it mustn't: one sentence for each rule broken, empty where all is well."""
    try:
        return codec_problems(codec)
    except NotBuilt as error:
        return [str(error)]


def codec_problems(codec: type[Codec]) -> list[str]:
    """As `check_codec`. Raises NotBuilt where weights or a library are missing."""
    return kept(codec, Codec, _tried)


def _tried(one: Codec) -> Iterator[str]:
    model = built(one)
    lacking = list(methods(model, "encode", "decode"))
    numbers: dict[str, type | tuple[type, ...]] = {
        "sample_rate": int, "frame_rate": (float, int), "levels": int, "codebook_size": int,
    }  # fmt: skip
    lacking += [*named(model, one), *attributes(model, numbers)]
    lacking += [
        f"{type(model).__name__}.{name} is {value}: it must be at least {least}"
        for name, least in {"sample_rate": 1, "levels": 1, "codebook_size": 2}.items()
        if isinstance(value := getattr(model, name, least), int) and value < least
    ]
    if lacking or not model.frame_rate > 0:
        yield from lacking or [f"{type(model).__name__}.frame_rate is {model.frame_rate}: it must be above 0"]
        return
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        found = list(_encodes(model))
        yield from found
        if not found:
            yield from _decodes(model)


def _waves(model: Any) -> dict[str, Tensor]:
    """Recordings [samples] that any codec must take."""
    count = round(SECONDS * model.sample_rate)
    seconds = torch.arange(count) / model.sample_rate
    voiced = sum(torch.sin(2 * math.pi * 140 * k * seconds) / k for k in range(1, 12)) * torch.sin(3 * seconds).abs()
    noise = torch.randn(count, generator=torch.Generator().manual_seed(1))
    return {
        "a voice": (0.1 * torch.as_tensor(voiced)).float(),
        "noise": 0.2 * noise,
        "silence": torch.zeros(count),
        "clipped noise": (3 * noise).clamp(-1, 1),
    }


def _encodes(model: Any) -> Iterator[str]:
    waves = _waves(model)
    first: dict[str, Tensor] = {}
    for name, wave in waves.items():
        given = wave.clone()
        torch.manual_seed(1)
        codes = model.encode(given)
        wrong = list(_codes(model, codes, name, len(wave)))
        yield from wrong
        if wrong:
            return
        if not torch.equal(given, wave):
            yield "encode() writes to the samples that it is given: work on a copy"
        first[name] = codes.clone()
    for name, wave in reversed(waves.items()):
        torch.manual_seed(2)
        if not torch.equal(model.encode(wave.clone()), first[name]):
            yield f"encode() gives other codes for {name} the second time: keep no state, draw no random numbers"
            return


def _codes(model: Any, codes: Any, name: str, samples: int) -> Iterator[str]:
    if not isinstance(codes, Tensor) or codes.dim() != 2 or codes.dtype != torch.int64:
        what = f"{codes.dtype} {list(codes.shape)}" if isinstance(codes, Tensor) else type(codes).__name__
        yield f"encode() of {name} gives {what}: return int64 codes [T, {model.levels}]"
        return
    if codes.shape[1] != model.levels:
        yield f"encode() of {name} gives {codes.shape[1]} levels, `levels` says {model.levels}: make them agree"
    frames = samples * model.frame_rate / model.sample_rate
    if abs(codes.shape[0] - frames) > 2:
        yield (
            f"encode() of {name} gives {codes.shape[0]} frames for {samples} samples, `frame_rate` says {frames:.1f}: "
            "make them agree"
        )
    elif int(codes.min()) < 0 or int(codes.max()) >= model.codebook_size:
        lowest, highest = int(codes.min()), int(codes.max())
        wrong = highest if highest >= model.codebook_size else lowest
        yield f"encode() of {name} gives the id {wrong}: ids run from 0 to {model.codebook_size - 1} (`codebook_size`)"


def _decodes(model: Any) -> Iterator[str]:
    made = torch.Generator().manual_seed(3)
    frames = max(8, round(model.frame_rate))
    one, two = (torch.randint(model.codebook_size, (frames, model.levels), generator=made) for _ in range(2))
    for levels in sorted({1, model.levels}):
        torch.manual_seed(1)
        given = one[:, :levels].clone()
        wrong = list(_wave(model, model.decode(given), frames, levels))
        yield from wrong
        if wrong:
            return
        if not torch.equal(given, one[:, :levels]):
            yield "decode() writes to the codes that it is given: work on a copy"
    torch.manual_seed(1)
    whole, other = model.decode(one).clone(), model.decode(two)
    if torch.equal(whole, other):
        yield "decode() gives the same sound for other codes: make it depend on them"
        return
    torch.manual_seed(2)
    if not _close(whole, model.decode(one)):
        yield "decode() gives another sound for the same codes the second time: keep no state, draw no random numbers"
        return
    yield from _windows(model)


def _wave(model: Any, wave: Any, frames: int, levels: int) -> Iterator[str]:
    if not isinstance(wave, Tensor) or wave.dim() != 1 or wave.dtype != torch.float32:
        what = f"{wave.dtype} {list(wave.shape)}" if isinstance(wave, Tensor) else type(wave).__name__
        yield f"decode() of {levels} levels gives {what}: return float32 samples [n]"
        return
    wanted = round(frames * model.sample_rate / model.frame_rate)
    if len(wave) != wanted:
        yield (
            f"decode() gives {len(wave)} samples for {frames} frames: sample_rate / frame_rate makes {wanted}, "
            "return exactly these"
        )
    elif not bool(wave.isfinite().all()):
        yield f"decode() of {levels} levels gives NaN or infinity: return finite samples"


def _windows(model: Any) -> Iterator[str]:
    """Sound that is played while it is made is decoded in windows."""
    context = getattr(model, "context_frames", CONTEXT)
    if not isinstance(context, int) or isinstance(context, bool) or context < 0:
        yield f"{type(model).__name__}.context_frames is {context!r}: make it a number of frames"
        return
    piece = 2 * context + 12
    hop = round(model.sample_rate / model.frame_rate)
    made = torch.Generator().manual_seed(4)
    codes = torch.randint(model.codebook_size, (3 * piece, model.levels), generator=made)
    whole = model.decode(codes)
    for start, end in pairwise(range(0, len(codes) + 1, piece)):
        before, behind = max(0, start - context), min(len(codes), end + context)
        window = model.decode(codes[before:behind])[(start - before) * hop :][: (end - start) * hop]
        if not _close(window, whole[start * hop : end * hop]):
            yield (
                f"decode() of frames {start} to {end - 1} with {context} frames on either side differs from decoding "
                "all: raise `context_frames` to what a frame's samples depend on"
            )
            return


def _close(left: Tensor, right: Tensor) -> bool:
    scale = float(right.abs().max().clamp(min=1.0)) if len(right) else 1.0
    return left.shape == right.shape and bool(((left - right).abs() <= CLOSE * scale).all())
