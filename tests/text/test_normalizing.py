"""Normalizers in a chain: whatever they replace, everything else and all places stay."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vall_e_core import PluginError, Replacement
from vall_e_text import IPA, Pause, Piece, Stop, Words, joined, normalized, read, replaced, split, written


class Scripted:
    """Replaces what it is told to, wherever that fits into a run."""

    def __init__(self, cuts: list[tuple[int, int, str]]) -> None:
        self.cuts = cuts
        self.given: list[str] = []

    def replacements(self, text: str, language: str) -> Iterator[Replacement]:
        self.given.append(text)
        place = 0
        for skip, size, said in self.cuts:
            start, end = place + skip, place + skip + size
            if end > len(text):
                return
            yield Replacement(start, end, said)
            place = end


CUT = st.tuples(st.integers(0, 6), st.integers(1, 5), st.sampled_from(["", "x", "two words", " a ", "½"]))
CHAIN = st.lists(st.lists(CUT, max_size=5), max_size=4)
TEXT = st.lists(
    st.sampled_from(
        ["one ", "2.5 ", "three, ", "[pause:1s]", "[x](/ˈɛks/)", "\n", "\n\n", "**b** ", "ﬁ", "\u200b", "  ", "é. "]
    ),
    max_size=25,
).map("".join)


def others(pieces: tuple[Piece, ...]) -> list[Piece]:
    return [piece for piece in pieces if not isinstance(piece, Words)]


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@example("one ﬁ", [[(0, 1, ""), (0, 1, " a ")], [(2, 5, "")], [(0, 1, "")]])
@given(TEXT, CHAIN)
def test_everything_but_words_survives_any_chain(text: str, chain: list[list[tuple[int, int, str]]]) -> None:
    before = read(text, markup="text").pieces
    after = normalized(before, [(str(at), Scripted(cuts)) for at, cuts in enumerate(chain)], "en")
    assert others(after) == others(before)
    assert {type(each) for each in others(after)} <= {IPA, Pause, Stop}
    last = 0
    for piece in after:
        assert last <= piece.start <= piece.end <= len(text), piece
        last = piece.end
    assert "".join(map(written, after)) == "".join(map(written, before)), "what was written is known of all of it"
    for segment in split(after):
        start, end = segment.span
        assert 0 <= start <= end <= len(text)


@settings(max_examples=200, deadline=None)
@given(st.text("ab 12", max_size=20), CHAIN)
def test_what_is_said_is_what_the_chain_says(text: str, chain: list[list[tuple[int, int, str]]]) -> None:
    words: tuple[Words, ...] = (Words(text, 0, len(text)),)
    said = text
    for cuts in chain:
        found = list(Scripted(cuts).replacements(said, "en"))
        words = replaced(words, found)
        for each in reversed(found):
            said = said[: each.start] + each.text + said[each.end :]
        assert joined(words) == said


def test_a_normalizer_sees_words_alone_and_the_next_one_what_it_made() -> None:
    first, second = Scripted([(0, 1, "uno")]), Scripted([])
    pieces = read("1 a [x](/ɪks/) b\nc [pause:1s] d", markup="text").pieces
    made = normalized(pieces, [("first", first), ("second", second)], "en")
    assert first.given == ["1 a", "b", "c", "d"] and second.given == ["uno a", "uno", "uno", "uno"]
    assert [(piece.text, piece.written, piece.start, piece.end) for piece in made if isinstance(piece, Words)][:2] == [
        ("uno", "1", 0, 1), (" a", None, 1, 3),
    ]  # fmt: skip


def test_an_endless_normalizer_is_stopped() -> None:
    class Endless:
        def replacements(self, text: str, language: str) -> Iterator[Replacement]:
            while True:
                yield Replacement(0, 0, "x")

    with pytest.raises(PluginError, match="endless"):
        normalized(read("a", markup="text").pieces, [("endless", Endless())], "en")
