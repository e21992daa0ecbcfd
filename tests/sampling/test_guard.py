"""A member of a chain that breaks its contract while it runs: the run ends, with its name and what it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from vall_e_core import PluginError, UsageError
from vall_e_core.sampling import Choice, StatelessSelector, StatelessTransform, Step, take_maximum
from vall_e_core.sampling.guard import EVERY, LOOKS, Maker, faults, noted, told
from vall_e_core.sampling.running import Chain, Stage
from vall_e_core.testing import NoSync

GONE = float("-inf")
BAD = Maker("bad", "the plugin bad (vall-e-bad 0.1)")
SIZE = 50


class From(StatelessTransform):
    """Does something wrong from a step on."""

    def __init__(self, wrong: Callable[[Tensor, Step], Any], after: int = 0) -> None:
        self.wrong, self.after = wrong, after

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        made: Tensor = self.wrong(logits, step) if int(step.index) >= self.after else logits
        return made


class ByRow(From):
    """The same for a row as an array."""

    def apply_row(self, logits: NDArray[np.float32], step: Step, state: None) -> NDArray[np.float32]:
        made = self.apply(torch.from_numpy(logits[None]), step, None)
        return made.numpy()[0] if isinstance(made, Tensor) else made


def exits(logits: Tensor, step: Step) -> Tensor:
    raise SystemExit(0)


def ends(logits: Tensor, step: Step) -> Tensor:
    raise GeneratorExit


def raises(logits: Tensor, step: Step) -> Tensor:
    raise ZeroDivisionError("by\nnothing")


def scribbles(logits: Tensor, step: Step) -> Tensor:
    return logits.sub_(1.0)


def forges(logits: Tensor, step: Step) -> Tensor:
    step.history[:, 0] = 7
    return logits


def forgets(logits: Tensor, step: Step) -> Tensor:
    step.lengths.zero_()
    return logits


def recounts(logits: Tensor, step: Step) -> Tensor:
    step.index.add_(7)
    return logits


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


def mutters(logits: Tensor, step: Step) -> Tensor:
    raise Mute


def usage() -> Tensor:
    raise UsageError("my own")


@dataclass
class Done:
    """What became of a run."""

    steps: int = 0
    counts: dict[str, list[int]] = field(default_factory=dict)


def run(stages: list[Stage], rows: int, steps: int = 9, done: Done | None = None, **others: Any) -> None:
    """Some steps of a chain; the rows may be drawn from. The logits are the same in each."""
    done = Done() if done is None else done
    step = Step.start(range(rows), capacity=steps, stop_token=SIZE - 1)
    chain = Chain(stages, **others)
    state = chain.init(rows, step)
    logits = torch.randn(rows, SIZE, generator=torch.Generator().manual_seed(1))
    for done.steps in range(steps):
        tokens = chain.choose(logits, step, state)
        state = chain.accept(tokens, step, state)
        step.append(tokens)
    done.counts = state.counts()


def bad(member: Any, **attributes: Any) -> list[Stage]:
    return [Stage("bad", member, maker=BAD, **attributes)]


@pytest.mark.parametrize("kind", [From, ByRow])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (raises, "failed in apply.*ZeroDivisionError: by nothing"),
        (exits, "exited in apply"),
        (ends, "failed in apply.*GeneratorExit"),
        (scribbles, "wrote to the logits it was given"),
        (forges, "wrote to the history it was given"),
        (forgets, "wrote to the history's lengths"),
        (recounts, "wrote to the step's number"),
        (mutters, "failed in apply.*Mute$"),
        (lambda logits, step: 1 / 0 if step is None else usage(), "failed in apply.*my own"),
        (lambda logits, step: None, "returned nothing"),
        (lambda logits, step: logits.double(), "float64"),
        (lambda logits, step: logits[:, :-1].clone(), "apply.* for .*50"),
        (lambda logits, step: logits * float("nan"), "gave NaN or \\+inf"),
        (lambda logits, step: logits.masked_fill(logits > 0, float("inf")), "gave NaN or \\+inf"),
        (lambda logits, step: torch.full_like(logits, GONE), "left a row without any token"),
    ],
)
def test_what_a_transform_does_wrong_is_said_with_its_name(kind: Any, rows: int, wrong: Any, said: str) -> None:
    with pytest.raises(PluginError, match=said) as caught:
        run(bad(kind(wrong, after=1)), rows)
    assert caught.value.exit_code == 4 and "the sampler bad" in caught.value.message
    assert caught.value.cause == "it comes from the plugin bad (vall-e-bad 0.1)"
    assert "\n" not in caught.value.message


def test_other_rows_are_named() -> None:
    with pytest.raises(PluginError, match=r"returned \[6, 50\] from apply\(\) for logits of \[3, 50\]"):
        run(bad(From(lambda logits, step: logits.repeat(2, 1))), 3)


BROKEN = [float("nan"), float("inf"), GONE]


def same(name: str) -> Stage:
    """Another third party's, which does nothing wrong."""
    return Stage(name, ByRow(lambda logits, step: logits), maker=Maker(name))


