"""The page in a browser: keys, hostile names, keyboards, screen readers, themes and widths."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from vall_e_core import Registry
from vall_e_serve.keys import load_keys
from vall_e_tts import VallE

from .browsing import Tab
from .running import running

pytestmark = pytest.mark.browser
TEXT = "The birch canoe slid."
ROW = "[...document.querySelectorAll('.voice')].find((each) => each.dataset.voice === arguments[0])"
HOSTILE = "<img src=x onerror=hacked=1><script>hacked=1</script><b>bold</b>"


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
        odd = {"settings": {"delivery": "__proto__", "speed": "fast"}, "lexicon": {HOSTILE: HOSTILE, "x": 1}}
        kept = json.dumps({"voice": HOSTILE, "chains": {"A": {"ar": [HOSTILE]}}, **odd})
        browser.run("localStorage['vall-e.settings'] = arguments[0]", kept)
        browser.open(served.url, fresh=False)
        browser.until(lambda: "img src" in browser.text("#explanation"))  # no such sampler
        assert browser.run("return window.hacked") is None
        assert browser.find("#delivery").get_attribute("value") == "pieces"
        assert browser.run("return document.querySelector('#lexicon-rows .word').value") == HOSTILE
        assert browser.run("return document.querySelectorAll('main img, main script, main b').length") == 0
        assert [each for each in browser.log() if " 400 " not in each] == []


def test_a_server_that_is_gone_is_said_to_be_and_may_come_back(
    browser: Tab, registry: Registry, engine: VallE
) -> None:  # fmt: skip
    with running(registry, lambda: engine) as served:
        browser.open(served.url)
    browser.fill("#text", TEXT)
    browser.click("#speak")
    browser.until(lambda: browser.text("#progress").startswith("The server can't be reached."))
    browser.until(lambda: browser.find("#play").get_attribute("aria-label") == "Play")
    assert [each for each in browser.log() if "Uncaught" in each] == []
    assert "WAV" not in browser.texts("#more .downloads button")
    browser.size(360)  # where the bar with the buttons stays in view
    assert browser.run("return document.querySelector('#progress').getBoundingClientRect().width") > 300
    browser.size(1280)
    with running(registry, lambda: engine, port=served.port):
        browser.speak(TEXT)
        assert browser.facts()["First sound"].endswith(" ms")


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
