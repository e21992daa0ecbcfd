"""The runner `ray`: the rows of a batch are made on a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vall_e_batch import Assignment, Runner, Workers
from vall_e_core import hookimpl, param

requires = ("batch", "tts")


@dataclass(frozen=True)
class Ray(Runner):
    """The machines of a Ray cluster (vall-e[ray]), each with models of its own.

    Rows are handed to actors, and come back to this process, which writes them: only it needs the batch's folder. An
    actor that dies is replaced, and its rows are made again. Machines may join and leave.
    """

    name = "ray"
    address: str = param(
        "", primary=True, metavar="HOST:PORT",
        help="the cluster; auto: the one of this machine; default: RAY_ADDRESS, else a cluster of this machine alone",
    )  # fmt: skip
    cpus: float = param(0.0, min=0.0, help="processors that an actor is given; 0: as many as --threads, else 1")
    gpus: float = param(0.0, min=0.0, help="GPUs that an actor is given; 0: one with --device cuda, else none")

    def workers(self, work: Assignment) -> Workers:
        from .workers import RayWorkers

        return RayWorkers(self, work)


@hookimpl
def vall_e_runners() -> Iterable[type[Runner]]:
    return [Ray]


__all__ = ["Ray"]
