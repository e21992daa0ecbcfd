"""The contract that every normalizer keeps."""
# ruff: noqa: ANN401 - what a normalizer's methods return is what is looked at

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from vall_e_core import Normalizer, Replacement
from vall_e_core.plugins import FAILURES, describe

from .declared import NotBuilt, built, kept, methods

WRITTEN = (
    "7", "12", "1999", "2,345", "3.14", "3,14", "½", "25%", "$5", "3 kr.", "€ 2.50", "10:30", "2024-05-01", "3/4",
    "2nd", "3.", "5 km", "20 °C", "Dr.", "No. 5", "II", "ABC", "a@b.org", "www.example.org", "#1", "&", "C++", "☺",
    "x²", "٣", "12 34",
)  # fmt: skip
"""What a normalizer of some language may know."""
ODD = ("", " ", "...", "!", "a\u0301", "\u202f", "٣٤", "🙂🙂", "1" * 60, "$", "%", "1.2.3.4.5", "-", "( )")
"""What none may stumble over."""
AROUND = "lomu {} bana."
"""Words that mean nothing, so that nobody says them differently."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def check_normalizer(normalizer: type[Normalizer]) -> list[str]:
    """What a normalizer's class does that it mustn't: one sentence for each rule broken, empty where all is well."""
    try:
        return normalizer_problems(normalizer)
    except NotBuilt as error:
        return [str(error)]


def normalizer_problems(normalizer: type[Normalizer]) -> list[str]:
    """As `check_normalizer`. Raises NotBuilt where a library is missing."""
    return kept(normalizer, Normalizer, _tried)


def _tried(one: Normalizer) -> Iterator[str]:
    model = built(one)
    lacking = list(methods(model, "replacements"))
    if lacking:
        yield from lacking
        return
    for code in sorted(one.languages)[:3]:
        first: dict[str, str] = {}
        for text in (*ODD, *(AROUND.format(each) for each in WRITTEN), " ".join(WRITTEN)):
            try:
                made = list(model.replacements(text, code))
            except FAILURES as error:
                yield f"replacements({text!r}, {code!r}) raises {describe(error)}: leave alone what it can't read"
                return
            wrong = list(_replaced(text, code, made))
            yield from wrong
            if wrong:
                return
            first[text] = apply(text, made)
            for word in AROUND.split():
                if word in text and word.strip(".") not in first[text]:
                    yield f"replacements({text!r}, {code!r}) loses the word {word!r}: replace no more than what is read"
                    return
        yield from _again(one, model, code, first)


def _again(one: Normalizer, model: Any, code: str, first: dict[str, str]) -> Iterator[str]:
    for text, said in reversed(first.items()):
        if apply(text, list(model.replacements(text, code))) != said:
            yield f"replacements({text!r}, {code!r}) gives something else the second time: keep no state between calls"
            return
        if one.idempotent and (twice := apply(said, list(model.replacements(said, code)))) != said:
            yield f"it promises `idempotent`, but makes {twice!r} of its own {said!r} in {code!r}: leave words alone"
            return


def apply(text: str, made: list[Replacement]) -> str:
    """`text` with replacements put in."""
    for each in reversed(made):
        text = text[: each.start] + each.text + text[each.end :]
    return text


def _replaced(text: str, code: str, made: list[Any]) -> Iterator[str]:
    done, where = 0, f"replacements({text!r}, {code!r})"
    for each in made:
        if not isinstance(each, Replacement):
            yield f"{where} gives {each!r:.60}: return Replacement(start, end, text) values"
            return
        span = f"{each.start} to {each.end}"
        if not all(isinstance(place, int) for place in (each.start, each.end)) or not isinstance(each.text, str):
            yield f"{where} gives {each}: a place is an int, the words are a str"
        elif not 0 <= each.start <= each.end <= len(text):
            yield f"{where} replaces {span}, but the text has {len(text)} characters: stay within it"
        elif each.start < done:
            yield f"{where} replaces {span} behind {done}: go in order, without overlap"
        elif _CONTROL.search(each.text):
            yield f"{where} says {each.text!r}: leave out control characters and line ends"
        elif not each.text.strip() and any(map(str.isalnum, text[each.start : each.end])):
            yield f"{where} drops {text[each.start : each.end]!r}: say it in words, or leave it alone"
        else:
            done = each.end
            continue
        return
