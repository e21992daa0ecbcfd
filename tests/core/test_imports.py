"""What is imported when, and who may import whom."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import metadata, requires
from pathlib import Path

import pytest

import vall_e_core
from vall_e_core.plugin_loader import OURS, find

HEAVY = {
    "torch", "numpy", "encodec", "vocos", "phonemizer", "espeakng_loader", "soundfile", "soxr", "safetensors", "yaml",
    "torchaudio", "scipy", "transformers", "huggingface_hub", "onnxruntime", "urllib.request", "http.client",
}  # fmt: skip
GPL = {"phonemizer", "espeakng_loader"}
LIBRARIES = {"vall_e_audio", "vall_e_files", "vall_e_lm", "vall_e_tensors", "vall_e_text"}
"""First-party packages without an entry point, which can't be switched off: any package above them may use them."""
UPWARD = LIBRARIES
"""What the core imports from above, as long as it holds what becomes packages of its own."""
ROOT = Path(__file__).parents[2]
PLUGINS = {each.name: each.target for each in find() if each.distribution == OURS}


def imported(code: str) -> set[str]:
    """The modules that a fresh process has imported when `code` has run."""
    script = f"import sys, json, io, contextlib\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("command", ["--help", "tts --help", "stt --help", "plugins list", "samplers list"])
def test_looking_around_imports_nothing_heavy(command: str) -> None:
    code = (
        "from vall_e_core.cli import main\n"
        f"with contextlib.redirect_stdout(io.StringIO()):\n    assert main({command.split()!r}) == 0"
    )
    assert imported(code) & HEAVY == set()


def test_importing_the_command_line_loads_no_plugin() -> None:
    assert imported("import vall_e_core.cli") & set(PLUGINS.values()) == set()


def test_registering_every_plugin_imports_only_the_core() -> None:
    """All registration modules in one process; each by itself is what `plugins check` looks at."""
    targets = sorted(PLUGINS.values())
    assert len(targets) >= 12
    found = imported("".join(f"import {target}\n" for target in targets))
    assert found & HEAVY == set()
    inside = {name for name in found if name.startswith(tuple(f"{target}." for target in targets))}
    assert inside == set(), "the work lies in modules that are imported when it is done"


def test_the_public_names_are_all_there_and_import_no_torch_by_being_listed() -> None:
    assert "torch" not in imported("import vall_e_core; dir(vall_e_core); vall_e_core.__all__")
    assert [name for name in vall_e_core.__all__ if not hasattr(vall_e_core, name)] == []
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        vall_e_core.nonsense  # noqa: B018 - that it fails is the test


# the source itself


def sources(package: str) -> list[Path]:
    """The Python files of an installed package, without importing it."""
    roots = [Path(entry) / package for entry in sys.path if (Path(entry) / package / "__init__.py").is_file()]
    return sorted(roots[0].rglob("*.py"))


def imports(path: Path, package: str) -> Iterator[tuple[str, str | None]]:
    """Absolute (module, name) of every import in a file, under TYPE_CHECKING and in functions too."""
    here = [package, *path.relative_to(next(each for each in path.parents if each.name == package)).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((each.name, None) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [] if node.level == 0 else here[: len(here) - node.level + 1]
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((module, each.name) for each in node.names)


@pytest.mark.parametrize("package", sorted({*(target.partition(".")[0] for target in PLUGINS.values()), *LIBRARIES}))
def test_a_plugin_imports_the_public_core_and_itself(package: str) -> None:
    files = sources(package)
    assert files
    wrong = []
    for path in files:
        for module, name in imports(path, package):
            top = module.partition(".")[0]
            if top == "vall_e_core":
                public = module == "vall_e_core.testing" or (
                    module == "vall_e_core" and name is not None and (name in vall_e_core.__all__ or name == "testing")
                )
                if not public:
                    wrong.append(f"{path.name}: {module}{f'.{name}' if name else ''} isn't public")
            elif module in LIBRARIES and module != package:
                if name not in import_module(module).__all__:
                    wrong.append(f"{path.name}: {module}.{name} isn't public")
            elif top.startswith("vall_e") and top != package:
                wrong.append(f"{path.name}: {module} is another plugin")
            if top in GPL and package != "vall_e_espeak":
                wrong.append(f"{path.name}: {module} is GPL")
    assert wrong == []


def test_the_core_knows_no_plugin_and_nothing_under_the_gpl() -> None:
    wrong = []
    for path in sources("vall_e_core"):
        for module, _ in imports(path, "vall_e_core"):
            top = module.partition(".")[0]
            if module in UPWARD:
                continue
            if top in GPL or (top.startswith("vall_e") and top != "vall_e_core"):
                wrong.append(f"{path.name}: {module}")
    assert wrong == []


def test_j5_nothing_under_the_gpl_is_imported_where_espeak_does_not_read(tmp_path: Path) -> None:
    """Speech from IPA and a transcription, with the plugin switched off."""
    wav, out = ROOT / "examples" / "slt.wav", tmp_path / "out.wav"
    speak = ["tts", "həlˈoʊ.", "--ref", str(wav), "--phonemizer", "ipa", "--seed", "1", "-o", str(out)]
    code = (
        "import os\nos.environ['VALL_E_DISABLE'] = 'espeak'\nfrom vall_e_core.cli import main\n"
        f"with contextlib.redirect_stdout(io.StringIO()):\n    assert main({speak!r}) == 0\n"
        f"    assert main({['stt', str(wav)]!r}) == 0"
    )
    assert {name.partition(".")[0] for name in imported(code)} & GPL == set()
    assert out.stat().st_size > 1000


def test_j5_what_is_under_the_gpl_is_named_where_the_license_stands() -> None:
    """README's last section, which the wheel carries as its description."""
    notice = (ROOT / "README.md").read_text("utf-8").rpartition("\n## ")[2]
    assert "GPL-3.0" in notice and "phonemizer" in notice and "espeak-ng" in notice
    required = [re.split(r"[^\w-]", each)[0] for each in requires(OURS) or () if "extra ==" not in each]
    assert "phonemizer" in required
    for name in required:
        told = metadata(name)
        says = " ".join([told.get("License-Expression") or told.get("License") or "", *told.get_all("Classifier", [])])
        if re.search(r"\bA?GPL|GNU (Affero )?GENERAL PUBLIC", says, re.IGNORECASE):
            assert name in GPL and name in notice, f"{name}: {says[:80]}"
