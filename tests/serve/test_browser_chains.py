"""The page in a browser: sampling chains, the comparison of two, and history."""

from __future__ import annotations

import json

import pytest

from .browsing import Tab
from .running import Running

pytestmark = pytest.mark.browser
TEXT = "The birch canoe slid."


def chain(page: Tab) -> list[str]:
    return list(page.run("return [...document.querySelectorAll('#chain .member')].map((each) => each.dataset.name)"))


def explained(page: Tab) -> list[str]:
    return page.texts("#explanation ol:first-of-type code")


def test_a_chain_is_built_moved_and_explained(page: Tab) -> None:
    page.until(lambda: explained(page) == ["top-p:p=0.8", "temperature:t=0.8", "multinomial"])
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
    page.size(1280, 1600)
    page.run("document.querySelector('#chain').scrollIntoView({block: 'center'})")
    last = page.find("#chain .member:last-child .handle")
    first = page.find("#chain .member:first-child .handle")
    way = first.rect["y"] - last.rect["y"]
    pointer = ActionChains(page.driver).click_and_hold(last)
    pointer.move_by_offset(0, way // 2).move_by_offset(0, way - way // 2 - 5).release().perform()
    assert chain(page) == ["temperature", "dry", "top-p"]
    page.until(lambda: explained(page)[0] == "temperature:t=0.9")


def test_samplers_are_dragged_with_a_finger(page: Tab) -> None:
    page.size(390, 1600)
    page.choose("#preset", "No stutter")
    page.run("document.querySelector('#chain').scrollIntoView({block: 'start'})")
    middles = page.run("""
        return [...document.querySelectorAll("#chain .handle")].map((each) => {
            const box = each.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        })
    """)
    (x, first), last = middles[0], middles[-1][1]
    page.cdp("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": last}])
    for step in range(1, 11):
        point = {"x": x, "y": last + (first - 5 - last) * step / 10}
        page.cdp("Input.dispatchTouchEvent", type="touchMove", touchPoints=[point])
    page.cdp("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    page.until(lambda: chain(page) == ["temperature", "dry", "top-p"])
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
    page.click("[data-voice=puck] input")
    page.fill("#seed", "5")
    page.speak(TEXT)
    length = page.facts()["Length"]
    page.until(lambda: page.all(".history li"))
    page.choose("#preset", "Lively")
    page.click("[data-voice=heart] input")
    page.driver.refresh()
    page.until(lambda: page.all(".history li"))
    page.click(".history .grow button")
    page.until(lambda: page.facts().get("Length") == length)
    assert page.run("return document.querySelector('#text').value") == TEXT
    assert page.run("return document.querySelector('#seed').value") == "5"
    assert page.run("return document.querySelector('[data-voice=puck] input').checked")
    assert chain(page) == ["top-p", "temperature"]
    page.click(".history .remove")
    page.until(lambda: not page.all(".history li"))
    page.speak(TEXT)
    page.until(lambda: page.all(".history li"))
    page.click("#clear-history")
    page.driver.switch_to.alert.accept()
    page.until(lambda: not page.all(".history li") and not page.find("#clear-history").is_displayed())
