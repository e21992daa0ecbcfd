"""Where a rule looks: one position in a text, and the words around it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

from .words import listed

_NEAR = 48
"""Characters that a rule looks back or ahead for a word."""
_OPENERS = "\"“‘'([{«"
_CLOSERS = tuple('.,;:!?"”’)]}»…')
_NEXT_WORD = re.compile(r"[\s\"“”‘'()\[\],:;]{0,4}([^\W_][\w'’]{0,40})")
_STARTERS = listed("""
    a all also although an and another any are as at be because before both but by can call come did do does don't
    each even every everyone few finally first for from get give go had has have he her here his how however i i'll
    i'm i've if in is it it's its just last let let's look make many maybe more most my never no nobody nor not
    nothing now of on once one only or our perhaps please see she should since so some someone soon such take thank
    that that's the their then there there's these they they're this those though thus to today tomorrow two under
    unless until up was we we're were what when where which while who why will with would yes yesterday yet you
    you're your
    """)
"""Words that begin sentences and are hardly ever part of a name: after `Inc.` they tell that a sentence ended."""


class Found(NamedTuple):
    """What a rule made of the text from its place up to `end`."""

    end: int
    spoken: str


@dataclass(frozen=True)
class Place:
    """A position in a text. `british`: how dates and numbers are read; `name_emoji`: whether emoji are."""

    text: str
    pos: int
    british: bool
    name_emoji: bool

    @property
    def char(self) -> str:
        """The character at the place."""
        return self.text[self.pos]

    def before(self, pos: int | None = None, *, count: int = 1) -> str:
        """The word before a position (this one if none is given), or the `count`-th before it; empty without one.

        Without the marks around it; a sentence's end between gives the empty string.
        """
        words = self._before if pos is None else self._words_before(pos)
        if len(words) < count:
            return ""
        if any(word[-1] in "!?" or (word[-1] == "." and len(word) > 5) for word in words[-count:]):
            return ""
        return words[-count].strip(_OPENERS + "”’)]},:;.")

    @cached_property
    def _before(self) -> list[str]:
        return self._words_before(self.pos)

    def _words_before(self, pos: int) -> list[str]:
        return self.text[max(0, pos - _NEAR) : pos].rstrip(" " + _OPENERS).split()

    def after(self, pos: int) -> str:
        """The word that follows a position, across blanks and light marks; empty without one."""
        found = _NEXT_WORD.match(self.text, pos)
        return found.group(1) if found else ""

    def adjoins(self, pos: int) -> str:
        """The character at a position, or an empty string at the text's end."""
        return self.text[pos : pos + 1]

    def left(self) -> str:
        """The character before the place, or an empty string at the text's start."""
        return self.text[self.pos - 1 : self.pos] if self.pos else ""

    def ends_sentence(self, pos: int) -> bool:
        """Whether a full stop before `pos` that belongs to an abbreviation ends a sentence as well."""
        rest = self.text[pos : pos + 8].lstrip('"”’)]')
        if not rest.strip():
            return True
        if not rest[0].isspace():
            return False
        following = self.after(pos)
        return following[:1].isupper() and is_starter(following)


Rule: TypeAlias = Callable[[Place], Found | None]


def is_starter(word: str) -> bool:
    """Whether a word is one of those that begin sentences and are hardly ever part of a name."""
    lower = word.lower().replace("’", "'")
    return lower in _STARTERS or lower.partition("'")[0] in _STARTERS


def first(rules: tuple[Rule, ...], place: Place) -> Found | None:
    """What the first rule that knows the place says."""
    for rule in rules:
        found = rule(place)
        if found is not None:
            return found
    return None


def spaced(place: Place, end: int, spoken: str) -> Found:
    """`spoken` with a blank on each side where the text goes on without one."""
    left, right = place.left(), place.adjoins(end)
    before = "" if not left.strip() or left in tuple(_OPENERS) else " "
    after = "" if not right.strip() or right in _CLOSERS else " "
    return Found(end, f"{before}{spoken}{after}")


def stopped(place: Place, end: int, words: str, *, dotted: bool) -> Found:
    """The reading of an abbreviation: its full stop, if it was `dotted`, stays where it ends the sentence too."""
    ends = dotted and place.ends_sentence(end) and place.adjoins(end) != "."
    return Found(end, f"{words}." if ends else words)
