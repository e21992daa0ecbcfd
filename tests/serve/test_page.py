"""The page at `/`: its files, its headers, and the routes that only it needs."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import vall_e_serve
from vall_e_core import Registry
from vall_e_serve.keys import load_keys

from .conftest import SlowEngine
from .running import Running, running

FOLDER = Path(vall_e_serve.__file__).parent / "page"
FILES = sorted(each.name for each in FOLDER.iterdir())
SCRIPTS = [each for each in FILES if each.endswith(".js")]
LARGEST_PAGE = 150_000
LARGEST_SCRIPT = 200
"""Lines."""
TYPES = {
    ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
    ".json": "application/json", ".svg": "image/svg+xml",
}  # fmt: skip


class Elements(HTMLParser):
    """The elements of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def index() -> list[tuple[str, dict[str, str | None]]]:
    return Elements((FOLDER / "index.html").read_text("utf-8")).found


# files and headers


def test_the_page_is_served_at_the_root(served: Running) -> None:
    answer = served.get("/")
    assert answer.status == 200 and answer.headers["content-type"] == TYPES[".html"]
    assert answer.body == (FOLDER / "index.html").read_bytes()


@pytest.mark.parametrize("name", FILES)
def test_each_file_comes_with_its_type(served: Running, name: str) -> None:
    answer = served.get(f"/static/{name}")
    assert answer.status == 200 and answer.body == (FOLDER / name).read_bytes()
    assert answer.headers["content-type"] == TYPES[Path(name).suffix]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/static/style.css"])
def test_nothing_but_the_server_s_own_files_may_act_on_the_page(served: Running, path: str) -> None:
    headers = served.get(path).headers
    policy = dict(each.strip().partition(" ")[::2] for each in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["media-src"] == "'self' blob:"
    assert policy["require-trusted-types-for"] == "'script'"
    assert not re.search(r"unsafe|http:|https:|\*", headers["content-security-policy"])
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["permissions-policy"] == "microphone=(self), camera=(), geolocation=()"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_a_file_that_has_not_changed_is_not_sent_again(served: Running) -> None:
    first = served.get("/static/main.js")
    again = served.get("/static/main.js", If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"") and again.headers["etag"] == first.headers["etag"]
    assert served.get("/static/dom.js").headers["etag"] != first.headers["etag"]
    assert first.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "/static/", "/static/x.js", "/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/%2e%2e/keys",
        "/static/.", "/page",
    ],
)  # fmt: skip
def test_there_are_no_other_files(served: Running, path: str) -> None:
    answer = served.get(path)
    assert answer.status == 404 and answer.error["code"] == "not_found"


def test_the_page_needs_no_key_but_what_it_asks_for_does(registry: Registry, slow: SlowEngine) -> None:
    keys = load_keys(None, {"VALL_E_API_KEYS": f"anna:{'k' * 20}"})
    with running(registry, lambda: slow, keys=keys) as served:
        assert served.get("/").status == served.get("/static/main.js").status == 200
        assert served.get("/", Sec_Fetch_Site="cross-site").status == 200  # a link leads here
        for path in ("/v1/models", "/v1/samplers", "/v1/audio/voices"):
            assert served.get(path).status == 401
        assert served.post("/v1/audio/speech/preview", {"input": "Hello."}).status == 401
        assert served.ask("POST", "/", b"").status in (401, 405)
        assert served.get("/", Host="evil.example").status == 421


def test_behind_a_proxy_the_page_works_under_the_name_that_was_given(registry: Registry, slow: SlowEngine) -> None:
    name = "https://voice.example"
    for cors, status in (((name,), 200), ((), 403)):
        with running(registry, lambda: slow, cors=cors) as served:
            headers = {"Host": "localhost", "Origin": name, "Sec-Fetch-Site": "same-origin"}
            assert served.post("/v1/samplers/explain", {"samplers": ["dry"]}, headers).status == status


def test_the_page_s_own_files_are_not_in_the_log(served: Running) -> None:
    served.get("/static/main.js")
    before = len(served.lines)
    served.get("/")
    served.wait(lambda: len(served.lines) > before)
    assert [json.loads(each)["route"] for each in served.lines[before:]] == ["/"]


# what the files hold


def test_the_page_is_small_and_its_scripts_are_short() -> None:
    assert sum((FOLDER / each).stat().st_size for each in FILES) < LARGEST_PAGE
    assert all(len((FOLDER / each).read_text("utf-8").splitlines()) <= LARGEST_SCRIPT for each in SCRIPTS)


def test_every_file_that_the_page_names_is_there_and_every_file_is_named() -> None:
    named = {"index.html"}
    for each in FILES:
        text = (FOLDER / each).read_text("utf-8")
        named |= set(re.findall(r"/static/([\w.-]+)", text)) | set(re.findall(r'from "\./([\w.-]+)"', text))
    assert named == set(FILES)


