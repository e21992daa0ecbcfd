"""The corpus with its codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .corpus import Corpus


class CodedCorpus(Corpus):
    """Utterances of the shards that are encoded; `codes(i)` gives [T, Q]."""

    def __init__(self, run_dir: Path) -> None:
        super().__init__(run_dir)
        stored: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for path in sorted((run_dir / "codes").glob("[0-9][0-9][0-9].npz")):
            with np.load(path) as file:
                stored[int(path.stem)] = file["codes"], np.concatenate([[0], np.cumsum(file["lengths"])])
        self.items = [item for item in self.items if item["shard"] in stored]
        self._codes: list[np.ndarray] = []
        seen: dict[int, int] = {}
        for item in self.items:
            codes, starts = stored[item["shard"]]
            n = seen.get(item["shard"], 0)
            self._codes.append(codes[starts[n] : starts[n + 1]])
            seen[item["shard"]] = n + 1

    def codes(self, i: int) -> np.ndarray:
        """Codes of utterance `i`: [T, Q] uint16."""
        return self._codes[i]
