"""How the loop takes its steps: one call after the other, or as an engine's recording that does a whole step at once.

A recording (a CUDA graph, say) repeats what was done once, on the same memory, without Python. So a recorded step is
one function, from the logits to the next logits, over tensors that stay where they are: it works on copies of the
loop's records, which share their tensors, and writes back what was made anew. What the host decides in between, every
so many steps, is written into the same tensors; where rows are dropped, those left are laid out again. The only thing
of a step that still changes is how much of the cache is read, and that is rounded up: one recording for each such
length.

All ways call `Loop.choose` and `Stepper.advance`, and nothing else knows of a step's contents.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torch import Tensor

from vall_e_core.sampling import state as states

from ..model.cache import KVCache
from .steppers import CachedStepper

if TYPE_CHECKING:
    from vall_e_core.sampling import Step
    from vall_e_core.sampling.running import ChainState

    from ..engine import StepRecorder, StepRecording
    from .loop import Loop
    from .rows import Rows

LEAST_STEPS = 16
"""A batch that can't take more isn't worth a recording: it would be over before anything is repeated."""


class StepExecutor:
    """Step by step: what eager does."""

    logits: Tensor  # [N, V] of each row's next token
    null: Tensor | None  # the same of guidance's null sequences
    tokens: Tensor  # [N] chosen last

    def begin(self, loop: Loop, logits: Tensor, null: Tensor | None) -> None:
        """What the prefill says."""
        self.logits, self.null = logits, null

    def choose(self, loop: Loop) -> None:
        """A token for every row; the host may then look who is finished, and keep others out."""
        self.tokens = loop.choose(self.logits, self.null)

    def keep(self, loop: Loop, rows: Tensor) -> None:
        """Only the rows `rows` [M] go on; the loop's records and the stepper hold only them already."""
        self.tokens = self.tokens[rows]

    def go_on(self, loop: Loop) -> None:
        """The next logits."""
        self.logits, self.null = loop.stepper.advance(self.tokens)

    def admit(self, loop: Loop, rows: Tensor, logits: Tensor, null: Tensor | None) -> None:
        """Others begin in the rows `rows` [M], with these logits [M, V]; the loop's records hold them already."""
        self.logits[rows] = logits
        if self.null is not None and null is not None:
            self.null[rows] = null


class AheadExecutor(StepExecutor):
    """A token for every row and the next logits at once, before the host looks: the last ones are made for nothing.

    What eager does where steps may be recorded, so that both run the same operations on as many rows.
    """

    def choose(self, loop: Loop) -> None:
        """All of a step."""
        super().choose(loop)
        super().go_on(loop)

    def keep(self, loop: Loop, rows: Tensor) -> None:
        """Of the logits."""
        self.logits, self.null = self.logits[rows], None if self.null is None else self.null[rows]

    def go_on(self, loop: Loop) -> None:
        """That has been done."""


@dataclass
class Still:
    """What a step reads and writes, in memory that stays; the first dimension of every tensor is the row."""

    step: Step
    rows: Rows
    state: ChainState
    logits: Tensor
    null: Tensor | None

    @classmethod
    def of(cls, loop: Loop, logits: Tensor, null: Tensor | None) -> Still:
        """What the loop stands at, in memory of its own."""
        index = loop.lane.step.index.expand(len(logits))  # each row's own, as it has to be once others join
        step = replace(loop.lane.step, index=index, unconditional_logits=None)
        return states.snapshot(cls(step, loop.lane.rows, replace(loop.lane.state, logits=None), logits, null))

    def show(self, loop: Loop) -> None:
        """Let the loop work on copies that share the tensors."""
        loop.lane.step, loop.lane.rows, loop.lane.state = copy(self.step), copy(self.rows), copy(self.state)

    def made(self, loop: Loop) -> Still:
        """What the loop has made of it."""
        step, state = replace(loop.lane.step, unconditional_logits=None), replace(loop.lane.state, logits=None)
        return Still(step, loop.lane.rows, state, self.logits, self.null)

    def take(self, made: Still, loop: Loop) -> None:
        """Write what was made anew where it belongs."""
        states.copy_into(self, made)
        self.show(loop)


class RecordedExecutor(AheadExecutor):
    """The same, as an engine records it.

    It holds no loop, and hands out nothing that does, so that a batch's memory goes with the batch.
    """

    def __init__(self, recorder: StepRecorder) -> None:
        self.recorder = recorder
        self.recording: StepRecording | None = None
        """None: it couldn't be recorded after all."""

    def begin(self, loop: Loop, logits: Tensor, null: Tensor | None) -> None:
        """Lay everything out."""
        self.still = Still.of(loop, logits, null)
        self.logits, self.null = self.still.logits, self.still.null
        self.still.show(loop)
        self.recording = self.recorder.start()

    def choose(self, loop: Loop) -> None:
        """All of a step."""
        stepper = loop.stepper
        if self.recording is None or not isinstance(stepper, CachedStepper):
            super().choose(loop)
            return
        self.recording.run(stepper.reach(), lambda: self.work(loop, stepper))
        if self.recording is None:
            StepExecutor.go_on(self, loop)
        else:
            stepper.counted()

    def keep(self, loop: Loop, rows: Tensor) -> None:
        """As many as are left, laid out again."""
        super().keep(loop, rows)
        if self.recording is not None:
            self.begin(loop, self.logits, self.null)

    def admit(self, loop: Loop, rows: Tensor, logits: Tensor, null: Tensor | None) -> None:
        """Write them into the memory that there is."""
        super().admit(loop, rows, logits, null)
        if self.recording is not None:
            self.still.take(self.still.made(loop), loop)

    def work(self, loop: Loop, stepper: CachedStepper) -> None:
        """What is recorded."""
        still = self.still
        with stepper.alike():
            still.show(loop)
            tokens = loop.choose(still.logits, still.null)
            made = still.made(loop)
            if states.structure(made) != states.structure(still):
                self.recorder.decline("a sampler's state changes its shape from step to step")
                self.recording, self.tokens = None, tokens
                return
            still.take(made, loop)
            logits, null = stepper.advance(tokens)
            still.logits.copy_(logits)
            if still.null is not None and null is not None:
                still.null.copy_(null)


def executor_of(loop: Loop, recorder: StepRecorder | None) -> StepExecutor:
    """How a loop steps: recorded where an engine does so and the loop allows it. Says why where it doesn't."""
    eager = AheadExecutor() if loop.device.type in KVCache.BUCKETS else StepExecutor()
    if recorder is None or loop.most <= LEAST_STEPS:
        return eager
    reason = obstacle(loop)
    if reason is None:
        return RecordedExecutor(recorder)
    recorder.decline(reason)
    return eager


def obstacle(loop: Loop) -> str | None:
    """Why a loop's steps can't be recorded; None where they can."""
    if loop.settings.early_exit is not None:
        return "layer skip asks after each layer whether to go on"
    if not isinstance(loop.stepper, CachedStepper):
        return "without a cache every step is longer than the last"
    if loop.chain.trace is not None:
        return "a trace keeps something of each step"
    if loop.chain.waits:
        return "a sampler of the chain waits for the device"
    return None
