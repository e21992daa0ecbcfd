"""Tasks that take a recording apart: its speech without the noise, and its noise without the speech."""

from __future__ import annotations

from collections.abc import Iterable

from vall_e_core import hookimpl
from vall_e_tts import SpeechTask

requires = ("tts",)


class NoiseSuppression(SpeechTask):
    """Take noise off the recording; the text is what it says."""

    name = "ns"
    token = "ns"


class SpeechRemoval(SpeechTask):
    """Take speech off the recording; the text is what it says."""

    name = "sr"
    token = "sr"


@hookimpl
def vall_e_speech_tasks() -> Iterable[type[SpeechTask]]:
    """Both."""
    return [NoiseSuppression, SpeechRemoval]
