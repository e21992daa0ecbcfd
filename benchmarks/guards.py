"""Part `guards`: what it costs to look at results: at those of third-party samplers, and at takes, by the model's ear.

The same chain is built twice, once as the project's own and once as a third party's. Both do each step, one after the
other, and each step of the utterance has its own median: so neither a busy machine nor the few steps that are looked
at closely tilt the sum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from statistics import median

import torch

from vall_e_core import VallE, VallEError
from vall_e_core.owners import Owner
from vall_e_core.sampling.guard import Watch

from .report import Report, Row
from .samplers import CHAIN, ROWS, TABLES, begun, built, histories, logits
from .settings import CLOCKS, SENTENCES, Settings

PART = "guards"
VOICE = "heart"
MOST_OF_CHAIN = 2.0
"""Per cent of a chain's time that looking at what its members return may take."""
MOST_OF_LISTENING = 20.0
"""Per cent of a synthesis that listening to its takes may take."""
UTTERANCE, QUICK_UTTERANCE = 225, 6
"""Steps of three seconds of speech; the first ones are looked at closely."""
REPEATS, QUICK_REPEATS = 9, 1
"""Utterances of a round."""
OTHER = Owner("a third party")


def run(settings: Settings, report: Report) -> None:
    """Chains of members of our own and of others, then the embedded voice with and without listening."""
    for rows in ROWS:
        shares = _chains(settings, rows)
        name = f"batch {rows}: looking at seven third-party samplers"
        note = f"of the same as the project's own; {min(shares):.1f} to {max(shares):.1f}"
        report.add(
            Row(PART, f"{PART}.batch{rows}", name, median(shares), "%", note, most=MOST_OF_CHAIN, rounds=tuple(shares))
        )
    _listening(settings, report)


@torch.inference_mode()
def _chains(settings: Settings, rows: int) -> list[float]:
    """Per cent that members of others take longer than our own, in each round."""
    clock, given, tokens = CLOCKS[settings.clock], logits(rows), histories(rows, loop=False)
    steps = QUICK_UTTERANCE if settings.quick else UTTERANCE
    shares = []
    for turn in range(settings.runs + 1):
        # one that is built again lies elsewhere in memory, which alone makes it a per cent quicker or slower
        chains = [built(CHAIN, OTHER), built(CHAIN)][::-1] if turn % 2 else [built(CHAIN), built(CHAIN, OTHER)]
        step, state = begun(chains[0], tokens)
        spent: list[list[list[float]]] = [[[] for _ in range(steps)] for _ in chains]
        for repeat in range(QUICK_REPEATS if settings.quick else REPEATS):
            order = [(which, chains[which], replace(state, watch=Watch())) for which in (0, 1)]
            for at in range(steps):
                table = given[at % TABLES]
                for which, chain, own in order if (at + repeat) % 2 else reversed(order):
                    began = clock()
                    chain.accept(chain.choose(table, step, own), step, own)
                    spent[which][at].append(clock() - began)
        ours, theirs = (sum(map(median, each)) for each in spent)
        if turn:
            shares.append(100 * (theirs / ours - 1))
    return shares


def _listening(settings: Settings, report: Report) -> None:
    """What `--listen on` adds to a synthesis, the takes that it has made again with it."""
    name = "--listen on over --listen off, embedded voice"
    texts = (settings.text,) if settings.quick else SENTENCES
    try:
        shares = _heard(
            VallE.load(device="cpu", threads=settings.threads), texts, settings.runs, CLOCKS[settings.clock]
        )
    except (VallEError, OSError) as error:
        reason = error.render() if isinstance(error, VallEError) else str(error)
        return report.missing(PART, f"{PART}.listen", name, reason)
    note = f"{min(shares):.1f} to {max(shares):.1f}; {len(texts)} sentences a round"
    report.add(
        Row(PART, f"{PART}.listen", name, median(shares), "%", note, most=MOST_OF_LISTENING, rounds=tuple(shares))
    )


def _heard(engine: VallE, texts: tuple[str, ...], rounds: int, clock: Callable[[], float]) -> list[float]:
    """Per cent that listening adds, in each round; both ways take turns with the same seeds."""
    for listen in ("on", "off"):
        engine.synthesize(texts[0], voice=VOICE, seed=0, listen=listen)
    shares = []
    for turn in range(rounds):
        spent = {"on": 0.0, "off": 0.0}
        for at, text in enumerate(texts):
            for listen in ("on", "off") if (turn + at) % 2 else ("off", "on"):
                began = clock()
                engine.synthesize(text, voice=VOICE, seed=turn + 1, listen=listen)
                spent[listen] += clock() - began
        shares.append(100 * (spent["on"] / spent["off"] - 1))
    return shares
