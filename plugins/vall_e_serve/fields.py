"""The fields of requests, declared as components: from them come checks, messages and the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from vall_e_core import Component, ComponentError, Param, param

from .errors import HttpError, line
from .sound import TYPES

FORMATS = tuple(TYPES)
DELIVERIES = ("pieces", "parts", "whole")
MOST_CANDIDATES = 4
Fields = TypeVar("Fields", bound=Component)


@dataclass(frozen=True)
class SpeechFields(Component):
    """What is said, in whose voice, and how it is delivered: OpenAI's fields and those of vall-e."""

    name = "speech"

    input: str = param(help="the text to speak")
    model: str | None = param(None, help="the model, or one of its aliases; there is one, and it is taken if absent")
    voice: str = param(  # no None: a voice may be called none, which means nothing on the command line
        "", help='a voice of GET /v1/audio/voices, or {"id": NAME}; needed unless ref_audio is given'
    )
    response_format: str = param("mp3", choices=FORMATS, help="the format of the sound")
    speed: float = param(1.0, min=0.25, max=4.0, help="pace of the speech, at the same pitch")
    stream_format: str | None = param(
        None, choices=("audio", "sse"), help="send sound as soon as it is made, as it is or in server-sent events"
    )
    seed: int | None = param(None, min=0, max=2**63 - 1, help="random seed; drawn if absent, and told in X-VallE-Seed")
    language: str = param("en", help="language of the text; auto detects it")
    samplers: tuple[str, ...] = param(
        (), multiple=True,
        help='the sampling chain of the AR pass as NAME[:VALUE|k=v,…], in order; or {"ar": […], "nar": […]}',
    )  # fmt: skip
    nar_samplers: tuple[str, ...] = param((), multiple=True, hidden=True, help="the chain of the further levels")
    candidates: int = param(1, min=1, max=MOST_CANDIDATES, help="takes of each part, of which the best is kept")
    max_tries: int = param(3, min=1, max=10, help="tries for an utterance that goes wrong")
    pause: float = param(0.1, min=0.0, max=60.0, unit="s", help="silence between the parts of a long text")
    sample_rate: int | None = param(
        None, min=8000, max=48_000, unit="Hz", help="samples a second; 24000 for pcm, else the codec's if absent"
    )
    delivery: str | None = param(
        None, choices=DELIVERIES,
        help="pieces before a sentence is whole, whole parts of the text, or everything at once; by format if absent",
    )  # fmt: skip
    ref_audio: str | None = param(None, help="a recording to speak like: a data URL of at most 10 MiB; then no voice")
    ref_text: str = param("", help="what the recording says")
    voice_fallback: str | None = param(
        None, help="a voice that speaks everything if the model can't speak like the recording or the saved voice"
    )
    trace: bool = param(False, help="keep what the chains did at every step, for GET /v1/audio/records/{id}/trace")


@dataclass(frozen=True)
class PreviewFields(Component):
    """A text whose words and phonemes are wanted, without sound."""

    name = "preview"

    input: str = param(help="the text")
    language: str = param("en", help="language of the text; auto detects it")


@dataclass(frozen=True)
class VoiceFields(Component):
    """A voice made from an uploaded recording."""

    name = "voice"

    title: str = param(help="its name: letters, digits, dashes, dots and underscores")
    consent: str = param(help="the speaker's consent, in words or as the id of a recording; kept with the voice")
    text: str = param("", help="what the recording says")
    language: str = param("en", help="language of the recording")
    keep_audio: bool = param(False, help="keep the samples too, so that models with other codecs can use the voice")
    overwrite: bool = param(False, help="replace a saved voice of that name")


@dataclass(frozen=True)
class TranscriptionFields(Component):
    """How a recording is transcribed."""

    name = "transcription"

    model: str | None = param(None, help="the model, or one of its aliases")
    language: str = param("en", help="language spoken")
    spell: str = param("auto", help="the speller that writes words; auto is one for the language, none gives phonemes")
    response_format: str = param(
        "json", choices=("json", "text", "srt", "verbose_json", "vtt"), help="the shape of the result"
    )
    temperature: float = param(0.0, min=0.0, max=1.0, help="0 takes the likeliest phoneme each time")
    timestamp_granularities: tuple[str, ...] = param(
        ("segment",), multiple=True, choices=("word", "segment"),
        help="what verbose_json gives times of; those of words are estimated",
    )  # fmt: skip
    stream: bool = param(False, help="server-sent events")


@dataclass(frozen=True)
class ExplainFields(Component):
    """A sampling chain to be explained."""

    name = "explain"

    samplers: tuple[str, ...] = param((), multiple=True, help='the chain, or {"ar": […], "nar": […]}')
    nar_samplers: tuple[str, ...] = param((), multiple=True, hidden=True, help="the chain of the further levels")


def read_fields(kind: type[Fields], values: Mapping[str, object], *, text: bool = False) -> tuple[Fields, list[str]]:
    """The fields of a request, each of the type that it is declared to have, and the names of unknown ones.

    Args:
        kind: the declaration.
        values: what was sent; null means absent.
        text: the values come from a form, where numbers are text.

    Raises:
        HttpError: 400 that names the field.
    """
    known: dict[str, object] = {}
    unknown: list[str] = []
    for key, value in values.items():
        parameter = next((each for each in kind.params() if each.name == key), None)
        if parameter is None:
            unknown.append(key)
        elif value is not None:
            known[key] = _checked(parameter, value, text)
    for each in kind.params():
        if each.required and each.name not in known:
            raise HttpError(400, f"{each.name} is missing", code="missing_field", param=each.name)
    try:
        return kind(**known), unknown
    except ComponentError as error:
        raise HttpError(400, line(error), code="bad_request") from error


def _checked(parameter: Param, value: object, text: bool) -> object:
    try:
        if not text:
            _require_type(parameter, value)
        return parameter.check(value)
    except ValueError as error:
        raise HttpError(
            400, f"{parameter.name}: {str(error)[:300]}", code="bad_value", param=parameter.name
        ) from error


_JSON_TYPES: Mapping[type, tuple[type, ...]] = {bool: (bool,), int: (int,), float: (int, float), str: (str,)}


def _require_type(parameter: Param, value: object) -> None:
    """Raises ValueError where JSON has another type: the command line, whose rules follow, takes text for a number."""
    wanted = parameter.type
    if wanted.form == "list" and not isinstance(value, list):
        raise ValueError("expected a list")
    items = value if isinstance(value, list) and wanted.form == "list" else [value]
    allowed = _JSON_TYPES.get(wanted.item, (str,))
    for item in items:
        if not isinstance(item, allowed) or (isinstance(item, bool) and wanted.item is not bool):
            raise ValueError(f"expected {wanted.describe()}, found {str(item)[:80]!r}")
