"""The wheel, a third party's sampler package, and first-party features lifted out, each installed and used."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from .building import ROOT, SENTENCE, Venv, build_wheel

pytestmark = [pytest.mark.slow, pytest.mark.once]

THIRD_PARTY = Path(__file__).parent / "vall-e-soft-cap"


@pytest.fixture(scope="module")
def with_third_party(core_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Venv:
    source = tmp_path_factory.mktemp("source") / "vall-e-soft-cap"
    shutil.copytree(THIRD_PARTY, source)
    third_party = build_wheel(source, tmp_path_factory.mktemp("third"))
    return Venv(tmp_path_factory.mktemp("venv"), core_wheel, third_party)


def test_the_wheel_holds_what_it_should(core_wheel: Path) -> None:
    with zipfile.ZipFile(core_wheel) as archive:
        names = archive.namelist()
        size = sum(entry.compress_size for entry in archive.infolist())
    tops = {name.split("/")[0] for name in names}
    assert [name for name in names if name.startswith("vall_e/")] == ["vall_e/__init__.py", "vall_e/__main__.py"]
    assert all(top in ("vall_e", "vall_e_core") or top.startswith(("vall_e_", "vall_e-")) for top in tops), tops
    assert "vall_e_core/py.typed" in names
    assert not [name for name in names if name.endswith((".pth", ".pt", ".pkl", ".pyc"))]
    assert size < 30 * 2**20


def test_the_wheel_holds_no_sound_that_the_card_of_the_voice_does_not_list(core_wheel: Path) -> None:
    """Whatever its name: nobody's recording gets in by mistake."""
    suffixes = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac", ".aiff", ".au", ".raw", ".sln", ".g722")
    begins = (b"RIFF", b"fLaC", b"OggS", b"ID3", b"FORM", b".snd", b"\xff\xfb", b"\xff\xf3", b"\xff\xf1")
    with zipfile.ZipFile(core_wheel) as archive:
        card = archive.read("vall_e_mini/MODEL_CARD.md").decode()
        found = [
            Path(name).name for name in archive.namelist()
            if name.lower().endswith(suffixes) or archive.read(name).startswith(begins)
        ]  # fmt: skip
    assert found, "the voices themselves"
    assert [name for name in found if f"{name}`" not in card] == []


def older(folder: Path, requires: str) -> Path:
    """The source of the third party's sampler as it was written for vall-e 0.1, requiring some version of it."""
    source = folder / "vall-e-soft-cap"
    shutil.copytree(THIRD_PARTY, source)
    for path, edits in {
        "pyproject.toml": {'"vall-e>=0.2,<0.3"': f'"{requires}"'},
        "vall_e_soft_cap/__init__.py": {'place = "logits"': "order = 15", "vall_e_core.sampling": "vall_e_core"},
        "vall_e_soft_cap/soft_cap.py": {"vall_e_core.sampling": "vall_e_core"},
    }.items():
        text = (source / path).read_text("utf-8")
        for now, then in edits.items():
            assert now in text
            text = text.replace(now, then)
        (source / path).write_text(text, "utf-8")
    return source


@pytest.mark.parametrize(
    ("requires", "reason"),
    [("vall-e", "declare its place"), ("vall-e>=0.1,<0.2", "it was written for vall-e <0.2,>=0.1, this is 0.2")],
)
def test_a_plugin_written_for_an_older_version_is_shown_with_the_reason(
    core_wheel: Path, tmp_path: Path, requires: str, reason: str
) -> None:
    wheel = build_wheel(older(tmp_path / "source", requires), tmp_path / "wheel")
    there = Venv(tmp_path / "venv", core_wheel, wheel)
    (record,) = [each for each in there.plugins() if each["name"] == "soft-cap"]
    assert record["status"] == "broken" and reason in str(record["error"])
    done = there.run("vall-e", "tts", SENTENCE, "--voice", "heart", "-o", "out.wav", "--sampler", "soft-cap")
    assert done.returncode == 2 and "soft-cap" in done.stderr and "Traceback" not in done.stderr
    assert there.run("vall-e", "tts", SENTENCE, "--voice", "heart", "-o", "out.wav").returncode == 0


def test_plugins_are_installed_beside_the_program_that_is_asked_to(core_wheel: Path, tmp_path: Path) -> None:
    source = tmp_path / "source" / "vall-e-soft-cap"
    shutil.copytree(THIRD_PARTY, source)
    wheel = build_wheel(source, tmp_path / "wheel")
    there = Venv(tmp_path / "venv", core_wheel)
    own = ("--no-deps", "--no-index", "--ignore-installed")
    done = there.run("vall-e", "plugins", "install", *own, str(wheel))
    assert done.returncode == 0, done.stderr
    assert "soft-cap" in there.samplers()
    assert there.run("vall-e", "plugins", "uninstall", "-y", "vall-e-soft-cap").returncode == 0
    assert "soft-cap" not in there.samplers()
    refused = there.run("vall-e", "plugins", "uninstall", "-y", "vall_e")
    assert refused.returncode == 2 and "can't uninstall itself" in refused.stderr
    missing = there.run("vall-e", "plugins", "install", *own, str(tmp_path / "nothing.whl"))
    assert missing.returncode == 4



