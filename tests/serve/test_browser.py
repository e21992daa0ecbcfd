"""The page in a browser: what a person does on it, with a microphone that plays a file."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from vall_e_core import Registry
from vall_e_serve import Bounds
from vall_e_serve.keys import load_keys
from vall_e_tts import VallE

from .browsing import PLAIN_HOST, Tab, browsing
from .conftest import SlowEngine
from .running import Running, running

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
WAV = ROOT / "examples" / "slt.wav"
TEXT = "The birch canoe slid."
ROW = "[...document.querySelectorAll('.voice')].find((each) => each.dataset.voice === arguments[0])"
HOSTILE = "<img src=x onerror=hacked=1><script>hacked=1</script><b>bold</b>"


@pytest.fixture(scope="session")
def browser() -> Iterator[Tab]:
    with browsing(WAV) as found:
        yield found


@pytest.fixture
def page(browser: Tab, served: Running) -> Iterator[Tab]:
    """The page of a server with the embedded voice; its console has to stay empty."""
    browser.size(1280)
    browser.prefer(prefers_color_scheme="light")
    browser.open(served.url)
    yield browser
    assert browser.log() == []
    foreign = [each for each in browser.requests() if not each.startswith((served.url, "blob:", "data:", "about:"))]
    assert foreign == []


def facts(page: Tab) -> dict[str, str]:
    script = "return [...document.querySelectorAll('[data-fact]')].map((each) => [each.dataset.fact, each.textContent])"
    return dict(page.run(script))


def painted(page: Tab, selector: str) -> int:
    """How many colors are on a canvas."""
    script = """
        const canvas = document.querySelector(arguments[0]);
        const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size;
    """
    return int(page.run(script, selector))


# speaking


def test_text_is_previewed_and_spoken(page: Tab, served: Running) -> None:
    page.press("#text", "It costs **$5**.")
    page.until(lambda: page.texts(".said .spoken") == ["It costs five dollars."])
    assert page.text("#text-count") == "16 characters"
    page.click("#show-phonemes")
    assert page.find(".said .ipa").is_displayed() and page.find(".said .ipa").text
    page.press("#text", "\ue009", "\ue007")  # Ctrl and Enter
    page.until(lambda: page.text("#progress").startswith("Done"))
    page.until(lambda: page.all("#sentences li"))
    found = facts(page)
    assert float(found["Length"].split()[0]) > 0.5 and (found["Seed"], found["Voice"]) == ("1", "slt")
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
        assert float(facts(browser)["Length"].split()[0]) > 0
        browser.click("#speak")
        browser.until(lambda: len(slow.begun) == 2)
        browser.click("#stop")
        served.wait(lambda: len(slow.left) == 2)


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
    assert rate == 16_000

    command = shlex.split(page.command("Command line"))
    assert command[:2] == ["vall-e", "tts"]
    np.testing.assert_array_equal(made(tmp_path / "shell", sys.executable, "-m", "vall_e", *command[1:]), heard)
    again = made(tmp_path / "python", sys.executable, "-c", page.command("Python"))
    np.testing.assert_allclose(again, heard, atol=1)  # another rounding of the same samples
    np.testing.assert_array_equal(made(tmp_path / "http", "bash", "-c", page.command("HTTP")), heard)


def made(folder: Path, *command: str) -> Any:
    """The samples that a command writes."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return soundfile.read(folder / "speech.wav", dtype="int16")[0]


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
        browser.until(lambda: "First sound" in facts(browser))
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


# voices


def test_voices_can_be_heard_and_chosen(page: Tab) -> None:
    page.click("[data-voice=rms] button.icon")
    page.until(lambda: page.find("[data-voice=rms] button.icon").get_attribute("aria-label") == "Pause rms")
    page.click("[data-voice=slt] button.icon")  # one plays at a time
    page.until(lambda: page.find("[data-voice=slt] button.icon").get_attribute("aria-label") == "Pause slt")
    assert page.find("[data-voice=rms] button.icon").get_attribute("aria-label") == "Play rms"
    page.click("[data-voice=awb] input")
    page.speak(TEXT)
    assert facts(page)["Voice"] == "awb" and "--voice awb" in page.command("Command line")
    page.driver.refresh()
    page.until(lambda: page.run("return document.querySelector('[data-voice=awb] input')?.checked"))


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
    assert facts(page)["Voice"] == "your recording" and "--ref recording.wav" in page.command("Command line")

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


