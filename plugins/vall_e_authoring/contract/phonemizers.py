"""The contract that every phonemizer keeps."""
# ruff: noqa: ANN401 - what a phonemizer's methods return is what is looked at

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from vall_e_core import InputError, Phonemizer, UsageError
from vall_e_core.plugins import FAILURES, describe

from .declared import NotBuilt, built, kept, methods, named

UNKNOWN = "qqx"
"""A code from the range that ISO 639 leaves to private use."""
SENTENCES = {
    "da": "Solen skinner over byen.", "de": "Guten Tag, wie geht es Ihnen?", "en": "Good morning, how are you?",
    "eo": "Bonan tagon, kiel vi fartas?", "es": "Buenos días, ¿cómo está usted?", "fi": "Hyvää huomenta, mitä kuuluu?",
    "fr": "Bonjour, comment allez-vous ?", "it": "Buongiorno, come sta?", "ja": "おはようございます。",
    "ko": "안녕하세요, 반갑습니다.", "nl": "Goedemorgen, hoe gaat het?", "pl": "Dzień dobry, jak się pan ma?",
    "pt": "Bom dia, como está?", "ru": "Доброе утро, как дела?", "sv": "God morgon, hur mår du?",
    "tr": "Günaydın, nasılsınız?", "zh": "你好，今天怎么样？",
}  # fmt: skip
PHONEMES = ("həlˈoʊ", "ɡˈʊd mˈɔːɹnɪŋ, hˈaʊ ɑːɹ juː?")
MOST = 4
"""Languages that are tried."""


def check_phonemizer(phonemizer: type[Phonemizer]) -> list[str]:
    """What a phonemizer's class does that it mustn't: one sentence for each rule broken, empty where all is well."""
    try:
        return phonemizer_problems(phonemizer)
    except NotBuilt as error:
        return [str(error)]


def phonemizer_problems(phonemizer: type[Phonemizer]) -> list[str]:
    """As `check_phonemizer`. Raises NotBuilt where a library is missing."""
    return kept(phonemizer, Phonemizer, _tried)


def _tried(one: Phonemizer) -> Iterator[str]:
    model = built(one)
    lacking = [*methods(model, "languages", "phonemize"), *named(model, one)]
    if lacking:
        yield from lacking
        return
    codes = model.languages()
    if isinstance(codes, str) or not codes or not all(isinstance(each, str) and each for each in codes):
        yield f"languages() gives {codes!r}: return a list of language codes, at least one"
        return
    if one.reads == "words":
        yield from _unknown(model)
    yield from _spoken(model, _chosen(codes), one.reads == "phonemes")


def _unknown(model: Any) -> Iterator[str]:
    try:
        model.phonemize(["a"], UNKNOWN)
    except UsageError:
        return
    except FAILURES as error:
        did = f"raises {describe(error)}"
    else:
        did = "speaks"
    yield f"phonemize() {did} for the unknown language {UNKNOWN!r}: raise UsageError that names the known ones"


def _chosen(codes: Sequence[str]) -> list[str]:
    """Languages that there is a sentence for, each base once; else the first."""
    known: dict[str, str] = {}
    for code in codes:
        base = code.partition("-")[0].lower()
        if base in SENTENCES:
            known.setdefault(base, code)
    return list(known.values())[:MOST] or [codes[0]]


def _spoken(model: Any, codes: Sequence[str], phonemes: bool) -> Iterator[str]:
    first: list[tuple[str, list[str], list[str]]] = []
    for code in codes:
        sentence = SENTENCES.get(code.partition("-")[0].lower(), SENTENCES["en"])
        texts = list(PHONEMES) if phonemes else [sentence, sentence.split()[0], f"{sentence} {sentence}"]
        try:
            made = model.phonemize(list(texts), code)
        except InputError as error:
            yield f"phonemize() refuses {texts[0]!r} in {code!r} ({error.message}): read its language's own letters"
            return
        wrong = list(_strings(made, texts, code))
        yield from wrong
        if wrong:
            return
        first.append((code, texts, list(made)))
    if model.phonemize([], codes[0]) != []:
        yield f"phonemize() of no text in {codes[0]!r} isn't []: return one string for each text"
    for code, texts, made in reversed(first):
        again = model.phonemize(list(texts), code)
        singly = [said for text in reversed(texts) for said in model.phonemize([text], code)][::-1]
        if again != made:
            where = f"for {texts[0]!r} in {code!r}"
            yield f"phonemize() gives something else {where} the second time: keep no state between calls"
        elif singly != made:
            yield f"phonemize() of one text in {code!r} depends on the others of its call: read each by itself"
    with suppress(InputError):
        for text in ("", "  "):
            wrong = list(_strings(model.phonemize([text], codes[0]), [text], codes[0]))
            yield from wrong


def _strings(made: Any, texts: Sequence[str], code: str) -> Iterator[str]:
    if not isinstance(made, list) or not all(isinstance(each, str) for each in made):
        yield f"phonemize() in {code!r} gives {made!r:.60}: return a list of strings"
        return
    if len(made) != len(texts):
        yield f"phonemize() of {len(texts)} texts in {code!r} gives {len(made)} strings: return one for each"
        return
    for text, said in zip(texts, made, strict=True):
        if said != said.strip() or any(char in "\r\n\t" for char in said):
            yield f"phonemize() of {text!r} in {code!r} gives {said!r}: leave no blank at the ends and no line end"
        elif any(map(str.isalpha, text)) and not said:
            yield f"phonemize() of {text!r} in {code!r} gives nothing: raise InputError for what can't be read"
