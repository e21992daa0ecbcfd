"""Feeding sequences to the model one token at a time, with a KV cache or (the reference) without.

A stepper hands out the logits of each row's next token and takes the token that was chosen. Rows are sequences side
by side; under guidance each has a null sequence, kept behind the conditional ones: row ``i`` and row ``N + i``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from ..model import EmbeddedSequence, Inputs, Target, pad
from ..model.cache import take_rows
from .guidance import Guidance, RunningGuidance

if TYPE_CHECKING:
    from ..model import BaseModel, EarlyExit, KVCache


@dataclass
class Job:
    """One sequence to be written.

    ``inputs`` makes the model's inputs from the tokens so far ``[L]`` (``start`` and ``prefix`` included); ``null``
    those of guidance's null sequence. ``start`` is what the model needs to begin and no sampler sees; ``prefix`` is
    part of the response. ``seed``, with ``key``, determines the sequence's noise.
    """

    key: int | str
    inputs: Callable[[Tensor], Inputs]
    limit: int
    start: Tensor
    prefix: Tensor
    null: Callable[[Tensor], Inputs] | None = None
    seed: int = 0

    def given(self) -> Tensor:
        """All tokens known at the beginning ``[L]``."""
        return torch.cat((self.start, self.prefix))


class Stepper(Protocol):
    """Next-token logits of rows that grow together."""

    def first(self) -> tuple[Tensor, Tensor | None]:
        """Logits ``[N, V]`` float32 of the first token, and guidance's null logits."""

    def advance(self, tokens: Tensor) -> tuple[Tensor, Tensor | None]:
        """Append ``tokens`` ``[N]`` (version 7: ``[N, Q]``); the next logits ``[N, V]``, and guidance's null logits."""

    def select(self, rows: Tensor) -> None:
        """Keep the rows ``[M]``, in that order; one may be named several times."""

    def admit(self, rows: Tensor, jobs: Sequence[Job]) -> tuple[Tensor, Tensor | None]:
        """Begin ``jobs`` in the places of ``rows`` ``[M]``; their first logits ``[M, V]``, and guidance's null logits.

        Not under early exit.
        """

    def park(self, rows: Tensor) -> None:
        """Rows ``[M]`` are over but keep their places: what they hold is forgotten, so that they don't outgrow it."""


def embed_jobs(model: BaseModel, target: Target, jobs: Sequence[Job], guided: bool) -> list[EmbeddedSequence]:
    """The jobs' sequences as they begin, then (guidance) their null sequences."""
    sequences = [model.embed(job.inputs(job.given()), target) for job in jobs]
    if guided:
        sequences += [model.embed(job.null(job.given()), target) for job in jobs if job.null is not None]
    return sequences


@dataclass
class Batch:
    """Sequences right-padded for the model."""

    embeds: Tensor  # [N, T, D]
    positions: Tensor  # [N, T]
    lengths: Tensor  # [N]
    padded: Tensor | None  # the lengths, or None where all are alike

    @classmethod
    def of(cls, sequences: Sequence[EmbeddedSequence], bucket: int = 1) -> Batch:
        """Pad ``sequences`` to one length, a multiple of ``bucket``."""
        embeds, positions, lengths = pad(sequences, bucket)
        alike = all(len(sequence.embeds) == embeds.shape[1] for sequence in sequences)
        return cls(embeds, positions, lengths, None if alike else lengths)


def output_rows(hidden: Tensor, sequences: Sequence[EmbeddedSequence]) -> tuple[Tensor, Tensor]:
    """The predicting rows of each sequence, right-padded: ``[N, S, D]`` -> (``[N, T, D]``, counts ``[N]``)."""
    spans = [sequence.output_rows.indices(len(sequence.embeds)) for sequence in sequences]
    counts = [stop - start for start, stop, _ in spans]
    longest = max(counts)
    index = torch.tensor([[min(start + i, stop - 1) for i in range(longest)] for start, stop, _ in spans])
    rows = torch.arange(len(spans), device=hidden.device)[:, None]
    return hidden[rows, index.to(hidden.device)], torch.tensor(counts, device=hidden.device)


