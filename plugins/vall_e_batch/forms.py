"""The forms of a manifest's JSON lines: which fields mean what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from vall_e_core import did_you_mean

from .rows import Row

FIELDS = frozenset({
    "id", "text", "phonemes", "voice", "ref", "ref_text", "samplers", "nar_samplers", "format", "out", "meta",
    "audio",
})  # fmt: skip
"""Of our own form, beside options and flags."""
_SAMPLERS = {"samplers": "sampler", "nar_samplers": "nar_sampler"}
_NOT_IN_A_ROW = frozenset({"batch_size"})
OPENAI_VOICES = frozenset({
    "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse",
})  # fmt: skip
"""Names that any program for OpenAI's API sends: the batch's own voice stands for them."""
_OPENAI_FORMATS = {"wav": "wav", "flac": "flac", "opus": "opus", "mp3": "mp3", "pcm": "pcm_s16le"}


class Wrong(Exception):
    """What is wrong with a row."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(*reasons)
        self.reasons = reasons


class Form:
    """How an object becomes a row. This one is our own."""

    name: ClassVar[str] = "jsonl"

    def row(self, value: Mapping[str, Any], line: int, known: frozenset[str], folder: Path) -> Row:
        """The row.

        Args:
            value: the object.
            line: where it stands.
            known: names of options and flags.
            folder: that of the manifest, which relative paths start from.

        Raises:
            Wrong: with all that is wrong with it.
        """
        reasons: list[str] = []
        settings: dict[str, object] = {}
        for key, each in value.items():
            if key in FIELDS:
                continue
            if key not in known or key in _NOT_IN_A_ROW:
                near = did_you_mean(key, FIELDS | known)
                reasons.append(f"unknown field {key!r}" + (f"; did you mean {near}?" if near else ""))
            elif each is not None:
                settings[key] = each
        for key, name in _SAMPLERS.items():
            if value.get(key) is not None:
                settings[name] = value[key]
        if isinstance(settings.get("seed"), str) and str(settings["seed"]).isdecimal():
            settings["seed"] = int(str(settings["seed"]))
        texts = [key for key in ("text", "phonemes") if value.get(key) is not None]
        audio = _text(value, "audio", reasons)
        if len(texts) > 1:
            reasons.append("text and phonemes are both given: leave one out")
        elif not texts and audio is None:
            reasons.append("no text")
        text = _text(value, texts[0], reasons) if texts else None
        found = Row(
            _id(value.get("id"), line, reasons), text or "", texts == ["phonemes"], _text(value, "voice", reasons),
            _paths(value.get("ref"), folder, reasons), _text(value, "ref_text", reasons), settings,
            _text(value, "format", reasons), _text(value, "out", reasons), value.get("meta"),
            None if audio is None else folder / audio, line,
        )  # fmt: skip
        if reasons:
            raise Wrong(*reasons)
        return found


class OpenAI(Form):
    """OpenAI's batch file: `custom_id`, `url`, `body`."""

    name = "openai"

    def row(self, value: Mapping[str, Any], line: int, known: frozenset[str], folder: Path) -> Row:
        """As `Form.row`; fields of the body that OpenAI's API hasn't are options and flags."""
        body = value.get("body")
        if value.get("url") != "/v1/audio/speech":
            raise Wrong(f"url has to be /v1/audio/speech, not {value.get('url')!r}")
        if not isinstance(body, dict):
            raise Wrong("body has to be an object")
        format = body.get("response_format", "mp3")
        if not isinstance(format, str) or format not in _OPENAI_FORMATS:
            raise Wrong(f"response_format can't be {format!r}: one of {', '.join(_OPENAI_FORMATS)}")
        own = {
            key: each
            for key, each in body.items()
            if key not in ("model", "input", "response_format", "instructions", "stream_format")
        }
        if own.get("voice") in OPENAI_VOICES:
            del own["voice"]
        return super().row(
            {**own, "id": value.get("custom_id"), "text": body.get("input"), "format": _OPENAI_FORMATS[format]},
            line, known, folder,
        )  # fmt: skip


class NeMo(Form):
    """NeMo's manifest: `audio_filepath`, `text`, `duration`, `offset`. The recording is the reference of its text."""

    name = "nemo"

    def row(self, value: Mapping[str, Any], line: int, known: frozenset[str], folder: Path) -> Row:
        """As `Form.row`; fields of others go into `meta`."""
        span = _span(value)
        own = {key: each for key, each in value.items() if key in FIELDS | known and key not in ("audio", "meta")}
        audio = value.get("audio_filepath")
        if not isinstance(audio, str):
            raise Wrong("audio_filepath has to be a path")
        rest = {key: each for key, each in value.items() if key not in own}
        found = super().row(
            {"ref": audio, "ref_text": value.get("text"), **own, "audio": audio, "meta": rest}, line, known, folder
        )
        return replace(found, span=span) if own.get("ref") is None and own.get("voice") is None else found


class Lhotse(Form):
    """lhotse's supervisions: `id`, `text`, `language`, and where they lie in a recording, which isn't used."""

    name = "lhotse"

    def row(self, value: Mapping[str, Any], line: int, known: frozenset[str], folder: Path) -> Row:
        """As `Form.row`; fields of others go into `meta`."""
        names = {"id", "text", "language"}
        rest = {key: each for key, each in value.items() if key not in names}
        own = {key: value[key] for key in names if value.get(key) is not None}
        return super().row({**own, "meta": rest}, line, known, folder)


FORMS: Mapping[str, Form] = {each.name: each for each in (Form(), OpenAI(), NeMo(), Lhotse())}


def form_of_json(value: Mapping[str, Any]) -> Form:
    """The form of a file by its first object."""
    if "custom_id" in value and "body" in value:
        return FORMS["openai"]
    if "audio_filepath" in value:
        return FORMS["nemo"]
    return FORMS["lhotse" if "recording_id" in value else "jsonl"]


def _span(value: Mapping[str, Any]) -> tuple[float, float | None] | None:
    """Where a row lies in its recording; None for a row without an offset, which is all of it. Raises Wrong."""
    if value.get("offset") is None:
        return None
    found: list[float | None] = []
    for key, least in (("offset", 0.0), ("duration", 0.001)):
        each = value.get(key)
        if each is None:
            found.append(None)
        elif isinstance(each, bool) or not isinstance(each, int | float) or not least <= each < 1e7:
            raise Wrong(f"{key} has to be a number of seconds, not {each!r}")
        else:
            found.append(float(each))
    return found[0] or 0.0, found[1]


def _id(value: object, line: int, reasons: list[str]) -> str:
    if value is None:
        return f"{line:06d}"
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    reasons.append(f"an id has to be a text, not {value!r}")
    return ""


def _text(value: Mapping[str, Any], key: str, reasons: list[str]) -> str | None:
    found = value.get(key)
    if found is None or isinstance(found, str):
        return found
    reasons.append(f"{key} has to be a text, not {str(found)[:40]}")
    return None


def _paths(value: object, folder: Path, reasons: list[str]) -> tuple[Path, ...]:
    """One path, several with `;` between them, or a list; relative ones start from the manifest's folder."""
    if value is None:
        return ()
    listed = value.split(";") if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(each, str) and each.strip() for each in listed):
        reasons.append("ref has to be a path, or a list of paths")
        return ()
    return tuple(folder / Path(each.strip()).expanduser() for each in listed)
