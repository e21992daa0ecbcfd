"""The layers of the house: who may import whom, read from the imports themselves."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import vall_e_core
from vall_e_core.plugins import OURS, find

from .layers import (
    AUTHORS,
    CORE,
    LAYERS,
    LEAVES,
    LIBRARIES,
    PROGRAM,
    UPWARD,
    USES,
    find_cycle,
    imports,
    module_name,
    sources,
)

HEAVY = {"torch", "numpy", "soundfile", "soxr", "safetensors", "encodec", "vocos"}
PACKAGES = sorted(package for layer in LAYERS for package in layer)
GPL = {"phonemizer", "espeakng_loader"}
ROOT = Path(__file__).parents[2]
LARGEST_CORE = 6_500
"""Lines; 6,500 are wanted."""
MOST_NAMES, MOST_SAMPLING_NAMES = 45, 30


def layer_of(package: str) -> int:
    """The number of a package's layer."""
    return next(at for at, layer in enumerate(LAYERS) if package in layer)


def test_every_package_has_its_layer() -> None:
    root = Path(sources("vall_e_tts")[0]).parents[1]
    there = {each.name for each in root.iterdir() if each.name.startswith("vall_e") and (each / "__init__.py").exists()}
    assert there | {CORE} == set(PACKAGES)
    registered = {each.target.partition(".")[0] for each in find() if each.distribution == OURS}
    assert set(PACKAGES) - registered == LIBRARIES | {CORE, "vall_e", "vall_e_adapters"}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_what_it_declares_from_below_and_by_public_names(package: str) -> None:
    used: set[str] = set()
    wrong = []
    for path in sources(package):
        here = module_name(path, package)
        for module, name in imports(path, package):
            top = module.partition(".")[0]
            if top in GPL and package != "vall_e_espeak":
                wrong.append(f"{here}: {module} is GPL")
            if top == package or not top.startswith("vall_e"):
                continue
            if package == CORE:
                if not any(here == one and top == other and each in (name, None) for one, other, each in UPWARD):
                    wrong.append(f"{here}: {module}.{name} lies above the core")
                continue
            if top != CORE:
                used.add(top.removeprefix("vall_e_"))
            elif module not in AUTHORS | (frozenset() if package in LEAVES else PROGRAM | {f"{CORE}.__main__"}):
                wrong.append(f"{here}: {module} isn't public")
                continue
            if module == f"{CORE}.__main__" or f"{module}.{name}" in AUTHORS | PROGRAM:
                continue
            if module not in (top, *AUTHORS, *PROGRAM) or (name is not None and name not in public(module)):
                wrong.append(f"{here}: {module}.{name} isn't public")
    assert wrong == []
    assert used == set(USES.get(package, ())), "what it uses, and what the table says"
    above = [each for each in used if layer_of(f"vall_e_{each}") > layer_of(package)]
    assert above == []


def test_a_plugin_says_which_plugins_it_needs() -> None:
    """What isn't a library can be switched off; who imports it is then listed as broken, with that reason."""
    plugins = {each.target: each.name for each in find() if each.distribution == OURS}
    for package, uses in USES.items():
        needs = {plugins[f"vall_e_{each}"] for each in uses if f"vall_e_{each}" in plugins}
        if package in plugins:
            assert set(getattr(import_module(package), "requires", ())) == needs, package


def public(module: str) -> frozenset[str]:
    """The public names of a module: `__all__`, or all without an underscore in front."""
    found = import_module(module)
    return frozenset(getattr(found, "__all__", [name for name in vars(found) if not name.startswith("_")]))


def test_packages_use_each_other_in_no_circle() -> None:
    assert find_cycle({package: {f"vall_e_{each}" for each in uses} for package, uses in USES.items()}) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_of_a_package_import_each_other_in_no_circle(package: str) -> None:
    files = {module_name(path, package): path for path in sources(package)}
    graph: dict[str, set[str]] = {}
    for here, path in files.items():
        found = graph.setdefault(here, set())
        for module, name in imports(path, package, at_once=True):
            inner = f"{module}.{name}"
            found |= {each for each in (inner if inner in files else module,) if each in files and each != here}
    assert find_cycle(graph) == []


def test_the_core_is_small_and_imports_torch_only_for_sampling() -> None:
    lines = 0
    wrong = []
    for path in sources(CORE):
        lines += len(path.read_text("utf-8").splitlines())
        here = module_name(path, CORE)
        if not here.startswith(f"{CORE}.sampling"):
            found = {module.partition(".")[0] for module, _ in imports(path, CORE, at_once=True)}
            wrong += [f"{here}: {each}" for each in found & HEAVY]
    assert wrong == []
    assert lines <= LARGEST_CORE


def test_the_public_api_is_small_and_every_name_of_it_is_there() -> None:
    from vall_e_core import sampling

    assert len(vall_e_core.__all__) <= MOST_NAMES
    assert len(sampling.__all__) <= MOST_SAMPLING_NAMES
    for package in set(PACKAGES) - {"vall_e"}:  # which the doctor looks for unimported
        module = import_module(package)
        names = getattr(module, "__all__", [])
        assert sorted(set(names)) == sorted(names)
        assert [name for name in names if not hasattr(module, name)] == []
        assert set(names) <= set(dir(module))


def test_every_helper_for_authors_of_samplers_is_used_by_a_sampler() -> None:
    from vall_e_core import sampling

    used = {
        name for package in LEAVES for path in sources(package) for module, name in imports(path, package)
        if module == f"{CORE}.sampling"
    }  # fmt: skip
    assert set(sampling.__all__) - used == set()


def test_a_circle_is_found() -> None:
    assert find_cycle({"a": {"b"}, "b": {"c", "d"}, "c": set(), "d": {"a"}}) == ["a", "b", "d", "a"]
    assert find_cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@pytest.mark.slow
def test_the_picture_of_the_house_is_drawn_from_its_imports() -> None:
    script = ROOT / "tools" / "house.py"
    drawn = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True).stdout
    assert f"```mermaid\n{drawn}```" in (ROOT / "docs" / "architecture.md").read_text("utf-8"), "python tools/house.py"
