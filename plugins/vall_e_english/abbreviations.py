"""Abbreviations: `e.g.`, `vs.`, `No. 5`, `pp. 12`, `U.S.`, `w/`, `PhD`."""

from __future__ import annotations

import re

from .abbreviated import ALWAYS, BEFORE_NUMBER, CAPITALIZED, CHAT, DOTTED, LATIN, SLASHED, UNDOTTED, WORDS_TOO
from .letters import spell
from .place import Found, Place, stopped
from .words import listed

_LATIN = re.compile(r"(?:[Ee]\. ?[Gg]|[Ii]\. ?[Ee]|[Cc]\.f)(?:\.,?|(?=,))")
_DEGREE = re.compile(r"(?:Ph\.? ?D|Ed\.D|[BM]\.Sc|LL\.[BM])\.?(?!\w)|(?:PhD|MSc|BSc|EdD)(?=s?\b)")
_ET_AL = re.compile(r"et\.? al\.?(?!\w)")
_SLASH = re.compile(r"(?:[A-Za-z]{1,6}/[A-Za-z]{1,6}|[Ww]/)(?![\w/])|[Ww]/(?=[a-z]{3})")
_LETTERS = re.compile(
    r"(?:[A-Za-z]\.){2,8}(?:['’]?s)?(?!\w)|(?:[A-Z]\. ){1,3}[A-Z]\.(?= [A-Z][a-z])|[A-Z]\.(?= ?[A-Z][a-z])"
)
_VERSUS = re.compile(r"v\. (?=[A-Z])")
_WORD = re.compile(r"([A-Za-z]{1,6}(?:['’][a-z]{1,3})?)(\.(?!\w)|\.(?=\d))?")
_NUMBER = re.compile(r"(?P<sign> ?#)?(?P<gap> ?)(?=\d)")
_CHAT = re.compile(r"[a-z]{3,5}(?![\w'’@/-]|\.\w)")
_EQUATIONS = re.compile(r"([Ee]q(?:n?s|n)?)\.? ?(?=\(\d{1,4}(?:\.\d{1,4})?[a-z]?\))")
_SIZE = re.compile(r"(lge?|med|sm|xl)\.? (?=[a-z])")
_SIZES = {"lg": "large", "lge": "large", "med": "medium", "sm": "small", "xl": "extra large"}
_ALSO_NOUNS = listed("art app ex tab par sec fig")
_REFERRING = listed("see in of per and under cf from to")
_LETTERED = listed(
    "plan grade type vitamin vitamins hepatitis class section group team option appendix exhibit size row"
)
"""What a letter names: the full stop behind it is the sentence's."""
_NUMBERED = listed("p pp ch chap vol vols bk pt sec app art fig")
"""In small letters too these have Roman numerals behind them."""
_SAID = frozenset(("said", "say", "says", "answered", "replied"))
_NUMERAL = re.compile(r" (?=[IVXLC]{1,5}\b|[ivxlc]{1,5}\b|[A-Z]\b)")


def abbreviation(place: Place) -> Found | None:
    """A shortened word, with or without its full stop."""
    text, pos = place.text, place.pos
    if place.left().isalnum() or place.left() in ("'", "’", "_"):
        return None
    if found := _LATIN.match(text, pos):
        key = found.group().lower().replace(" ", "")
        tail = " " if place.adjoins(found.end()).isalnum() else ""
        return Found(found.end(), LATIN[key.strip(",")] + ("," if key.endswith(",") else tail))
    if found := _DEGREE.match(text, pos):
        letters = "-".join(filter(str.isalpha, found.group().upper()))
        return stopped(place, found.end(), letters, dotted=found.group().endswith("."))
    if found := _ET_AL.match(text, pos):
        return stopped(place, found.end(), "et al", dotted=found.group().endswith("."))
    if (found := _SLASH.match(text, pos)) and found.group().lower() in SLASHED:
        tail = " " if place.adjoins(found.end()).isalnum() else ""
        return Found(found.end(), SLASHED[found.group().lower()] + tail)
    if found := _LETTERS.match(text, pos):
        return _letters(place, found)
    if (found := _VERSUS.match(text, pos)) and place.before()[:1].isupper():
        return Found(found.end() - 1, "versus")
    if (found := _CHAT.match(text, pos)) and found.group() in CHAT:
        return Found(found.end(), spell(found.group()))
    if found := _EQUATIONS.match(text, pos):
        return Found(found.end(), "equations " if found[1].endswith("s") else "equation ")
    if (found := _SIZE.match(text, pos)) and _counted(place):
        return Found(found.end(), f"{_SIZES[found[1]]} ")
    found = _WORD.match(text, pos)
    return None if found is None else _before_number(place, found) or _shortened(place, found)


