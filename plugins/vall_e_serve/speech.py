"""`POST /v1/audio/speech`: a request checked completely, queued, and delivered."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from vall_e_core import InputError, UsageError
from vall_e_text import estimate_seconds
from vall_e_tts import EngineJob, SpeechOptions, SpeechRequest, SpeechWork, Spoken

from .bodies import data_url, read_json
from .chains import plans, read_chains, split_chains
from .decoding import decode_upload
from .delivery import How, SpeechResponse
from .errors import HttpError, line
from .fields import SpeechFields, read_fields
from .lexicon import split_lexicon
from .server import Server, Visit, require
from .sound import rate_of

if TYPE_CHECKING:
    from vall_e_audio import AudioClip

ROUTE = "/v1/audio/speech"
OPENAI_CHARACTERS = 4096
UPLOAD_SECONDS = 60.0
WHOLE_SECONDS = 600.0
"""Speech that is expected to be longer isn't held back until it is whole."""
MODEL_ALIASES = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts", "whisper-1")
_IGNORED = frozenset({"instructions"})
"""Fields of OpenAI's that change nothing here."""


@dataclass(frozen=True)
class Order:
    """A request for speech that has been checked."""

    speaking: SpeechWork
    how: How
    seed: int
    ignored: tuple[str, ...]
    voice: str | None
    characters: int


async def speech(request: Request) -> SpeechResponse:
    """Speak a text."""
    server, visit = Server.of(request), require(request, "speak")
    visit.route = ROUTE
    body = await read_json(request, server.options.stall_seconds, large="ref_audio")
    server.admission.check(visit.key)
    order: Order = await server.work(check, server, body)
    visit.format = order.how.format
    visit.note(characters=order.characters, voice=order.voice, ignored=list(order.ignored))
    if server.options.log_text:
        visit.note(text=order.speaking.request.request.text)
    job = EngineJob(order.speaking, owner=visit.key, seed=order.seed, whole=order.how.whole)
    server.admission.submit(job)
    visit.job = job
    headers = {"X-VallE-Seed": str(order.seed)}
    if order.ignored:
        headers["X-VallE-Ignored"] = ", ".join(order.ignored)
    return SpeechResponse(
        server, visit, job, order.how, headers, lambda spoken: kept(server, visit, order, spoken),
        lambda spoken: usage(spoken, server.engine.codec.frame_rate),
    )  # fmt: skip


def check(server: Server, body: dict[str, Any]) -> Order:
    """Everything that can be known before the engine is asked.

    Raises:
        HttpError: for the first thing that is wrong.
    """
    named = body.get("voice")
    if isinstance(named, Mapping) and set(named) == {"id"}:
        body = {**body, "voice": named["id"]}
    body, lexicon = split_lexicon(body)
    fields, unknown = read_fields(SpeechFields, split_chains(body))
    ignored = ignored_fields(server, unknown)
    engine = server.engine
    check_model(server, fields.model)
    check_length(server, fields.input)
    rate = rate_of(fields.response_format, fields.sample_rate, engine.codec.sample_rate)
    chains = read_chains(server.registry, server.options.allow_sampler, fields.samplers, fields.nar_samplers)
    plans(server.registry, chains, engine.loaded.advice, engine.loaded.config.version)
    voice, clip = _speaker(server, fields)
    seed = secrets.randbits(31) if fields.seed is None else fields.seed
    options = SpeechOptions(
        language=fields.language, speed=fields.speed, seed=seed, candidates=fields.candidates,
        max_tries=fields.max_tries, pause=fields.pause,
        voice_fallback=None if fields.voice_fallback is None else server.catalog.resolve(fields.voice_fallback),
    )  # fmt: skip
    prepared = _prepared(server, fields, SpeechRequest(
        fields.input, () if clip is None else (clip,), voice, fields.ref_text or None, "tts", options, lexicon=lexicon
    ))  # fmt: skip
    delivery = delivery_of(fields)
    how = How(fields.response_format, rate, delivery == "whole", fields.stream_format == "sse")
    speaking = SpeechWork(prepared, chains, delivery == "pieces", fields.trace, patient=delivery == "whole")
    return Order(speaking, how, seed, ignored, voice, len(fields.input))


