"""What is imported when, and who may import whom."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import metadata, requires
from pathlib import Path

import pytest

import vall_e_core
from vall_e_core.plugins import OURS, find

HEAVY = {
    "torch", "numpy", "encodec", "vocos", "phonemizer", "espeakng_loader", "soundfile", "soxr", "safetensors", "yaml",
    "torchaudio", "scipy", "transformers", "huggingface_hub", "onnxruntime", "urllib.request", "http.client",
}  # fmt: skip
GPL = {"phonemizer", "espeakng_loader"}
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
    assert imported("import vall_e_core.cli.entry") & set(PLUGINS.values()) == set()


def test_registering_every_plugin_imports_nothing_heavy() -> None:
    """All registration modules in one process; each by itself is what `plugins check` looks at."""
    targets = sorted(PLUGINS.values())
    assert len(targets) >= 12
    found = imported("".join(f"import {target}\n" for target in targets))
    assert found & HEAVY == set()


def test_the_public_names_are_all_there_and_import_no_torch_by_being_listed() -> None:
    assert "torch" not in imported("import vall_e_core; dir(vall_e_core); vall_e_core.__all__")
    assert [name for name in vall_e_core.__all__ if not hasattr(vall_e_core, name)] == []
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        vall_e_core.nonsense  # noqa: B018 - that it fails is the test


@pytest.mark.slow
def test_j5_nothing_under_the_gpl_is_imported_where_espeak_does_not_read(tmp_path: Path) -> None:
    """Speech from IPA and a transcription, with the plugin switched off."""
    wav, out = ROOT / "examples" / "heart.wav", tmp_path / "out.wav"
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
