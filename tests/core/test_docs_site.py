"""The site is built without a warning: links and anchors lead somewhere, and reference pages are made from the code."""

from __future__ import annotations

import html
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vall_e_core import Registry

from .layers import AUTHORS, LAYERS
from .test_docs import COMMANDS

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site that `VALL_E_SITE` names, as `.ci/run` has just built it, or one that is built here."""
    if "VALL_E_SITE" in os.environ:
        return Path(os.environ["VALL_E_SITE"])
    for package in ("sphinx", "furo", "myst_parser", "sphinxcontrib.mermaid"):
        pytest.importorskip(package, reason="the extra docs isn't installed", exc_type=ImportError)
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(ROOT / "docs"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder


def shown(path: Path) -> str:
    """The text of a page."""
    return html.unescape(re.sub(r"<[^>]+>", "", path.read_text("utf-8")))


def test_every_page_is_in_the_site(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert len(pages) > 50
    assert [page for page in sorted(pages) if not (site / page).is_file()] == []


def test_the_commands_are_all_on_their_page(site: Path) -> None:
    page = shown(site / "commands.html")
    assert [each for each in COMMANDS if f"vall-e {each}" not in page] == []
    assert "--mirostat-tau" in page and "--ref-text, --transcript TEXT" in page


def test_the_keys_of_every_task_are_on_the_page_about_files(site: Path) -> None:
    page = (site / "configuration.html").read_text("utf-8")
    registry = Registry.load(environ={}, third_party=False)
    for name in registry.names("task"):
        keys = [each.key for each in registry.task(name).params() if not each.hidden and not each.positional]
        assert keys and [key for key in keys if f'<span class="pre">{key}</span>' not in page] == []


def test_every_public_name_is_on_the_page_of_the_api(site: Path) -> None:
    page = (site / "api.html").read_text("utf-8")
    packages = {package for layer in LAYERS for package in layer}
    for module in sorted(AUTHORS | packages):
        names = getattr(importlib.import_module(module), "__all__", ())
        assert [name for name in names if f'.{name}"' not in page] == [], module
