"""Times of day, durations, and what else has a colon between numbers: ratios, verses."""

from __future__ import annotations

import re

from .numbers import cardinal, decimal, pair, spell_digits
from .place import Found, Place
from .words import listed

_HALF = r"(?: ?(?P<half>[AaPp])\.? ?[Mm](?![^\W_])(?P<dot>\.)?)"
_CLOCK = r"(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?![\d:]|,\d{3})"
_TIME = re.compile(rf"{_CLOCK}(?:{_HALF}|(?P<bare>[ap])(?![^\W_]))?")
_RANGE = re.compile(rf" ?[-–—] ?(?P<hour>[01]?\d|2[0-4])(?::(?P<minute>[0-5]\d))?(?![\d:]|\.\d){_HALF}?")
_ZONE = re.compile(r"(UTC|GMT) ?([-−–+])(\d{1,2})(?::?([0-5]\d))?(?![\w:])")
_POINTED = re.compile(r"(?P<hour>1[0-2]|0?[1-9])\.(?P<minute>[0-5]\d)" + _HALF)
_HOUR = re.compile(r"(?P<hour>1[0-2]|0?[1-9])" + _HALF)
_HOUR_RANGE = re.compile(rf"(?P<from>1[0-2]|0?[1-9]) ?[-–—] ?(?P<hour>1[0-2]|0?[1-9])(?::(?P<minute>[0-5]\d))?{_HALF}")
_DURATION = re.compile(
    r"(?P<hours>\d{1,3}):(?P<minutes>[0-5]\d):(?P<seconds>[0-5]\d)(?:\.(?P<part>\d{1,3}))?(?![\d:])" + f"{_HALF}?"
)
_MILITARY = re.compile(r"([01]\d|2[0-3])([0-5]\d) (?:hours|hrs)\b")
_DIGIT = re.compile(r" \d")
_LAP = re.compile(r"(?P<minutes>\d{1,2}):(?P<seconds>[0-5]\d)\.(?P<part>\d{1,3})(?![\d:])")
_RATIO = re.compile(
    r"(?P<first>\d{1,6}(?:\.\d{1,3})?):(?P<second>\d{1,3}(?:,\d{3}){1,3}|\d{1,7}(?:\.\d{1,3})?)(?![\d:])"
)
_VERSE = re.compile(r"(?P<chapter>\d{1,3}):(?P<verse>\d{1,3})(?: ?[-–] ?(?P<last>\d{1,3}))?(?![\d:])")
_BOOKS = listed("""
    genesis exodus leviticus numbers deuteronomy joshua judges ruth samuel kings chronicles ezra nehemiah esther job
    psalm psalms proverbs ecclesiastes isaiah jeremiah lamentations ezekiel daniel hosea joel amos obadiah jonah
    micah nahum habakkuk zephaniah haggai zechariah malachi matthew mark luke john acts romans corinthians galatians
    ephesians philippians colossians thessalonians timothy titus philemon hebrews james peter jude revelation gen
    exod ex lev num deut josh ps prov isa jer matt mk lk jn rom cor gal eph phil heb jas pet rev surah quran
    """)
_RATIO_CUES = listed("ratio odds scale mix mixed ratios aspect proportion won win lost beat score by lead")
_SCREENS = frozenset(("16:9", "4:3", "16:10", "21:9", "3:2"))


def clock(hour: str, minute: str, half: str = "") -> str:
    """A time of day: `7`, `05` as "seven oh five"; whole hours as "six o'clock", "sixteen hundred", "three P-M"."""
    tail = f" {half.upper()}-M" if half else ""
    number = int(hour)
    if minute == "00":
        if half:
            return cardinal(hour) + tail
        if number in (0, 24):
            return "midnight"
        return f"{cardinal(hour)} hundred" if number > 12 else f"{cardinal(hour)} o'clock"
    if number == 0:
        return f"twelve {pair(minute)} A-M"
    return f"{cardinal(hour)} {pair(minute)}{tail}"


def time(place: Place) -> Found | None:
    """`7:05`, `10:30pm`, `2:30–4:00 p.m.`"""
    found = _TIME.match(place.text, place.pos)
    if found is None:
        return None
    to = _RANGE.match(place.text, found.end())
    if to is not None and (to["minute"] or to["half"]):
        half = to["half"] or ""
        start = _short(found["hour"], found["minute"], found["half"] or "", bool(half))
        return _closed(place, to, f"{start} to {clock(to['hour'], to['minute'] or '00', half)}")
    return _closed(place, found, clock(found["hour"], found["minute"], found["half"] or found["bare"] or ""))


def zone(place: Place) -> Found | None:
    """`UTC-5`, `GMT+5:30`."""
    found = _ZONE.match(place.text, place.pos)
    if found is None or place.left().isalnum():
        return None
    name, sign, hours, minutes = found.groups()
    words = f"{'-'.join(name)} {'plus' if sign == '+' else 'minus'} {cardinal(hours)}"
    return Found(found.end(), f"{words} {pair(minutes)}" if minutes and minutes != "00" else words)


