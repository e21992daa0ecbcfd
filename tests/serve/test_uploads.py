"""Voices by upload and transcriptions: what is taken, what is refused, and that nothing stays behind."""

from __future__ import annotations

import io
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vall_e_core import Registry
from vall_e_tts import VallE
from vall_e_voices import VoiceFolder

from .running import Answer, Running, running

ROOT = Path(__file__).parents[2]
WAV = (ROOT / "examples" / "heart.wav").read_bytes()
Parts = list[tuple[str, str | None, bytes]]
HOSTILE = (
    "../x", "/etc/passwd", "C:\\x", "a\0b", "%2e%2e", "x" * 300, "․․/x", "con", ".hidden", "a/b", "..", "~root", "-x",
    "",
)  # fmt: skip


def add(served: Running, name: str = "mine", data: bytes = WAV, **fields: str) -> Answer:
    parts: Parts = [("name", None, name.encode()), ("consent", None, b"my own voice")]
    parts += [(key, None, value.encode()) for key, value in fields.items()]
    return served.send_form("/v1/audio/voices", [*parts, ("audio_sample", "x.wav", data)])


def coded(format: str, subtype: str | None = None, rate: int = 16_000, seconds: float | None = None) -> bytes:
    samples, found = soundfile.read(io.BytesIO(WAV), dtype="float32")
    if seconds is not None:
        samples = np.resize(samples, round(seconds * found))
    out = io.BytesIO()
    soundfile.write(out, samples, found, format=format, subtype=subtype)
    return out.getvalue()


@pytest.mark.slow
def test_a_voice_is_made_listed_spoken_with_heard_and_removed(
    served: Running, voices_folder: Path, engine: VallE
) -> None:
    answer = add(served, "Mine", text="The birch canoe slid on the smooth planks.", language="en")
    assert answer.status == 200
    assert answer.json["object"] == "audio.voice" and answer.json["id"] == answer.json["name"] == "mine"
    kept = VoiceFolder().read("mine")
    assert kept.note == "consent: my own voice" and kept.recording_sha256 is not None
    assert [each.name for each in voices_folder.iterdir()] == ["mine.safetensors"]
    listed = served.get("/v1/audio/voices").json
    assert listed["data"] == listed["voices"]
    assert [each["id"] for each in listed["uploaded_voices"]] == ["mine"]
    assert {"heart", "alloy", "mine"} <= set(served.get("/v1/audio/voices?legacy=true").json["voices"])
    spoken = served.speak("Hello there.", voice="mine", seed=1)
    samples, _ = soundfile.read(io.BytesIO(spoken.body), dtype="int16")
    made = engine.synthesize("Hello there.", voice="mine", seed=1).wave
    assert np.array_equal(samples, np.round(np.clip(made, -1, 1) * 32767).astype(np.int16))
    preview = served.get("/v1/audio/voices/mine/preview")
    assert preview.headers["content-type"] == "audio/wav" and soundfile.info(io.BytesIO(preview.body)).duration > 1
    assert served.ask("DELETE", "/v1/audio/voices/mine").json["deleted"] is True
    assert served.ask("DELETE", "/v1/audio/voices/mine").status == 404
    assert served.speak("Hello there.", voice="mine").error["code"] == "voice_not_found"


@pytest.mark.parametrize("format", ["FLAC", "OGG", "MP3"])
def test_other_formats_make_the_same_kind_of_voice(served: Running, format: str) -> None:
    assert add(served, data=coded(format)).status == 200


@pytest.mark.slow
def test_a_taken_name_is_a_409_unless_it_may_be_replaced(served: Running, voices_folder: Path) -> None:
    assert add(served).status == 200
    before = (voices_folder / "mine.safetensors").read_bytes()
    answer = add(served)
    assert answer.status == 409 and answer.error["code"] == "voice_exists"
    assert (voices_folder / "mine.safetensors").read_bytes() == before
    assert add(served, overwrite="true", language="de").status == 200
    assert VoiceFolder().read("mine").language == "de"
    for name in ("heart", "alloy"):
        assert add(served, name, overwrite="true").status == 409


