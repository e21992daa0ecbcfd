"""Who may import whom: one table, and how to read the imports of a package without importing it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

CORE = "vall_e_core"
LIBRARIES = frozenset(
    f"vall_e_{name}" for name in ("audio", "files", "lm", "repeats", "schema", "tensors", "text")
)
"""Packages without an entry point, which can't be switched off."""
LEAVES = frozenset(
    f"vall_e_{name}"
    for name in (
        "adaptive", "beam", "constraints", "dry", "encodec", "english", "entropix", "espeak", "guidance", "hf", "ipa",
        "mini", "mirostat", "ngram", "penalties", "ras", "selection", "shape", "temperature", "truncation",
        "vocos", "xtc",
    )
)  # fmt: skip
"""Samplers, codecs, phonemizers and normalizers: each could be a third party's."""
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({CORE}),
    LEAVES | LIBRARIES - {"vall_e_lm"},
    frozenset({"vall_e_lm"}),
    frozenset(
        f"vall_e_{name}"
        for name in ("cuda_graph", "models", "onnx", "scorers", "spelling", "stt", "trace", "tts", "voices")
    ),
    frozenset(
        f"vall_e_{name}"
        for name in ("adapters", "authoring", "batch", "book", "doctor", "eval", "noise", "packages", "ray", "serve")
    ),
    frozenset({"vall_e"}),
)  # fmt: skip
"""Packages by layer, from the bottom. A package imports from lower layers, and from its own what `USES` says."""
USES: Mapping[str, tuple[str, ...]] = {
    "vall_e_adapters": ("authoring",),
    "vall_e_authoring": ("schema",),
    "vall_e_audio": ("files",),
    "vall_e_batch": ("audio", "files", "lm", "stt", "text", "tts", "voices"),
    "vall_e_book": ("audio", "batch", "files", "lm", "text", "tts"),
    "vall_e_cuda_graph": ("lm",),
    "vall_e_doctor": ("audio", "files"),
    "vall_e_dry": ("repeats",),
    "vall_e_encodec": ("files", "tensors"),
    "vall_e_eval": ("audio", "files", "lm", "stt", "text", "tts", "voices"),
    "vall_e_lm": ("files", "tensors", "text"),
    "vall_e_mini": ("tensors",),
    "vall_e_models": ("files",),
    "vall_e_ngram": ("repeats",),
    "vall_e_noise": ("tts",),
    "vall_e_onnx": ("files", "lm"),
    "vall_e_ray": ("batch", "tts"),
    "vall_e_scorers": ("audio", "lm", "stt"),
    "vall_e_serve": ("audio", "lm", "schema", "stt", "text", "tts", "voices"),
    "vall_e_spelling": ("stt",),
    "vall_e_stt": ("audio", "files", "lm", "trace"),
    "vall_e_tensors": ("files",),
    "vall_e_trace": ("files",),
    "vall_e_tts": ("audio", "files", "lm", "stt", "text", "trace", "voices"),
    "vall_e_vocos": ("files", "tensors"),
    "vall_e_voices": ("audio", "files", "lm", "stt", "text"),
}
"""What a package imports beside the core, without `vall_e_` in front."""
AUTHORS = frozenset({CORE, f"{CORE}.sampling", f"{CORE}.testing"})
"""Modules of the core that every plugin may import."""
PROGRAM = frozenset(
    f"{CORE}.{name}" for name in ("cli", "console", "plugins", "run", "sampling.running", "sampling.state")
)
"""Modules of the core for packages that run chains, or are about the program itself."""
UPWARD = {(CORE, "vall_e_tts", "VallE"), (f"{CORE}.testing", "vall_e_authoring", None)}
"""What the core offers of packages above it: (module, package, name). The first is resolved when it is first
used, the second when somebody imports `vall_e_core.testing`."""


def sources(package: str) -> list[Path]:
    """The Python files of an installed package, without importing it."""
    roots = [Path(entry) / package for entry in sys.path if (Path(entry) / package / "__init__.py").is_file()]
    return sorted(roots[0].rglob("*.py"))


def module_name(path: Path, package: str) -> str:
    """The dotted name of a file of a package."""
    parts = path.relative_to(next(each for each in path.parents if each.name == package)).with_suffix("").parts
    return ".".join([package, *(parts[:-1] if parts[-1] == "__init__" else parts)])


def imports(path: Path, package: str, *, at_once: bool = False) -> Iterator[tuple[str, str | None]]:
    """Absolute (module, name) of the imports in a file: all, or those that importing it does `at_once`."""
    here = [package, *path.relative_to(next(each for each in path.parents if each.name == package)).parts[:-1]]
    tree = ast.parse(path.read_text("utf-8"))
    for node in _at_once(tree) if at_once else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((each.name, None) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [] if node.level == 0 else here[: len(here) - node.level + 1]
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((module, each.name) for each in node.names)


def _at_once(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes outside of functions and of what only type checkers read."""
    for node in ast.iter_child_nodes(tree):
        typing = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if not typing and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from _at_once(node)


def find_cycle(graph: Mapping[str, set[str]]) -> list[str]:
    """The nodes of a cycle in order, the first once more at the end; empty where there is none."""
    done: set[str] = set()
    path: list[str] = []

    def visit(node: str) -> list[str]:
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return []
        path.append(node)
        for other in sorted(graph.get(node, ())):
            if found := visit(other):
                return found
        path.pop()
        done.add(node)
        return []

    return next((found for node in sorted(graph) if (found := visit(node))), [])
