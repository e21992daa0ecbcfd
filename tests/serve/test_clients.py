"""Clients that others wrote, and requests as well-known programs send them."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import soundfile

from .running import Answer, Running, running

ROOT = Path(__file__).parents[2]
WAV = ROOT / "examples" / "heart.wav"
TEXT = "The birch canoe slid."

# curl and ffprobe, where they are installed


def curl(*arguments: str) -> bytes:
    if shutil.which("curl") is None:
        pytest.skip("curl isn't installed")
    return subprocess.run(["curl", "-sS", "--max-time", "60", *arguments], capture_output=True, check=True).stdout


def probed(path: Path) -> dict[str, Any]:
    """What ffprobe says of a file."""
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe isn't installed")
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_format", "-show_streams", str(path)]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stderr == b""
    return dict(json.loads(done.stdout))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format", "codec"), [("mp3", "mp3"), ("opus", "opus"), ("flac", "flac"), ("wav", "pcm_s16le"), ("aac", "aac")]
)
def test_what_curl_fetches_is_what_ffprobe_expects(served: Running, tmp_path: Path, format: str, codec: str) -> None:
    if format == "aac":
        pytest.importorskip("av", reason="the extra media isn't installed")
    body = json.dumps({"input": TEXT, "voice": "alloy", "model": "tts-1", "response_format": format, "seed": 3})
    head, file = tmp_path / "head", tmp_path / "sound"
    curl(
        "-D", str(head), "-o", str(file), f"{served.url}/v1/audio/speech", "-H", "Content-Type: application/json",
        "-d", body,
    )  # fmt: skip
    (request,) = [line.split()[1] for line in head.read_text().splitlines() if line.startswith("x-request-id")]
    record = served.get(f"/v1/audio/records/{request}").json
    found = probed(file)
    assert found["streams"][0]["codec_name"] == codec
    length = float(found["format"]["duration"])
    assert length == pytest.approx(record["duration"], abs=0.15 if format in ("mp3", "aac") else 0.1)


@pytest.mark.slow
def test_curl_uploads_a_recording(served: Running) -> None:
    heard = curl(f"{served.url}/v1/audio/transcriptions", "-F", f"file=@{WAV}", "-F", "model=whisper-1")
    assert len(json.loads(heard)["text"]) > 10
    made = curl(
        f"{served.url}/v1/audio/voices", "-F", "name=curl", "-F", "consent=mine", "-F", f"audio_sample=@{WAV}"
    )  # fmt: skip
    assert json.loads(made)["id"] == "curl"
    assert json.loads(curl("-X", "DELETE", f"{served.url}/v1/audio/voices/curl"))["deleted"]


# requests as programs send them; the programs themselves aren't run


@pytest.mark.slow
def test_as_open_webui_asks(registry: Any, engine: Any) -> None:
    """Lists without a key, and a whole mp3."""
    from vall_e_serve.keys import load_keys

    key = "k" * 20
    keys = load_keys(None, {"VALL_E_API_KEYS": f"ui:{key}"})
    with running(registry, lambda: engine, keys=keys, public_lists=True) as server:
        voices = server.get("/v1/audio/voices").json["voices"]
        assert all(each["id"] and each["name"] for each in voices)
        assert all(each["id"] for each in server.get("/v1/audio/models").json["models"])
        body = {"model": "tts-1", "input": TEXT, "voice": voices[0]["id"]}
        answer = server.post("/v1/audio/speech", body, {"Authorization": f"Bearer {key}"})
        assert answer.headers["content-type"] == "audio/mpeg" and sounds(answer)
        wrong = server.post("/v1/audio/speech", {**body, "voice": "none"}, {"Authorization": f"Bearer {key}"})
        assert "no voice is called" in wrong.json["error"]["message"]


@pytest.mark.slow
def test_as_sillytavern_asks(served: Running) -> None:
    """Always mp3, from its own back end, with a voice that somebody typed."""
    body = {"input": TEXT, "response_format": "mp3", "voice": "alloy", "speed": 1, "model": "tts-1"}
    headers = {"Authorization": "Bearer undefined", "User-Agent": "node-fetch/1.0", "Accept": "*/*"}
    assert sounds(served.post("/v1/audio/speech", body, headers))
    typed = served.post("/v1/audio/speech", {**body, "voice": "Aloy"}, headers)
    assert typed.status == 400 and "Aloy" in typed.error["message"]


@pytest.mark.slow
def test_as_components_of_home_assistant_ask(served: Running) -> None:
    """`openai_tts`: a key that isn't one, mp3 by default, speed as a number, instructions."""
    body = {"model": "tts-1", "input": TEXT, "voice": "shimmer", "response_format": "mp3", "speed": 1.0}
    body["instructions"] = ""
    headers = {"Authorization": "Bearer sk-1", "User-Agent": "HomeAssistant/2026.11 aiohttp/3.13 Python/3.13"}
    assert sounds(served.post("/v1/audio/speech", body, headers))
    wav = served.post("/v1/audio/speech", {**body, "response_format": "wav"}, headers)
    assert int.from_bytes(wav.body[40:44], "little") == len(wav.body) - 44


def sounds(answer: Answer) -> bool:
    samples, _ = soundfile.read(io.BytesIO(answer.body))
    return answer.status == 200 and len(samples) > 10_000


# clients that need heavy packages


@pytest.fixture
def client(served: Running) -> Any:
    """OpenAI's own."""
    openai = pytest.importorskip("openai", reason="the extra test-clients isn't installed")
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=8) as made:
        yield made


