"""Flags that say which model, read how, where: each as the command line takes it."""


from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import soundfile

Record = dict[str, Any]


def codes(record: Record) -> list[str]:
    return [part["codes_sha256"] for part in record["parts"]]


@pytest.fixture
def base(tts: Any) -> Record:
    found: Record = tts()
    return found


def test_yaml_names_the_model_and_wins_over_model(tts: Any, model_path: Path, tmp_path: Path, base: Record) -> None:
    folder = tmp_path / "ckpt" / "ar+nar-llama-4"
    folder.mkdir(parents=True)
    (folder / "fp32.sft").write_bytes(model_path.read_bytes())
    settings = tmp_path / "model.yaml"
    settings.write_text("models:\n- name: ar+nar\n  resp_levels: 4\naudio_backend: tiny\n")
    record = tts("--yaml", settings, model=tmp_path / "ignored-because-yaml-wins.sft")
    assert record["model"]["path"].endswith("fp32.sft") and codes(record) == codes(base)


@pytest.mark.slow
def test_lora_changes_the_model_and_is_recorded(tts: Any, base: Record, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    name = "model.layers.0.self_attn.q_proj"
    torch.manual_seed(0)
    tensors = {f"{name}.lora_A": torch.randn(2, 32), f"{name}.lora_B": torch.randn(32, 2)}
    path = tmp_path / "lora.sft"
    save_file(tensors, str(path), metadata={"config": json.dumps({"name": "lora", "rank": 2, "alpha": 2})})
    record = tts("--lora", path)
    assert record["model"]["loras"] == [str(path)] and codes(record) != codes(base)


@pytest.mark.slow
def test_tokenizer_is_needed_and_taken_for_a_checkpoint_without_one(
    tts: Any, base: Record, make_model: Any, symmap: dict[str, int], tmp_path: Path
) -> None:
    bare = make_model(tmp_path / "bare.sft", symmap=False, layerskip=True)
    assert "--tokenizer FILE" in tts.run(model=bare, code=4).stderr
    (tmp_path / "tokenizer.json").write_text(json.dumps(symmap))
    record = tts("--tokenizer", tmp_path / "tokenizer.json", model=bare)
    assert codes(record) == codes(base)


@pytest.mark.slow
def test_pickles_need_to_be_allowed(tts: Any, model_path: Path, base: Record, tmp_path: Path) -> None:
    import torch
    from safetensors import safe_open

    with safe_open(str(model_path), framework="pt") as file:
        module = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        metadata = {key: json.loads(value) for key, value in file.metadata().items()}
    path = tmp_path / "model.pth"
    torch.save({"module": module, **metadata}, path)
    assert "--allow-pickle" in tts.run(model=path, code=4).stderr
    assert codes(tts("--allow-pickle", "--codec", "tiny", model=path)) == codes(base)


def test_codec_of_another_size_is_refused(tts: Any) -> None:
    done = tts.run("--codec", "tiny-wide", code=4)
    assert "doesn't fit the model" in done.stderr and "--codec tiny" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_the_suffix_chooses_the_format(tts: Any, suffix: str) -> None:
    out = tts.folder / f"speech.{suffix}"
    tts.run("-o", out, "--no-sidecar", text="hello there", code=2)  # OUT is given already
    tts.cli(
        "tts", "hello there", tts.reference, out, "--model", tts.model, "--phonemizer", "letters", "--device", "cpu"
    )  # fmt: skip
    assert soundfile.info(out).format == {"wav": "WAV", "flac": "FLAC", "ogg": "OGG", "mp3": "MP3"}[suffix]


@pytest.mark.slow
@pytest.mark.parametrize("capabilities", [("nar", "len"), ("ar", "nar", "len")])
def test_a_model_of_version_7_speaks_all_levels_at_once(
    tts: Any, make_model: Any, tmp_path: Path, capabilities: tuple[str, ...]
) -> None:
    model = make_model(
        tmp_path / "seven.sft", version=7, layout="later", capabilities=frozenset(capabilities), len_use_logits=True,
        final_norm=False, noncausal_masks=True,
    )  # fmt: skip
    record = tts("--max-tries", 1, "--max-ar-steps", 30, model=model)
    assert record["modality"] == "nar-len" and record["parts"][0]["levels"] == 4 and record["parts"][0]["frames"] <= 30
    assert tts("--max-tries", 1, "--max-levels", 1, model=model)["parts"][0]["levels"] == 2


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--beam-width", 3), "beam can't be used"), (("--sampler", "cfg"), "cfg can't be used"),
        (("--refine-on-stop",), "--refine-on-stop can't be used"),
    ],
)  # fmt: skip
def test_what_a_model_of_version_7_cannot_do_is_refused_before_it_works(
    tts: Any, make_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[object, ...], says: str
) -> None:
    from vall_e_tts.synthesis import planning

    def never(*args: object, **settings: object) -> None:
        raise AssertionError("the text was prepared before the plan was refused")

    monkeypatch.setattr(planning, "make_parts", never)
    model = make_model(
        tmp_path / "seven.sft", version=7, layout="later", capabilities=frozenset({"ar", "nar"}), final_norm=False,
        noncausal_masks=True,
    )  # fmt: skip
    done = tts.run("--modality", "ar", *flags, model=model, code=2)
    assert says in done.stderr and "chooses all levels of a frame at once" in done.stderr


def test_a_device_that_is_not_there_is_a_device_error(tts: Any) -> None:
    import torch

    missing = [name for name, there in (("cuda:7", False), ("mps", torch.backends.mps.is_available())) if not there]
    for name in missing:
        done = tts.run("--device", name, code=5)
        assert f"no device {name}" in done.stderr or "no mps device" in done.stderr
        assert "--device auto" in done.stderr