def test_every_first_party_plugin_is_found_and_works(with_third_party: Venv) -> None:
    plugins = with_third_party.plugins()
    assert {plugin["status"] for plugin in plugins} == {"ok"}, plugins


def test_the_module_is_the_program(with_third_party: Venv, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    done = with_third_party.run("python", "-m", "vall_e", "tts", SENTENCE, "--voice", "heart", "-o", str(out))
    assert done.returncode == 0 and out.stat().st_size > 10_000, done.stderr
    assert with_third_party.run("python", "-m", "vall_e", "tts").returncode == 2
    found = json.loads(with_third_party.run("vall-e", "doctor", "--json").stdout)
    (name,) = [each for each in found if each["subject"] == "python -m vall_e"]
    assert name["status"] == "ok", name


def test_a_third_party_sampler_is_found(with_third_party: Venv) -> None:
    (plugin,) = [plugin for plugin in with_third_party.plugins() if plugin["distribution"] == "vall-e-soft-cap"]
    assert plugin["provides"] == {"samplers": ["soft-cap"]}
    assert "soft-cap" in with_third_party.samplers()
    checked = with_third_party.run("vall-e", "plugins", "check", "vall-e-soft-cap")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_third_party_sampler_speaks_from_the_command_line(with_third_party: Venv, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    flags = ["--seed", "0", "--sampler", "soft-cap:20", "--sampler", "top-p:0.9"]
    done = with_third_party.run("vall-e", "tts", SENTENCE, "--voice", "heart", "-o", str(out), *flags)
    assert done.returncode == 0, done.stderr
    assert out.stat().st_size > 10_000
    record = json.loads(Path(f"{out}.json").read_text())
    assert [member["spec"] for member in record["samplers"]["ar"]][:2] == ["soft-cap:cap=20.0", "top-p"]


def test_its_own_tests_pass(with_third_party: Venv, tmp_path: Path) -> None:
    shutil.copytree(THIRD_PARTY / "tests", tmp_path / "tests")
    done = with_third_party.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "tests"))
    assert done.returncode == 0, done.stdout + done.stderr


LIFTED = {"truncation": "samplers", "mini": "codecs", "espeak": "phonemizers", "stt": "tasks"}
"""Features that are taken out of the house, one of each of these kinds."""
PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "vall-e-{name}"
version = "0.1.0"
dependencies = ["vall-e>=0.2,<0.3"]
entry-points.vall_e = {{ {name} = "vall_e_{name}" }}
[tool.hatch.build.targets.wheel]
packages = ["vall_e_{name}"]
"""


def lift_out(folder: Path) -> list[Path]:
    """The house without some features, and each of those as a distribution of its own, unchanged: their sources."""
    house = folder / "house"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    for name in tracked.stdout.split("\0"):
        if name.startswith(("vall_e_core/", "plugins/", "pyproject", "README", "LICENSE")):
            feature = name.split("/")[1].removeprefix("vall_e_") if name.startswith("plugins/") else ""
            target = folder / feature / name.removeprefix("plugins/") if feature in LIFTED else house / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    lines = (house / "pyproject.toml").read_text().splitlines()
    kept = [line for line in lines if line not in {f'{name} = "vall_e_{name}"' for name in LIFTED}]
    assert len(kept) == len(lines) - len(LIFTED)
    (house / "pyproject.toml").write_text("\n".join(kept))
    for name in LIFTED:
        (folder / name / "pyproject.toml").write_text(PYPROJECT.format(name=name))
    return [house, *(folder / name for name in LIFTED)]


def test_features_of_each_kind_lift_out(tmp_path: Path) -> None:
    """Take a sampler, a codec, a phonemizer and a task out of the house, and install all: nothing is missing."""
    wheels = [build_wheel(source, tmp_path / "dist" / source.name) for source in lift_out(tmp_path / "source")]
    without = Venv(tmp_path / "without", wheels[0])
    there = {plugin["name"]: plugin for plugin in without.plugins()}
    assert not set(LIFTED) & set(there) and "temperature" in without.samplers()
    assert there["tts"]["error"] == "it needs the plugin stt, which is not installed"

    together = Venv(tmp_path / "together", *wheels)
    plugins = {plugin["name"]: plugin for plugin in together.plugins()}
    assert {plugin["status"] for plugin in plugins.values()} == {"ok"}, plugins
    for name, kind in LIFTED.items():
        assert plugins[name]["distribution"] == f"vall-e-{name}" and kind in plugins[name]["provides"]  # type: ignore[operator]
        checked = together.run("vall-e", "plugins", "check", f"vall-e-{name}")
        assert checked.returncode == 0, checked.stdout + checked.stderr

    out = tmp_path / "out.wav"
    flags = ["--seed", "0", "--sampler", "top-p:0.9", "--phonemizer", "espeak"]
    done = together.run("vall-e", "tts", SENTENCE, "--voice", "heart", "-o", str(out), *flags)
    assert done.returncode == 0, done.stderr
    record = json.loads(Path(f"{out}.json").read_text())
    assert record["codec"]["name"] == "mini" and record["samplers"]["ar"][0]["name"] == "top-p"
    heard = together.run("vall-e", "stt", str(out))
    assert heard.returncode == 0 and heard.stdout.strip(), heard.stderr