@pytest.mark.slow
@pytest.mark.clients
@pytest.mark.parametrize("format", ["mp3", "opus", "flac", "wav", "pcm"])
def test_openai_speaks_whole(client: Any, served: Running, format: str) -> None:
    made = client.audio.speech.create(
        model="tts-1", voice="nova", input=TEXT, response_format=format, extra_body={"seed": 3}
    )
    assert made.content == served.speak(TEXT, voice="nova", response_format=format, seed=3).body


@pytest.mark.slow
@pytest.mark.clients
def test_openai_streams(client: Any, served: Running) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice={"id": "heart"}, input=TEXT, response_format="pcm", extra_body={"seed": 3}
    ) as response:
        pieces = list(response.iter_bytes())
        assert response.headers["x-valle-seed"] == "3"
    assert len(pieces) > 2 and b"".join(pieces) == served.speak(TEXT, response_format="pcm", seed=3).body
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="heart", input=TEXT, stream_format="sse", response_format="pcm", extra_body={"seed": 3}
    ) as response:
        events = [json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: ")]
    assert events[-1]["type"] == "speech.audio.done"
    assert b"".join(base64.b64decode(each["audio"]) for each in events[:-1]) == b"".join(pieces)


@pytest.mark.slow
@pytest.mark.clients
def test_openai_hears_lists_and_makes_voices(client: Any, served: Running) -> None:
    heard = client.audio.transcriptions.create(model="whisper-1", file=WAV)
    assert len(heard.text) > 10
    told = client.audio.transcriptions.create(
        model="whisper-1", file=WAV, response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )  # fmt: skip
    assert told.text == heard.text and told.words and told.segments
    events = list(client.audio.transcriptions.create(model="whisper-1", file=WAV, stream=True))
    assert events[-1].type == "transcript.text.done" and events[-1].text == heard.text
    assert "tts-1" in [each.id for each in client.models.list()]
    assert client.models.retrieve("tts-1").id == "tts-1"
    made = client.post(
        "/audio/voices", cast_to=object, body={"name": "client", "consent": "mine"},
        files={"audio_sample": ("x.wav", WAV.read_bytes())},
        options={"headers": {"Content-Type": "multipart/form-data"}},
    )  # fmt: skip
    assert made["id"] == "client"
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="client", input=TEXT, response_format="wav", extra_body={"samplers": ["top-p:0.8"]}
    ) as response:
        assert len(response.read()) > 10_000
    assert served.ask("DELETE", "/v1/audio/voices/client").status == 200


@pytest.mark.slow
@pytest.mark.clients
def test_openai_raises_its_own_errors(client: Any) -> None:
    import openai

    for wrong, kind, param in (
        ({"voice": "nobody"}, openai.BadRequestError, "voice"), ({"speed": 9}, openai.BadRequestError, "speed"),
        ({"model": "gpt-9"}, openai.NotFoundError, "model"),
    ):  # fmt: skip
        with pytest.raises(kind) as caught:
            client.audio.speech.create(**{"model": "tts-1", "voice": "heart", "input": TEXT, **wrong})
        assert caught.value.param == param and caught.value.code and caught.value.type == "invalid_request_error"


@pytest.mark.clients
def test_the_python_on_the_page_of_the_server_runs(
    client: Any, served: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "serve.md").read_text("utf-8")
    code = page.partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    exec(compile(code.replace("http://127.0.0.1:8460", served.url), "docs/serve.md", "exec"), {})
    assert soundfile.info("hello.wav").duration > 0.3


@pytest.mark.clients
def test_livekit_reads_events_and_samples(served: Running) -> None:
    plugin = pytest.importorskip("livekit.plugins.openai", reason="the extra test-clients isn't installed")
    import asyncio

    import aiohttp  # noqa: F401 - comes with it

    async def heard(**options: Any) -> float:
        tts = plugin.TTS(base_url=f"{served.url}/v1", api_key="none", voice="alloy", **options)
        seconds = 0.0
        async for each in tts.synthesize(TEXT):
            seconds += each.frame.duration
            assert each.frame.sample_rate == 24_000
        await tts.aclose()
        return seconds

    usual = len(served.speak(TEXT, voice="alloy", response_format="pcm").body) / 48_000
    model = "gpt-4o-mini-tts"
    for options in ({"model": model}, {"model": model, "response_format": "pcm"}, {"model": "tts-1"}):
        assert asyncio.run(heard(**options)) == pytest.approx(usual, abs=1.0), options


@pytest.mark.clients
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # in its own imports
def test_pipecat_reads_samples(served: Running) -> None:
    pytest.importorskip("pipecat", reason="the extra test-clients isn't installed")
    import asyncio

    from pipecat.services.openai.tts import OpenAITTSService

    async def heard() -> tuple[int, set[int]]:
        service = OpenAITTSService(api_key="none", base_url=f"{served.url}/v1", voice="alloy", sample_rate=24_000)
        size, rates = 0, set()
        service._sample_rate = 24_000  # what a pipeline sets when it starts
        async for frame in service.run_tts(TEXT, "one"):
            audio = getattr(frame, "audio", None)
            if audio is not None:
                size += len(audio)
                rates.add(frame.sample_rate)
            assert not hasattr(frame, "error"), frame
        await service._client.close()  # a pipeline would leave it open
        return size, rates

    size, rates = asyncio.run(heard())
    assert rates == {24_000} and size > 24_000


@pytest.mark.clients
def test_schemathesis_finds_no_server_error(served: Running, tmp_path: Path) -> None:
    pytest.importorskip("schemathesis", reason="the extra test-clients isn't installed")
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{served.url}/openapi.json", "--max-examples", "40",
        "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
        "response_headers_conformance,unsupported_method,use_after_free",
        "--seed", "1", "--request-timeout", "60", "--workers", "1", "--no-color", "--max-failures", "5",
        "--phases", "examples,coverage,fuzzing,stateful",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
