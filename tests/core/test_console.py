"""What a user is told, where, and how loudly."""

from __future__ import annotations

import errno
import io
from typing import Any

import pytest

from vall_e_core import Console, InputError


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def console(verbosity: int = 0, *, json: bool = False, progress: bool = True, terminal: bool = False) -> Console:
    made = Console(verbosity, json, progress)
    made.stdout, made.stderr = io.StringIO(), Terminal() if terminal else io.StringIO()
    return made


def text(stream: object) -> str:
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("verbosity", "said"),
    [
        (-1, ""),
        (0, "notice\nwarning: warned\n"),
        (1, "notice\nwarning: warned\ndetail\n"),
        (2, "notice\nwarning: warned\ndetail\nmore\n"),
    ],
)
def test_levels(verbosity: int, said: str) -> None:
    made = console(verbosity)
    made.notice("notice")
    made.warn("warned")
    made.detail("detail")
    made.detail("more", 2)
    assert text(made.stderr) == said and text(made.stdout) == ""


def test_a_warning_is_shown_once_and_kept_even_when_quiet() -> None:
    loud, quiet = console(), console(-1)
    for made in (loud, quiet):
        made.warn("thin ice")
        made.warn("thin ice")
        assert made.warnings == ["thin ice"]
    assert text(loud.stderr) == "warning: thin ice\n" and text(quiet.stderr) == ""


def test_results_go_to_standard_output_as_text_or_as_one_line_of_json() -> None:
    plain, machine, silent = console(-1), console(json=True), console()
    for made in (plain, machine):
        made.result({"ipa": "ʃ", "n": None}, "ʃ")
    silent.result({"a": 1})
    assert text(plain.stdout) == "ʃ\n"
    assert text(machine.stdout) == '{"ipa": "ʃ", "n": null}\n'
    assert text(silent.stdout) == ""


def test_results_move_to_standard_error_where_audio_takes_standard_output() -> None:
    made = console()
    made.stdout_taken = True
    made.result({}, "done")
    assert (text(made.stdout), text(made.stderr)) == ("", "done\n")


@pytest.mark.parametrize(
    ("settings", "drawn"),
    [
        ({"terminal": True}, True),
        ({"terminal": False}, False),
        ({"terminal": True, "progress": False}, False),
        ({"terminal": True, "json": True}, False),
        ({"terminal": True, "verbosity": -1}, False),
    ],
)
def test_a_bar_is_drawn_on_a_terminal_alone(settings: dict[str, Any], drawn: bool) -> None:
    made = console(**settings)
    with made.progress("speaking", 900, "frames") as bar:
        bar.to(450, "RTF 0.8")
    assert ("speaking: 450/900 frames" in text(made.stderr)) == drawn
    assert ("RTF 0.8" in text(made.stderr)) == drawn
    assert text(made.stderr).endswith("\r") == drawn, "the line is clean afterwards"


def test_a_line_in_between_clears_the_bar_first() -> None:
    made = console(terminal=True)
    with made.progress("speaking") as bar:
        bar.advance()
        made.notice("a note")
    assert "\ra note\n" in text(made.stderr)


class Full(io.StringIO):
    """A device without room."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_result_that_cannot_be_written_is_an_error() -> None:
    made = console()
    made.stdout = Full()
    with pytest.raises(InputError, match="can't write to standard output"):
        made.result({}, "done")


def test_a_run_does_not_fail_because_nobody_can_hear_of_it() -> None:
    made = console()
    made.stderr = Full()
    made.notice("here")
    made.warn("there")
    assert made.warnings == ["there"]
