"""Sampling chains in requests: which samplers a stranger may use, and what a chain does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vall_e_core import Registry, Sampler, UsageError
from vall_e_core.run import SamplerSpec
from vall_e_core.sampling.running import ChainPlan, ChainRequest
from vall_e_lm import check_version, plan_chain

from .errors import HttpError, line

MOST_MEMBERS = 32
_SAFE = (bool, int, float)


def split_chains(body: dict[str, object]) -> dict[str, object]:
    """A body whose `samplers` may be an object of stages, with a list for each stage. Raises HttpError."""
    given = body.get("samplers")
    if not isinstance(given, Mapping):
        if "nar_samplers" in body:
            raise HttpError(400, 'nar_samplers: try: "samplers": {"nar": […]}', code="bad_value", param="nar_samplers")
        return body
    if set(given) - {"ar", "nar"}:
        raise HttpError(400, "samplers: the stages are ar and nar", code="bad_value", param="samplers")
    stages = {"samplers": given.get("ar"), "nar_samplers": given.get("nar")}
    return {**body, **stages}


def read_chains(
    registry: Registry, allowed: Sequence[str], ar: Sequence[str], nar: Sequence[str]
) -> dict[str, ChainRequest]:
    """The chains that a request asks for, by stage.

    Raises:
        HttpError: 400 for an unknown sampler, one that isn't allowed over HTTP, or a wrong value.
    """
    found: dict[str, ChainRequest] = {}
    for stage, specs in (("ar", ar), ("nar", nar)):
        if len(specs) > MOST_MEMBERS:
            raise HttpError(400, f"a chain has at most {MOST_MEMBERS} members", code="bad_value", param="samplers")
        if specs:
            found[stage] = ChainRequest(tuple(_member(each, registry, allowed) for each in specs))
    return found


def _member(written: str, registry: Registry, allowed: Sequence[str]) -> Sampler:
    try:
        spec = SamplerSpec.parse(written, None)
        if spec.name not in allowed and not is_safe(registry, registry.sampler(spec.name)):
            raise HttpError(
                400, f"the sampler {spec.name} can't be used over HTTP: its parameters could name files or code; "
                "try: --allow-sampler, when the server is started", code="forbidden_sampler", param="samplers",
            )  # fmt: skip
        return spec.resolve(registry)
    except UsageError as error:
        raise HttpError(400, line(error), code="bad_sampler", param="samplers") from error
    except ValueError as error:
        raise HttpError(400, f"samplers: {str(error)[:300]}", code="bad_sampler", param="samplers") from error


def is_safe(registry: Registry, sampler: type[Sampler]) -> bool:
    """Whether no parameter of it can name a file or code: numbers, switches and words of a list can't.

    Free text of our own samplers (runs of ids, say) can't either, but for those that run other code.
    """
    ours = registry.owner(sampler).ours and not sampler.waits
    for each in sampler.params():
        plain = each.type.item in _SAFE or each.choices is not None
        if not plain and not (ours and each.type.item is str):
            return False
    return True


def plans(
    registry: Registry, chains: Mapping[str, ChainRequest], advice: Mapping[str, object], version: int
) -> dict[str, ChainPlan]:
    """What the chains will do with a model. Raises HttpError 400 for a chain that can't be."""
    try:
        known = registry.samplers()
        found = {stage: plan_chain(known, stage, chains.get(stage), advice) for stage in ("ar", "nar")}
        check_version(found["ar"], version)
        return found
    except UsageError as error:
        raise HttpError(400, line(error), code="bad_chain", param="samplers") from error


def explained(plan: ChainPlan) -> dict[str, Any]:
    """A plan as JSON, with a sentence for each member."""
    rows = plan.record()
    for row, member in zip(rows, plan.members, strict=True):
        row["does"] = member.sampler.summary()
    return {"members": rows, "chooser": plan.chooser, "warnings": list(plan.warnings)}
