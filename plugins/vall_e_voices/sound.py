"""What a voice sounds like, as samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vall_e_audio import read_audio
from vall_e_core import InputError, Voice
from vall_e_lm import ModelOptions

from .folder import CodesOrigin, SavedVoice
from .making import model_codec

if TYPE_CHECKING:
    from vall_e_core import Registry


def sound_of(
    voice: SavedVoice | Voice, registry: Registry, *, codec: str | None, device: str, notify: Callable[[str], None]
) -> tuple[NDArray[np.float32], int]:
    """Samples [n] and their rate: the recording where it is at hand, else the codes, decoded.

    Raises InputError for codes that the codec can't read, ModelError for a codec that isn't here.
    """
    if isinstance(voice, Voice):
        path = voice.audio_path()
        clip = read_audio(path, max_seconds=None)
        return read_audio(path, sample_rate=clip.original_rate, max_seconds=None).samples, clip.original_rate
    if voice.audio is not None and voice.audio_rate is not None:
        return voice.audio.astype(np.float32) / np.float32(32768), voice.audio_rate
    import torch

    made = model_codec(registry, ModelOptions(codec=codec or voice.origin.name, device=device), notify=notify)
    why = voice.origin.difference(CodesOrigin.of(made))
    if why is not None:
        raise InputError(f"the codec {made.name} can't decode the voice {voice.name}", cause=why, try_="--codec NAME")
    wave = made.decode(torch.tensor(voice.codes, dtype=torch.int64))
    return wave.float().reshape(-1).cpu().numpy(), made.sample_rate
