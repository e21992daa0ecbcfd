"""Fetching a file: whole and checked under its name, or not there at all. The server is one on this machine."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from vall_e_files import offline_variable
from vall_e_models.download import DownloadError, fetch

ROOT = Path(__file__).parents[2]
DATA = random.Random(0).randbytes(700_000)  # several blocks
OTHER = random.Random(1).randbytes(700_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
NAME = "model.sft"

pytestmark = pytest.mark.network


@pytest.fixture
def place(web: Any, tmp_path: Path) -> Path:
    """Where the download goes; the server has the file."""
    web.files[f"/{NAME}"] = DATA
    return tmp_path / "models" / NAME


def get(web: Any, place: Path, **settings: Any) -> bool:
    return fetch(f"{web.url}/{NAME}", place, **{"pause": 0.0, "attempts": 2, "timeout": 5.0, **settings})


def failed(web: Any, place: Path, **settings: Any) -> DownloadError:
    with pytest.raises(DownloadError) as caught:
        get(web, place, **settings)
    assert caught.value.exit_code == 4
    return caught.value


def left(place: Path) -> list[str]:
    """What lies beside the file, but for the lock."""
    if not place.parent.is_dir():
        return []
    return sorted(each.name for each in place.parent.iterdir() if not each.name.endswith(".lock"))


def test_a_whole_file_is_fetched_once(web: Any, place: Path) -> None:
    told: list[tuple[int, int | None]] = []
    assert get(web, place, sha256=SHA256, size=len(DATA), progress=lambda *step: told.append(step)) is True
    assert place.read_bytes() == DATA and left(place) == [NAME]
    assert told == sorted(told) and told[-1] == (len(DATA), len(DATA)) and len(told) > 1
    assert get(web, place, sha256=SHA256[:8].upper()) is False and len(web.asked) == 1


def test_a_file_that_is_not_the_expected_one_is_fetched_again(web: Any, place: Path) -> None:
    place.parent.mkdir()
    place.write_bytes(OTHER)
    assert get(web, place, sha256=SHA256) is True and place.read_bytes() == DATA


@pytest.mark.parametrize("calls", [1, 2])
def test_a_cut_transfer_goes_on_where_it_stopped(web: Any, place: Path, calls: int) -> None:
    """By itself, and by the next call."""
    web.cuts = [300_000]
    if calls == 2:
        error = failed(web, place, attempts=1)
        assert "was interrupted" in error.message and "300000 of 700000" in str(error.cause) and not place.exists()
    get(web, place, sha256=SHA256)
    assert place.read_bytes() == DATA and left(place) == [NAME] and len(web.asked) == 2
    assert (web.asked[1]["Range"], web.asked[1]["If-Range"]) == ("bytes=300000-", '"one"')


def test_it_goes_on_as_often_as_it_takes(web: Any, place: Path) -> None:
    web.cuts = [100_000] * 5
    get(web, place, attempts=6)
    assert place.read_bytes() == DATA and [each.get("Range") for each in web.asked][-1] == "bytes=500000-"


def test_a_server_that_gives_no_parts_gives_the_whole_again(web: Any, place: Path) -> None:
    web.cuts, web.ranges = [300_000], False
    told: list[tuple[int, int | None]] = []
    get(web, place, size=len(DATA), progress=lambda *step: told.append(step))
    assert place.read_bytes() == DATA and left(place) == [NAME] and told[-1] == (len(DATA), len(DATA))


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}])
def test_without_a_sure_mark_of_the_version_nothing_is_joined(
    web: Any, place: Path, headers: dict[str, str]
) -> None:
    web.cuts, web.headers, web.honest = [300_000], headers, False
    get(web, place)
    assert place.read_bytes() == DATA and "Range" not in web.asked[1]


@pytest.mark.parametrize("honest", [True, False])
@pytest.mark.parametrize("size", [700_000, 200_000])
def test_a_file_that_changed_meanwhile_is_not_joined_to_the_old(
    web: Any, place: Path, honest: bool, size: int
) -> None:
    """Whether the server looks at `If-Range` or sends the asked part of the new file all the same."""
    web.cuts = [300_000]
    failed(web, place, attempts=1)
    web.files[f"/{NAME}"], web.headers, web.honest = OTHER[:size], {"ETag": '"two"'}, honest
    get(web, place)
    assert place.read_bytes() == OTHER[:size] and left(place) == [NAME]


def test_a_part_of_another_address_is_not_gone_on_with(web: Any, place: Path) -> None:
    web.cuts = [300_000]
    failed(web, place, attempts=1)
    web.files["/other"] = OTHER
    fetch(f"{web.url}/other", place)
    assert place.read_bytes() == OTHER and "Range" not in web.asked[1]


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b'{"url": 3}', b"\xff\xfe"])
def test_a_part_whose_origin_is_unknown_is_not_gone_on_with(web: Any, place: Path, note: bytes) -> None:
    place.parent.mkdir()
    place.with_name(f".{NAME}.part").write_bytes(OTHER)
    place.with_name(f".{NAME}.part.json").write_bytes(note)
    get(web, place)
    assert place.read_bytes() == DATA and left(place) == [NAME]


@pytest.mark.parametrize("length", [True, False])
def test_a_wrong_hash_leaves_nothing(web: Any, place: Path, length: bool) -> None:
    web.length = length
    error = failed(web, place, sha256="0" * 64)
    assert "isn't the expected file" in error.message and SHA256 in str(error.cause) and "0" * 64 in str(error.cause)
    assert left(place) == [] and len(web.asked) == 1


@pytest.mark.parametrize("size", [699_999, 700_001])
@pytest.mark.parametrize("length", [True, False])
def test_a_wrong_size_leaves_nothing(web: Any, place: Path, size: int, length: bool) -> None:
    web.length = length
    error = failed(web, place, size=size)
    assert "isn't the expected file" in error.message and str(size) in str(error.cause)
    assert left(place) == [] and len(web.asked) == 1


def test_a_wrong_size_is_seen_before_the_transfer(web: Any, place: Path) -> None:
    told: list[int] = []
    failed(web, place, size=5, progress=lambda done, total: told.append(done))
    assert told == []


def test_an_error_page_is_no_file(web: Any, place: Path) -> None:
    del web.files[f"/{NAME}"]
    error = failed(web, place)
    assert "404" in error.message and str(place) in str(error.try_) and len(web.asked) == 1 and left(place) == []
    web.statuses = [403]
    assert "403" in failed(web, place).message


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_servers_trouble_is_waited_out(web: Any, place: Path, status: int) -> None:
    web.statuses = [status]
    get(web, place)
    assert place.read_bytes() == DATA
    web.statuses = [status, status]
    error = failed(web, place, force=True)
    assert str(status) in str(error.cause) and place.read_bytes() == DATA


def test_redirects_are_followed_with_the_part_that_is_missing(web: Any, place: Path) -> None:
    web.redirects, web.cuts = {f"/{NAME}": "/elsewhere"}, [300_000]
    web.files = {"/elsewhere": DATA}
    get(web, place)
    assert place.read_bytes() == DATA and web.asked[-1]["path"] == "/elsewhere"
    assert web.asked[-1]["Range"] == "bytes=300000-"


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/x", "file:///etc/passwd", "/around"])
def test_redirects_that_lead_nowhere_good_are_not_followed(web: Any, place: Path, target: str) -> None:
    web.redirects = {f"/{NAME}": target, "/around": f"/{NAME}"}
    failed(web, place)
    assert left(place) == []


def test_from_secure_to_insecure_is_not_followed() -> None:
    from http.client import HTTPMessage
    from urllib.request import Request

    from vall_e_models.download import _SafeRedirects

    with pytest.raises(DownloadError, match="redirects to"):
        _SafeRedirects().redirect_request(
            Request("https://127.0.0.1/"), io.BytesIO(), 302, "Found", HTTPMessage(), "http://127.0.0.1/"
        )


def test_nobody_answers(web: Any, tmp_path: Path) -> None:
    import socket

    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(DownloadError, match="was interrupted 2 times"):
            fetch(f"http://127.0.0.1:{unused.getsockname()[1]}/x", tmp_path / "x", attempts=2, pause=0)
    with pytest.raises(DownloadError, match="not an http or https address"):
        fetch("file:///etc/passwd", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_server_that_falls_silent_is_given_up(web: Any, place: Path) -> None:
    web.open.clear()
    began = time.monotonic()
    assert "timed out" in str(failed(web, place, timeout=0.2).cause)
    assert time.monotonic() - began < 3 and not place.exists()


@pytest.mark.parametrize("known", [True, False])
def test_a_full_disk_leaves_nothing(web: Any, place: Path, known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen beforehand where the length is known, else when a write fails."""
    if known:
        usage = type("Usage", (), {"free": 1_000})
        monkeypatch.setattr("vall_e_models.download.shutil.disk_usage", lambda path: usage)
    else:

        def full(_file: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr("vall_e_models.download.os.fsync", full)
    error = failed(web, place)
    assert "no room" in error.message and "VALL_E_HOME" in str(error.try_) and left(place) == []


def test_a_place_that_cannot_be_written_is_named(web: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert "can't write" in failed(web, tmp_path / "file" / NAME).message and web.asked == []


def test_offline_refuses_and_says_why(web: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "--offline" in str(failed(web, place, offline=True).cause)
    for name in ("VALL_E_OFFLINE", "HF_HUB_OFFLINE"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "1")
            error = failed(web, place)
            assert name in str(error.cause) and str(place) in str(error.try_)
            patch.setenv(name, "off")
            assert offline_variable() is None
    assert web.asked == [] and left(place) == []
    get(web, place)
    assert get(web, place, offline=True) is False  # it is here already


def test_force_keeps_the_old_file_until_the_new_one_is_whole(web: Any, place: Path) -> None:
    get(web, place)
    web.files[f"/{NAME}"] = OTHER
    seen: list[bool] = []
    failed(web, place, force=True, sha256=SHA256)
    web.cuts = [300_000, 100_000]
    failed(web, place, force=True)
    assert place.read_bytes() == DATA
    get(web, place, force=True, progress=lambda done, total: seen.append(place.read_bytes() == DATA))
    assert all(seen) and seen and place.read_bytes() == OTHER and left(place) == [NAME]


def test_a_mirror_takes_the_place_of_the_host(web: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    web.files[f"/mirror/{NAME}"] = DATA
    monkeypatch.setenv("VALL_E_MODELS_URL", f"{web.url}/mirror/")
    fetch(f"https://models.invalid/{NAME}", place)
    assert place.read_bytes() == DATA


FETCH = """
import sys
from pathlib import Path
from vall_e_models.download import fetch
print(fetch(sys.argv[1], Path(sys.argv[2]), sha256=sys.argv[3], notify=lambda line: print(line, flush=True)))
"""


def start(web: Any, place: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", FETCH, f"{web.url}/{NAME}", str(place), SHA256]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def wait_for(condition: Any) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_two_processes_share_one_transfer(web: Any, place: Path) -> None:
    web.open.clear()
    first = start(web, place)
    wait_for(lambda: web.asked)
    second = start(web, place)
    assert second.stdout is not None and "another process is downloading" in second.stdout.readline()
    assert not place.exists()
    web.open.set()
    said = [process.communicate(timeout=30)[0].split() for process in (first, second)]
    assert said == [["True"], ["False"]] and first.returncode == second.returncode == 0
    assert place.read_bytes() == DATA and left(place) == [NAME] and len(web.asked) == 1


def test_a_killed_process_leaves_a_part_that_is_gone_on_with(web: Any, place: Path) -> None:
    """And no lock that nobody holds."""
    web.first = 300_000
    web.open.clear()
    process = start(web, place)
    part = place.with_name(f".{NAME}.part")
    wait_for(lambda: part.exists() and part.stat().st_size >= 262_144)
    process.kill()
    process.communicate()
    assert not place.exists()
    web.open.set()
    get(web, place, sha256=SHA256)
    assert place.read_bytes() == DATA and left(place) == [NAME] and int(web.asked[-1]["Range"][6:-1]) >= 262_144
