"""Normalizers at work: what they say of words, checked, in the place of what was written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from vall_e_core import NormalizerModel, PluginError, Replacement, VallEError

from .pieces import Piece, Words, joined, replaced, runs

_LONGEST_WORDING, _ROOM = 100, 1000
"""Characters that one is said with at most, and some more: no sign has a longer name."""
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def normalized(
    pieces: Iterable[Piece], chain: Sequence[tuple[str, NormalizerModel]], language: str
) -> tuple[Piece, ...]:
    """The pieces with their words as they are read aloud; everything else as it is.

    Args:
        chain: normalizers with their names, in the order in which they are applied.

    Raises PluginError for a normalizer that fails, or whose replacements can't be used.
    """
    made: list[Piece] = []
    for run in runs(pieces):
        words = tuple(each for each in run if isinstance(each, Words))
        if words:
            for name, model in chain:
                text = joined(words)
                found = _checked(name, model, text, language)
                words = replaced(words, found) if found else words
            made += words
        else:
            made += run
    return tuple(made)


def _checked(name: str, model: NormalizerModel, text: str, language: str) -> list[Replacement]:
    found: list[Replacement] = []
    last = 0
    try:
        for each in model.replacements(text, language):
            problem = _problem(each, last, len(text))
            if problem is not None:
                raise PluginError(
                    f"the normalizer {name} returned an invalid replacement: {each!r:.200}", cause=problem,
                    try_=f"--normalizer none, or VALL_E_DISABLE={name}",
                )  # fmt: skip
            found.append(each)
            last = each.end
    except VallEError:
        raise
    except (Exception, SystemExit, GeneratorExit) as error:
        package = type(model).__module__.partition(".")[0]
        raise PluginError(
            f"the normalizer {name} failed",
            cause=f"{type(error).__name__}: {error}, at {text[:60]!r}; it comes from the package {package}",
            try_="--normalizer none",
        ) from error
    return found


def _problem(given: object, last: int, size: int) -> str | None:
    """What is wrong with a replacement that follows one which ended at `last`, or None."""
    if not isinstance(given, Replacement):
        return "it isn't a Replacement"
    if not (type(given.start) is int and type(given.end) is int and isinstance(given.text, str)):
        return "its places must be whole numbers, its text a string"
    if given.start >= given.end:
        return "its range is empty"
    if given.start < last:
        return f"it begins before the end of the last one, {last}"
    if given.end > size:
        return f"it ends after the end of the text, {size}"
    if len(given.text) > _ROOM + _LONGEST_WORDING * (given.end - given.start):
        return f"its text is far longer than what it replaces: {len(given.text)} characters"
    if _FORBIDDEN.search(given.text):
        return "its text holds a control character or a line end"
    return None