def pointed(place: Place) -> Found | None:
    """A time of day as it is written in Britain: `3.30pm`."""
    found = _POINTED.match(place.text, place.pos)
    return None if found is None else _closed(place, found, clock(found["hour"], found["minute"], found["half"]))


def hour(place: Place) -> Found | None:
    """`7pm`, `8 a.m.`, `9–5pm`."""
    found = _HOUR_RANGE.match(place.text, place.pos)
    if found is not None:
        end = clock(found["hour"], found["minute"] or "00", found["half"])
        return _closed(place, found, f"{cardinal(found['from'])} to {end}")
    found = _HOUR.match(place.text, place.pos)
    if found is None:
        return None
    if found.group().endswith((" am", " AM")) and place.before() == "I":
        return None
    to = _RANGE.match(place.text, found.end())
    words = clock(found["hour"], "00", found["half"])
    if to is not None and to["half"]:
        return _closed(place, to, f"{words} to {clock(to['hour'], to['minute'] or '00', to['half'])}")
    if to is not None and not to["minute"]:
        return _closed(place, to, f"{words} to {cardinal(to['hour'])}")
    return _closed(place, found, words)


def military(place: Place) -> Found | None:
    """`0800 hours`, `1430 hrs`."""
    found = _MILITARY.match(place.text, place.pos)
    if found is None:
        return None
    first = f"zero {cardinal(found[1][1])}" if found[1][0] == "0" else cardinal(found[1])
    return Found(found.end(), f"{first} {'hundred' if found[2] == '00' else pair(found[2])} hours")


def duration(place: Place) -> Found | None:
    """`2:03:59` as hours, minutes and seconds; behind "at", or with a leading zero, as a time of day."""
    if found := _LAP.match(place.text, place.pos):
        part = spell_digits(found["part"])
        return Found(
            found.end(), f"{_count(found['minutes'], 'minute')} {cardinal(found['seconds'])} point {part} seconds"
        )
    found = _DURATION.match(place.text, place.pos)
    if found is None:
        return None
    hours, minutes, seconds = found["hours"], found["minutes"], found["seconds"]
    if found["half"] or (len(hours) == 2 and int(hours) < 24 and (hours[0] != "0" or place.before().lower() == "at")):
        words = clock(hours, minutes, found["half"] or "")
        if seconds != "00":
            words = f"{cardinal(hours)} {pair(minutes)} and {_count(seconds, 'second')}"
            words += f" {found['half'].upper()}-M" if found["half"] else ""
        return _closed(place, found, words)
    parts = [_count(number, name) for number, name in ((hours, "hour"), (minutes, "minute")) if int(number)]
    if found["part"]:
        parts.append(f"{cardinal(seconds)} point {spell_digits(found['part'])} seconds")
    elif int(seconds) or not parts:
        parts.append(_count(seconds, "second"))
    return Found(found.end(), " ".join(parts))


def ratio(place: Place) -> Found | None:
    """`3:1`, `16:9`, `1:25,000`, and what a word before it calls a ratio."""
    found = _RATIO.match(place.text, place.pos)
    if found is None or place.left() == ":":
        return None
    first, second = found["first"], found["second"]
    before = (place.before().lower(), place.before(count=2).lower())
    single = len(second) == 1 and len(first) <= 2
    large = len(second.replace(",", "")) > 2 or "." in found.group() or int(first) > 24
    if single or large or _RATIO_CUES & {*before}:
        between = "by" if found.group() in _SCREENS and found.group() != "3:2" and "ratio" not in before else "to"
        return Found(found.end(), f"{decimal(first, place.british)} {between} {decimal(second, place.british)}")
    return None


def verse(place: Place) -> Found | None:
    """`John 3:16`, `Genesis 1:1-3`."""
    if place.before().lower() not in _BOOKS:
        return None
    found = _VERSE.match(place.text, place.pos)
    if found is None:
        return None
    words = f"{cardinal(found['chapter'])} {cardinal(found['verse'])}"
    return Found(found.end(), f"{words} to {cardinal(found['last'])}" if found["last"] else words)


def _short(hour: str, minute: str, half: str, shared: bool) -> str:
    """The first time of a range: without "o'clock" where what follows says which half of the day it is."""
    return cardinal(hour) if shared and minute == "00" and not half else clock(hour, minute, half)


def _count(digits: str, name: str) -> str:
    return f"{cardinal(digits)} {name}" + ("" if int(digits) == 1 else "s")


def _closed(place: Place, found: re.Match[str], words: str) -> Found:
    """With the full stop of `p.m.` kept where it ends the sentence."""
    end = found.end()
    if found.groupdict().get("dot") and (place.ends_sentence(end) or _DIGIT.match(place.text, end)):
        words += "."
    return Found(end, words + (" " if place.adjoins(end).isalnum() else ""))
