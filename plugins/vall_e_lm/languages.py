"""The language condition: which row of a model's language table a language code means."""

from __future__ import annotations

from vall_e_text import language_base

#: The order in which published models were trained.
LANGUAGE_IDS: dict[str, int] = {"en": 0, "ja": 1, "de": 2, "fr": 3, "zh": 4, "ko": 5}


def language_id(code: str, rows: int) -> tuple[int, bool]:
    """The row for a code such as `de` or `en-us` in a table of `rows`, and whether the model knows that language.

    A language that the table lacks takes row 0.
    """
    found = LANGUAGE_IDS.get(language_base(code))
    if found is None or found >= rows:
        return 0, False
    return found, True


def require_condition(code: str) -> None:
    """Raises ValueError for a code that no published model was trained with."""
    if code.strip().lower() == "auto":
        raise ValueError("the language of a recording isn't detected: name it, such as --language en")
    if language_base(code) not in LANGUAGE_IDS:
        known = ", ".join(sorted(LANGUAGE_IDS))
        raise ValueError(f"no model is conditioned on the language {code!r}: one of {known}")
