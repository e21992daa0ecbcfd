"""How single words of a request are said: an object of words, each with a respelling or its IPA."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vall_e_core import InputError
from vall_e_text import Lexicon

from .errors import HttpError, line

MOST_WORDS = 1000
LONGEST_WORD, LONGEST_SAID = 100, 300
SCHEMA: Mapping[str, Any] = {
    "type": "object", "additionalProperties": {"type": "string", "maxLength": LONGEST_SAID},
    "maxProperties": MOST_WORDS, "description": "how words are said: a respelling, or IPA between slashes",
}  # fmt: skip


def split_lexicon(body: Mapping[str, object]) -> tuple[dict[str, object], Lexicon | None]:
    """The body without its `lexicon`, and that, if there is one. Raises HttpError 400."""
    rest = {key: value for key, value in body.items() if key != "lexicon"}
    given = body.get("lexicon")
    if given is None:
        return rest, None
    if not isinstance(given, Mapping):
        raise _wrong(f"expected an object of words, found {str(given)[:80]!r}")
    if len(given) > MOST_WORDS:
        raise _wrong(f"it has {len(given)} words, and at most {MOST_WORDS} are taken")
    for word, said in given.items():
        if not isinstance(said, str):
            raise _wrong(f"expected text for {word[:80]!r}, found {str(said)[:80]!r}")
        if len(word) > LONGEST_WORD or len(said) > LONGEST_SAID:
            raise _wrong(f"{word[:80]!r}: a word has at most {LONGEST_WORD} characters, what is said {LONGEST_SAID}")
    try:
        return rest, Lexicon.of(given)
    except InputError as error:
        raise _wrong(line(error)) from error


def _wrong(message: str) -> HttpError:
    return HttpError(400, f"lexicon: {message}", code="bad_value", param="lexicon")
