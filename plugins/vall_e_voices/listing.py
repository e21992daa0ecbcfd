"""What is known of a voice, saved or packaged, good or damaged, as a record and as lines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vall_e_core import BuildContext, InputError, VallEError, Voice, plugin_code

from .folder import SavedVoice, VoiceFolder

if TYPE_CHECKING:
    from vall_e_core import Registry

Facts = dict[str, Any]


def all_voices(registry: Registry) -> list[Facts]:
    """Every voice, the user's own first. One that can't be read has its `error`; a packaged one whose code failed its
    `plugin` too."""
    folder = VoiceFolder()
    own = [_own(name, path, folder) for name, path in folder.files().items()]
    hidden = {each["name"] for each in own}
    packaged = [_packaged(registry, name, kind) for name, kind in registry.all(Voice).items() if name not in hidden]
    return [*own, *packaged]


def _packaged(registry: Registry, name: str, kind: type[Voice]) -> Facts:
    try:
        with plugin_code(kind, "audio_path", BuildContext(owner=registry.owner)):
            return packaged_facts(name, kind())
    except VallEError as error:
        unknown = dict.fromkeys(("seconds", "title", "transcript", "language", "path"))
        plugin = registry.owner(kind).label
        return {"kind": "packaged", "name": name, **unknown, "error": error.message, "plugin": plugin}


def own_facts(voice: SavedVoice) -> Facts:
    """Of a saved voice."""
    return {"kind": "own", **voice.record(), "error": None}


def packaged_facts(name: str, voice: Voice) -> Facts:
    """Of a packaged one: what its plugin and its recording say."""
    path = voice.audio_path()
    seconds, error = _length(path)
    return {
        "kind": "packaged",
        "name": name,
        "seconds": seconds,
        "title": voice.summary(),
        "transcript": voice.transcript or None,
        "language": voice.language,
        "path": str(path),
        "error": error,
    }


def table(voices: list[Facts], folder: Path) -> str:
    """A line for each voice, and where the user's own lie."""
    width = max((len(each["name"]) for each in voices), default=0)
    lines = [f"{each['name']:<{width}}  {_summary(each)}".rstrip() for each in voices]
    return "\n".join([*lines, "", f"your own voices: {folder}"])


def page(facts: Mapping[str, Any]) -> str:
    """All that is known of one voice."""
    codec = facts.get("codec")
    rows = {
        "kind": facts["kind"],
        "about": facts.get("title"),
        "length": None if facts["seconds"] is None else f"{facts['seconds']:.2f} s",
        "says": facts["transcript"],
        "heard": f"/{facts['phonemes']}/" if facts.get("phonemes") else None,
        "language": facts["language"],
        "pitch": f"{facts['pitch']:.0f} Hz (median)" if facts.get("pitch") else None,
        "codes": None if codec is None else _codes(codec),
        "recording": _recording(facts),
        "sha256": facts.get("recording_sha256"),
        "note": facts.get("note"),
        "created": facts.get("created"),
        "path": facts["path"],
    }
    lines = [f"  {key + ':':<11}{value}" for key, value in rows.items() if value is not None]
    return "\n".join([facts["name"], *lines, *(f"  warning:   {line}" for line in facts.get("warnings", ()))])


def _own(name: str, path: Path, folder: VoiceFolder) -> Facts:
    try:
        return own_facts(folder.read(name, audio=False))
    except InputError as error:
        return {"kind": "own", "name": name, "path": str(path), "error": error.cause or error.message}


def _length(path: Path) -> tuple[float | None, str | None]:
    import soundfile

    try:
        return round(float(soundfile.info(str(path)).duration), 6), None
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        return None, f"its recording can't be read: {error}"


def _summary(facts: Facts) -> str:
    if facts["error"] is not None:
        return f"{facts['kind']:<8}  unusable: {facts['error']}"
    codec = facts["codec"]["name"] if "codec" in facts else ""
    seconds = "" if facts["seconds"] is None else f"{facts['seconds']:.2f} s"
    said = facts["transcript"] or (f"/{facts['phonemes']}/" if facts.get("phonemes") else "")
    shown = said if len(said) <= 60 else f"{said[:59]}…"
    return f"{facts['kind']:<8}  {seconds:>8}  {facts['language']:<5}  {codec:<8}  {shown}"


def _codes(codec: Mapping[str, Any]) -> str:
    books = codec["code_books_sha256"]
    sizes = f"{codec['levels']} levels of {codec['codebook_size']}, {codec['frame_rate']:g} frames per second"
    return f"{codec['name']}, {sizes}" + ("" if books is None else f", codebooks {books[:12]}…")


def _recording(facts: Mapping[str, Any]) -> str | None:
    if facts["kind"] == "packaged":
        return None
    channels = facts["recording_channels"]
    found = [
        facts["source"],
        None if facts["recording_rate"] is None else f"{facts['recording_rate']} Hz",
        None if channels is None else f"{channels} channel{'s' if channels > 1 else ''}",
        "not kept" if facts["audio_rate"] is None else f"kept at {facts['audio_rate']} Hz",
    ]
    return ", ".join(each for each in found if each is not None)
