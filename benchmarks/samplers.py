"""Part `samplers`: one step of a whole chain at 1025 outputs after 900 tokens, against transformers' processors."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

import torch
from torch import Tensor

from vall_e_core import BuildContext, Registry, compile_chain
from vall_e_core.sampling import Step

from .report import Report, Row
from .settings import Settings

PART = "samplers"
VOCABULARY, HISTORY = 1025, 900
ROWS = {1: 150.0, 32: 900.0}
"""Batch sizes, and the microseconds a step of ours may take."""
LEAST_OVER_PEER = 3.0
CHAIN = (
    "repetition-penalty:1.2", "dry:0.8", "top-k:50", "top-p:0.9", "min-p:0.05", "temperature:0.95", "multinomial",
)  # fmt: skip
WITHOUT_DRY = tuple(each for each in CHAIN if not each.startswith("dry"))
STEPS, QUICK_STEPS = 200, 5

Turn = Callable[[], float]
"""Runs some steps; microseconds a step."""


def run(settings: Settings, report: Report) -> None:
    """Contenders take turns; figures are medians over the rounds."""
    steps = QUICK_STEPS if settings.quick else STEPS
    for rows, most in ROWS.items():
        varied, looping = histories(rows, loop=False), histories(rows, loop=True)
        turns = {
            "vall-e": ours(CHAIN, varied, steps),
            "loop": ours(CHAIN, looping, steps),
            "without_dry": ours(WITHOUT_DRY, varied, steps),
            "transformers": theirs(varied, steps),
        }
        taken: dict[str, list[float]] = {key: [] for key in turns}
        for turn in range(settings.runs + 1):
            for key, each in turns.items():
                spent = each()
                if turn:
                    taken[key].append(spent)
        add(report, rows, {key: median(each) for key, each in taken.items()}, taken, most)


def add(report: Report, rows: int, middle: dict[str, float], taken: dict[str, list[float]], most: float) -> None:
    """The rows of one batch size."""
    names = {
        "vall-e": f"batch {rows}: vall-e, seven samplers with DRY",
        "loop": f"batch {rows}: the same on a history that loops",
        "without_dry": f"batch {rows}: vall-e without DRY",
        "transformers": f"batch {rows}: transformers' processors, without DRY",
    }
    for key, name in names.items():
        note = f"{min(taken[key]):.0f} to {max(taken[key]):.0f}"
        bound = most if key == "vall-e" else None
        report.add(Row(PART, f"{PART}.batch{rows}.{key}", name, middle[key], "us", note, most=bound))
    ratio = middle["transformers"] / middle["without_dry"]
    name = f"batch {rows}: transformers / vall-e, the same chain"
    report.add(Row(PART, f"{PART}.batch{rows}.over_transformers", name, ratio, "x", least=LEAST_OVER_PEER))
    report.add(
        Row(PART, f"{PART}.batch{rows}.loop_over_varied", f"batch {rows}: looping history / varied one",
            middle["loop"] / middle["vall-e"], "x")
    )  # fmt: skip


def histories(rows: int, *, loop: bool) -> Tensor:
    """Tokens [rows, HISTORY]: random, or a loop of seven."""
    stream = torch.Generator().manual_seed(1)
    drawn = torch.randint(0, VOCABULARY - 1, (rows, HISTORY), generator=stream)
    return drawn[:, :7].repeat(1, HISTORY // 7 + 1)[:, :HISTORY] if loop else drawn


def logits(rows: int) -> Tensor:
    """[rows, VOCABULARY], about as peaked as a codec model's."""
    return torch.randn(rows, VOCABULARY, generator=torch.Generator().manual_seed(2)) * 2.5


@torch.inference_mode()
def ours(chain: Sequence[str], tokens: Tensor, steps: int) -> Turn:
    """Process, select and accept, the history staying as long as it is."""
    registry = Registry.load(third_party=False)
    members = [registry.sampler(name).from_spec(value) for name, _, value in (each.partition(":") for each in chain)]
    stop = VOCABULARY - 1
    built = compile_chain(members, "ar").build(
        BuildContext("cpu", vocab_size=VOCABULARY, stop_token=stop, frame_rate=75.0, stage="ar")
    )
    rows = len(tokens)
    step = Step.start(
        range(rows), stage="ar", seed=0, capacity=HISTORY + 1, stop_token=stop, frame_rate=75.0, prefixes=list(tokens)
    )
    step.index.fill_(HISTORY)
    state, given = built.init(rows, step), logits(rows)

    @torch.inference_mode()
    def turn() -> float:
        began = time.perf_counter()
        for _ in range(steps):
            processed = built.process(given, step, state)
            built.accept(built.select(processed, step, state), step, state)
        return (time.perf_counter() - began) / steps * 1e6

    return turn


def theirs(tokens: Tensor, steps: int) -> Turn:
    """transformers' own processors in the same order, and its way of drawing."""
    from transformers.generation import logits_process as peer

    chain = peer.LogitsProcessorList(
        [
            peer.RepetitionPenaltyLogitsProcessor(1.2), peer.TopKLogitsWarper(50), peer.TopPLogitsWarper(0.9),
            peer.MinPLogitsWarper(0.05), peer.TemperatureLogitsWarper(0.95),
        ]
    )  # fmt: skip
    given = logits(len(tokens))

    @torch.inference_mode()
    def turn() -> float:
        began = time.perf_counter()
        for _ in range(steps):
            torch.multinomial(torch.softmax(chain(tokens, given), dim=-1), 1)
        return (time.perf_counter() - began) / steps * 1e6

    return turn
