"""Reaching a Ray cluster, or starting one on this machine."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, TypeAlias

from vall_e_core import DeviceError, ModelError, UsageError

RayModule: TypeAlias = Any
Handle: TypeAlias = Any
"""An actor, as Ray hands it out."""
Ref: TypeAlias = Any
"""A result that may not be there yet. Ray's types are unknown where it isn't installed."""
INSTALL = 'pip install "vall-e[ray]"'
REACHED_WITHIN = 5.0
"""Seconds. Ray itself goes on trying for two minutes."""
STARTS = 3
"""Ray gives its processes half a minute to start, which on a busy machine may be too short for the first time."""


def need_ray() -> RayModule:
    """The module `ray`. Raises ModelError that says how to install it."""
    try:
        return import_module("ray")
    except ImportError as error:
        raise ModelError("--runner ray needs the package ray", cause=str(error), try_=INSTALL) from error


@contextmanager
def connected(address: str, processors: int) -> Iterator[RayModule]:
    """The module `ray`, connected. A program's own connection is used as it is, and stays.

    Args:
        address: `HOST:PORT`, `auto`, or empty for RAY_ADDRESS, and without that for a cluster on this machine.
        processors: how many the latter says it has, at least.

    Raises:
        ModelError: where ray isn't installed.
        UsageError: for an address of another form.
        DeviceError: for a cluster that can't be reached or started.
    """
    address = address or os.environ.get("RAY_ADDRESS", "")
    if address in ("", "local") and "ray" not in sys.modules:
        _set_up()
    ray = need_ray()
    if ray.is_initialized():
        yield ray
        return
    with _own_signals():
        if address in ("", "local"):
            _start(ray, max(processors, os.cpu_count() or 1))
        else:
            _join(ray, address)
    try:
        yield ray
    finally:
        with _own_signals():
            ray.shutdown()


def _set_up() -> None:
    """Settings of a cluster of our own, which Ray reads from the environment when it is imported.

    Nobody is told of it, its processes count as much as this one, and its open ports ask for a secret.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")
    if os.environ.setdefault("RAY_AUTH_MODE", "token") == "token":
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def _start(ray: RayModule, processors: int) -> None:
    """A cluster on this machine, for as long as this process lives."""
    for attempt in range(STARTS):
        try:
            ray.init(
                address="local", num_cpus=processors, include_dashboard=False, log_to_driver=False,
                configure_logging=False, logging_level=logging.ERROR,
            )  # fmt: skip
            return
        except Exception as error:  # Ray raises plain ones here
            ray.shutdown()
            if attempt == STARTS - 1:
                raise DeviceError(
                    "Ray can't be started on this machine", cause=_line(error),
                    try_="again when it is less busy; or `ray start --head`, and --runner ray:auto",
                ) from error


def _join(ray: RayModule, address: str) -> None:
    """Connect to a cluster. What can't be reached is noticed soon."""
    if "://" in address:
        raise UsageError(
            f"Ray's address is HOST:PORT, not {address!r}",
            try_="run the command on a machine of the cluster, with --runner ray:HOST:6379 or ray:auto",
        )
    if address != "auto":
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise UsageError(f"Ray's address is HOST:PORT, not {address!r}", try_="--runner ray:10.0.0.1:6379")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=REACHED_WITHIN).close()
        except OSError as error:
            raise _unreachable(address, error) from error
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, OSError, ValueError) as error:
        raise _unreachable(address, error) from error


def _unreachable(address: str, error: BaseException) -> DeviceError:
    where = "no Ray cluster runs on this machine" if address == "auto" else f"can't reach the Ray cluster at {address}"
    return DeviceError(where, cause=_line(error), try_="`ray status` on its head; the same versions of Ray and Python")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray puts a handler of its own in the place of ours."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in kept.items():
            if handler is not None:
                signal.signal(each, handler)