def only_at(at: int, value: float) -> ByRow:
    """Is broken in a single step."""
    return ByRow(lambda logits, step: torch.full_like(logits, value) if int(step.index) == at else logits)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("value", BROKEN)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_reaches_the_end_is_found_in_the_step_it_happens(rows: int, value: float, place: int) -> None:
    """Wherever in the chain, behind the steps that are looked at closely; the stop token covers nothing up."""
    for at in (LOOKS, LOOKS + 1):
        stages = [same("a"), same("b")]
        stages.insert(place, *bad(only_at(at, value)))
        done = Done()
        with pytest.raises(PluginError, match=r"the sampler bad (gave|left)"):
            run(stages, rows, LOOKS + 5, done=done)
        assert done.steps == at


@pytest.mark.parametrize("kind", [From, ByRow])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("value", BROKEN)
def test_what_another_member_hides_is_found_at_the_next_close_look(kind: Any, rows: int, value: float) -> None:
    late = kind(lambda logits, step: torch.full_like(logits, value), after=LOOKS + 3)
    hiding = Stage("hiding", kind(lambda logits, step: torch.zeros_like(logits)), maker=Maker("hiding"), removes=False)
    done = Done()
    with pytest.raises(PluginError, match="the sampler bad"):
        run([*bad(late), hiding], rows, 2 * EVERY, done=done)
    assert done.steps == EVERY


@pytest.mark.parametrize("kind", [From, ByRow])
@pytest.mark.parametrize("rows", [1, 3])
def test_what_truncates_to_the_stop_token_alone_is_not_to_blame(kind: Any, rows: int) -> None:
    """The best other token comes back, as it does behind the project's own filters."""

    def truncate(logits: Tensor, step: Step) -> Tensor:
        stop = torch.zeros(SIZE).index_fill(0, torch.tensor([SIZE - 1]), 1.0)
        return logits.masked_fill(stop == 0, GONE)

    done = Done()
    run(bad(kind(truncate)), rows, LOOKS + 3, done=done)
    assert done.counts == {"degenerate": [0] * rows, "rescued": [LOOKS + 3] * rows}


class Once(ByRow):
    """Is broken once, whatever the step: asked again, it isn't."""

    def __init__(self, value: float) -> None:
        self.calls = 0

        def wrong(logits: Tensor, step: Step) -> Tensor:
            self.calls += 1
            return torch.full_like(logits, value) if self.calls == LOOKS + 2 else logits

        super().__init__(wrong)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_breaks_a_row_and_not_again_is_said_of_all_that_may_have(rows: int, value: float) -> None:
    with pytest.raises(PluginError, match="the sampler bad broke a row, but not when it was repeated"):
        run(bad(Once(value)), rows)
    with pytest.raises(PluginError, match="the samplers bad, a: one of them broke a row") as caught:
        run([*bad(Once(value)), same("a")], rows)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("rows", [1, 3])
def test_nan_written_into_what_the_model_said_is_found(rows: int) -> None:
    late = ByRow(lambda logits, step: logits.fill_(float("nan")), after=LOOKS + 1)
    with pytest.raises(PluginError, match="the sampler bad wrote NaN or \\+inf to the logits it was given"):
        run(bad(late), rows)


def jumbles(logits: Tensor, step: Step) -> Tensor:
    return torch.cat((logits, logits), 1)


@pytest.mark.parametrize("kind", [From, ByRow])
@pytest.mark.parametrize("rows", [1, 3])
def test_who_fails_on_what_another_one_made_is_not_to_blame(kind: Any, rows: int) -> None:
    for after in (0, LOOKS + 2):
        fussy = kind(lambda logits, step: logits + torch.zeros(SIZE))
        with pytest.raises(PluginError, match=r"the sampler bad returned .*100"):
            run([*bad(kind(jumbles, after=after)), Stage("fussy", fussy, maker=Maker("fussy"))], rows)


