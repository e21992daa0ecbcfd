"""What the driver does when actors die, can't be used, or are slow to come. Ray is played by threads: no cluster."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vall_e_batch import Batch, Report, Row
from vall_e_core import InputError, ModelError, Registry, VallEError
from vall_e_lm import ModelOptions
from vall_e_ray import actor as actor_module

HOW: dict[str, Any] = {"phonemizer": "letters", "max_ar_steps": "30", "max_tries": 1, "batch_size": 2}
ROWS = [Row(f"row{at}", "hello there") for at in range(6)]


class RayError(Exception):
    """The base of what Ray raises."""


class RayTaskError(RayError):
    """What an actor's method has raised."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


class FakeRay:
    """As much of Ray as a batch uses: an actor is an object, its methods run in threads, and it can die."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.actors: list[FakeActor] = []
        self.room = 2
        self.before: Callable[[FakeActor, str, Sequence[Any]], None] = lambda *_: None
        """Called before each method: what it raises is the method's."""

    def is_initialized(self) -> bool:
        return True

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": {"CPU": 1.0}} for _ in range(self.room)]

    def remote(self, cls: type) -> Any:
        def make(load: Any, *rest: Any) -> FakeActor:
            actor = FakeActor(self)
            actor.inner = cls(FakeLoad(load.options, self.registry), *rest, actor.die)
            self.actors.append(actor)
            return actor

        made = SimpleNamespace(remote=make)
        return SimpleNamespace(options=lambda **_: made)

    def wait(self, refs: list[Future[Any]], num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        done, rest = wait(refs, timeout, FIRST_COMPLETED)
        return list(done)[:num_returns], list(rest)

    def get(self, ref: Future[Any]) -> Any:
        return ref.result()

    def kill(self, actor: FakeActor) -> None:
        actor.die()


class FakeLoad:
    """Loads the engine with the tests' plugins."""

    def __init__(self, options: ModelOptions, registry: Registry) -> None:
        self.options, self.registry = options, registry

    def __call__(self) -> Any:
        from vall_e_core import VallE

        return VallE.load(options=self.options, registry=self.registry)


class FakeActor:
    """An actor."""

    inner: Any

    def __init__(self, ray: FakeRay) -> None:
        self._ray = ray
        self._refs: list[Future[Any]] = []

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=lambda *given: self._call(name, given))

    def _call(self, name: str, given: Sequence[Any]) -> Future[Any]:
        ref: Future[Any] = Future()
        self._refs.append(ref)

        def run() -> None:
            try:
                self._ray.before(self, name, given)
                found = getattr(self.inner, name)(*given)
            except RayError as error:
                self.die(error)
            except Exception as error:
                self._settle(ref, RayTaskError(error))
            else:
                self._settle(ref, found)

        threading.Thread(target=run, daemon=True).start()
        return ref

    def die(self, error: RayError | None = None) -> None:
        """All that it was doing fails."""
        for each in self._refs:
            self._settle(each, error or RayError("the actor died"))

    def _settle(self, ref: Future[Any], found: Any) -> None:
        if not ref.done():
            ref.set_exception(found) if isinstance(found, BaseException) else ref.set_result(found)


