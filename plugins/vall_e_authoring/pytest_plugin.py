"""The checks of `vall-e plugins check` as tests, for a plugin's own suite. One line in its `conftest.py`:

    pytest_plugins = ["vall_e_authoring.pytest_plugin"]

The plugins are those that the nearest `pyproject.toml` declares, installed or not. Each gives a test for its
registration and one for everything it brings: the contract suite of its kind (`docs/contracts.md`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from vall_e_core import VallEError

from .check import source_folder, trials
from .contract.declared import NotBuilt

if TYPE_CHECKING:
    from vall_e_core.plugins import Found


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The `conftest.py` that names this module stands for the contract."""
    if file_path.name != "conftest.py":
        return None
    for plugin in parent.config.pluginmanager.get_plugins():
        if getattr(plugin, "__file__", None) == str(file_path) and __name__ in _named(plugin):
            made: pytest.Collector = Contract.from_parent(parent, path=file_path)
            return made
    return None


def _named(plugin: object) -> Sequence[str]:
    names = getattr(plugin, "pytest_plugins", ())
    return (names,) if isinstance(names, str) else names


def declared(folder: Path) -> list[Found]:
    """The plugins that the nearest `pyproject.toml` at or above a folder declares."""
    return next((found for each in (folder, *folder.parents) if (found := source_folder(each))), [])


class Contract(pytest.File):
    """All checks of the plugins that a distribution declares."""

    def collect(self) -> Iterator[pytest.Item]:
        """A test for each."""
        plugins = declared(self.path.parent)
        if not plugins:
            raise self.CollectError(
                f"no pyproject.toml at or above {self.path.parent} declares a plugin ([project.entry-points.vall_e])"
            )
        try:
            found = trials(plugins)
        except VallEError as error:
            raise self.CollectError(error.render()) from error
        for each in found:
            yield Check.from_parent(self, name=each.subject, run=each.run)


class Check(pytest.Item):
    """One check: it fails with a line for each thing that is wrong."""

    def __init__(self, *, run: Callable[[], Sequence[str]], **rest: Any) -> None:  # noqa: ANN401 - pytest's own
        super().__init__(**rest)
        self._run = run

    def runtest(self) -> None:
        """Raises BrokenContract; skipped where what is needed isn't on this machine."""
        try:
            problems = self._run()
        except NotBuilt as error:
            pytest.skip(str(error))
        if problems:
            raise BrokenContract("\n".join(f"- {each}" for each in problems))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:  # noqa: ANN401 - as pytest has it
        """Only what is wrong; where a check itself fails, the trace."""
        if isinstance(excinfo.value, BrokenContract):
            return f"{self.name} breaks the contract (docs/contracts.md):\n{excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands in a report."""
        return self.path, 0, f"contract: {self.name}"


class BrokenContract(Exception):
    """What was found, one line each."""
