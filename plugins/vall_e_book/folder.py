"""A book as a folder of texts that anybody can edit: a file a chapter, and `book.json`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from vall_e_core import InputError
from vall_e_files import check_folder, write_atomic, write_json
from vall_e_text import read_text

from .contents import Book, Chapter, Cover, Paragraph
from .package import picture_type
from .page import Block
from .plain import read_plain

FACTS = "book.json"
_SUFFIXES = (".txt", ".md")
_COVERS = {"image/jpeg": "cover.jpg", "image/png": "cover.png"}
_LARGEST_COVER = 16 << 20


def write_folder(book: Book, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Write a book as a folder of texts. Returns its files.

    Raises InputError where they can't be written, UsageError where one of them exists and may not be replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    check_folder(folder)
    width = max(2, len(str(len(book.chapters))))
    names = [f"{at:0{width}} {safe_name(each.title)}.txt" for at, each in enumerate(book.chapters, 1)]
    cover = None if book.cover is None else _COVERS[book.cover.media_type]
    facts: dict[str, Any] = {"title": book.title, "author": book.author, "language": book.language, "cover": cover}
    facts["chapters"] = [
        {"file": name, "title": each.title, **({} if each.voice is None else {"voice": each.voice})}
        for name, each in zip(names, book.chapters, strict=True)
    ]
    write_json(folder / FACTS, facts, overwrite=overwrite)
    written = [folder / FACTS]
    for name, chapter in zip(names, book.chapters, strict=True):
        data = chapter_text(chapter).encode()
        write_atomic(folder / name, lambda file, data=data: file.write(data), overwrite=overwrite)  # type: ignore[misc]
        written.append(folder / name)
    if book.cover is not None and cover is not None:
        picture = book.cover.data
        write_atomic(folder / cover, lambda file: file.write(picture), overwrite=overwrite)
        written.append(folder / cover)
    return written


def chapter_text(chapter: Chapter) -> str:
    """A chapter as text: headings after `#`, sections after `***`, paragraphs between empty lines."""
    found: list[str] = []
    for at, each in enumerate(chapter.paragraphs):
        if each.heading:
            found.append(f"{'#' if at == 0 else '##'} " + each.text.replace("\n", " / "))
            continue
        if each.section:
            found.append("***")
        found.append(f"\\{each.text}" if each.text.startswith(("#", "\\")) else each.text)
    return "\n\n".join(found) + "\n"


def read_folder(folder: Path) -> Book:
    """A folder of texts as a book. Without `book.json`, its files are chapters in the order of their names.

    Raises InputError for a folder without texts, and for facts that can't be used.
    """
    facts = _facts(folder / FACTS) if (folder / FACTS).is_file() else {}
    listed = facts.get("chapters")
    if listed is None:
        files = sorted((each for each in folder.iterdir() if each.suffix.lower() in _SUFFIXES), key=_natural)
        listed = [{"file": each.name} for each in files]
    if not listed:
        raise InputError(f"{folder} holds no chapters", try_="files that end in .txt, or --export-text")
    chapters = tuple(_read(folder, each) for each in listed)
    covers = (facts.get("cover"), *_COVERS.values())
    cover = next((folder / each for each in covers if isinstance(each, str) and (folder / each).is_file()), None)
    return Book(
        str(facts.get("title") or folder.resolve().name), str(facts.get("author") or ""),
        str(facts.get("language") or ""), None if cover is None else read_cover(cover), chapters,
    )  # fmt: skip


def read_cover(path: Path) -> Cover:
    """A picture. Raises InputError for one that is neither JPEG nor PNG."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_COVER + 1)
    except OSError as error:
        raise InputError(f"can't read the cover {path}", cause=error.strerror or str(error)) from error
    kind = picture_type(data)
    if kind is None or len(data) > _LARGEST_COVER:
        raise InputError(f"not usable as a cover: {path}", cause="it is no JPEG or PNG file of at most 16 MiB")
    return Cover(data, kind)


def safe_name(title: str) -> str:
    """A title as a part of a file's name, on every system."""
    found = re.sub(r"[^\w .,'()&+-]+", " ", title.replace("/", "-"))
    return " ".join(found.split())[:60].strip(" .") or "chapter"


def _facts(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} isn't JSON", cause=str(error)) from error
    chapters = found.get("chapters") if isinstance(found, dict) else ()
    if not isinstance(found, dict) or not (chapters is None or isinstance(chapters, list)):
        raise InputError(f"{path} doesn't describe a book", try_="title, author, language, cover, chapters")
    for each in chapters or ():
        if not isinstance(each, dict) or not isinstance(each.get("file"), str):
            raise InputError(f"{path}: a chapter without a file: {each!r:.60}", try_='{"file": "01 One.txt"}')
    return found


def _read(folder: Path, facts: dict[str, Any]) -> Chapter:
    path = folder / facts["file"]
    if folder.resolve() not in path.resolve().parents:
        raise InputError(f"a chapter lies outside of the folder: {facts['file']}")
    blocks = read_plain(read_text(path), marked=True)
    title = facts.get("title") or next((each.text for each in blocks if each.level), path.stem)
    voice = facts.get("voice")
    return Chapter(str(title), tuple(paragraphs(blocks)), None if voice is None else str(voice))


def paragraphs(blocks: list[Block]) -> list[Paragraph]:
    """Blocks as they stand: everything is kept."""
    found: list[Paragraph] = []
    for each in blocks:
        begins = each.level > 0 or each.rule
        after_heading = bool(found) and found[-1].heading
        text = each.text.removeprefix("\\") if not each.level else each.text.replace(" / ", "\n")
        found.append(Paragraph(text, each.level > 0, section=begins and bool(found) and not after_heading))
    return found


def _natural(path: Path) -> list[tuple[int, str]]:
    """`2 Two` before `10 Ten`."""
    return [(int(each), "") if each.isdigit() else (0, each.lower()) for each in re.split(r"(\d+)", path.name)]
