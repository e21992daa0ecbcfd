"""The shards of a corpus: `NNN.i16` (samples end to end) and `NNN.jsonl` (one line an utterance)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from .text import normalise


def forbidden_sentences(path: Path) -> frozenset[str]:
    """Normal forms of the sentences that are never trained on: the last column of each line of a text or TSV file."""
    kept = ["The birch canoe slid on the smooth planks."]
    kept += [line.split("\t")[-1] for line in path.read_text().splitlines() if line.strip()]
    return frozenset(normalise(line) for line in kept)


class Corpus:
    """Utterances of the shards written so far; `wave(i)` is a view of a memory map."""

    def __init__(self, run_dir: Path) -> None:
        self.items: list[dict] = []
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