# chains


def chain(page: Tab) -> list[str]:
    return list(page.run("return [...document.querySelectorAll('#chain .member')].map((each) => each.dataset.name)"))


def explained(page: Tab) -> list[str]:
    return page.texts("#explanation ol:first-of-type code")


def test_a_chain_is_built_moved_and_explained(page: Tab) -> None:
    page.until(lambda: explained(page) == ["top-p", "temperature:t=0.8", "multinomial"])
    for name in ("dry", "min-p"):
        page.choose("#add-name", name)
        page.click("#add")
    page.until(lambda: explained(page)[:3] == ["dry", "min-p", "multinomial"])
    focused = page.driver.switch_to.active_element.get_attribute("aria-label")
    assert focused == "Move min-p, 2 of 2. Use the arrow keys."

    page.driver.switch_to.active_element.send_keys("\ue013")  # up
    assert chain(page) == ["min-p", "dry"]
    page.until(lambda: page.text("#announce") == "min-p is number 1 of 2.")
    page.until(lambda: explained(page)[:2] == ["min-p", "dry"])

    page.fill("#chain .member:first-child input[type=number]", "0.2")
    page.until(lambda: explained(page)[0] == "min-p:p=0.2")
    page.fill("#chain .member:first-child input[type=number]", "7")
    page.until(lambda: "p" in page.text("#explanation .problem"))
    page.fill("#chain .member:first-child input[type=number]", "0.1")
    page.until(lambda: explained(page)[:1] == ["min-p:p=0.1"])

    page.click("#chain .member:nth-child(2) .switch")
    page.until(lambda: explained(page)[:2] == ["min-p:p=0.1", "multinomial"])
    page.click("#chain .member:first-child .remove")
    assert chain(page) == ["dry"]
    assert page.driver.switch_to.active_element.get_attribute("aria-label").startswith("Move dry")
    assert [each for each in page.log() if "400" not in each] == []


