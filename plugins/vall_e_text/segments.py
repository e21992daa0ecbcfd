"""Pieces of a text, put together into segments of a length that a model can speak."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from vall_e_core import InputError

from .pieces import IPA, Cursor, Pause, Piece, Spoken, Stop, Words, shown, written
from .sentences import Span, estimate_seconds, find_sentences, fitting

LONGEST_SEGMENT = 12.0
"""Seconds of speech that a segment may hold, as estimated."""
SHORTEST_SEGMENT = 1.5
"""A sentence below this is spoken together with a neighbor: models are at their worst on a word or two."""
CLOSING = ".,;:!?…)]}”’»%。、，！？；："
"""No blank stands before these."""


@dataclass(frozen=True)
class Segment:
    """Pieces to be spoken in one go: words and pronunciations, and stops between lines. `seconds` is an estimate."""

    pieces: tuple[Piece, ...]
    seconds: float
    paragraph: bool
    """Whether a paragraph ends after it."""
    pause: float | None = None
    """Silence that was asked for after it, in seconds; None where nothing was."""
    lead: float = 0.0
    """The same before it: the first one has some where a text begins with a pause."""

    @property
    def text(self) -> str:
        """What stands in the text, cleaned, on one line."""
        return _one_line(self.pieces, written, " ")

    @property
    def spoken(self) -> str:
        """What is read, on one line; a pronunciation as `/ɪpə/`, a stop within as a full stop."""
        return re.sub(r"(?<=\w)\n", ". ", _one_line(self.pieces, _said, "\n")).replace("\n", " ")

    @property
    def span(self) -> Span:
        """The place in the original text."""
        return self.pieces[0].start, self.pieces[-1].end

    @property
    def rate(self) -> float:
        """The pace of its words."""
        return next((each.rate for each in self.pieces if isinstance(each, Words | IPA)), 1.0)


def _said(piece: Piece) -> str:
    return piece.text if isinstance(piece, Words) else f"/{piece.phonemes}/" if isinstance(piece, IPA) else ""


def _one_line(pieces: Iterable[Piece], show: Callable[[Piece], str], stop: str) -> str:
    lines = "".join("\n" if isinstance(each, Stop) else show(each) for each in pieces).split("\n")
    return stop.join(" ".join(line.split()) for line in lines)


@dataclass
class _Line:
    """What is said between two stops."""

    pieces: list[Spoken] = field(default_factory=list)
    stop: Stop | None = None

    @property
    def text(self) -> str:
        return "".join(map(shown, self.pieces))


@dataclass
class _Group:
    """Lines that may be spoken in one go."""

    lines: list[_Line]
    paragraph: bool = False
    pause: float | None = None


def require_speech(pieces: Iterable[Piece], source: str = "the text") -> None:
    """Raises InputError where there is no letter and no digit: nothing that could be spoken."""
    said = [shown(each) for each in pieces if isinstance(each, Words | IPA)]
    if not any(char.isalnum() for text in said for char in text):
        cause = "it holds no letter and no digit" if any(map(str.strip, said)) else "it is empty"
        raise InputError(f"nothing to say: {source}", cause=cause)


def split(
    pieces: Iterable[Piece], *, max_seconds: float = LONGEST_SEGMENT, min_seconds: float = SHORTEST_SEGMENT
) -> list[Segment]:
    """Pieces as segments of about `max_seconds` at most, cut at stops, sentences, clauses or words; words that stand
    for one thing, such as a number, stay together.

    Every character but blanks is in exactly one segment, in order. Sentences shorter than `min_seconds` are joined with
    a neighbor of their paragraph. What holds nothing to say is joined likewise, or dropped where it stands alone.
    """
    made: list[Segment] = []
    lead = 0.0
    for group in _groups(pieces):
        new = list(_segments(group, max_seconds, min_seconds))
        if new:
            new[0] = replace(new[0], lead=0.0 if made else lead)
            new[-1] = replace(new[-1], paragraph=group.paragraph, pause=group.pause)
            made += new
        elif group.pause is not None and made:
            made[-1] = replace(made[-1], pause=(made[-1].pause or 0.0) + group.pause)
        elif group.pause is not None:
            lead += group.pause
    return made


def _groups(pieces: Iterable[Piece]) -> Iterator[_Group]:
    group = _Group([_Line()])
    for piece in pieces:
        line = group.lines[-1].pieces
        if isinstance(piece, Stop):
            group.lines[-1].stop = piece
            if not piece.paragraph:
                group.lines.append(_Line())
                continue
            group.paragraph = True
        elif isinstance(piece, Pause):
            group.pause = piece.seconds
        elif line and line[-1].rate != piece.rate:
            yield group
            group = _Group([_Line([piece])])
            continue
        else:
            if line and (isinstance(piece, IPA) or isinstance(line[-1], IPA)) and _apart(line[-1], piece):
                line.append(Words(" ", line[-1].end, line[-1].end, rate=line[-1].rate))
            line.append(piece)
            continue
        yield group
        group = _Group([_Line()])
    yield group


def _apart(before: Spoken, after: Spoken) -> bool:
    """Whether a blank belongs between words and a pronunciation."""
    left, right = shown(before)[-1:], shown(after)[:1]
    return not (left.isspace() or right.isspace() or right in CLOSING or left in "([{“‘«¿¡")


def _segments(group: _Group, longest: float, shortest: float) -> Iterator[Segment]:
    texts = [line.text for line in group.lines]
    stretches = [
        (at, stretch)
        for at, (text, together) in enumerate(zip(texts, map(_phrases, group.lines), strict=True))
        for sentence in find_sentences(text)
        for stretch in fitting(text, sentence, longest, together)
    ]
    cursors = [Cursor[Spoken](line.pieces) for line in group.lines]
    for together in _joined(texts, stretches, longest, shortest):
        pieces: list[Piece] = []
        before = None
        extents: dict[int, Span] = {}
        for at, (start, end) in together:
            extents[at] = (extents.get(at, (start, end))[0], end)
        for at, (start, end) in extents.items():
            if before is not None:
                pieces.append(_stop_of(group.lines[before]))
            before = at
            for _ in cursors[at].upto(start):
                pass
            pieces += cursors[at].upto(end)
        said = [texts[at][start:end] for at, (start, end) in together]
        if any(map(str.isalnum, "".join(said))):
            yield Segment(tuple(pieces), sum(map(estimate_seconds, said)), paragraph=False)


def _phrases(line: _Line) -> list[Span]:
    """Where in a line's text words lie that stand for one thing, such as a number: they are said in one go."""
    found, place = [], 0
    for piece in line.pieces:
        text = shown(piece)
        if isinstance(piece, Words) and piece.written is not None and text.strip():
            found.append((place + len(text) - len(text.lstrip()), place + len(text.rstrip())))
        place += len(text)
    return found


def _stop_of(line: _Line) -> Stop:
    place = line.pieces[-1].end if line.pieces else 0
    return line.stop or Stop(place, place)


def _joined(
    texts: Sequence[str], stretches: Sequence[tuple[int, Span]], limit: float, shortest: float
) -> list[list[tuple[int, Span]]]:
    """Neighbors together where one of them is too short and both fit."""
    groups: list[list[tuple[int, Span]]] = []
    lengths: list[float] = []
    for at, (start, end) in stretches:
        seconds = estimate_seconds(texts[at][start:end])
        if groups and min(seconds, lengths[-1]) < shortest and seconds + lengths[-1] <= limit:
            groups[-1].append((at, (start, end)))
            lengths[-1] += seconds
        else:
            groups.append([(at, (start, end))])
            lengths.append(seconds)
    return groups


def whole(pieces: Iterable[Piece]) -> Segment:
    """All pieces as one segment, however long; pauses within are left out."""
    kept = [each for each in pieces if not isinstance(each, Pause)]
    while kept and isinstance(kept[-1], Stop):
        kept.pop()
    said = "".join(shown(each) for each in kept if isinstance(each, Words | IPA))
    return Segment(tuple(kept), estimate_seconds(said), paragraph=True)
