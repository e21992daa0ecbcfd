"""A limit on the time of one item, told by a clock of the test's own."""

from __future__ import annotations

import pytest

from vall_e_lm import Deadline, TimeLimitError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_g3_an_item_ends_when_its_time_is_over_and_not_before() -> None:
    clock = Clock()
    deadline, seen = Deadline(5.0, "row 7", clock=clock), []
    watch = deadline.watch(lambda *step: seen.append(step))
    clock.now += 5.0
    watch("ar", 1, 9)
    deadline.check()
    assert deadline.error() is None and seen == [("ar", 1, 9)]
    clock.now += 0.1
    with pytest.raises(TimeLimitError) as caught:
        watch("ar", 2, 9)
    assert caught.value.message == "row 7 wasn't finished within 5 s"
    assert caught.value.cause == "it was at step 2 of at most 9 (ar)"
    assert caught.value.exit_code == 124 and len(seen) == 1
    assert Deadline(5.0, "row 8", clock=clock).error() is None, "each item has its own time"


def test_without_a_limit_nothing_ends() -> None:
    clock = Clock()
    deadline = Deadline(None, "the speech", clock=clock)
    clock.now += 1e9
    deadline.watch()("ar", 1, 2)
    assert deadline.error("anything") is None
