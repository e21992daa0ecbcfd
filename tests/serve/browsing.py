"""Chromium with a page of a server, and a microphone that plays a file."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import soundfile

SECONDS = 60.0
PLAIN_HOST = "voice.test"
"""A name of this machine that browsers don't trust without TLS, as those of other machines."""
_CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


class Tab:
    """A browser's tab. Elements are named by CSS selectors."""

    def __init__(self, driver: Any, downloads: Path) -> None:
        self.driver, self.downloads = driver, downloads

    def open(self, url: str, *, fresh: bool = True, started: bool = True) -> None:
        """The page; `fresh`: nothing is left of earlier visits."""
        if fresh:
            self.driver.get("about:blank")
            self.cdp("Storage.clearDataForOrigin", origin=url, storageTypes="all")
            for each in self.downloads.iterdir():
                each.unlink()
            self.log(), self.requests()
        self.driver.get(url)
        if started:
            self.until(lambda: self.run("return document.body.dataset.ready === 'true'"))

    def run(self, script: str, *values: object) -> Any:
        """What a script returns."""
        return self.driver.execute_script(script, *values)

    def cdp(self, command: str, **values: object) -> Any:
        return self.driver.execute_cdp_cmd(command, values)

    def find(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def all(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements("css selector", selector))

    def text(self, selector: str) -> str:
        """What stands in an element, hidden or not."""
        return str(self.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector))

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent)"
        return list(self.run(script, selector))

    def click(self, selector: str) -> None:
        element = self.find(selector)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def press(self, selector: str, *keys: str) -> None:
        self.find(selector).send_keys(*keys)

    def fill(self, selector: str, value: str) -> None:
        """Set a field, as somebody who types."""
        script = """
            const [field, value] = [document.querySelector(arguments[0]), arguments[1]];
            field.value = value;
            for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, {bubbles: true}));
        """
        self.run(script, selector, value)

    def choose(self, selector: str, label: str) -> None:
        """An option of a list, by what it is called."""
        names = self.texts(f"{selector} option")
        self.run("arguments[0].selectedIndex = arguments[1]", self.find(selector), names.index(label))
        self.run("arguments[0].dispatchEvent(new Event('change', {bubbles: true}))", self.find(selector))

    def until(self, true: Callable[[], object], seconds: float = SECONDS) -> None:
        """Until it is so."""
        ended = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < ended, f"it isn't so; {self.text('#progress')!r}, {self.log()}"
            time.sleep(0.05)

    def speak(self, text: str) -> None:
        """Have a text spoken, until all of it is there."""
        self.fill("#text", text)
        self.click("#speak")
        self.until(lambda: self.text("#progress").startswith("Done") and self.all("#more [role=tab]"))

    def facts(self) -> dict[str, str]:
        """What stands below the result: length, seed, voice, times."""
        script = "return [...document.querySelectorAll('[data-fact]')].map((e) => [e.dataset.fact, e.textContent])"
        return dict(self.run(script))

    def command(self, name: str) -> str:
        """What a tab under "The same again" says."""
        for tab in self.all("#more [role=tab]"):
            if tab.text == name:
                self.run("arguments[0].click()", tab)
        return self.text("#more pre.command")

    def download(self, label: str, suffix: str) -> Path:
        """The file that a button hands out."""
        (button,) = [each for each in self.all("#more .downloads button") if each.text == label]
        self.run("arguments[0].scrollIntoView({block: 'center'})", button)
        button.click()
        self.until(lambda: list(self.downloads.glob(f"*{suffix}")))
        (found,) = self.downloads.glob(f"*{suffix}")
        return found

    def log(self) -> list[str]:
        """What the console has had to say since it was last asked: errors and warnings."""
        return [each["message"] for each in self.driver.get_log("browser") if each["level"] in ("SEVERE", "WARNING")]

    def requests(self) -> list[str]:
        """The addresses that were asked for since this was last asked."""
        events = [json.loads(each["message"])["message"] for each in self.driver.get_log("performance")]
        return [each["params"]["request"]["url"] for each in events if each["method"] == "Network.requestWillBeSent"]

    def size(self, width: int, height: int = 900) -> None:
        mobile = width < 600
        self.cdp(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile
        )  # fmt: skip

    def prefer(self, **features: str) -> None:
        """Media features, such as `prefers_color_scheme="dark"`."""
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.cdp("Emulation.setEmulatedMedia", features=named)

    def picture(self, file: Path) -> None:
        """The whole page as PNG."""
        width, height = self.run("return [innerWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        found = self.cdp("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        file.write_bytes(base64.b64decode(found["data"]))


@contextmanager
def browsing(microphone: Path) -> Iterator[Tab]:
    """A tab whose microphone plays a WAV file; no name but this machine's can be resolved."""
    selenium = pytest.importorskip("selenium", reason="the extra test-clients isn't installed")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    assert selenium
    binary = next(filter(None, map(shutil.which, _CHROMIUMS)), None)
    program = shutil.which("chromedriver")
    if binary is None or program is None:
        pytest.skip("chromium and chromedriver aren't installed")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for each in (
        "headless=new", "disable-gpu", "disable-dev-shm-usage", "use-fake-ui-for-media-stream",
        "use-fake-device-for-media-stream", f"use-file-for-fake-audio-capture={microphone}", "window-size=1280,900",
        f"host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "disable-background-networking", "disable-component-update", "no-first-run", "disable-sync",
        *(("no-sandbox",) if os.geteuid() == 0 else ()),
    ):  # fmt: skip
        options.add_argument(f"--{each}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with tempfile.TemporaryDirectory() as folder:
        driver = webdriver.Chrome(options, Service(program))
        try:
            driver.set_script_timeout(SECONDS)
            tab = Tab(driver, Path(folder))
            tab.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=folder)
            yield tab
        finally:
            driver.quit()


def made(folder: Path, *command: str) -> Any:
    """The samples that a command writes."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return soundfile.read(folder / "speech.wav", dtype="int16")[0]
