"""A wrong model file gives one error that names the tensor, quickly, before anything large is allocated."""

from __future__ import annotations

import json
import os
import pickle
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from vall_e_core import CheckpointError, InputError
from vall_e_lm import Model, ModelConfig, load_model

from .conftest import BASE, SYMMAP, Write, rewrite_header

UNUSED = {"dropout_token", "tones_emb.weight"}
NAMES = sorted(Model(ModelConfig(**BASE), seed=None).state_dict())
LATER: dict[str, Any] = {"layout": "later", "capabilities": frozenset({"ar", "nar", "len", "lang"}), "version": 6}
LATER_NAMES = sorted(Model(ModelConfig(**(BASE | LATER | {"text_tokens": 30})), seed=None).state_dict())


def refused(path: Path, *words: str, **options: Any) -> CheckpointError:
    """Load, expect the one error, in less than a second."""
    started = time.monotonic()
    with pytest.raises(CheckpointError) as caught:
        load_model(path, **options)
    assert time.monotonic() - started < 5.0
    text = caught.value.render()
    assert caught.value.exit_code == 4
    for word in words:
        assert word in text, f"{word!r} is not in: {text}"
    return caught.value


@pytest.mark.parametrize("name", [n for n in NAMES if n not in UNUSED])
def test_a_missing_tensor_is_named(write: Write, name: str) -> None:
    refused(write(lambda t: t.__delitem__(name)), f"tensor {name} is missing", "expected [")


@pytest.mark.parametrize("name", [n for n in LATER_NAMES if n not in UNUSED])
def test_a_missing_tensor_of_the_later_layout_is_named(write: Write, name: str) -> None:
    refused(write(lambda t: t.__delitem__(name), text_tokens=30, **LATER), f"tensor {name} is missing")


@pytest.mark.parametrize("name", sorted(UNUSED))
def test_tensors_without_a_use_may_be_missing(write: Write, name: str) -> None:
    assert load_model(write(lambda t: t.__delitem__(name))).config.width == 16


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_width_is_named_with_both_shapes(write: Write, name: str) -> None:
    def widen(tensors: dict[str, Tensor]) -> None:
        old = tensors[name]
        tensors[name] = torch.zeros(*old.shape[:-1], old.shape[-1] + 2)

    shape = list(Model(ModelConfig(**BASE), seed=None).state_dict()[name].shape)
    wider = [*shape[:-1], shape[-1] + 2]
    refused(write(widen), f"tensor {name} has the wrong shape", f"expected {shape}", f"found {wider}")


@pytest.mark.parametrize("name", [n for n in NAMES if not n.startswith(("langs", "tasks", "tones"))])
def test_a_wrong_number_of_rows_is_named(write: Write, name: str) -> None:
    def lengthen(tensors: dict[str, Tensor]) -> None:
        old = tensors[name]
        tensors[name] = torch.zeros(old.shape[0] + 1, *old.shape[1:])

    refused(write(lengthen), f"tensor {name} has the wrong shape")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["sep", "model.layers.1.mlp.up_proj.weight", "classifiers.proj.2.bias"])
def test_a_number_that_is_none_is_named(write: Write, name: str, value: float) -> None:
    def poison(tensors: dict[str, Tensor]) -> None:
        tensors[name].view(-1)[-1] = value

    refused(write(poison), f"tensor {name} holds {value}")


def test_whole_numbers_where_fractions_belong(write: Write) -> None:
    def whole(tensors: dict[str, Tensor]) -> None:
        tensors["text_emb.weight"] = tensors["text_emb.weight"].to(torch.int32)

    refused(write(whole), "tensor text_emb.weight has the wrong type", "found I32")


@pytest.mark.parametrize(
    ("scale", "seen"),
    [(None, "nothing of that name"), (torch.ones(3), "F32 [3]"), (torch.ones(16, dtype=torch.int32), "I32 [16]")],
)
def test_8_bits_need_a_factor_for_each_row(write: Write, scale: Tensor | None, seen: str) -> None:
    name = "model.layers.0.self_attn.q_proj.weight"

    def change(tensors: dict[str, Tensor]) -> None:
        tensors[name] = torch.ones(16, 16, dtype=torch.int8)
        if scale is not None:
            tensors[f"{name}.scale"] = scale

    refused(write(change), f"tensor {name} is in 8 bits without a factor for each row", f"found {seen}")


def test_factors_that_are_no_numbers_are_named(write: Write) -> None:
    name = "model.layers.0.self_attn.q_proj.weight"

    def change(tensors: dict[str, Tensor]) -> None:
        tensors[name] = torch.ones(16, 16, dtype=torch.int8)
        tensors[f"{name}.scale"] = torch.full((16,), float("nan"))

    refused(write(change), f"tensor {name} holds nan")


