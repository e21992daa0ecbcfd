"""How the benchmarks judge a run, without one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from benchmarks.contenders import Own, captured, rivals
from benchmarks.goals import GOALS, verdicts
from benchmarks.length import average
from benchmarks.report import Report, Row
from benchmarks.settings import QUICK, Settings
from vall_e_core import UsageError


def test_goals_are_judged_by_a_run_of_the_full_size() -> None:
    settings = Settings(threads=2)
    assert statuses(settings, {}) == {goal.key: "not measured" for goal in GOALS}
    speed, growth = "decode.cpu.batch1.int8", "length.int8.mean_growth"
    limit = "decode.cpu.batch1.int8.limit"
    for value, status in ((74.9, "missed"), (75.0, "kept"), (89.9, "kept"), (90.0, "aim reached")):
        assert statuses(settings, {speed: value, limit: 150.0})[speed] == status
    for value, status in ((1.51, "missed"), (1.5, "kept"), (1.2, "aim reached")):
        assert statuses(settings, {growth: value})[growth] == status
    shared = replace(settings, threads=1, clock="process")
    assert statuses(shared, {speed: 100.0, growth: 1.0}) == {
        **{goal.key: "not measured" for goal in GOALS}, growth: "aim reached",
    }, "tokens a second hold for an idle machine's clock, ratios for any"  # fmt: skip


def statuses(settings: Settings, given: dict[str, float]) -> dict[str, str]:
    """What becomes of each goal when the rows are these."""
    report = Report({}, {}, show=lambda line: None)
    for key, value in given.items():
        report.add(Row("part", key, key, value, "", rounds=(value, value + 1)))
    report.judge(verdicts(settings, report))
    for each in report.goals:
        if each.key in given:
            assert (each.low, each.high, each.runs) == (given[each.key], given[each.key] + 1, 2)
    return {each.key: each.status for each in report.goals}


def test_the_mean_cost_is_that_of_all_tokens() -> None:
    assert average({1.0: 2.0, 61.0: 6.0}) == pytest.approx(2.0)  # grows evenly from 2 to 6: 4 on average
    assert average({1.0: 2.0, 31.0: 4.0, 61.0: 6.0}) == pytest.approx(2.0)
    assert average({1.0: 3.0}) == 1.0


def test_auto_is_held_against_every_engine_that_does_the_same() -> None:
    pytest.importorskip("onnxruntime")
    chosen, others = rivals(QUICK, "none")
    assert chosen == "onnx" and list(others) == ["eager"]
    assert rivals(QUICK, "none", ["eager"]) == rivals(QUICK, "int8") == ("onnx", {})


def test_steps_are_captured_on_a_gpu_alone() -> None:
    with pytest.raises(UsageError, match="runs on cuda"):
        captured(QUICK, "cpu", "float32")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_captured_steps_take_part() -> None:
    """It has not run yet: where this was written there was no GPU."""
    model = captured(QUICK, "cuda", "bfloat16")
    assert model.recorder is not None
    assert Own(model, QUICK, key="captured", name="captured", device="cuda").decode(2, 40).steps == 39
