"""The Wyoming protocol, spoken by its own client."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import threading
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

from vall_e_core import Registry, UsageError
from vall_e_serve import ServeOptions
from vall_e_serve.errors import HttpError
from vall_e_serve.wyoming.events import LONGEST_EVENT
from vall_e_serve.wyoming.listener import MOST_CONNECTIONS, wyoming_socket
from vall_e_serve.wyoming.recording import SentAudio
from vall_e_serve.wyoming.sentences import SentenceBuffer
from vall_e_tts import VallE

from .running import Running, running

ADDRESS = "tcp://127.0.0.1:0"
WAV = (Path(__file__).parents[2] / "examples" / "heart.wav").read_bytes()
HEART = SynthesizeVoice(name="heart")


@pytest.fixture(scope="module")
def house(registry: Registry, engine: VallE) -> Iterator[Running]:
    """A server that Wyoming clients can reach."""
    with running(registry, lambda: engine, wyoming=ADDRESS) as found:
        yield found


def talk(house: Running, say: Callable[[AsyncTcpClient], Any]) -> Any:
    """What a client gets from a conversation."""

    async def conversation() -> Any:
        async with AsyncTcpClient("127.0.0.1", house.wyoming) as client:
            return await asyncio.wait_for(say(client), 60)

    return asyncio.run(conversation())


async def heard(client: AsyncTcpClient, last: str) -> list[Event]:
    """The events until one of a type, or until the server is gone."""
    found: list[Event] = []
    while (event := await client.read_event()) is not None:
        found.append(event)
        if event.type == last:
            break
    return found


def sound(events: list[Event]) -> bytes:
    """The samples of a speech: one start, chunks in the format it names, one stop."""
    kinds = [event.type for event in events if event.type.startswith("audio-")]
    assert kinds[0] == "audio-start" and kinds[-1] == "audio-stop"
    assert set(kinds[1:-1]) == {"audio-chunk"}
    start = AudioStart.from_event(next(event for event in events if event.type == "audio-start"))
    chunks = [AudioChunk.from_event(event) for event in events if event.type == "audio-chunk"]
    assert {(each.rate, each.width, each.channels) for each in chunks} == {(start.rate, 2, 1)}
    return b"".join(each.audio for each in chunks)


def pcm(house: Running, text: str) -> bytes:
    """The same over HTTP."""
    answer = house.speak(text, response_format="pcm", sample_rate=24_000, seed=0)
    assert answer.status == 200
    return answer.body


async def told(client: AsyncTcpClient) -> Info:
    """What the server tells of itself."""
    await client.write_event(Describe().event())
    event = await client.read_event()
    assert event is not None
    return Info.from_event(event)


async def transcribed(client: AsyncTcpClient, data: bytes) -> list[Event]:
    """The events that come back for a recording, sent as Home Assistant sends it."""
    with wave.open(io.BytesIO(data)) as file:
        rate, width, channels = file.getframerate(), file.getsampwidth(), file.getnchannels()
        samples = file.readframes(file.getnframes())
    await client.write_event(Transcribe(language="en").event())
    await client.write_event(AudioStart(rate=rate, width=width, channels=channels).event())
    for at in range(0, len(samples), 2_048):
        chunk = AudioChunk(rate=rate, width=width, channels=channels, audio=samples[at : at + 2_048])
        await client.write_event(chunk.event())
    await client.write_event(AudioStop().event())
    return await heard(client, "transcript")


def test_it_tells_its_voices_and_that_text_may_come_in_pieces(house: Running) -> None:
    info = talk(house, told)
    (program,) = info.tts
    assert program.installed and program.supports_synthesize_streaming
    assert {"heart", "michael"} <= {voice.name for voice in program.voices}
    assert "alloy" not in {voice.name for voice in program.voices}
    packaged = [voice for voice in program.voices if voice.name in ("heart", "michael")]
    assert all(voice.installed and voice.languages == ["en"] for voice in packaged)
    (listener,) = info.asr
    assert listener.installed and [each.languages for each in listener.models] == [["en"]]


def test_without_a_speller_it_offers_no_transcription(engine: VallE) -> None:
    plain = Registry.load(environ={"VALL_E_DISABLE": "spelling"}, third_party=False)
    with running(plain, lambda: engine, wyoming=ADDRESS) as house:
        info = talk(house, told)
        assert info.tts and not info.asr, "it hears phonemes, which are no words"
        (event,) = talk(house, lambda client: transcribed(client, WAV))
        assert Error.from_event(event).code == "bad_value"


@pytest.mark.slow
def test_a_recording_in_chunks_becomes_its_words(house: Running, engine: VallE) -> None:
    wanted = engine.transcribe(WAV, spell="english").text

    async def say(client: AsyncTcpClient) -> list[Event]:
        first = await transcribed(client, WAV)
        await client.write_event(Synthesize("Hello.", voice=HEART).event())
        return [*first, *await heard(client, "audio-stop"), *await transcribed(client, WAV)]

    events = talk(house, say)
    texts = [Transcript.from_event(each) for each in events if each.type == "transcript"]
    assert [each.text for each in texts] == [wanted, wanted] and {each.language for each in texts} == {"en"}
    assert [each.type for each in events if each.type.startswith("audio-st")] == ["audio-start", "audio-stop"]


@pytest.mark.parametrize(
    ("language", "format_", "code"),
    [
        ("xx", {"rate": 16_000, "width": 2, "channels": 1}, "bad_value"),
        ("en", {"rate": 0, "width": 2, "channels": 1}, "bad_audio"),
        ("en", {"rate": 16_000, "width": 99, "channels": 1}, "bad_audio"),
        ("en", {"rate": "x" * 5_000, "width": 2, "channels": 1}, "bad_audio"),
        ("en", {}, "bad_audio"),
    ],
)
def test_what_cannot_be_transcribed_is_one_error_and_the_end(
    house: Running, language: str, format_: dict[str, Any], code: str
) -> None:
    async def say(client: AsyncTcpClient) -> list[Event]:
        await client.write_event(Transcribe(language=language).event())
        await client.write_event(Event("audio-start", format_))
        await client.write_event(Event("audio-chunk", {**format_}, b"\0\0" * 8_000))
        await client.write_event(AudioStop().event())
        return await heard(client, "")

    (event,) = talk(house, say)
    error = Error.from_event(event)
    assert error.code == code and error.text and len(error.text) < 300 and "/" not in error.text


def test_a_recording_that_is_too_long_is_refused_and_not_kept() -> None:
    sent = SentAudio("en", {"rate": 16_000, "width": 2, "channels": 1}, room=10_000)
    for _ in range(50):
        sent.add(bytes(1_000))
        assert len(sent.samples) <= 10_000
    with pytest.raises(HttpError, match="more than"):
        sent.file()


@pytest.mark.slow
def test_a_text_sounds_as_it_does_over_http(house: Running) -> None:
    text = "Good morning. The kettle is on."

    async def say(client: AsyncTcpClient) -> list[Event]:
        await client.write_event(Synthesize(text, voice=HEART).event())
        return await heard(client, "audio-stop")

    ours = sound(talk(house, say))
    assert len(ours) > 10_000
    assert ours == pcm(house, text)


@pytest.mark.slow
def test_a_stream_in_pieces_of_three_characters_is_the_sentences_one_by_one(house: Running) -> None:
    text = "Good morning. The kettle is on."

    async def say(client: AsyncTcpClient) -> list[Event]:
        await client.write_event(SynthesizeStart(voice=HEART).event())
        for at in range(0, len(text), 3):
            await client.write_event(SynthesizeChunk(text[at : at + 3]).event())
        await client.write_event(Synthesize(text, voice=HEART).event())  # what older servers wait for
        await client.write_event(SynthesizeStop().event())
        return await heard(client, "synthesize-stopped")

    events = talk(house, say)
    assert SynthesizeStopped.is_type(events[-1].type) and AudioStop.is_type(events[-2].type)
    parts = [pcm(house, each) for each in ("Good morning.", "The kettle is on.")]
    assert sound(events) == b"".join(parts), "once, though the whole text came behind its pieces"


@pytest.mark.slow
def test_a_whole_sentence_is_heard_before_the_text_has_ended(house: Running) -> None:
    async def say(client: AsyncTcpClient) -> tuple[str, list[Event]]:
        await client.write_event(SynthesizeStart(voice=HEART).event())
        await client.write_event(SynthesizeChunk("Good morning. And no").event())
        first = await heard(client, "audio-chunk")
        await client.write_event(SynthesizeChunk("w the news.").event())
        await client.write_event(SynthesizeStop().event())
        return first[-1].type, await heard(client, "synthesize-stopped")

    first, rest = talk(house, say)
    assert first == "audio-chunk"
    assert [event.type for event in rest][-2:] == ["audio-stop", "synthesize-stopped"]


@pytest.mark.slow
def test_a_connection_serves_several_speeches_and_tells_that_it_lives(house: Running) -> None:
    async def say(client: AsyncTcpClient) -> tuple[list[bytes], str]:
        made = []
        for _ in range(2):
            await client.write_event(Synthesize("Hello.", voice=HEART).event())
            made.append(sound(await heard(client, "audio-stop")))
        await client.write_event(Ping(text="there?").event())
        event = await client.read_event()
        assert event is not None
        return made, Pong.from_event(event).text or ""

    (first, second), said = talk(house, say)
    assert first == second, "equal texts sound equal"
    assert said == "there?"


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (Synthesize("Hello.", voice=SynthesizeVoice(name="nobody")), "voice_not_found"),
        (Synthesize("   "), "bad_text"),
        (Synthesize("a" * 30_000), "too_long"),
        (Synthesize("<speak><break", text_format="ssml"), "bad_text"),
    ],
)
def test_what_cannot_be_said_is_one_error_and_the_end(house: Running, event: Synthesize, code: str) -> None:
    async def say(client: AsyncTcpClient) -> list[Event]:
        await client.write_event(event.event())
        return await heard(client, "")

    events = talk(house, say)
    error = Error.from_event(events[-1])
    assert error.code == code and error.text and "/" not in error.text.replace("GET /v1/audio/voices", "")
    assert not [each for each in events if each.type == "audio-chunk"]


@pytest.mark.slow
def test_ssml_in_pieces_is_read_when_it_is_whole(house: Running) -> None:
    text = '<speak>Good morning. <break time="200ms"/> The kettle is on.</speak>'

    async def say(client: AsyncTcpClient) -> list[Event]:
        await client.write_event(SynthesizeStart(voice=HEART, text_format="ssml").event())
        for at in range(0, len(text), 7):
            await client.write_event(SynthesizeChunk(text[at : at + 7]).event())
        await client.write_event(SynthesizeStop().event())
        return await heard(client, "synthesize-stopped")

    assert sound(talk(house, say)) == pcm(house, text)


def test_a_client_that_leaves_frees_the_engine(registry: Registry, slow: Any) -> None:
    with running(registry, lambda: slow, wyoming=ADDRESS) as house:

        async def leave(client: AsyncTcpClient) -> None:
            await client.write_event(Synthesize("Good morning. " * 20, voice=HEART).event())
            while house.server.admission.running == 0:
                await asyncio.sleep(0.005)

        talk(house, leave)
        slow.release(1_000)
        house.wait(lambda: house.server.admission.running == 0)


@pytest.mark.slow
def test_a_client_that_never_reads_does_not_hold_up_the_end(registry: Registry, slow: Any) -> None:
    slow.waves, slow.seconds = 2_000, 1.0
    with socket.socket() as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        with running(registry, lambda: slow, wyoming=ADDRESS) as house:
            plain.connect(("127.0.0.1", house.wyoming))
            said = Synthesize("Good morning.", voice=HEART).event()
            plain.sendall(json.dumps({"type": said.type, "data": said.data}).encode() + b"\n")
            slow.release(2_000)
            house.wait(lambda: house.server.admission.running == 1)
            time.sleep(1.0)  # what was made fills the buffers
            begun = time.monotonic()
        assert time.monotonic() - begun < 10.0


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\n", b"[]\n", b"{}\n", b"null\n", b'{"type": 5}\n', b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
        b'{"type": "synthesize", "data": []}\n', b'{"type": "synthesize", "data_length": -1}\n',
        b'{"type": "synthesize", "data_length": "x"}\n',
        json.dumps({"type": "describe", "payload_length": LONGEST_EVENT + 1}).encode() + b"\n",
        json.dumps({"type": "describe", "data_length": 1 << 40}).encode() + b"\n",
        b'{"type": "describe", "data_length": 9}\n{}', b"x" * (2 * LONGEST_EVENT),
    ],
)  # fmt: skip
def test_what_is_no_event_ends_the_connection_and_nothing_else(house: Running, sent: bytes) -> None:
    hangs_up = suppress(ConnectionError)  # before all is sent, perhaps
    with hangs_up, socket.create_connection(("127.0.0.1", house.wyoming), timeout=20) as plain:
        plain.sendall(sent)
        plain.shutdown(socket.SHUT_WR)
        while plain.recv(65536):
            """It hangs up in the end."""
    assert house.get("/health").status == 200
    test_it_tells_its_voices_and_that_text_may_come_in_pieces(house)


@pytest.mark.slow
def test_there_may_be_many_connections_but_not_any_number(registry: Registry, slow: Any) -> None:
    with running(registry, lambda: slow, wyoming=ADDRESS) as house, ExitStack() as stack:
        plain = [
            stack.enter_context(socket.create_connection(("127.0.0.1", house.wyoming), timeout=20)) for _ in range(100)
        ]
        closed = 0
        for each in plain:
            each.settimeout(0.05)
            with suppress(TimeoutError):
                closed += each.recv(1) == b""
        assert closed == 100 - MOST_CONNECTIONS


def test_describe_is_answered_while_the_engine_works(registry: Registry, slow: Any) -> None:
    with running(registry, lambda: slow, wyoming=ADDRESS) as house:
        speaking = threading.Thread(target=house.speak, kwargs={"text": "Good morning. " * 5})
        speaking.start()
        house.wait(lambda: house.server.admission.running > 0)
        test_it_tells_its_voices_and_that_text_may_come_in_pieces(house)
        slow.release(1_000)
        speaking.join(30)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"wyoming": "tcp://0.0.0.0:0"}, "the protocol has no keys"),
        ({"wyoming": "127.0.0.1:10200"}, "expected tcp://HOST:PORT"), ({"wyoming": "tcp://127.0.0.1"}, "expected"),
        ({"wyoming": "tcp://127.0.0.1:99999"}, "expected"), ({"zeroconf": True}, "nothing to announce"),
        ({"wyoming": ADDRESS, "zeroconf": True}, "only this machine can reach"),
    ],
)  # fmt: skip
def test_addresses_that_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        wyoming_socket(ServeOptions(**options))
    assert said in caught.value.render()


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Hello there. How are you? Fine!", ["Hello there.", "How are you?", "Fine!"]),
        ("Mr. Smith paid $3.50. Then he left.", ["Mr. Smith paid $3.50.", "Then he left."]),
        ("Shopping:\nmilk\n\nbread", ["Shopping:", "milk", "bread"]), ("   ", []), ("", []), ("No end", ["No end"]),
    ],
)  # fmt: skip
def test_sentences_do_not_depend_on_where_the_pieces_end(text: str, sentences: list[str], size: int) -> None:
    buffer = SentenceBuffer()
    found = [each for at in range(0, len(text), size) for each in buffer.add(text[at : at + size])]
    assert found + buffer.rest() == sentences
