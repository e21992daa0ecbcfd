"""`vall-e models`: what is known, what is here, fetching it and checking it. The server is one on this machine."""

from __future__ import annotations

import hashlib
import json
import re
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from vall_e_core import ModelSource, Registry, hookimpl
from vall_e_core.cli import main
from vall_e_files import cached_model
from vall_e_models import REGISTRY, published

DATA, OTHER = b"weights" * 1_000, b"others!" * 1_000
SHA256 = hashlib.sha256(DATA).hexdigest()

pytestmark = pytest.mark.network


@dataclass(frozen=True)
class Done:
    """What one call of the program left."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Standard output, read as JSON."""
        return json.loads(self.out)


Run = Callable[..., Done]


@dataclass(frozen=True)
class Foreign(ModelSource):
    """A model of somebody else's plugin."""

    name = "foreign"

    def path(self, cache_dir: Path | None) -> Path | None:
        """In the cache, under the name that its address ends with."""
        found = cached_model(self.name, "far.sft", cache_dir)
        return found if found.is_file() else None


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache."""
    monkeypatch.setenv("VALL_E_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def run(web: Any, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """The program, with a registry file of our own beside the real one."""
    entry = {
        "title": "A model", "kind": "checkpoint", "license": "MIT", "page": "https://models.invalid", "file": "a.sft",
        "url": f"{web.url}/a%2Bb/a.sft", "sha256": SHA256, "size": len(DATA),
    }  # fmt: skip
    entries = [
        {**entry, "name": "sure-b-8"}, {**entry, "name": "unsure", "sha256": None, "size": None},
        {**entry, "name": "bare", "sha256": None}, {**entry, "name": "wrong", "sha256": "0" * 64},
        {**entry, "name": "lost", "url": f"{web.url}/none"},
    ]  # fmt: skip
    (tmp_path / "registry.json").write_text(json.dumps({"models": entries}))
    web.files = {"/a%2Bb/a.sft": DATA, "/x/far.sft?download=true": DATA}
    plugin = types.ModuleType("ours")

    @hookimpl
    def vall_e_models() -> Iterable[type[ModelSource]]:
        foreign = type("Far", (Foreign,), {"__doc__": "Far.", "url": f"{web.url}/x/far.sft?download=true"})
        return [*published(tmp_path / "registry.json"), foreign]

    plugin.vall_e_models = vall_e_models  # type: ignore[attr-defined]
    registry = Registry.load(third_party=False)
    registry.register(plugin, name="ours")

    def call(*args: str, code: int = 0) -> Done:
        capfd.readouterr()
        found = main([*args], registry=registry)
        said = capfd.readouterr()
        assert found == code and "Traceback" not in said.err, said.err
        return Done(found, said.out, said.err)

    return call


def models(run: Run, *args: str, code: int = 0) -> Done:
    return run("models", *args, code=code)


def place(home: Path, name: str, file: str = "a.sft") -> Path:
    return home / "models" / name / file


def test_list_shows_what_is_known_and_what_is_here(run: Run, home: Path) -> None:
    known = {each["name"]: each for each in models(run, "list", "--json").json()}
    assert {"ar-nar-len-llama-8", "encodec-24khz", "vocos-encodec-24khz", "sure-b-8", "mini", "foreign"} <= set(known)
    assert known["sure-b-8"]["path"] is None and known["sure-b-8"]["place"] == str(place(home, "sure-b-8"))
    assert known["unsure"]["sha256"] is None and known["encodec-24khz"]["purpose"] == "codec"
    assert [name for name, each in known.items() if each["default"]] == ["mini"]
    models(run, "download", "sure-b-8")
    lines = {line.split()[0]: line for line in models(run, "list").out.splitlines() if line}
    assert "  here  A model" in lines["sure-b-8"] and "? MB" in lines["unsure"]
    assert "494 MB" in lines["ar-nar-len-llama-8"]
    assert f"cache: {home}" in models(run, "list").out


def test_info_says_all_that_is_known(run: Run, home: Path) -> None:
    said = models(run, "info", "unsure").out
    assert re.search(r"sha256: +not known", said) and re.search(r"license: *MIT", said)
    assert f"not on this machine (goes to {place(home, 'unsure')})" in said
    assert SHA256 in models(run, "info", "sure+b-8").out
    assert "packaged: nothing to download" in models(run, "info", "mini").out
    facts = models(run, "info", "ar+nar-len-llama-8", "--json").json()
    assert facts["name"] == "ar-nar-len-llama-8" and facts["size"] == 493_527_784 and facts["license"] == "AGPL-3.0"


@pytest.mark.parametrize("command", ["info", "download", "path", "verify"])
def test_a_model_nobody_knows(run: Run, command: str) -> None:
    assert "no such model: nope" in models(run, command, "nope", code=4).err


@pytest.mark.parametrize("name", ["sure-b-8", "sure+b-8", "Sure+B-8", "sure_b-8"])
def test_download_prints_where_the_file_lies(run: Run, home: Path, name: str) -> None:
    assert "vall-e models download sure-b-8" in models(run, "path", name, code=4).err
    done = models(run, "download", name)
    assert done.out == f"{place(home, 'sure-b-8')}\n" and done.err == ""
    assert place(home, "sure-b-8").read_bytes() == DATA
    assert models(run, "path", name).out == done.out
    assert models(run, "verify", name).out.startswith("sure-b-8: ok")


def test_download_as_json(run: Run, home: Path, web: Any) -> None:
    expected = {"name": "bare", "path": str(place(home, "bare"))}
    assert models(run, "download", "bare", "--json").json() == {**expected, "fetched": True}
    assert run("--json", "models", "download", "bare").json() == {**expected, "fetched": False}
    assert len(web.asked) == 1


def test_a_cut_download_is_taken_up_again(run: Run, home: Path, web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vall_e_models.download.time.sleep", lambda seconds: None)
    web.cuts = [1_000] * 4
    done = models(run, "download", "sure-b-8", code=4)
    assert "was interrupted 4 times" in done.err and "4000 of 7000" in done.err and "to resume" in done.err
    assert not place(home, "sure-b-8").exists()
    models(run, "download", "sure-b-8")
    assert place(home, "sure-b-8").read_bytes() == DATA and web.asked[-1]["Range"] == "bytes=4000-"


def test_a_wrong_file_is_never_kept(run: Run, home: Path) -> None:
    done = models(run, "download", "wrong", code=4)
    assert "isn't the expected file" in done.err and SHA256 in done.err
    assert [each.name for each in place(home, "wrong").parent.iterdir() if not each.name.endswith(".lock")] == []
    assert "404" in models(run, "download", "lost", code=4).err


def test_force_never_loses_the_good_file(run: Run, home: Path, web: Any) -> None:
    """Regression: the old file was deleted before the new one was there."""
    models(run, "download", "sure-b-8")
    web.files["/a%2Bb/a.sft"] = OTHER
    models(run, "download", "sure-b-8", "--force", code=4)
    web.statuses = [404]
    models(run, "download", "sure-b-8", "--force", code=4)
    models(run, "download", "sure-b-8", "--force", "--offline", code=4)
    assert models(run, "verify", "sure-b-8").out.startswith("sure-b-8: ok")
    web.files["/a%2Bb/a.sft"] = DATA
    assert models(run, "download", "sure-b-8", "--force", "--json").json()["fetched"] is True


def test_offline_refuses(run: Run, web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    done = models(run, "download", "sure-b-8", "--offline", code=4)
    assert "--offline was given" in done.err and "put the file at" in done.err
    monkeypatch.setenv("VALL_E_OFFLINE", "1")
    assert "VALL_E_OFFLINE is set" in models(run, "download", "sure-b-8", code=4).err
    assert web.asked == []


def test_only_download_asks_anything(run: Run, web: Any) -> None:
    models(run, "download", "sure-b-8")
    for command in (["list"], ["info", "sure-b-8"], ["path", "sure-b-8"], ["verify"], ["verify", "sure-b-8"]):
        models(run, *command)
    assert len(web.asked) == 1


def test_what_cannot_be_checked_is_said(run: Run, home: Path, web: Any) -> None:
    """The file is then held against what was downloaded, as `sha256sum -c` would."""
    assert "publisher's hash isn't known" in models(run, "download", "unsure").err
    file = place(home, "unsure")
    assert file.with_name("a.sft.sha256").read_text() == f"{SHA256}  a.sft\n"
    assert models(run, "verify", "unsure").out.startswith("unsure: unchanged")
    file.write_bytes(OTHER)
    done = models(run, "verify", "unsure", code=4)
    assert done.out.startswith("unsure: damaged") and "vall-e models download --force unsure" in done.err
    web.files["/a%2Bb/a.sft"] = OTHER
    models(run, "download", "unsure", "--force")
    assert models(run, "verify", "unsure").out.startswith("unsure: unchanged")


@pytest.mark.parametrize("note", [None, "", "123  a.sft\n", "x" * 64])
def test_verify_without_anything_to_go_by(run: Run, home: Path, note: str | None) -> None:
    file = place(home, "unsure")
    file.parent.mkdir(parents=True)
    file.write_bytes(DATA)
    if note is not None:
        file.with_name("a.sft.sha256").write_text(note)
    assert models(run, "verify", "unsure", "--json").json()[0]["status"] == "unknown"


def test_a_download_that_replaces_a_file_of_the_wrong_size_notes_its_own_hash(run: Run, home: Path) -> None:
    """Regression: the note of the file before stayed, and the new one was called damaged."""
    file = place(home, "bare")
    file.parent.mkdir(parents=True)
    file.write_bytes(b"short")
    file.with_name("a.sft.sha256").write_text(f"{'1' * 64}  a.sft\n")
    models(run, "download", "bare")
    assert models(run, "verify", "bare").out.startswith("bare: unchanged")


@pytest.mark.parametrize(("content", "says"), [(OTHER, "expected " + SHA256), (b"short", "5 bytes, expected 7000")])
def test_verify_finds_damage(run: Run, home: Path, content: bytes, says: str) -> None:
    for name in ("sure-b-8", "bare"):
        models(run, "download", name)
    place(home, "sure-b-8").write_bytes(content)
    done = models(run, "verify", "--json", code=4)
    assert {each["name"]: each["status"] for each in done.json() if each["name"] != "mini"} == {
        "sure-b-8": "damaged", "bare": "unchanged",
    }  # fmt: skip
    assert says in done.out and "damaged: sure-b-8" in done.err
    models(run, "download", "sure-b-8")
    assert models(run, "verify", "sure-b-8").out.startswith("sure-b-8: ok")
    assert "isn't on this machine" in models(run, "verify", "wrong", code=4).err


def test_a_model_of_another_plugin(run: Run, home: Path) -> None:
    """Regression: it was called packaged, and could not be downloaded."""
    assert models(run, "download", "foreign").out == f"{place(home, 'foreign', 'far.sft')}\n"
    assert models(run, "path", "foreign").out == f"{place(home, 'foreign', 'far.sft')}\n"


def test_a_packaged_model_needs_no_download(run: Run, web: Any) -> None:
    if models(run, "info", "mini", "--json").json()["path"] is None:
        assert "install vall-e again" in models(run, "download", "mini", code=4).err
    else:
        assert "packaged" in models(run, "download", "mini").err
    assert web.asked == []


ENTRIES: list[dict[str, Any]] = json.loads(REGISTRY.read_text("utf-8"))["models"]


@pytest.mark.parametrize("entry", ENTRIES, ids=[each["name"] for each in ENTRIES])
def test_the_registrys_entries_can_be_true(entry: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entry["name"]) and entry["license"] and entry["title"]
    address = urlsplit(entry["url"])
    assert address.scheme == "https" and address.hostname in ("huggingface.co", "dl.fbaipublicfiles.com")
    assert unquote(address.path).endswith(f"/{entry['file']}")
    assert entry["sha256"] is None or re.fullmatch("[0-9a-f]{64}", entry["sha256"])
    assert entry["size"] is None or 10_000_000 < entry["size"] < 2_000_000_000
    assert entry["kind"] in ("checkpoint", "codec") and urlsplit(entry["page"]).scheme == "https"
    if entry["kind"] == "checkpoint":  # its author replaces files in place: only a revision stays what it is
        assert re.match(r"/ecker/vall-e/resolve/[0-9a-f]{40}/models/ckpt/", address.path)


def test_the_codecs_look_where_the_downloads_go() -> None:
    import vall_e_encodec.codec
    import vall_e_vocos.codec

    known = {each["name"]: each for each in ENTRIES}
    assert len(known) == len(ENTRIES)
    encodec, vocos = vall_e_encodec.codec, vall_e_vocos.codec
    assert known[encodec.MODEL_NAME]["file"] == encodec.OFFICIAL
    assert known[encodec.MODEL_NAME]["sha256"] == encodec.SHA256
    assert encodec.SHA256.startswith(Path(encodec.OFFICIAL).stem.split("-")[-1])
    assert known[encodec.SAFETENSORS[0]]["file"] == encodec.SAFETENSORS[1]
    assert (known[vocos.MODEL_NAME]["file"], known[vocos.MODEL_NAME]["sha256"]) == (vocos.FILE, vocos.SHA256)


@pytest.mark.parametrize("name", [each["name"] for each in ENTRIES])
def test_j4_what_can_be_fetched_is_pinned_by_its_hash_and_says_its_license(run: Run, name: str) -> None:
    facts = models(run, "info", name, "--json").json()
    assert re.fullmatch("[0-9a-f]{64}", facts["sha256"]), "nothing could tell a wrong file from the right one"
    assert facts["license"] and urlsplit(facts["page"]).scheme == "https"
    if facts["purpose"] == "checkpoint":
        assert facts["size"] > 10_000_000


@pytest.mark.parametrize("name", [each["name"] for each in ENTRIES])
def test_j4_verify_knows_another_file_under_a_models_name(run: Run, home: Path, name: str) -> None:
    path = Path(models(run, "info", name, "--json").json()["place"])
    path.parent.mkdir(parents=True)
    path.write_bytes(OTHER)
    done = models(run, "verify", name, code=4)
    assert name in done.out + done.err and "damaged" in done.out + done.err
