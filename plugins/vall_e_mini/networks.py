"""The codec's networks: log-mel patches -> residual codes -> log-mel patches, and a vocoder from the codes to samples.

`T` counts code frames, `M = stride * T` mel frames; tensors are [batch, channels, time] inside the networks.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from vall_e_tensors import without_torchaudio

from .shape import MelShape, Shape

with without_torchaudio():
    from encodec.quantization.core_vq import EuclideanCodebook, VectorQuantization
    from vocos.heads import ISTFTHead
    from vocos.models import VocosBackbone
    from vocos.modules import ConvNeXtBlock


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

    def __init__(self, shape: MelShape) -> None:
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


class Encoder(nn.Module):
    """Scaled log-mel [B, mels, M] -> latents [B, latent, T]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.stride = shape.stride
        self.backbone = VocosBackbone(shape.mels * shape.stride, shape.width, shape.hidden, shape.encoder_layers)
        self.out = nn.Linear(shape.width, shape.latent)

    def forward(self, mel: Tensor) -> Tensor:
        """[B, mels, M] -> [B, latent, T]."""
        batch, mels, frames = mel.shape
        patches = mel.reshape(batch, mels, frames // self.stride, self.stride).transpose(2, 3)
        hidden = self.backbone(patches.reshape(batch, mels * self.stride, frames // self.stride))
        result: Tensor = self.out(hidden).transpose(1, 2)
        return result


def straight_through(latents: Tensor, quantised: Tensor) -> Tensor:
    """The value of `quantised` with the gradient of `latents`."""
    return latents + (quantised - latents).detach()


@torch.no_grad()
def revive(codebook: EuclideanCodebook, vectors: Tensor, threshold: float = 0.3) -> None:
    """Move codes that hardly any vector [B, latent, T] chooses any more onto random ones of these vectors."""
    kept = dict(codebook.named_buffers())
    dead = (kept["cluster_size"] < threshold).nonzero()[:, 0]
    if len(dead):
        flat = vectors.transpose(1, 2).flatten(0, 1)
        kept["embed"][dead] = flat[torch.randint(len(flat), (len(dead),), device=flat.device)]
        kept["embed_avg"][dead] = kept["embed"][dead]
        kept["cluster_size"][dead] = 1.0


class Quantiser(nn.Module):
    """Residual vector quantization by the levels' codebooks (EMA-trained, dead codes revived)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            VectorQuantization(
                dim=shape.latent,
                codebook_size=shape.codebook_size,
                decay=0.99,
                kmeans_iters=8,
                threshold_ema_dead_code=0,  # encodec overwrites what it revives; `revive` does not
            )
            for _ in range(shape.levels)
        )

    @property
    def quantisers(self) -> list[VectorQuantization]:
        """One for each level."""
        return cast("list[VectorQuantization]", list(self.levels))

    def forward(self, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[B, latent, T] -> (each level's vectors [Q, B, latent, T], codes [B, T, Q], commitment loss).

        The vectors carry no gradient: see `straight_through`.
        """
        residual = latents
        vectors, codes, losses = [], [], []
        for level in self.quantisers:
            quantised, ids, loss = level(residual)
            if self.training:
                revive(level._codebook, residual.detach())
            residual = residual - quantised.detach()
            vectors.append(quantised.detach())
            codes.append(ids)
            losses.append(loss)
        return torch.stack(vectors), torch.stack(codes, dim=-1), torch.stack(losses).mean()

    def encode(self, latents: Tensor) -> Tensor:
        """[B, latent, T] -> codes [B, T, Q]."""
        residual, codes = latents, []
        for level in self.quantisers:
            ids = level.encode(residual)
            residual = residual - level.decode(ids)
            codes.append(ids)
        return torch.stack(codes, dim=-1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, T, q <= Q] -> latents [B, latent, T]."""
        parts = [level.decode(codes[..., i]) for i, level in enumerate(self.quantisers[: codes.shape[-1]])]
        return torch.stack(parts).sum(0)


class Trunk(nn.Module):
    """Latents [B, latent, T] -> features at the mel rate [B, width, M]; under the mel head and the vocoder."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.stride = shape.stride
        self.backbone = VocosBackbone(shape.latent, shape.width, shape.hidden, shape.decoder_layers)
        self.up = nn.Linear(shape.width, shape.width * shape.stride)

    def forward(self, latents: Tensor) -> Tensor:
        """[B, latent, T] -> [B, width, M]."""
        hidden = self.up(self.backbone(latents))
        batch, frames, _ = hidden.shape
        result: Tensor = hidden.reshape(batch, frames * self.stride, -1).transpose(1, 2)
        return result


class MelHead(nn.Module):
    """Features [B, width, M] -> scaled log-mel [B, mels, M]; used in training alone."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.mix = ConvNeXtBlock(shape.width, shape.width, 0.5)
        self.out = nn.Conv1d(shape.width, shape.mels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """[B, width, M] -> [B, mels, M]."""
        result: Tensor = self.out(self.mix(features))
        return result


class Vocoder(nn.Module):
    """Latents [B, latent, T] -> samples [B, T * frame_samples]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.trunk = Trunk(shape)
        self.backbone = VocosBackbone(shape.width, shape.vocoder_width, shape.vocoder_hidden, shape.vocoder_layers)
        self.head = ISTFTHead(shape.vocoder_width, shape.n_fft, shape.hop)

    def features(self, latents: Tensor) -> Tensor:
        """[B, latent, T] -> [B, M, vocoder_width]."""
        result: Tensor = self.backbone(self.trunk(latents))
        return result

    def forward(self, latents: Tensor) -> Tensor:
        """[B, latent, T] -> [B, T * frame_samples]."""
        result: Tensor = self.head(self.features(latents))
        return result


class Codec(nn.Module):
    """What the product needs: samples -> codes -> samples."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.mel = LogMel(shape)
        self.encoder = Encoder(shape)
        self.quantiser = Quantiser(shape)
        self.vocoder = Vocoder(shape)

    @property
    def codebooks(self) -> nn.Module:
        """What the codes mean."""
        return self.quantiser

    def encode(self, wave: Tensor) -> Tensor:
        """Samples [B, L], L a multiple of `frame_samples` -> codes [B, T, Q]."""
        return self.quantiser.encode(self.encoder(self.mel(wave)))

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, T, q <= Q] -> samples [B, T * frame_samples]."""
        result: Tensor = self.vocoder(self.quantiser.decode(codes))
        return result
