"""What the codec hears: scaled log-mel spectra."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .shape import Shape


def mel_filters(sample_rate: int, n_fft: int, mels: int) -> Tensor:
    """Triangular filters, evenly spaced on the mel scale 2595 log10(1 + f / 700): [mels, n_fft // 2 + 1]."""
    top = 2595.0 * math.log10(1.0 + sample_rate / 2 / 700.0)
    edges = 700.0 * (10.0 ** (torch.linspace(0.0, top, mels + 2, dtype=torch.float64) / 2595.0) - 1.0)
    bins = torch.linspace(0.0, sample_rate / 2, n_fft // 2 + 1, dtype=torch.float64)
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rise, fall).clamp(min=0.0).float()


class LogMel(nn.Module):
    """Samples [B, L] -> scaled log-mel [B, mels, L // hop]; L is a multiple of the hop."""

    window: Tensor
    filters: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.hop, self.n_fft = shape.hop, shape.n_fft
        self.register_buffer("window", torch.hann_window(shape.n_fft), persistent=False)
        self.register_buffer("filters", mel_filters(shape.sample_rate, shape.n_fft, shape.mels), persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        """[B, L] -> [B, mels, L // hop]; about zero mean and unit variance on speech."""
        pad = (self.n_fft - self.hop) // 2
        wave = nn.functional.pad(wave, (pad, pad))
        spectrum = torch.stft(wave, self.n_fft, self.hop, window=self.window, center=False, return_complex=True).abs()
        return ((self.filters @ spectrum).clamp(min=2e-3).log() + 2.0) / 2.0
