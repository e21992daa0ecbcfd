"""From a text to phonemes: normalizers and a phonemizer at work on the pieces of a text."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, cast

from vall_e_core import BuildContext, InputError, Normalizer, PluginError, UsageError, plugin_code

from .languages import language_base
from .normalizing import normalized
from .pieces import IPA, Piece, Stop, Words
from .punctuation import begun, with_stop
from .reading import read
from .segments import CLOSING, Segment, whole

if TYPE_CHECKING:
    from vall_e_core import NormalizerModel, PhonemizerModel, Registry

NONE = "none"
Chain = tuple[tuple[str, "NormalizerModel"], ...]
_MOST_SOUNDS, _ROOM = 100, 1000
"""Characters of phonemes for one of a text at most, and some more: a sign that has a name has no longer one."""
_POSSESSIVE = re.compile(r"\s?['’]s\b")


@dataclass(frozen=True)
class FrontEnd:
    """What reads a text in one language, and stretches of it that markup puts into others."""

    phonemizer: PhonemizerModel
    language: str
    normalizers: Chain = ()
    """By the spec that names each, in the order in which they are applied."""
    others: Mapping[str, FrontEnd] = field(default_factory=dict)
    """What reads words that markup puts into another language, by its code there. Those in one that isn't here are read
    as the text's own."""

    def spoken(self, pieces: Sequence[Piece]) -> tuple[Piece, ...]:
        """Pieces with their words as they are read aloud. Raises PluginError."""
        made: list[Piece] = []
        for code, group in groupby(pieces, self._other):
            front = self.others[code] if code else self
            made += normalized(group, front.normalizers, front.language)
        return tuple(made)

    def without(self, languages: Container[str]) -> FrontEnd:
        """The same, where words in some languages are read as the text's own."""
        return replace(self, others={code: each for code, each in self.others.items() if code not in languages})

    def phonemes(self, segments: Sequence[Segment]) -> list[str]:
        """What each segment sounds like; every line in it ends in a stop, and so does the segment.

        Raises InputError where something can't be read.
        """
        atoms = [self._atoms(segment) for segment in segments]
        read_as = iter(self._read([each for some in atoms for each in some if isinstance(each, Words)]))
        return [_together(some, lambda: next(read_as)) for some in atoms]

    def phonemes_of(self, text: str) -> str:
        """A plain text's phonemes, as those of a whole recording."""
        (found,) = self.phonemes([whole(self.spoken(read(text, markup="text", language=self.language).pieces))])
        return found


    def _other(self, piece: Piece) -> str:
        """The language of a piece that is read in another one than the text; empty for the text's own."""
        return piece.language if isinstance(piece, Words) and piece.language in self.others else ""

    def _atoms(self, segment: Segment) -> list[Piece]:
        """Words that are read in one go, pronunciations and stops."""
        found: list[Piece] = []
        for piece in segment.pieces:
            last = found[-1] if found else None
            if isinstance(piece, Words) and isinstance(last, Words) and self._other(last) == self._other(piece):
                found[-1] = Words(last.text + piece.text, last.start, piece.end, language=piece.language)
            else:
                found.append(piece)
        if language_base(self.language) == "en":
            for at in range(1, len(found)):
                found[at - 1 : at + 1] = _possessive(found[at - 1], found[at])
        return [each for each in found if not isinstance(each, Words) or each.text.strip()]

    def _read(self, words: Sequence[Words]) -> list[str]:
        """What words sound like, each in its language; a region's variety sounds like the text's own."""
        own = language_base(self.language)
        codes = [self.others[code].language if code else self.language for code in map(self._other, words)]
        codes = [self.language if language_base(code) == own else code for code in codes]
        found = [""] * len(words)
        for code in dict.fromkeys(codes):
            places = [at for at, each in enumerate(codes) if each == code]
            texts = [words[at].text for at in places]
            made = self.phonemizer.phonemize(texts, code)
            _require_strings(self.phonemizer, made, texts)
            for at, sound in zip(places, made, strict=True):
                found[at] = sound
        return found