def test_nothing_comes_from_elsewhere_and_no_string_becomes_markup() -> None:
    for each in FILES:
        text = (FOLDER / each).read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|@import|url\(", text), each
        assert not re.search(r"(inner|outer|insertAdjacent)HTML|document\.write|\beval\b|new Function", text), each


def test_the_markup_has_no_script_and_no_style_of_its_own() -> None:
    for tag, attributes in index():
        assert tag != "style" and "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert tag != "script" or attributes.get("src", "").startswith("/static/")


def test_ids_are_unique_and_every_reference_has_its_element() -> None:
    ids = [attributes["id"] for _, attributes in index() if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in index():
        for name in ("for", "aria-labelledby", "aria-describedby", "list"):
            assert set((attributes.get(name) or "").split()) <= set(ids), (name, attributes)
    used = {name for each in SCRIPTS for name in re.findall(r'find\("([\w-]+)"\)', (FOLDER / each).read_text("utf-8"))}
    made = {name for each in SCRIPTS for name in re.findall(r'\bid: "([\w-]+)"', (FOLDER / each).read_text("utf-8"))}
    fields = {"speed", "candidates", "max_tries", "pause"}
    assert used <= set(ids) | made | fields


def test_the_settings_that_the_page_offers_are_fields_of_a_request(served: Running) -> None:
    schema = served.get("/openapi.json").json["paths"]["/v1/audio/speech"]["post"]["requestBody"]
    declared = schema["content"]["application/json"]["schema"]["properties"]
    for name in ("speed", "candidates", "max_tries", "pause"):
        assert {"minimum", "maximum", "default"} <= set(declared[name])
    assert set(declared["delivery"]["anyOf"][0]["enum"]) == {"pieces", "parts", "whole"}


PRESETS = json.loads((FOLDER / "presets.json").read_text("utf-8"))


@pytest.mark.parametrize("preset", PRESETS, ids=[each["name"] for each in PRESETS])
def test_every_preset_is_a_chain_without_warnings(served: Running, preset: dict[str, Any]) -> None:
    chain = {stage: preset[stage] for stage in ("ar", "nar")}
    found = served.post("/v1/samplers/explain", {"samplers": chain})
    assert found.status == 200 and found.json["ar"]["warnings"] == found.json["nar"]["warnings"] == []
    assert preset["name"] and preset["about"].endswith(".")


# what will be said


def test_a_preview_tells_what_will_be_said(served: Running) -> None:
    found = served.post("/v1/audio/speech/preview", {"input": "It costs **$5**. [pause:2s] Fine."}).json
    assert found["spoken"] == "It costs five dollars. Fine."
    assert found["language"] == "en" and found["markup"] == "text" and found["unknown_phonemes"] == []
    first, second = found["parts"]
    assert (first["spoken"], first["pause"], second["pause"]) == ("It costs five dollars.", 2.0, None)
    assert first["text"] == "It costs $5." and first["span"][0] == 0
    assert 0.5 < found["seconds"] < 10


@pytest.mark.slow
def test_what_a_preview_tells_is_what_is_said(served: Running) -> None:
    text = "Dr. Smith paid 3 times, on <b>May</b> 5."
    preview = served.post("/v1/audio/speech/preview", {"input": text}).json
    answer = served.speak(text, seed=1)
    record = served.get(f"/v1/audio/records/{answer.headers['x-request-id']}").json
    assert (preview["spoken"], preview["phonemes"]) == (record["spoken"], record["phonemes"])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"), ({"input": ""}, "input"), ({"input": "…"}, "input"), ({"input": 3}, "input"),
        ({"input": "x" * 20_001}, "input"), ({"input": "Hello.", "language": "klingon"}, "language"),
        ({"input": "<speak><p>"}, "input"),
    ],
)  # fmt: skip
def test_a_preview_of_what_cannot_be_said_is_a_400(served: Running, body: dict[str, Any], param: str) -> None:
    answer = served.post("/v1/audio/speech/preview", body)
    assert answer.status == 400 and answer.error["param"] == param and "\n" not in answer.error["message"]


def test_a_preview_names_phonemes_that_the_model_does_not_know(served: Running) -> None:
    text = "Ich möchte Brötchen, danke schön."
    found = served.post("/v1/audio/speech/preview", {"input": text, "language": "de"}).json
    assert found["unknown_phonemes"] and found["language"] == "de"
    refused = served.speak(text, language="de")
    assert refused.status == 400 and found["unknown_phonemes"][0] in refused.error["message"]


def test_text_in_a_preview_comes_back_as_it_is(served: Running) -> None:
    found = served.post("/v1/audio/speech/preview", {"input": "2 < 3 & <script>alert(1)</script> done."})
    assert found.headers["content-type"] == "application/json" and found.status == 200


def test_models_tell_the_codec_s_rate(served: Running) -> None:
    assert {each["sample_rate"] for each in served.get("/v1/models").json["data"]} == {24_000}
