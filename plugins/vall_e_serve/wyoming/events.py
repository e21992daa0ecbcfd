"""Events of a connection, read within bounds: what comes from outside may say that it is as long as it likes."""

from __future__ import annotations

import asyncio

from wyoming.event import Event, async_read_event

LONGEST_EVENT = 1 << 20
"""Bytes of an event's data, and of its payload."""


class BoundedReader(asyncio.StreamReader):
    """A stream whose reader never waits for more than `LONGEST_EVENT` bytes at once."""

    async def readexactly(self, n: int) -> bytes:
        """The next `n` bytes. Raises ValueError for more than there may be."""
        if not 0 <= n <= LONGEST_EVENT:
            raise ValueError(f"an event of {n} bytes")
        return await super().readexactly(n)


async def read_event(reader: BoundedReader) -> Event | None:
    """The next event; None where the client has left, or what it sends is no event."""
    try:
        event = await async_read_event(reader)
    except (OSError, EOFError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    if event is None or not isinstance(event.type, str) or not isinstance(event.data, dict):
        return None
    return event
