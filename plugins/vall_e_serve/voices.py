"""Voices over HTTP: listed, made from an upload, previewed, removed."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from vall_e_audio import encode_wave
from vall_e_core import InputError, UsageError
from vall_e_tts import CallWork, EngineJob
from vall_e_voices import SavedVoice, VoiceFolder, check_voice_name, find_voice, make_voice, sound_of

from .bodies import UPLOAD_LIMIT, Form, read_form
from .calls import answer_of
from .catalog import no_voice
from .decoding import decode_upload
from .errors import HttpError, line
from .fields import VoiceFields, read_fields
from .server import Server, require, visit_of
from .speech import UPLOAD_SECONDS, ignored_fields

if TYPE_CHECKING:
    from vall_e_audio import AudioClip
    from vall_e_lm import Progress
    from vall_e_tts import VallE

ROUTE = "/v1/audio/voices"
_LONGEST_CONSENT = 500


async def listed(request: Request) -> Response:
    """Every voice, in the shapes that clients look for."""
    visit_of(request).route = ROUTE
    server = Server.of(request)
    found = await server.work(server.catalog.listed)
    if request.query_params.get("legacy", "").lower() == "true":
        return JSONResponse({"voices": [each["id"] for each in found]})
    uploaded = [each for each in found if each["source"] == "saved"]
    return JSONResponse({"object": "list", "voices": found, "data": found, "uploaded_voices": uploaded})


@dataclass(frozen=True)
class Make:
    """The call that makes a voice of a recording, in whatever process the engine is."""

    fields: VoiceFields
    clip: AudioClip
    digest: str

    def __call__(self, engine: VallE, _progress: Progress) -> SavedVoice:
        fields, clip = self.fields, self.clip
        made = make_voice(
            engine.codec, clip, text=fields.text or None, language=fields.language, keep_audio=fields.keep_audio,
            note=f"consent: {fields.consent}",
        )  # fmt: skip
        return replace(
            made, source="upload", recording_sha256=self.digest, recording_rate=clip.original_rate,
            recording_channels=clip.original_channels,
        )  # fmt: skip


@dataclass(frozen=True)
class Play:
    """The call that makes the sound of a voice, as WAV."""

    name: str

    def __call__(self, engine: VallE, _progress: Progress) -> bytes:
        voice = find_voice(engine.registry, self.name)
        wave, rate = sound_of(voice, engine.registry, codec=None, device="cpu", notify=lambda _line: None)
        return encode_wave(wave, rate, "wav")


async def add(request: Request) -> Response:
    """Make a voice of an uploaded recording, and keep it."""
    visit = require(request, "voices")
    visit.route = ROUTE
    server = Server.of(request)
    form = await read_form(request, server.options.stall_seconds, UPLOAD_LIMIT)
    server.admission.check(visit.key)
    fields, name, clip, digest = await server.work(_checked, server, form)
    job = EngineJob(CallWork(Make(fields, clip, digest)), owner=visit.key)
    server.admission.submit(job)
    visit.job = job
    made: SavedVoice = await answer_of(server, job, request)
    await server.work(_save, made, name, fields.overwrite)
    visit.note(voice=name)
    return JSONResponse({
        "object": "audio.voice", "id": name, "name": name, "created_at": int(time.time()),
        "seconds": round(made.seconds, 3), "warnings": list(made.warnings),
    })  # fmt: skip


def _checked(server: Server, form: Form) -> tuple[VoiceFields, str, AudioClip, str]:
    """Fields, the name as it is kept, and the recording. Raises HttpError."""
    values = form.values({})
    if "name" in values:
        values["title"] = values.pop("name")
    elif "title" in values:
        del values["title"]
    if "title" not in values:
        raise HttpError(400, "name is missing", code="missing_field", param="name")
    if not str(values.get("consent", "")).strip():
        raise HttpError(
            400, "consent is missing: the speaker's, in words or as the id of a recording", code="missing_field",
            param="consent",
        )  # fmt: skip
    fields, unknown = read_fields(VoiceFields, values, text=True)
    ignored_fields(server, unknown)
    if len(fields.consent) > _LONGEST_CONSENT:
        raise HttpError(400, f"consent has more than {_LONGEST_CONSENT} characters", code="bad_value", param="consent")
    try:
        name = check_voice_name(fields.title)
    except UsageError as error:
        raise HttpError(400, line(error)[:300], code="bad_name", param="name") from error
    _check_free(server, name, fields.overwrite)
    upload = form.files.get("audio_sample") or form.files.get("file")
    if upload is None:
        raise HttpError(400, "audio_sample is missing: a file", code="missing_field", param="audio_sample")
    clip = decode_upload(upload.data, server.engine.codec.sample_rate, UPLOAD_SECONDS, param="audio_sample")
    return fields, name, clip, sha256(upload.data).hexdigest()


def _check_free(server: Server, name: str, overwrite: bool) -> None:
    folder = VoiceFolder()
    taken = folder.find(name) is not None
    if server.catalog.is_packaged(name) or (taken and not overwrite):
        hint = "another name" if server.catalog.is_packaged(name) else "another name, or overwrite=true"
        raise HttpError(409, f"a voice is called {name} already; try: {hint}", code="voice_exists", param="name")
    if not taken and len(folder.files()) >= server.options.max_voices:
        raise HttpError(
            409, f"{server.options.max_voices} voices are kept, and no more; try: DELETE one", code="too_many_voices"
        )


def _save(voice: SavedVoice, name: str, overwrite: bool) -> None:
    """Keep it: whole or not at all, and of two with one name only the first."""
    try:
        voice.save(name, overwrite=overwrite)
    except UsageError as error:
        raise HttpError(
            409, f"a voice is called {name} already; try: another name, or overwrite=true", code="voice_exists",
            param="name",
        ) from error  # fmt: skip
    except InputError as error:
        raise HttpError(503, "the server can't keep voices now", code="not_saved") from error


async def remove(request: Request) -> Response:
    """Delete a saved voice."""
    visit = require(request, "voices")
    visit.route = f"{ROUTE}/{{id}}"
    server = Server.of(request)
    name = await server.work(server.catalog.own, request.path_params["id"])
    try:
        await server.work(VoiceFolder().remove, name)
    except UsageError:  # somebody else was quicker
        raise no_voice(name, 404) from None
    except InputError as error:
        raise HttpError(503, "the server can't remove voices now", code="not_removed") from error
    return JSONResponse({"object": "audio.voice.deleted", "id": name, "deleted": True})


async def preview(request: Request) -> Response:
    """What a voice sounds like, as WAV."""
    visit = require(request, "speak")
    visit.route = f"{ROUTE}/{{id}}/preview"
    server = Server.of(request)
    try:
        name = await server.work(server.catalog.resolve, request.path_params["id"])
    except HttpError as error:
        raise HttpError(404, error.message, code=error.code, param=error.param) from error
    job = EngineJob(CallWork(Play(name)), owner=visit.key)
    server.admission.submit(job)
    visit.job = job
    try:
        data: Any = await answer_of(server, job, request)
    except (InputError, UsageError) as error:
        raise HttpError(404, f"the voice {name} can't be played here", code="no_preview") from error
    return Response(data, media_type="audio/wav", headers={"Cache-Control": "no-store"})
