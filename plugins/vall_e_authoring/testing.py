"""For authors of plugins: check a component against its contract, and run any sampler on logits of your choice.

    from vall_e_authoring.testing import apply_samplers, check_sampler

    assert check_sampler(MySampler) == []
    kept = apply_samplers([("top-p", {"p": 0.9}), MySampler()], logits, history=[3, 7, 3])

A sampler is given as a component or as a (name, mapping) pair; names are looked up among the installed plugins.
Logits and history may be tensors, arrays or lists.
"""
# ruff: noqa: ANN401 - whatever a tensor can be made of

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from vall_e_core import BuildContext, UsageError
from vall_e_core.sampling import Step
from vall_e_core.sampling import state as states
from vall_e_core.sampling.running import Chain, ChainPlan, ChainState, SyncError, compile_chain

from .contract.codecs import check_codec
from .contract.normalizers import check_normalizer
from .contract.phonemizers import check_phonemizer
from .contract.sampler import check_sampler
from .contract.spellers import check_speller
from .contract.tasks import check_task
from .given import SamplerLike, as_sampler, as_samplers, installed_samplers
from .sync import NoSync, no_transfer

__all__ = [
    "NoSync",
    "SamplerLike",
    "SyncError",
    "apply_samplers",
    "as_sampler",
    "check_codec",
    "check_normalizer",
    "check_phonemizer",
    "check_sampler",
    "check_speller",
    "check_task",
    "installed_samplers",
    "no_transfer",
    "sampler_steps",
    "select_token",
]


def apply_samplers(
    samplers: Sequence[SamplerLike],
    logits: Any,
    history: Any = (),
    stop_token: int | None = None,
    *,
    seed: int = 0,
    stage: str = "ar",
    frame_rate: float = 75.0,
    unconditional_logits: Any = None,
) -> Tensor:
    """What a chain makes of logits: [V] -> [V], or [N, V] -> [N, V], float32.

    Args:
        history: the tokens so far, oldest first; for [N, V] one sequence for each row, or one for all.
        stop_token: which token the chain protects (and length penalties act on); None switches that off.
        seed: of the noise; row n is the utterance n.
    """
    prepared = _prepare(samplers, logits, history, stop_token, seed, stage, frame_rate)
    if unconditional_logits is not None:
        prepared.step.unconditional_logits = _rows(unconditional_logits)
    processed = prepared.process()
    selector = prepared.chain.selector
    supported = selector.support(processed, prepared.step, prepared.state.selector)
    return supported if prepared.batched else supported[0]


def select_token(
    sampler: SamplerLike | Sequence[SamplerLike],
    logits: Any,
    history: Any = (),
    uniforms: Sequence[float] | None = None,
    stop_token: int | None = None,
    *,
    seed: int = 0,
    stage: str = "ar",
) -> tuple[int, dict[str, Any]]:
    """The token that a selector (or a chain with one) takes from logits [V], and what it has to say about it.

    `uniforms` are the numbers in (0, 1) that its draws get, in the order in which it first asks for each; without
    them the step's own noise is used. A selector that draws must use `step.uniform`, or it can't be tested like this.
    """
    prepared = _prepare(sampler, logits, history, stop_token, seed, stage, 75.0)
    if prepared.batched:
        raise UsageError("select_token takes the logits of one row, [V]")
    if prepared.plan.search is not None:
        raise UsageError(f"{prepared.plan.chooser} chooses sequences, not a token", try_="generate_ar, or a selector")
    if uniforms is not None:
        prepared.step = _Scripted.of(prepared.step, uniforms)
    processed = prepared.process()
    tokens = prepared.chain.select(processed, prepared.step, prepared.state)
    details = _details(prepared, processed, tokens)
    return int(tokens[0]), details


def sampler_steps(
    sampler: SamplerLike | Sequence[SamplerLike],
    logits_sequence: Any,
    imposed_tokens: Sequence[int],
    history: Sequence[int] = (),
    stop_token: int | None = None,
    *,
    seed: int = 0,
    stage: str = "ar",
) -> list[dict[str, Any]]:
    """Run a sampler through a sequence of logits [S, V] while each step's token is imposed.

    Each step gives a dict: `token`; `logits` [V] that the sampler left; `state`, a copy of its own state after the
    step; and whatever the selector says of itself (mirostat: `k`, `surprise`, `mu_before`, `mu_after`).
    """
    rows = _rows(logits_sequence)
    if rows.shape[0] != len(imposed_tokens):
        raise UsageError(f"{rows.shape[0]} rows of logits, but {len(imposed_tokens)} tokens")
    _require_ids(imposed_tokens, rows.shape[1], "token")
    prepared = _prepare(sampler, rows[0], history, stop_token, seed, stage, 75.0, room=len(imposed_tokens))
    reports: list[dict[str, Any]] = []
    for row, token in zip(rows, imposed_tokens, strict=True):
        prepared.logits = row.unsqueeze(0)
        processed = prepared.process()
        tokens = torch.tensor([int(token)])
        left = prepared.chain.selector.support(processed, prepared.step, prepared.state.selector)[0]
        details = _details(prepared, processed, tokens)
        prepared.state = prepared.chain.accept(tokens, prepared.step, prepared.state)
        own = states.snapshot([*prepared.state.stages, prepared.state.selector])
        kept = [each for each in own if each is not None]
        reports.append(
            {"token": int(token), "logits": left, "state": kept[0] if len(kept) == 1 else kept or None, **details}
        )
        prepared.step.append(tokens)
    return reports


