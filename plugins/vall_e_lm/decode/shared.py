"""The loop that is fed while it runs: rows of many callers, each with its own chain and seed, in one pass a step.

`Loop` writes a known set of sequences; this one never ends. Rows join between two steps and leave when they are
finished or cancelled. All rows go through the model together; those that one chain serves are a lane, and each lane
chooses for itself. A row's tokens depend on its own job alone; with `alike` they do so to the bit: then a step never
has fewer rows than that takes (see `alike`), places are read in whole buckets, and each prompt is prefilled alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..finite import FiniteStates
from .alike import BUCKET, alike_rows
from .lane import Lane, LaneSettings
from .loop import check_period
from .rows import Written
from .steppers import CachedStepper, Job

if TYPE_CHECKING:
    from vall_e_core.sampling.running import Chain

    from ..model import BaseModel, Target

LEAST_CAPACITY = 256
"""Histories are this long, or twice, four times... as long, so that rows of one chain can share a lane."""


@dataclass
class _Seats:
    """A chain's lane, where its rows lie in the model's batch, and the numbers they are known by."""

    chain: Chain
    lane: Lane
    places: Tensor  # [n]
    numbers: list[int] = field(default_factory=list)

    def keep(self, rows: Sequence[int]) -> None:
        """Only the rows `rows` of the lane go on."""
        at = torch.tensor(rows, dtype=torch.long, device=self.places.device)
        self.lane.select(at)
        self.places = self.places[at]
        self.numbers = [self.numbers[row] for row in rows]


class SharedLoop:
    """Rows side by side, coming and going. Not for chains with a search, nor for guidance or early exit."""

    def __init__(
        self, model: BaseModel, target: Target, stage: str, *, most: int, frame_rate: float = 75.0, alike: bool = False
    ) -> None:
        """
        Args:
            stage: the stage of the chains, `"ar"` say.
            most: rows at the same time, at most.
            frame_rate: tokens a second of what is written.
            alike: a row's tokens are bit-identical, whatever its neighbors are.
        """
        self.model, self.target, self.stage, self.frame_rate, self.alike = model, target, stage, frame_rate, alike
        self.most = most
        self._least = alike_rows(model, target, most) if alike else 1
        self._device = next(model.parameters()).device
        self.period = check_period(self._device)
        """Steps between two looks at who has stopped."""
        self._stepper: CachedStepper | None = None
        self._watch: FiniteStates | None = None
        self._seats: list[_Seats] = []
        self._free: list[int] = []
        """Places of the batch that nobody uses; the model fills them with nothing."""
        self._size = 0
        self._room = 0
        self._logits = torch.zeros(0, 0)
        self._tokens: Tensor | None = None
        """Chosen, but not yet shown to the model."""
        self._next = 0
        self._steps = 0

    @property
    def active(self) -> int:
        """Rows that are being written."""
        return sum(len(each.numbers) for each in self._seats)

    @property
    def free(self) -> int:
        """How many more rows may join."""
        return self.most - self.active

    @torch.inference_mode()
    def admit(self, jobs: Sequence[tuple[Job, Chain]]) -> list[int]:
        """Begin some rows.

        Args:
            jobs: at most `free`, each with a limit of at least one token, and the chain that serves it.

        Returns:
            The numbers by which they are known from now on.
        """
        self._advance()
        for some in ([each] for each in jobs) if self.alike else [jobs] if jobs else []:
            self._prefill([job for job, _ in some], self._take_places([job for job, _ in some]), some)
        return list(range(self._next - len(jobs), self._next))

    @torch.inference_mode()
    def step(self) -> dict[int, Written | Exception]:
        """One token for every row.

        Returns:
            What has ended, by number: what was written, or what a member of its chain raised.
        """
        self._advance(shrink=True)
        if self._size == 0:
            return {}
        self._steps += 1
        ended: dict[int, Written | Exception] = {}
        tokens = torch.zeros(self._size, dtype=torch.long, device=self._device)
        for seats in list(self._seats):
            try:
                chosen, _ = seats.lane.choose(self._logits if self._size == 1 else self._logits[seats.places])
            except Exception as error:  # a sampler's own code may raise anything; other lanes go on
                ended |= dict.fromkeys(seats.numbers, error)
                self._leave(seats, range(len(seats.numbers)))
            else:
                tokens[seats.places] = chosen
        self._tokens = tokens
        if self._steps % self.period == 0:
            for seats in list(self._seats):
                ended |= self._collect(seats)
        return ended

    def written(self, number: int) -> Tensor:
        """The tokens [L] of a row so far, the stop apart; waits for the device. Raises VallEError where the model's
        states aren't finite."""
        self._require_finite()
        seats, row = self._find(number)
        begin, count = (int(each[row]) for each in (seats.lane.rows.begin, seats.lane.rows.count))
        return seats.lane.step.history[row, begin : begin + count].clone()

    @torch.inference_mode()
    def cancel(self, numbers: Sequence[int]) -> None:
        """Let some rows go, those that are still there."""
        for seats in list(self._seats):
            rows = [row for row, number in enumerate(seats.numbers) if number in numbers]
            if rows:
                self._leave(seats, rows)

    def close(self) -> None:
        """Let go of all rows and of the memory they took."""
        if self._watch is not None:
            self._watch.close()
        self._watch, self._stepper, self._tokens, self._size, self._free = None, None, None, 0, []
        self._seats = []

    def _require_finite(self) -> None:
        if self._watch is not None:
            self._watch.require()

    # what a row needs

    def _take_places(self, jobs: Sequence[Job]) -> Tensor | None:
        """Where `jobs` will lie; None: they begin a batch of their own, for there is none."""
        longest = max(len(self.model.embed(job.inputs(job.given()), self.target).embeds) + job.limit for job in jobs)
        room = longest + self.period + 1  # rows go on until the next look
        if self.alike:  # the last bucket is read whole too, however much the first row needs
            room = -(-room // BUCKET) * BUCKET
        if self._stepper is None:
            self._room = room
            return None
        if room > self._room:
            self._room = max(room, 2 * self._room)
            self._stepper.grow(self._room)
        missing = len(jobs) - len(self._free)
        if missing > 0:
            self._extend(missing)
        taken, self._free = self._free[: len(jobs)], self._free[len(jobs) :]
        return torch.tensor(taken, device=self._device)

    def _extend(self, rows: int) -> None:
        """More places, of which nobody uses any yet."""
        assert self._stepper is not None
        order = torch.cat((torch.arange(self._size), torch.zeros(rows, dtype=torch.long))).to(self._device)
        self._stepper.select(order)
        self._logits = self._logits[order]
        self._free += range(self._size, self._size + rows)
        self._size += rows

    def _prefill(self, jobs: Sequence[Job], at: Tensor | None, entries: Sequence[tuple[Job, Chain]]) -> None:
        if at is None:
            bucket = BUCKET if self.alike else None
            self._watch = FiniteStates(self.model, self.stage.upper())
            self._stepper = CachedStepper(self.model, self.target, jobs, room=self._room, bucket=bucket)
            self._logits, _ = self._stepper.first()
            self._size, at = len(jobs), torch.arange(len(jobs), device=self._device)
            if self._size < self._least:
                self._extend(self._least - self._size)
        else:
            assert self._stepper is not None
            logits, _ = self._stepper.admit(at, jobs)
            self._logits[at] = logits
        self._park()
        for (job, chain), place in zip(entries, at[:, None], strict=True):
            self._seat(job, chain, place)

    def _seat(self, job: Job, chain: Chain, place: Tensor) -> None:
        capacity = LEAST_CAPACITY
        while capacity < len(job.prefix) + job.limit:
            capacity *= 2
        found = [each for each in self._seats if each.chain is chain and each.lane.settings.capacity == capacity]
        number, self._next = self._next, self._next + 1
        if found:
            seats = found[0]
            seats.lane.join(seats.lane.fresh([job], [number]))
            seats.places = torch.cat((seats.places, place))
        else:
            stop = self.model.stop_token(self.target)
            mine = chain.evenly() if self.alike else chain
            lane = Lane(mine, LaneSettings(self.stage, stop, self._device, capacity, self.frame_rate))
            lane.begin(lane.fresh([job], [number]))
            seats = _Seats(chain, lane, place)
            self._seats.append(seats)
        seats.numbers.append(number)

    # what happens between two choices

    def _advance(self, *, shrink: bool = False) -> None:
        """Show the model what was chosen."""
        if shrink:
            self._shrink()
        if self._tokens is None:
            return
        assert self._stepper is not None
        self._logits, _ = self._stepper.advance(self._tokens)
        self._tokens = None

    def _collect(self, seats: _Seats) -> dict[int, Written | Exception]:
        """Hand in what is finished."""
        rows = seats.lane.rows
        if self._device.type == "cpu" and not bool(rows.finished.any()):
            return {}
        self._require_finite()
        if self._device.type != "cpu" and (fault := int(seats.lane.state.faults.amax())):
            numbers = list(seats.numbers)
            self._leave(seats, range(len(numbers)))
            return dict.fromkeys(numbers, seats.lane.chain.fault(fault))
        over = rows.finished.nonzero()[:, 0]
        if len(over) == 0:
            return {}
        made: dict[int, Written | Exception] = dict(seats.lane.collect(over))
        self._leave(seats, over.tolist())
        return made

    def _leave(self, seats: _Seats, rows: Sequence[int]) -> None:
        """Rows of a lane are over: their places are free."""
        gone = set(rows)
        self._free += seats.places[list(rows)].tolist()
        stay = [row for row in range(len(seats.numbers)) if row not in gone]
        if stay:
            seats.keep(stay)
        else:
            self._seats.remove(seats)
        self._park()

    def _park(self) -> None:
        """Places without a row begin again, so that they never outgrow the others."""
        if self._free and self._stepper is not None:
            self._stepper.park(torch.tensor(self._free, device=self._device))

    def _shrink(self) -> None:
        """Go on with fewer places where many are free; a step's time grows with them. With no row, with none."""
        least = max(self.active, self._least)
        if self.active == 0:
            self.close()
            return
        if self._stepper is None or self._tokens is None or least > 0.9 * self._size:
            return
        used = [place for each in self._seats for place in each.places.tolist()]
        kept = sorted(used) + self._free[: least - len(used)]
        order = torch.tensor(kept, device=self._device)
        self._stepper.select(order)
        self._tokens, self._logits = self._tokens[order], self._logits[order]
        moved = {place: at for at, place in enumerate(kept)}
        for each in self._seats:
            each.places = torch.tensor([moved[place] for place in each.places.tolist()], device=self._device)
        self._free, self._size = list(range(len(used), len(kept))), len(kept)
        self._park()

    def _find(self, number: int) -> tuple[_Seats, int]:
        for seats in self._seats:
            if number in seats.numbers:
                return seats, seats.numbers.index(number)
        raise KeyError(number)
