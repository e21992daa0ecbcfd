"""Discriminators of the vocoder: they learn to tell its output from recordings, and it learns to fool them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def spectrum(wave: Tensor, n_fft: int, hop: int) -> Tensor:
    """Magnitudes of samples [B, L]: [B, n_fft // 2 + 1, frames]."""
    window = torch.hann_window(n_fft, device=wave.device)
    return torch.stft(wave, n_fft, hop, window=window, return_complex=True).abs()


class SpectrumJudge(nn.Module):
    """A small convolutional discriminator on one resolution's log-magnitudes and phases' cosines and sines."""

    def __init__(self, n_fft: int, hop: int, channels: int = 16) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        norm = nn.utils.parametrizations.weight_norm
        self.layers = nn.ModuleList(
            [
                norm(nn.Conv2d(2, channels, (7, 3), (3, 1), (3, 1))),
                norm(nn.Conv2d(channels, channels, (5, 3), (2, 1), (2, 1))),
                norm(nn.Conv2d(channels, channels * 2, (5, 3), (2, 1), (2, 1))),
                norm(nn.Conv2d(channels * 2, channels * 2, (3, 3), (2, 1), (1, 1))),
            ]
        )
        self.out = norm(nn.Conv2d(channels * 2, 1, 3, padding=1))

    def forward(self, wave: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Samples [B, L] -> (judgements, the layers' features)."""
        window = torch.hann_window(self.n_fft, device=wave.device)
        x = torch.stft(wave, self.n_fft, self.hop, window=window, return_complex=True)
        x = torch.view_as_real(x).permute(0, 3, 1, 2)
        x = x / (x.square().sum(1, keepdim=True) + 1e-4).pow(0.35)  # compressed magnitudes, phase kept
        features = []
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.out(x), features


class Judges(nn.Module):
    """One judge a resolution; hinge losses and feature matching."""

    def __init__(self, resolutions: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.judges = nn.ModuleList(SpectrumJudge(n_fft, hop) for n_fft, hop in resolutions)

    def loss(self, guess: Tensor, wave: Tensor) -> Tensor:
        """The judges' own loss on samples [B, L]."""
        total = guess.new_zeros(())
        for judge in self.judges:
            total = (
                total
                + (1.0 - judge(wave)[0]).clamp(min=0).mean()
                + (1.0 + judge(guess.detach())[0]).clamp(min=0).mean()
            )
        return total / len(self.judges)

    def teach(self, guess: Tensor, wave: Tensor) -> tuple[Tensor, Tensor]:
        """(adversarial loss, feature-matching loss) for the vocoder."""
        fool, match = guess.new_zeros(()), guess.new_zeros(())
        for judge in self.judges:
            verdict, ours = judge(guess)
            with torch.no_grad():
                _, theirs = judge(wave)
            fool = fool + (1.0 - verdict).clamp(min=0).mean()
            match = (
                match
                + torch.stack([(a - b).abs().mean() / b.abs().mean() for a, b in zip(ours, theirs, strict=True)]).mean()
            )
        return fool / len(self.judges), match / len(self.judges)