@dataclass
class _Prepared:
    plan: ChainPlan
    chain: Chain
    step: Step
    state: ChainState
    logits: Tensor
    batched: bool

    def process(self) -> Tensor:
        return self.chain.process(self.logits, self.step, self.state)


class _Scripted(Step):
    """A step whose uniform numbers are given; a label keeps its number."""

    script: Sequence[float]
    labels: dict[str, Tensor]

    @classmethod
    def of(cls, step: Step, uniforms: Sequence[float]) -> _Scripted:
        made = cls(**{name: getattr(step, name) for name in step.__dataclass_fields__})
        made.script, made.labels = [float(each) for each in uniforms], {}
        if not all(0.0 < each < 1.0 for each in made.script):
            raise UsageError(f"uniform numbers lie between 0 and 1, not {made.script}")
        return made

    def uniform(self, label: str) -> Tensor:
        if label not in self.labels:
            place = len(self.labels)
            if place >= len(self.script):
                raise UsageError(f"{place + 1} draws were requested, but {len(self.script)} numbers given")
            self.labels[label] = torch.full((self.rows.shape[0],), self.script[place])
        return self.labels[label]


def _rows(given: Any) -> Tensor:
    found = torch.as_tensor(given)
    if found.dim() not in (1, 2) or not found.numel():
        raise UsageError(f"logits are [V] or [N, V], with something in them, not {list(found.shape)}")
    found = found if found.is_floating_point() else found.float()
    return found.unsqueeze(0) if found.dim() == 1 else found


def _require_ids(ids: Sequence[int], size: int, what: str) -> None:
    for each in ids:
        if not isinstance(each, Integral) or not 0 <= each < size:
            raise UsageError(f"no such {what}: {each!r}", cause=f"ids are whole numbers from 0 to {size - 1}")


def _prepare(
    samplers: SamplerLike | Sequence[SamplerLike],
    logits: Any,
    history: Any,
    stop_token: int | None,
    seed: int,
    stage: str,
    frame_rate: float,
    room: int = 0,
) -> _Prepared:
    batched = torch.as_tensor(logits).dim() > 1
    rows = _rows(logits)
    _require_ids([] if stop_token is None else [stop_token], rows.shape[1], "stop token")
    lists = _histories(history, rows.shape[0])
    step = Step.start(
        range(rows.shape[0]),
        stage=stage,
        seed=seed,
        capacity=max(map(len, lists), default=0) + room,
        stop_token=stop_token,
        frame_rate=frame_rate,
        prefixes=lists,
        device=rows.device,
    )
    step.index.fill_(int(step.lengths.max()) if lists else 0)
    plan = compile_chain(as_samplers(samplers), stage)
    context = BuildContext(
        device=str(rows.device), vocab_size=rows.shape[1], stop_token=stop_token, frame_rate=frame_rate, stage=stage
    )
    chain = plan.build(context)
    return _Prepared(plan, chain, step, chain.init(rows.shape[0], step), rows, batched)


def _histories(history: Any, rows: int) -> list[Tensor]:
    nested = isinstance(history, Sequence) and len(history) > 0 and not isinstance(history[0], Integral)
    if nested and not (isinstance(history[0], Tensor) and history[0].dim() == 0):
        found = [torch.as_tensor(each).long().reshape(-1) for each in history]
    else:
        whole = torch.as_tensor(history).long()
        found = list(whole) if whole.dim() == 2 else [whole] * rows
    if len(found) != rows:
        raise UsageError(f"{len(found)} histories for {rows} rows of logits")
    return found


def _details(prepared: _Prepared, logits: Tensor, tokens: Tensor) -> dict[str, Any]:
    tell = getattr(prepared.chain.selector, "details", None)
    if tell is None:
        return {}
    found = tell(logits, tokens, prepared.step, prepared.state.selector)
    return {key: value[0].item() for key, value in found.items()}
