"""What the project sees of CUDA graphs: when a step or a pass is tried, captured and repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch

from .passes import CapturedBackbone

if TYPE_CHECKING:
    from vall_e_lm import BaseModel

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
        """Let the loop record its steps, and the backbones their passes over whole responses; a prefill and all else
        stay as they are."""
        model.recorder = self.recorder
        levels = model.backbones()
        captured = {id(each): CapturedBackbone(each, self.recorder) for each in levels.values()}
        for level, backbone in levels.items():
            model.set_backbone(level, captured[id(backbone)])


class GraphRecorder:
    """Records batches, and says once of each kind of thing that it isn't recorded."""

    def __init__(self, graphs: Graphs, notify: Callable[[str], None]) -> None:
        self.graphs, self.notify = graphs, notify
        self._said: set[str] = set()

    def start(self, pool: Any = None) -> GraphRecording:  # noqa: ANN401 - the device's own
        """For a batch: its graphs share their memory, and are let go with it. `pool`: what others share as well."""
        return GraphRecording(self, pool)

    def decline(self, reason: str) -> None:
        """Tell the user, once."""
        if reason not in self._said:
            self._said.add(reason)
            self.notify(f"the engine cuda-graph leaves work to eager: {reason}")


class GraphRecording:
    """One batch's graphs, by key. The first step of a key is done as it is, which also makes the libraries ready; the
    second is captured, and repeated from then on."""

    def __init__(self, recorder: GraphRecorder, pool: Any = None) -> None:  # noqa: ANN401 - the device's own
        self._recorder = recorder
        self._graphs = recorder.graphs
        self._pool = recorder.graphs.pool() if pool is None else pool
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
                self._recorder.decline(f"it can't be captured ({reason})")
                work()
                return
        self._repeat[key]()
