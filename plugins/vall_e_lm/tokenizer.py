"""Phonemes to ids and back, by a checkpoint's own vocabulary.

Several characters share an id, and merges join *ids*, not strings: `äɪ` becomes the piece `aɪ` because `ä` has the id
of `a`. A checkpoint stores the pieces with their ids (its symmap) but not the merges. They follow from it: take the
merged pieces in the order of their ids; each one, encoded with the merges before it, leaves two parts, and that pair
is its merge.
"""

from __future__ import annotations

import heapq
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from vall_e_core import CheckpointError, InputError

UNKNOWN, BOS, EOS, MASK = 0, 1, 2, 3
SPECIALS = ("<unk>", "<bos>", "</eos>", "<mask>")
FIRST_MERGE = 83
"""Ids from here on that name more than one character are merges."""
MAX_PIECES = 1 << 20

Pair = tuple[int, int]


class Tokenizer:
    """Encodes IPA (or raw text) by characters and ranked merges.

    Args:
        pieces: each piece with its id.
        merges: ranked merges (left id, right id) -> id; None: rebuilt from the pieces.
    """

    def __init__(self, pieces: Mapping[str, int], merges: Mapping[Pair, int] | None = None) -> None:
        self.pieces = dict(pieces)
        self._specials = {p: i for p, i in self.pieces.items() if p in SPECIALS}
        self._characters = {p: i for p, i in self.pieces.items() if len(p) == 1}
        pattern = "|".join(re.escape(p) for p in sorted(self._specials, key=len, reverse=True))
        self._pattern = re.compile(f"({pattern})") if pattern else None
        self._ranks: dict[Pair, tuple[int, int]] = {}
        for pair, piece in (self._rebuild() if merges is None else merges).items():
            self._ranks[pair] = (len(self._ranks), piece)
        self._canonical = self._canonical_pieces()

    @classmethod
    def from_symmap(cls, symmap: Mapping[str, object]) -> Tokenizer:
        """From the vocabulary that a checkpoint carries. Raises CheckpointError."""
        return cls(_checked(symmap, "the checkpoint's symmap"))

    @classmethod
    def from_file(cls, path: Path) -> Tokenizer:
        """From a file: a Hugging Face `tokenizer.json` with a BPE model, or a JSON object of pieces and ids."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as e:
            raise InputError(f"can't read the tokenizer file {path}", cause=e.strerror) from e
        except ValueError as e:
            raise InputError(f"the tokenizer file {path} isn't JSON", cause=str(e)) from e
        if isinstance(data, dict) and isinstance(data.get("symmap"), dict):
            data = data["symmap"]
        if not isinstance(data, dict):
            raise InputError(f"the tokenizer file {path} doesn't hold a vocabulary", try_="a JSON object {piece: id}")
        model = data.get("model")
        if not isinstance(model, dict):
            return cls(_checked(data, str(path)))
        pieces = _checked(model.get("vocab"), str(path))
        for added in data.get("added_tokens") or ():
            pieces.setdefault(str(added["content"]), int(added["id"]))
        listed = model.get("merges")
        if not listed:
            return cls(pieces, {})
        pairs = [m.split(" ", 1) if isinstance(m, str) else m for m in listed]
        try:
            return cls(pieces, {(pieces[a], pieces[b]): pieces[a + b] for a, b in pairs})
        except (KeyError, ValueError) as e:
            raise InputError(f"the tokenizer file {path} has a merge that isn't in its vocabulary", cause=str(e)) from e

    @property
    def size(self) -> int:
        """The highest id + 1: rows that a phoneme table needs."""
        return max(self.pieces.values()) + 1

    @property
    def merges(self) -> list[Pair]:
        """The merges in the order of their ranks."""
        return list(self._ranks)

    def encode(self, text: str, *, special: bool = True) -> list[int]:
        """Ids of `text`, with bos 1 and eos 2 around them unless `special` is False.

        Specials typed inside the text (`<bos>`, `</eos>`, ...) count as themselves; an unknown character gives one 0.
        """
        ids: list[int] = []
        for part in self._pattern.split(text) if self._pattern else [text]:
            if part in self._specials:
                ids.append(self._specials[part])
            else:
                ids.extend(self._merge([self._characters.get(c, UNKNOWN) for c in part]))
        return [BOS, *ids, EOS] if special else ids

    def unknown(self, text: str) -> list[str]:
        """The characters of `text` that have no id, each once, in order."""
        found: dict[str, None] = {}
        for part in self._pattern.split(text) if self._pattern else [text]:
            if part not in self._specials:
                found.update(dict.fromkeys(c for c in part if c not in self._characters))
        return list(found)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids` without specials. Where pieces share an id the canonical one stands for all: for merges the
        shortest, for characters the lowest code point."""
        special = set(self._specials.values())
        return "".join(self._canonical.get(i, "") for i in map(int, ids) if i not in special)

    def _canonical_pieces(self) -> dict[int, str]:
        best: dict[int, str] = {}
        for piece, i in self.pieces.items():
            if piece in self._specials:
                continue
            old = best.get(i)
            if old is None or _preference(piece, i) < _preference(old, i):
                best[i] = piece
        return best

    def _rebuild(self) -> dict[Pair, int]:
        merged = [(i, p) for p, i in self.pieces.items() if len(p) > 1 and i >= FIRST_MERGE and p not in SPECIALS]
        for i, piece in sorted(merged):
            parts = self._merge([self._characters.get(c, UNKNOWN) for c in piece])
            if len(parts) == 2 and UNKNOWN not in parts:
                self._ranks[parts[0], parts[1]] = (len(self._ranks), i)
            elif len(parts) > 2 or UNKNOWN in parts:
                raise CheckpointError(
                    f"the vocabulary's piece {piece!r} (id {i}) can't be made by one merge",
                    cause="its parts aren't pieces of the vocabulary",
                    try_="--tokenizer FILE with a vocabulary that lists its merges",
                )
        found = {pair: i for pair, (_, i) in self._ranks.items()}
        self._ranks = {}
        return found

    def _merge(self, ids: list[int]) -> list[int]:
        """Apply merges, lowest rank first and leftmost first among equals; O(n log n)."""
        ranks = self._ranks
        if len(ids) < 2 or not ranks:
            return ids
        after = [*range(1, len(ids)), -1]
        before = list(range(-1, len(ids) - 1))
        heap: list[tuple[int, int, Pair]] = []

        def offer(left: int) -> None:
            right = after[left]
            if right >= 0 and (found := ranks.get((ids[left], ids[right]))) is not None:
                heapq.heappush(heap, (found[0], left, (ids[left], ids[right])))

        for place in range(len(ids) - 1):
            offer(place)
        while heap:
            _, left, pair = heapq.heappop(heap)
            right = after[left]
            if right < 0 or (ids[left], ids[right]) != pair:
                continue
            ids[left], ids[right] = ranks[pair][1], -1
            after[left] = after[right]
            if after[left] >= 0:
                before[after[left]] = left
            offer(left)
            if before[left] >= 0:
                offer(before[left])
        return [i for i in ids if i >= 0]


def _preference(piece: str, i: int) -> tuple[object, ...]:
    merged_first = len(piece) == 1 if i >= FIRST_MERGE else len(piece) > 1
    return (merged_first, len(piece), [ord(c) for c in piece])


def _checked(vocabulary: object, where: str) -> dict[str, int]:
    if not isinstance(vocabulary, Mapping) or not vocabulary:
        raise CheckpointError(f"{where} is not a vocabulary", cause="an object of pieces and ids is expected")
    if len(vocabulary) > MAX_PIECES:
        raise CheckpointError(f"{where} has {len(vocabulary)} pieces, which is too many")
    pieces: dict[str, int] = {}
    for piece, i in vocabulary.items():
        if not isinstance(piece, str) or not piece or isinstance(i, bool) or not isinstance(i, int):
            raise CheckpointError(f"{where} has a piece that isn't text with a whole number: {piece!r}: {i!r}")
        if not 0 <= i < MAX_PIECES:
            raise CheckpointError(f"{where} gives the piece {piece!r} the id {i}, which is too large")
        pieces[piece] = i
    return pieces
