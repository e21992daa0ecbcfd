"""How well the exported voice speaks and listens, on sentences that it has never seen.

The teacher reads the sentences here, in the packaged voices and in those that were never trained on; everything else is
`vall-e eval` (docs/evaluation.md), as anybody can run it: the ladder from the recordings to speech, their
transcription, and speech in voices that nobody has trained on. A run that was stopped goes on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import soundfile

from vall_e_core.cli import main
from vall_e_eval.material import choose, read_sentences

from .config import Config
from .kokoro import RATE, Teacher
from .teacher import HELD_OUT
from .voices import SPEAKERS

UNSEEN = ("pitch=+4,formant=0", "pitch=-4,formant=0", "rate=0.85")
"""Another pitch alone, another pace."""
OTHER_BODIES = ("pitch=+4", "pitch=-4")
"""Pitch and formants together: a smaller and a larger person."""


def record(folder: Path, teacher: Teacher, lists: str, voices: Sequence[str], limit: int | None) -> Path:
    """The teacher's recordings of some lists in voices of its own, and their manifest for `vall-e eval`."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for sentence in choose(read_sentences(), lists, limit):
        for voice in voices:
            path = folder / f"{sentence.id}-{voice}.wav"
            if not path.is_file():
                said = teacher.speak(sentence.text, teacher.voice({voice: 1.0}), british=voice.startswith("b"))
                if said is None:
                    raise ValueError(f"the teacher can't say {sentence.text!r}")
                soundfile.write(path, said.wave, RATE)
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
    limit: int | None = None,
) -> None:
    """Measure the installed default model on `lists`; a folder for each evaluation, with report.json and report.md."""
    folder = run_dir / "report" if out is None else out
    teacher = Teacher(Path(config.teacher.folder))
    known = record(folder / "recordings", teacher, lists, tuple(SPEAKERS.values()), limit)
    strangers = record(folder / "strangers", teacher, lists, sorted(HELD_OUT), limit)
    references = record(folder / "references", teacher, "A", sorted(HELD_OUT), 1)
    number = () if limit is None else ("-n", str(limit))
    unseen, bodies = ([word for bend in some for word in ("--bend", bend)] for some in (UNSEEN, OTHER_BODIES))
    for name, command in {
        "ladder": ("ladder", str(known)),
        "stt": ("stt", str(strangers)),
        "codec": ("codec", str(strangers)),
        "tts": ("tts", "--list", lists, *number),
        "cloned": ("tts", "--list", lists, *number, "--ref", str(references)),
        "unseen": ("tts", "--list", lists, *number, *unseen),
        "bodies": ("tts", "--list", lists, *number, *bodies),
    }.items():
        print(f"\n# vall-e eval {' '.join(command)}", flush=True)
        code = main(["eval", *command, "--device", "cpu", "-o", str(folder / name)])
        if code != 0:
            raise SystemExit(code)
