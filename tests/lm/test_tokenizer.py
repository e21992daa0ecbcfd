"""The tokenizer: merges rebuilt from a vocabulary, nothing lost, nothing slow."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vall_e_core import CheckpointError
from vall_e_lm import Tokenizer

SYMMAP = {
    "<unk>": 0, "<bos>": 1, "</eos>": 2, "<mask>": 3, " ": 4, "a": 5, "ä": 5, "ɪ": 6, "ː": 7, "n": 8, "ɔ": 9, "u": 10,
    "y": 10, "1": 12, "b": 13, "aɪ": 83, "uː": 84, "aɪn": 85, "ɔn": 86, "bb": 87, "bbb": 88,
}  # fmt: skip


def slowly(pieces: dict[str, int], text: str) -> list[int]:
    """The published rule: look for the best-ranked pair, join its leftmost place, again until there is none."""
    characters = {p: i for p, i in pieces.items() if len(p) == 1}
    ranks: dict[tuple[int, int], int] = {}

    def merged(word: str) -> list[int]:
        ids = [characters.get(c, 0) for c in word]
        while True:
            found = [
                (list(ranks).index(pair), at) for at in range(len(ids) - 1) if (pair := (ids[at], ids[at + 1])) in ranks
            ]
            if not found:
                return ids
            at = min(found)[1]
            ids[at : at + 2] = [ranks[ids[at], ids[at + 1]]]

    for i, piece in sorted((i, p) for p, i in pieces.items() if len(p) > 1 and i >= 83):
        left, right = merged(piece)
        ranks[left, right] = i
    return merged(text)


@given(st.text(alphabet="aäɪːnɔuyb1 x", max_size=30))
@settings(max_examples=300, deadline=None)
def test_encoding_is_the_published_rule(text: str) -> None:
    assert Tokenizer.from_symmap(SYMMAP).encode(text, special=False) == slowly(SYMMAP, text)


def test_merges_act_on_ids_not_on_strings() -> None:
    tokenizer = Tokenizer.from_symmap(SYMMAP)
    assert tokenizer.encode("äɪ") == tokenizer.encode("aɪ") == [1, 83, 2]
    assert tokenizer.encode("yː", special=False) == [84]
    assert tokenizer.encode("", special=False) == [] and tokenizer.encode("") == [1, 2]


def test_typed_specials_and_unknown_characters() -> None:
    tokenizer = Tokenizer.from_symmap(SYMMAP)
    assert tokenizer.encode("a<bos>ɪ</eos><mask>", special=False) == [5, 1, 6, 2, 3]
    assert tokenizer.encode("<eos>", special=False) == [0] * 5
    assert tokenizer.unknown("a<mask>Ωzaz") == ["Ω", "z"]
    assert tokenizer.encode("Ωz", special=False) == [0, 0]


@given(st.text(alphabet="aɪːnɔub1 ", max_size=40))
@settings(max_examples=200, deadline=None)
def test_what_is_encoded_is_decoded(text: str) -> None:
    tokenizer = Tokenizer.from_symmap(SYMMAP)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_decoding_is_the_same_whatever_the_order_of_the_vocabulary() -> None:
    ids = [1, 5, 10, 83, 85, 4, 2, 0, 77]
    backwards = dict(reversed(SYMMAP.items()))
    assert Tokenizer.from_symmap(SYMMAP).decode(ids) == Tokenizer.from_symmap(backwards).decode(ids) == "auaɪaɪn "


def test_a_character_with_the_id_of_a_merge() -> None:
    """Later vocabularies give `1` the id of a merged piece: it is encoded so, and decoded as the merge."""
    tokenizer = Tokenizer.from_symmap(SYMMAP | {"1": 85})
    assert tokenizer.encode("1aɪn", special=False) == [85, 85]
    assert tokenizer.decode([85]) == "aɪn"


def test_files(tmp_path: Path) -> None:
    own = Tokenizer.from_symmap(SYMMAP)
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps(SYMMAP), encoding="utf-8")
    assert Tokenizer.from_file(plain).merges == own.merges
    stored = tmp_path / "stored.json"
    stored.write_text(json.dumps({"symmap": SYMMAP}))
    assert Tokenizer.from_file(stored).merges == own.merges
    for merges in (["a ɪ", "u ː"], [["a", "ɪ"], ["u", "ː"]]):
        path = tmp_path / "tokenizer.json"
        content = {
            "model": {"type": "BPE", "vocab": SYMMAP, "merges": merges},
            "added_tokens": [{"id": 3, "content": "<mask>"}],
        }
        path.write_text(json.dumps(content))
        read = Tokenizer.from_file(path)
        assert read.merges == [(5, 6), (10, 7)]
        assert read.encode("äɪ uːn<mask>", special=False) == [83, 4, 84, 8, 3]


def test_a_piece_that_no_merge_makes() -> None:
    with pytest.raises(CheckpointError, match="'anu'"):
        Tokenizer.from_symmap(SYMMAP | {"anu": 90})


@pytest.mark.slow
@pytest.mark.parametrize("text", ["b" * 200_000, "aɪn" * 70_000, "(" * 200_000, "1" * 200_000])
def test_long_text_takes_linear_time(text: str) -> None:
    tokenizer = Tokenizer.from_symmap(SYMMAP)
    started = time.perf_counter()
    tokenizer.encode(text)
    assert time.perf_counter() - started < 20
