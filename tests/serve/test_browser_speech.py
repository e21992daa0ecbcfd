"""The page in a browser: speaking, hearing it again, downloads, and commands that make the same."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vall_e_core import Registry
from vall_e_serve import Bounds
from vall_e_tts import VallE

from .browsing import PLAIN_HOST, Tab, made
from .conftest import SlowEngine
from .running import Running, running

pytestmark = pytest.mark.browser
WAV = Path(__file__).parents[2] / "examples" / "heart.wav"
TEXT = "The birch canoe slid."


def painted(page: Tab, selector: str) -> int:
    """How many colors are on a canvas."""
    script = """
        const canvas = document.querySelector(arguments[0]);
        const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size;
    """
    return int(page.run(script, selector))


def test_text_is_previewed_and_spoken(page: Tab, served: Running) -> None:
    page.press("#text", "It costs **$5**.")
    page.until(lambda: page.texts(".said .spoken") == ["It costs five dollars."])
    assert page.text("#text-count") == "16 characters"
    page.click("#show-phonemes")
    assert page.find(".said .ipa").is_displayed() and page.find(".said .ipa").text
    page.press("#text", "\ue009", "\ue007")  # Ctrl and Enter
    page.until(lambda: page.text("#progress").startswith("Done"))
    page.until(lambda: page.all("#sentences li"))
    found = page.facts()
    assert float(found["Length"].split()[0]) > 0.5 and (found["Seed"], found["Voice"]) == ("1", "heart")
    assert found["First sound"].endswith(" ms")
    assert painted(page, "#waveform") > 1 and painted(page, "#spectrogram") > 100
    assert page.texts("#sentences .sentence") == ["It costs five dollars."]


def test_sound_plays_as_it_comes_and_can_be_stopped(browser: Tab, registry: Registry, slow: SlowEngine) -> None:
    slow.waves = 1000
    with running(registry, lambda: slow) as served:
        browser.open(served.url)
        browser.fill("#text", "A text that isn't over soon.")
        browser.click("#speak")
        slow.release(10)
        browser.until(lambda: browser.text("#progress") == "Speaking…")
        assert not browser.all("#sentences")
        browser.press("body", "\ue00c")  # Escape
        browser.until(lambda: browser.text("#progress") == "Stopped.")
        slow.release(20)
        served.wait(lambda: slow.left == ["A text that isn't over soon."])
        assert not browser.find("#stop").is_enabled() and "Stopped." in browser.text("#stats")
        assert float(browser.facts()["Length"].split()[0]) > 0
        browser.click("#speak")
        browser.until(lambda: len(slow.begun) == 2)
        browser.click("#stop")
        served.wait(lambda: len(slow.left) == 2)


def test_who_goes_to_another_page_lets_go_of_the_server(browser: Tab, registry: Registry, slow: SlowEngine) -> None:
    slow.waves = 1000
    with running(registry, lambda: slow) as served:
        browser.open(served.url)
        browser.fill("#text", "A text that isn't over soon.")
        browser.click("#speak")
        slow.release(3)
        browser.until(lambda: browser.text("#progress") == "Speaking…")
        browser.driver.get("about:blank")  # the browser keeps the page for "back"
        served.wait(lambda: slow.left == ["A text that isn't over soon."])
        browser.driver.back()
        browser.until(lambda: browser.run("return document.body.dataset.ready === 'true'"))
        assert browser.text("#progress") in ("Stopped.", "")


def test_a_result_can_be_heard_again_from_any_place(page: Tab) -> None:
    page.speak(f"{TEXT} A second sentence follows it at once.")
    page.until(lambda: page.find("#play").get_attribute("aria-label") == "Play")  # it has ended
    page.run("const seek = document.querySelector('#seek'); seek.value = 500; seek.dispatchEvent(new Event('input'))")
    page.until(lambda: page.text("#time").split(" / ")[0] not in ("0:00.0", ""))
    page.click("#play")
    page.until(lambda: page.find("#play").get_attribute("aria-label") == "Pause")
    page.click("#play")
    assert page.find("#play").get_attribute("aria-label") == "Play"
    page.click("#sentences .sentence")
    page.until(lambda: page.find("#play").get_attribute("aria-label") == "Pause")


@pytest.mark.parametrize("delivery", ["In pieces", "By sentence"])
def test_the_commands_make_the_same_speech(page: Tab, served: Running, tmp_path: Path, delivery: str) -> None:
    page.choose("#delivery", delivery)
    page.choose("#preset", "No stutter")
    page.fill("#seed", "7")
    page.fill("#speed", "1.1")
    page.speak("It's \"quoted\", isn't it? $HOME costs `nothing`.")
    heard, rate = soundfile.read(page.download("WAV", ".wav"), dtype="int16")
    assert rate == 24_000

    command = shlex.split(page.command("Command line"))
    assert command[:2] == ["vall-e", "tts"]
    np.testing.assert_array_equal(made(tmp_path / "shell", sys.executable, "-m", "vall_e", *command[1:]), heard)
    again = made(tmp_path / "python", sys.executable, "-c", page.command("Python"))
    np.testing.assert_allclose(again, heard, atol=1)  # another rounding of the same samples
    np.testing.assert_array_equal(made(tmp_path / "http", "bash", "-c", page.command("HTTP")), heard)


def test_results_can_be_downloaded(page: Tab) -> None:
    page.click("#trace")
    page.speak(TEXT)
    assert soundfile.info(page.download("WAV", ".wav")).duration > 0.5
    assert soundfile.info(page.download("MP3", ".mp3")).duration > 0.5
    assert json.loads(page.download("Record", "-1.json").read_text("utf-8"))["text"] == TEXT
    lines = page.download("Trace", ".jsonl").read_text("utf-8").splitlines()
    assert {"stage", "step", "stages"} <= set(json.loads(lines[0]))


def test_a_trace_is_drawn(page: Tab) -> None:
    page.click("#trace")
    page.speak(TEXT)
    assert [each.get_attribute("role") for each in page.all(".trace svg")] == ["img"] * 3
    assert all(each.get_attribute("aria-label") for each in page.all(".trace svg"))
    assert "steps" in page.text(".trace") and "--trace" in page.command("Command line")


def test_what_is_wrong_is_said_and_the_page_goes_on(browser: Tab, served: Running) -> None:
    browser.open(served.url)
    browser.click("#speak")
    assert browser.text("#progress") == "Type a text first."
    browser.fill("#text", "Ich möchte Brötchen.")
    browser.fill("#language", "de")
    browser.until(lambda: "doesn't know these phonemes" in browser.text("#preview-body"))
    browser.click("#speak")
    browser.until(lambda: "phonemes that the model doesn't know" in browser.text("#progress").lower())
    browser.fill("#language", "en")
    browser.fill("#speed", "9")
    browser.click("#speak")
    browser.until(lambda: browser.text("#progress").startswith("Speed: "))
    assert browser.driver.switch_to.active_element.get_attribute("id") == "speed"
    browser.fill("#speed", "1")
    browser.speak(TEXT)


def test_from_another_machine_without_tls_it_speaks_and_says_why_it_cannot_record(
    browser: Tab, registry: Registry, engine: VallE
) -> None:
    with running(registry, lambda: engine, allow_host=(PLAIN_HOST,)) as served:
        browser.open(f"http://{PLAIN_HOST}:{served.port}")
        assert browser.run("return window.isSecureContext") is False
        browser.speak(TEXT)
        browser.until(lambda: "First sound" in browser.facts())
        browser.until(lambda: browser.find("#play").get_attribute("aria-label") == "Play")
        browser.click("#recorder summary")
        assert not browser.find("#record").is_enabled() and "localhost or over https" in browser.text("#recorder-body")
        assert [each for each in browser.log() if "ScriptProcessorNode" not in each] == []


def test_it_asks_again_when_the_queue_is_full(browser: Tab, registry: Registry, engine: VallE) -> None:
    with running(registry, lambda: engine) as served:
        admission = served.server.admission
        usual, admission.bounds = admission.bounds, Bounds(rows=0, queue=0)
        browser.open(served.url)
        browser.fill("#text", TEXT)
        browser.click("#speak")
        browser.until(lambda: browser.text("#progress").startswith("The server is busy. Asking again in "))
        admission.bounds = usual
        browser.until(lambda: browser.text("#progress").startswith("Done"))
        admission.bounds = Bounds(rows=0, queue=0)
        browser.click("#speak")
        browser.until(lambda: "Asking again" in browser.text("#progress"))
        browser.click("#stop")
        browser.until(lambda: browser.text("#progress") == "Stopped.")
        assert [each for each in browser.log() if " 429 " not in each] == []
