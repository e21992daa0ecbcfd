"""The text in parts that a model can speak in one go, as phonemes and ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vall_e_core.errors import InputError, ModelError
from vall_e_core.punctuation import known_punctuation
from vall_e_core.text import Segment, estimate_seconds, split_text

from .limits import expected_seconds

if TYPE_CHECKING:
    from vall_e_core.tokenizer import Tokenizer

    from .engine import VallE
    from .request import PreparedSpeech

SAFELY = 0.9
"""Of a budget: pieces are of unequal length."""


@dataclass(frozen=True)
class TextPart:
    """One part. `ids` are what level 0 is made from, with the reference's transcript in front where that leads;
    `own_ids` are the part's alone. Both have begin and end."""

    text: str
    phonemes: str
    ids: Sequence[int]
    own_ids: Sequence[int]


@dataclass(frozen=True)
class TextParts:
    """All parts, in order."""

    text: str
    items: Sequence[TextPart]
    warnings: Sequence[str] = ()


def make_parts(engine: VallE, prepared: PreparedSpeech, lead: str | None, budget: float) -> TextParts:
    """Split, phonemize and encode a prepared text.

    Args:
        lead: the transcript that each part continues; None where parts stand for themselves, empty where the text
            itself begins with it (it is then one part, however long).
        budget: how long a part may be, in seconds of ordinary reading.

    Punctuation that the model lacks is replaced or left out. Raises InputError where there is nothing to say, or a
    phoneme isn't in the model's table.
    """
    tokenizer = engine.loaded.tokenizer
    if tokenizer is None:
        raise ModelError("the model carries no phoneme table", try_="--tokenizer FILE")
    text = prepared.text
    segments = split_text(text, max_seconds=budget) if lead != "" else [Segment(text, estimate_seconds(text), True)]
    warnings: list[str] = []
    spoken = _read(prepared, [each.text.replace("\n", " ") for each in segments], warnings)
    if lead != "":
        spoken = [piece for each in spoken for piece in _shorter(prepared, *each, budget, warnings)]
    leading = prepared.reference_phonemes if lead else None
    if leading:
        leading = known_punctuation(leading, tokenizer.pieces)
    read = [(said, known_punctuation(phonemes, tokenizer.pieces)) for said, phonemes in spoken]
    pairs = [(said, phonemes) for said, phonemes in read if any(map(str.isalpha, phonemes))]
    if not pairs:
        raise InputError("nothing to say: the text has no phonemes", cause=f"read as {prepared.language}")
    skip = prepared.request.options.unk == "skip"
    strange = dict.fromkeys(char for _, phonemes in pairs for char in tokenizer.unknown(phonemes))
    if leading:
        strange |= dict.fromkeys(tokenizer.unknown(leading))
    if strange:
        shown = " ".join(f"{char!r}" for char in list(strange)[:20])
        if not skip:
            raise InputError(
                f"phonemes that the model doesn't know: {shown}",
                cause="they aren't in its phoneme table",
                try_="--unk skip to leave them out, or another --language",
            )
        warnings.append(f"phonemes left out, the model doesn't know them: {shown}")
    items = []
    for said, phonemes in pairs:
        own = _without(phonemes, strange)
        whole = own if not leading else f"{_without(leading, strange)} {own}"
        if not any(map(str.isalpha, own)):
            raise InputError("nothing to say: the model knows none of the phonemes", cause=f"they are: {phonemes}")
        items.append(TextPart(said, own, _encode(tokenizer, whole), _encode(tokenizer, own)))
    return TextParts(text, items, warnings)


def _read(prepared: PreparedSpeech, texts: Sequence[str], warnings: list[str]) -> list[tuple[str, str]]:
    """Each text with its phonemes. One that can't be read costs the others nothing: it is left out, and that is said.
    Raises InputError where none can."""
    phonemizer, language = prepared.phonemizer, prepared.language
    try:
        return list(zip(texts, phonemizer.phonemize(texts, language), strict=True))
    except InputError:
        if len(texts) == 1:
            raise
    found: list[tuple[str, str]] = []
    errors: list[InputError] = []
    for text in texts:
        try:
            found += zip([text], phonemizer.phonemize([text], language), strict=True)
        except InputError as error:
            errors.append(error)
    if not found:
        raise errors[0]
    warnings += [f"left out: {error.message}" for error in errors]
    return found


def _shorter(
    prepared: PreparedSpeech, text: str, phonemes: str, budget: float, warnings: list[str], tries: int = 3
) -> list[tuple[str, str]]:
    """A part whose phonemes are longer than its letters promised (`16.1%` is seven words) in pieces of up to `budget`
    seconds."""
    expected = expected_seconds(phonemes)
    if expected <= budget or tries == 0:
        return [(text, phonemes)]
    word = max(map(estimate_seconds, text.split()))  # a number isn't cut in two
    pieces = split_text(text, max_seconds=max(SAFELY * budget * estimate_seconds(text) / expected, word))
    if len(pieces) < 2:
        return [(text, phonemes)]
    read = _read(prepared, [each.text for each in pieces], warnings)
    return [piece for each in read for piece in _shorter(prepared, *each, budget, warnings, tries - 1)]


def _without(phonemes: str, strange: dict[str, None]) -> str:
    return " ".join("".join(char for char in phonemes if char not in strange).split()) if strange else phonemes


def _encode(tokenizer: Tokenizer, phonemes: str) -> list[int]:
    return tokenizer.encode(phonemes)
