"""What no person reads to its end: letters that repeat, and data between the words."""

from __future__ import annotations

import pytest

from vall_e_text import Words, joined, read, without_floods

WELSH = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogoch"
HAN = "".join(chr(0x4E00 + 7 * at) for at in range(400))
THAI = "ภาษาไทย" * 40


@pytest.mark.parametrize(
    ("text", "left", "says"),
    [
        ("a" * 300, "aaa", "'a', written 300 times"),
        ("so" + "O" * 40 + "h much", "soooh much", "'o', written 41 times"),
        ("Ha" + "ha" * 100, "HaHaHa", "'Ha', written 101 times"),
        ("see qwertyuiop" + "asdfghjkl" * 20, "see", "190 letters"),
    ],
)  # fmt: skip
def test_b15_floods_are_shortened_or_left_out_and_said(text: str, left: str, says: str) -> None:
    pieces, notes = without_floods(read(text).pieces)
    said = joined(pieces).strip()
    assert says in notes[0] and len(notes) == 1
    assert said == left
    assert all(piece.end <= len(text) for piece in pieces)


@pytest.mark.parametrize("text", [WELSH, THAI, "hahaha", "Nooooooo!", HAN, "1" * 500, "-" * 300, "a " * 300])
def test_b15_what_a_person_reads_stays(text: str) -> None:
    pieces = read(text).pieces
    assert without_floods(pieces) == (pieces, ())


def test_b15_many_floods_are_a_few_notices() -> None:
    _, notes = without_floods(read(f"{'ab' * 60} c " * 50).pieces)
    assert len(notes) == 4 and notes[-1] == "and 47 more like these"


def test_where_a_flood_stood_is_known() -> None:
    text = f"Well {'a' * 30}rgh!"
    (first, flood, last, *_) = without_floods(read(text).pieces)[0]
    assert isinstance(flood, Words) and (flood.start, flood.end, flood.text) == (5, 35, "aaa")
    assert flood.written == "a" * 30 and first.end == 5 and last.start == 35
