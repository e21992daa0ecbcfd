"""The codec for natural speech: level 0 tells what is said and how, the residual levels tell in which voice.

Two encoders read the same log-mel. The content encoder's latents are quantized by level 0 alone; they are trained to
tell the phones, and to let a decoder that is *given* the speaker rebuild the mel, so the voice has no place there
(compare SpeechTokenizer, arXiv 2308.16692, and Mimi, arXiv 2410.00037, which distill a semantic first level). The
acoustic encoder's latents, less what level 0 says of them, are quantized by the other levels, each on the residual of
the one before.

`T` counts code frames, `M = stride * T` mel frames; tensors are [batch, channels, time] inside the networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vall_e_mini.networks import LogMel, revive, straight_through
from vall_e_tensors import without_torchaudio

with without_torchaudio():
    from encodec.quantization.core_vq import VectorQuantization
    from vocos.heads import ISTFTHead
    from vocos.models import VocosBackbone


@dataclass(frozen=True)
class SplitShape:
    """Everything that fixes the tensors' shapes."""

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


def split_shape(values: Mapping[str, Any]) -> SplitShape:
    """A shape from a mapping that may hold more."""
    return SplitShape(**{k: v for k, v in values.items() if k in SplitShape.__dataclass_fields__})


class Patches(nn.Module):
    """Scaled log-mel [B, mels, M] -> latents [B, out, T]."""

    def __init__(self, shape: SplitShape, width: int, layers: int, out: int) -> None:
        super().__init__()
        self.stride = shape.stride
        self.backbone = VocosBackbone(shape.mels * shape.stride, width, 3 * width, layers)
        self.out = nn.Linear(width, out)

    def forward(self, mel: Tensor) -> Tensor:
        """[B, mels, M] -> [B, out, T]."""
        batch, mels, frames = mel.shape
        patches = mel.reshape(batch, mels, frames // self.stride, self.stride).transpose(2, 3)
        result: Tensor = self.out(self.backbone(patches.reshape(batch, mels * self.stride, frames // self.stride)))
        return result.transpose(1, 2)


class Trunk(nn.Module):
    """Latents [B, latent, T] -> features at the mel rate [B, width, M]."""

    def __init__(self, shape: SplitShape) -> None:
        super().__init__()
        self.stride = shape.stride
        self.backbone = VocosBackbone(shape.latent, shape.width, 3 * shape.width, shape.decoder_layers)
        self.up = nn.Linear(shape.width, shape.width * shape.stride)

    def forward(self, latents: Tensor) -> Tensor:
        """[B, latent, T] -> [B, width, M]."""
        hidden = self.up(self.backbone(latents))
        batch, frames, _ = hidden.shape
        result: Tensor = hidden.reshape(batch, frames * self.stride, -1).transpose(1, 2)
        return result


def codebook(dim: int, size: int) -> VectorQuantization:
    """One level, trained by moving averages; `revive` takes care of dead codes."""
    return VectorQuantization(dim=dim, codebook_size=size, decay=0.99, kmeans_iters=1, threshold_ema_dead_code=0)


class SplitQuantizer(nn.Module):
    """Level 0 on the content latents, the residual levels on the acoustic ones."""

    def __init__(self, shape: SplitShape) -> None:
        super().__init__()
        self.first = codebook(shape.content, shape.codebook_size)
        self.lift = nn.Linear(shape.content, shape.latent)
        """What level 0 says of the acoustic latents."""
        self.rest = nn.ModuleList(codebook(shape.latent, shape.codebook_size) for _ in range(shape.levels - 1))

    def forward(self, content: Tensor, acoustic: Tensor) -> dict[str, Tensor]:
        """[B, content, T], [B, latent, T] -> what was found, by name.

        `content` [B, content, T] is quantized, with the latents' gradient; of `vectors` [Q, B, latent, T] only the
        first carries a gradient; `codes` is [B, T, Q]; `commitment` and `lift` are losses.
        """
        quantized, ids, commitment = self.first(content)
        if self.training:
            revive(self.first._codebook, content.detach())
        lifted = self.lift(quantized.detach().transpose(1, 2)).transpose(1, 2)
        vectors, codes, losses = [lifted], [ids], [commitment.mean() * 2.0]
        residual = acoustic - lifted.detach()
        for level in self.rest:
            found, ids, loss = level(residual)
            if self.training:
                revive(level._codebook, residual.detach())
            residual = residual - found.detach()
            vectors.append(found.detach())
            codes.append(ids)
            losses.append(loss.mean())
        return {
            "content": straight_through(content, quantized),
            "vectors": torch.stack(vectors),
            "codes": torch.stack(codes, dim=-1),
            "commitment": torch.stack(losses).mean(),
            "lift": (acoustic.detach() - lifted).square().mean(),
        }

    def encode(self, content: Tensor, acoustic: Tensor) -> Tensor:
        """-> codes [B, T, Q]."""
        codes = [self.first.encode(content)]
        residual = acoustic - self.tables(codes[0], 0)
        for index, level in enumerate(self.rest, 1):
            codes.append(level.encode(residual))
            residual = residual - self.tables(codes[-1], index)
        return torch.stack(codes, dim=-1)

    def tables(self, ids: Tensor, level: int) -> Tensor:
        """Ids [B, T] of a level -> what it adds to the latents [B, latent, T]."""
        if level == 0:
            result: Tensor = self.lift(self.first.decode(ids).transpose(1, 2)).transpose(1, 2)
            return result
        decoded: Tensor = self.rest[level - 1].decode(ids)
        return decoded

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, T, q <= Q] -> latents [B, latent, T]."""
        return torch.stack([self.tables(codes[..., i], i) for i in range(codes.shape[-1])]).sum(0)


class SplitEncoder(nn.Module):
    """Samples to codes."""

    def __init__(self, shape: SplitShape) -> None:
        super().__init__()
        self.mel = LogMel(shape)  # type: ignore[arg-type]  # it reads sizes that both shapes have
        self.content = Patches(shape, shape.content_width, shape.content_layers, shape.content)
        self.acoustic = Patches(shape, shape.width, shape.encoder_layers, shape.latent)
        self.quantizer = SplitQuantizer(shape)

    def encode(self, wave: Tensor) -> Tensor:
        """Samples [B, L], L a multiple of `frame_samples` -> codes [B, T, Q]."""
        mel = self.mel(wave)
        return self.quantizer.encode(self.content(mel), self.acoustic(mel))


class SplitVocoder(nn.Module):
    """Latents [B, latent, T] -> samples [B, T * frame_samples]."""

    def __init__(self, shape: SplitShape) -> None:
        super().__init__()
        self.trunk = Trunk(shape)
        self.backbone = VocosBackbone(shape.width, shape.vocoder_width, 3 * shape.vocoder_width, shape.vocoder_layers)
        self.head = ISTFTHead(shape.vocoder_width, shape.n_fft, shape.hop)

    def features(self, latents: Tensor) -> Tensor:
        """[B, latent, T] -> [B, M, vocoder_width]."""
        result: Tensor = self.backbone(self.trunk(latents))
        return result

    def forward(self, latents: Tensor) -> Tensor:
        """[B, latent, T] -> [B, T * frame_samples]."""
        result: Tensor = self.head(self.features(latents))
        return result
