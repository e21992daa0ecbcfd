"""The task `serve`: its options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vall_e_core import Component, Task, param
from vall_e_lm import ModelOptions

if TYPE_CHECKING:
    from vall_e_core import Session


PORT = 8460


@dataclass(frozen=True, eq=False, repr=False)
class ServeOptions(Component):
    """Where a server listens, who may use it, and how much it takes on."""

    name = "serve options"

    host: str = param("127.0.0.1", help="address to listen on; another than this machine's own needs a key")
    port: int = param(PORT, min=0, max=65535, help="port to listen on; 0 takes a free one")
    api_key_file: Path | None = param(
        None, metavar="FILE",
        help="keys, one a line: NAME:KEY or NAME:KEY:SCOPES with scopes of speak, voices and metrics, joined by "
        "commas; VALL_E_API_KEYS holds the same",
    )  # fmt: skip
    insecure: bool = param(False, help="listen on any address without a key")
    allow_host: tuple[str, ...] = param(
        (), multiple=True, metavar="NAME", help="a further name by which clients reach this server; repeatable"
    )
    cors: tuple[str, ...] = param(
        (), multiple=True, metavar="ORIGIN", help="a web page's origin that may use this server; repeatable"
    )
    public_lists: bool = param(False, help="list voices and models without a key, as Open WebUI asks for them")
    rows: int = param(8, min=1, max=1024, help="requests at the engine at the same time")
    engine_workers: int = param(
        0, min=0, max=256,
        help="processes with an engine each, one for each core or GPU that is to be used; 0: a thread of this process",
    )  # fmt: skip
    queue: int = param(32, min=0, max=100_000, help="requests that may wait; more are told to come back later")
    max_per_key: int = param(8, min=1, max=100_000, help="requests of one key at the same time, waiting ones included")
    max_input_chars: int = param(20_000, min=1, max=10_000_000, help="longest text of a request, in characters")
    max_voices: int = param(200, min=0, max=1_000_000, help="how many voices may be saved")
    queue_seconds: float = param(60.0, min=0.1, max=86_400.0, unit="s", help="longest wait for the engine")
    request_seconds: float = param(600.0, min=1.0, max=86_400.0, unit="s", help="longest time for one request")
    stall_seconds: float = param(
        30.0, min=0.1, max=86_400.0, unit="s", help="how long a client may read or send nothing"
    )
    drain_seconds: float = param(
        30.0, min=0.0, max=86_400.0, unit="s", help="how long requests under way may take when the server is to end"
    )
    voice_map: tuple[str, ...] = param(
        (), multiple=True, metavar="NAME=VOICE",
        help="what an OpenAI name stands for, such as alloy=heart; spread over the packaged voices if absent; "
        "repeatable",
    )  # fmt: skip
    allow_sampler: tuple[str, ...] = param(
        (), multiple=True, metavar="NAME",
        help="a sampler that requests may use although it takes text or paths; repeatable",
    )  # fmt: skip
    wyoming: str | None = param(
        None, metavar="tcp://HOST:PORT",
        help="speak the Wyoming protocol there too, for Home Assistant; it has no keys, so another address than this "
        "machine's own needs --insecure",
    )  # fmt: skip
    zeroconf: bool = param(False, help="let Home Assistant find the --wyoming address (needs the package zeroconf)")
    strict_openai: bool = param(False, help="texts of at most 4096 characters, as OpenAI takes them")
    strict_requests: bool = param(False, help="refuse requests with unknown fields instead of ignoring these")
    log_text: bool = param(False, help="write texts into the log")


@dataclass(frozen=True, eq=False, repr=False)
class Serve(ModelOptions, ServeOptions, Task):
    """Serve speech over HTTP: OpenAI's audio API, with voices, seeds and sampling chains.

    Listens on this machine only unless --host says otherwise. The first Ctrl-C or SIGTERM lets requests under way
    finish, the second ends at once.
    """

    name = "serve"

    def run(self, session: Session) -> None:
        from .command import run

        run(self, session)
