"""The codec object: the `encodec` package's network behind the interface of `CodecModel`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vall_e_core import BuildContext, ModelError
from vall_e_files import cached_model
from vall_e_tensors import codebook_ids, load_strictly, mono_samples, read_tensors, sha256_tensors, without_torchaudio

if TYPE_CHECKING:
    from torch import nn

OFFICIAL = "encodec_24khz-d7cc33bc.th"
SHA256 = "d7cc33bcf1aad7f2dad9836f36431530744abeace3ca033005e3290ed4fa47bf"
"""Of the official file; its publisher put the first eight digits into the file's name."""
MODEL_NAME = "encodec-24khz"
SAFETENSORS = ("encodec-24khz-safetensors", "model.safetensors")
"""The same weights as their publisher has them on Hugging Face: the known model, and its file."""
BANDWIDTH = 6.0  # kbps


class EncodecModel24:
    """EnCodec 24 kHz at 6 kbps. The network runs in float32 whatever the language model's type is."""

    name = "encodec"
    sample_rate = 24_000
    frame_rate = 75.0
    levels = 8
    codebook_size = 1024
    context_frames = 75
    """A second: the convolutions see less, and the LSTM between them forgets."""

    def __init__(self, network: Any, device: str = "cpu") -> None:  # noqa: ANN401 - an untyped package's class
        """`network`: as `new_network` makes it, its weights loaded."""
        self._network = network.to(device=device, dtype=torch.float32).eval().requires_grad_(False)
        self._network.set_target_bandwidth(BANDWIDTH)
        self._device = torch.device(device)

    @cached_property
    def code_books_sha256(self) -> str:
        """A hash of the codebooks, the same for any of the files that hold them."""
        tensors = self._network.quantizer.state_dict()
        return sha256_tensors({name: value for name, value in tensors.items() if name.endswith("._codebook.embed")})

    @torch.inference_mode()
    def encode(self, wave: Tensor) -> Tensor:
        """wave [samples] float32 at 24 kHz -> codes [T, 8] int64, T = ceil(samples / 320)."""
        samples = mono_samples(wave, self._device)
        if samples.numel() == 0:
            return torch.zeros(0, self.levels, dtype=torch.int64, device=self._device)
        codes: Tensor = self._network.encode(samples[None, None])[0][0]  # [1, Q, T]
        return codes[0].transpose(0, 1).to(torch.int64).contiguous()

    @torch.inference_mode()
    def decode(self, codes: Tensor) -> Tensor:
        """codes [T, q], q <= 8 -> wave [320 T] float32 at 24 kHz.

        An id outside the codebook, such as a stop token that slipped through, is read as 0.
        """
        ids = codebook_ids(codes, self, self._device)
        if ids.shape[0] == 0:
            return torch.zeros(0, device=self._device)
        wave: Tensor = self._network.decode([(ids.transpose(0, 1)[None], None)])  # [1, 1, samples]
        return wave[0, 0]


def load(weights: Path | None, ctx: BuildContext, *, allow_pickle: bool = False) -> EncodecModel24:
    """The codec from `weights`, or from wherever the official file lies on this machine. Raises ModelError."""
    path = find_weights(weights, ctx)
    tensors = read_tensors(path, sha256=SHA256, allow_pickle=allow_pickle)
    network = new_network()
    load_strictly(network, rename_from_transformers(tensors, list(network.state_dict())), path)
    return EncodecModel24(network, ctx.device)


def new_network() -> nn.Module:
    """The 24 kHz architecture with random weights; nothing is downloaded."""
    with without_torchaudio(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*weight_norm.*")  # the package uses torch's older spelling
        from encodec.model import EncodecModel

        network: nn.Module = EncodecModel.encodec_model_24khz(pretrained=False)
    return network


def find_weights(weights: Path | None, ctx: BuildContext) -> Path:
    """The file to read. Raises ModelError that names every place looked at."""
    if weights is not None:
        chosen = weights.expanduser()
        if not chosen.is_file():
            raise ModelError(f"EnCodec weights not found: {chosen}")
        return chosen
    cached = cached_model(MODEL_NAME, OFFICIAL, ctx.cache_dir)
    hub = Path(os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch")) / "hub" / "checkpoints" / OFFICIAL
    for path in (cached, cached.with_suffix(".safetensors"), cached_model(*SAFETENSORS, ctx.cache_dir), hub):
        if path.is_file():
            return path
    raise ModelError(
        "the EnCodec weights aren't on this machine",
        cause=f"looked for {cached} and {hub}",
        try_=f"vall-e models download {MODEL_NAME}   or name a file: encodec:weights=FILE",
    )


def rename_from_transformers(tensors: Mapping[str, Tensor], expected: list[str]) -> dict[str, Tensor]:
    """Hugging Face's names for the same network's tensors, turned into the `encodec` package's.

    Theirs: `encoder.layers.0.conv.weight_g`, `decoder.layers.3.conv.bias`, `quantizer.layers.0.codebook.embed`.
    Ours: `encoder.model.0.conv.conv.weight_g`, `decoder.model.3.convtr.convtr.bias`,
    `quantizer.vq.layers.0._codebook.embed`.
    A table that is already in our naming is returned as it is.
    """
    if any(name.startswith(("encoder.model.", "quantizer.vq.")) for name in tensors):
        return dict(tensors)
    theirs = {_theirs(name): name for name in expected}
    spelled = {
        name.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): value
        for name, value in tensors.items()
    }
    return {theirs.get(name, name): value for name, value in spelled.items() if not name.endswith(".padding_total")}


def _theirs(name: str) -> str:
    part, _, rest = name.partition(".")
    if part == "quantizer":
        return "quantizer." + rest.removeprefix("vq.").replace("._codebook.", ".codebook.")
    rest = rest.removeprefix("model.").replace(".convtr.convtr.", ".conv.").replace(".conv.conv.", ".conv.")
    return f"{part}.layers.{rest}"
