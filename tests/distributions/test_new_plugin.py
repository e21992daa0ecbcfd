"""`vall-e plugins new` from the wheel: what it writes is built, installed beside it, tested and used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .test_distributions import ROOT, SENTENCE, Venv, build_wheel


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Venv, Path]:
    """An environment with the core and the new plugin, and the plugin's folder."""
    folder = tmp_path_factory.mktemp("new")
    core = build_wheel(ROOT, folder / "core")
    alone = Venv(folder / "alone", core)
    made = alone.run("vall-e", "plugins", "new", "near-best", "--dir", str(folder))
    assert made.returncode == 0, made.stderr
    source = folder / "near-best"
    return Venv(folder / "both", core, build_wheel(source, folder / "dist")), source


def test_it_is_found_and_keeps_the_contract(written: tuple[Venv, Path]) -> None:
    environment, _ = written
    (plugin,) = [each for each in environment.plugins() if each["distribution"] == "vall-e-near-best"]
    assert (plugin["status"], plugin["provides"]) == ("ok", {"samplers": ["near-best"]})
    checked = environment.run("vall-e", "plugins", "check", "near-best")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_its_notes_are_on_its_page(written: tuple[Venv, Path]) -> None:
    environment, _ = written
    shown = environment.run("vall-e", "samplers", "show", "near-best")
    assert shown.returncode == 0 and "**For speech:** say when to use it" in shown.stdout, shown.stderr
    assert "**For speech:**" in environment.run("vall-e", "samplers", "show", "top-p").stdout, "ours are in the wheel"


def test_its_own_tests_pass(written: tuple[Venv, Path]) -> None:
    environment, source = written
    quiet = ("-q", "-W", "error", "-p", "no:cacheprovider", "-c", str(source / "pyproject.toml"))
    done = environment.run("python", "-m", "pytest", *quiet, str(source))
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_speaks(written: tuple[Venv, Path], tmp_path: Path) -> None:
    environment, _ = written
    out = tmp_path / "out.wav"
    flags = ["--seed", "0", "--sampler", "near-best"]
    done = environment.run("vall-e", "tts", SENTENCE, "--voice", "slt", "-o", str(out), *flags)
    assert done.returncode == 0, done.stderr
    assert out.stat().st_size > 10_000
    record = json.loads(Path(f"{out}.json").read_text())
    assert record["samplers"]["ar"][0]["name"] == "near-best"
