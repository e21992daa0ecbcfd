"""A chain as a logits processor of vLLM's v1 interface (`vllm.v1.sample.logits_processor`)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from itertools import takewhile
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from vall_e_authoring import SamplerLike
from vall_e_core import VallEError
from vall_e_core.sampling.running import ChainPlan

from .guest import Guest, Rows, plan_guest

ARGUMENT = "vall_e_samplers"
"""The key in a request's `extra_args` (`vllm_xargs` over HTTP) that holds its own chain."""


class _Request:
    """One request: its tokens, of which `output` grows under our eyes, and how many of them the chain has seen."""

    def __init__(self, identity: int | str, prompt: Sequence[int], output: Sequence[int]) -> None:
        self.identity, self.prompt, self.output = identity, list(prompt), output
        self.seen = 0

    def known(self) -> list[int]:
        """The output so far. Asynchronous scheduling leaves -1 where a token isn't there yet."""
        return list(takewhile(lambda token: token >= 0, self.output))


class _Group:
    """The requests that have one chain, and their rows, in the same order."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.requests: list[_Request] = []
        self.rows: Rows | None = None

    def follow(self, present: list[_Request]) -> None:
        """Bring rows up to date: drop who left, feed new tokens, replay who came."""
        outputs = {id(each): each.known() for each in present}
        staying = [id(each) in outputs and each.seen <= len(outputs[id(each)]) for each in self.requests]
        if self.rows is not None and not all(staying):
            kept = [place for place, stays in enumerate(staying) if stays]
            self.requests = [self.requests[place] for place in kept]
            self.rows = self.rows.select(torch.tensor(kept, dtype=torch.long, device=self.guest.device))
        if self.rows is not None and self.requests:
            self.rows = self._fed(self.rows, [outputs[id(each)][each.seen :] for each in self.requests])
        here = {id(each) for each in self.requests}
        coming = [each for each in present if id(each) not in here]
        if coming:
            fresh = self._started(coming, [outputs[id(each)] for each in coming])
            self.rows = fresh if self.rows is None or not self.requests else self.rows.join(fresh)
            self.requests += coming
        for each in self.requests:
            each.seen = len(outputs[id(each)])

    def _fed(self, rows: Rows, tokens: list[list[int]]) -> Rows:
        self.guest.check_length(max(len(each.prompt) + len(each.output) for each in self.requests))
        for place in range(max(map(len, tokens))):
            column = [each[place] if place < len(each) else 0 for each in tokens]
            fed = [place < len(each) for each in tokens]
            mask = None if all(fed) else torch.tensor(fed, device=self.guest.device)
            rows = self.guest.feed(rows, torch.tensor(column, device=self.guest.device), mask)
        return rows

    def _started(self, coming: list[_Request], outputs: list[list[int]]) -> Rows:
        histories = [
            torch.tensor([*each.prompt, *output], dtype=torch.long)
            for each, output in zip(coming, outputs, strict=True)
        ]
        rows = self.guest.start(histories, [each.identity for each in coming])
        rows.step.index.copy_(torch.tensor(list(map(len, outputs))))
        return rows


class ChainLogitsProcessor:
    """What vLLM calls at every step. Subclassed by `as_vllm_processor`."""

    plan: ClassVar[ChainPlan | None] = None
    settings: ClassVar[dict[str, Any]] = {}

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:  # noqa: ANN401 - vLLM's SamplingParams
        """Refuse a request whose own chain can't be used. Raises ValueError, as vLLM asks."""
        try:
            cls._requested(sampling_params)
        except VallEError as error:
            raise ValueError(error.render()) from error

    @classmethod
    def _requested(cls, params: Any) -> tuple[str, ChainPlan] | None:  # noqa: ANN401 - vLLM's own
        """The chain of a request, and what tells it from others; None where nothing is to be done."""
        written = (getattr(params, "extra_args", None) or {}).get(ARGUMENT)
        if written is None:
            return None if cls.plan is None else ("", cls.plan)
        specs = written.split() if isinstance(written, str) else [str(each) for each in written]
        return ("\n".join(specs), plan_guest(specs, "vLLM")) if specs else None

    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool) -> None:  # noqa: ANN401 - vLLM's own
        self.device = torch.device(device)
        self.longest = int(vllm_config.model_config.max_model_len)
        self.requests: dict[int, tuple[str, _Request]] = {}
        self.plans: dict[str, ChainPlan] = {}
        self.groups: dict[str, _Group] = {}
        self.counted = 0

    def is_argmax_invariant(self) -> bool:
        """Whether greedy requests may skip it. No: a request may bring a chain of its own."""
        return False

    def update_state(self, batch_update: Any) -> None:  # noqa: ANN401 - vLLM's BatchUpdate
        """Follow the batch: requests removed, added, then moved."""
        if batch_update is None:
            return
        for index in batch_update.removed:
            self.requests.pop(index, None)
        for index, params, prompt, output in batch_update.added:
            self.requests.pop(index, None)
            found = self._requested(params)
            if found is not None:
                key, self.plans[key] = found
                self.counted += 1
                seed = getattr(params, "seed", None)
                identity = self.counted if seed is None else f"seed {seed}"
                self.requests[index] = key, _Request(identity, prompt or (), output)
        for source, target, direction in batch_update.moved:
            moved, replaced = self.requests.pop(source, None), self.requests.pop(target, None)
            if moved is not None:
                self.requests[target] = moved
            if replaced is not None and getattr(direction, "name", direction) == "SWAP":
                self.requests[source] = replaced

    @torch.no_grad()
    def apply(self, logits: Tensor) -> Tensor:
        """Logits [requests, V] -> [requests, V], in place; rows of requests without a chain stay as they are."""
        members: dict[str, dict[int, _Request]] = {}
        for index, (key, request) in self.requests.items():
            members.setdefault(key, {})[index] = request
        self.groups = {key: group for key, group in self.groups.items() if key in members}
        self.plans = {key: plan for key, plan in self.plans.items() if key in members}
        for key, found in members.items():
            group = self.groups.get(key)
            if group is None:
                guest = Guest(
                    self.plans[key], device=self.device, vocab_size=logits.shape[1], longest=self.longest,
                    **self.settings,
                )  # fmt: skip
                group = self.groups[key] = _Group(guest)
            group.follow(list(found.values()))
            self._apply(group, found, logits)
        return logits

    def _apply(self, group: _Group, found: dict[int, _Request], logits: Tensor) -> None:
        at = {id(request): index for index, request in found.items()}
        places = torch.tensor([at[id(each)] for each in group.requests], device=logits.device)
        rows = cast(Rows, group.rows)
        left, group.rows = group.guest.process(rows, logits.index_select(0, places))
        logits.index_copy_(0, places, left)


