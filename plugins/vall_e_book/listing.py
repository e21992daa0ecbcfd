"""What is in a book, for people and programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vall_e_text import estimate_seconds

from .choosing import Numbered
from .contents import Book, Chapter


def seconds_of(chapter: Chapter) -> float:
    """How long a chapter is about, spoken."""
    return sum(estimate_seconds(each.text) for each in chapter.paragraphs)


def listing(book: Book, chapters: Sequence[Numbered]) -> dict[str, Any]:
    """A book's facts, its chapters with their estimated minutes, and what is left out."""
    return {
        "title": book.title, "author": book.author, "language": book.language,
        "cover": None if book.cover is None else book.cover.media_type,
        "minutes": round(sum(seconds_of(each) for _, each in chapters) / 60, 1),
        "chapters": [
            {
                "number": number, "title": each.title, "minutes": round(seconds_of(each) / 60, 1),
                "characters": each.characters, "paragraphs": len(each.paragraphs),
            }
            for number, each in chapters
        ],
        "left_out": [{"what": each.what, "count": each.count, "example": each.example} for each in book.left_out],
    }  # fmt: skip


def shown(facts: dict[str, Any]) -> str:
    """The same as a page of text."""
    lines = [f"{facts['title']}" + (f", by {facts['author']}" if facts["author"] else ""), ""]
    lines += [f"{each['number']:>4}  {each['minutes']:>6.1f} min  {each['title']}" for each in facts["chapters"]]
    lines += [f"      {facts['minutes']:>6.1f} min  in all"]
    if facts["left_out"]:
        lines += ["", "Left out:"]
    for each in facts["left_out"]:
        example = f"  {each['example']}" if each["example"] else ""
        lines.append(f"{each['count']:>4}  {each['what']}{example}")
    return "\n".join(lines)
