"""Tasks: the subcommands that use a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, TypeVar

from ..component import Component

if TYPE_CHECKING:
    from ..run.session import Session

Group = TypeVar("Group", bound=Component)


class Task(Component):
    """A subcommand: its parameters are the options, and `run` does the work."""

    kind = "task"
    sampler_stages: ClassVar[tuple[str, ...]] = ()
    """The stages whose sampler flags (`--sampler`, `--top-p`, …) the subcommand takes."""
    flag_defaults: ClassVar[Mapping[str, str]] = {}
    """Defaults of plain sampler flags that aren't off by default, for the help, such as `{"ar-temp": "0.95"}`."""

    default: ClassVar[bool] = False
    """Whether it is meant where a configuration file names no task."""
    variants: ClassVar[str | None] = None
    """The kind whose names `--task` takes beside the task's own."""

    def run(self, session: Session) -> None:
        """Do it. Raises VallEError."""
        raise NotImplementedError(f"{type(self).__name__}.run")

    def group(self, kind: type[Group]) -> Group:
        """The values of one of the task's groups of options (`SpeechOptions`, say, where it derives from it)."""
        return kind(**{each.name: getattr(self, each.name) for each in kind.params()})
