"""The networks of the codec: level 0 tells what is said and how, the residual levels in which voice.

Two encoders read the same log-mel. The content encoder's latents are quantized by level 0 alone; they are trained to
tell the phones, and to let a decoder that is *given* the speaker rebuild the mel, so the voice has no place there
(compare SpeechTokenizer, arXiv 2308.16692, and Mimi, arXiv 2410.00037, which distill a semantic first level). The
acoustic encoder's latents, less what level 0 says of them, are quantized by the other levels, each on the residual of
the one before.

`T` counts code frames, `M = stride * T` mel frames; tensors are [batch, channels, time] inside the networks.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from vall_e_tensors import without_torchaudio

from .mel import LogMel
from .shape import Shape

with without_torchaudio():
    from encodec.quantization.core_vq import VectorQuantization
    from vocos.heads import ISTFTHead
    from vocos.models import VocosBackbone


class Patches(nn.Module):
    """Scaled log-mel [B, mels, M] -> latents [B, out, T]."""

    def __init__(self, shape: Shape, width: int, layers: int, out: int) -> None:
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

    def __init__(self, shape: Shape) -> None:
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
    """One level, trained by moving averages."""
    return VectorQuantization(dim=dim, codebook_size=size, decay=0.99, kmeans_iters=1, threshold_ema_dead_code=0)


class Quantizer(nn.Module):
    """Level 0 on the content latents, the residual levels on the acoustic ones."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.first = codebook(shape.content, shape.codebook_size)
        self.lift = nn.Linear(shape.content, shape.latent)
        """What level 0 says of the acoustic latents."""
        self.rest = nn.ModuleList(codebook(shape.latent, shape.codebook_size) for _ in range(shape.levels - 1))

    @property
    def residual(self) -> list[VectorQuantization]:
        """The further levels."""
        return cast("list[VectorQuantization]", list(self.rest))

    def encode(self, content: Tensor, acoustic: Tensor) -> Tensor:
        """-> codes [B, T, Q]."""
        codes = [self.first.encode(content)]
        residual = acoustic - self.tables(codes[0], 0)
        for index, level in enumerate(self.residual, 1):
            codes.append(level.encode(residual))
            residual = residual - self.tables(codes[-1], index)
        return torch.stack(codes, dim=-1)

    def tables(self, ids: Tensor, level: int) -> Tensor:
        """Ids [B, T] of a level -> what it adds to the latents [B, latent, T]."""
        if level == 0:
            result: Tensor = self.lift(self.first.decode(ids).transpose(1, 2)).transpose(1, 2)
            return result
        decoded: Tensor = self.residual[level - 1].decode(ids)
        return decoded

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, T, q <= Q] -> latents [B, latent, T]."""
        return torch.stack([self.tables(codes[..., i], i) for i in range(codes.shape[-1])]).sum(0)


class Encoder(nn.Module):
    """Samples to codes."""

    def __init__(self, shape: Shape, quantizer: type[Quantizer] = Quantizer) -> None:
        """`quantizer`: the class of the quantizer; training has one of its own."""
        super().__init__()
        self.mel = LogMel(shape)
        self.content = Patches(shape, shape.content_width, shape.content_layers, shape.content)
        self.acoustic = Patches(shape, shape.width, shape.encoder_layers, shape.latent)
        self.quantizer = quantizer(shape)

    def encode(self, wave: Tensor) -> Tensor:
        """Samples [B, L], L a multiple of `frame_samples` -> codes [B, T, Q]."""
        mel = self.mel(wave)
        return self.quantizer.encode(self.content(mel), self.acoustic(mel))


class Vocoder(nn.Module):
    """Latents [B, latent, T] -> samples [B, T * frame_samples]."""

    def __init__(self, shape: Shape) -> None:
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


class Codec(nn.Module):
    """What the product needs: samples -> codes -> samples."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.encoder = Encoder(shape)
        self.vocoder = Vocoder(shape)

    @property
    def codebooks(self) -> nn.Module:
        """What the codes mean."""
        return self.encoder.quantizer

    def encode(self, wave: Tensor) -> Tensor:
        """Samples [B, L], L a multiple of `frame_samples` -> codes [B, T, Q]."""
        return self.encoder.encode(wave)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, T, q <= Q] -> samples [B, T * frame_samples]."""
        result: Tensor = self.vocoder(self.encoder.quantizer.decode(codes))
        return result
