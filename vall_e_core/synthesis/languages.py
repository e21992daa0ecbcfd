"""The language condition: which row of a model's language table a language code means."""

from __future__ import annotations

#: The order in which published models were trained.
LANGUAGE_IDS: dict[str, int] = {"en": 0, "ja": 1, "de": 2, "fr": 3, "zh": 4, "ko": 5}


def language_id(code: str, rows: int) -> tuple[int, bool]:
    """The row for a code such as `de` or `en-us` in a table of `rows`, and whether the model knows that language.

    A language that the table lacks takes row 0.
    """
    base = code.strip().lower().replace("_", "-").partition("-")[0]
    if base == "cmn":
        base = "zh"
    found = LANGUAGE_IDS.get(base)
    if found is None or found >= rows:
        return 0, False
    return found, True
