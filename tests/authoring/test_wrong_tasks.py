"""Tasks that are wrong on purpose, one way each: the contract suite must catch every one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from vall_e_core import InputError, Session, Task, param
from vall_e_core.testing import check_task


def task(work: Callable[[Session], object], **attributes: object) -> type[Task]:
    """A task whose run does `work`."""

    @dataclass(frozen=True)
    class Made(Task):
        """A task for this test."""

        name = "made"
        examples = ({"text": "one two"},)
        text: str = param("", positional=True, help="any text")

        def run(self, session: Session) -> None:
            work(session)

    for key, value in attributes.items():
        setattr(Made, key, value)
    return Made


def good(session: Session) -> None:
    session.result({"words": 2}, "2 words")


def test_good_ones_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert check_task(task(good)) == []
    assert check_task(task(lambda session: Path("out.txt").write_text("2"))) == []
    assert not list(tmp_path.iterdir()), "it works in a folder of its own"


def refuse(session: Session) -> None:
    raise InputError("no words")


CASES: dict[str, tuple[Callable[[Session], object], str]] = {
    "exit code 0 without output": (lambda session: None, "ends with exit code 0 and gives nothing"),
    "what it catches is swallowed": (lambda session: session.detail("failed"), "exit code 0 and gives nothing"),
    "a notice is no result": (lambda session: session.notice("2 words"), "call session.result(), or write a file"),
    "printed under --json": (lambda session: print("2 words"), "under --json: give the result by session.result()"),
    "another exception": (lambda session: {}["words"], "raises KeyError: 'words': raise a VallEError"),
    "sys.exit": (lambda session: sys.exit(3), "raises SystemExit: 3: raise a VallEError"),
    "its own example is refused": (refuse, "ends with exit code 3 (no words): declare `examples` that work"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_run_is_caught(case: str) -> None:
    work, said = CASES[case]
    problems = check_task(task(work))
    assert any(said in each for each in problems), problems
    assert all("\n" not in each for each in problems)


def test_an_example_that_cannot_be_is_caught() -> None:
    (problem,) = check_task(task(good, examples=({"txt": "one"},)))
    assert "is refused" in problem and "declare `examples` that work" in problem


@dataclass(frozen=True)
class Clashing(Task):
    """A task for this test."""

    name = "made"
    sampler_stages = ("ar",)
    json: bool = param(False, help="one of the program's own")
    out: str = param("", aliases=("-v",), help="its alias is one of the program's own")
    config: str = param("", help="the program's own")
    sampler: str = param("", help="the chain's")
    more: str = param("", aliases=("--out",), help="another one of this task's")

    def run(self, session: Session) -> None:
        good(session)


def test_options_that_clash_are_caught() -> None:
    problems = check_task(Clashing)
    clashing = [("--json", "vall-e's own"), ("-v", "vall-e's own"), ("--config", "vall-e's own")]
    clashing += [("--sampler", "the chain's"), ("--out", "that of out")]
    for (option, owner), problem in zip(clashing, problems, strict=True):
        assert problem.startswith(f"the option {option} of Clashing is {owner}"), problem


def test_a_task_without_run_without_docstring_and_without_dataclass_are_caught() -> None:
    @dataclass(frozen=True)
    class Idle(Task):
        """A task for this test."""

        name = "made"

    assert check_task(Idle) == ["Idle has no run(): write it, it does the work"]

    @dataclass(frozen=True)
    class Silent(Idle):
        name = "made"

    assert "has no docstring" in check_task(Silent)[0]

    class Forgotten(Task):
        """A task for this test."""

        name = "made"
        text: str = param("", help="any text")

    assert "lacks @dataclass(frozen=True)" in check_task(Forgotten)[0]
