"""Listens for Wyoming clients beside the HTTP server, on the same engine."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from vall_e_core import PluginError, UsageError

from ..command import bound
from ..guard import is_loopback
from ..server import Server
from ..task import ServeOptions
from .conversation import Conversation
from .events import LONGEST_EVENT, BoundedReader
from .program import Program

MOST_CONNECTIONS = 64
_CLOSING_SECONDS = 10.0
"""A client has so long to read what was sent before the end."""
_MULTICAST = "224.0.0.251"
EXAMPLE = "tcp://127.0.0.1:10200"


def place_of(uri: str) -> tuple[str, int]:
    """The host and port of `tcp://HOST:PORT`. Raises UsageError."""
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not uri.startswith("tcp://") or not host or port is None:
        raise UsageError(f"--wyoming {uri}: expected tcp://HOST:PORT", try_=f"--wyoming {EXAMPLE}")
    return host, port


def wyoming_socket(options: ServeOptions) -> socket.socket | None:
    """A socket at the address that was asked for, if one was.

    Raises:
        UsageError: where it is no address, can't be used, or would let in who doesn't belong: the protocol has no keys.
    """
    uri = options.wyoming
    if uri is None:
        if options.zeroconf:
            raise UsageError("--zeroconf has nothing to announce", try_=f"--wyoming {EXAMPLE}")
        return None
    host, port = place_of(uri)
    if options.zeroconf and is_loopback(host):
        raise UsageError(
            f"--zeroconf would announce an address that only this machine can reach: {uri}",
            try_="--wyoming tcp://0.0.0.0:10200 --insecure",
        )  # fmt: skip
    if not is_loopback(host) and not options.insecure:
        raise UsageError(
            f"--wyoming {uri} would let anybody in who reaches it", cause="the protocol has no keys",
            try_="--insecure where the network is trusted",
        )  # fmt: skip
    return bound(host, port)


@asynccontextmanager
async def listening(server: Server, sock: socket.socket) -> AsyncIterator[None]:
    """Take connections while in the block. Raises PluginError where the address can't be announced."""
    program, talks = Program(server), set[asyncio.Task[None]]()
    loop = asyncio.get_running_loop()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(reader, BoundedReader)
        if len(talks) >= MOST_CONNECTIONS:
            writer.close()
            return
        task = loop.create_task(_talk(Conversation(server, program, reader, writer), writer))
        talks.add(task)
        task.add_done_callback(talks.discard)

    def protocol() -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(BoundedReader(limit=LONGEST_EVENT, loop=loop), connected, loop=loop)

    listener = await loop.create_server(protocol, sock=sock)
    announcement = await _announced(*sock.getsockname()[:2]) if server.options.zeroconf else None
    try:
        yield
    finally:
        listener.close()
        for task in list(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        if announcement is not None:
            await announcement.async_close()


async def _talk(conversation: Conversation, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):  # the client is gone
            await conversation.run()
        writer.close()
        with suppress(OSError, asyncio.TimeoutError):
            await asyncio.wait_for(writer.wait_closed(), _CLOSING_SECONDS)
    finally:
        writer.transport.abort()  # a client that doesn't read would keep the connection for ever


async def _announced(host: str, port: int) -> Any:  # noqa: ANN401 - zeroconf's own, where it is installed
    """The service as Home Assistant looks for it. Raises PluginError without the package."""
    try:
        from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf
    except ImportError:
        raise PluginError(
            "--zeroconf needs a package that isn't installed", cause="zeroconf", try_="pip install zeroconf"
        ) from None
    found = AsyncZeroconf()
    kind = "_wyoming._tcp.local."
    name = f"vall-e-{socket.gethostname().partition('.')[0]}-{port}.{kind}"
    await found.async_register_service(AsyncServiceInfo(kind, name, addresses=[_reachable(host)], port=port))
    return found


def _reachable(host: str) -> bytes:
    """The address under which the network reaches this machine, where `host` stands for all of its addresses."""
    if ipaddress.ip_address(host).is_unspecified:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((_MULTICAST, 1))  # sends nothing: it only asks for the way there
            host = probe.getsockname()[0]
    return ipaddress.ip_address(host).packed
