"""Speech of known text, speaker and phone times: flite's voices and variants of them, in shards of raw int16."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import tempfile
import zlib
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile
import soxr
from scipy.signal import fftconvolve, lfilter

from vall_e_eval.bend import Bend
from vall_e_eval.material import PACKAGED

from .config import Config, CorpusConfig
from .text import normalise, phonemes, sentences

RATE = 16000
PITCH = {"slt": 170.0, "rms": 100.0, "awb": 131.0, "kal16": 90.0}
"""Mean pitch of the voices as they are, in Hz (measured)."""
FIXED_PITCH = "rms"
"""flite speaks this voice at its own pitch only: its recordings are bent."""


@dataclass(frozen=True)
class Speaker:
    """A flite voice, and how it is bent."""

    name: str
    voice: str
    pitch: float | None = None
    """Mean F0 in Hz (None: the voice's own)."""
    stretch: float = 1.0
    """Duration factor asked of flite."""
    formants: float = 1.0
    """The recording is played this much faster, which moves pitch and formants up together."""
    echo: float = 0.0
    """Reverberation time of the room (RT60) in seconds; 0: none."""
    noise: float | None = None
    """Level of the background noise under that of the speech, in dB (None: no noise)."""
    bent: bool = False
    """The pitch is moved in the recording of the voice as it is."""

    @property
    def octaves(self) -> float:
        """Mean pitch over 100 Hz, in octaves."""
        return math.log2((self.pitch or PITCH[self.voice]) * self.formants / 100.0)


def speakers(config: CorpusConfig) -> list[tuple[Speaker, float]]:
    """All speakers with the share of utterances that each speaks."""
    rng = random.Random(config.seed)
    found = [(Speaker(v, v), share) for v, share in config.voices.items()]
    for i in range(config.variants):
        voice = config.variant_voices[i % len(config.variant_voices)]
        formants = round(2 ** rng.uniform(-config.formants, config.formants), 3)
        if config.own_formants_share > 0.0 and rng.random() < config.own_formants_share:
            formants = 1.0
        pitch = round(PITCH[voice] * 2 ** rng.uniform(-config.pitch, config.pitch), 1)
        stretch = round(formants * 2 ** rng.uniform(-config.stretch, config.stretch), 3)
        bent = voice == FIXED_PITCH or (config.bent_share > 0.0 and rng.random() < config.bent_share)
        speaker = Speaker(f"{voice}-{config.seed}-{i:03d}", voice, pitch, stretch, formants, bent=bent)
        if rng.random() < config.room_share:
            speaker = replace(speaker, echo=round(rng.uniform(0.1, 0.4), 2), noise=round(rng.uniform(25.0, 40.0), 1))
        found.append((speaker, config.variant_share / config.variants))
    return found


def in_room(wave: np.ndarray, speaker: Speaker) -> np.ndarray:
    """Samples [n] as they sound in the speaker's room: a decaying random echo behind the direct sound, then noise."""
    rng = np.random.default_rng(zlib.crc32(speaker.name.encode()))
    if speaker.echo > 0.0:
        length = round(speaker.echo * RATE)
        decay = 10.0 ** (-3.0 * np.arange(length) / length)  # -60 dB at the end
        echo = rng.standard_normal(length) * decay
        echo *= 0.5 / np.sqrt((echo**2).sum())
        wave = wave + fftconvolve(wave, echo)[: len(wave)]
    if speaker.noise is not None:
        level = float(np.sqrt((wave**2).mean())) * 10.0 ** (-speaker.noise / 20.0)
        wave = wave + level * lfilter([1.0], [1.0, -0.7], rng.standard_normal(len(wave))) * 0.71
    return wave.astype(np.float32)


def speak(
    speaker: Speaker, text: str, margin: float = 0.06, rms: float = 0.08
) -> tuple[np.ndarray, list[tuple[str, float]]]:
    """flite's recording, trimmed and levelled [samples] float32, and (phone, end in seconds) for each phone."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        wav = f"{folder}/a.wav"
        command = ["flite", "-voice", speaker.voice, "-psdur"]
        if speaker.pitch is not None and not speaker.bent:
            command += ["--setf", f"int_f0_target_mean={speaker.pitch}"]
        if speaker.stretch != 1.0:
            command += ["--setf", f"duration_stretch={speaker.stretch}"]
        out = subprocess.run([*command, "-t", text, "-o", wav], check=True, capture_output=True, text=True).stdout
        wave, rate = soundfile.read(wav, dtype="float32")
    if rate != RATE:
        raise RuntimeError(f"flite's {speaker.voice} speaks at {rate} Hz, not {RATE}")
    if speaker.pitch is not None and speaker.bent:
        wave = Bend(pitch=12.0 * math.log2(speaker.pitch / PITCH[speaker.voice]), formant=0.0)(wave, RATE)
    phones = [(p, float(t)) for p, _, t in (item.rpartition(":") for item in out.split())]
    if speaker.formants != 1.0:
        wave = soxr.resample(wave, RATE * speaker.formants, RATE).astype(np.float32)
        phones = [(p, t / speaker.formants) for p, t in phones]
    if len(phones) < 3:
        raise RuntimeError(f"flite said nothing for {text!r}")
    begin = max(0.0, (phones[0][1] if phones[0][0] == "pau" else 0.0) - margin)
    end = (phones[-2][1] if phones[-1][0] == "pau" else phones[-1][1]) + margin
    wave = wave[round(begin * RATE) : round(end * RATE)]
    wave = in_room(wave, speaker)
    length = len(wave) / RATE
    phones = [(p, min(max(t - begin, 0.0), length)) for p, t in phones]
    level = float(np.sqrt((wave**2).mean()))
    return wave * min(rms / max(level, 1e-5), 0.98 / max(float(np.abs(wave).max()), 1e-5)), phones


def make_shard(job: tuple[Config, Path, int, frozenset[str]]) -> str:
    """Write shard `i`: `NNN.i16` (samples end to end) and then `NNN.jsonl` (one line an utterance)."""
    config, folder, index, forbidden = job
    done = folder / f"{index:03d}.jsonl"
    if done.is_file():
        return f"{done.name}: there already"
    c = config.corpus
    rng = random.Random(c.seed * 1_000_003 + index)
    source = sentences(rng, forbidden)
    texts = [next(source) for _ in range(c.shard_size)]
    who, shares = zip(*speakers(c), strict=True)
    lines, start = [], 0
    with (folder / f"{index:03d}.i16").open("wb") as audio:
        for text, ipa in zip(texts, phonemes(texts), strict=True):
            speaker = rng.choices(who, shares)[0]
            try:
                wave, phones = speak(speaker, text, c.margin, c.rms)
            except (RuntimeError, subprocess.CalledProcessError):
                continue
            if not ipa or not 0.25 <= len(wave) / RATE <= 8.0:
                continue
            audio.write((wave * 32767).astype("<i2").tobytes())
            lines.append(
                {
                    "speaker": speaker.name,
                    "text": text,
                    "ipa": ipa,
                    "start": start,
                    "samples": len(wave),
                    "phones": [[p, round(t, 4)] for p, t in phones],
                }
            )
            start += len(wave)
    partial = done.with_suffix(".partial")
    partial.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    partial.rename(done)
    return f"{done.name}: {len(lines)} utterances, {start / RATE / 3600:.2f} h"


def forbidden_sentences(path: Path) -> frozenset[str]:
    """Normal forms of the sentences that are never trained on: the last column of each line of a text or TSV file."""
    kept = ["The birch canoe slid on the smooth planks."]
    kept += [line.split("\t")[-1] for line in path.read_text().splitlines() if line.strip()]
    return frozenset(normalise(line) for line in kept)


def run(config: Config, run_dir: Path, keep_out: Path = PACKAGED, workers: int = 2) -> None:
    """Write every shard that is not there yet."""
    folder = run_dir / "corpus"
    folder.mkdir(parents=True, exist_ok=True)
    who = [{**asdict(s), "share": share} for s, share in speakers(config.corpus)]
    (folder / "speakers.json").write_text(json.dumps(who, indent=1))
    forbidden = forbidden_sentences(keep_out)
    jobs = [(config, folder, i, forbidden) for i in range(config.corpus.shards)]
    with get_context("spawn").Pool(workers) as pool:
        for message in pool.imap(make_shard, jobs):
            print(message, flush=True)


class Corpus:
    """Utterances of the shards written so far; `wave(i)` is a view of a memory map."""

    def __init__(self, run_dir: Path) -> None:
        self.items: list[dict] = []
        known = run_dir / "corpus" / "speakers.json"
        self.octaves = {
            s["name"]: Speaker(**{k: v for k, v in s.items() if k != "share"}).octaves
            for s in (json.loads(known.read_text()) if known.is_file() else ())
        }
        """Mean pitch of each of flite's speakers over 100 Hz, in octaves."""
        self._maps: dict[int, np.ndarray] = {}
        for path in sorted((run_dir / "corpus").glob("*.jsonl")):
            for line in path.read_text().splitlines():
                self.items.append({**json.loads(line), "shard": int(path.stem)})
            self._maps[int(path.stem)] = np.memmap(path.with_suffix(".i16"), dtype="<i2", mode="r")

    def __len__(self) -> int:
        return len(self.items)

    def wave(self, i: int) -> np.ndarray:
        """Samples of utterance `i`, float32 [samples]."""
        item = self.items[i]
        return self._maps[item["shard"]][item["start"] : item["start"] + item["samples"]].astype(np.float32) / 32767
