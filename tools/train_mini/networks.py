"""What only the training of the codec needs of its networks; the product has the rest."""

from __future__ import annotations

import torch
from encodec.quantization.core_vq import EuclideanCodebook
from torch import Tensor

from vall_e_mini.networks import Quantizer


def straight_through(latents: Tensor, quantized: Tensor) -> Tensor:
    """The value of `quantized` with the gradient of `latents`."""
    return latents + (quantized - latents).detach()


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


class TrainedQuantizer(Quantizer):
    """The quantizer, whose codebooks follow what they are given; `revive` takes care of dead codes."""

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
