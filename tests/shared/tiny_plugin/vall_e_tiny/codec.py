"""The codec: deterministic, and its codes depend on the sound."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vall_e_core.sampling import StatelessTransform, Step

HOP = 160


class TinyCodecModel:
    """Level 0: loudness; level 1: zero crossings; levels 2, 3: both mixed."""

    name = "tiny"
    sample_rate = 8_000
    frame_rate = 50.0
    levels = 4

    def __init__(self, gain: float) -> None:
        self.gain = gain
        self.codebook_size = 32

    def encode(self, wave: Tensor) -> Tensor:
        frames = wave[: len(wave) // HOP * HOP].reshape(-1, HOP)
        level = (20 * torch.log10(frames.std(dim=1) + 1e-4) + 80).div(2.6).long().clamp(0, 31)
        crossings = (frames[:, 1:] * frames[:, :-1] < 0).sum(1).div(2).long().clamp(0, 31)
        return torch.stack([level, crossings, (level + crossings) % 32, (level * 3 + crossings) % 32], dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        pitch = 100.0 * 2 ** (codes[:, 0].float() / 12)
        phase = torch.cumsum(2 * math.pi * pitch.repeat_interleave(HOP) / self.sample_rate, 0)
        loud = self.gain * (0.5 + 0.1 * codes.float().mean(1) / 32).repeat_interleave(HOP)
        return torch.sin(phase) * loud


class BanAllTransform(StatelessTransform):
    """Every token removed."""

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return torch.full_like(logits, -math.inf)
