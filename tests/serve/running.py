"""A server on a free port, in threads of this process, and the plainest client there is."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from vall_e_core import Registry
from vall_e_serve import ServeOptions, Server, create_app
from vall_e_serve.command import configured
from vall_e_serve.keys import Keys
from vall_e_serve.wyoming.listener import wyoming_socket
from vall_e_tts import JobRunner, Worker


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error, in OpenAI's shape."""
        found = self.json["error"]
        assert set(found) == {"message", "type", "param", "code"}
        return dict(found)


@dataclass
class Running:
    """A server that runs."""

    server: Server
    port: int
    lines: list[str] = field(default_factory=list)
    wyoming: int = 0
    """The port for Wyoming clients, where there is one."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, dict(headers or {}))
            found = connection.getresponse()
            return Answer(found.status, {k.lower(): v for k, v in found.getheaders()}, found.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, None, {name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> Answer:
        return self.ask(
            "POST", path, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})}
        )

    def speak(self, text: str = "Hello there.", **fields: object) -> Answer:
        return self.post("/v1/audio/speech", {"input": text, "voice": "heart", "response_format": "wav", **fields})

    def send_form(self, path: str, parts: list[tuple[str, str | None, bytes]]) -> Answer:
        body, kind = form(parts)
        return self.ask("POST", path, body, {"Content-Type": kind})

    def wait(self, true: Callable[[], bool], seconds: float = 60.0) -> None:
        """Until it is so."""
        until = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < until, "it didn't come true"
            time.sleep(0.005)


def form(parts: list[tuple[str, str | None, bytes]], boundary: str = "limit") -> tuple[bytes, str]:
    """A multipart body of (name, file name, content), and its type."""
    lines = b""
    for name, file, content in parts:
        named = f'; filename="{file}"' if file is not None else ""
        lines += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode()
        lines += content + b"\r\n"
    return lines + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


@contextmanager
def running(
    registry: Registry, load: Callable[[], Any] | JobRunner, *, keys: Keys | None = None, wait: bool = True,
    **options: Any,
) -> Iterator[Running]:  # fmt: skip
    """A server with an engine, or with what runs its jobs, listening."""
    lines: list[str] = []
    runner = Worker(load) if callable(load) else load
    asked = ServeOptions(**{"port": 0, "drain_seconds": 5.0, **options})
    server = Server(asked, registry, runner, keys=keys, log=lines.append)
    wyoming = wyoming_socket(server.options)
    app = create_app(server, wyoming)
    listener = uvicorn.Server(configured(app, server.options))
    thread = threading.Thread(target=listener.run, daemon=True)
    thread.start()
    try:
        while not listener.started:
            time.sleep(0.005)
        port = listener.servers[0].sockets[0].getsockname()[1]
        found = Running(server, port, lines, 0 if wyoming is None else wyoming.getsockname()[1])
        if wait:
            found.wait(lambda: server.worker.engine is not None or server.worker.failure is not None, 300)
            assert server.worker.failure is None, server.worker.failure
        yield found
    finally:
        listener.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), vars(listener.server_state)
