"""`vall-e stt --spell`: words instead of phonemes, by a plugin of the kind `speller`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from babble import babble
from tiny import tiny_plugin
from vall_e_core import BuildContext, PluginError, Registry, UsageError, VallE, hookimpl, param
from vall_e_stt import Speller, find_speller

RATE = 8_000


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """Two utterances with silence between them."""
    path = tmp_path / "speech.wav"
    pieces = (babble(2, RATE, 140.0, 0.3), np.zeros(RATE, np.float32), babble(2, RATE, 200.0, 0.3))
    soundfile.write(path, np.concatenate(pieces), RATE, subtype="FLOAT")
    return path


@pytest.fixture
def stt(cli: Any, model_path: Path) -> Any:
    def run(*args: object, **settings: Any) -> Any:
        return cli("stt", *args, "--model", model_path, "--device", "cpu", **settings)

    return run


@pytest.mark.slow
def test_words_are_written_and_the_phonemes_kept(stt: Any, speech: Path, tmp_path: Path) -> None:
    plain = stt(speech, "--format", "json").json()
    assert "text" not in plain and "speller" not in plain
    record = stt(speech, "--spell", "english", "--format", "json").json()
    assert record["phonemes"] == plain["phonemes"] and record["speller"] == {"name": "english"}
    assert record["text"] == " ".join(each["text"] for each in record["windows"] if each["text"]) != ""
    assert record["text"].isascii()
    assert stt(speech, "--spell", "english").stdout.strip() == record["text"]
    assert stt(speech, "--spell", "auto").stdout.strip() == record["text"]
    assert stt(speech, "--spell", "english", "--format", "ipa").stdout.strip() == record["phonemes"]
    stt(speech, "--spell", "english", "-o", tmp_path / "out")
    assert (tmp_path / "out" / "speech.txt").read_text("utf-8").strip() == record["text"]


@pytest.mark.slow
def test_phonemes_are_shown_where_nothing_writes_the_language(stt: Any, speech: Path) -> None:
    assert stt(speech, "--spell", "auto", "--language", "de").stdout == stt(speech, "--language", "de").stdout
    assert stt(speech, "--spell", "none").stdout == stt(speech).stdout


def test_silence_has_no_words(stt: Any, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros(RATE, np.float32), RATE)
    record = stt(tmp_path / "x.wav", "--spell", "english", "--format", "json").json()
    assert record["text"] == "" and record["no_speech"] is True


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--spell", "englisch"), "no speller is called 'englisch'"),
        (("--spell", "english", "--language", "de"), "doesn't write the language de"),
        (("--spell", "english:beam=3"), "beam"),
    ],
)
def test_a_speller_that_cannot_be_used_is_a_usage_error(
    stt: Any, speech: Path, args: tuple[str, ...], said: str
) -> None:
    done = stt(speech, *args, code=2)
    assert said in done.stderr and done.stdout == ""


@dataclass(frozen=True)
class Shouting(Speller):
    """Writes in capitals."""

    name = "shouting"
    languages = frozenset({"en"})
    broken: str = param("no", choices=("no", "short", "raises"), help="what it does wrong")

    def build(self, ctx: BuildContext) -> Any:
        def spell(pieces: Sequence[str], language: str) -> list[str]:
            if self.broken == "raises":
                raise ZeroDivisionError("of its own")
            return ["AH" for _ in pieces][self.broken == "short" :]

        return type("Model", (), {"spell": lambda self, pieces, language: spell(pieces, language)})()


class Plugin:
    @hookimpl
    def vall_e_spellers(self) -> Iterable[type[Speller]]:
        return [Shouting]


@pytest.fixture
def installed() -> Registry:
    registry = Registry.load(environ={})
    registry.register(tiny_plugin(), name="tiny")
    registry.register(Plugin(), name="shouting")
    return registry


@pytest.mark.slow
def test_from_python_and_by_a_plugin_of_somebody_else(model_path: Path, speech: Path, installed: Registry) -> None:
    engine = VallE.load(model_path, device="cpu", registry=installed)
    heard = engine.transcribe(speech, spell="shouting")
    assert heard.text == heard.shown == " ".join("AH" for _ in heard.windows)
    assert heard.phonemes == engine.transcribe(speech).phonemes == engine.transcribe(speech).shown
    assert engine.transcribe(speech).text is None
    with pytest.raises(PluginError, match="gave no text for each of"):
        engine.transcribe(speech, spell="shouting:broken=short")
    with pytest.raises(PluginError, match=r"shouting"):
        engine.transcribe(speech, spell="shouting:broken=raises")


def test_the_first_that_writes_the_language_is_the_usual_one(installed: Registry) -> None:
    found = find_speller(installed, "auto", "en-gb")
    assert found is not None and found.name == "english"
    assert find_speller(installed, "auto", "xx") is None
    assert find_speller(installed, "shouting:broken=short", "en") == Shouting(broken="short")
    with pytest.raises(UsageError):
        find_speller(installed, "shouting:broken=7", "en")
