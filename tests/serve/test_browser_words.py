"""The page in a browser: words that are said differently."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from .browsing import Tab, made

pytestmark = pytest.mark.browser
TAB, ENTER = "\ue004", "\ue007"
IDS = "return document.activeElement.className || document.activeElement.id"


def test_a_word_s_pronunciation_is_previewed_spoken_and_kept(page: Tab, tmp_path: Path) -> None:
    page.press("#text", "Nguyen sent a GIF.")
    page.until(lambda: page.texts(".said .spoken") == ["Nguyen sent a GIF."])
    before = page.text(".said .ipa")
    page.press("#lexicon summary", ENTER)
    page.press("#lexicon-add", ENTER)
    assert page.run(IDS) == "word"
    for key in ("Nguyen", ENTER, "win", ENTER, "gif", TAB, "/dʒˈɪf/"):  # Enter leads on, and makes another row
        page.driver.switch_to.active_element.send_keys(key)
    page.until(lambda: "win" in page.text(".said .spoken") and "dʒˈɪf" in page.text(".said .ipa"))
    assert page.text(".said .ipa") != before
    assert page.text("#lexicon summary").endswith("(2)")

    page.speak("Nguyen sent a GIF.")
    wanted = {"Nguyen": "win", "gif": "/dʒˈɪf/"}
    heard, _ = soundfile.read(page.download("WAV", ".wav"), dtype="int16")
    words, command = page.command("Command line").split("\n")
    again = f"{words}\n{shlex.join([sys.executable, '-m', 'vall_e', *shlex.split(command)[1:]])}"
    np.testing.assert_array_equal(made(tmp_path / "shell", "bash", "-c", again), heard)
    python = made(tmp_path / "python", sys.executable, "-c", page.command("Python"))
    np.testing.assert_allclose(python, heard, atol=1)

    page.driver.refresh()
    page.until(lambda: page.run("return document.body.dataset.ready === 'true'"))
    rows = "return [...document.querySelectorAll('#lexicon-rows input')].map((each) => each.value)"
    assert page.run(rows) == [each for pair in wanted.items() for each in pair]
    page.click("#lexicon summary")
    page.click("#lexicon-rows .remove")
    assert page.run("return document.activeElement.getAttribute('aria-label')") == "Remove word 1"
    page.click(".history .grow button")
    page.until(lambda: page.run(rows) == [each for pair in wanted.items() for each in pair])


def test_rows_that_are_not_right_say_so_and_do_not_count(page: Tab) -> None:
    page.fill("#text", "A gif.")
    page.click("#lexicon summary")
    for word, said, problem in (
        ("gif", "/dʒˈɪf", "slashes"), ("jpeg", "", "How is"), ("", "win", "Which word"), ("…", "dot", "a letter"),
        ("__proto__", "proto", ""), ("gif", "jif", "twice"),
    ):  # fmt: skip
        page.click("#lexicon-add")
        number = len(page.all("#lexicon-rows li"))
        row = f"#lexicon-rows li:nth-child({number})"
        page.fill(f"{row} .word", word)
        page.fill(f"{row} .said", said)
        assert problem in page.text(f"{row} .problem") and bool(problem) == bool(page.text(f"{row} .problem"))
        assert page.find(f"{row} .said").get_attribute("aria-invalid") == str(bool(problem)).lower()
    tops = "return [...document.querySelectorAll('#lexicon-rows li:first-child input')].map((e) => e.offsetTop)"
    assert len(set(page.run(tops))) == 1, "a word and how it is said stand side by side"
    page.size(320)
    assert page.run("return document.documentElement.scrollWidth") <= 320
    page.size(1280)
    page.until(lambda: page.texts(".said .spoken") == ["A gif."])
    assert page.text("#lexicon summary").endswith("(1)")
