"""Who makes the rows of a batch: this process, several, or machines elsewhere. A kind of component."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from vall_e_core import Component

if TYPE_CHECKING:
    from vall_e_core import Registry
    from vall_e_lm import ModelOptions
    from vall_e_tts import VallE

    from .far import FarRow
    from .jobs import Job
    from .journal import Entry

Take = Callable[[bool], "Job | None"]
"""Gives the next job. None: there is none now, or with True (wait for one) none will come."""
AHEAD = 4
"""Rows that are begun before there is room for them: their listening and decoding fill the gaps."""


class Runner(Component):
    """Makes the rows of a batch, for `batch --runner NAME`."""

    kind = "runner"

    if TYPE_CHECKING:

        def workers(self, work: Assignment) -> Workers:
            """What makes the rows; called where there are any. Raises what keeps it from that."""
            ...


class Workers(Protocol):
    """What makes rows."""

    def work(self, take: Take) -> Iterator[Entry]:
        """The entries of all jobs that `take` gives, as they are finished.

        A row that fails is an entry too. What ends all work is raised. Closing the iterator ends it early.
        """


@dataclass(frozen=True)
class Assignment:
    """What a runner is given."""

    folder: Path
    """Where the outputs go."""
    model: ModelOptions
    registry: Registry
    identity: str
    """A hash of the model, its adapters and its codec, which every engine has to match."""
    engine: Callable[[], VallE]
    """Loads the model in this process, or gives it if it is loaded."""
    rows: int
    """Sentences that an engine writes at the same time, at most."""
    count: int
    """How many rows are to be made, at most."""
    engines: int | None = None
    """How many models may be loaded, at most; None: as many as the runner likes."""
    watch: Callable[[], object] = lambda: None
    """To be called several times a second; what it raises ends the work."""
    notify: Callable[[str], None] = lambda _line: None
    """Takes one-line notices to the user."""
    _arguments: dict[str, object] = field(default_factory=dict, init=False)

    @property
    def most(self) -> int:
        """Jobs that an engine has at a time, at most: some are prepared while others are spoken."""
        return self.rows + AHEAD

    def receive(self, job: Job, row: FarRow) -> Entry:
        """Put a row that was made elsewhere into the folder. Raises Unwritable."""
        from .far import receive
        from .output import model_arguments

        if not self._arguments:
            self._arguments.update(model_arguments(self.model))
        return receive(self.folder, job, row, self._arguments)


class Local(Runner):
    """This process, or with --engine-workers several processes of this machine."""

    name = "local"

    def workers(self, work: Assignment) -> Workers:
        from .processes import ProcessWorkers
        from .worker import RowWorker

        if work.engines is None or work.engines == 1:
            return RowWorker(work.engine(), work.folder, rows=work.rows, watch=work.watch)
        return ProcessWorkers(
            work.model, work.registry, work.folder, number=work.engines, rows=work.rows, watch=work.watch
        )


def find_runner(registry: Registry, spec: str) -> Runner:
    """A runner by `NAME[:VALUE|k=v,…]`. Raises UsageError."""
    name, _, values = spec.partition(":")
    return cast("type[Runner]", registry.get(Runner.kind, name.strip())).from_spec(values)
