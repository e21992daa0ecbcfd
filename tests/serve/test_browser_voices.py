"""The page in a browser: voices that are chosen, recorded with a microphone that plays a file, uploaded and saved."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from .browsing import Tab, made
from .running import Running

pytestmark = pytest.mark.browser
WAV = Path(__file__).parents[2] / "examples" / "heart.wav"
TEXT = "The birch canoe slid."


def test_voices_can_be_heard_and_chosen(page: Tab) -> None:
    page.click("[data-voice=michael] button.icon")
    page.until(lambda: page.find("[data-voice=michael] button.icon").get_attribute("aria-label") == "Pause michael")
    page.click("[data-voice=heart] button.icon")  # one plays at a time
    page.until(lambda: page.find("[data-voice=heart] button.icon").get_attribute("aria-label") == "Pause heart")
    assert page.find("[data-voice=michael] button.icon").get_attribute("aria-label") == "Play michael"
    page.click("[data-voice=fable] input")
    page.speak(TEXT)
    assert page.facts()["Voice"] == "fable" and "--voice fable" in page.command("Command line")
    page.driver.refresh()
    page.until(lambda: page.run("return document.querySelector('[data-voice=fable] input')?.checked"))


def test_an_openai_name_is_the_voice_that_it_stands_for_on_the_command_line(page: Tab, served: Running) -> None:
    (alloy,) = [each for each in served.get("/v1/audio/voices").json["voices"] if each["id"] == "alloy"]
    page.run("document.querySelector('[data-voice=alloy] input').click()")
    page.speak(TEXT)
    assert f"--voice {alloy['stands_for']}" in page.command("Command line")


def test_a_voice_is_recorded_used_saved_and_deleted(page: Tab, served: Running, voices_folder: Path) -> None:
    page.click("#recorder summary")
    page.click("#record")
    page.until(lambda: int(page.find(".meter").get_attribute("aria-valuenow")) > -40)
    page.until(lambda: page.text("#recorder .time") >= "0:03.5")
    page.click("#record")
    page.until(lambda: page.text("#recording-hints"))
    assert page.text("#recording-hints") == "This recording is fine."
    page.speak(TEXT)
    assert page.facts()["Voice"] == "your recording" and "--ref recording.wav" in page.command("Command line")

    page.click("#recorded details summary")
    page.click("#save-voice")
    assert page.text("#save-message") == "Give the voice a name."
    page.fill("#voice-name", "mine")
    page.click("#save-voice")
    assert "speaker agrees" in page.text("#save-message")
    page.click("#voice-consent")
    page.click("#save-voice")
    page.until(lambda: page.text("#save-message").startswith("Saved as mine."))
    page.until(lambda: page.run("return document.querySelector('[data-voice=mine] input')?.checked"))
    assert len(list(voices_folder.iterdir())) == 1
    page.click("#save-voice")
    page.until(lambda: "is called mine already" in page.text("#save-message"))
    assert [each for each in page.log() if "409" not in each] == []

    page.click("[data-voice=mine] .remove")
    page.driver.switch_to.alert.accept()
    page.until(lambda: not page.all("[data-voice=mine]"))
    assert list(voices_folder.glob("mine*")) == []


def tone(file: Path, seconds: float, amplitude: float, noise: float = 0.0) -> Path:
    """Something like syllables."""
    time = np.arange(round(16_000 * seconds)) / 16_000
    wave = amplitude * np.sin(900 * time) * (np.sin(2 * np.pi * 2 * time) > 0)
    wave += noise * np.random.default_rng(1).standard_normal(len(wave))
    soundfile.write(file, np.clip(wave, -1, 1), 16_000)
    return file


@pytest.mark.parametrize(
    ("seconds", "amplitude", "noise", "hint"),
    [
        (1.0, 0.3, 0.0, "too short"), (5.0, 0.01, 0.0, "very quiet"), (5.0, 5.0, 0.0, "clips"),
        (5.0, 0.3, 0.2, "background"), (5.0, 0.0, 0.0, "Nothing can be heard"), (40.0, 0.3, 0.0, "first 30 s"),
    ],
)  # fmt: skip
def test_a_poor_recording_gets_a_hint(
    page: Tab, tmp_path: Path, seconds: float, amplitude: float, noise: float, hint: str
) -> None:
    page.click("#recorder summary")
    page.press("#upload", str(tone(tmp_path / "x.wav", seconds, amplitude, noise)))
    page.until(lambda: hint in page.text("#recording-hints"))


def test_a_recording_can_be_uploaded_and_what_is_none_is_named(page: Tab, tmp_path: Path) -> None:
    page.click("#recorder summary")
    wrong = tmp_path / "<b>notes.txt"
    wrong.write_text("no sound")
    page.press("#upload", str(wrong))
    page.until(lambda: page.text("#record-problem").startswith("<b>notes.txt can't be read as sound."))
    page.press("#upload", str(WAV))
    page.until(lambda: page.text("#recording-hints") == "This recording is fine.")
    page.fill("#recorded-text", "The train to the coast was late.")
    page.speak(TEXT)
    heard, _ = soundfile.read(page.download("WAV", "-1.wav"), dtype="int16")
    command = page.command("Command line")
    assert "--ref recording.wav --ref-text='The train" in command
    page.click("#recorded .quiet")
    page.until(lambda: (page.downloads / "recording.wav").is_file())
    shell = [sys.executable, "-m", "vall_e", *shlex.split(command)[1:]]
    for name, run in (("shell", shell), ("http", ["bash", "-c", page.command("HTTP")])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "recording.wav").write_bytes((page.downloads / "recording.wav").read_bytes())
        np.testing.assert_array_equal(made(tmp_path / name, *run), heard)
