"""`pytest_plugins = ["vall_e_authoring.pytest_plugin"]`: the checks as tests of a distribution of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from vall_e_authoring import Names, write_plugin

pytestmark = [pytest.mark.slow, pytest.mark.once]

pytest_plugins = ["pytester"]
LINE = 'pytest_plugins = ["vall_e_authoring.pytest_plugin"]\n'
STRICT = ("-W", "error", "-p", "no:cacheprovider", "-v")


@pytest.fixture
def plugin(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What `vall-e plugins new near-best` writes, with that line, and without its own tests."""
    folder, _ = write_plugin(Names.of("near-best"), pytester.path)
    for path in (folder / "tests").glob("test_*.py"):
        path.unlink()
    (folder / "tests" / "conftest.py").write_text(LINE)
    monkeypatch.chdir(folder)
    return folder


def test_each_thing_that_a_distribution_brings_is_a_test(pytester: pytest.Pytester, plugin: Path) -> None:
    """And other tests and other conftests are left alone."""
    inner = plugin / "tests" / "inner"
    inner.mkdir()
    (inner / "conftest.py").write_text("")
    (inner / "test_one.py").write_text("def test_one():\n    pass\n")
    done = pytester.runpytest_subprocess(*STRICT)
    done.assert_outcomes(passed=3)
    where = "tests/conftest.py::"
    done.stdout.fnmatch_lines([f"{where}plugin near-best*PASSED*", f"{where}sampler near-best PASSED*"])
    pytester.runpytest_subprocess(*STRICT, "tests/inner").assert_outcomes(passed=1)


MORE = '''
@dataclass(frozen=True)
class Nameless(NearBest):
    name = "nameless"


@dataclass(frozen=True)
class Missing(Codec):
    """A codec whose weights are elsewhere."""

    name = "missing"

    def build(self, ctx):
        raise ModelError("no weights here")


@hookimpl
def vall_e_codecs():
    return [Missing]


@hookimpl'''


def test_what_is_broken_or_missing_is_told_without_a_trace(pytester: pytest.Pytester, plugin: Path) -> None:
    """A contract that isn't kept, a second sampler without a docstring, and what this machine lacks."""
    path = plugin / "vall_e_near_best" / "transform.py"
    path.write_text(path.read_text().replace("return torch.where(", "return 2 * torch.where("))
    path = plugin / "vall_e_near_best" / "__init__.py"
    text = path.read_text().replace("return [NearBest]", "return [NearBest, Nameless]").replace("@hookimpl", MORE, 1)
    path.write_text(text.replace("import BuildContext,", "import BuildContext, Codec, ModelError,"))
    done = pytester.runpytest_subprocess(*STRICT, "-rs")
    done.assert_outcomes(passed=1, failed=2, skipped=1)
    done.stdout.fnmatch_lines(["sampler near-best breaks the contract*", "- near-best*"])
    done.stdout.fnmatch_lines(["sampler nameless breaks the contract*", "- *Nameless has no docstring*"])
    done.stdout.fnmatch_lines(["*missing can't be built on this machine: no weights here*"])
    assert "Traceback" not in done.stdout.str() and "runtest" not in done.stdout.str()


def test_a_heavy_registration_and_one_that_fails_are_told(pytester: pytest.Pytester, plugin: Path) -> None:
    path = plugin / "vall_e_near_best" / "__init__.py"
    text = path.read_text()
    path.write_text(text.replace("from collections.abc", "import numpy\nfrom collections.abc", 1))
    done = pytester.runpytest_subprocess(*STRICT)
    done.stdout.fnmatch_lines(["*imports numpy*"])
    path.write_text("1 / 0\n")
    done = pytester.runpytest_subprocess(*STRICT)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*division by zero*"])


def test_a_conftest_without_a_distribution_says_so(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(LINE)
    done = pytester.runpytest_subprocess(*STRICT)
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*declares a plugin*"])
