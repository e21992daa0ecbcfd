"""CUDA graphs: all that is said to torch's CUDA part is said here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Work = Callable[[], None]


class Cuda:
    """One device, and a stream of its own on which steps are tried and captured.

    Libraries keep a workspace for each stream: what is allocated for it at the first use is not part of a capture then.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = torch.device("cuda", torch.cuda.current_device() if device.index is None else device.index)
        self.stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]  # torch leaves it untyped

    def pool(self) -> Any:  # noqa: ANN401 - torch's handle
        """Memory that graphs share which never run at the same time, and of which none leaves anything there."""
        return torch.cuda.graph_pool_handle()

    def run(self, work: Work) -> None:
        """Do it on the own stream, in its turn."""
        now = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(now)
        with torch.cuda.stream(self.stream):
            work()
        now.wait_stream(self.stream)

    def capture(self, work: Work, pool: Any) -> Work:  # noqa: ANN401 - torch's handle
        """A graph of it, which isn't run yet; what repeats it on the stream that is current then.

        Not by `torch.cuda.graph`, which gives all free memory back to the driver each time. Other threads may go on
        with what they do. Raises RuntimeError for what can't be captured.
        """
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize(self.device)
        with torch.cuda.stream(self.stream):
            graph.capture_begin(pool=pool, capture_error_mode="thread_local")
            try:
                work()
            finally:
                graph.capture_end()
        return graph.replay