def _counted(place: Place) -> bool:
    """Whether a number stands before the place."""
    return place.left() == " " and place.text[place.pos - 2 : place.pos - 1].isnumeric()


def _before_number(place: Place, found: re.Match[str]) -> Found | None:
    """`No. 5`, `pp. 12`, `v2.0`, `Vol. II`: words that are shortened before a number."""
    word, end, dotted = found[1], found.end(), found[2] is not None
    words = BEFORE_NUMBER.get(word.lower())
    if words is None or not (dotted or word.lower() in UNDOTTED) or word in ("V", "B", "D", "L", "C"):
        return None
    before = place.before().lower()
    referring = before in _REFERRING or place.left() == "(" or place.text[max(0, place.pos - 2) : place.pos] == ", "
    if (word == "no" and before in _SAID) or (word in _ALSO_NOUNS and not referring):
        return None
    if word == "v" and place.before(count=2).lower() in ("ch", "chap", "chapter"):
        words = "verse"
    number = _NUMBER.match(place.text, end)
    if number is not None:
        apart = number["gap"] == "" or number["sign"] is not None
        if not dotted and apart and word.lower() not in ("v", "ver", "pp", "fig"):
            return None
        return Found(number.end() if number["sign"] else end, f"{words} " if apart else words)
    known = dotted and (word[0].isupper() or word in _NUMBERED)
    return Found(end, words) if known and _NUMERAL.match(place.text, end) else None


def _shortened(place: Place, found: re.Match[str]) -> Found | None:
    """`etc.`, `Inc.`, `approx`: words that are shortened anywhere."""
    word, end, dotted = found[1], found.end(), found[2] is not None
    lower = word.lower().replace("’", "'")
    words = ALWAYS.get(lower) or (DOTTED.get(lower) if dotted else None)
    if (
        words is None
        or (
            word.isupper()
            and len(word) > 1
            and not (dotted and lower in CAPITALIZED)
            and lower not in ("vs", "lb", "oz")
        )
        or place.adjoins(end) in tuple("_@-'’/")
    ):
        return None
    if place.adjoins(end).isalnum() or (dotted and lower in WORDS_TOO and place.ends_sentence(end)):
        return None
    if word[0].isupper() and not dotted and lower not in CAPITALIZED:
        return None
    return stopped(place, end, words, dotted=dotted)


def _letters(place: Place, found: re.Match[str]) -> Found | None:
    """Letters with full stops: `U.S.`, `a.m.`, `J. K.`; a single one is an initial, without a pause behind it."""
    shown = found.group()
    plural = "'s" if shown.endswith("s") else ""
    letters = list(filter(str.isalpha, shown.rstrip("'’s").upper() if plural else shown.upper()))
    if len(letters) == 1:
        before = place.before()
        if place.ends_sentence(found.end()) or before.lower() in _LETTERED:
            return None
        if letters[0] == "I" and not before[:1].isupper():
            return None
        return Found(found.end(), letters[0] + ("" if place.adjoins(found.end()) == " " else " "))
    words = (" " if " " in shown else "-").join(letters) + plural
    if words == "A-K-A":  # a name follows
        return Found(found.end(), words)
    return stopped(place, found.end(), words, dotted=not plural)
