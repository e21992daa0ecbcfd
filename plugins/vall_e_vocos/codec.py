"""The codec object: the `vocos` package's backbone and head behind the interface of `CodecModel`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from vall_e_core import BuildContext, CheckpointError, ModelError
from vall_e_files import cached_model
from vall_e_tensors import codebook_ids, load_strictly, read_tensors, without_torchaudio

if TYPE_CHECKING:
    from vall_e_core import CodecModel

MODEL_NAME = "vocos-encodec-24khz"
FILE = "pytorch_model.bin"
SHA256 = "7e95bb260b74a1bfc43c52d355831c951acb81c8960e9c62b79bd2b3ab1e3a90"
"""Of the published file, as its page on Hugging Face shows it."""
HOP = 320
"""Samples a frame: EnCodec's, 24 kHz at 75 Hz."""
BANDWIDTH_LEVELS = (2, 4, 8, 16)
"""Codebooks of each bandwidth that the network was trained on; the index is its bandwidth id."""
_CODE_BOOKS = "feature_extractor.codebook_weights"
_LARGEST = 1 << 15  # of any width in a file that is believed


class VocosModel:
    """Decodes EnCodec's codes; encodes by another codec, which is built when it is first needed."""

    name = "vocos"
    sample_rate = 24_000
    frame_rate = 75.0
    levels = 8
    codebook_size = 1024

    def __init__(
        self, network: VocosNetwork, encoder: Callable[[], CodecModel], device: str = "cpu", codes_of: str = "encodec"
    ) -> None:
        """`encoder` builds the codec that encodes, `codes_of` is its name."""
        self.codes_of = codes_of
        self.context_frames = network.context_frames
        self._network = network.to(device=device, dtype=torch.float32).eval().requires_grad_(False)
        self._device = torch.device(device)
        self._build_encoder = encoder
        self._encoder: CodecModel | None = None

    @property
    def code_books_sha256(self) -> str | None:
        """Of the encoder, whose codes they are; None while it hasn't been needed."""
        return None if self._encoder is None else getattr(self._encoder, "code_books_sha256", None)

    def encode(self, wave: Tensor) -> Tensor:
        """wave [samples] float32 at 24 kHz -> codes [T, 8] int64, by the encoder."""
        if self._encoder is None:
            self._encoder = self._build_encoder()
        return self._encoder.encode(wave)

    @torch.inference_mode()
    def decode(self, codes: Tensor) -> Tensor:
        """codes [T, q], q <= 8 -> wave [320 T] float32 at 24 kHz.

        The bandwidth is the smallest trained one that holds q levels. An id outside the codebook is read as 0.
        """
        ids = codebook_ids(codes, self, self._device)
        if ids.shape[0] == 0:
            return torch.zeros(0, device=self._device)
        return cast(Tensor, self._network(ids, bandwidth_id(codes.shape[1])))


class VocosNetwork(nn.Module):
    """Codebooks, backbone and head, named as in the published file. Widths are read off the tensors."""

    def __init__(self, tensors: Mapping[str, Tensor], path: Path) -> None:
        """Raises CheckpointError where the tensors that give the widths are missing or absurd."""
        super().__init__()
        with without_torchaudio():
            from vocos.heads import ISTFTHead
            from vocos.models import VocosBackbone

        books = _shape(tensors, _CODE_BOOKS, 2, path)
        embed = _shape(tensors, "backbone.embed.weight", 3, path)
        layers = len({name.split(".")[2] for name in tensors if name.startswith("backbone.convnext.")})
        self.feature_extractor = nn.Module()
        self.feature_extractor.register_parameter("codebook_weights", nn.Parameter(torch.empty(books)))
        self.backbone = VocosBackbone(
            input_channels=embed[1],
            dim=embed[0],
            intermediate_dim=_shape(tensors, "backbone.convnext.0.pwconv1.weight", 2, path)[0],
            num_layers=layers,
            adanorm_num_embeddings=_shape(tensors, "backbone.norm.scale.weight", 2, path)[0],
        )
        n_fft = _shape(tensors, "head.out.weight", 2, path)[0] - 2
        if n_fft <= HOP or (n_fft - HOP) % 2 or books[0] % VocosModel.codebook_size:
            raise CheckpointError(f"{path}: these aren't the weights of a Vocos for EnCodec at 24 kHz")
        self.head = ISTFTHead(dim=embed[0], n_fft=n_fft, hop_length=HOP, padding="same")
        self.context_frames = 3 * (1 + layers) + -(-(n_fft - HOP) // (2 * HOP))  # convolutions 7 wide, then windows
        load_strictly(self, tensors, path)

    def forward(self, codes: Tensor, bandwidth: int) -> Tensor:
        """codes [T, q] -> wave [320 T]."""
        offsets = torch.arange(codes.shape[1], device=codes.device) * VocosModel.codebook_size
        books = cast(Tensor, self.feature_extractor.codebook_weights)
        features = nn.functional.embedding(codes + offsets, books).sum(1)  # [T, C]
        hidden = self.backbone(features.T[None], bandwidth_id=torch.tensor([bandwidth], device=codes.device))
        wave: Tensor = self.head(hidden)  # [1, samples]
        return wave[0]


def bandwidth_id(levels: int) -> int:
    """The id for codes of that many levels: 2 -> 0, 4 -> 1, 8 -> 2; between these, the next higher."""
    return next(index for index, trained in enumerate(BANDWIDTH_LEVELS) if trained >= levels)


def load(weights: Path | None, ctx: BuildContext, *, allow_pickle: bool, encoder: str) -> VocosModel:
    """The codec from `weights`, or from wherever the published file lies on this machine. Raises ModelError."""
    path = find_weights(weights, ctx)
    tensors = read_tensors(path, sha256=SHA256, allow_pickle=allow_pickle)
    # a file saved with the encoder inside: we take that from its own file
    kept = {name: value for name, value in tensors.items() if not name.startswith("feature_extractor.encodec.")}

    def build_encoder() -> CodecModel:
        return cast("CodecModel", ctx.find("codec", encoder).from_mapping({}).build(ctx))

    return VocosModel(VocosNetwork(kept, path), build_encoder, ctx.device, encoder)


def find_weights(weights: Path | None, ctx: BuildContext) -> Path:
    """The file to read. Raises ModelError that names every place looked at."""
    if weights is not None:
        chosen = weights.expanduser()
        if not chosen.is_file():
            raise ModelError(f"Vocos weights not found: {chosen}")
        return chosen
    cached = cached_model(MODEL_NAME, FILE, ctx.cache_dir)
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    hub = home / "hub" / f"models--charactr--{MODEL_NAME}"
    for path in (cached.with_suffix(".safetensors"), cached, *sorted(hub.glob(f"snapshots/*/{FILE}"))):
        if path.is_file():
            return path
    raise ModelError(
        "the Vocos weights aren't on this machine",
        cause=f"looked for {cached} and in {hub}",
        try_=f"vall-e models download {MODEL_NAME}   or --codec encodec, or name a file: vocos:weights=FILE",
    )


def _shape(tensors: Mapping[str, Tensor], name: str, dimensions: int, path: Path) -> tuple[int, ...]:
    found = tensors.get(name)
    if found is None:
        raise CheckpointError(f"{path}: tensor {name} is missing", cause="these are other weights than expected")
    if found.dim() != dimensions or max(found.shape) > _LARGEST:
        raise CheckpointError(f"{path}: tensor {name} has shape {list(found.shape)}")
    return tuple(found.shape)
