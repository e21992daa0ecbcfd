"""Decoding window by window, as sound that is played while it is made: the codecs' own receptive fields."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from vall_e_core import BuildContext, CodecModel
from vall_e_encodec.codec import EncodecModel24, new_network
from vall_e_mini import MiniCodec
from vall_e_tensors import without_torchaudio
from vall_e_tts.synthesis.streaming import CONTEXT_FRAMES, WaveStream
from vall_e_vocos import VocosCodec


@cache
def mini() -> CodecModel:
    return MiniCodec().build(BuildContext())


@cache
def encodec() -> CodecModel:
    torch.manual_seed(0)
    return EncodecModel24(new_network())


@pytest.fixture(scope="module")
def vocos(tmp_path_factory: pytest.TempPathFactory) -> CodecModel:
    with without_torchaudio():
        from vocos.heads import ISTFTHead
        from vocos.models import VocosBackbone

    torch.manual_seed(0)
    backbone = VocosBackbone(input_channels=8, dim=16, intermediate_dim=32, num_layers=2, adanorm_num_embeddings=4)
    head = ISTFTHead(16, n_fft=1280, hop_length=320, padding="same")
    tensors = {f"backbone.{name}": value for name, value in backbone.state_dict().items()}
    tensors |= {f"head.{name}": value for name, value in head.state_dict().items()}
    path: Path = tmp_path_factory.mktemp("vocos") / "vocos.safetensors"
    save_file({**tensors, "feature_extractor.codebook_weights": torch.randn(16 * 1024, 8)}, path)
    return VocosCodec(weights=path).build(BuildContext())


def random_codes(codec: CodecModel, frames: int) -> Tensor:
    return torch.randint(0, codec.codebook_size, (frames, codec.levels), generator=torch.Generator().manual_seed(1))


def in_windows(
    codec: CodecModel, codes: Tensor, size: int, ahead: int, context: int | None = None
) -> NDArray[np.float32]:
    stream = WaveStream(codec, context=context)
    pieces = [
        stream.push(codes[i : i + size], codes[i + size : i + size + ahead], i + size >= len(codes))
        for i in range(0, len(codes), size)
    ]
    return np.concatenate(pieces)


def check_field(codec: CodecModel, frames: int) -> None:
    """Enough on either side gives the whole decoding; half of it doesn't."""
    codes = random_codes(codec, frames)
    expected = codec.decode(codes).numpy()
    context = cast(int, vars(codec)["context_frames"])
    found = in_windows(codec, codes, 20, context)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(in_windows(codec, codes, 20, context, context=context // 4) - expected).max() > 1e-4


@pytest.mark.slow
def test_the_embedded_codec() -> None:
    assert vars(mini())["context_frames"] == 30
    check_field(mini(), 130)


def test_the_embedded_codec_depends_on_nothing_further_away() -> None:
    codes = random_codes(mini(), 100)
    changed = codes.clone()
    changed[50] = (changed[50] + 1) % mini().codebook_size
    moved = (mini().decode(codes) - mini().decode(changed)).abs().view(100, 600).amax(1) > 0
    assert not moved[: 50 - 30].any()
    assert not moved[50 + 31 :].any()
    assert moved[50 - 15 : 50 + 15].all()


def test_vocos(vocos: CodecModel) -> None:
    assert vars(vocos)["context_frames"] == 3 * 3 + 2
    check_field(vocos, 130)


@pytest.mark.slow
def test_encodec_forgets() -> None:
    codes = random_codes(encodec(), 200)
    expected = encodec().decode(codes).numpy()
    found = in_windows(encodec(), codes, 40, 0)
    assert found.shape == expected.shape
    size = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, atol=1e-5 * size)
    assert np.abs(in_windows(encodec(), codes, 40, 0, context=4) - expected).max() > 5e-5 * size


def test_a_codec_that_does_not_say_gets_enough_for_most() -> None:
    class Silent:
        name, sample_rate, frame_rate, levels, codebook_size = "silent", 16_000, 31.25, 1, 4

        def __init__(self) -> None:
            self.seen: list[int] = []

        def encode(self, wave: Tensor) -> Tensor:
            raise NotImplementedError

        def decode(self, codes: Tensor) -> Tensor:
            self.seen.append(len(codes))
            return torch.zeros(512 * len(codes))

    codec = Silent()
    in_windows(codec, random_codes(codec, 200), 100, 100)
    assert codec.seen == [100 + CONTEXT_FRAMES, CONTEXT_FRAMES + 100]
