"""Files that unfold and settings that can't be meant: one clear error, before any work."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from vall_e_core import CheckpointError, UsageError
from vall_e_core.errors import LONGEST
from vall_e_core.run.config import read_file
from vall_e_core.run.plain_yaml import check_plain
from vall_e_lm.checkpoint.pickled import read_pickle

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
BOMBS = {
    "aliases": BOMB,
    "aliases in a flag's value": BOMB + "top-p: [*i, *i]\n",
    "aliases of mappings": "a: &a {x: 1}\n" + BOMB.replace("[x, x", "[{y: 1}, x"),
    "a merge key": "a: &a {k: &b {x: 1}}\nc: {<<: *a}\n" + BOMB,
    "itself": "top-p: &a [*a]\n",
    "deep lists": "top-p: " + "[" * 5000 + "]" * 5000,
    "deep mappings": "top-p: " + "{a: " * 5000 + "1" + "}" * 5000,
    "a flood of values": "top-p: [" + "1," * 400_000 + "]",
    "an endless number": "top-p: " + "9" * 500_000,
    "a date that is none": "top-p: 2001-99-99",
}


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("command", ["tts", "stt"])
def test_a_yaml_bomb_is_one_short_error(tmp_path: Path, name: str, command: str) -> None:
    import io
    from contextlib import redirect_stderr

    from vall_e_core.cli import main

    path = tmp_path / "run.yaml"
    path.write_text(BOMBS[name])
    began, said = time.perf_counter(), io.StringIO()
    with redirect_stderr(said):
        code = main([command, "--config", str(path), "-o", str(tmp_path / "out.wav")])
    assert code == 2 and time.perf_counter() - began < 20
    assert len(said.getvalue()) < 3 * LONGEST + 200 and "Traceback" not in said.getvalue()


def test_what_people_write_is_let_through(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("text: " + "a long text " * 20_000 + "\nsampler: &s [top-p:0.9]\nnar-sampler: *s\n")
    assert read_file(path)["nar-sampler"] == ["top-p:0.9"]
    check_plain("\n".join(f"word{number}: respelling" for number in range(40_000)))


def test_a_long_value_makes_no_long_message() -> None:
    assert len(UsageError("x" * 10**6, cause="y" * 10**6, try_="z" * 10**6).render()) < 3 * LONGEST + 200


def test_a_tilde_in_a_file_is_the_users_folder(tts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    path = tmp_path / "run.yaml"
    path.write_text("lexicon: ~/none.tsv\n")
    done = tts.run("--config", path, code=3)
    assert str(tmp_path / "none.tsv") in done.stderr


def test_a_pickle_that_unpacks_to_more_than_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save({"module": {"a": torch.zeros(1).expand(200_000, 1000)}}, path)
    with pytest.raises(CheckpointError, match="a tensor larger than the file: a"):
        read_pickle(path, allow_pickle=True)
    big = torch.zeros(200_000)
    torch.save({"module": {f"a{number}": big for number in range(50)}}, path)
    with pytest.raises(CheckpointError, match="unpacks to more than it holds"):
        read_pickle(path, allow_pickle=True)
    plain = tmp_path / "plain.pth"
    torch.save({"module": {"a": torch.zeros(1_000_000), "b": torch.ones(3)}}, plain)
    assert set(read_pickle(plain, allow_pickle=True).tensors) == {"a", "b"}
    with zipfile.ZipFile(plain) as whole, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for each in whole.namelist():
            packed.writestr(each, whole.read(each))
    with pytest.raises(CheckpointError, match="unpacks to more than it holds"):
        read_pickle(path, allow_pickle=True)


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("--voice", "heart", "--seed", "-1"), 2, "without --seed, one is chosen"),
        (("--ref", "{wav}", "--input-prompt-prefix"), 2, "--ref-text TEXT"),
        (("--ref", "{wav}", "--task", "ns"), 2, "wasn't trained for the task ns"),
        (("--ref", "{wav}", "--task", "sr"), 2, "wasn't trained for the task sr"),
        (("--voice", "heart", "--phonemizer", "ipa"), 3, "--ref-text with the reference's IPA"),
    ],
)
def test_what_cannot_be_meant_is_said_before_any_work(
    args: tuple[str, ...], code: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io
    from contextlib import redirect_stderr

    from vall_e_core import VallE
    from vall_e_core.cli import main

    def load(*_: Any, **__: Any) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(VallE, "load", load)
    wav = Path(__file__).parents[2] / "examples" / "heart.wav"
    said = io.StringIO()
    with redirect_stderr(said):
        found = main(["tts", "hə", *(each.format(wav=wav) for each in args), "-o", str(tmp_path / "out.wav")])
    assert found == code and says in said.getvalue(), said.getvalue()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no ulimit")
@pytest.mark.parametrize(("limit", "code", "says"), [("-v 500000", 5, "out of memory"), ("-f 8", 3, "can't write")])
def test_limits_of_the_shell_end_in_their_exit_code(limit: str, code: int, says: str, tmp_path: Path) -> None:
    command = (
        f"ulimit {limit}; exec {sys.executable} -m vall_e_core tts 'Hello there.' --voice heart --seed 1 --listen off "
        f"-o {tmp_path / 'out.wav'}"
    )
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, timeout=240, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == code and says in done.stderr, (done.returncode, done.stderr[-2000:])
    assert "Traceback" not in done.stderr and list(tmp_path.iterdir()) == []
