"""The numbers that fix the codec's tensors; stored beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shape:
    """Everything that fixes the tensors' shapes; stored beside the weights."""

    sample_rate: int = 24000
    hop: int = 300
    n_fft: int = 1200
    mels: int = 100
    stride: int = 2
    levels: int = 8
    codebook_size: int = 1024
    content: int = 64
    """Channels of the latents that level 0 quantizes."""
    latent: int = 128
    content_width: int = 256
    content_layers: int = 4
    width: int = 320
    encoder_layers: int = 4
    decoder_layers: int = 4
    vocoder_width: int = 256
    vocoder_layers: int = 8

    @property
    def frame_samples(self) -> int:
        """Samples in a code frame."""
        return self.hop * self.stride

    @property
    def frame_rate(self) -> float:
        """Code frames a second."""
        return self.sample_rate / self.frame_samples

    @property
    def context_frames(self) -> int:
        """Code frames on either side of a frame that its samples depend on.

        An embedding and each layer of a backbone are convolutions 7 wide; samples then come from overlapping windows.
        """
        trunk = 3 * (1 + self.decoder_layers)
        vocoder = 3 * (1 + self.vocoder_layers) + -(-(self.n_fft - self.hop) // (2 * self.hop))
        return trunk + -(-vocoder // self.stride)


def shape_from(values: Mapping[str, Any]) -> Shape:
    """A `Shape` from a mapping that may hold more."""
    return Shape(**{k: v for k, v in values.items() if k in Shape.__dataclass_fields__})