def test_samplers_are_dragged(page: Tab) -> None:
    from selenium.webdriver import ActionChains

    page.choose("#preset", "No stutter")
    assert chain(page) == ["dry", "top-p", "temperature"]
    page.run("document.querySelector('#chain').scrollIntoView({block: 'start'})")
    page.size(1280, 1600)
    last = page.find("#chain .member:last-child .handle")
    first = page.find("#chain .member:first-child .handle")
    way = first.rect["y"] - last.rect["y"]
    pointer = ActionChains(page.driver).click_and_hold(last)
    pointer.move_by_offset(0, way // 2).move_by_offset(0, way - way // 2 - 5).release().perform()
    assert chain(page) == ["temperature", "dry", "top-p"]
    page.until(lambda: explained(page)[0] == "temperature:t=0.9")


def test_both_chains_and_stages_are_kept_apart_and_remembered(page: Tab) -> None:
    page.choose("#preset", "Steady")
    page.click("#slots label:nth-child(2) input")
    page.choose("#preset", "VALL-E 2")
    page.choose("#stage", "Further levels")
    page.choose("#add-name", "temperature")
    page.click("#add")
    assert chain(page) == ["temperature"]
    page.driver.refresh()
    page.until(lambda: chain(page) == ["top-p", "temperature"])
    assert page.run("return document.querySelector('#preset').selectedOptions[0].text") == "Steady"
    page.click("#slots label:nth-child(2) input")
    assert chain(page) == ["ras"] and page.run("return document.querySelector('#preset').value") == ""
    assert "further levels: temperature" in page.text("#compare .chains")


def test_every_sampler_can_be_added_with_its_own_parameters(page: Tab, served: Running) -> None:
    listed = [each for each in served.get("/v1/samplers").json["data"] if "ar" in each["stages"]]
    assert sorted(page.texts("#add-name option")) == sorted(each["id"] for each in listed)
    for each in listed:
        page.choose("#add-name", each["id"])
        page.click("#add")
        labels = page.texts("#chain .member:last-child .parameter label")
        assert labels == list(each["schema"]["properties"]), each["id"]
        page.click("#chain .member:last-child .remove")
    page.until(lambda: page.text("#explanation"))
    page.until(lambda: not page.all("#explanation .problem"))
    page.log()  # samplers with a parameter that has to be given were explained as errors on the way


# A/B and history


def test_two_chains_are_compared_blind(page: Tab) -> None:
    page.fill("#text", TEXT)
    page.choose("#preset", "Steady")
    page.click("#compare-start")
    page.until(lambda: page.text("#compare-message").startswith("Listen to both"))
    assert page.texts("#compare .sound") == ["Play sound 1", "Play sound 2"]
    page.click("#compare .sound:nth-child(2)")
    page.until(lambda: page.texts("#compare .sound")[1] == "Pause sound 2")
    page.click("#compare .vote:first-child")
    message = page.text("#compare-message")
    assert message.startswith("Sound 1 was chain ") and "top-p:p=0.8 → temperature:t=0.7" in message
    chosen = message[len("Sound 1 was chain ")]
    assert page.text("#tally strong") == f"A {int(chosen == 'A')} · B {int(chosen == 'B')} · no difference 0"
    page.click("#tally button")
    page.until(lambda: list(page.downloads.glob("vall-e-votes.json")))
    (vote,) = json.loads((page.downloads / "vall-e-votes.json").read_text("utf-8"))
    assert (vote["choice"], vote["blind"], vote["text"], vote["seed"]) == (chosen, True, TEXT, 1)
    assert page.run("return document.querySelectorAll('.history li').length") == 2


def test_two_chains_are_compared_by_name(page: Tab) -> None:
    page.fill("#text", TEXT)
    page.choose("#preset", "Steady")
    page.click("#blind")
    page.click("#compare-start")
    page.until(lambda: page.texts("#compare .sound") == ["Play chain A", "Play chain B"])
    assert page.texts("#compare .vote") == ["Chain A is better", "No difference", "Chain B is better"]
    page.click("#compare .vote:nth-child(2)")
    assert page.text("#tally strong") == "A 0 · B 0 · no difference 1"
    assert page.text("#compare-message").startswith("Chain A: top-p:p=0.8 → temperature:t=0.7.")


def test_equal_chains_are_not_compared(page: Tab) -> None:
    page.fill("#text", TEXT)
    page.click("#slots label:nth-child(2) input")
    page.choose("#preset", "The model's own")
    page.click("#compare-start")
    assert page.text("#compare-message").startswith("Chains A and B are the same.")


def test_history_stays_comes_back_with_its_settings_and_can_be_deleted(page: Tab) -> None:
    page.choose("#preset", "Steady")
    page.click("[data-voice=kal16] input")
    page.fill("#seed", "5")
    page.speak(TEXT)
    length = facts(page)["Length"]
    page.until(lambda: page.all(".history li"))
    page.choose("#preset", "Lively")
    page.click("[data-voice=slt] input")
    page.driver.refresh()
    page.until(lambda: page.all(".history li"))
    page.click(".history .grow button")
    page.until(lambda: facts(page).get("Length") == length)
    assert page.run("return document.querySelector('#text').value") == TEXT
    assert page.run("return document.querySelector('#seed').value") == "5"
    assert page.run("return document.querySelector('[data-voice=kal16] input').checked")
    assert chain(page) == ["top-p", "temperature"]
    page.click(".history .remove")
    page.until(lambda: not page.all(".history li"))
    page.speak(TEXT)
    page.until(lambda: page.all(".history li"))
    page.click("#clear-history")
    page.driver.switch_to.alert.accept()
    page.until(lambda: not page.all(".history li") and not page.find("#clear-history").is_displayed())


# keys, strangers, and everybody


def test_a_key_is_asked_for_once_and_only_kept_for_the_session(browser: Tab, registry: Registry, engine: VallE) -> None:
    key = "k" * 20
    with running(registry, lambda: engine, keys=load_keys(None, {"VALL_E_API_KEYS": f"anna:{key}"})) as served:
        browser.open(served.url, started=False)
        browser.until(lambda: browser.find("#key-dialog").is_displayed())
        browser.press("#key", "wrong-wrong-wrong-wrong", "\ue007")
        browser.until(lambda: "didn't accept" in browser.text("#key-error"))
        browser.press("#key", key, "\ue007")
        browser.until(lambda: browser.run("return document.body.dataset.ready === 'true'"))
        browser.speak(TEXT)
        assert "Authorization: Bearer $VALL_E_KEY" in browser.command("HTTP") and key not in browser.command("HTTP")
        assert browser.run("return sessionStorage['vall-e.key']") == key
        assert key not in browser.run("return JSON.stringify(localStorage)")
        browser.open(served.url, fresh=False)
        assert not browser.find("#key-dialog").is_displayed()
        browser.log()  # a refusal of the wrong key is an error of the console


def test_markup_is_shown_as_text_wherever_it_comes_from(
    browser: Tab, registry: Registry, engine: VallE, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(registry, lambda: engine) as served:
        catalog = served.server.catalog
        usual = catalog.listed()
        hostile: dict[str, Any] = {**usual[0], "id": HOSTILE, "name": HOSTILE, "language": HOSTILE, "source": "saved"}
        monkeypatch.setattr(catalog, "listed", lambda: [*usual, hostile, {**hostile, "id": "x", "stands_for": HOSTILE}])
        browser.open(served.url)
        assert HOSTILE in browser.texts(".voice .name")
        browser.fill("#language", HOSTILE)
        browser.fill("#text", HOSTILE)
        browser.until(lambda: "img src" in browser.text("#preview-body"))  # the language's error
        browser.fill("#language", "en")
        browser.speak(f"Say {HOSTILE} now.")
        assert HOSTILE in browser.text(".take-text") and HOSTILE in browser.command("Command line")
        assert HOSTILE in browser.text(".history")
        browser.run(f"{ROW}.querySelector('input').click()", HOSTILE)
        browser.click("#speak")
        browser.until(lambda: "no voice is called" in browser.text("#progress").lower())
        kept = json.dumps({"voice": HOSTILE, "chains": {"A": {"ar": [HOSTILE]}}})
        browser.run("localStorage['vall-e.settings'] = arguments[0]", kept)
        browser.open(served.url, fresh=False)
        browser.until(lambda: "img src" in browser.text("#explanation"))  # no such sampler
        assert browser.run("return window.hacked") is None
        assert browser.run("return document.querySelectorAll('main img, main script, main b').length") == 0
        assert [each for each in browser.log() if " 400 " not in each] == []


def test_a_server_that_is_gone_is_said_to_be(browser: Tab, registry: Registry, engine: VallE) -> None:
    with running(registry, lambda: engine) as served:
        browser.open(served.url)
    browser.fill("#text", TEXT)
    browser.click("#speak")
    browser.until(lambda: browser.text("#progress").startswith("The server can't be reached."))
    browser.log()


NAMED = {
    "button", "checkbox", "combobox", "link", "meter", "radio", "radiogroup", "searchbox", "slider", "spinbutton",
    "switch", "tab", "tablist", "tabpanel", "textbox", "image", "img", "dialog",
}  # fmt: skip


def test_everything_that_can_be_used_has_a_name(page: Tab) -> None:
    page.choose("#preset", "No stutter")
    page.click("#recorder summary")
    page.click("#trace")
    page.speak(TEXT)
    nodes = page.cdp("Accessibility.getFullAXTree")["nodes"]
    used = [each for each in nodes if not each.get("ignored") and each["role"]["value"] in NAMED]
    assert len(used) > 60
    assert [each for each in used if not each.get("name", {}).get("value", "").strip()] == []
    headings = page.run("return [...document.querySelectorAll('h1, h2, h3, h4')].map((each) => each.tagName)")
    levels = [int(each[1]) for each in headings]
    assert levels[0] == 1 and all(after - before <= 1 for before, after in pairwise(levels))


def test_the_keyboard_reaches_everything_in_the_order_of_the_page(page: Tab) -> None:
    reached = []
    page.run("document.activeElement.blur()")
    for _ in range(60):
        page.driver.switch_to.active_element.send_keys("\ue004")
        reached.append(page.run("return document.activeElement.id || document.activeElement.className"))
    wanted = ["skip", "theme", "language", "text", "speak", "add-name", "add", "seed", "speed", "compare-start"]
    places = [reached.index(each) for each in wanted]
    assert places == sorted(places)


CONTRAST = """
    const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
    const found = [];
    const walker = document.createTreeWalker(document.querySelector("body"), NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
        const element = node.parentElement;
        const style = getComputedStyle(element);
        if (node.data.trim() === "" || !element.checkVisibility({visibilityProperty: true})) continue;
        if (element.closest(":disabled, .hidden, .skip, option, .member.off")) continue;
        let behind = element;
        const paint = (each) => numbers(getComputedStyle(each).backgroundColor);
        while (behind !== null && (paint(behind)[3] ?? 1) < 1) behind = behind.parentElement;
        const back = behind === null ? [255, 255, 255] : paint(behind);
        const [high, low] = [light(numbers(style.color)), light(back)].sort((one, other) => other - one);
        const ratio = (high + 0.05) / (low + 0.05);
        if (ratio < 4.5) found.push([node.data.trim().slice(0, 40), ratio.toFixed(2)]);
    }
    return found;
"""


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_fits_and_can_be_read(page: Tab, theme: str, width: int) -> None:
    page.size(width)
    page.prefer(prefers_color_scheme=theme)
    page.choose("#preset", "No stutter")
    page.click("#recorder summary")
    page.click("#trace")
    page.speak("A-very-long-word-without-any-blank-in-it-that-has-to-be-broken-somewhere-or-it-makes-the-page-wider.")
    assert page.run(CONTRAST) == []
    assert page.run("return document.documentElement.scrollWidth") <= width
    small = page.run("""
        return [...document.querySelectorAll("button, select, input:not([type=checkbox], [type=radio], [type=range])")]
            .filter((each) => each.checkVisibility() && !each.matches(".sentence, .history .grow button"))
            .filter((each) => each.getBoundingClientRect().height < 32).map((each) => each.outerHTML)
    """)
    assert small == []


def test_light_or_dark_is_the_system_s_choice_or_one_s_own(page: Tab) -> None:
    back = "return getComputedStyle(document.body).backgroundColor"
    light = page.run(back)
    page.prefer(prefers_color_scheme="dark")
    dark = page.run(back)
    assert dark != light
    page.choose("#theme", "Light")
    assert page.run(back) == light
    page.driver.refresh()
    page.until(lambda: page.run(back) == light)
    page.choose("#theme", "Dark")
    page.prefer(prefers_color_scheme="light")
    assert page.run(back) == dark


def test_nothing_moves_for_those_who_do_not_want_it(page: Tab) -> None:
    moving = """
        return [...document.querySelectorAll("*")]
            .flatMap((each) => [null, "::before"].map((part) => getComputedStyle(each, part)))
            .filter((style) => style.transitionDuration !== "0s" || style.animationName !== "none").length
    """
    page.choose("#preset", "No stutter")
    assert page.run(moving) > 0
    page.prefer(prefers_reduced_motion="reduce")
    assert page.run(moving) == 0
