"""Addresses of the web, mail and files, and what is addressed with `#` and `@`."""

from __future__ import annotations

import re

from .letters import pronounceable, spell
from .numbers import in_pairs, spell_digits, year
from .place import Found, Place
from .words import listed

_CHUNK = re.compile(r"[^\s<>\"“”]{3,2000}")
_MAIL = re.compile(r"(?:mailto:)?[\w.+%\-]{1,64}@[A-Za-z\d\-]{1,63}(?:\.[A-Za-z\d\-]{1,63}){1,6}")
_SCHEME = re.compile(r"(?:https?|ftp|ssh|file|git|wss?)://", re.IGNORECASE)
_HOST = re.compile(r"(?:[A-Za-z\d\-_]{1,63}\.){1,6}(?P<end>[A-Za-z]{2,10})(?![A-Za-z\d@])(?P<port>:\d{2,5})?")
_LOCALHOST = re.compile(r"localhost(?P<port>:\d{2,5})?(?=$|[/\s.,;:!?)])")
_REST = re.compile(r"[/?#][^\s<>\"“”]{0,1800}")
_DOMAINS = listed("""
    com org net edu gov mil int io co uk de fr ai app dev tv info biz us ca au jp cn eu nl ch se ru br nz ie me it
    no es pl at be dk fi pt gr tr kr tw sg hk mx ar cl za il ly fm gg xyz tech online store site blog cloud news
    club live
    """)
_DOUBTFUL = listed("in no it is so me us at be am my to ca app info live news site store club blog tech it es co es ar")
_FILES = listed("""
    txt pdf py js md html htm css json csv doc docx xls xlsx ppt pptx png jpg jpeg gif svg mp3 mp4 mov avi zip exe
    sh bat yaml yml toml xml ini cfg conf log wav flac ogg tar gz cpp java rs go ts tsx jsx h c rb php sql ipynb bak
    tmp dll so env lock epub mobi iso dmg apk psd ai tex bib rtf ps1 org
    """)
_FILE = re.compile(r"(?:[A-Za-z\d_\-]{1,60}\.){1,4}(?P<end>[A-Za-z\d]{1,5})(?![^\W_])")
_DOT_NAME = re.compile(r"\.[a-z][A-Za-z\d_\-]{1,30}(?![^\W_])")
_PATH = re.compile(r"(?:~|\.{1,2})?(?:/[A-Za-z\d_.\-~]{1,60}){1,20}/?|[A-Za-z]:[\\/](?!/)[^\s<>\"]{1,400}|~/")
_TAG = re.compile(r"#([^\W\d_][\w\-]{0,80})")
_NAME = re.compile(r"@([\w][\w.\-]{0,60})")
_NUMBER_SIGN = re.compile(r"#(?=\d|[A-Z]{1,3}-?\d)|№ ?(?=\d)")
_SIGNS = {
    ".": "dot", "/": "slash", "-": "dash", "_": "underscore", "?": "question mark", "=": "equals", "&": "and",
    "%": "percent", "#": "hash", ":": "colon", "@": "at", "~": "tilde", "+": "plus", "\\": "backslash", ",": "comma",
    "!": "exclamation mark", "*": "star", ";": "semicolon", "$": "dollar",
}  # fmt: skip
_PIECE = re.compile(r"[A-Za-z]+|\d+|[^A-Za-z\d]")
_CAMEL = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z'’]+|[A-Z]+|\d+|[^\W\d_]+")
_AS_WORDS = listed(
    "com org net edu gov mil info biz app dev tech online store site blog cloud news club live co mail index"
)
_TRAILING = ".,;:!?)]}'’*_"


def address(place: Place) -> Found | None:
    """A web address, a mail address, a name of a file or a path."""
    text, pos = place.text, place.pos
    chunk = _CHUNK.match(text, pos)
    if chunk is None or place.left().isalnum() or place.left() in ("@", "_"):
        return None
    held = chunk.group()
    if "." not in held and "/" not in held and "@" not in held and ":" not in held and "\\" not in held:
        return None
    if found := _MAIL.match(text, pos):
        shown = found.group()
        return Found(found.end(), say_address(shown.removeprefix("mailto:")))
    scheme = _SCHEME.match(text, pos)
    begin = scheme.end() if scheme is not None else pos
    host = _HOST.match(text, begin) or _LOCALHOST.match(text, begin)
    if scheme is not None:
        rest = held[scheme.end() - scheme.start() :].rstrip(_TRAILING)
        return Found(begin + len(rest), say_address(rest)) if rest else None
    if host is not None and _is_host(place, host):
        behind = _REST.match(text, host.end())
        end = host.end()
        if behind is not None:
            end += len(behind.group().rstrip(_TRAILING))
        return Found(end, say_address(text[pos:end]))
    file = _FILE.match(text, pos)
    if (
        file is not None
        and file["end"].lower() in _FILES
        and file.group().index(".") > 1
        and not _is_sentence_end(text, file)
    ):
        return Found(file.end(), say_address(file.group()))
    return None


