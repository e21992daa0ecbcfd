"""What an engine implements to run a model its own way. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from .model import BaseModel


@runtime_checkable
class EngineModel(Protocol):
    """A built engine."""

    @property
    def name(self) -> str:
        """The component's name."""
        ...

    def adopt(self, model: BaseModel, identity: str | None) -> None:
        """Run `model` its own way from now on: replace its backbones (`backbones`, `set_backbone`) in place, or give it
        a `recorder`.

        `identity` is a hash of the weights as they were loaded, to keep a conversion under; None: keep nothing.
        Raises ModelError for a model that it can't run.
        """
        ...


@runtime_checkable
class StepRecording(Protocol):
    """The steps of one batch, whose memory stays where it is."""

    def run(self, key: int, work: Callable[[], None]) -> None:
        """Do `work`, or what was recorded of it under this `key`, which does the same on the same memory.

        `work` has no value but what it writes, and asks the device for nothing. It may be called again where it failed
        half-way while it was recorded, without having run. It isn't kept.
        """
        ...


@runtime_checkable
class StepRecorder(Protocol):
    """What an engine gives a model (`model.recorder`) to keep whole steps of the AR loop: the model's pass, the
    sampling chain, noise and stops."""

    def start(self) -> StepRecording:
        """For a batch, or what is left of one."""
        ...

    def decline(self, reason: str) -> None:
        """Something is done step by step instead, because of `reason`, a clause: to be said once."""
        ...
