"""`vall-e plugins new`: what it writes, and what it refuses. That the result works is tested in tests/distributions."""

from __future__ import annotations

import ast
import importlib
import json
import keyword
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vall_e_authoring import Names, write_plugin
from vall_e_authoring.check import source_folder
from vall_e_authoring.new import contents
from vall_e_core import InputError, UsageError
from vall_e_core.cli import main

FILES = {
    ".github/workflows/test.yml", ".gitignore", "README.md", "pyproject.toml", "tests/test_near_best.py",
    "vall_e_near_best/__init__.py", "vall_e_near_best/py.typed", "vall_e_near_best/transform.py",
    "vall_e_near_best/notes.md",
}  # fmt: skip


def test_it_writes_exactly_these_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "plugins", "new", "near-best", "--dir", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    folder = tmp_path / "near-best"
    assert told == {"folder": str(folder), "distribution": "vall-e-near-best", "files": sorted(FILES)}
    assert {str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()} == FILES
    assert [each.name for each in tmp_path.iterdir()] == ["near-best"], "nothing else is left behind"


KINDS = ("sampler", "codec", "phonemizer", "normalizer", "speller", "task")


@pytest.mark.parametrize("kind", KINDS[1:])
def test_each_kind_has_files_of_its_own(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "plugins", "new", "near-best", "--kind", kind, "--dir", str(tmp_path)]) == 0
    written = json.loads(capsys.readouterr().out)["files"]
    own = {f"vall_e_near_best/{kind}.py"}
    assert set(written) == FILES - {"vall_e_near_best/transform.py", "vall_e_near_best/notes.md"} | own
    assert f'description = "The near-best {kind} for vall-e"' in (tmp_path / "near-best" / "pyproject.toml").read_text()


def test_a_kind_that_has_no_template_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "new", "near-best", "--kind", "voice", "--dir", str(tmp_path)]) == 2
    assert "phonemizer" in capsys.readouterr().err and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "name"), [("codec", "mini"), ("task", "tts"), ("task", "doctor"), ("task", "plugins")]
)
def test_a_name_of_ours_is_refused_within_its_kind(kind: str, name: str, tmp_path: Path) -> None:
    assert main(["plugins", "new", name, "--kind", kind, "--dir", str(tmp_path)]) == 2
    assert not list(tmp_path.iterdir())


def test_it_is_the_current_folder_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plugins", "new", "near-best"]) == 0
    assert (tmp_path / "near-best" / "pyproject.toml").is_file()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", ["near-best", "none", "class", "sampler", "step", "x", "a1-2-3", "vall-e-near", "codec", "task", "session"]
)
def test_names_of_all_sorts_give_valid_python(name: str, kind: str) -> None:
    names = Names.of(name, kind=kind)
    for path, text in contents(names).items():
        assert re.search(r"\$(name|kind|trial|package|cls|module|distribution|\{cls|\$)", text) is None, path
        if path.endswith(".py"):
            ast.parse(text)
    assert names.cls.isidentifier() and not keyword.iskeyword(names.cls)
    assert names.package.isidentifier() and names.package.startswith("vall_e_")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Near_Best", "near-best"), ("NearBest", "near-best"), ("2-best", "best"), ("", "my-sampler"),
        ("../up", "up"), ("a/b", "a-b"), ("a.b", "a-b"), ("-a", "a"), ("a--b", "a-b"), ("näher", "n-her"),
        ("a\n", "a"), ("x" * 61, "x" * 60), ("top-p", "my-top-p"), ("core", "my-core"), ("truncation", "my-truncation"),
    ],
)  # fmt: skip
def test_other_names_are_refused_with_one_that_works(name: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        Names.of(name, {"top-p"}, {"vall_e_core", "vall_e_truncation"})
    assert caught.value.try_ == said
    Names.of(said)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "near-best").mkdir()
    (tmp_path / "near-link").symlink_to(tmp_path / "gone")
    (tmp_path / "near-file").write_text("mine")
    for name in ("near-best", "near-link", "near-file"):
        with pytest.raises(InputError, match="exists"):
            write_plugin(Names.of(name), tmp_path)
    assert not list((tmp_path / "near-best").iterdir())


def test_a_folder_that_is_missing_or_full_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no folder"):
        write_plugin(Names.of("near-best"), tmp_path / "missing")

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="can't be written") as caught:
        write_plugin(Names.of("near-best"), tmp_path)
    assert caught.value.cause == "No space left on device"
    assert not list(tmp_path.iterdir())


def test_the_exit_codes(tmp_path: Path) -> None:
    assert main(["plugins", "new", "top-p", "--dir", str(tmp_path)]) == 2
    (tmp_path / "near-best").mkdir()
    assert main(["plugins", "new", "near-best", "--dir", str(tmp_path)]) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_writes_is_as_tidy_as_the_rest(kind: str, tmp_path: Path) -> None:
    folder, _ = write_plugin(Names.of("near-best", kind=kind), tmp_path)
    rules = ["--isolated", "--line-length", "120", "--select", "E,F,I,UP,B,SIM,RUF,ANN"]
    done = subprocess.run([sys.executable, "-m", "ruff", "check", *rules, "."], cwd=folder, capture_output=True)
    assert done.returncode == 0, done.stdout


# `plugins check` finds what isn't installed, and what is known by another name


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_its_source_folder_passes_the_check_before_it_is_installed(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    main(["plugins", "new", "near-best", "--kind", kind])
    capsys.readouterr()
    try:
        assert main(["plugins", "check", "near-best"]) == 0, capsys.readouterr().out
        assert f"{kind} near-best" in capsys.readouterr().out
    finally:
        for name in [each for each in sys.modules if each.startswith("vall_e_near_best")]:
            del sys.modules[name]


def test_entry_points_are_read_from_a_pyproject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    text = '[project]\n[project.entry-points."vall_e"]\na = "one"\n"b-c" = \'two.three\'\n[tool.x]\nd = "no"\n'
    (tmp_path / "pyproject.toml").write_text(text)
    assert [(each.name, each.target) for each in source_folder(tmp_path)] == [("a", "one"), ("b-c", "two.three")]
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    assert source_folder(tmp_path) == []
    (tmp_path / "pyproject.toml").write_bytes(b"\xff\xfe")
    assert source_folder(tmp_path) == []


def test_a_sampler_names_its_plugin(capsys: pytest.CaptureFixture[str]) -> None:
    from vall_e_authoring.check import _named

    assert {each.name for each in _named("multinomial")} == {"selection"}


def test_its_page_has_its_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vall_e_authoring.sampler_page import page_of

    folder, _ = write_plugin(Names.of("near-best"), tmp_path)
    monkeypatch.syspath_prepend(str(folder))
    module = importlib.import_module("vall_e_near_best")
    try:
        page = page_of(module.NearBest)
        assert "**Formula:** keep x ≥ max x - margin." in page and "| **margin** | `8.0` | ≥ 0 | `0.0` |" in page
        (folder / "vall_e_near_best" / "notes.md").unlink()
        without = page_of(module.NearBest)
        assert "**Formula:**" not in without and "## Parameters" in without, "notes are optional"
    finally:
        del sys.modules["vall_e_near_best"]