@pytest.fixture
def ray(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    made = FakeRay(registry)
    monkeypatch.setitem(sys.modules, "ray", made)
    return made


@pytest.fixture
def batch(registry: Registry, model_path: Path, tmp_path: Path) -> Callable[..., Report]:
    """Runs the six rows: `batch("ray")`, or anything that `Batch.run` takes; `notices` has what was said."""
    model = ModelOptions(model=str(model_path), device="cpu", threads=1, engine="eager")

    def run(runner: str = "ray", folder: str = "out", **how: Any) -> Report:
        notify = how.pop("notices", []).append
        made = Batch(
            how.pop("rows", ROWS), tmp_path / folder, voice="tim", seed=7, model=model, registry=registry,
            notify=notify, **HOW,
        )  # fmt: skip
        return made.run(runner=runner, **how)

    return run


def made(tmp_path: Path) -> list[str]:
    lines = (tmp_path / "out" / "journal.main.jsonl").read_text("utf-8").splitlines()
    return sorted(json.loads(line)["id"] for line in lines)


def test_the_outputs_are_those_of_a_local_run(
    batch: Callable[..., Report], ray: FakeRay, tmp_path: Path
) -> None:
    far, local = batch(), batch("local", "local")
    assert len(ray.actors) == 2
    assert [each.out.read_bytes() for each in far.results] == [each.out.read_bytes() for each in local.results]
    here, there = [json.loads((tmp_path / each / "row0.wav.json").read_bytes()) for each in ("local", "out")]
    assert there["arguments"] == here["arguments"]
    assert there["batch"].pop("processor")
    assert there["batch"] == here["batch"]
    assert there["output"] == {**here["output"], "path": str(tmp_path / "out" / "row0.wav")}
    assert batch().summary()["made"] == 0, "both runners know each other's work"


@pytest.mark.slow
def test_rows_of_an_actor_that_dies_are_made_again_once(
    batch: Callable[..., Report], ray: FakeRay, tmp_path: Path
) -> None:
    def before(actor: FakeActor, name: str, given: Sequence[Any]) -> None:
        if name == "make" and given[0].row.id == "row3" and len(ray.actors) == 2:
            raise RayError("killed")

    ray.before = before
    assert batch().summary()["done"] == 6
    assert made(tmp_path) == [row.id for row in ROWS]
    assert len(ray.actors) == 3, "another took its place"


@pytest.mark.slow
def test_a_row_that_kills_every_actor_fails_and_the_others_do_not(batch: Callable[..., Report], ray: FakeRay) -> None:
    def before(actor: FakeActor, name: str, given: Sequence[Any]) -> None:
        if name == "make" and given[0].row.id == "row3":
            raise RayError("out of memory")

    ray.before = before
    (failed,) = batch().failed
    assert (failed.id, failed.status) == ("row3", "crashed")
    assert failed.error is not None and failed.error["cause"] == "out of memory"


@pytest.mark.slow
def test_an_actor_that_hangs_gives_up_and_its_rows_are_made_elsewhere(
    batch: Callable[..., Report], ray: FakeRay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    monkeypatch.setenv("VALL_E_TINY_GATE", str(gate))  # no row gets anywhere while it isn't there
    monkeypatch.setattr(actor_module, "STUCK_SECONDS", 1.0)
    hung: list[FakeActor] = []

    def give_up(actor: FakeActor, error: RayError | None = None) -> None:
        hung.append(actor)
        gate.touch()
        die(actor, error)

    die = FakeActor.die
    monkeypatch.setattr(FakeActor, "die", give_up)
    ray.room = 1
    assert batch().summary()["done"] == 6
    assert hung[0] is ray.actors[0] and len(ray.actors) > 1


def test_a_machine_with_another_model_is_left_out(batch: Callable[..., Report], ray: FakeRay) -> None:
    def before(actor: FakeActor, name: str, given: Sequence[Any]) -> None:
        if name == "load" and actor is ray.actors[0]:
            raise ModelError("another model")

    ray.before, notices = before, []
    assert batch(notices=notices).summary()["done"] == 6
    assert any("left out: another model" in line for line in notices)
    assert len(ray.actors) == 2, "it isn't replaced"


def test_where_no_machine_can_be_used_the_reason_ends_it(
    batch: Callable[..., Report], ray: FakeRay, tmp_path: Path
) -> None:
    def before(actor: FakeActor, name: str, given: Sequence[Any]) -> None:
        if name == "load":
            raise ModelError("another model")

    ray.before = before
    with pytest.raises(ModelError, match="another model"):
        batch()
    ray.before = lambda *_: None
    assert batch().summary()["done"] == 6


def test_a_recording_that_differs_is_noticed(
    batch: Callable[..., Report], ray: FakeRay, reference: Path, tmp_path: Path
) -> None:
    rows = [Row("one", "hello there", ref=(reference,))]

    def before(actor: FakeActor, name: str, given: Sequence[Any]) -> None:
        if name == "make":
            reference.write_bytes((reference.read_bytes())[:-2] + b"\x01\x02")

    ray.before = before
    with pytest.raises(InputError, match="other files than the batch: row one"):
        batch(rows=rows)


def test_actors_that_die_while_they_load_end_it(batch: Callable[..., Report], ray: FakeRay) -> None:
    def before(actor: FakeActor, name: str, given: Sequence[Any]) -> None:
        raise RayError("out of memory")

    ray.before = before
    with pytest.raises(VallEError, match="die while they load") as caught:
        batch()
    assert caught.value.exit_code == 5


def test_it_uses_no_more_engines_than_it_may(batch: Callable[..., Report], ray: FakeRay) -> None:
    ray.room = 5
    assert batch(workers=1).summary()["done"] == 6
    assert len(ray.actors) == 1


def test_a_row_that_fails_is_a_result(batch: Callable[..., Report], ray: FakeRay) -> None:
    report = batch(rows=[*ROWS[:2], Row("bad", "((( ...")])
    assert [each.status for each in report.results] == ["done", "done", "failed"]
    assert report.failed[0].error is not None and "nothing to say" in report.failed[0].error["message"]