def test_weights_that_overflow_in_half_precision(write: Write) -> None:
    def large(tensors: dict[str, Tensor]) -> None:
        tensors["sep"][0] = 1e6

    path = write(large)
    assert load_model(path).config.width == 16
    refused(path, "tensor sep (as torch.float16) holds inf", dtype="float16")


def test_a_tensor_of_another_architecture_is_named_and_strays_are_not(write: Write) -> None:
    def strays(tensors: dict[str, Tensor]) -> None:
        tensors["model.embed_tokens.weight"] = torch.zeros(13, 16)
        tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.zeros(4)
        tensors["accuracy_metric.tp"] = torch.zeros(3, dtype=torch.int64)

    assert set(load_model(write(strays)).ignored) >= {"accuracy_metric.tp", "model.embed_tokens.weight"}

    def biased(tensors: dict[str, Tensor]) -> None:
        tensors["model.layers.0.mlp.gate_proj.bias"] = torch.zeros(64)

    refused(write(biased), "tensor model.layers.0.mlp.gate_proj.bias")


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 100, 0.3, 0.9, -1])
def test_a_cut_file(write: Write, keep: float) -> None:
    path = write()
    data = path.read_bytes()
    size = int(len(data) * keep) if isinstance(keep, float) else keep if keep >= 0 else len(data) + keep
    path.write_bytes(data[:size])
    error = refused(path, str(path))
    if size > 5000:
        assert "cut in tensor" in error.render()


def test_bytes_after_the_last_tensor(write: Write) -> None:
    path = write()
    path.write_bytes(path.read_bytes() + b"more")
    refused(path, "4 bytes too many")


@pytest.mark.parametrize("length", [2**63, 10**12, 10**9, 99_999_999])
def test_an_absurd_header_length_allocates_nothing(write: Write, length: int) -> None:
    path = write()
    path.write_bytes(length.to_bytes(8, "little") + path.read_bytes()[8:])
    tracemalloc.start()
    refused(path, "header")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_absurd_shapes_in_the_header_allocate_nothing(write: Write) -> None:
    def huge(header: dict[str, Any]) -> None:
        header["sep"]["shape"] = [2**40]

    path = write()
    rewrite_header(path, huge)
    refused(path, "tensor sep", f"expected {2**42} bytes of data, found 64")

    def negative(header: dict[str, Any]) -> None:
        header["sep"]["shape"] = [-16]

    path = write()
    rewrite_header(path, negative)
    refused(path, "tensor sep")

    def overlapping(header: dict[str, Any]) -> None:
        header["sep"]["data_offsets"] = [0, 64]

    path = write()
    rewrite_header(path, overlapping)
    refused(path, "begins at byte")


def test_a_layer_with_an_absurd_number(write: Write) -> None:
    def absurd(tensors: dict[str, Tensor]) -> None:
        tensors["model.layers.999999999.input_layernorm.weight"] = torch.ones(16)

    refused(write(absurd), "layers: 1000000000")


def test_the_same_tensor_twice(write: Write) -> None:
    path = write()
    raw = path.read_bytes()
    header = raw[8 : 8 + int.from_bytes(raw[:8], "little")]
    entry = json.dumps(json.loads(header)["sep"]).encode()
    rewrite_header(path, raw=header.rstrip()[:-1] + b',"sep":' + entry + b"}")
    refused(path, "'sep' stands there twice")

    def twice(tensors: dict[str, Tensor]) -> None:
        tensors["retnet.norm.weight"] = tensors["model.norm.weight"].clone()

    refused(write(twice), "tensor model.norm.weight is in the file twice")


@pytest.mark.parametrize(
    "header", [b"", b"[]", b"{", b'{"a": 1}', b"\xff\xfe", b"[" * 100_000, b'{"a": {"dtype": "F32"}}']
)
def test_a_header_that_is_none(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "a.sft"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    refused(path, str(path))


@pytest.mark.parametrize(
    ("size", "word"),
    [
        ({"dim": 16, "heads": 2, "layers": 10**9}, "layers: 1000000000"),
        ({"dim": 16, "heads": 2, "audio_tokens": 2**40}, f"audio_tokens: {2**40}"),
        ({"dim": 16, "heads": -2}, "heads: -2"),
        ({"dim": 16, "heads": 3}, "attention heads"),
        ({"dim": 16, "heads": 0}, "heads: 0"),
        ({"dim": 16, "heads": "many"}, "heads: many"),
        ({"dim": -16}, "dim: -16"),
        (float("nan"), "size: nan"),
        (1e30, "size: 1e+30"),
    ],
)
def test_absurd_sizes_in_the_configuration(write: Write, size: object, word: str) -> None:
    refused(write(config={"size": size}), word)


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"version": -3}, "version: -3"),
        ({"version": 4}, "version 4"),
        ({"version": 99}, "version: 99"),
        ({"arch_type": "mamba"}, "mamba"),
        ({"experts": 8}, "8 experts"),
        ({"capabilities": "ar"}, "capabilities"),
        ({"resp_levels": 10**6, "experimental": {"rvq_level_range": [0, 10**6]}}, "resp_levels"),
        ({"experimental": {"layout": "new"}}, "layout: 'new'"),
        ({"experimental": {"causal_size": 10**12}}, "causal_size"),
    ],
)
def test_configurations_that_cannot_be(write: Write, config: dict[str, Any], word: str) -> None:
    refused(write(config=config), word)


