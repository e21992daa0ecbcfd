"""Tasks that take a recording apart: its speech without the noise, and its noise without the speech."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vall_e_core import hookimpl
from vall_e_tts import SpeechTask

requires = ("tts",)


@dataclass(frozen=True)
class NoiseSuppression(SpeechTask):
    """Take noise off the recording; the text is what it says."""

    name = "ns"
    token = "ns"


@dataclass(frozen=True)
class SpeechRemoval(SpeechTask):
    """Take speech off the recording; the text is what it says."""

    name = "sr"
    token = "sr"


@hookimpl
def vall_e_speech_tasks() -> Iterable[type[SpeechTask]]:
    """Both."""
    return [NoiseSuppression, SpeechRemoval]
