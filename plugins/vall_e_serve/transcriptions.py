"""`POST /v1/audio/transcriptions`: what the model hears, in the shapes of OpenAI's API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from vall_e_core import UsageError
from vall_e_core.sampling.running import ChainRequest
from vall_e_stt import HearingOptions, Transcription, find_speller
from vall_e_tts import CallWork, EngineJob, Hear

from .bodies import AUDIO_LIMIT, Form, read_form
from .calls import answer_of
from .decoding import decode_upload
from .delivery import EVENTS
from .errors import HttpError, line
from .fields import TranscriptionFields, read_fields
from .server import Server, require
from .speech import check_model, ignored_fields

if TYPE_CHECKING:
    from vall_e_audio import AudioClip

ROUTE = "/v1/audio/transcriptions"
MOST_SECONDS = 1800.0
_LISTS = {
    "timestamp_granularities[]": "timestamp_granularities", "timestamp_granularities": "timestamp_granularities",
}  # fmt: skip
_IGNORED = frozenset({"prompt", "include", "include[]", "chunking_strategy"})


async def transcriptions(request: Request) -> Response:
    """Transcribe a recording."""
    visit = require(request, "speak")
    visit.route = ROUTE
    server = Server.of(request)
    form = await read_form(request, server.options.stall_seconds, AUDIO_LIMIT)
    server.admission.check(visit.key)
    fields, how, clip, ignored = await server.work(_checked, server, form)
    chain = ChainRequest(None, {"ar-temp": fields.temperature}) if fields.temperature > 0 else None
    visit.format = fields.response_format
    job = EngineJob(CallWork(Hear(clip, how, chain)), owner=visit.key)
    server.admission.submit(job)
    visit.job = job
    heard: Transcription = await answer_of(server, job, request)
    server.keep(visit, heard.record, None)
    visit.note(audio_seconds=round(heard.seconds, 3), ignored=list(ignored))
    response = answer(heard, fields)
    response.headers["X-VallE-Alphabet"] = alphabet(heard)
    if ignored:
        response.headers["X-VallE-Ignored"] = ", ".join(ignored)
    return response


def _checked(
    server: Server, form: Form
) -> tuple[TranscriptionFields, HearingOptions, AudioClip, tuple[str, ...]]:
    """Fields, options and the recording. Raises HttpError."""
    fields, unknown = read_fields(TranscriptionFields, form.values(_LISTS), text=True)
    strange = [each for each in unknown if each not in _IGNORED]
    ignored_fields(server, strange)
    check_model(server, fields.model)
    try:
        how = HearingOptions(language=fields.language, spell=fields.spell)
    except UsageError as error:
        raise HttpError(400, line(error), code="bad_value", param="language") from error
    try:
        find_speller(server.engine.registry, how.spell, how.language)
    except UsageError as error:
        raise HttpError(400, line(error), code="bad_value", param="spell") from error
    upload = form.files.get("file")
    if upload is None:
        raise HttpError(400, "file is missing: a recording", code="missing_field", param="file")
    clip = decode_upload(upload.data, server.engine.codec.sample_rate, MOST_SECONDS, param="file")
    return fields, how, clip, ignored_fields(server, [each for each in unknown if each in _IGNORED])


def alphabet(heard: Transcription) -> str:
    """What the text of a transcription is written in: `words`, or `ipa` where nothing spelled it."""
    return "ipa" if heard.text is None else "words"


def answer(heard: Transcription, fields: TranscriptionFields) -> Response:
    """A transcription in the shape that was asked for."""
    if fields.stream:
        return Response("".join(_events(heard)), media_type=EVENTS, headers={"Cache-Control": "no-store"})
    if fields.response_format == "text":
        return PlainTextResponse(f"{heard.shown}\n")
    if fields.response_format in ("srt", "vtt"):
        return PlainTextResponse(_cues(heard, vtt=fields.response_format == "vtt"))
    if fields.response_format == "verbose_json":
        return JSONResponse(_verbose(heard, fields))
    return JSONResponse({"text": heard.shown})


def _verbose(heard: Transcription, fields: TranscriptionFields) -> dict[str, Any]:
    found: dict[str, Any] = {
        "task": "transcribe", "language": fields.language, "duration": round(heard.seconds, 6), "text": heard.shown,
        "alphabet": alphabet(heard), "phonemes": heard.phonemes,
    }  # fmt: skip
    if "segment" in fields.timestamp_granularities:
        found["segments"] = [
            {
                "id": at, "seek": round(100 * each.start), "start": round(each.start, 3),
                "end": round(each.start + each.seconds, 3), "text": each.shown, "tokens": [],
                "temperature": fields.temperature,
                "avg_logprob": round(each.log_probability / max(len(each.phonemes), 1), 6), "compression_ratio": 1.0,
                "no_speech_prob": 0.0 if each.phonemes else 1.0,
            }
            for at, each in enumerate(heard.windows)
        ]  # fmt: skip
    if "word" in fields.timestamp_granularities:
        found["words"] = list(_words(heard))
        found["words_estimated"] = True
    return found


def _words(heard: Transcription) -> Iterator[dict[str, Any]]:
    """Words with times that are estimated: a window's time is shared out by the length of its words."""
    for each in heard.windows:
        words = each.shown.split()
        total, done = sum(map(len, words)), 0
        for word in words:
            start = each.start + each.seconds * done / total
            done += len(word)
            end = each.start + each.seconds * done / total
            yield {"word": word, "start": round(start, 3), "end": round(end, 3)}


def _cues(heard: Transcription, *, vtt: bool) -> str:
    lines = ["WEBVTT", ""] if vtt else []
    for number, each in enumerate((one for one in heard.windows if one.shown), 1):
        point = "." if vtt else ","
        times = f"{_clock(each.start, point)} --> {_clock(each.start + each.seconds, point)}"
        lines += [*([] if vtt else [str(number)]), times, each.shown, ""]
    return "\n".join(lines)


def _clock(seconds: float, point: str) -> str:
    """`00:01:02,345`."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{thousandths:03}"


def _events(heard: Transcription) -> Iterator[str]:
    lead = ""
    for each in heard.windows:
        if each.shown:
            yield f"data: {json.dumps({'type': 'transcript.text.delta', 'delta': lead + each.shown})}\n\n"
            lead = " "
    yield f"data: {json.dumps({'type': 'transcript.text.done', 'text': heard.shown})}\n\n"
