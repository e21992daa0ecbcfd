"""The codes of a corpus, as it is and in further voices and channels: all that the language model needs.

`codes/NNN.npz` holds a shard's codes end to end and `codes/NNN.jsonl` a line for each run of them: the speaker, the
phonemes and how many frames. Tens of megabytes stand for hours of speech, so they can travel to another machine.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vall_e_mini.networks import Encoder
from vall_e_tensors import rescaled

from .augment import Variation, disturbed, draw, varied
from .codec import load_encoder
from .config import Config
from .corpus import Corpus
from .export import stored

VARIATIONS = 3
"""Further voices that are made of each speaker."""
PROMPT_SHARE = 0.3
"""How often an utterance is also encoded with noise or echo, to be a prompt and never a target."""


def variations(speaker: str, rate: int) -> list[tuple[str, Variation]]:
    """(name, variation) of the voices made of a speaker, the speaker's own first; the same on every call."""
    rng = np.random.default_rng(zlib.crc32(speaker.encode()))
    found = [(speaker, Variation())]
    while len(found) <= VARIATIONS:
        each = draw(rng, rate)
        if each.speed != 1.0:
            found.append((f"{speaker}@{len(found)}", Variation(each.speed, each.tilt, each.low, each.high)))
    return found


def takes(item: dict[str, Any], wave: np.ndarray, rate: int, frame: int) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """(what it is, samples) of an utterance: as it is, in one other voice, and now and then as a disturbed prompt."""
    rng = np.random.default_rng(zlib.crc32(f"{item['speaker']} {item['text']} {item['start']}".encode()))
    voices = variations(item["speaker"], rate)
    chosen = voices[0], voices[1 + int(rng.integers(VARIATIONS))]
    for name, variation in chosen:
        made = varied(wave, variation, rate, frame)
        known = {"speaker": name, "ipa": item["ipa"]}
        yield {**known, "prompt_only": False}, made
        if rng.random() < PROMPT_SHARE:
            yield {**known, "prompt_only": True}, disturbed(made, rng, rate)


@torch.inference_mode()
def encode_shard(encoder: Encoder, corpus: Corpus, shard: int, folder: Path, rate: int, frame: int) -> None:
    """Write the codes of one shard, which are there as soon as the `.jsonl` is."""
    codes, lines = [], []
    for index, item in enumerate(corpus.items):
        if item["shard"] != shard:
            continue
        for known, wave in takes(item, corpus.wave(index), rate, frame):
            padded = np.pad(wave, (0, -len(wave) % frame))
            found = encoder.encode(torch.from_numpy(padded)[None])[0].numpy().astype(np.uint16)
            codes.append(found)
            lines.append({**known, "frames": len(found)})
    partial = folder / f"{shard:03d}.partial.npz"
    np.savez_compressed(partial, codes=np.concatenate(codes))
    partial.replace(folder / f"{shard:03d}.npz")
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (folder / f"{shard:03d}.jsonl").write_text(text, "utf-8")
    print(f"{shard:03d}: {len(lines)} runs of codes", flush=True)


def run(config: Config, run_dir: Path) -> None:
    """Encode every shard that has no codes yet, with the weights that the product will have: its codes are the same."""
    encoder, _ = load_encoder(run_dir)
    encoder.load_state_dict(encoder.state_dict() | rescaled(stored(encoder.state_dict())))
    corpus, folder = Corpus(run_dir), run_dir / "codes"
    folder.mkdir(exist_ok=True)
    for shard in sorted({item["shard"] for item in corpus.items}):
        if not (folder / f"{shard:03d}.jsonl").is_file():
            encode_shard(encoder, corpus, shard, folder, config.codec.sample_rate, config.codec.frame_samples)


class EncodedCorpus:
    """The runs of codes of a folder `codes/`, without any audio."""

    def __init__(self, run_dir: Path) -> None:
        self.items: list[dict[str, Any]] = []
        self._codes: list[np.ndarray] = []
        for path in sorted((run_dir / "codes").glob("*.jsonl")):
            with np.load(path.with_suffix(".npz")) as file:
                codes = file["codes"]
            start = 0
            for line in path.read_text("utf-8").splitlines():
                item = json.loads(line)
                self.items.append(item)
                self._codes.append(codes[start : start + item["frames"]])
                start += item["frames"]

    def __len__(self) -> int:
        return len(self.items)

    def codes(self, i: int) -> np.ndarray:
        """Codes of run `i`: [T, Q] uint16."""
        return self._codes[i]