def _possessive(before: Piece, after: Piece) -> tuple[Piece, Piece]:
    """An English `'s` behind a pronunciation as its ending."""
    if not (isinstance(before, IPA) and isinstance(after, Words)):
        return before, after
    match = _POSSESSIVE.match(after.text)
    sounds = [char for char in before.phonemes if char.isalpha()]
    if match is None or not sounds:
        return before, after
    ending = "ᵻz" if sounds[-1] in "szʃʒ" else "s" if sounds[-1] in "ptkfθ" else "z"
    return replace(before, phonemes=before.phonemes + ending), replace(after, text=after.text[match.end() :])


def _together(atoms: Sequence[Piece], read_next: Callable[[], str]) -> str:
    made = ""
    for piece in atoms:
        if isinstance(piece, Stop):
            made = with_stop(made)
        elif isinstance(piece, Words | IPA):
            sound = piece.phonemes if isinstance(piece, IPA) else read_next()
            made += sound if not made or sound[:1] in CLOSING else f" {sound}"
    return with_stop(begun(made))


def find_normalizers(registry: Registry, specs: Sequence[str], language: str) -> list[tuple[str, Normalizer]]:
    """What reads words aloud in a language: those named, in their order, or all installed ones that serve it.

    Raises UsageError for an unknown one, one for another language, or `none` beside others.
    """
    if not specs:
        return [(name, each()) for name, each in registry.all(Normalizer).items() if each.serves(language)]
    if NONE in specs:
        if len(specs) > 1:
            raise UsageError(f"--normalizer {NONE} stands beside another", try_="leave one out")
        return []
    found = []
    for spec in specs:
        name, _, values = spec.partition(":")
        component = cast("type[Normalizer]", registry.get(Normalizer.kind, name.strip()))
        if not component.serves(language):
            raise UsageError(
                f"the normalizer {name.strip()} doesn't serve the language {language}",
                cause=f"it is for {', '.join(sorted(component.languages))}", try_=f"--normalizer {NONE}",
            )  # fmt: skip
        found.append((spec, component.from_spec(values)))
    return found


def _require_strings(phonemizer: PhonemizerModel, made: object, texts: Sequence[str]) -> None:
    """Raises PluginError where a phonemizer returns anything but one string for each text, of a length that fits it."""
    several = made if isinstance(made, list | tuple) else None
    plain = several is not None and all(isinstance(each, str) for each in several)
    if several is None or not plain or len(several) != len(texts):
        found = f"{len(several)} strings" if plain and several is not None else f"{made!r:.80}"
        problem = f"returned {found} for {len(texts)} texts, not one string for each"
    elif any(len(each) > _ROOM + _MOST_SOUNDS * len(text) for each, text in zip(several, texts, strict=True)):
        problem = f"returned up to {max(map(len, several))} characters for a text of {min(map(len, texts))}"
    else:
        return
    raise PluginError(
        f"the phonemizer {phonemizer.name} {problem}",
        cause=f"it comes from the package {type(phonemizer).__module__.partition('.')[0]}",
        try_="--phonemizer espeak; its author can run: vall-e plugins check",
    )


def other_languages(pieces: Iterable[Piece], language: str) -> list[str]:
    """The languages other than the text's that markup names, in the order in which they come."""
    codes = dict.fromkeys(each.language for each in pieces if isinstance(each, Words) and each.text.strip())
    return [code for code in codes if code and code != language.lower().replace("_", "-")]


def build_normalizers(found: Sequence[tuple[str, Normalizer]], ctx: BuildContext) -> Chain:
    """The objects that do the work. Raises PluginError for one that can't be made."""
    made = []
    for name, component in found:
        with plugin_code(component, "build", ctx):
            made.append((name, component.build(ctx)))
    return tuple(made)


def readable(front: FrontEnd, segments: Sequence[Segment], warnings: list[str]) -> list[tuple[Segment, str]]:
    """Segments with their phonemes. One that can't be read costs the others nothing: it is left out, and that is said.

    Raises InputError where none can.
    """
    try:
        return list(zip(segments, front.phonemes(segments), strict=True))
    except InputError:
        if len(segments) == 1:
            raise
    found: list[tuple[Segment, str]] = []
    errors: list[InputError] = []
    for segment in segments:
        try:
            found += zip([segment], front.phonemes([segment]), strict=True)
        except InputError as error:
            errors.append(error)
    if not found:
        raise errors[0]
    warnings += [f"left out: {error.message}" for error in errors]
    return found
