"""What the loop sees of CUDA graphs: when a step is tried, captured and repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch

if TYPE_CHECKING:
    from vall_e_core import BaseModel

Work = Callable[[], None]


class Graphs(Protocol):
    """A device that captures; `graphs.Cuda`."""

    def pool(self) -> Any: ...  # noqa: ANN401 - the device's own
    def run(self, work: Work) -> None: ...
    def capture(self, work: Work, pool: Any) -> Work: ...  # noqa: ANN401 - from `pool`


@dataclass(frozen=True)
class GraphEngine:
    """The built engine."""

    recorder: GraphRecorder
    name: str = "cuda-graph"

    def adopt(self, model: BaseModel, identity: str | None) -> None:
        """Let the loop record its steps; prefill, levels and everything else stay as they are."""
        model.recorder = self.recorder


class GraphRecorder:
    """Records batches, and says once of each kind of thing that it isn't recorded."""

    def __init__(self, graphs: Graphs, notify: Callable[[str], None]) -> None:
        self.graphs, self.notify = graphs, notify
        self._said: set[str] = set()

    def start(self) -> GraphRecording:
        """For a batch: its graphs share their memory, and are let go with it."""
        return GraphRecording(self)

    def decline(self, reason: str) -> None:
        """Tell the user, once."""
        if reason not in self._said:
            self._said.add(reason)
            self.notify(f"the engine cuda-graph leaves steps to eager: {reason}")


class GraphRecording:
    """One batch's graphs, by key. The first step of a key is done as it is, which also makes the libraries ready; the
    second is captured, and repeated from then on."""

    def __init__(self, recorder: GraphRecorder) -> None:
        self._recorder = recorder
        self._graphs = recorder.graphs
        self._pool = recorder.graphs.pool()
        self._tried: set[int] = set()
        self._repeat: dict[int, Work] = {}
        self._failed = False

    def run(self, key: int, work: Work) -> None:
        """One step."""
        if self._failed:
            work()
            return
        if key not in self._tried:
            self._tried.add(key)
            self._graphs.run(work)
            return
        if key not in self._repeat:
            try:
                self._repeat[key] = self._graphs.capture(work, self._pool)
            except torch.cuda.OutOfMemoryError:
                raise  # whoever called makes the batch smaller
            except RuntimeError as error:
                self._failed = True
                reason = (str(error).strip().splitlines() or ["no reason given"])[0]
                self._recorder.decline(f"a step can't be captured ({reason})")
                work()
                return
        self._repeat[key]()
