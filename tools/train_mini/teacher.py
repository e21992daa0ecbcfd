"""Natural speech of known text, speaker and phone times: the teacher's voices and mixtures of two, in shards.

A shard is `NNN.i16` (24 kHz samples end to end) and `NNN.jsonl` (one line an utterance). Another process may write
shards of other numbers at the same time.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vall_e_eval.material import PACKAGED

from .config import Config, TeacherConfig
from .corpus import forbidden_sentences
from .kokoro import RATE, Teacher
from .text import passages, phonemes

HELD_OUT = frozenset(("af_bella", "am_fenrir", "bm_george", "bf_emma"))
"""Never heard in training, mixtures included: what cloning is measured with."""
LEFT_OUT = frozenset(("af_nicole",))
"""It whispers."""


@dataclass(frozen=True)
class Mixture:
    """A speaker: the weights of the teacher's voices."""

    name: str
    weights: tuple[tuple[str, float], ...]

    @property
    def british(self) -> bool:
        """Whether the weightiest voice is."""
        return max(self.weights, key=lambda pair: pair[1])[0].startswith("b")


def mixture(weights: dict[str, float]) -> Mixture:
    """Named after its weights."""
    pairs = tuple(sorted(((n, round(w, 2)) for n, w in weights.items()), key=lambda pair: -pair[1]))
    return Mixture("+".join(f"{n}:{w:g}" for n, w in pairs), pairs)


def speakers(folder: Path, config: TeacherConfig) -> list[Mixture]:
    """All speakers of a corpus: each English voice, then as many mixtures as are asked for.

    Most are uneven mixtures of two English voices, some of an English and a foreign one, and some lie beyond a voice,
    away from another of its sex.
    """
    rng = random.Random(config.seed)
    names = sorted(path.stem for path in (folder / "voices").glob("*.bin"))
    usable = [n for n in names if n not in HELD_OUT | LEFT_OUT]
    english, foreign = [n for n in usable if n[0] in "ab"], [n for n in usable if n[0] not in "ab"]
    found = {each.name: each for each in (mixture({n: 1.0}) for n in english)}
    while len(found) < len(english) + config.mixtures:
        first, draw = rng.choice(english), rng.random()
        if draw < 0.55:
            second, weight = rng.choice([n for n in english if n != first]), rng.choice((0.6, 0.65, 0.7, 0.75))
        elif draw < 0.8:
            second, weight = rng.choice(foreign), rng.choice((0.5, 0.6, 0.7))
        else:
            second = rng.choice([n for n in english if n != first and n[1] == first[1]])
            weight = rng.choice((1.15, 1.25, 1.3))
        each = mixture({first: weight, second: 1.0 - weight})
        found[each.name] = each
    return list(found.values())


def make_shard(teacher: Teacher, config: TeacherConfig, folder: Path, index: int, forbidden: frozenset[str]) -> None:
    """Write one shard, which is there as soon as its `.jsonl` is."""
    rng = random.Random(config.seed * 1_000_003 + index)
    texts, everyone = passages(rng, forbidden), speakers(teacher.folder, config)
    whole = [each for each in everyone if len(each.weights) == 1]
    lines, start = [], 0
    with (folder / f"{index:03d}.i16").open("wb") as audio:
        while start < config.shard_minutes * 60 * RATE:
            speaker = rng.choice(whole if rng.random() < config.whole_share else everyone)
            voice, speed = teacher.voice(dict(speaker.weights)), round(rng.uniform(*config.speeds), 2)
            text = next(texts)
            said = teacher.speak(text, voice, speed, speaker.british)
            if said is None or not 0.4 < len(said.wave) / RATE < config.longest:
                continue
            wave = said.wave * min(1.0, 0.95 / max(0.05, float(np.abs(said.wave).max())))
            audio.write((wave * 32767).astype("<i2").tobytes())
            known = {"speaker": speaker.name, "text": text, "ipa": phonemes([text])[0], "speed": speed}
            lines.append({**known, "start": start, "samples": len(wave), "phones": said.phones})
            start += len(wave)
    partial = folder / f"{index:03d}.partial"
    partial.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")
    partial.rename(folder / f"{index:03d}.jsonl")
    print(f"{index:03d}: {len(lines)} utterances, {start / RATE / 60:.1f} minutes", flush=True)


def run(config: Config, run_dir: Path, keep_out: Path = PACKAGED, worker: int = 0, workers: int = 1) -> None:
    """Write every shard of this worker that isn't there yet.

    Args:
        worker: of `workers` processes, counted from 0; each takes the shards whose number leaves it as remainder.
    """
    folder = run_dir / "corpus"
    folder.mkdir(parents=True, exist_ok=True)
    teacher, forbidden = Teacher(Path(config.teacher.folder)), forbidden_sentences(keep_out)
    for index in range(worker, config.teacher.shards, workers):
        if not (folder / f"{index:03d}.jsonl").is_file():
            make_shard(teacher, config.teacher, folder, index, forbidden)
