"""Words drawn out in writing: `Sooooo`, `Nooo!`, `coool`; and the sounds that are written without a vowel: `shh`."""

from __future__ import annotations

import re

from .letters import is_word
from .place import Found, Place
from .words import listed

DRAWN_OUT = re.compile(r"([^\W\d_])\1\1", re.IGNORECASE)
"""A letter three times or more: no English word has that."""
_WORD = re.compile(r"[A-Za-z]{1,200}(?![\w@]|[.'’]\w)")
_RUN = re.compile(r"([A-Za-z])\1{2,}", re.IGNORECASE)
_NO_WORD = re.compile(r"[A-Z]{1,3}|[ivxlcd]+m?|[IVXLCDM]+|(?i:([b-df-hj-lnp-tvwxz])\1+)")
"""Letters one by one, and numerals: `www`, `viii`."""
_SOUNDS = tuple(
    (re.compile(pattern, re.IGNORECASE), said)
    for pattern, said in (
        ("sh{2,}", "shush"), ("b+r{2,}", "burr"), ("g+r{2,}", "gurr"), ("h+m{2,}|m{3,}", "hmm"), ("a+w{2,}", "aw"),
        ("e+w{2,}", "ew"), ("a{2,}h*|ah{2,}", "ah"), ("o{3,}h*", "ooh"), ("oh{2,}", "oh"), ("u{3,}h*|uh{2,}", "uh"),
        ("i{3,}", "I"), ("e{3,}k*", "eek"), ("a+r+gh{2,}|a{2,}r+gh+|ar{2,}gh+", "argh"), ("u+gh{2,}|u{2,}gh+", "ugh"),
    )
)  # fmt: skip
SOUNDS = listed("shh brr grr aw aww ew eww")
"""The short ones, which no run of letters tells."""
_DOUBLED = listed("""
    been beep bee bees boo book boom cheer cheers coffee cool creep creepy deep dinner dude feel fell food fool free
    funny good goodness goodnight goof green happy hello hell hell hurry iffy jeez keep kill look loser meet moo moon
    mood need noon oops phooey pool really room school see seen sheep silly sleep sleepy smooth soon spooky street
    summer supper sweet sweetie teen tell three too tooth tree week weed weep weee well whee whoop will woo woohoo
    wood yeehaw yell yellow yippee zoo zoom
    """)
"""Words with a letter twice that are drawn out at it."""


def stretched(place: Place) -> Found | None:
    """A word as it is spelled when it isn't drawn out."""
    found = None if place.left().isalnum() else _WORD.match(place.text, place.pos)
    if found is None:
        return None
    word = found.group()
    lower = word.lower()
    if (lower not in SOUNDS and DRAWN_OUT.search(word) is None) or _NO_WORD.fullmatch(word):
        return None
    for pattern, said in _SOUNDS:
        if pattern.fullmatch(word):
            return Found(found.end(), said.capitalize() if word[0].isupper() else said)
    if word.isupper() and not is_word(_RUN.sub(r"\1", word)):
        return None  # letters: XXXL
    twice = _RUN.sub(r"\1\1", word)
    return Found(found.end(), twice if twice.lower() in _DOUBLED else _RUN.sub(r"\1", word))
