"""Where a package's tests are: CONTRIBUTING.md has the rule, and the folders keep it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vall_e_core import Registry

from .layers import AUTHORS, LAYERS, PROGRAM, imports

TESTS = Path(__file__).parents[1]
PACKAGES = sorted(package for layer in LAYERS for package in layer)
SAMPLERS = {each.__module__.partition(".")[0] for each in Registry.load(environ={}, third_party=False).samplers()}
FAMILIES = {
    "vall_e": "distributions", "vall_e_cuda_graph": "engines", "vall_e_noise": "tts", "vall_e_onnx": "engines",
    **dict.fromkeys(SAMPLERS, "sampling"),
}  # fmt: skip
"""Packages that are tested together with others."""
WHOLE = {"benchmarks", "golden", "regressions", "shared", "tools"}
"""Folders that belong to no package."""
MOST_INSIDERS = 32
"""Files of tests that look inside a package which isn't theirs. Lower it with each that learns not to."""


def folder(package: str) -> str:
    """The name of the folder with a package's tests."""
    return FAMILIES.get(package, package.removeprefix("vall_e_"))


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_has_its_tests_where_its_name_says(package: str) -> None:
    assert list((TESTS / folder(package)).glob("test_*.py"))


def test_every_folder_is_named_after_a_package_or_listed() -> None:
    found = {path.relative_to(TESTS).parts[0] for path in TESTS.rglob("*.py")} - {"conftest.py"}
    assert found - {folder(package) for package in PACKAGES} == WHOLE


def test_the_page_for_contributors_names_the_folders_of_no_package_and_of_several() -> None:
    page = (TESTS.parent / "CONTRIBUTING.md").read_text("utf-8")
    assert [name for name in sorted(WHOLE | set(FAMILIES.values())) if f"`tests/{name}/`" not in page] == []


@pytest.mark.slow
def test_tests_of_other_packages_use_public_names() -> None:
    """A package can be changed inside without the tests of others; its own may look where they need to."""
    public, insiders = {*AUTHORS, *PROGRAM, *PACKAGES}, set()
    for path in TESTS.rglob("*.py"):
        own = path.relative_to(TESTS).parts[0]
        for module, _ in imports(path, "tests"):
            package = module.partition(".")[0]
            home = "sampling" if module.startswith("vall_e_core.sampling.") else folder(package)
            if package in PACKAGES and module not in public and home != own:
                insiders.add(str(path.relative_to(TESTS)))
    assert len(insiders) <= MOST_INSIDERS, sorted(insiders)
