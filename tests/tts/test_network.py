"""`--model PATH` works with the network blocked and tries no connection; `models download` alone opens one."""


from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import soundfile

BLOCKED = """
import sys
attempts = []
def watch(event, args):
    if event.startswith(("socket.", "urllib.", "http.client", "ftplib", "smtplib")):
        attempts.append(event)
        raise OSError(f"the network is blocked: {event}")
sys.addaudithook(watch)
from vall_e_core.cli import main
code = main(sys.argv[1:])
sys.stderr.write(f"attempts: {len(attempts)} {attempts[:3]}\\n")
sys.stderr.flush()
sys.exit(code)
"""


@pytest.fixture
def blocked(environment: dict[str, str], tmp_path: Path) -> Any:
    """The program as a process of its own in which a connection fails, and is counted."""

    def run(*args: object) -> tuple[int, str, str]:
        """Exit code, standard output, and the last line of standard error."""
        command = [sys.executable, "-c", BLOCKED, *map(str, args)]
        there = {**environment, "VALL_E_HOME": str(tmp_path / "home"), "VALL_E_MODELS_URL": "http://127.0.0.1:9"}
        for name in ("VALL_E_OFFLINE", "HF_HUB_OFFLINE"):
            there.pop(name, None)
        done = subprocess.run(command, env=there, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr.splitlines()[-1]

    return run


@pytest.mark.slow
def test_c6_speaking_and_transcribing_open_no_connection(
    blocked: Any, model_path: Path, reference: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.wav"
    common = ("--model", model_path, "--device", "cpu")
    spoken = blocked(
        "tts", "hello there", reference, out, "--phonemizer", "letters", "--max-ar-steps", 20, "--seed", 1, *common
    )
    assert spoken[0] == 0 and spoken[2] == "attempts: 0 []" and soundfile.info(out).frames > 0
    code, said, last = blocked("stt", reference, *common)
    assert (code, last) == (0, "attempts: 0 []") and said.strip()


@pytest.mark.slow
def test_c6_a_model_that_is_missing_is_not_fetched(blocked: Any, reference: Path, tmp_path: Path) -> None:
    """Nor anything else, by the commands that only look."""
    out = tmp_path / "out.wav"
    missing = blocked("tts", "hello there", reference, out, "--model", "ar+nar-llama-8", "--phonemizer", "ipa")
    assert (missing[0], missing[2]) == (4, "attempts: 0 []")
    for words in (["models", "list"], ["models", "verify"], ["doctor"], ["plugins", "list"]):
        assert blocked(*words)[2] == "attempts: 0 []", words


def test_c6_download_is_what_connects(blocked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the watch above sees it."""
    monkeypatch.setattr(sys.modules[__name__], "BLOCKED", f"import time; time.sleep = lambda s: None\n{BLOCKED}")
    code, _, last = blocked("models", "download", "encodec-24khz")
    assert code == 4 and not last.startswith("attempts: 0")


@pytest.mark.slow
def test_c6_no_library_counts_its_users(tmp_path: Path) -> None:
    """Regression: ONNX Runtime noted each user in the home folder and had a queue of events to send, from code that the
    watch above doesn't see."""
    pytest.importorskip("onnxruntime")
    environment = {**os.environ, "HOME": str(tmp_path / "home"), "VALL_E_HOME": str(tmp_path / "cache")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    (tmp_path / "home").mkdir()
    command = [sys.executable, "-m", "vall_e_core", "tts", "Hi.", "--voice", "heart", "--engine", "onnx"]
    out = str(tmp_path / "out.wav")
    subprocess.run([*command, "--device", "cpu", "-q", "-o", out], env=environment, check=True)
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("before", "code"),
    [
        (("stt",), 3), (("tts", "Yes.", "--ref"), 3), (("tts", "--voice", "tim", "--file"), 3),
        (("tts", "Yes.", "--voice", "tim", "--lexicon"), 3), (("tts", "Yes.", "--voice", "tim", "--model"), 4),
    ],
)  # fmt: skip
@pytest.mark.network
@pytest.mark.parametrize("address", ["{url}/x.wav", "file://{path}", "http://169.254.169.254/latest"])
def test_h4_an_address_is_no_path_and_nobody_is_asked_for_it(
    cli: Any, web: Any, reference: Path, model_path: Path, tmp_path: Path, before: tuple[str, ...], code: int,
    address: str,
) -> None:  # fmt: skip
    web.files["/x.wav"] = reference.read_bytes()
    given = address.format(url=web.url, path=reference)
    more = [] if "--model" in before else ["--model", model_path]
    out = [] if before == ("stt",) else ["-o", tmp_path / "out.wav", "--phonemizer", "letters"]
    done = cli(*before, given, *more, *out, code=code)
    shown = given if given.startswith("http") else str(Path(given))
    assert "no such" in done.stderr and shown in done.stderr
    assert web.asked == [] and not (tmp_path / "out.wav").exists()