def as_vllm_processor(
    samplers: SamplerLike | Sequence[SamplerLike] = (),
    *,
    seed: int = 0,
    stop_token: int | None = None,
    frame_rate: float = 75.0,
) -> type[ChainLogitsProcessor]:
    """A class for vLLM's `logits_processors=[…]`, or for an entry point in the group `vllm.logits_processors`.

    A request may bring its own chain, `extra_args={"vall_e_samplers": "dry:0.8 top-p:0.9"}`; others get `samplers`.
    A chain without a selector filters, and vLLM draws. With one the chain chooses the token, with its own noise,
    which `SamplingParams.seed` keys where it is given.

    Args:
        samplers: the chain of requests that bring none; empty: nothing is done to them.
        seed: of the chain's noise.
        stop_token: the token no filter may take away.

    Raises:
        UsageError: an unknown sampler, or one that can't work here.
    """
    given = samplers if isinstance(samplers, str) or len(_sized(samplers)) > 0 else None
    plan = None if given is None else plan_guest(given, "vLLM")
    try:
        bases: tuple[type, ...] = (
            ChainLogitsProcessor,
            import_module("vllm.v1.sample.logits_processor").LogitsProcessor,
        )
    except ImportError:  # the interface is met all the same
        bases = (ChainLogitsProcessor,)
    settings = {"seed": seed, "stop_token": stop_token, "frame_rate": frame_rate}
    made = type("VallELogitsProcessor", bases, {"plan": plan, "settings": settings, "__doc__": "A vall-e chain."})
    return cast("type[ChainLogitsProcessor]", made)


def _sized(samplers: object) -> Sequence[object]:
    """One component counts as one."""
    return samplers if isinstance(samplers, Sequence) else (samplers,)
