"""The EnCodec neural audio codec (Défossez and others, "High Fidelity Neural Audio Compression", 2022)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vall_e_core import BuildContext, Codec, hookimpl, param

if TYPE_CHECKING:
    from vall_e_core import CodecModel


@dataclass(frozen=True)
class EncodecCodec(Codec):
    """EnCodec at 24 kHz and 6 kbps: 8 codebooks of 1024 entries, 75 frames per second.

    Looks for the official weights in the cache of `vall-e models download encodec-24khz` and in that of PyTorch's
    hub. Never uses the network.
    """

    name = "encodec"
    weights: Path | None = param(
        None,
        primary=True,
        metavar="FILE",
        help="the weights: the official encodec_24khz-d7cc33bc.th, or .safetensors in its naming or Hugging Face's",
    )
    allow_pickle: bool = param(False, help="read a pickle that isn't the published file; only if you trust it")

    def build(self, ctx: BuildContext) -> CodecModel:
        """Find, check and load the weights. Raises ModelError where they aren't there or don't fit."""
        from .codec import load

        return load(self.weights, ctx, allow_pickle=self.allow_pickle)


@hookimpl
def vall_e_codecs() -> Iterable[type[Codec]]:
    """What this plugin brings."""
    return [EncodecCodec]
