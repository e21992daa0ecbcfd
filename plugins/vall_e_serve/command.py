"""`vall-e serve`: checks what can be checked, then listens until it is told to end."""

from __future__ import annotations

import importlib.util
import socket
from types import FrameType
from typing import TYPE_CHECKING

from vall_e_core import PluginError, Session, UsageError, VallEError
from vall_e_lm import ModelOptions, find_model

from .task import ServeOptions

if TYPE_CHECKING:
    import uvicorn

    from vall_e_tts import JobRunner, Scheduler, VallE

    from .server import Server
    from .task import Serve

_SILENT = {
    "version": 1, "disable_existing_loggers": False, "handlers": {"none": {"class": "logging.NullHandler"}},
    "loggers": {"uvicorn": {"handlers": ["none"], "propagate": False}},
}  # fmt: skip
"""uvicorn tells what the log of requests tells already, and prints a trace for each response that is broken off."""
_PACKAGES = ("starlette", "uvicorn", "python_multipart", "prometheus_client")


def run(task: Serve, session: Session) -> None:
    """Serve until a signal. Raises what kept the engine from loading."""
    require_packages()
    from .guard import is_loopback
    from .keys import VARIABLE, load_keys

    options = task.group(ServeOptions)
    keys = load_keys(options.api_key_file)
    if not keys and not options.insecure and not is_loopback(options.host):
        raise UsageError(
            f"--host {options.host} would let anybody in who reaches it", cause="there is no API key",
            try_=f"--api-key-file FILE or {VARIABLE}; --insecure where the network is trusted",
        )  # fmt: skip
    model = task.group(ModelOptions)
    find_model(session.registry, model)

    from .app import create_app
    from .server import Server

    server = Server(options, session.registry, _runner(options, model, session), keys=keys, log=session.notice)
    wyoming = _wyoming_socket(options)
    listen(create_app(server, wyoming), server, session, wyoming)


def _runner(options: ServeOptions, model: ModelOptions, session: Session) -> JobRunner:
    """What runs jobs: a thread of this process, or processes of their own."""
    from vall_e_tts import LoadEngine, Processes, Setup, VallE, Worker

    def load() -> VallE:
        return VallE.load(options=model, registry=session.registry, notify=session.detail)

    if not options.engine_workers:
        return Worker(load, rows=options.rows, warm=warm)
    there = LoadEngine.of(model, session.registry, options.engine_workers)
    return Processes(Setup(there, options.rows, warm), options.engine_workers, near=load)


def require_packages() -> None:
    """Raises PluginError where the extra isn't installed."""
    missing = [each for each in _PACKAGES if importlib.util.find_spec(each) is None]
    if missing:
        raise PluginError(
            "vall-e serve needs packages that aren't installed", cause=", ".join(missing),
            try_="pip install 'vall-e[serve]'",
        )  # fmt: skip


def _wyoming_socket(options: ServeOptions) -> socket.socket | None:
    """Where Wyoming clients connect. Raises UsageError, and PluginError without the package."""
    if options.wyoming is None and not options.zeroconf:
        return None
    if importlib.util.find_spec("wyoming") is None:
        raise PluginError(
            "--wyoming needs a package that isn't installed", cause="wyoming", try_="pip install 'vall-e[serve]'"
        )
    from .wyoming.listener import wyoming_socket

    return wyoming_socket(options)


def _shown(sock: socket.socket) -> str:
    """A socket's address and port."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def warm(scheduler: Scheduler) -> None:
    """The first use, which is slower than all others: nobody waits for it."""
    from vall_e_core import Voice
    from vall_e_tts import SpeechOptions, SpeechRequest

    engine = scheduler.engine
    voice = next(iter(sorted(engine.registry.names(Voice.kind))), None)
    if voice is None:
        return
    try:
        stream = scheduler.begin(SpeechRequest("Ready.", voice=voice, options=SpeechOptions(seed=1)), early=True)
        while not stream.finished:
            scheduler.step()
            stream.poll()
    except VallEError as error:  # a model may need another voice, or language; requests will say so
        engine.notify(f"not warmed up: {error.message}")


def listen(app: object, server: Server, session: Session, wyoming: socket.socket | None = None) -> None:
    """Listen until a signal, or until the engine can't be loaded.

    Raises:
        UsageError: where the address can't be used. And what the engine failed with.
    """
    import uvicorn

    options = server.options

    class Listener(uvicorn.Server):
        """Ends in two steps, and with exit code 0: the first signal drains, the second ends at once."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            server.admission.draining = True
            if self.should_exit:
                self.force_exit = True
                server.worker.close(0)
            self.should_exit = True

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            session.notice(f"listening on http://{place}, as OpenAI's API at http://{place}/v1")
            if wyoming is not None:
                session.notice(f"listening on tcp://{_shown(wyoming)}, for Wyoming clients such as Home Assistant")

        async def on_tick(self, counter: int) -> bool:
            return server.worker.failure is not None or await super().on_tick(counter)

    listener = Listener(configured(app, options))
    sock = bound(options.host, options.port)
    place = _shown(sock)
    try:
        listener.run(sockets=[sock])
    finally:
        for each in (sock, wyoming):
            if each is not None:
                each.close()
        server.close()
    if server.worker.failure is not None:
        raise server.worker.failure


def configured(app: object, options: ServeOptions) -> uvicorn.Config:
    """How the server listens, ends and bounds what it is sent."""
    import uvicorn

    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        host=options.host, port=options.port, log_config=_SILENT, access_log=False, server_header=False,
        timeout_graceful_shutdown=max(1, round(options.drain_seconds)), ws="none", proxy_headers=False,
        h11_max_incomplete_event_size=64 << 10, http="h11",
    )  # fmt: skip


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens nowhere yet. Raises UsageError for an address that can't be used."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        found = socket.socket(family, socket.SOCK_STREAM)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind((host, port))
        except OSError:
            found.close()
            raise
    except (OSError, UnicodeError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"can't listen on {host} port {port}", cause=cause, try_="another --port or --host") from error
    return found
