"""Part `quality`: what rounding the weights does to the embedded voice, beside what another seed does.

Two looks: how far the opinions of the next token move, given the same codes; and how likely the float32 model finds
what each of them says, over several seeds: if a rounded model said worse things, they would be less likely.
"""

from __future__ import annotations

from itertools import product
from statistics import mean, stdev

import torch
from torch import Tensor
from torch.nn import functional as F

from vall_e_core import VallE, VallEError
from vall_e_lm import Inputs, Target, Utterance
from vall_e_lm.decode.parallel import response_logits
from vall_e_tts.synthesis.results import Part

from .report import Report, Row
from .settings import SENTENCES, Settings

PART = "quality"
VOICE, SEEDS = "heart", (1, 2, 3)
ROUNDED = ("int8", "int4")
PROMPT = 20
"""Frames of what was said that serve as the reference when opinions are asked."""


def run(settings: Settings, report: Report) -> None:
    """Say every sentence with every seed and kind of weights; then ask."""
    texts, seeds = (SENTENCES[:1], SEEDS[:2]) if settings.quick else (SENTENCES, SEEDS)
    try:
        engines = {key: VallE.load(device="cpu", quantize=key, threads=settings.threads) for key in ("none", *ROUNDED)}
        said = {
            (key, text, seed): engines[key].synthesize(text, voice=VOICE, seed=seed).parts[0]
            for text, seed, key in product(texts, seeds, engines)
        }
    except (VallEError, OSError) as error:
        reason = error.render() if isinstance(error, VallEError) else str(error)
        return report.missing(PART, f"{PART}.kl", "opinions of float32 and rounded weights", reason)
    where = f"{len(texts)} sentences"
    asked = {(key, text): opinions(engines[key], said["none", text, 1]) for key, text in product(engines, texts)}
    for level, name in enumerate(("level 0", "further levels")):
        short = name.replace(" ", "_")
        here = torch.cat([asked["none", text][level] for text in texts])
        entropy = float(-(here.softmax(-1) * here.log_softmax(-1)).sum(-1).mean())
        report.add(Row(PART, f"{PART}.{short}.entropy", f"{name}: entropy, float32", entropy, "nats", where))
        for key in ROUNDED:
            there = torch.cat([asked[key, text][level] for text in texts])
            moved = divergence(here, there)
            agree = float((here.argmax(-1) == there.argmax(-1)).float().mean())
            note = f"largest {float(moved.max()):.2g}; the likeliest token is the same in {100 * agree:.1f} %"
            report.add(
                Row(PART, f"{PART}.{short}.{key}.kl", f"{name}: mean KL, {key}", float(moved.mean()), "nats", note)
            )
    _likelihoods(report, engines["none"], said, texts, seeds)


def _likelihoods(
    report: Report, exact: VallE, said: dict[tuple[str, str, int], Part], texts: tuple[str, ...], seeds: tuple[int, ...]
) -> None:
    """The mean log-probability of a token of level 0 in float32, of what each kind of weights says."""
    scores = {key: likelihood(exact, part) for key, part in said.items()}
    for kind in ("none", *ROUNDED):
        each = tuple(mean(scores[kind, text, seed] for text in texts) for seed in seeds)
        name = "float32" if kind == "none" else kind
        note = f"seeds {', '.join(map(str, seeds))}: {', '.join(f'{one:.3f}' for one in each)}"
        report.add(
            Row(PART, f"{PART}.{kind}.likelihood", f"log-probability of what {name} says", mean(each), "nats", note,
                rounds=each)
        )  # fmt: skip
    spread = stdev(mean(scores["none", text, seed] for text in texts) for seed in seeds)
    report.add(Row(PART, f"{PART}.seeds.likelihood", "its deviation between seeds, float32", spread, "nats"))


def codes_and_phonemes(engine: VallE, part: Part) -> tuple[Tensor, Tensor]:
    """Codes [T, Q] and phonemes [L] of a take."""
    assert engine.loaded.tokenizer is not None
    return part.codes, torch.tensor(engine.loaded.tokenizer.encode(part.phonemes))


@torch.inference_mode()
def opinions(engine: VallE, part: Part) -> tuple[Tensor, Tensor]:
    """Logits at every step of level 0 [T, V], made step by step as in a synthesis, and of the further levels [Q T, V],
    given the codes of `part`, whose first frames are the reference."""
    model = engine.loaded.model
    codes, phonemes = codes_and_phonemes(engine, part)
    prompt, response = codes[:PROMPT], codes[PROMPT:]
    target, nothing = Target("ar"), torch.zeros(0, dtype=torch.long)
    sequence = model.embed(Inputs(phonemes, 0, prompt, nothing), target)
    cache = model.new_cache(1, len(sequence.embeds) + len(response))
    hidden = [model(sequence.embeds[None], sequence.positions[None], causal=True, cache=cache, target=target)[:, -1]]
    for at, token in enumerate(response[:, 0]):
        position = torch.tensor([[sequence.next_position + at]])
        embeds = model.embed_token(token[None], target)[:, None]
        hidden.append(model(embeds, position, causal=True, cache=cache, target=target)[:, -1])
    steps = torch.cat([model.logits(each, target) for each in hidden])
    utterance = Utterance(0, phonemes, 0, prompt)
    levels = [
        response_logits(model, Target("nar", level), [utterance], [response[:, :level]], None)[0]
        for level in range(1, engine.loaded.config.levels)
    ]
    return steps, torch.cat(levels)


def likelihood(exact: VallE, part: Part) -> float:
    """Mean log-probability (nats) of the tokens of level 0 behind the first PROMPT ones."""
    logits, tokens = opinions(exact, part)[0][:-1], part.codes[PROMPT:, 0]
    return float(F.log_softmax(logits, -1).gather(1, tokens[:, None]).mean())


def divergence(exact: Tensor, other: Tensor) -> Tensor:
    """Kullback-Leibler divergence of each row [N, V] -> [N], in nats."""
    p, q = F.log_softmax(exact, -1), F.log_softmax(other, -1)
    return (p.exp() * (p - q)).sum(-1)
