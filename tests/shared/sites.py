"""Fake distributions: folders as an installer leaves them, found through `sys.path` like real ones; and the program."""

from __future__ import annotations

import importlib
import json
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest

from vall_e_core import Registry
from vall_e_core.cli import main

SAMPLER = '''
from dataclasses import dataclass
from vall_e_core import Flag, Sampler, hookimpl, param

@dataclass(frozen=True)
class Made(Sampler):
    """A sampler of a test."""
    name = "{name}"
    place = "filters"
    p: float = param(0.5, primary=True, min=0.0, max=1.0, neutral=1.0, help="a share", flags=({flags}))

@hookimpl
def vall_e_samplers():
    return [Made]
'''

TASK = '''
from dataclasses import dataclass
from vall_e_core import InputError, Task, hookimpl, param

@dataclass(frozen=True)
class Shout(Task):
    """Say a word loudly."""
    name = "shout"
    sampler_stages = ("ar", "nar")
    word: str = param("hello", help="what to say; crash and refuse do so")
    max_words: int = param(3, min=0, help="how many times", aliases=("--at-most", "-m"))
    loud: bool = param(True, help="in capitals")

    def run(self, session):
        if self.word == "crash":
            raise RuntimeError("the throat is sore")
        if self.word == "refuse":
            raise InputError("that can't be said", cause="it is rude", try_="another word")
        session = session.advised({"max_words": 7, "top-p": 0.7, "unknown": 1})
        chain = session.chain("ar")
        session.result({
            "word": session.task.word, "max-words": session.task.max_words, "loud": session.task.loud,
            "flags": session.sampler_flags(), "source": session.source("max-words"), "record": session.record(),
            "chain": None if chain is None else [member.to_spec() for member in chain],
        }, "done")

@hookimpl
def vall_e_tasks():
    return [Shout]
'''
"""A plugin with a task whose record says what reached it. Like a checkpoint, it advises 7 words and a top-p of 0.7."""


@dataclass(frozen=True)
class Done:
    """What one call of the program left."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Standard output, read as JSON."""
        return json.loads(self.out)


Run = Callable[..., Done]


class Site:
    """A folder that stands in for site-packages."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.modules: set[str] = set()

    def add(
        self,
        distribution: str,
        entry_points: Mapping[str, str] | str,
        modules: Mapping[str, str],
        version: str = "1.0",
    ) -> Path:
        """Install a distribution. `entry_points` is name -> target, or the group's raw text."""
        for module, source in modules.items():
            (self.root / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
            self.modules.add(module)
        info = self.root / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n", encoding="utf-8"
        )
        if not isinstance(entry_points, str):
            entry_points = "".join(f"{name} = {target}\n" for name, target in entry_points.items())
        (info / "entry_points.txt").write_text(f"[vall_e]\n{entry_points}", encoding="utf-8")
        importlib.invalidate_caches()
        return info

    def sampler(self, distribution: str, name: str, module: str, flags: str = "") -> Path:
        """Install a distribution that brings one sampler."""
        return self.add(distribution, {module: module}, {module: SAMPLER.format(name=name, flags=flags)})

    def registry(self, *, environ: Mapping[str, str] | None = None, third_party: bool = True) -> Registry:
        """What is installed here, and nothing else."""
        installed = distributions(path=[str(self.root)])
        return Registry.load(environ=environ or {}, third_party=third_party, installed=installed)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An empty folder on `sys.path`; what was imported from it is forgotten afterwards."""
    root = tmp_path / "site"
    root.mkdir()
    monkeypatch.syspath_prepend(str(root))
    made = Site(root)
    yield made
    for module in made.modules:
        sys.modules.pop(module, None)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("plugins", "list")`: the program in this process, with the plugins that are installed."""

    def call(*args: object) -> Done:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a file into the test's folder."""

    def writer(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return writer
