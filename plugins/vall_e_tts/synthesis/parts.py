"""The text in parts that a model can speak in one go, as phonemes and ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from vall_e_core import InputError, ModelError
from vall_e_text import Segment, estimate_seconds, known_punctuation, readable, split, whole

from .limits import expected_seconds

if TYPE_CHECKING:
    from vall_e_lm import Tokenizer

    from ..valle import VallE
    from .request import PreparedSpeech

SAFELY = 0.9
"""Of a budget: pieces are of unequal length."""


@dataclass(frozen=True)
class Said:
    """A part of a text before a model has seen it: what is written, what is read, and what that sounds like."""

    text: str
    spoken: str
    phonemes: str
    span: tuple[int, int] | None = None
    """The place in the text that was given, where it is known."""
    pause: float | None = None
    """Silence that was asked for behind it, in seconds."""
    lead: float = 0.0
    """The same before it."""
    rate: float = 1.0
    """Its pace, 1 for the usual one."""

    @classmethod
    def of(cls, segment: Segment, phonemes: str) -> Said:
        """A segment of a text with its phonemes."""
        return cls(
            segment.text, segment.spoken, phonemes, segment.span, segment.pause, segment.lead, segment.rate
        )  # fmt: skip


def said_before(record: Mapping[str, Any]) -> tuple[Said, ...]:
    """What a run said, from its record; nothing where the record doesn't tell."""
    parts = record.get("parts")
    if not isinstance(parts, list) or not all(isinstance(each, dict) and each.get("phonemes") for each in parts):
        return ()
    return tuple(
        Said(
            str(each.get("text", "")), str(each.get("spoken", each.get("text", ""))), str(each["phonemes"]),
            None if each.get("span") is None else (int(each["span"][0]), int(each["span"][1])),
            each.get("asked_pause"), float(each.get("lead", 0.0)), float(each.get("rate", 1.0)),
        )
        for each in parts
    )  # fmt: skip


@dataclass(frozen=True)
class TextPart:
    """One part. `ids` are what level 0 is made from, with the reference's transcript in front where that leads;
    `own_ids` are the part's alone. Both have begin and end."""

    said: Said
    phonemes: str
    """As the model knows them."""
    ids: Sequence[int]
    own_ids: Sequence[int]

    @property
    def text(self) -> str:
        """What is written."""
        return self.said.text


@dataclass(frozen=True)
class TextParts:
    """All parts, in order."""

    items: Sequence[TextPart]
    warnings: Sequence[str] = ()


def make_parts(engine: VallE, prepared: PreparedSpeech, lead: str | None, budget: float) -> TextParts:
    """Split, phonemize and encode a prepared text; one whose phonemes are known already is only encoded.

    Args:
        lead: the transcript that each part continues; None where parts stand for themselves, empty where the text
            itself begins with it (it is then one part, however long).
        budget: how long a part may be, in seconds of ordinary reading.

    Punctuation that the model lacks is replaced or left out. Raises InputError where there is nothing to say, or a
    phoneme isn't in the model's table.
    """
    warnings: list[str] = []
    prepared = _in_known_languages(engine, prepared, warnings)
    tokenizer = engine.loaded.tokenizer
    if tokenizer is None:
        raise ModelError("the model carries no phoneme table", try_="--tokenizer FILE")
    all_said = prepared.said or _read(prepared, lead, budget, warnings)
    leading = prepared.reference_phonemes if lead else None
    if leading:
        leading = known_punctuation(leading, tokenizer.pieces)
    known = [(each, known_punctuation(each.phonemes, tokenizer.pieces)) for each in all_said]
    pairs = [(each, phonemes) for each, phonemes in known if any(map(str.isalpha, phonemes))]
    if not pairs:
        raise InputError("nothing to say: the text has no phonemes", cause=f"read as {prepared.language}")
    skip = prepared.request.options.unk == "skip"
    learnt = engine.not_learnt(prepared.language)
    strange = dict.fromkeys(char for _, phonemes in pairs for char in tokenizer.unknown(phonemes))
    if leading:
        strange |= dict.fromkeys(tokenizer.unknown(leading))
    if strange:
        shown = " ".join(f"{char!r}" for char in list(strange)[:20])
        if not skip:
            raise InputError(
                f"phonemes that the model doesn't know: {shown}",
                cause="they aren't in its phoneme table" if learnt is None else learnt,
                try_="--unk skip to leave them out, or another --language",
            )
        warnings.append(f"phonemes left out, the model doesn't know them: {shown}")
    items = []
    for said, phonemes in pairs:
        own = _without(phonemes, strange)
        joined = own if not leading else f"{_without(leading, strange)} {own}"
        if not any(map(str.isalpha, own)):
            raise InputError("nothing to say: the model knows none of the phonemes", cause=f"they are: {phonemes}")
        items.append(TextPart(said, own, _encode(tokenizer, joined), _encode(tokenizer, own)))
    return TextParts(items, warnings)


def _in_known_languages(engine: VallE, prepared: PreparedSpeech, warnings: list[str]) -> PreparedSpeech:
    """The text with what markup puts into a language that the model hasn't learnt read as the rest of it."""
    known = {code: engine.not_learnt(each.language) for code, each in prepared.front.others.items()}
    strange = {code: why for code, why in known.items() if why is not None}
    warnings += [f"{why}: what is marked as {code} is read as {prepared.language}" for code, why in strange.items()]
    return replace(prepared, front=prepared.front.without(strange)) if strange else prepared


def _read(prepared: PreparedSpeech, lead: str | None, budget: float, warnings: list[str]) -> list[Said]:
    """The text's parts with their phonemes. Raises InputError."""
    front = prepared.front
    if lead == "":
        segments = [whole(prepared.pieces)]
        return [Said.of(*each) for each in readable(front, segments, warnings)]
    read = readable(front, split(prepared.pieces, max_seconds=budget), warnings)
    return [Said.of(*each) for one in read for each in _shorter(prepared, *one, budget, warnings)]


def _shorter(
    prepared: PreparedSpeech, segment: Segment, phonemes: str, budget: float, warnings: list[str], tries: int = 3
) -> list[tuple[Segment, str]]:
    """A part whose phonemes are longer than its letters promised (`16.1%` is seven words) in pieces of up to `budget`
    seconds."""
    expected = expected_seconds(phonemes)
    if expected <= budget or tries == 0:
        return [(segment, phonemes)]
    word = max(map(estimate_seconds, segment.spoken.split()))  # a number isn't cut in two
    seconds = max(SAFELY * budget * segment.seconds / expected, word)
    pieces = split(segment.pieces, max_seconds=seconds)
    if len(pieces) < 2:
        return [(segment, phonemes)]
    pieces[0] = replace(pieces[0], lead=segment.lead)
    pieces[-1] = replace(pieces[-1], pause=segment.pause, paragraph=segment.paragraph)
    read = readable(prepared.front, pieces, warnings)
    return [piece for each in read for piece in _shorter(prepared, *each, budget, warnings, tries - 1)]


def _without(phonemes: str, strange: dict[str, None]) -> str:
    return " ".join("".join(char for char in phonemes if char not in strange).split()) if strange else phonemes


def _encode(tokenizer: Tokenizer, phonemes: str) -> list[int]:
    return tokenizer.encode(phonemes)
