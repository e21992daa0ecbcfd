"""The kind `speech task`: what is done with a text and a recording. Importing this imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from vall_e_core import Component, Registry, UsageError

if TYPE_CHECKING:
    from torch import Tensor


class SpeechTask(Component):
    """Something that a model learnt to do with a text and a recording, for `vall-e tts --task NAME`.

    A plugin offers it through the hook `vall_e_speech_tasks`:

        @dataclass(frozen=True)
        class NoiseSuppression(SpeechTask):
            "Take noise off the recording."

            name = "ns"
            token = "ns"
    """

    kind = "speech_task"
    token: ClassVar[str | None] = None
    """The task's token, which leads the prompt; a name of the model's table of tasks. None for plain speech."""
    imitates: ClassVar[bool] = False
    """The recording is a voice to speak with: its silence is left out, and a few seconds of it suffice. If not, it is
    worked on: it is needed, and kept whole; nobody listens to the result for missing words."""

    def prompt(self, codes: Tensor) -> Tensor | Sequence[Tensor | str]:
        """What the model is given of the recording.

        Args:
            codes: its codes [T, Q].

        Returns:
            Codes, or a list of codes and task tokens.
        """
        return codes if self.token is None else [self.token, codes]


class Speaking(SpeechTask):
    """Speak the text in the recording's voice."""

    name = "tts"
    imitates = True


def names() -> list[str]:
    """What the shell may complete `--task` to."""
    return [*Registry.load().names(SpeechTask.kind), "stt"]


def speech_task(registry: Registry, name: str) -> SpeechTask:
    """The task of that name. Raises UsageError."""
    known = registry.all(SpeechTask)
    if name not in known:
        raise UsageError(f"unknown task: {name}", try_=f"one of {', '.join(sorted(known))}")
    return known[name]()