@pytest.mark.parametrize("rows", [1, 3])
def test_who_wrote_to_the_history_is_told_from_the_others(rows: int) -> None:
    with pytest.raises(PluginError, match="the sampler bad wrote to the history it was given"):
        run([same("a"), *bad(ByRow(forges, after=1)), same("b")], rows)


@pytest.mark.parametrize("rows", [1, 3])
def test_the_project_s_own_members_are_asked_once_a_step(rows: int) -> None:
    asked: list[int] = []
    own = ByRow(lambda logits, step: asked.append(int(step.index)) or logits)  # type: ignore[func-returns-value]
    run([Stage("own", own, maker=Maker("own", foreign=False))], rows, LOOKS + 2)
    assert asked == list(range(LOOKS + 2))


@pytest.mark.parametrize("rows", [1, 3])
def test_what_may_empty_a_row_may_go_on_doing_so(rows: int) -> None:
    run(bad(From(lambda logits, step: torch.full_like(logits, GONE)), bans=True), rows)


def test_a_changed_number_of_rows_is_looked_at_again() -> None:
    step = Step.start(range(4), capacity=20, stop_token=SIZE - 1)
    chain = Chain(bad(From(scribbles, after=LOOKS + 2)))
    state = chain.init(4, step)
    logits = torch.randn(4, SIZE)

    def go(count: int) -> None:
        nonlocal state
        for _ in range(count):
            tokens = chain.choose(logits[: len(step.rows)].clone(), step, state)
            state = chain.accept(tokens, step, state)
            step.append(tokens)

    go(LOOKS + 4)
    fewer = torch.arange(2)
    step, state = step.select(fewer), state.select(fewer)
    with pytest.raises(PluginError, match="wrote to the logits"):
        go(1)


def test_a_model_s_own_nan_is_no_sampler_s_fault() -> None:
    chain = Chain(bad(From(lambda logits, step: logits - logits.logsumexp(-1, keepdim=True))))
    step = Step.start([0, 1], capacity=1)
    state = chain.init(2, step)
    chain.choose(torch.full((2, SIZE), float("nan")), step, state)
    assert state.counts()["degenerate"] == [1, 1]


class Picks(StatelessSelector):
    """Chooses in some way."""

    def __init__(self, way: Callable[[Tensor], Any]) -> None:
        self.way = way

    def select(self, logits: Tensor, step: Step, state: None) -> Tensor:
        made: Tensor = self.way(logits)
        return made

    select_row: Any = None


class Places(StatelessSelector):
    """Chooses a place of a row that is an array."""

    def __init__(self, place: Any) -> None:
        self.place = place

    def select_row(self, logits: NDArray[np.float32], step: Step, state: None) -> int:
        made: int = self.place
        return made


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (-1, "chose a token that doesn't exist, in select_row"), (SIZE, "chose a token that doesn't exist"),
        (1.5, "failed in select.*float"), (None, "failed in select.*NoneType"),
    ],
)  # fmt: skip
def test_a_place_of_a_row_that_is_not_there_is_said(place: Any, said: str) -> None:
    with pytest.raises(PluginError, match=f"the sampler bad {said}"):
        run([same("a")], 1, selector=Places(place), makers=(BAD, BAD))


