"""Draws the house from its imports: `python tools/house.py` prints the picture of docs/architecture.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
SAMPLERS = frozenset(
    f"vall_e_{name}"
    for name in (
        "adaptive", "beam", "constraints", "dry", "entropix", "guidance", "hf", "mirostat", "ngram", "penalties", "ras",
        "selection", "shape", "temperature", "truncation", "xtc",
    )
)  # fmt: skip
"""They stand as one in the picture."""


def packages() -> list[Path]:
    """The packages of the house."""
    found = [ROOT / "vall_e_core", *(ROOT / "plugins").iterdir()]
    return sorted((each for each in found if (each / "__init__.py").is_file()), key=lambda each: each.name)


def used(package: Path) -> set[str]:
    """The packages of the house that one imports, the core aside."""
    found = {module.partition(".")[0] for path in package.rglob("*.py") for module in _modules(path)}
    return {each for each in found if each.startswith("vall_e_")} - {package.name, "vall_e_core"}


def picture() -> str:
    """A Mermaid graph: an arrow for each import, left out where another path says it already."""
    uses = {each.name: used(each) for each in packages() if each.name not in ("vall_e_core", "vall_e")}
    alone = sorted(
        name for name, below in uses.items()
        if not below and name not in SAMPLERS and not any(name in other for other in uses.values())
    )  # fmt: skip
    rows = ["graph BT", f'  samplers["{_listed(sorted(SAMPLERS))}"] --> core(["core"])']
    rows += [f"  samplers --> {_short(each)}" for each in sorted(set().union(*(uses[name] for name in SAMPLERS)))]
    rows += [f'  alone["{_listed(alone)}"] --> core']
    for name, below in sorted(uses.items()):
        if name in SAMPLERS or name in alone:
            continue
        shown = {each for each in below if not any(each in _reached(other, uses) for other in below - {each})}
        rows += [f"  {_short(name)} --> {_short(each)}" for each in sorted(shown)]
        rows += [] if below else [f"  {_short(name)} --> core"]
    return "\n".join(rows) + "\n"


def _reached(name: str, uses: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(uses.get(name, ()))
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += uses.get(each, ())
    return found


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(_short, names))


def _short(name: str) -> str:
    return name.removeprefix("vall_e_")


def _modules(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            yield node.module


if __name__ == "__main__":
    print(picture(), end="")
