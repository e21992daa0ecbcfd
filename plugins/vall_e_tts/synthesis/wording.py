"""How a text is worded: in which languages it is, what reads it in each, and what is said for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vall_e_core import BuildContext, InputError, Phonemizer, UsageError
from vall_e_text import (
    IPA,
    FrontEnd,
    Piece,
    Words,
    build_normalizers,
    find_normalizers,
    language_base,
    other_languages,
    require_speech,
    shown,
    without_floods,
)

from ..options import SpeechOptions

if TYPE_CHECKING:
    from vall_e_core import PhonemizerModel, Registry

AUTO = "auto"


def settle_front(
    registry: Registry, component: Phonemizer, ctx: BuildContext, options: SpeechOptions, pieces: Sequence[Piece],
    warn: Callable[[str], None],
) -> FrontEnd:  # fmt: skip
    """What reads a text: the phonemizer, and the normalizers of each language in it.

    Args:
        registry: finds normalizers.
        component: the phonemizer that was chosen.
        ctx: what components are built with.
        options: the language and the normalizers that were asked for.
        pieces: the text. If markup puts all of it into one other language, that is its language.
        warn: told about languages that nobody knows.

    Raises:
        UsageError: for a language or a normalizer that isn't known, or doesn't fit.
        PluginError: for a component that can't be built.
    """
    phonemizer = component.build(ctx)
    text = " ".join(shown(each) for each in pieces if isinstance(each, Words | IPA))
    language = settle_language(phonemizer, options.language, text)
    if component.reads == "phonemes":
        if set(options.normalizer) - {"none"}:
            raise UsageError(
                f"--normalizer can't be used with the phonemizer {component.name}", cause="it takes phonemes, not words"
            )
        return FrontEnd(phonemizer, language)
    given = find_normalizers(registry, options.normalizer, language)
    others: dict[str, FrontEnd] = {}
    for code in other_languages(pieces, language):
        known = known_language(phonemizer, code, language)
        if known is None:
            warn(f'xml:lang="{code}" is no language that {phonemizer.name} knows: it is read as {language}')
            continue
        found = given if options.normalizer else find_normalizers(registry, (), known)
        chain = build_normalizers([each for each in found if each[1].serves(known)], ctx)
        others[code] = FrontEnd(phonemizer, known, chain)
    all_of_it = {each.language for each in pieces if isinstance(each, Words) and each.text.strip()}
    only = others.get(all_of_it.pop()) if len(all_of_it) == 1 else None
    if only is not None and language_base(only.language) != language_base(language):
        return only
    return FrontEnd(phonemizer, language, build_normalizers(given, ctx), others)


def settle_language(phonemizer: PhonemizerModel, language: str, text: str) -> str:
    """The language code to use; `auto` is detected. Raises UsageError for one that the phonemizer doesn't know."""
    if language.strip().lower() == AUTO:
        detect = getattr(phonemizer, "detect", None)
        if detect is None:
            raise UsageError(f"the phonemizer {phonemizer.name} can't detect a language", try_="--language en")
        return str(detect([text]))
    phonemizer.phonemize([], language)
    return language


def known_language(phonemizer: PhonemizerModel, code: str, language: str) -> str | None:
    """What a phonemizer knows a code by that stands in a text in `language`; None for one that it doesn't know.

    It needn't know the varieties of the text's own language: those differ in what normalizers say.
    """
    if language_base(code) == language_base(language):
        return code
    for each in (code, language_base(code)):
        try:
            phonemizer.phonemize([], each)
        except UsageError:
            continue
        return each
    return None


def spoken_pieces(front: FrontEnd, pieces: Sequence[Piece], reads: str, warnings: list[str]) -> tuple[Piece, ...]:
    """The text as it is read aloud, without what nobody would read.

    Args:
        front: reads it.
        pieces: of the text.
        reads: what the phonemizer takes; phonemes stay as they are.
        warnings: what is left out is noted here.

    Raises:
        InputError: nothing is left to say.
        PluginError: for a normalizer that fails.
    """
    kept, notes = (tuple(pieces), ()) if reads == "phonemes" else without_floods(pieces)
    warnings += notes
    spoken = front.spoken(kept)
    try:
        require_speech(spoken)
    except InputError as error:
        raise InputError(error.message, cause=notes[0] if notes else error.cause) from error
    return spoken