class Keeps(ByRow):
    """Names what it keeps."""

    def __init__(self, *ids: int) -> None:
        super().__init__(lambda logits, step: logits)
        self.ids = ids

    def kept(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return torch.tensor([self.ids]).repeat(len(logits), 1)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("ids", [(-1, 3), (3, SIZE)])
def test_kept_ids_that_are_not_there_are_said(rows: int, ids: tuple[int, ...]) -> None:
    with pytest.raises(PluginError, match=r"the sampler bad (chose a token that doesn't exist|failed)"):
        run(bad(Keeps(*ids)), rows)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(
    ("way", "said"),
    [
        (lambda logits: take_maximum(logits).float(), "float32"),
        (lambda logits: logits.argmax(), "not 3 int64|not 1 int64"),
        (lambda logits: take_maximum(logits) + SIZE, "chose a token that doesn't exist"),
        (lambda logits: take_maximum(logits) - SIZE, "chose a token that doesn't exist"),
        (lambda logits: take_maximum(logits.zero_()), "wrote to the logits"),
        (lambda logits: [0] * len(logits), "a list"),
        (lambda logits: 1 // 0, "failed in select.*ZeroDivisionError"),
        (lambda logits: ends(logits, Step.start([0])), "failed in select.*GeneratorExit"),
    ],
)
def test_what_a_selector_does_wrong_is_said_with_its_name(rows: int, way: Any, said: str) -> None:
    with pytest.raises(PluginError, match=said) as caught:
        run([], rows, selector=Picks(way), makers=(BAD, BAD))
    assert "the sampler bad" in caught.value.message


class Leads:
    """A search that goes wrong."""

    width = 2

    def __init__(self, way: Callable[[Choice], Any]) -> None:
        self.way = way

    def init(self, utterances: int, ctx: Any) -> Tensor:
        return torch.zeros(utterances * self.width)

    def advance(self, logprobs: Tensor, step: Step, state: Tensor) -> tuple[Choice, Tensor]:
        rows = torch.arange(len(logprobs))
        made: Choice = self.way(Choice(take_maximum(logprobs), rows, rows < 0))
        return made, state


@pytest.mark.parametrize(
    ("way", "said"),
    [
        (lambda choice: choice._replace(tokens=choice.tokens[:1]), "int64"),
        (lambda choice: choice._replace(parents=choice.parents + 99), "doesn't exist"),
        (lambda choice: choice._replace(tokens=choice.tokens + 99), "doesn't exist"),
        (lambda choice: 1 // 0, "failed in advance"),
    ],
)
def test_what_a_search_does_wrong_is_said_with_its_name(way: Any, said: str) -> None:
    chain = Chain([], search=Leads(way), makers=(BAD, BAD))
    step = Step.start([0, 0], capacity=1)
    state = chain.init(2, step)
    with pytest.raises(PluginError, match=said):
        chain.advance(chain.process(torch.randn(2, SIZE), step, state), step, state)


class Remembers(StatelessTransform):
    """With a state of its own making."""

    def __init__(self, made: Callable[[int], Any], accepts: Callable[[Tensor], Any] = lambda tokens: None) -> None:
        self.made, self.accepts = made, accepts

    def init(self, rows: int, ctx: Any) -> Any:
        return self.made(rows)

    def apply(self, logits: Tensor, step: Step, state: Any) -> Tensor:
        return logits

    def accept(self, tokens: Tensor, step: Step, state: Any) -> Any:
        return self.accepts(tokens)


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (Remembers(lambda rows: 1 // 0), "failed in init"),
        (Remembers(lambda rows: torch.zeros(rows + 1)), "made a state of \\[4\\] for 3 rows"),
        (Remembers(lambda rows: None, lambda tokens: torch.zeros(7)), "made a state of \\[7\\]"),
        (Remembers(lambda rows: None, lambda tokens: 1 // 0), "failed in accept"),
        (Remembers(lambda rows: None, lambda tokens: tokens.zero_() and None), "bad.* in accept|bad.*accept"),
    ],
)
def test_what_a_state_does_wrong_is_said_with_its_name(member: Remembers, said: str) -> None:
    with pytest.raises(PluginError, match=said):
        run(bad(member), 3)


def test_where_nothing_may_wait_faults_are_kept_as_bits() -> None:
    """What a device keeps, looked at here: row by row, and the first member to blame is told."""
    makers = [Maker("good"), BAD]
    before = torch.zeros(3, 4)
    made = before.clone()
    made[1] = float("nan")
    made[2] = GONE
    found = faults(made, before, False)
    assert found is not None and faults(before, before, False) is None
    kept = noted(1, found).tolist()
    assert kept[0] == 0
    assert [told(makers, each).message for each in kept[1:]] == [
        "the sampler bad gave NaN or +inf", "the sampler bad left a row without any token",
    ]  # fmt: skip


def test_looking_waits_for_nothing() -> None:
    with NoSync():
        run(bad(StatelessSame()), 3)


class StatelessSame(StatelessTransform):
    """Changes nothing."""

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return logits.clone()


@pytest.mark.parametrize("kind", [From, ByRow])
@pytest.mark.parametrize("rows", [1, 3])
def test_another_shape_is_found_at_any_step(kind: Any, rows: int) -> None:
    late = kind(lambda logits, step: torch.cat((logits, logits), 1), after=LOOKS + 3)
    with pytest.raises(PluginError, match="the sampler bad"):
        run(bad(late), rows)
