"""Records that wait for the judges that hear several recordings at once."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .panel import Panel
    from .store import Store


class Filing:
    """Keeps records back until every judge has spoken: about a minute of sound, or nothing where no judge waits.

    What waits when a run is stopped is made again by the next one, so that no record is ever half done.
    """

    def __init__(self, panel: Panel, store: Store) -> None:
        self._panel, self._store = panel, store
        self._open: list[tuple[str, Callable[[], dict[str, Any]]]] = []

    def __enter__(self) -> Filing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.flush()

    def add(self, identity: str, record: Callable[[], dict[str, Any]]) -> None:
        """Keep an item; its record is asked for when the judges are done."""
        self._open.append((identity, record))
        if self._panel.due:
            self.flush()

    def flush(self) -> None:
        """Have everything judged and written that waits."""
        self._panel.settle()
        for identity, record in self._open:
            self._store.add(identity, record())
        self._open.clear()
