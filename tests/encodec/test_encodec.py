"""The `encodec` codec: the right network, its weights checked before they are opened, no network connection."""

from __future__ import annotations

import pickle
import socket
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from vall_e_core import BuildContext, CheckpointError, CodecModel, ModelError
from vall_e_encodec import EncodecCodec
from vall_e_encodec.codec import EncodecModel24, new_network, rename_from_transformers
from vall_e_voices import CodesOrigin

Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def tensors() -> Tensors:
    """Random weights of the real architecture; the codebooks too, or every code would be 0."""
    generator = torch.Generator().manual_seed(0)
    state: Tensors = new_network().state_dict()
    for name, value in state.items():
        if name.endswith("embed"):
            value.normal_(generator=generator)
    return state


@pytest.fixture(scope="module")
def weights(tensors: Tensors, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("encodec") / "encodec.safetensors"
    save_file({name: value.contiguous() for name, value in tensors.items()}, path)
    return path


@pytest.fixture(scope="module")
def codec(weights: Path) -> CodecModel:
    return EncodecCodec(weights=weights).build(BuildContext())


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


@pytest.mark.slow
def test_it_is_the_24_khz_model_at_6_kbps(codec: CodecModel) -> None:
    assert isinstance(codec, CodecModel)
    assert (codec.name, codec.sample_rate, codec.frame_rate, codec.levels, codec.codebook_size) == (
        "encodec", 24_000, 75.0, 8, 1024,
    )  # fmt: skip


@pytest.mark.parametrize("samples", [1, 319, 320, 321, 24_000, 24_001])
def test_round_trip_on_a_saved_file(codec: CodecModel, samples: int) -> None:
    wave = 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(1))
    codes = codec.encode(wave)
    assert codes.shape == (-(-samples // 320), 8) and codes.dtype == torch.int64
    assert int(codes.min()) >= 0 and int(codes.max()) < 1024
    decoded = codec.decode(codes)
    assert decoded.shape == (len(codes) * 320,) and decoded.dtype == torch.float32
    assert bool(decoded.isfinite().all())
    assert torch.equal(codec.encode(wave), codes)


@pytest.mark.slow
def test_the_same_codes_as_another_implementation() -> None:
    """transformers has its own EnCodec: same random weights, same codes, same waveform."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    reference = transformers.EncodecModel(transformers.EncodecConfig()).eval()
    for name, value in reference.state_dict().items():
        if name.endswith("codebook.embed"):
            value.normal_()
    network = new_network()
    network.load_state_dict(rename_from_transformers(reference.state_dict(), list(network.state_dict())))
    ours = EncodecModel24(network)
    wave = 0.1 * torch.randn(24_017)
    with torch.inference_mode():
        expected = reference.encode(wave[None, None], bandwidth=6.0).audio_codes
        audio = reference.decode(expected, [None]).audio_values[0, 0]
    codes = ours.encode(wave)
    assert torch.equal(codes, expected[0, 0].T)
    torch.testing.assert_close(ours.decode(codes), audio, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_weights_in_hugging_faces_naming_are_read(tensors: Tensors, tmp_path: Path, codec: CodecModel) -> None:
    """The published safetensors file is named by transformers' rules, in either spelling of a normalised weight."""
    theirs = {
        name.replace(".convtr.convtr.", ".conv.").replace(".conv.conv.", ".conv.")
        .replace("coder.model.", "coder.layers.").replace("quantizer.vq.", "quantizer.")
        .replace("._codebook.", ".codebook."): value.contiguous()
        for name, value in tensors.items()
    }  # fmt: skip
    newer = {name.replace("weight_g", "parametrizations.weight.original0"): value for name, value in theirs.items()}
    newer = {name.replace("weight_v", "parametrizations.weight.original1"): value for name, value in newer.items()}
    wave = 0.1 * torch.randn(3_200, generator=torch.Generator().manual_seed(2))
    for number, content in enumerate((theirs, newer)):
        path = tmp_path / f"{number}.safetensors"
        save_file(content, path)
        assert torch.equal(EncodecCodec(weights=path).build(BuildContext()).encode(wave), codec.encode(wave))


def test_fewer_levels_and_ids_outside_the_code_book_decode(codec: CodecModel) -> None:
    codes = torch.randint(0, 1024, (5, 3))
    assert codec.decode(codes).shape == (1600,)
    codes[2, 1] = 1024
    zeroed = codes.clone()
    zeroed[2, 1] = 0
    assert torch.equal(codec.decode(codes), codec.decode(zeroed))


@pytest.mark.slow
def test_what_codes_mean_is_told_by_the_code_books_alone(tensors: Tensors, tmp_path: Path, codec: CodecModel) -> None:
    def told(changed: str | None) -> str:
        path = tmp_path / f"{changed}.safetensors"
        others = {name: value + 1 if name == changed else value for name, value in tensors.items()}
        save_file({name: value.contiguous() for name, value in reversed(others.items())}, path)
        origin = CodesOrigin.of(EncodecCodec(weights=path).build(BuildContext()))
        assert origin.code_books_sha256 is not None
        return origin.code_books_sha256

    known = CodesOrigin.of(codec).code_books_sha256
    assert known == told(None) == told("decoder.model.0.conv.conv.bias")
    assert known != told("quantizer.vq.layers.7._codebook.embed")


def test_nothing_in_nothing_out(codec: CodecModel) -> None:
    codes = codec.encode(torch.zeros(0))
    assert codes.shape == (0, 8)
    assert codec.decode(codes).shape == (0,)


@pytest.mark.parametrize("shape", [(1, 100), (2, 3, 4), ()])
def test_wrong_shapes_are_refused(codec: CodecModel, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        codec.encode(torch.zeros(shape))
    with pytest.raises(ValueError, match="expected"):
        codec.decode(torch.zeros((*shape, 1, 9), dtype=torch.int64))


def test_torch_state_is_left_alone(codec: CodecModel) -> None:
    wave = 0.1 * torch.randn(320)
    before = torch.random.get_rng_state()
    assert not codec.decode(codec.encode(wave)).requires_grad
    assert torch.equal(torch.random.get_rng_state(), before) and torch.is_grad_enabled()


@pytest.mark.usefixtures("no_network")
def test_c6_building_from_a_path_opens_no_socket(weights: Path) -> None:
    EncodecCodec(weights=weights).build(BuildContext())


@pytest.mark.usefixtures("no_network")
def test_c6_missing_weights_say_where_they_belong_and_open_no_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with pytest.raises(ModelError) as caught:
        EncodecCodec().build(BuildContext(cache_dir=tmp_path / "cache"))
    assert caught.value.exit_code == 4
    assert str(tmp_path / "cache" / "models" / "encodec-24khz") in str(caught.value.cause)
    assert "vall-e models download encodec-24khz" in str(caught.value.try_)


def test_the_cache_is_found_by_itself(weights: Path, tmp_path: Path, codec: CodecModel) -> None:
    place = tmp_path / "models" / "encodec-24khz" / "encodec_24khz-d7cc33bc.safetensors"
    place.parent.mkdir(parents=True)
    place.symlink_to(weights)
    wave = 0.1 * torch.randn(640)
    assert torch.equal(EncodecCodec().build(BuildContext(cache_dir=tmp_path)).encode(wave), codec.encode(wave))


class Canary:
    """Unpickled, it would create the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("name", ["encodec_24khz-d7cc33bc.th", "x.pt", "x.bin", "x.safetensors", "x.npy", "x"])
@pytest.mark.parametrize("allow", [False, True])
def test_c2_nothing_in_a_pickle_runs(tmp_path: Path, name: str, allow: bool) -> None:
    canary = tmp_path / "canary"
    evil = tmp_path / name
    if name.endswith(".pt"):
        torch.save({"a": Canary(canary)}, evil)
        assert zipfile.is_zipfile(evil)
    else:
        evil.write_bytes(pickle.dumps({"a": Canary(canary)}, protocol=2))
    with pytest.raises(CheckpointError) as caught:
        EncodecCodec(weights=evil, allow_pickle=allow).build(BuildContext())
    assert not canary.exists()
    assert caught.value.exit_code == 4 and name in caught.value.message


@pytest.mark.slow
def test_c1_a_pickle_that_is_not_the_published_file_needs_leave(tensors: Tensors, tmp_path: Path) -> None:
    path = tmp_path / "encodec_24khz-d7cc33bc.th"
    torch.save(tensors, path)
    with pytest.raises(CheckpointError, match="not the published file"):
        EncodecCodec(weights=path).build(BuildContext())
    EncodecCodec(weights=path, allow_pickle=True).build(BuildContext())


def _damaged(tensors: Tensors, change: str) -> Tensors:
    name = "encoder.model.0.conv.conv.bias"
    changed = {key: value.contiguous() for key, value in tensors.items()}
    if change == "missing":
        del changed[name]
    elif change == "shape":
        changed[name] = torch.zeros(7)
    elif change == "nan":
        changed[name] = torch.full((32,), float("nan"))
    elif change == "integer":
        changed[name] = torch.zeros(32, dtype=torch.int64)
    else:
        changed["stranger"] = torch.zeros(1)
    return changed


@pytest.mark.parametrize("change", ["missing", "shape", "nan", "integer", "extra"])
def test_c4_a_tensor_that_does_not_fit_is_named(tensors: Tensors, tmp_path: Path, change: str) -> None:
    path = tmp_path / "x.safetensors"
    save_file(_damaged(tensors, change), path)
    with pytest.raises(CheckpointError, match="stranger" if change == "extra" else r"encoder\.model\.0\.conv\.conv"):
        EncodecCodec(weights=path).build(BuildContext())


@pytest.mark.parametrize("content", [b"", b"\xff" * 8 + b"{}", b"<html>not found</html>", b"cut"])
def test_c3_a_file_that_is_no_safetensors_is_a_clear_error(tmp_path: Path, content: bytes, weights: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(weights.read_bytes()[:5_000] if content == b"cut" else content)
    with pytest.raises(CheckpointError, match="not a readable safetensors"):
        EncodecCodec(weights=path).build(BuildContext())
    with pytest.raises(ModelError, match="not found"):
        EncodecCodec(weights=tmp_path / "absent.safetensors").build(BuildContext())
