"""The `vocos` codec: EnCodec's codes through the vocos package's network, from local files only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from vall_e_core import BuildContext, CheckpointError, Codec, CodecModel, Component, ModelError
from vall_e_tensors import without_torchaudio
from vall_e_vocos import VocosCodec
from vall_e_vocos.codec import bandwidth_id
from vall_e_voices import CodesOrigin


def network(seed: int = 0) -> torch.nn.Module:
    """A small network of the vocos package itself, in the published naming."""
    with without_torchaudio():
        from vocos.feature_extractors import FeatureExtractor
        from vocos.heads import ISTFTHead
        from vocos.models import VocosBackbone
        from vocos.pretrained import Vocos

    torch.manual_seed(seed)
    features = FeatureExtractor()
    features.codebook_weights = torch.nn.Parameter(torch.randn(16 * 1024, 8))
    backbone = VocosBackbone(input_channels=8, dim=16, intermediate_dim=32, num_layers=2, adanorm_num_embeddings=4)
    for module in backbone.modules():
        if isinstance(module, torch.nn.Embedding):
            module.weight.data.normal_()
    made: torch.nn.Module = Vocos(features, backbone, ISTFTHead(16, n_fft=1280, hop_length=320, padding="same"))
    return made.eval()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vocos") / "vocos.safetensors"
    save_file(network().state_dict(), path)
    return path


@pytest.fixture(scope="module")
def vocos(weights: Path) -> CodecModel:
    return VocosCodec(weights=weights).build(BuildContext())


@pytest.mark.parametrize("levels", [1, 2, 3, 4, 5, 8])
def test_the_same_waveform_as_the_package(vocos: CodecModel, levels: int) -> None:
    reference = network()
    codes = torch.randint(0, 1024, (50, levels), generator=torch.Generator().manual_seed(levels))
    with torch.inference_mode():
        offsets = 1024 * torch.arange(levels)
        features = torch.nn.functional.embedding(codes + offsets, reference.feature_extractor.codebook_weights).sum(1)
        expected = reference.decode(features.T[None], bandwidth_id=torch.tensor([bandwidth_id(levels)]))[0]
    assert expected.shape == (50 * 320,)
    torch.testing.assert_close(vocos.decode(codes), expected, atol=1e-5, rtol=1e-5)


def test_bandwidth_ids_follow_the_levels() -> None:
    assert [bandwidth_id(levels) for levels in range(1, 9)] == [0, 0, 1, 1, 2, 2, 2, 2]


def test_it_keeps_the_protocol_and_the_edges(vocos: CodecModel) -> None:
    assert isinstance(vocos, CodecModel)
    assert (vocos.name, vocos.sample_rate, vocos.frame_rate, vocos.levels) == ("vocos", 24_000, 75.0, 8)
    assert vocos.decode(torch.zeros(0, 8, dtype=torch.int64)).shape == (0,)
    assert vocos.decode(torch.zeros(1, 8, dtype=torch.int64)).shape == (320,)
    stop = torch.full((3, 8), 1024)
    assert torch.equal(vocos.decode(stop), vocos.decode(torch.zeros_like(stop)))
    with pytest.raises(ValueError, match="expected"):
        vocos.decode(torch.zeros(3, 9, dtype=torch.int64))


def test_its_codes_are_those_of_the_codec_that_encodes(vocos: CodecModel) -> None:
    found = CodesOrigin.of(vocos)
    assert (found.name, found.code_books_sha256) == ("encodec", None)  # the encoder hasn't been needed
    encodec = CodesOrigin("encodec", "a" * 64, 24_000, 75.0, 8, 1024)
    assert encodec.difference(found) is None and found.difference(encodec) is None


@dataclass(frozen=True)
class StandIn(Codec):
    """Encodes everything as sevens."""

    name = "stand-in"

    def build(self, ctx: BuildContext) -> CodecModel:
        class Model:
            def encode(self, wave: torch.Tensor) -> torch.Tensor:
                return torch.full((len(wave) // 320, 8), 7)

        return Model()  # type: ignore[return-value]


def test_encoding_is_left_to_the_codec_it_names(weights: Path) -> None:
    asked: list[tuple[str, str]] = []

    def find(kind: str, name: str) -> type[Component]:
        asked.append((kind, name))
        return StandIn

    codec = VocosCodec(weights=weights, encoder="stand-in").build(BuildContext(component=find))
    assert asked == []  # decoding alone needs no encoder
    assert codec.encode(torch.zeros(640)).tolist() == [[7] * 8] * 2
    codec.encode(torch.zeros(640))
    assert asked == [("codec", "stand-in")]


def test_a_pickle_needs_leave_and_may_hold_the_encoder_too(tmp_path: Path, vocos: CodecModel) -> None:
    tensors = {**network().state_dict(), "feature_extractor.encodec.encoder.x": torch.zeros(1)}
    path = tmp_path / "pytorch_model.bin"
    torch.save(tensors, path)
    with pytest.raises(CheckpointError, match="pickle") as caught:
        VocosCodec(weights=path).build(BuildContext())
    assert "allow-pickle" in str(caught.value.try_)
    codes = torch.randint(0, 1024, (4, 8))
    allowed = VocosCodec(weights=path, allow_pickle=True).build(BuildContext())
    assert torch.equal(allowed.decode(codes), vocos.decode(codes))


def test_c6_missing_weights_say_where_they_belong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    with pytest.raises(ModelError) as caught:
        VocosCodec().build(BuildContext(cache_dir=tmp_path))
    assert "vall-e models download vocos-encodec-24khz" in str(caught.value.try_)
    hub = tmp_path / "hf" / "hub" / "models--charactr--vocos-encodec-24khz"
    snapshot = hub / "snapshots" / "0" / "pytorch_model.bin"
    snapshot.parent.mkdir(parents=True)
    torch.save(network().state_dict(), snapshot)
    VocosCodec(allow_pickle=True).build(BuildContext(cache_dir=tmp_path))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("backbone.embed.weight", None), ("head.out.weight", torch.zeros(100, 16)), ("head.out.bias", torch.zeros(3)),
        ("feature_extractor.codebook_weights", torch.zeros(1000, 8)), ("backbone.norm.scale.weight", torch.zeros(4)),
        ("head.out.weight", torch.zeros(1 << 16, 1)), ("stranger", torch.zeros(1)),
    ],
)  # fmt: skip
def test_c4_weights_that_do_not_fit_are_refused(tmp_path: Path, name: str, value: torch.Tensor | None) -> None:
    tensors = network().state_dict()
    if value is None:
        del tensors[name]
    else:
        tensors[name] = value
    path = tmp_path / "x.safetensors"
    save_file(tensors, path)
    with pytest.raises(CheckpointError, match=r"x\.safetensors"):
        VocosCodec(weights=path).build(BuildContext())
