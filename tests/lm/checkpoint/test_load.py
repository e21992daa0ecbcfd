"""What a good model file gives: configuration, switches, tokenizer, codec, from every kind of container."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from vall_e_core import CheckpointError, DeviceError, UsageError
from vall_e_lm import Inputs, Model, ModelConfig, Target, inspect_model, load_model, save_model
from vall_e_lm.checkpoint.container import read_safetensors

from .conftest import BASE, SYMMAP, Write, codes, read_metadata

SWITCHES = ("layout", "sum_mode", "stt_mode", "noncausal_masks", "lang_mode")


def logits(model: Model, target: Target) -> Tensor:
    """Scores of a fixed utterance."""
    response = codes(5, 6)
    given = response[:, 0] if target.kind != "nar" else response
    inputs = Inputs(torch.tensor([1, 5, 6, 2]), 0, codes(4, 4), given)
    with torch.inference_mode():
        sequence = model.embed(inputs, target)
        hidden = model(sequence.embeds[None], sequence.positions[None], causal=model.causal(target), target=target)
        return model.logits(hidden[0], target)


@pytest.mark.parametrize("layout", ["era", "later"])
@pytest.mark.parametrize("sum_mode", ["exclusive", "inclusive"])
@pytest.mark.parametrize("noncausal", [True, False])
@pytest.mark.parametrize("sums", [True, False, "prom", "resp"])
def test_what_is_saved_is_loaded(
    tmp_path: Path,
    layout: str,
    sum_mode: str,
    noncausal: bool,
    sums: bool | str,
) -> None:
    """The five switches and all else travel in the file."""
    switches: dict[str, Any] = {
        "layout": layout,
        "sum_mode": sum_mode,
        "noncausal_masks": noncausal,
        "lang_mode": not noncausal,
        "sums": sums,
        "stt_mode": "cumulative" if sums else "plain",
        "unified_position_ids": noncausal,
        "whole_prompt": noncausal,
    }
    config = ModelConfig(**BASE, **switches, layerskip=True, nar_levels=2)
    model = Model(config, seed=2)
    save_model(tmp_path / "m.sft", model, symmap=SYMMAP, extra={"audio_backend": "mini", "advice": {"ar-temp": 0.8}})
    loaded = load_model(tmp_path / "m.sft")
    assert loaded.config == config
    assert not loaded.model.training
    assert loaded.codec == "mini" and loaded.advice == {"ar-temp": 0.8}
    for target in (Target("ar"), Target("nar", 2)):
        assert torch.equal(logits(loaded.model, target), logits(model.eval(), target))


@pytest.mark.parametrize("layout", ["era", "later"])
def test_matrices_in_8_bits_are_near_and_take_half_the_room_of_half_precision(tmp_path: Path, layout: str) -> None:
    model = Model(ModelConfig(**{**BASE, "width": 64}, layout=layout), seed=2).eval()
    paths = {dtype: tmp_path / f"{dtype}.sft" for dtype in (torch.float16, torch.int8)}
    for dtype, path in paths.items():
        save_model(path, model, symmap=SYMMAP, dtype=dtype)
    stored = load_file(paths[torch.int8])
    loaded = load_model(paths[torch.int8]).model
    assert isinstance(loaded, Model)
    for name, own in model.state_dict().items():
        found = loaded.state_dict()[name]
        assert found.dtype == torch.float32
        if own.dim() == 2:
            assert stored[name].dtype == torch.int8
            step = own.abs().amax(1, keepdim=True) / 127
            assert bool(((found - own).abs() <= 0.51 * step + 1e-6).all()), name
        else:
            assert torch.equal(found, own.half().float()), name
    ratio = paths[torch.int8].stat().st_size / paths[torch.float16].stat().st_size
    assert ratio < 0.6
    for target in (Target("ar"), Target("nar", 2)):
        near, exact = logits(loaded, target), logits(model, target)
        assert float((near - exact).abs().max()) < 0.05 * float(exact.abs().max())
    assert inspect_model(paths[torch.int8])[0] == model.config


LAYOUTS: list[dict[str, Any]] = [
    {"layout": "later", "version": 6, "text_tokens": 30, "capabilities": frozenset({"ar", "nar", "len", "lang"})},
    {"layout": "later", "version": 5, "text_tokens": 30},
    {"layout": "later", "version": 6, "capabilities": frozenset({"ar", "nar", "len"})},
    {"layout": "later", "stt_head": False},
    {"layout": "era", "stt_head": False},
    {"layout": "era", "split_classifiers": False},
    {"layout": "era", "split_classifiers": False, "classifiers_bias": False},
    {"layout": "era", "classifiers_bias": False},
    {"layout": "era", "capabilities": frozenset({"nar", "len"})},
    {"layout": "era", "capabilities": frozenset({"nar", "len"}), "stt_head": False},
    {"layout": "era", "levels": 9},
    {"layout": "later", "levels": 2},
]


@pytest.mark.parametrize("changes", LAYOUTS)
def test_layouts_are_seen_in_the_tensors(write: Write, changes: dict[str, Any]) -> None:
    """With nothing stored about them: heads, tables and layout are derived."""
    path = write(config={"experimental": {}, "resp_levels": None}, **changes)
    found = load_model(path, overrides={"heads": 2}).config
    expected = ModelConfig(**(BASE | changes))
    for key in ("layout", "levels", "audio_tokens", "phoneme_tokens", "text_tokens", "stt_head", "split_classifiers",
                "classifiers_bias", "version", "width", "layers", "langs"):  # fmt: skip
        assert getattr(found, key) == getattr(expected, key), key


def test_defaults_of_the_switches(write: Write) -> None:
    plain = {"split_classifiers": True, "audio_embedding_sums": True}
    era = load_model(write(config={"experimental": plain})).config
    assert [getattr(era, s) for s in SWITCHES] == ["era", "exclusive", "cumulative", False, True]
    assert era.unified_position_ids
    unsummed = load_model(write(config={"experimental": plain | {"audio_embedding_sums": False}})).config
    assert unsummed.stt_mode == "plain"
    no_lang = load_model(write(config={"experimental": plain, "capabilities": ["ar", "nar"]})).config
    assert not no_lang.lang_mode
    path = write(config={"experimental": plain | {"noncausal_masks": True}, "capabilities": ["ar"]}, layout="later")
    later = load_model(path).config
    assert [getattr(later, s) for s in SWITCHES] == ["later", "inclusive", "plain", True, True]


def test_overrides_go_before_everything(write: Write) -> None:
    path = write()
    wanted = {"sum_mode": "exclusive", "stt_mode": "cumulative", "causal_mode": "yes", "lang_mode": "no"}
    wanted["sums"] = "prom"
    found = load_model(path, overrides=wanted).config
    assert (found.sum_mode, found.stt_mode, found.sums) == ("exclusive", "cumulative", "prom")
    assert found.noncausal_masks and not found.lang_mode
    for bad in ({"sum_mode": "both"}, {"nonsense": 1}, {"lang_mode": "perhaps"}, {"heads": "many"}):
        with pytest.raises(UsageError):
            load_model(path, overrides=bad)


def test_unknown_keys_are_ignored_and_repeats_allowed(write: Write) -> None:
    changes = {"teacher": False, "kwargs": {}, "new_key": [1], "capabilities": ["ar", "nar", "lang", "lang"]}
    stored = json.loads(read_metadata(write())["config"])
    stored["experimental"] |= {"len_train_p": 0.05, "never_heard_of": {"a": 1}}
    assert load_model(write(config=stored | changes)).config == load_model(write()).config


@pytest.mark.parametrize("metadata", [{"config": None, "userdata": None}, {"config": "not JSON {"}, {"config": [1, 2]}])
def test_a_file_without_a_configuration(write: Write, metadata: dict[str, Any]) -> None:
    """Shapes give the rest; only heads (here not of the usual 64) must be stated."""
    path = write(metadata=metadata, split_classifiers=True)
    with pytest.raises(CheckpointError, match="attention heads"):
        load_model(path)
    loaded = load_model(path, overrides={"heads": 2})
    assert (loaded.config.width, loaded.config.layers, loaded.config.levels) == (16, 2, 3)
    assert loaded.config.split_classifiers
    assert (loaded.tokenizer is None) == ("userdata" in metadata)


@pytest.mark.parametrize(
    ("size", "width", "heads"),
    [
        ("full", 64, 1),  # the mapping or name fits other widths: heads of 64
        ({"dim": 512, "heads": 8, "layers": 99}, 128, 2),
        ({"dim": 64, "heads": 4, "layers": 2}, 64, 4),
        (0.0625, 64, 1),
        (0.03125, 32, 0),
    ],
)
def test_heads_of_a_size(write: Write, size: object, width: int, heads: int) -> None:
    """Sizes: a mapping counts where it fits the tensors (the era code ignored it), a factor scales 1024 and 16."""
    path = write(config={"size": size}, width=width, heads=max(heads, 1), layers=12)
    if heads == 0:
        with pytest.raises(CheckpointError, match="attention heads"):
            load_model(path)
    else:
        assert load_model(path).config.heads == heads


def test_old_names_and_parametrised_weights(write: Write) -> None:
    def rename(tensors: dict[str, Tensor]) -> None:
        for name in [n for n in tensors if n.startswith("model.")]:
            tensors[name.replace("model.", "retnet.", 1)] = tensors.pop(name)
        old = "retnet.layers.0.self_attn.v_proj.weight"
        tensors["retnet.layers.0.self_attn.v_proj.parametrizations.weight.original"] = tensors.pop(old)

    plain = load_model(write()).model.state_dict()
    renamed = load_model(write(rename)).model.state_dict()
    assert all(torch.equal(v, renamed[k]) for k, v in plain.items())


@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize("old_format", [True, False])
def test_pickled_models(write: Write, tmp_path: Path, bare: bool, old_format: bool) -> None:
    path = write()
    loaded = load_model(path)
    state = loaded.model.state_dict()
    config = loaded.config.to_upstream() | {"path": Path("somewhere")}
    whole = {"module": state, "config": config, "userdata": {"symmap": SYMMAP}, "optimizer": None}
    target = tmp_path / "m.pth"
    torch.save(state if bare else whole, target, _use_new_zipfile_serialization=not old_format)
    again = load_model(target, allow_pickle=True, overrides={"heads": 2} if bare else {})
    assert all(torch.equal(v, again.model.state_dict()[k]) for k, v in state.items())
    assert (again.tokenizer is None) == bare


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 2e-2), ("bfloat16", 5e-2), ("float64", 1e-5)])
def test_types(write: Write, dtype: str, tolerance: float) -> None:
    path = write()
    reference = logits(load_model(path).model, Target("ar"))
    loaded = load_model(path, dtype=dtype)
    assert loaded.model.sep.dtype == getattr(torch, dtype)
    found = logits(loaded.model, Target("ar"))
    assert found.dtype == torch.float32
    assert (found - reference).abs().max() <= tolerance * max(1.0, float(reference.abs().max()))


def test_devices_and_types_that_are_none(write: Write) -> None:
    path = write()
    for device in ("gpu", "cuda:99", "meta-data"):
        with pytest.raises(DeviceError):
            load_model(path, device=device)
    with pytest.raises(UsageError):
        load_model(path, dtype="float12")
    with pytest.raises(UsageError):
        load_model()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.int64, torch.uint8])
def test_tensors_are_read_as_safetensors_reads_them(tmp_path: Path, dtype: torch.dtype) -> None:
    """Into memory of their own: no page of the file stays mapped and counts beside what was made of it."""
    given = {
        "matrix": torch.arange(35).view(5, 7).to(dtype), "odd": torch.ones(3, dtype=torch.uint8),
        "one": torch.tensor(7).to(dtype), "none": torch.zeros(0, 4, dtype=dtype),
    }  # fmt: skip
    save_file(given, tmp_path / "some.safetensors")
    container = read_safetensors(tmp_path / "some.safetensors")
    with container.open() as read:
        found = {name: read(name) for name in ("one", "matrix", "none", "odd")}
        maps = Path("/proc/self/maps")
        assert not maps.exists() or "some.safetensors" not in maps.read_text("utf-8")
    expected = load_file(tmp_path / "some.safetensors")
    for name, values in expected.items():
        assert found[name].dtype == values.dtype and torch.equal(found[name], values)


def test_a_file_that_is_cut_after_it_was_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "some.safetensors"
    save_file({"a": torch.ones(100), "b": torch.ones(100)}, path)
    container = read_safetensors(path)
    path.write_bytes(path.read_bytes()[:-8])
    with container.open() as read:
        assert read("a").sum() == 100
        with pytest.raises(CheckpointError, match="not a valid safetensors file") as caught:
            read("b")
    assert "cut in tensor b" in str(caught.value.cause)


def test_hash_and_inspection(write: Write) -> None:
    path = write()
    assert load_model(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    config, container = inspect_model(path)
    assert config == load_model(path).config
    assert container.metadata["stats"]["global_step"] == 0


def test_codec_names(write: Write, tmp_path: Path) -> None:
    assert load_model(write()).codec == "encodec"
    assert load_model(write(config={"audio_backend": "vocos"})).codec == "vocos"
    assert load_model(write(levels=9)).codec == "dac"
    assert load_model(write(audio_tokens=1000)).codec == "nemo"


def test_a_tokenizer_file_goes_before_the_files_own(write: Write, tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps({"<unk>": 0, "<bos>": 1, "</eos>": 2, "x": 9}))
    loaded = load_model(write(), tokenizer=file)
    assert loaded.tokenizer is not None
    assert loaded.tokenizer.encode("xa") == [1, 9, 0, 2]
    own = load_model(write()).tokenizer
    assert own is not None
    assert own.encode("aɪ") == [1, 83, 2]


def test_config_survives_upstreams_form() -> None:
    """Nothing of a configuration is lost in the form that is written."""
    from vall_e_lm.checkpoint.derive import derive

    for config in (ModelConfig(**BASE), ModelConfig(**BASE, layout="later", version=6, text_tokens=40)):
        shapes = {
            k: type("T", (), {"shape": tuple(v.shape), "dtype": "F32"})()
            for k, v in Model(config, seed=None).state_dict().items()
        }
        again = derive(json.loads(json.dumps(config.to_upstream())), shapes)
        assert {f.name for f in fields(config) if getattr(config, f.name) != getattr(again, f.name)} == set()


def yaml_model(folder: Path, source: Path, text: str, *, place: str = "ckpt/ar+nar-llama-8/fp32.sft") -> Path:
    """A YAML file beside weights."""
    target = folder / place
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def test_yaml_finds_the_weights_and_goes_before_them(write: Write, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    text = """
sample_rate: 24000
audio_backend: vocos
unknown: {a: 1}
models:
- {name: first, size: quarter}
- name: ar+nar
  training: true
  size: {dim: 16, heads: 2, layers: 2}
  experimental: {unified_position_ids: false, sum_mode: exclusive}