def flat_logits(model: BaseModel, hidden: Tensor, target: Target) -> Tensor:
    """Logits with one last dimension: ``[..., D] -> [..., V]``; version 7's levels lie side by side, ``[..., Q V]``."""
    logits = model.logits(hidden, target)
    return logits if logits.dim() == hidden.dim() else logits.movedim(0, -2).flatten(-2)


class _Guided:
    """Splits the logits of ``[2N]`` rows and applies guidance with its running statistics."""

    def __init__(self, guidance: Guidance | None, rows: int, device: torch.device) -> None:
        self.running = RunningGuidance(guidance, rows, device) if guidance is not None else None

    def __call__(self, logits: Tensor, counts: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """``[N or 2N, T, V]`` and how many of the T are real -> logits of the last real one ``[N, V]``, null logits."""
        if self.running is None:
            if counts is None:
                return logits[:, -1], None
            return logits[torch.arange(len(logits), device=logits.device), counts - 1], None
        conditional, unconditional = logits.chunk(2)
        present = None if counts is None else counts[: len(conditional)]
        last = (
            unconditional[:, -1]
            if present is None
            else unconditional[torch.arange(len(present), device=logits.device), present - 1]
        )
        return self.running.apply(conditional, unconditional, present), last

    def select(self, rows: Tensor) -> Tensor:
        """Select the statistics; the model rows that belong to ``rows``."""
        found = self.places(rows)
        if self.running is not None:
            self.running.select(rows)
        return found

    def places(self, rows: Tensor) -> Tensor:
        """The model rows that belong to ``rows``."""
        return rows if self.running is None else torch.cat((rows, rows + self.running.rows))


class CachedStepper:
    """One right-padded prefill, then steps of one token a row through a preallocated cache."""

    def __init__(
        self,
        model: BaseModel,
        target: Target,
        jobs: Sequence[Job],
        guidance: Guidance | None = None,
        early_exit: EarlyExit | None = None,
        room: int | None = None,
        bucket: int | None = None,
    ) -> None:
        """``room``: tokens that a row's cache holds, if that is more than the jobs have at the beginning; None: what
        they need to their limits. ``bucket``: see `KVCache`."""
        self.model, self.target, self.guidance, self.early_exit = model, target, guidance, early_exit
        self._sequences = embed_jobs(model, target, jobs, guidance is not None)
        longest = max(len(sequence.embeds) for sequence in self._sequences)
        if room is None:
            room = longest + max(job.limit for job in jobs)
        device = self._sequences[0].embeds.device
        self._cache: KVCache = model.new_cache(len(self._sequences), max(longest, room), bucket)
        following = [sequence.next_position for sequence in self._sequences]
        self._positions = torch.tensor(following, device=device)[:, None]
        self._guided = _Guided(guidance, len(jobs), device)

    def first(self) -> tuple[Tensor, Tensor | None]:
        """The prefill."""
        batch = Batch.of(self._sequences)
        hidden = self._forward(batch.embeds, batch.positions, batch.padded)
        result: tuple[Tensor, Tensor | None]
        if self._guided.running is None:
            last = hidden[torch.arange(len(hidden), device=hidden.device), batch.lengths - 1]
            result = flat_logits(self.model, last, self.target), None
        else:
            rows, counts = output_rows(hidden, self._sequences)
            result = self._guided(flat_logits(self.model, rows, self.target), counts)
        self._sequences = []
        return result

    def advance(self, tokens: Tensor) -> tuple[Tensor, Tensor | None]:
        """One step."""
        if self._guided.running is not None:
            tokens = torch.cat((tokens, tokens))
        embeds = self.model.embed_token(tokens, self.target)[:, None]
        hidden = self._forward(embeds, self._positions, None)
        self._positions.add_(1)
        return self._guided(flat_logits(self.model, hidden, self.target), None)

    def select(self, rows: Tensor) -> None:
        """Re-order the cache with its rows."""
        rows = self._guided.select(rows)
        self._cache.select(rows)
        self._positions = take_rows(self._positions, rows)

    def admit(self, rows: Tensor, jobs: Sequence[Job]) -> tuple[Tensor, Tensor | None]:
        """A prefill of their own; its keys and values move into the rows."""
        others = CachedStepper(self.model, self.target, jobs, self.guidance, room=0)
        logits, null = others.first()
        places = self._guided.places(rows)
        self._cache.put(places, others._cache)
        self._positions[places] = others._positions
        if self._guided.running is not None and others._guided.running is not None:
            self._guided.running.put(rows, others._guided.running)
        return logits, null

    def park(self, rows: Tensor) -> None:
        """Empty the rows."""
        self._cache.clear(self._guided.places(rows))

    def grow(self, room: int) -> None:
        """Make room for ``room`` tokens in every row."""
        self._cache.grow(room)

    def reach(self) -> int:
        """Places of the cache that the next step reads. Raises ValueError where there is no room for it."""
        self._cache.reserve(1)
        return self._cache.reach(1)

    @contextmanager
    def alike(self) -> Iterator[None]:
        """What is done within is what each step of this `reach` does; the host doesn't count it (see `counted`)."""
        cache, extent, uniform = self._cache, self._cache.extent, self._cache.uniform
        cache.extent, cache.uniform = cache.reach(1) - 1, False
        try:
            yield
        finally:
            cache.extent, cache.uniform = extent, uniform

    def counted(self) -> None:
        """The device has advanced by a step without the host."""
        self._cache.extent += 1

    def _forward(self, embeds: Tensor, positions: Tensor, lengths: Tensor | None) -> Tensor:
        hidden: Tensor = self.model(
            embeds,
            positions,
            causal=True,
            lengths=lengths,
            cache=self._cache,
            early_exit=self.early_exit,
            target=self.target,
        )
        return hidden


class UncachedStepper:
    """Embeds and runs every sequence again at every step: slow, and what the cached one is measured against."""

    def __init__(
        self,
        model: BaseModel,
        target: Target,
        jobs: Sequence[Job],
        guidance: Guidance | None = None,
        early_exit: EarlyExit | None = None,
    ) -> None:
        self.model, self.target, self.guidance, self.early_exit = model, target, guidance, early_exit
        self._jobs = list(jobs)
        self._tokens = [job.given() for job in jobs]

    def first(self) -> tuple[Tensor, Tensor | None]:
        """The first token's logits."""
        return self._logits()

    def advance(self, tokens: Tensor) -> tuple[Tensor, Tensor | None]:
        """Append and run everything again."""
        self._tokens = [torch.cat((old, tokens[i : i + 1])) for i, old in enumerate(self._tokens)]
        return self._logits()

    def select(self, rows: Tensor) -> None:
        """Re-order jobs and tokens."""
        order = rows.tolist()
        self._jobs = [self._jobs[i] for i in order]
        self._tokens = [self._tokens[i] for i in order]

    def admit(self, rows: Tensor, jobs: Sequence[Job]) -> tuple[Tensor, Tensor | None]:
        """Put them into the lists."""
        others = UncachedStepper(self.model, self.target, jobs, self.guidance)
        for row, job, tokens in zip(rows.tolist(), jobs, others._tokens, strict=True):
            self._jobs[row], self._tokens[row] = job, tokens
        return others.first()

    def park(self, rows: Tensor) -> None:
        """Begin again."""
        for row in rows.tolist():
            self._tokens[row] = self._jobs[row].given()

    def _logits(self) -> tuple[Tensor, Tensor | None]:
        pairs = list(zip(self._jobs, self._tokens, strict=True))
        sequences = [self.model.embed(job.inputs(tokens), self.target) for job, tokens in pairs]
        if self.guidance is not None:
            sequences += [self.model.embed(job.null(t), self.target) for job, t in pairs if job.null is not None]
        batch = Batch.of(sequences)
        hidden = self.model(
            batch.embeds,
            batch.positions,
            causal=True,
            lengths=batch.padded,
            early_exit=self.early_exit,
            target=self.target,
        )
        rows, counts = output_rows(hidden, sequences)
        logits = flat_logits(self.model, rows, self.target)
        return _Guided(self.guidance, len(self._jobs), logits.device)(logits, counts)
