"""What Prometheus sees. Every server has a registry of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from vall_e_tts import Speakers

    from .admission import Admission

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)


class Metrics:
    """Counters and times of one server."""

    def __init__(self, admission: Admission, speakers: Speakers) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "valle_requests", "Requests that were answered", ("route", "format", "status"), registry=self.registry
        )
        self.cancelled = Counter(
            "valle_cancelled", "Requests whose client left, by where they were", ("where",), registry=self.registry
        )
        self.rejected = Counter("valle_rejected", "Requests refused for load", ("reason",), registry=self.registry)
        self.tries = Counter("valle_tries", "Finished parts of speech", ("verdict",), registry=self.registry)
        self.audio = Counter("valle_audio_seconds", "Seconds of speech that were made", registry=self.registry)
        self.underrun = Counter(
            "valle_underrun_seconds", "Seconds that listeners to streams waited for sound", registry=self.registry
        )
        self.first = self._times("valle_first_audio_seconds", "From the request to its first sound")
        self.queued = self._times("valle_queue_seconds", "From the request to the engine")
        self.whole = self._times("valle_request_seconds", "From the request to its end")
        self.registry.register(_Now(admission, speakers))

    def _times(self, name: str, help: str) -> Histogram:
        return Histogram(name, help, registry=self.registry, buckets=_SECONDS)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)


class _Now(Collector):
    """What is looked up when somebody asks."""

    def __init__(self, admission: Admission, speakers: Speakers) -> None:
        self._admission, self._speakers = admission, speakers

    def collect(self) -> Iterator[Metric]:
        """The gauges."""
        admission = self._admission
        yield GaugeMetricFamily("valle_queue_depth", "Requests that wait", admission.depth)
        yield GaugeMetricFamily("valle_rows", "Requests at the engine", admission.running)
        yield GaugeMetricFamily("valle_ready", "Whether requests are worked on", int(admission.ready))
        yield CounterMetricFamily("valle_cache_hits", "Voices that were ready", self._speakers.hits)
        yield GaugeMetricFamily("process_resident_memory_bytes", "Memory in use", resident())
        engine = admission.worker.engine
        if engine is not None:
            info = GaugeMetricFamily("valle_model_info", "The model", labels=("model", "sha256", "codec", "engine"))
            info.add_metric(
                (engine.place.label, engine.loaded.sha256 or "", engine.codec.name, engine.engine), 1.0
            )
            yield info


def resident() -> int:
    """Bytes of memory in use; on macOS the most that ever were, and 0 on Windows, where Python doesn't tell."""
    if sys.platform == "win32":
        return 0
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
