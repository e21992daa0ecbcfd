"""Samplers against vectors that the reference implementations made (see samplers/README.md).

`VALL_E_GOLDEN_SAMPLERS` names another folder of the same format; nothing here knows its cases by name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vall_e_core import Sampler
from vall_e_core.testing import apply_samplers, installed_samplers, sampler_steps, select_token

FOLDER = Path(os.environ.get("VALL_E_GOLDEN_SAMPLERS") or Path(__file__).parent / "samplers")
LOGITS = 2e-4  # relative
TRAJECTORY = 1e-3  # absolute

CASES: list[dict[str, Any]] = json.loads((FOLDER / "cases.json").read_text())["cases"]
ARRAYS: Mapping[str, NDArray[Any]] = np.load(FOLDER / "vectors.npz")
REGISTERED: dict[str, type[Sampler]] = {each.name: each for each in installed_samplers()}

RENAMED = {
    "dynatemp": "dynamic-temperature", "dynatemp_sigmoid": "dynamic-temperature", "mirostat_v1": "mirostat",
    "mirostat_v2": "mirostat", "freq_presence_penalty": "frequency-presence", "length_penalty": "length-penalty",
    "exp_length_penalty": "length-penalty", "repetition_penalty_decay": "repetition-penalty",
}  # fmt: skip
"""Where a case's sampler isn't simply ours with `_` for `-`."""


def our_name(sampler: str) -> str:
    return RENAMED.get(sampler, sampler.replace("_", "-"))


def members(sampler: str, ref: str, params: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The chain, as (name, parameters), that a case asks for."""
    if sampler == "log_softmax":
        return []
    if sampler == "chain":
        return [member for name in params["order"] for member in members(name, ref, params[name])]
    values = dict(params)
    if sampler == "dynatemp":
        values["mode"] = "entropy"
    elif sampler == "dynatemp_sigmoid":
        values |= {"mode": "confidence", "max": values.pop("t"), "min": values.pop("min_t")}
    elif sampler.startswith("mirostat_v"):
        values |= {"version": int(sampler[-1]), "variant": "paper" if ref == "mirostat" else ref}
    elif sampler in ("length_penalty", "exp_length_penalty"):
        values = {"mode": "power" if sampler == "length_penalty" else "exponential"}
        values |= {key: value for key, value in params.items() if key not in ("stop_id", "length")}
    elif sampler == "repetition_penalty_decay":
        values["window"] = -1
    elif sampler == "dry":
        values = {"max_match": 0, "breakers": [], **values}
    elif sampler == "xtc" and "protected" in values:
        values["protect"] = values.pop("protected")
    elif sampler == "logit_bias":
        values["bias"] = {int(token): value for token, value in params["bias"].items()}
    return [(our_name(sampler), values)]


def is_target(case: Mapping[str, Any]) -> bool:
    """A reference's slip documents what it does; it is no target, and ours need not even have the parameter."""
    return not case.get("quirk")


def names(case: Mapping[str, Any]) -> set[str]:
    wanted = case["params"]["order"] if case["sampler"] == "chain" else [case["sampler"]]
    return {our_name(each) for each in wanted} - {"log-softmax"}


NOT_YET_REGISTERED = sorted({name for case in CASES for name in names(case)} - REGISTERED.keys())
READY = [case for case in CASES if is_target(case) and names(case) <= REGISTERED.keys()]


def history(case: Mapping[str, Any]) -> list[int]:
    if case.get("history"):
        return [int(token) for token in ARRAYS[f"hist/{case['history']}"]]
    return [0] * int(case["params"].get("length", 0))


def logits(case: Mapping[str, Any]) -> torch.Tensor:
    return torch.from_numpy(ARRAYS[f"in/{case['input']}"].copy())


def kept_values(values: torch.Tensor, kept: torch.Tensor) -> list[float]:
    return sorted(set(values[kept].tolist()))


def check_applied(case: Mapping[str, Any]) -> None:
    given = logits(case)
    chain = members(case["sampler"], case["ref"], case["params"])
    made = apply_samplers(chain, given, history(case), stop_token=case["params"].get("stop_id"))
    if case["sampler"] == "log_softmax":
        made = torch.log_softmax(made, dim=-1)
    kept = made > float("-inf")
    if case["kind"] == "mask":
        wanted = torch.from_numpy(np.unpackbits(ARRAYS[f"keep/{case['id']}"])[: len(given)].astype(bool))
        assert torch.equal(made[kept], given[kept])
    else:
        expected = torch.from_numpy(ARRAYS[f"out/{case['id']}"].copy())
        wanted = expected > float("-inf")
        both = wanted & kept
        assert torch.allclose(made[both], expected[both], rtol=LOGITS, atol=LOGITS)
    if case["borderline"]:
        return
    if case["tied_input"]:
        assert kept_values(given, kept) == kept_values(given, wanted)
    else:
        assert torch.equal(kept, wanted)


def check_selected(case: Mapping[str, Any]) -> None:
    given, expect = logits(case), case["expect"]
    if expect.get("boosted"):
        token, value = expect["boosted"]
        given[token] = value
    chain = members(case["sampler"], case["ref"], case["params"])
    token, details = select_token(chain[0], given, history(case), uniforms=expect.get("uniforms"))
    if case["borderline"]:
        return
    if case["tied_input"]:
        assert given[token] == given[expect["token"]]
    else:
        assert token == expect["token"]
    for key in expect.keys() - {"token", "uniforms", "boosted"}:
        assert details[key] == expect[key], key


def check_trajectory(case: Mapping[str, Any]) -> None:
    steps = case["expect"]["steps"]
    sequence = ARRAYS[case["input"]][: len(steps)]
    chain = members(case["sampler"], case["ref"], case["params"])
    reports = sampler_steps(chain[0], torch.from_numpy(sequence.copy()), [each["token"] for each in steps])
    for report, step in zip(reports, steps, strict=True):
        for key in step.keys() - {"token", "logits", "k"}:
            assert report[key] == pytest.approx(step[key], abs=TRAJECTORY), key
        if "k" in step:
            assert report["k"] == step["k"]
        if step.get("logits"):
            expected = torch.from_numpy(ARRAYS[step["logits"]].copy())
            assert torch.allclose(report["logits"], expected, rtol=TRAJECTORY, atol=TRAJECTORY)


CHECKS = {"mask": check_applied, "logits": check_applied, "select": check_selected, "trajectory": check_trajectory}


@pytest.mark.parametrize("case", READY, ids=lambda case: f"{case['id']}-{case['sampler']}-{case['ref']}")
def test_equals_the_reference(case: dict[str, Any]) -> None:
    CHECKS[case["kind"]](case)


def test_every_registered_sampler_that_has_vectors_is_exercised() -> None:
    covered = {name for case in CASES for name in names(case)}
    exercised = {name for case in READY for name in names(case)}
    assert exercised == covered - set(NOT_YET_REGISTERED)
    left_out = {case["id"] for case in CASES} - {case["id"] for case in READY}
    unready = {case["id"] for case in CASES if names(case) & set(NOT_YET_REGISTERED)}
    quirks = {case["id"] for case in CASES if case.get("quirk")}
    assert left_out == unready | quirks


def test_no_sampler_is_registered_under_a_reference_name() -> None:
    assert not [name for name in NOT_YET_REGISTERED if name.replace("-", "_") in REGISTERED]
