"""Stage 6: how well the exported voice speaks and listens, on sentences that it has never seen.

flite reads the sentences here; everything else is `vall-e eval` (docs/evaluation.md), as anybody can run it: the
ladder from the recordings to speech, their transcription, and speech in voices that nobody has trained on. A run that
was stopped goes on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import soundfile

from vall_e_core.cli import main
from vall_e_eval.material import choose, read_sentences

from . import corpus as flite
from .config import Config

VOICES = ("slt", "rms", "awb", "kal16")
UNSEEN = ("pitch=+4,formant=0", "pitch=-4,formant=0", "rate=0.85")
"""Another pitch alone, another pace."""
OTHER_BODIES = ("pitch=+4", "pitch=-4")
"""Pitch and formants together: a smaller and a larger person."""


def record(folder: Path, lists: str, voices: Sequence[str], limit: int | None) -> Path:
    """flite's recordings of some lists, and their manifest for `vall-e eval`."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for sentence in choose(read_sentences(), lists, limit):
        for voice in voices:
            path = folder / f"{sentence.id}-{voice}.wav"
            if not path.is_file():
                wave, _ = flite.speak(flite.Speaker(voice, voice), sentence.text)
                soundfile.write(path, wave, flite.RATE)
            line = {"audio": path.name, "text": sentence.text, "speaker": voice, "id": path.stem}
            lines.append(json.dumps(line, ensure_ascii=False))
    manifest = folder / "manifest.jsonl"
    manifest.write_text("\n".join(lines) + "\n", "utf-8")
    return manifest


def run(
    config: Config,
    run_dir: Path,
    out: Path | None = None,
    lists: str = "B",
    voices: Sequence[str] = VOICES,
    limit: int | None = None,
) -> None:
    """Measure the installed default model on `lists`; a folder for each evaluation, with report.json and report.md."""
    folder = run_dir / "report" if out is None else out
    manifest = record(folder / "recordings", lists, voices, limit)
    number = () if limit is None else ("-n", str(limit))
    unseen, bodies = ([word for bend in some for word in ("--bend", bend)] for some in (UNSEEN, OTHER_BODIES))
    for name, command in {
        "ladder": ("ladder", str(manifest)),
        "stt": ("stt", str(manifest)),
        "codec": ("codec", str(manifest)),
        "tts": ("tts", "--list", lists, *number),
        "unseen": ("tts", "--list", lists, *number, *unseen),
        "bodies": ("tts", "--list", lists, *number, *bodies),
    }.items():
        print(f"\n# vall-e eval {' '.join(command)}", flush=True)
        code = main(["eval", *command, "--device", "cpu", "-o", str(folder / name)])
        if code != 0:
            raise SystemExit(code)
