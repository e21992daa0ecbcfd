"""Nothing but results reaches standard output, and what a plugin raises is that plugin's failure."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vall_e_core.cli import main

PLUGIN = '''
import os, sys
print("importing"); os.write(1, b"raw importing\\n")

from dataclasses import dataclass
from vall_e_core import BuildContext, Sampler, Scorer, Task, LazyCommand, hookimpl, param

@dataclass(frozen=True)
class Noisy(Sampler):
    """Prints wherever it can."""
    name = "noisy"
    how: str = param("print", primary=True, help="what it does")

    def check(self):
        print("checking"); sys.stdout.write("checking\\n")
        if self.how == "configure":
            raise ZeroDivisionError("while configuring")
        if self.how == "configure-exit":
            sys.exit(0)

    def build(self, ctx):
        import numpy as np
        os.system("echo from a process"); print("building"); os.write(1, b"raw building\\n")
        if self.how == "build":
            raise KeyError("while building")
        if self.how == "build-exit":
            sys.exit(0)
        how = self.how

        class Work:
            def init(self, rows, ctx): print("init")
            def apply(self, logits, step, state):
                print("applying"); os.write(1, b"raw applying\\n")
                if how == "apply": raise RuntimeError("while applying")
                if how == "apply-exit": raise SystemExit(0)
                return logits
            def accept(self, tokens, step, state): print("accepting")
        return Work()

@dataclass(frozen=True)
class Bad(Scorer):
    """Raises, or exits."""
    name = "bad-scorer"
    how: str = param("raise", help="what it does")

    def build(self, ctx):
        print("building a scorer")
        how = self.how
        class Work:
            def score(self, take):
                print("scoring")
                if how == "exit": sys.exit(0)
                raise LookupError("while scoring")
        return Work()

@dataclass(frozen=True)
class Wrong(Task):
    """A task that raises."""
    name = "wrong"
    def run(self, session):
        print("a task prints")
        raise OSError("while running")

@hookimpl
def vall_e_samplers():
    print("registering"); os.write(1, b"raw registering\\n")
    return [Noisy]

@hookimpl
def vall_e_scorers(): return [Bad]

@hookimpl
def vall_e_tasks(): return [Wrong]

@hookimpl
def vall_e_commands():
    return [LazyCommand("dead", "can't be imported", "vall_e_noisy_dead:run")]
'''


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a third party's plugin, as it were installed."""
    folder = tmp_path_factory.mktemp("noisy")
    (folder / "vall_e_noisy.py").write_text(PLUGIN)
    (folder / "vall_e_noisy_dead.py").write_text("import sys\nprint('dead')\nsys.exit(0)\n")
    info = folder / "vall_e_noisy-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vall-e-noisy\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[vall_e]\nnoisy = vall_e_noisy\n")
    return folder


@pytest.fixture(scope="module")
def environment(installed: Path) -> dict[str, str]:
    """That of a process which finds it."""
    paths = [str(installed), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1"}


def run(environment: dict[str, str], *args: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "vall_e_core", *args], capture_output=True, env=environment, timeout=240, check=False
    )


SPEAK = ("tts", "Yes.", "--voice", "heart", "--seed", "1", "--max-tries", "1", "--listen", "off")


@pytest.mark.slow
def test_what_a_plugin_prints_in_any_phase_stays_out_of_the_sound(environment: dict[str, str]) -> None:
    done = run(environment, *SPEAK, "-o", "-", "--sampler", "noisy")
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout[:4] == b"RIFF" and b"ing\n" not in done.stdout
    for said in (b"importing", b"registering", b"checking", b"building", b"applying", b"accepting", b"from a process"):
        assert said in done.stderr, said


@pytest.fixture
def found_here(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process finds it too, and forgets it afterwards."""
    monkeypatch.syspath_prepend(str(installed))
    yield
    sys.modules.pop("vall_e_noisy", None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--sampler", "noisy:configure"), "vall-e-noisy"),
        (("--sampler", "noisy:configure-exit"), "vall-e-noisy"),
        (("--sampler", "noisy:build"), "the sampler noisy failed in build()"),
        (("--sampler", "noisy:build-exit"), "the sampler noisy exited in build()"),
        (("--sampler", "noisy:apply"), "the sampler noisy failed in apply()"),
        (("--sampler", "noisy:apply-exit"), "the sampler noisy exited in apply()"),
        (("--scorer", "bad-scorer"), "the plugin noisy (vall-e-noisy 0.1) failed: LookupError"),
        (("--scorer", "bad-scorer:how=exit"), "the plugin noisy (vall-e-noisy 0.1) exited"),
    ],
)
def test_what_a_plugin_raises_is_its_failure(
    found_here: None, capfd: pytest.CaptureFixture[str], tmp_path: Path, args: tuple[str, ...], says: str
) -> None:
    code = main([*SPEAK, "-o", str(tmp_path / "out.wav"), *args])
    said = capfd.readouterr().err
    assert code == 4, said
    error = said.partition("error: ")[2]
    assert says in error and "Traceback" not in error and "bug in vall-e" not in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_tasks_and_commands_too(environment: dict[str, str]) -> None:
    done = run(environment, "wrong")
    assert done.returncode == 4 and b"plugin noisy (vall-e-noisy 0.1) failed: OSError: while running" in done.stderr
    assert done.stdout == b""
    done = run(environment, "dead")
    assert done.returncode == 4 and b"the command dead can't be loaded" in done.stderr and done.stdout == b""


def test_listings_are_json_whatever_is_printed(environment: dict[str, str]) -> None:
    import json

    done = run(environment, "plugins", "list", "--json")
    assert any(each["name"] == "noisy" for each in json.loads(done.stdout))
