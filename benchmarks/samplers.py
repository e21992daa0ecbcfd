"""Part `samplers`: one step of a whole chain at 1025 outputs after 900 tokens, against transformers' processors.

Every step gets other logits, as in a synthesis. On the same ones again and again the processor's branch prediction
learns their order by heart, and sorting them takes a tenth of its time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

import torch
from torch import Tensor

from vall_e_core import BuildContext, Registry
from vall_e_core.owners import Owner
from vall_e_core.sampling import Step
from vall_e_core.sampling.running import Chain, ChainState, compile_chain

from .contenders import Own, make_model
from .report import Report, Row
from .settings import Settings

PART = "samplers"
VOCABULARY, HISTORY = 1025, 900
ROWS = {1: 150.0, 32: 900.0}
"""Batch sizes, and the microseconds a step of ours may take."""
LEAST_OVER_PEER = 3.0
MOST_OF_A_STEP = 3.0
"""Per cent of a step of the model that the chain may take."""
CONTEXT, MODEL_STEPS = 40, 6
"""Of the model's step: a short context, which is quick and makes the chain's share larger than it is in use."""
TABLES = 32
"""Logits that differ; their turns come round."""
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
        middle = median(taken["vall-e"])
        step = model_step(settings, rows)
        name = f"batch {rows}: seven samplers with DRY / AR step"
        note = f"of {step / 1000:.4g} ms"
        report.add(
            Row(PART, f"{PART}.batch{rows}.share", name, 100 * middle / step, "%", note, most=MOST_OF_A_STEP)
        )  # fmt: skip


def model_step(settings: Settings, rows: int) -> float:
    """Microseconds of a step of the model with its own loop, chain included; random weights of the settings' shape."""
    shape = replace(settings.shape, context=min(CONTEXT, settings.shape.context))
    dtype: torch.dtype = getattr(torch, settings.dtype)
    timing = Own(make_model(shape, dtype=dtype), shape).decode(rows, MODEL_STEPS)
    return timing.rest / timing.steps * 1e6


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


def logits(rows: int) -> list[Tensor]:
    """TABLES of [rows, VOCABULARY], about as peaked as a codec model's."""
    stream = torch.Generator().manual_seed(2)
    return [torch.randn(rows, VOCABULARY, generator=stream) * 2.5 for _ in range(TABLES)]


def built(chain: Sequence[str], owner: Owner | None = None) -> Chain:
    """The chain; its members are taken to be an owner's, if one is given."""
    registry = Registry.load(third_party=False)
    members = [registry.sampler(name).from_spec(value) for name, _, value in (each.partition(":") for each in chain)]
    context = BuildContext(
        "cpu", vocab_size=VOCABULARY, stop_token=VOCABULARY - 1, frame_rate=75.0, stage="ar",
        owner=registry.owner if owner is None else lambda of: owner,
    )  # fmt: skip
    return compile_chain(members, "ar").build(context)


def begun(chain: Chain, tokens: Tensor) -> tuple[Step, ChainState]:
    """A step after tokens [rows, HISTORY], and the chain's state."""
    rows = len(tokens)
    step = Step.start(
        range(rows), stage="ar", seed=0, capacity=HISTORY + 1, stop_token=VOCABULARY - 1, frame_rate=75.0,
        prefixes=list(tokens),
    )  # fmt: skip
    step.index.fill_(HISTORY)
    return step, chain.init(rows, step)


@torch.inference_mode()
def ours(chain: Sequence[str], tokens: Tensor, steps: int) -> Turn:
    """Choose and accept, the history staying as long as it is."""
    made, given = built(chain), logits(len(tokens))
    step, state = begun(made, tokens)

    @torch.inference_mode()
    def turn() -> float:
        began = time.perf_counter()
        for at in range(steps):
            made.accept(made.choose(given[at % TABLES], step, state), step, state)
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
        for at in range(steps):
            torch.multinomial(torch.softmax(chain(tokens, given[at % TABLES]), dim=-1), 1)
        return (time.perf_counter() - began) / steps * 1e6

    return turn