def _prepared(server: Server, fields: SpeechFields, request: SpeechRequest) -> Any:  # noqa: ANN401 - vall_e_tts's own
    try:
        return server.speakers.prepare(request)
    except InputError as error:
        about_reference = fields.ref_audio is not None and "the recording" in error.message
        raise HttpError(
            400, line(error), code="bad_audio" if about_reference else "bad_text",
            param="ref_audio" if about_reference else "input",
        ) from error  # fmt: skip
    except UsageError as error:
        raise HttpError(400, line(error), code="bad_request", param=None) from error


def _speaker(server: Server, fields: SpeechFields) -> tuple[str | None, AudioClip | None]:
    """The voice, or the recording that was sent instead. Raises HttpError."""
    if fields.ref_audio is None:
        if not fields.voice:
            raise HttpError(
                400, "voice is missing; try: one of GET /v1/audio/voices", code="missing_field", param="voice"
            )
        return server.catalog.resolve(fields.voice), None
    if fields.voice:
        raise HttpError(400, "voice and ref_audio are both given; try: one", code="bad_value", param="ref_audio")
    data = data_url(fields.ref_audio)
    clip = decode_upload(data, server.engine.codec.sample_rate, UPLOAD_SECONDS, param="ref_audio")
    return None, clip


def delivery_of(fields: SpeechFields) -> str:
    """`pieces`, `parts` or `whole`: what was asked for, else what suits the format; never by how busy the server is."""
    if fields.delivery is not None:
        return fields.delivery if fields.delivery != "whole" or fields.stream_format != "sse" else "parts"
    if fields.stream_format is not None or fields.response_format == "pcm":
        return "pieces"
    if fields.response_format in ("wav", "flac"):
        return "whole" if estimate_seconds(fields.input) / fields.speed <= WHOLE_SECONDS else "parts"
    return "parts"


def check_length(server: Server, text: str) -> None:
    """Whether a text isn't too long for one request. Raises HttpError."""
    most = min(server.options.max_input_chars, OPENAI_CHARACTERS if server.options.strict_openai else 1 << 30)
    if len(text) > most:
        raise HttpError(
            400, f"input has {len(text)} characters, and at most {most} are taken; try: several requests",
            code="too_long", param="input",
        )  # fmt: skip


def check_model(server: Server, name: str | None) -> None:
    """Whether a model of that name is here. Raises HttpError 404."""
    known = (server.engine.place.label, *MODEL_ALIASES)
    if name is not None and name not in known:
        raise HttpError(
            404, f"no model is called {name[:80]!r}; try: one of GET /v1/models", code="model_not_found", param="model"
        )


def ignored_fields(server: Server, unknown: list[str]) -> tuple[str, ...]:
    """The names of fields that change nothing, as a header can hold them.

    Raises:
        HttpError: 400 where requests are to be strict.
    """
    ignored = tuple("".join(char for char in each[:40] if " " < char < "\x7f") for each in unknown[:20])
    strange = [each for each in unknown if each not in _IGNORED]
    if strange and server.options.strict_requests:
        raise HttpError(400, f"unknown field: {strange[0][:80]!r}", code="unknown_field", param=strange[0][:80])
    return ignored


def usage(spoken: Spoken, frame_rate: float) -> dict[str, int]:
    """Tokens as OpenAI counts them: phonemes in, frames of codes out."""
    given, made = len(spoken.record["phonemes"]), round(spoken.record["duration"] * frame_rate)
    return {"input_tokens": given, "output_tokens": made, "total_tokens": given + made}


def kept(server: Server, visit: Visit, order: Order, spoken: Spoken) -> None:
    """Note what a finished request was."""
    record = spoken.record
    trace = None if spoken.trace is None else [dict(each.to_mapping()) for each in spoken.trace.lines]
    server.keep(visit, record, trace)
    server.metrics.audio.inc(record["duration"])
    if visit.job is not None and order.speaking.early:
        server.metrics.underrun.inc(visit.job.underrun)
    for part in record["parts"]:
        server.metrics.tries.labels(str(part["verdict"])).inc()
    visit.note(audio_seconds=record["duration"], verdicts=[str(part["verdict"]) for part in record["parts"]])
