"""EPUBs for tests, and what players see of audiobooks."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CONTAINER = (
    '<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="{path}" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
XHTML = (
    '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" '
    'xmlns:epub="http://www.idpf.org/2007/ops"><head><title>{title}</title></head><body>{body}</body></html>'
)


def png(width: int = 8, height: int = 8) -> bytes:
    """A gray picture."""
    rows = b"".join(b"\0" + bytes([128]) * width for _ in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def page(body: str, title: str = "") -> str:
    """An XHTML document."""
    return XHTML.format(title=title, body=body)


def pack(path: Path, files: Mapping[str, str | bytes]) -> Path:
    """A ZIP file, with the media type first."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        for name, data in files.items():
            made.writestr(name, data)
    return path


def package(
    items: Sequence[tuple[str, str, str]], *, spine: Sequence[str], metadata: str = "", spine_more: str = "",
    more: str = "",
) -> str:
    """A package document; an item is an id, a path, and further attributes."""
    listed = "".join(f'<item id="{name}" href="{href}" {rest}/>' for name, href, rest in items)
    order = "".join(f'<itemref idref="{each}"/>' for each in spine)
    return (
        '<?xml version="1.0" encoding="utf-8"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:opf="http://www.idpf.org/2007/opf">'
        f"{metadata}</metadata><manifest>{listed}</manifest><spine {spine_more}>{order}</spine>{more}</package>"
    )


PAGE = 'media-type="application/xhtml+xml"'


def make_epub(
    path: Path, chapters: Sequence[tuple[str, str]], *, title: str = "A Book", author: str = "Ann Author",
    files: Mapping[str, str | bytes] | None = None, metadata: str = "",
) -> Path:
    """An EPUB 3 with a navigation document and a cover; a chapter is a title and the inside of its body."""
    names = [f"c{at}.xhtml" for at in range(1, len(chapters) + 1)]
    lines = "".join(f'<li><a href="{name}">{head}</a></li>' for name, (head, _) in zip(names, chapters, strict=True))
    nav = page(f'<nav epub:type="toc"><h1>Contents</h1><ol>{lines}</ol></nav>')
    items = [("nav", "nav.xhtml", f'{PAGE} properties="nav"')]
    items += [("picture", "cover.png", 'media-type="image/png" properties="cover-image"')]
    items += [(f"c{at}", name, PAGE) for at, name in enumerate(names)]
    about = f"<dc:title>{title}</dc:title><dc:creator>{author}</dc:creator><dc:language>en</dc:language>{metadata}"
    made: dict[str, str | bytes] = {
        "META-INF/container.xml": CONTAINER.format(path="OEBPS/content.opf"),
        "OEBPS/content.opf": package(items, spine=["nav", *(f"c{at}" for at in range(len(names)))], metadata=about),
        "OEBPS/nav.xhtml": nav, "OEBPS/cover.png": png(),
        **{f"OEBPS/{name}": page(body) for name, (_, body) in zip(names, chapters, strict=True)},
        **(files or {}),
    }  # fmt: skip
    return pack(path, made)


def lowered(tags: Mapping[str, str]) -> dict[str, str]:
    return {key.lower(): value for key, value in tags.items()}


def probe(path: Path) -> dict[str, Any]:
    """What the program ffprobe says, or else PyAV."""
    if shutil.which("ffprobe") is not None:
        command = ["ffprobe", "-v", "error", "-show_format", "-show_chapters", "-show_streams", "-of", "json"]
        told = json.loads(subprocess.run([*command, str(path)], capture_output=True, check=True).stdout)
        audio = next(each for each in told["streams"] if each["codec_type"] == "audio")
        return {
            "chapters": [(float(each["start_time"]), each["tags"]["title"]) for each in told["chapters"]],
            "seconds": float(told["format"]["duration"]),
            "tags": lowered({**audio.get("tags", {}), **told["format"].get("tags", {})}),
            "cover": any(each["disposition"]["attached_pic"] for each in told["streams"]),
        }
    import av

    with av.open(str(path)) as file:
        return {
            "chapters": [
                (float(each["start"] * each["time_base"]), each["metadata"]["title"]) for each in file.chapters()
            ],
            "seconds": (file.duration or 0) / 1_000_000,
            "tags": lowered({**file.streams.audio[0].metadata, **file.metadata}),
            "cover": bool(file.streams.video),
        }
