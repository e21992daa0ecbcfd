"""Docstrings are written as Markdown has it, with Google's sections; Sphinx reads reStructuredText."""

from __future__ import annotations

import re

from sphinx.application import Sphinx

BEFORE_NAPOLEON, AFTER_NAPOLEON = 400, 600
CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
FIELDS = ("attribute", "data", "property")
kept: dict[str, list[str]] = {}


def to_restructured_text(
    _app: Sphinx, what: str, name: str, documented: object, _options: object, lines: list[str]
) -> None:
    """`code` gets two backticks, and an indented block becomes a literal one."""
    _indent_again(str(getattr(documented, "__doc__", None) or ""), lines)
    made: list[str] = []
    for at, line in enumerate(lines):
        above = lines[at - 2] if at > 1 and not lines[at - 1].strip() else ""
        if line.startswith(" ") and above.strip() and not above.startswith((" ", "-")):
            made += ["::", ""]
        made.append(line)
    lines[:] = CODE.sub(r"``\1``", "\n".join(made)).split("\n")
    if what in FIELDS:
        kept[name] = list(lines)


def _indent_again(raw: str, lines: list[str]) -> None:
    """Restore the indentation of a block that Sphinx removed because nothing else follows the first line."""
    first, *others = raw.rstrip(" ").split("\n")
    base = len(raw) - len(raw.rstrip(" "))
    indented = [line for line in others if line.strip()]
    if raw.endswith("\n" + " " * base) and base and indented and first.strip() == lines[0].strip():
        lost = min(len(line) - len(line.lstrip()) for line in indented) - base
        lines[1:] = [" " * lost + line if line.strip() else line for line in lines[1:]]


def without_a_type(_app: Sphinx, what: str, name: str, _object: object, _options: object, lines: list[str]) -> None:
    """A field's type stands in its annotation: what napoleon read before a colon was a part of the sentence."""
    if what in FIELDS:
        lines[:] = kept.pop(name)


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("autodoc-process-docstring", to_restructured_text, priority=BEFORE_NAPOLEON)
    app.connect("autodoc-process-docstring", without_a_type, priority=AFTER_NAPOLEON)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
