"""What the training stages share."""

from __future__ import annotations

import pytest

from tools.train_mini import training


def test_a_pause_of_the_process_is_not_training(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(training.time, "monotonic", lambda: now)
    clock = training.Clock(minutes=1.0, spent=10.0)
    for seconds in (2.0, 3600.0, 3.0):  # the second is a process that was stopped for an hour
        now += seconds
        clock.tick()
    assert clock.spent == pytest.approx(15.0)
    assert clock.progress == pytest.approx(0.25)
    now += 50.0
    assert clock.tick() == 1.0
