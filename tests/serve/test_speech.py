"""`POST /v1/audio/speech`: formats, deliveries, fields, and that equal requests give equal bytes."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from vall_e_tts import VallE

from .running import Running

TEXT = "The birch canoe slid."
ROOT = Path(__file__).parents[2]
TYPES = {
    "mp3": "audio/mpeg", "opus": "audio/ogg; codecs=opus", "flac": "audio/flac", "wav": "audio/wav",
    "pcm": "audio/pcm;rate=24000",
}  # fmt: skip


def seconds(body: bytes) -> float:
    samples, rate = soundfile.read(io.BytesIO(body))
    return len(samples) / rate


def record_of(served: Running, request: str) -> dict[str, Any]:
    found = served.get(f"/v1/audio/records/{request}")
    assert found.status == 200
    return dict(found.json)


@pytest.mark.slow
@pytest.mark.parametrize("format", TYPES)
def test_each_format_is_what_was_asked_for_and_lasts_as_long_as_the_record_says(served: Running, format: str) -> None:
    answer = served.speak(TEXT, response_format=format, seed=3, voice="alloy", model="tts-1")
    assert (answer.status, answer.headers["content-type"]) == (200, TYPES[format])
    assert answer.headers["x-valle-seed"] == "3" and answer.headers["cache-control"] == "no-store"
    record = record_of(served, answer.headers["x-request-id"])
    assert record["seed"] == 3 and record["text"] == TEXT
    length = len(answer.body) / 48_000 if format == "pcm" else seconds(answer.body)
    assert length == pytest.approx(record["duration"], abs=0.15 if format == "mp3" else 0.1)
    whole = format in ("wav", "flac")
    assert ("content-length" in answer.headers) == whole
    assert (answer.headers.get("transfer-encoding") == "chunked") != whole


@pytest.mark.slow
def test_a_whole_wav_says_exactly_how_long_it_is_and_nothing_follows_its_samples(served: Running) -> None:
    body = served.speak(TEXT, seed=3).body
    assert int.from_bytes(body[4:8], "little") == len(body) - 8
    assert int.from_bytes(body[40:44], "little") == len(body) - 44


@pytest.mark.slow
def test_a_streamed_wav_says_that_its_length_is_unknown(served: Running) -> None:
    answer = served.speak(TEXT, seed=3, stream_format="audio")
    assert answer.body[4:8] == answer.body[40:44] == b"\xff\xff\xff\xff"
    assert "content-length" not in answer.headers


@pytest.mark.slow
def test_it_is_the_speech_of_the_engine_itself(served: Running, engine: VallE) -> None:
    samples, rate = soundfile.read(io.BytesIO(served.speak(TEXT, seed=5, samplers=["top-p:0.8"]).body), dtype="int16")
    made = engine.synthesize(TEXT, voice="heart", seed=5, ar=["top-p:0.8"])
    assert rate == made.sample_rate
    assert np.array_equal(samples, np.round(np.clip(made.wave, -1, 1) * 32767).astype(np.int16))


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [{"response_format": each} for each in TYPES] + [{"stream_format": "sse", "response_format": "opus"}],
)
def test_equal_requests_give_equal_bytes(served: Running, fields: dict[str, object]) -> None:
    assert served.speak(TEXT, seed=7, **fields).body == served.speak(TEXT, seed=7, **fields).body


@pytest.mark.slow
def test_without_a_seed_one_is_drawn_and_told(served: Running) -> None:
    first = served.speak(TEXT)
    again = served.speak(TEXT, seed=int(first.headers["x-valle-seed"]))
    assert first.body == again.body


@pytest.mark.slow
def test_events_carry_the_sound_and_end_with_the_usage(served: Running) -> None:
    answer = served.speak(TEXT, seed=3, stream_format="sse", response_format="pcm")
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = answer.body.decode().split("\n\n")
    assert lines[-1] == "" and all(line.startswith("data: ") for line in lines[:-1])
    events = [json.loads(line[6:]) for line in lines[:-1]]
    *deltas, done = events
    assert len(deltas) > 1 and {each["type"] for each in deltas} == {"speech.audio.delta"}
    assert done["type"] == "speech.audio.done"
    assert done["usage"]["total_tokens"] == done["usage"]["input_tokens"] + done["usage"]["output_tokens"]
    sound = b"".join(base64.b64decode(each["audio"]) for each in deltas)
    assert sound == served.speak(TEXT, seed=3, response_format="pcm").body


@pytest.mark.slow
def test_speed_sample_rate_and_candidates(served: Running) -> None:
    plain, fast = served.speak(TEXT, seed=3), served.speak(TEXT, seed=3, speed=2)
    assert seconds(fast.body) == pytest.approx(seconds(plain.body) / 2, rel=0.15)
    assert soundfile.info(io.BytesIO(served.speak(TEXT, seed=3, sample_rate=8000).body)).samplerate == 8000
    several = served.speak(TEXT, seed=3, candidates=2)
    record = record_of(served, several.headers["x-request-id"])
    assert len(record["parts"][0]["candidates"]) == 2


@pytest.mark.slow
def test_a_recording_in_the_request_is_the_voice(served: Running) -> None:
    data = base64.b64encode((ROOT / "examples" / "heart.wav").read_bytes()).decode()
    body = {"input": TEXT, "ref_audio": f"data:audio/wav;base64,{data}", "seed": 3, "response_format": "wav"}
    answer = served.post("/v1/audio/speech", body)
    assert answer.status == 200 and seconds(answer.body) > 0.8


@pytest.mark.slow
def test_words_are_said_as_the_lexicon_of_the_request_says(served: Running) -> None:
    lexicon = {"gif": "/dʒˈɪf/", "Nguyen": "win"}
    body = {"input": "A gif for Nguyen.", "lexicon": lexicon}
    preview = served.post("/v1/audio/speech/preview", body).json["parts"][0]
    plain = served.post("/v1/audio/speech/preview", {"input": body["input"]}).json["parts"][0]
    assert "dʒˈɪf" in preview["phonemes"] != plain["phonemes"] and "win" in preview["spoken"]
    answer = served.speak(body["input"], seed=3, lexicon=lexicon)
    assert answer.status == 200
    record = record_of(served, answer.headers["x-request-id"])
    assert record["phonemes"] == preview["phonemes"]
    assert served.speak(body["input"], seed=3, lexicon=None).body != answer.body


def test_voices_may_be_objects_and_unknown_fields_are_named(served: Running) -> None:
    answer = served.speak(TEXT, seed=3, voice={"id": "heart"}, instructions="Be kind.", lang_code="a")
    assert answer.status == 200
    assert answer.headers["x-valle-ignored"] == "instructions, lang_code"


@pytest.mark.slow
def test_a_trace_is_kept_where_it_was_asked_for(served: Running) -> None:
    asked, plain = served.speak(TEXT, seed=3, trace=True), served.speak(TEXT, seed=3)
    path = "/v1/audio/records/{}/trace"
    lines = served.get(path.format(asked.headers["x-request-id"])).json["data"]
    assert len(lines) > 50
    assert served.get(path.format(plain.headers["x-request-id"])).status == 404
    assert asked.body == plain.body


def test_records_hold_no_path_of_the_server(served: Running) -> None:
    answer = served.speak(TEXT, seed=3)
    text = json.dumps(record_of(served, answer.headers["x-request-id"]))
    assert str(ROOT) not in text and "/site-packages" not in text and '"/' not in text


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ""}, "input"), ({"input": "..."}, "input"), ({"input": 5}, "input"),
        ({"input": "x" * 20_001}, "input"),
        ({"speed": 0.2}, "speed"), ({"speed": "1"}, "speed"), ({"speed": True}, "speed"), ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"), ({"response_format": "ogg"}, "response_format"), ({"candidates": 5}, "candidates"),
        ({"sample_rate": 7999}, "sample_rate"), ({"response_format": "opus", "sample_rate": 44_100}, "sample_rate"),
        ({"samplers": "top-p:0.9"}, "samplers"), ({"samplers": ["top-q"]}, "samplers"),
        ({"samplers": ["top-p:7"]}, "samplers"), ({"samplers": {"stt": []}}, "samplers"),
        ({"samplers": ["temperature:1"] * 40}, "samplers"), ({"samplers": [None]}, "samplers"),
        ({"voice": None}, "voice"), ({"voice": "nobody"}, "voice"), ({"voice": {"name": "heart"}}, "voice"),
        ({"delivery": "slow"}, "delivery"), ({"ref_audio": "data:,"}, "ref_audio"),
        ({"lexicon": "gif: jif"}, "lexicon"), ({"lexicon": {"gif": 5}}, "lexicon"),
        ({"lexicon": {"gif": ""}}, "lexicon"), ({"lexicon": {"...": "dots"}}, "lexicon"),
        ({"lexicon": {"gif": "/dʒɪf"}}, "lexicon"),
        ({"lexicon": {"g" * 101: "jif"}}, "lexicon"), ({"lexicon": {"gif": "jif" * 101}}, "lexicon"),
        ({"lexicon": {f"word{n}": "x" for n in range(1001)}}, "lexicon"),
        ({"lexicon": {"a b": "x", "a  b": "y"}}, "lexicon"),
    ],
)  # fmt: skip
def test_what_can_t_be_meant_is_a_400_that_names_the_field(
    served: Running, fields: dict[str, object], param: str
) -> None:
    answer = served.speak(**{"text": TEXT, **fields}) if "input" not in fields else served.post(
        "/v1/audio/speech", {"voice": "heart", **fields}
    )  # fmt: skip
    assert answer.status == 400
    assert answer.error["param"] == param and answer.error["type"] == "invalid_request_error"
    assert "\n" not in answer.error["message"]


def test_an_unknown_language_says_which_are_known(served: Running) -> None:
    answer = served.speak(TEXT, language="xx")
    assert answer.status == 400 and "xx" in answer.error["message"]


def test_an_unknown_model_is_a_404(served: Running) -> None:
    answer = served.speak(TEXT, model="gpt-9")
    assert answer.status == 404 and answer.error["code"] == "model_not_found"
