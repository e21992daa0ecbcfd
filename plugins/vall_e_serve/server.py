"""`Server`: what the routes of one application share."""

from __future__ import annotations

import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request

from vall_e_core import Registry
from vall_e_tts import EngineJob, JobRunner, Speakers

from .admission import Admission, Bounds
from .catalog import Catalog
from .errors import HttpError
from .keys import Keys
from .metrics import Metrics
from .task import ServeOptions

if TYPE_CHECKING:
    from vall_e_tts import VallE

KEPT_RECORDS = 256
_THREADS = 4
Found = TypeVar("Found")


@dataclass
class Visit:
    """One request as the log tells of it; kept in the request's scope."""

    id: str
    key: str = ""
    """The name of the key; empty where none was needed."""
    scopes: frozenset[str] | None = None
    """What the key allows; None where no key was needed."""
    route: str = ""
    format: str = ""
    job: EngineJob | None = None
    facts: dict[str, Any] | None = None
    """More for the log."""

    def note(self, **facts: object) -> None:
        """Add to the log's line."""
        self.facts = {**(self.facts or {}), **facts}


class Server:
    """The parts of a server: engine, queue, keys, metrics, records. Nothing of it is global."""

    def __init__(
        self, options: ServeOptions, registry: Registry, worker: JobRunner, *, keys: Keys | None = None,
        log: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        """Put a server together.

        Args:
            options: the command's options.
            registry: the plugins.
            worker: what runs the engine; it needn't be started yet.
            keys: API keys; none if nobody needs one.
            log: takes a line of JSON for each request.

        Raises:
            UsageError: for a voice map that names no voice.
        """
        self.options, self.registry, self.worker = options, registry, worker
        self.keys = keys or Keys()
        self.catalog = Catalog(registry, options.voice_map)
        self.speakers = Speakers(registry)
        self.admission = Admission(worker, Bounds(options.rows, options.queue, options.max_per_key))
        self.metrics = Metrics(self.admission, self.speakers)
        self.records: OrderedDict[str, tuple[str, dict[str, Any], list[dict[str, Any]] | None]] = OrderedDict()
        self.started = int(time.time())
        self._log = log
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="serve")

    @classmethod
    def of(cls, request: Request) -> Server:
        """The server that a request came to."""
        found: Server = request.app.state.server
        return found

    @property
    def engine(self) -> VallE:
        """The engine. Raises HttpError while it is loaded."""
        if self.worker.engine is None:
            raise HttpError(
                503, "the model is still being loaded; try: again in 2 s", code="loading", headers={"Retry-After": "2"}
            )
        return self.worker.engine

    async def work(self, call: Callable[..., Found], *args: object) -> Found:
        """A call off the event loop: checking a text, encoding sound."""
        import asyncio

        return await asyncio.get_running_loop().run_in_executor(self._pool, call, *args)

    def keep(self, visit: Visit, record: Mapping[str, Any], trace: list[dict[str, Any]] | None) -> None:
        """Keep the record of a finished request; the oldest go."""
        self.records[visit.id] = (visit.key, without_paths(record), trace)
        while len(self.records) > KEPT_RECORDS:
            self.records.popitem(last=False)

    def log(self, entry: Mapping[str, object]) -> None:
        """A line of JSON."""
        if self._log is not None:
            self._log(json.dumps(entry, ensure_ascii=False, default=str))

    def close(self) -> None:
        """End the engine and the threads."""
        self.worker.close()
        self._pool.shutdown(wait=False, cancel_futures=True)


def visit_of(request: Request) -> Visit:
    """What is known of a request so far."""
    found: Visit = request.scope["vall_e.visit"]
    return found


def require(request: Request, scope: str) -> Visit:
    """The visit of a request whose key has a scope. Raises HttpError 403."""
    visit = visit_of(request)
    if visit.scopes is not None and scope not in visit.scopes:
        raise HttpError(403, f"this key doesn't allow it: it needs the scope {scope}", code="forbidden")
    return visit


def new_id() -> str:
    """An id that nobody can guess."""
    return f"req_{secrets.token_hex(12)}"


def without_paths(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record in which paths of this machine have become names."""
    from .errors import redacted

    def cleaned(value: Any, key: str = "") -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, Mapping):
            return {name: cleaned(each, name) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [cleaned(each, key) for each in value]
        if isinstance(value, str) and key not in ("text", "spoken", "phonemes", "transcript"):
            return redacted(value)
        return value

    found: dict[str, Any] = cleaned(record)
    return found
