"""Playing audio with whatever this machine has."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vall_e_audio import write_audio
from vall_e_core import InputError

PLAYERS: tuple[tuple[str, ...], ...] = (
    ("pw-play",),
    ("paplay",),
    ("aplay", "-q"),
    ("afplay",),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
    ("play", "-q"),
)
"""Programs that play a WAV file and end, in the order in which they are tried."""


def play(wave: NDArray[np.float32], sample_rate: int, *, players: Sequence[Sequence[str]] = PLAYERS) -> str:
    """Play `wave` [n] to its end; returns what played it. Raises InputError with what was tried where nothing did."""
    failures: list[str] = []
    if find_spec("sounddevice") is not None:
        failure = _by_sounddevice(wave, sample_rate)
        if failure is None:
            return "sounddevice"
        failures.append(f"sounddevice: {failure}")
    found = [(shutil.which(command[0]), command) for command in players]
    with tempfile.TemporaryDirectory(prefix="vall-e-") as folder:
        file = Path(folder) / "voice.wav"
        write_audio(file, wave, sample_rate)
        for program, command in found:
            if program is None:
                continue
            words = [program, *command[1:], str(file)]
            done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return command[0]
            said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            failures.append(f"{command[0]}: {said}")
    names = ", ".join(command[0] for command in players)
    raise InputError(
        "no program that plays audio was found",
        cause="; ".join(failures) or f"neither the package sounddevice nor a program was found ({names})",
        try_="-o FILE.wav to write it",
    )


def _by_sounddevice(wave: NDArray[np.float32], sample_rate: int) -> str | None:
    """Why it failed; None where it played."""
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # the package without its library
        return str(error)
    try:
        sounddevice.play(wave, sample_rate)
        sounddevice.wait()
    except sounddevice.PortAudioError as error:
        return str(error)
    return None