def test_not_a_model_at_all(tmp_path: Path, write: Write) -> None:
    from safetensors.torch import save_file

    refused(tmp_path / "nothing.sft", "no such model file")
    (tmp_path / "model.sft").touch()
    refused(tmp_path / "modle.sft", "did you mean")
    refused(tmp_path, "not the suffix of a model file")
    folder = tmp_path / "folder.sft"
    folder.mkdir()
    refused(folder, "not a file")
    empty = tmp_path / "empty.sft"
    empty.write_bytes(b"")
    refused(empty, "empty")
    save_file({"some.weight": torch.zeros(3, 3)}, str(tmp_path / "other.sft"))
    refused(tmp_path / "other.sft", "tensor sep")
    save_file({}, str(tmp_path / "none.sft"))
    refused(tmp_path / "none.sft", "no tensors")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.sft")
    refused(tmp_path / "pipe.sft", "not a file")


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("name", ["trap.pth", "trap.pt", "trap.ckpt", "trap.pkl", "trap.bin"])
@pytest.mark.parametrize("allow", [False, True])
def test_a_pickle_runs_nothing(tmp_path: Path, name: str, allow: bool) -> None:
    canary, path = tmp_path / "canary", tmp_path / name
    torch.save({"module": {}, "config": Trap(canary)}, path)
    refused(path, "more than tensors" if allow else "--allow-pickle", allow_pickle=allow)
    path.write_bytes(pickle.dumps(Trap(canary)))
    refused(path, str(path), allow_pickle=allow)
    assert not canary.exists()


@pytest.mark.parametrize("allow", [False, True])
def test_a_renamed_pickle_runs_nothing(tmp_path: Path, allow: bool) -> None:
    canary, path = tmp_path / "canary", tmp_path / "model.safetensors"
    torch.save({"module": {}, "config": Trap(canary)}, path)
    refused(path, "pickle by its content", allow_pickle=allow)
    path.write_bytes(pickle.dumps(Trap(canary)))
    refused(path, "pickle by its content", allow_pickle=allow)
    assert not canary.exists()


@pytest.mark.parametrize("keep", [0, 10, 0.5])
def test_a_cut_pickle(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "cut.pth"
    torch.save({"module": Model(ModelConfig(**BASE)).state_dict()}, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep) if isinstance(keep, float) else keep])
    refused(path, str(path), allow_pickle=True)


@pytest.mark.parametrize("content", [[1, 2], 5, {"module": 3}, {"module": {}}, {"config": {}}])
def test_a_pickle_without_a_model(tmp_path: Path, content: object) -> None:
    path = tmp_path / "odd.pth"
    torch.save(content, path)
    refused(path, allow_pickle=True)


@pytest.mark.parametrize(
    ("symmap", "word"),
    [
        ({"a": "five"}, "'a'"),
        ({"a": -1}, "'a'"),
        ({"a": 2**50}, "too large"),
        ({"a": True}, "'a'"),
        (SYMMAP | {"xyz": 90}, "'xyz'"),
        ({}, "not a vocabulary"),
    ],
)
def test_a_vocabulary_that_is_none(write: Write, symmap: dict[str, object], word: str) -> None:
    refused(write(metadata={"userdata": {"symmap": symmap}}), word)


def test_a_vocabulary_larger_than_the_table(write: Write) -> None:
    refused(write(metadata={"userdata": {"symmap": SYMMAP | {"z": 84}}}), "text_emb.weight", "84", "'z'")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": "b"}', '{"model": {"vocab": {"a": 5}, "merges": ["x y"]}}'])
def test_a_tokenizer_file_that_is_none(write: Write, tmp_path: Path, content: str) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_text(content)
    with pytest.raises((InputError, CheckpointError)):
        load_model(write(), tokenizer=file)
    with pytest.raises(InputError, match="can't read"):
        load_model(write(), tokenizer=tmp_path / "none.json")


@pytest.mark.parametrize("length", [0x4B50, 0x580])
def test_a_header_whose_length_looks_like_a_pickle(write: Write, length: int) -> None:
    """0x4B50 begins with `PK` and 0x580 with a pickle's first byte, as a length is written."""
    path = write()
    header = path.read_bytes()[8:]
    header = header[: int.from_bytes(path.read_bytes()[:8], "little")].rstrip()
    if len(header) > length:
        length += (len(header) // 0x10000 + 1) * 0x10000
    rewrite_header(path, raw=header.ljust(length))
    assert load_model(path).config.width == 16