@pytest.mark.slow
def test_of_two_uploads_of_one_name_at_once_one_wins(served: Running, voices_folder: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: add(served).status, range(4)))
    assert sorted(answers) == [200, 409, 409, 409]
    assert [each.name for each in voices_folder.iterdir()] == ["mine.safetensors"]


@pytest.mark.slow
def test_no_more_voices_than_may_be_kept(registry: Registry, engine: VallE) -> None:
    with running(registry, lambda: engine, max_voices=1) as served:
        assert add(served, "one").status == 200
        assert add(served, "two").error["code"] == "too_many_voices"
        assert add(served, "one", overwrite="true").status == 200


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_refused_with_one_message_and_names_nothing(
    served: Running, voices_folder: Path, name: str
) -> None:
    made = add(served, name)
    assert made.status == 400 and made.error["param"] == "name"
    if not name:
        return
    spoken = served.speak("Hello.", voice=name)
    assert spoken.status == 400 and spoken.error["code"] == "voice_not_found"
    unknown = served.speak("Hello.", voice="nobody").error["message"]
    shape = spoken.error["message"].partition("; try: ")
    assert shape[2] == unknown.partition("; try: ")[2] and shape[0].startswith("no voice is called ")
    assert not voices_folder.exists() or list(voices_folder.iterdir()) == []


def test_a_link_in_the_folder_leads_nowhere_new(served: Running, voices_folder: Path, tmp_path: Path) -> None:
    voices_folder.mkdir()
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret")
    (voices_folder / "link.safetensors").symlink_to(secret)
    answer = served.speak("Hello.", voice="link")
    assert answer.status == 400
    assert answer.error["message"] == served.speak("Hello.", voice="none").error["message"].replace("none", "link")
    assert "link" not in [each["id"] for each in served.get("/v1/audio/voices").json["voices"]]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 400), (b"hello", 400), (WAV[:30], 400), (b"RIFF\xff\xff\xff\xffWAVEfmt ", 400),
        (b"\x80\x04\x95cos\nsystem", 400), (coded("WAV", "IMA_ADPCM"), 400), (bytes(9_000_000), 400),
        (b"x" * (10 * 2**20 + 1), 413), (coded("OGG", seconds=70), 413), (coded("WAV", seconds=0.1), 400),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(64), 400),
    ],
)  # fmt: skip
def test_what_is_no_recording_is_refused_and_leaves_nothing_behind(
    served: Running, voices_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, status: int
) -> None:
    scratch = tmp_path / "scratch"  # others write to the usual folder meanwhile
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.setenv("TMPDIR", str(scratch))
    answer = add(served, data=data)
    assert answer.status == status, answer.body
    assert "Traceback" not in answer.error["message"] and "/" not in answer.error["message"].replace("and/or", "")
    assert not voices_folder.exists() or list(voices_folder.iterdir()) == []
    assert list(scratch.iterdir()) == []


def test_fields_that_are_missing_are_named(served: Running) -> None:
    full = {"name": b"mine", "consent": b"yes"}
    for gone in full:
        parts: Parts = [(key, None, value) for key, value in full.items() if key != gone]
        answer = served.send_form("/v1/audio/voices", [*parts, ("audio_sample", "x.wav", WAV)])
        assert answer.status == 400 and answer.error["param"] == gone
    answer = served.send_form("/v1/audio/voices", [(key, None, value) for key, value in full.items()])
    assert answer.status == 400 and answer.error["param"] == "audio_sample"


def hear(served: Running, data: bytes = WAV, **fields: str) -> Answer:
    parts: Parts = [(key, None, value.encode()) for key, value in fields.items()]
    parts += [("file", "x.wav", data), ("model", None, b"whisper-1")]
    return served.send_form("/v1/audio/transcriptions", parts)


