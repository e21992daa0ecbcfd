"""`vall-e plugins new` from the wheel: what it writes is built, installed beside it, tested and used, kind by kind."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from vall_e_authoring.new import TRIALS

from .building import SENTENCE, Venv, build_wheel

pytestmark = [pytest.mark.slow, pytest.mark.once]

KINDS = list(TRIALS)


@pytest.fixture(scope="module")
def written(core_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Venv, Path]:
    """An environment with the core and a new plugin of each kind, `near-KIND`, and the folder of these."""
    folder = tmp_path_factory.mktemp("new")
    alone = Venv(folder / "alone", core_wheel)
    wheels = [core_wheel]
    for kind in KINDS:
        made = alone.run("vall-e", "plugins", "new", f"near-{kind}", "--kind", kind, "--dir", str(folder))
        assert made.returncode == 0, made.stderr
        wheels.append(build_wheel(folder / f"near-{kind}", folder / "dist" / kind))
    return Venv(folder / "all", *wheels), folder


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_found_and_keeps_the_contract(written: tuple[Venv, Path], kind: str) -> None:
    environment, _ = written
    (plugin,) = [each for each in environment.plugins() if each["distribution"] == f"vall-e-near-{kind}"]
    assert (plugin["status"], plugin["provides"]) == ("ok", {f"{kind}s": [f"near-{kind}"]})
    checked = environment.run("vall-e", "plugins", "check", f"near-{kind}")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_its_own_tests_pass(written: tuple[Venv, Path], kind: str) -> None:
    environment, folder = written
    source = folder / f"near-{kind}"
    quiet = ("-q", "-W", "error", "-p", "no:cacheprovider", "-c", str(source / "pyproject.toml"))
    done = environment.run("python", "-m", "pytest", *quiet, str(source))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_of_its_ci_works(written: tuple[Venv, Path], kind: str, tmp_path: Path) -> None:
    environment, folder = written
    steps = (folder / f"near-{kind}" / ".github" / "workflows" / "test.yml").read_text("utf-8")
    (trial,) = [line for line in steps.splitlines() if "- run: vall-e" in line and "plugins check" not in line]
    command = shlex.split(trial.partition("run:")[2].replace("out.wav", str(tmp_path / "out.wav")))
    done = environment.run(*command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() or (tmp_path / "out.wav").stat().st_size > 10_000


def test_its_notes_are_on_its_page(written: tuple[Venv, Path]) -> None:
    environment, _ = written
    shown = environment.run("vall-e", "samplers", "show", "near-sampler")
    assert shown.returncode == 0 and "**For speech:** say when to use it" in shown.stdout, shown.stderr
    assert "**For speech:**" in environment.run("vall-e", "samplers", "show", "top-p").stdout, "ours are in the wheel"


def test_a_sampler_is_on_the_record(written: tuple[Venv, Path], tmp_path: Path) -> None:
    environment, _ = written
    out = tmp_path / "out.wav"
    flags = ["--seed", "0", "--sampler", "near-sampler"]
    done = environment.run("vall-e", "tts", SENTENCE, "--voice", "heart", "-o", str(out), *flags)
    assert done.returncode == 0, done.stderr
    record = json.loads(Path(f"{out}.json").read_text())
    assert record["samplers"]["ar"][0]["name"] == "near-sampler"
