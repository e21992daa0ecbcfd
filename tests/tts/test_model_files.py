"""Model files and other artifacts that can't be trusted, through the program: the rows C of the reliability list.

`tests/lm/checkpoint` goes through the damages one by one.
"""


from __future__ import annotations

import io
import pickle
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.canary,))


def torch_file(canary: Path) -> bytes:
    import torch

    file = io.BytesIO()
    torch.save({"module": {}, "config": Trap(canary)}, file)
    return file.getvalue()


def numpy_file(canary: Path) -> bytes:
    file = io.BytesIO()
    np.savez(file, codes=np.array([Trap(canary)], dtype=object), allow_pickle=True)
    return file.getvalue()


def zip_file(canary: Path) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"../{canary.name}", b"")
        archive.writestr(str(canary), b"")
        archive.writestr("bomb", b"\0" * 10_000_000, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def tar_file(canary: Path) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name in (f"../{canary.name}", str(canary)):
            archive.addfile(tarfile.TarInfo(name))
        link = tarfile.TarInfo("link.sft")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return file.getvalue()


HOSTILE: dict[str, Callable[[Path], bytes]] = {
    "pickle": lambda canary: pickle.dumps(Trap(canary)), "torch": torch_file, "numpy": numpy_file, "zip": zip_file,
    "tar": tar_file, "yaml": lambda canary: f"a: !!python/object/apply:os.mknod ['{canary}']\n".encode(),
}  # fmt: skip
SUFFIXES = ("sft", "safetensors", "pth", "pt", "ckpt", "pkl", "bin", "npz", "npy", "zip", "tar", "json", "yaml", "wav")


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


@pytest.fixture
def harmless(tts: Any, canary: Path, tmp_path: Path) -> Any:
    """Run both tasks; each must end with one of the codes, quickly, with an error and nothing else done."""

    def run(words: list[object], flags: list[object], *, codes: tuple[int, ...] = (4,)) -> None:
        speak = ["tts", "hello there", *(words or [tts.reference]), tmp_path / "out.wav", "--phonemizer", "letters"]
        hear = ["stt", *(words or [tts.reference])]
        for command in (speak, hear):
            began = time.monotonic()
            done = tts.cli(*command, *flags, "--device", "cpu", code=None)
            assert time.monotonic() - began < 5  # in a fraction of a second, on an idle machine
            assert done.code in codes and done.stderr.startswith("error: ") and "Traceback" not in done.stderr
            assert done.stdout == ""
        assert not canary.exists() and not (tmp_path / "out.wav").exists()

    return run


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kind", HOSTILE)
def test_c1_c2_c8_nothing_in_a_file_given_as_a_model_runs_or_is_unpacked(
    harmless: Any, canary: Path, tmp_path: Path, kind: str, suffix: str
) -> None:
    path = tmp_path / "sub" / f"evil.{suffix}"
    path.parent.mkdir()
    path.write_bytes(HOSTILE[kind](canary))
    harmless([], ["--model", path])
    harmless([], ["--model", path, "--allow-pickle"])


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize(("flag", "suffix"), [("--lora", "sft"), ("--lora", "pth"), ("--tokenizer", "json")])
def test_c2_nor_in_what_goes_beside_a_model(
    harmless: Any, tts: Any, canary: Path, tmp_path: Path, kind: str, flag: str, suffix: str
) -> None:
    path = tmp_path / f"evil.{suffix}"
    path.write_bytes(HOSTILE[kind](canary))
    harmless([], ["--model", tts.model, flag, path], codes=(3, 4))


@pytest.mark.parametrize("kind", HOSTILE)
def test_c2_nor_in_a_recording_or_a_configuration(
    harmless: Any, tts: Any, canary: Path, tmp_path: Path, kind: str
) -> None:
    content = HOSTILE[kind](canary)
    audio, settings = tmp_path / "evil.wav", tmp_path / "evil.yaml"
    audio.write_bytes(content)
    settings.write_bytes(content)
    harmless([audio], ["--model", tts.model], codes=(3,))
    harmless([], ["--model", tts.model, "--config", settings], codes=(2,))
    harmless([], ["--yaml", settings])


def nan(tensors: Any) -> None:
    tensors["sep"][0] = float("nan")


DAMAGES: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("empty", lambda data: b"", "empty"), ("cut", lambda data: data[: len(data) // 2], "cut in tensor"),
    ("header", lambda data: (1 << 40).to_bytes(8, "little") + data[8:], "header"),
    ("more", lambda data: data + b"more", "4 bytes too many"), ("text", lambda data: b"hello there" * 99, "header"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "damage", "says"), DAMAGES, ids=[each[0] for each in DAMAGES])
def test_c3_a_damaged_file_is_named(
    tts: Any, harmless: Any, tmp_path: Path, name: str, damage: Callable[[bytes], bytes], says: str
) -> None:
    path = tmp_path / "bad.sft"
    path.write_bytes(damage(tts.model.read_bytes()))
    harmless([], ["--model", path])
    error = tts.run(model=path, code=4).stderr
    assert says in error and "bad.sft" in error


def test_c4_a_tensor_that_holds_nan_is_named(tts: Any, harmless: Any, tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.torch import save_file

    path = tmp_path / "bad.sft"
    with safe_open(str(tts.model), framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        metadata = file.metadata()
    nan(tensors)
    save_file(tensors, str(path), metadata=metadata)
    harmless([], ["--model", path])
    assert "tensor sep" in tts.run(model=path, code=4).stderr


def test_c5_absurd_sizes_are_refused_before_anything_is_allocated(tts: Any, harmless: Any) -> None:
    for setting in ("layers=1000000000", "audio_tokens=1099511627776", "heads=-2"):
        harmless([], ["--model", tts.model, "--set", setting], codes=(2, 4))