@pytest.mark.slow
def test_a_recording_is_transcribed_as_the_engine_hears_it(served: Running, engine: VallE) -> None:
    answer = hear(served, spell="none")
    assert answer.json == {"text": engine.transcribe(WAV).phonemes}
    assert answer.headers["x-valle-alphabet"] == "ipa"
    assert hear(served, spell="none", response_format="text").body.decode().strip() == answer.json["text"]


@pytest.mark.slow
def test_the_text_is_words_where_a_speller_writes_the_language(served: Running, engine: VallE) -> None:
    heard = engine.transcribe(WAV, spell="english")
    for fields in ({}, {"spell": "auto"}, {"spell": "english"}):
        answer = hear(served, **fields)
        assert answer.json == {"text": heard.text} and answer.headers["x-valle-alphabet"] == "words"
    whole = hear(served, response_format="verbose_json").json
    assert (whole["text"], whole["phonemes"], whole["alphabet"]) == (heard.text, heard.phonemes, "words")
    german = hear(served, language="de")
    assert german.headers["x-valle-alphabet"] == "ipa" and german.json["text"]


@pytest.mark.slow
def test_the_shapes_of_a_transcription(served: Running) -> None:
    found = hear(served, **{
        "response_format": "verbose_json", "timestamp_granularities[]": "word", "prompt": "canoe"
    })  # fmt: skip
    assert found.headers["x-valle-ignored"] == "prompt"
    words = found.json["words"]
    assert [each["word"] for each in words] == found.json["text"].split() and found.json["words_estimated"]
    assert all(one["end"] <= two["start"] + 1e-9 for one, two in pairwise(words))
    whole = hear(served, response_format="verbose_json").json
    assert whole["segments"][0]["text"] and whole["duration"] == pytest.approx(4.329, abs=0.01)
    srt = hear(served, response_format="srt").body.decode().splitlines()
    assert srt[0] == "1" and " --> " in srt[1] and "," in srt[1]
    assert hear(served, response_format="vtt").body.startswith(b"WEBVTT\n\n00:00:0")
    events = hear(served, stream="true").body.decode().split("\n\n")[:-1]
    done = json.loads(events[-1][6:])
    assert done["type"] == "transcript.text.done" and done["text"] == whole["text"]


def test_silence_is_no_error(served: Running) -> None:
    out = io.BytesIO()
    soundfile.write(out, np.zeros(32_000), 16_000, format="WAV")
    assert hear(served, out.getvalue()).json == {"text": ""}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": "diarized_json"}, "response_format"), ({"temperature": "2"}, "temperature"),
        ({"timestamp_granularities[]": "letter"}, "timestamp_granularities"), ({"stream": "perhaps"}, "stream"),
        ({"language": ""}, "language"), ({"spell": "nobody"}, "spell"),
        ({"spell": "english", "language": "de"}, "spell"),
    ],
)  # fmt: skip
def test_wrong_fields_of_a_transcription_are_named(served: Running, fields: dict[str, str], param: str) -> None:
    answer = hear(served, **fields)
    assert answer.status == 400 and answer.error["param"] == param


def test_forms_that_are_none(served: Running) -> None:
    kind = "multipart/form-data; boundary=limit"
    nameless = b"--limit\r\nContent-Disposition: form-data\r\n\r\nx\r\n--limit--"
    for body in (b"", b"--limit", b"--limit\r\n\r\nx", b"hello", nameless):
        for path in ("/v1/audio/transcriptions", "/v1/audio/voices"):
            answer = served.ask("POST", path, body, {"Content-Type": kind})
            assert answer.status == 400 and answer.error["code"] == "bad_form", body
    answer = served.ask("POST", "/v1/audio/voices", b"x", {"Content-Type": "multipart/form-data"})
    assert answer.status == 415
    many = served.send_form("/v1/audio/voices", [(f"f{at}", None, b"x") for at in range(100)])
    assert many.status == 400
    twice = served.send_form("/v1/audio/voices", [("name", None, b"a"), ("name", None, b"b")])
    assert twice.status == 400 and twice.error["param"] == "name"