"""
    path = yaml_model(folder, write(), text)
    loaded = load_model(yaml=path)
    assert loaded.path == folder / "ckpt/ar+nar-llama-8/fp32.sft"
    assert loaded.config.sum_mode == "exclusive" and not loaded.config.unified_position_ids
    assert loaded.codec == "vocos"
    other = write(name="other.sft")
    assert load_model(other, yaml=path).path == other


@pytest.mark.parametrize(
    ("model", "place"),
    [
        ("{size: full}", "ckpt/ar+nar-llama-8/fp32.sft"),
        ("{size: quarter}", "ckpt/ar+nar-quarter-llama-8/fp32.safetensors"),
        ("{size: {label: tiny}, resp_levels: 3}", "ckpt/ar+nar-tiny-llama-3/fp32.sft"),
        ("{name: ar+nar-len}", "ckpt/ar+nar-len-llama-8/fp32.sft"),
        ("{size: extended}", "ckpt/ar+nar-llama-8/fp32.sft"),
        ("{size: 0.5}", "ckpt/ar+nar-0.5-llama-8/fp32.sft"),
    ],
)
def test_yaml_folder_names(write: Write, tmp_path: Path, model: str, place: str) -> None:
    path = yaml_model(tmp_path / "run", write(), f"models: [{model}]", place=place)
    assert load_model(yaml=path, overrides={"heads": 2, "layers": 2}).path == tmp_path / "run" / place


def test_yaml_prefers_the_latest_training_state(write: Write, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    path = yaml_model(folder, write(), "models: [{name: ar+nar}]")
    yaml_model(folder, write(), "models: [{name: ar+nar}]", place="ckpt/ar+nar-llama-8/1000/state.sft")
    (folder / "ckpt/ar+nar-llama-8/latest").write_text("1000\n")
    assert load_model(yaml=path).path == folder / "ckpt/ar+nar-llama-8/1000/state.sft"
    (folder / "ckpt/ar+nar-llama-8/latest").write_text("../../../1000")
    assert load_model(yaml=path).path == folder / "ckpt/ar+nar-llama-8/fp32.sft"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("models: []", "names no model"),
        ("[1, 2", "not valid YAML"),
        ("- 1", "not a configuration"),
        ("models: [{name: absent}]", "weights aren't there"),
        ("a: !!python/object/apply:os.system ['touch canary']", "not valid YAML"),
    ],
)
def test_yaml_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, word: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(CheckpointError) as caught:
        load_model(yaml=path)
    assert word in caught.value.render()
    assert not (tmp_path / "canary").exists()
    with pytest.raises(CheckpointError, match="can't read"):
        load_model(yaml=tmp_path / "none.yaml")


def test_yaml_names_a_tokenizer(write: Write, tmp_path: Path) -> None:
    source = write(metadata={"userdata": None})
    path = yaml_model(tmp_path / "run", source, "models: [{name: ar+nar}]\ntokenizer_path: ./t.json\n")
    (tmp_path / "run/t.json").write_text(json.dumps({"q": 7}))
    loaded = load_model(yaml=path)
    assert loaded.tokenizer is not None and loaded.tokenizer.encode("q") == [1, 7, 2]
