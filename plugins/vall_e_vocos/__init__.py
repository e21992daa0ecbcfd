"""The Vocos vocoder for EnCodec's codes (Siuzdak, "Vocos", 2023): a second decoder, often the better sounding one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vall_e_core import BuildContext, Codec, hookimpl, param

if TYPE_CHECKING:
    from vall_e_core import CodecModel


@dataclass(frozen=True)
class VocosCodec(Codec):
    """EnCodec's codes, decoded by Vocos (charactr/vocos-encodec-24khz); encoding is left to the codec `encodec`.

    Looks for the weights in the cache of `vall-e models download vocos-encodec-24khz` and in that of Hugging Face.
    Never uses the network.
    """

    name = "vocos"
    weights: Path | None = param(
        None, primary=True, metavar="FILE", help="the weights: pytorch_model.bin, or the same tensors as .safetensors"
    )
    allow_pickle: bool = param(False, help="read a pickle that isn't the published file; only if you trust it")
    encoder: str = param("encodec", help="the codec that encodes")

    def build(self, ctx: BuildContext) -> CodecModel:
        """Find and load the weights; the encoder's are read when something is encoded. Raises ModelError."""
        from .codec import load

        return load(self.weights, ctx, allow_pickle=self.allow_pickle, encoder=self.encoder)


@hookimpl
def vall_e_codecs() -> Iterable[type[Codec]]:
    """What this plugin brings."""
    return [VocosCodec]
