"""The contract that every speller keeps. The kind is a package's (`vall_e_stt`), which is not imported here."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from vall_e_core import Component
from vall_e_core.plugins import FAILURES, describe

from .declared import NotBuilt, built, kept, methods

KIND = "speller"
HEARD = ("ðə kˈæt sˈæt ɔnðə mˈæt.", "ɡutn tˈɑːk, viː ɡeːt ɛs", "bɔ̃ʒuʁ", "tə", "ʃpɪl nɪxt")
"""What a model may hear in some language, with and without sense."""
ODD = ("", " ", "…", ". , ?", "ˈˌː", "tʃ" * 40, "x q 7 A", "é\u0301", "˥˩˧", "ə ə ə ə ə", "\u0329", "-|‖", "🙂")
"""What none may stumble over."""
SHORT, LONG, PATIENCE = 2_000, 16_000, 4.0
"""Phonemes of two hostile pieces, and how many times as much per phoneme the longer one may take."""


def check_speller(speller: type[Component]) -> list[str]:
    """What a speller's class does that it mustn't: one sentence for each rule broken, empty where all is well."""
    try:
        return speller_problems(speller)
    except NotBuilt as error:
        return [str(error)]


def speller_problems(speller: type[Component]) -> list[str]:
    """As `check_speller`. Raises NotBuilt where a library is missing."""
    kind = next((each for each in reversed(speller.__mro__) if getattr(each, "kind", "") == KIND), None)
    if kind is None:
        return [f"{speller.__name__} is no speller: make it a subclass of vall_e_stt.Speller"]
    return kept(speller, kind, _tried)


def _tried(one: Component) -> Iterator[str]:
    codes = getattr(one, "languages", None)
    if not isinstance(codes, set | frozenset) or not codes or not all(isinstance(each, str) and each for each in codes):
        yield f"{type(one).__name__}.languages must be a set of language codes such as frozenset({{'da'}})"
        return
    model = built(one)
    lacking = list(methods(model, "spell"))
    if lacking:
        yield from lacking
        return
    language = min(codes)
    first: list[tuple[str, str]] = []
    for pieces in ([], *([each] for each in (*ODD, *HEARD)), [*ODD], [*HEARD], [HEARD[0], "", HEARD[1]]):
        shown = f"spell({pieces!r:.80}, {language!r})"
        try:
            found = model.spell(pieces, language)
        except FAILURES as error:
            yield f"{shown} raises {describe(error)}: leave out what it can't write"
            return
        wrong = list(_texts(shown, pieces, found))
        yield from wrong
        if wrong:
            return
        if len(pieces) == 1:
            first.append((pieces[0], found[0]))
    for piece, text in reversed(first):
        if model.spell([piece], language) != [text]:
            yield f"spell([{piece!r}], {language!r}) gives something else the second time: keep no state between calls"
            return
    yield from _hostile(model, language)


def _texts(shown: str, pieces: Sequence[str], found: Any) -> Iterator[str]:  # noqa: ANN401 - it is looked at
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        yield f"{shown} gives {found!r:.80}: return a list of texts"
        return
    if len(found) != len(pieces):
        yield f"{shown} gives {len(found)} texts for {len(pieces)} pieces: return one for each, also where it is empty"
        return
    for piece, text in zip(pieces, found, strict=True):
        if text != " ".join(text.split()):
            yield f"{shown} gives {text!r:.80}: write one line, one blank between words, none at the ends"
        elif not piece.strip() and text:
            yield f"{shown} makes {text!r:.80} of nothing: an empty piece has an empty text"
        elif piece in HEARD and not text:
            yield f"{shown} drops {piece!r}: write what has no word by its sound"
        else:
            continue
        return


def _hostile(model: Any, language: str) -> Iterator[str]:  # noqa: ANN401 - what a plugin built
    """Time that grows faster than the piece."""

    def seconds(size: int) -> float:
        began = time.process_time()
        model.spell([("əbtæk " * size)[:size]], language)
        return max(time.process_time() - began, 1e-3)

    seconds(SHORT)
    if min(seconds(LONG) for _ in range(2)) > PATIENCE * LONG / SHORT * min(seconds(SHORT) for _ in range(2)):
        yield f"spell() takes {PATIENCE:g} times as long per phoneme for {LONG} of them: bound what it looks at"
