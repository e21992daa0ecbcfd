"""A page's bytes as text, by what it says about its encoding. Bytes that don't fit are an error, never odd letters."""

from __future__ import annotations

import codecs
import re

from vall_e_core import InputError

_DECLARED = re.compile(
    rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})|<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})",
    re.IGNORECASE,
)
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_KNOWN = re.compile(
    r"utf-?8|utf-?16(?:-?[lb]e)?|iso-?8859-?\d{1,2}|windows-?\d{3,4}|cp\d{3,4}|koi8-?[ru]|gb2312|gbk|gb18030|big5"
    r"|euc-?(?:jp|kr)|shift[_-]?jis|iso-2022-jp|(?:x-)?mac(?:-?roman|intosh)?|latin-?1|(?:us-)?ascii",
    re.IGNORECASE,
)
_WESTERN = frozenset({"iso-8859-1", "iso8859-1", "latin-1", "latin1", "us-ascii", "ascii"})
"""As every browser does, these are read as Windows' superset of them."""


def decode_page(data: bytes, where: str) -> str:
    """The text of a page.

    Raises InputError for an encoding that isn't known, and for bytes that it doesn't have.
    """
    mark, encoding = next((each for each in _MARKS if data.startswith(each[0])), (b"", ""))
    if not encoding and data[:4] in (b"<\0?\0", b"<\0h\0", b"<\0!\0"):
        encoding = "utf-16-le"
    declared = "" if encoding else _declared(data)
    if declared and not _KNOWN.fullmatch(declared):
        raise InputError(f"{where} is in an unknown encoding: {declared}", try_="convert the book with Calibre")
    name = encoding or ("windows-1252" if declared.lower() in _WESTERN else declared) or "utf-8"
    if name.lower().startswith("utf-16") and not encoding and b"\0" not in data[:100]:
        name = "utf-8"  # a page that was converted without changing what it says
    try:
        return data[len(mark) :].decode(name)
    except (UnicodeDecodeError, LookupError) as error:
        at = getattr(error, "start", 0) + len(mark)
        raise InputError(
            f"{where} isn't {name.upper()} text: byte 0x{data[at]:02X} at offset {at}",
            cause="it is in another encoding than it says", try_="convert the book with Calibre",
        ) from error  # fmt: skip


def _declared(data: bytes) -> str:
    match = _DECLARED.search(data[:1024])
    return (match.group(1) or match.group(2)).decode("ascii") if match else ""
