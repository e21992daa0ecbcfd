"""The embedded voice's phoneme vocabulary: single characters from id 5, two-character merges from id 83 by rank."""

from __future__ import annotations

from functools import cache

SPECIALS = ("<unk>", "<bos>", "</eos>", "<mask>", " ")
BOS, EOS, SPACE = 1, 2, 4
CHARACTERS = ".,?!;:-'ˈˌː̩abdefhijklmnoprstuvwxzæðŋɐɑɔəɚɛɜɡɪɫɬɹɾʃʊʌʒʔθᵻqgcy"
MERGES = ("aɪ", "aʊ", "eɪ", "oʊ", "ɔɪ", "tʃ", "dʒ", "iː", "uː", "ɑː", "ɔː", "ɜː")
FIRST_MERGE = 83


@cache
def symmap() -> dict[str, int]:
    """Piece -> id, as it is stored in the checkpoint."""
    pieces = {p: i for i, p in enumerate((*SPECIALS, *CHARACTERS))}
    if len(pieces) > FIRST_MERGE:
        raise ValueError("the single characters reach into the merges' ids")
    return pieces | {p: FIRST_MERGE + i for i, p in enumerate(MERGES)}


def vocabulary() -> int:
    """Rows of the phoneme table."""
    return FIRST_MERGE + len(MERGES)


def encode(ipa: str) -> list[int]:
    """IPA -> ids between bos and eos: characters, then the merges by rank."""
    table = symmap()
    pieces = list(ipa)
    for merge in MERGES:
        joined: list[str] = []
        for piece in pieces:
            if joined and joined[-1] + piece == merge:
                joined[-1] = merge
            else:
                joined.append(piece)
        pieces = joined
    return [BOS, *(table.get(p, 0) for p in pieces), EOS]


def decode(ids: list[int]) -> str:
    """Ids -> IPA; specials (but the space) are left out."""
    pieces = {i: p for p, i in symmap().items()}
    return "".join(pieces.get(i, "") for i in ids if i > 3)
