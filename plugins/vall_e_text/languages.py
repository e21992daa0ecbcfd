"""Language codes."""

from __future__ import annotations


def language_base(code: str) -> str:
    """The language of a code such as `en-us`; Mandarin is `zh`."""
    base = code.strip().lower().replace("_", "-").partition("-")[0]
    return "zh" if base == "cmn" else base
