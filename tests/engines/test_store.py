"""Converted weights on disk: made once, told apart by what they are of, made again when damaged."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch

from vall_e_core import Registry
from vall_e_core.cli import main
from vall_e_lm import Target

from .conftest import Converted

pytest.importorskip("onnxruntime")

from vall_e_onnx import store


def logits(model: torch.nn.Module) -> torch.Tensor:
    x = torch.randn(1, 9, 64, generator=torch.Generator().manual_seed(7))
    with torch.inference_mode():
        cache = model.new_cache(1, 10)
        model(x[:, :8], torch.arange(8)[None], causal=True, cache=cache)
        found: torch.Tensor = model.logits(model(x[:, 8:], torch.tensor([[8]]), causal=True, cache=cache), Target("ar"))
    return found


@pytest.mark.parametrize("bits", [8, 4])
def test_a_model_is_converted_once(converted: Converted, home: Path, bits: int) -> None:
    notices: list[str] = []
    first = logits(converted(bits, "abc", notices))
    assert len(notices) == 1 and len(store.files()) == 1
    again = logits(converted(bits, "abc", notices))
    assert len(notices) == 1, "the second one is read"
    assert torch.equal(first, again)
    assert store.files()[0].is_relative_to(home)


def test_other_weights_and_other_bits_are_other_files(converted: Converted) -> None:
    notices: list[str] = []
    for bits, identity in ((8, "abc"), (4, "abc"), (8, "abd")):
        converted(bits, identity, notices)
    assert len(notices) == len(store.files()) == 3


def test_what_has_no_identity_is_not_kept(converted: Converted) -> None:
    converted(8, None)
    assert store.files() == []


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "text", "other"])
def test_a_damaged_file_is_made_again(converted: Converted, damage: str) -> None:
    notices: list[str] = []
    expected = logits(converted(8, "abc", notices))
    (path,) = store.files()
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[-1000] ^= 0x40
    elif damage == "other":
        converted(8, "abc", notices, layers=2)  # the same identity, other sizes
        assert len(notices) == 2
        data = bytearray(path.read_bytes())
    whole = {"cut": data[:-100], "empty": b"", "text": b"not a file of weights"}.get(damage, data)
    path.write_bytes(whole)
    before = len(notices)
    assert torch.equal(logits(converted(8, "abc", notices)), expected)
    assert len(notices) == before + 1
    assert torch.equal(logits(converted(8, "abc", notices)), expected)
    assert len(notices) == before + 1, "and mended"
    assert len(list(path.parent.iterdir())) == 1, "nothing half made is left"


def test_a_cache_that_cannot_be_written_is_no_error(
    converted: Converted, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    (home / "engines").write_text("a file where the folder should be")
    notices: list[str] = []
    assert logits(converted(8, "abc", notices)).isfinite().all()
    assert "can't be stored" in notices[-1] and str(home) in notices[-1]


def test_an_interrupted_write_leaves_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*names: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        store.write(store.place("abc", {"bits": 8}), {"a": torch.zeros(3)})
    assert list(store.folder().iterdir()) == []


def test_the_command_shows_and_clears(converted: Converted, capsys: pytest.CaptureFixture[str]) -> None:
    converted(8, "abc")
    registry = Registry.load(third_party=False)
    assert main(["engines", "list"], registry=registry) == 0
    shown = capsys.readouterr().out
    assert "eager" in shown and "onnx" in shown and "1 files" in shown
    assert main(["engines", "clear"], registry=registry) == 0
    assert "removed 1 files" in capsys.readouterr().out
    assert store.files() == []
    assert main(["engines", "clear"], registry=registry) == 0


def test_what_is_no_file_is_left_alone(converted: Converted, capsys: pytest.CaptureFixture[str]) -> None:
    """Regression: a folder of that name kept everything behind it from being removed."""
    converted(8, "abc")
    (kept,) = store.files()
    (kept.parent / f"0{store.SUFFIX}").mkdir()
    registry = Registry.load(third_party=False)
    assert main(["engines", "clear"], registry=registry) == 0
    assert "removed 1 files" in capsys.readouterr().out and store.files() == []


def test_what_cannot_be_removed_does_not_keep_the_rest(
    converted: Converted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for identity in ("a", "b", "c"):
        converted(8, identity)
    stuck = store.files()[0]
    unlink = Path.unlink

    def refuse(self: Path, missing_ok: bool = False) -> None:
        if self == stuck:
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    assert main(["engines", "clear"], registry=Registry.load(third_party=False)) == 3
    said = capsys.readouterr()
    assert "removed 2 files" in said.out and str(stuck) in said.err and store.files() == [stuck]