def path(place: Place) -> Found | None:
    """`/etc/hosts`, `~/.bashrc`, `C:\\Users`, `.gitignore`."""
    if place.left() not in ("", " ", "(", '"', "“", "'", "`"):
        return None
    found = _PATH.match(place.text, place.pos) or _DOT_NAME.match(place.text, place.pos)
    if found is None:
        return None
    shown = found.group().rstrip(_TRAILING)
    return Found(place.pos + len(shown), say_address(shown)) if len(shown) > 1 else None


def hashtag(place: Place) -> Found | None:
    """`#topic` as "hashtag topic", `#5` as "number five"."""
    if place.left().isalnum():
        return None
    if found := _NUMBER_SIGN.match(place.text, place.pos):
        return Found(found.end(), "number ")
    if found := _TAG.match(place.text, place.pos):
        tag = found[1].rstrip("-")
        return Found(found.start(1) + len(tag), f"hashtag {split_name(tag)}")
    return None


def mention(place: Place) -> Found | None:
    """`@name` as "at name"."""
    found = _NAME.match(place.text, place.pos)
    if found is None or place.left().isalnum():
        return None
    name = found[1].rstrip(".-_")
    if not name or name[0].isdecimal():
        return None
    return Found(found.start(1) + len(name), f"at {split_name(name)}")


def split_name(name: str) -> str:
    """A joined name as its words: `MondayMotivation`, `climate_change`, `hashtag2024`."""
    words = []
    for part in _CAMEL.findall(name):
        if part.isdecimal():
            words.append(_number(part))
        elif (part.isupper() and len(part) > 1 and not (pronounceable(part) and len(part) > 3)) or (
            part.islower() and len(part) < 5 and not pronounceable(part)
        ):
            words.append(spell(part))
        else:
            words.append(part)
    return " ".join(words)


def say_address(address: str) -> str:
    """An address piece by piece, with its marks."""
    words: list[str] = []
    pieces = _PIECE.findall(address.lower() if address.isupper() else address)
    for index, piece in enumerate(pieces):
        if piece.isdecimal():
            words.append(_number(piece))
        elif piece.isascii() and piece.isalpha():
            previous = pieces[index - 1] if index else ""
            words += [_word(part, behind_dot=previous == ".") for part in _CAMEL.findall(piece)]
        elif piece in _SIGNS:
            words.append(_SIGNS[piece])
        elif piece.isalpha():
            words.append(piece)
    return " ".join(words)


def _word(part: str, *, behind_dot: bool) -> str:
    lower = part.lower()
    if part.isupper() and len(part) in (2, 3) and lower not in _AS_WORDS:
        return spell(part)
    if lower in _AS_WORDS or lower in ("read", "me", "my", "to", "in", "of", "no", "us", "item", "docs"):
        return lower
    name = part.istitle() and len(part) > 2
    short = len(part) < 4 and not pronounceable(part) and not name
    if len(part) == 1 or (len(part) == 2 and behind_dot) or short or not {*lower} & {*"aeiouy"}:
        return spell(part) if len(part) < 6 else lower
    return spell(part) if lower in ("id", "bbc", "io", "api") else lower


def _number(digits: str) -> str:
    if len(digits) == 4 and digits[:2] in ("19", "20"):
        return year(digits)
    return in_pairs(digits) if len(digits) < 3 and digits[0] != "0" else spell_digits(digits)


def _is_host(place: Place, host: re.Match[str]) -> bool:
    """Whether letters with full stops between them are a host's name: not `e.g.`, nor a blank that was forgotten."""
    if host.group().startswith("localhost"):
        return True
    end = host["end"]
    path_follows = place.adjoins(host.end()) == "/" or bool(host["port"])
    if host.group().lower().startswith("www."):
        return True
    if end.lower() not in _DOMAINS or not (end.islower() or end.isupper()):
        return False
    if path_follows:
        return True
    if host.group().count(".") == 1 and end in _DOUBTFUL:
        return False
    return len(host.group().split(".")[0]) > 1 or host.group().count(".") > 1 or end in ("com", "org", "io")


def _is_sentence_end(text: str, file: re.Match[str]) -> bool:
    """Whether the full stop rather ends a sentence whose blank was forgotten: `home.So we`."""
    end = file["end"]
    return end in ("so", "go", "c", "h", "ai", "env", "lock", "org", "bat", "log", "tex") and not (
        len(file.group()) > len(end) + 1
        and re.match(r"(?:$|[\s,;:.)])", text[file.end() :][:1] or " ")
        and end not in ("so", "go")
    )
