"""Dates: `2024-01-05`, `12/25/2024`, `Jan. 5, 2024`, `4 July 1826`, `Mon–Fri`."""

from __future__ import annotations

import re

from .numbers import cardinal, ordinal, pair, year
from .place import Found, Place
from .times import clock
from .words import in_order, listed

MONTHS = in_order("""
    January February March April May June July August September October November December
    """)
DAYS = in_order("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
_MONTH_OF = {
    **{name.lower(): name for name in MONTHS},
    **{name[:3].lower(): name for name in MONTHS},
    "sept": "September",
}
_DAY_OF = {
    **{name.lower(): name for name in DAYS},
    **{name[:3].lower(): name for name in DAYS},
    "tues": "Tuesday", "thur": "Thursday", "thurs": "Thursday", "weds": "Wednesday",
}  # fmt: skip
_WORDS_TOO = frozenset(
    ("mon", "wed", "sat", "sun", "jan", "mar", "may", "dec", "jun", "april", "june", "march", "august")
)
"""Names that are other words as well: they count beside a number or another such name only."""

_MONTH = (
    r"(?P<month>Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?"
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEPT?|OCT|NOV|DEC)(?![a-zA-Z])"
)
_DAY = r"[12]\d|3[01]|0?[1-9]"
_TH = "(?:st|nd|rd|th|ST|ND|RD|TH)?"
_TIME = r"(?:[T ](?P<time>(?:[01]\d|2[0-3]):[0-5]\d)(?::(?P<seconds>[0-5]\d)(?:\.\d{1,9})?)?"
_YEAR = r"(?:,? ?(?P<year>(?:1\d|20|21)\d\d)(?![\d,]\d|\d|[%\-–]\d)|,? ?['’](?P<short>\d\d)(?!\d))"
_ISO = re.compile(
    rf"(?P<year>(?:1\d|20|21)\d\d)(?P<mark>[-/.‑])(?P<month>0?[1-9]|1[0-2])(?P=mark)(?P<day>{_DAY})(?!\d|[-/]\d)"
    rf"{_TIME}(?P<zone>Z|[+-]\d\d:?\d\d)?(?![\d:]))?"
)
_NUMERIC = re.compile(
    r"(?P<first>\d{1,2})(?P<mark>[-/.])(?P<second>\d{1,2})(?P=mark)(?P<year>(?:1\d|20|21)\d\d|\d\d)(?![\d%]|[-/.]\d)"
)
_MONTH_DAY = re.compile(r"(?P<first>\d{1,2})/(?P<second>\d{1,2})(?![\d/%]|[.,]\d)")
_MONTH_YEAR = re.compile(r"(0?[1-9]|1[0-2])/((?:19|20)\d\d)(?![\d/%]|[.,]\d)")
_MONTH_FIRST = re.compile(
    rf"{_MONTH}\.?(?:[ -](?P<day>{_DAY})(?!\d|[.,:/%]\d){_TH}(?![a-zA-Z])"
    rf"(?: ?[-–] ?(?P<last>{_DAY}){_TH}(?![\w:]))?{_YEAR}?|,? (?P<only>(?:1\d|20|21)\d\d)(?![\d,]\d|\d))"
)
_DAY_FIRST = re.compile(
    rf"(?P<day>{_DAY}){_TH}(?: ?[-–] ?(?P<last>{_DAY}){_TH})?(?: of | |-){_MONTH}\.?"
    rf"(?:(?<=[.])|(?!\w)){_YEAR}?(?:-(?P<dashed>(?:19|20)\d\d|\d\d)(?!\d))?"
)
_NAME = r"(?:Mon|Tues?|Wed|Weds|Thu|Thurs?|Fri|Sat|Sun|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?"
_FULL = "|".join([*MONTHS, *DAYS])
_NAMES = re.compile(rf"(?P<name>{_NAME}|(?:{_FULL})\b)(?: ?(?P<mark>[-–—/&,]) ?(?P<other>{_NAME}|(?:{_FULL})\b))?")
_CUES = listed(
    "on by until till due since before after date dated from eod cob eta expires birthday born through thru ending "
    "starting"
) | {*_DAY_OF}
_DAY_CUES = listed("closed open on every each next last this until by from through thru")
_NOUN = re.compile(r" (?:of|cups?|inch|inches|mile|miles|teaspoons?|tablespoons?|pounds?|majority|the|a)\b")


def iso_date(place: Place) -> Found | None:
    """`2024-01-05`, with a time of day behind a `T` or a blank."""
    found = _ISO.match(place.text, place.pos)
    if found is None or _joined(place):
        return None
    spoken = _spoken(found["month"], found["day"], year(found["year"], place.british), place.british)
    if found["time"]:
        spoken += f" at {clock(*found['time'].split(':'))}"
        if found["seconds"] and found["seconds"] != "00":
            spoken += f" and {cardinal(found['seconds'])} seconds"
        if found["zone"] == "Z":
            spoken += " U-T-C"
        elif found["zone"]:
            return Found(found.start("zone"), spoken)
    return Found(found.end(), spoken)


def numeric_date(place: Place) -> Found | None:
    """`12/25/2024`: the month first in America, the day where it can't be the month, and in Britain."""
    found = _NUMERIC.match(place.text, place.pos)
    if found is None or _joined(place):
        return None
    if found["mark"] == "." and len(found["year"]) < 4:  # rather a version
        return None
    month, day = _order(found["first"], found["second"], place.british)
    if month is None:
        return None
    return Found(found.end(), _spoken(month, day, _full_year(found["year"]), place.british))


def day_of_year(first: str, second: str, british: bool) -> str:
    """Two numbers as a day in words, or nothing where they can't be one."""
    month, day = _order(first, second, british)
    return _spoken(month, day, "", british) if month is not None else ""


def month_and_day(place: Place) -> Found | None:
    """`12/25` where a word before it speaks of a date."""
    found = _MONTH_DAY.match(place.text, place.pos)
    if found is None or _joined(place) or _NOUN.match(place.text, found.end()):
        return None
    cue = place.before().lower()
    weekday = cue in _DAY_OF
    cue = place.before(count=2).lower() if cue in ("is", "was", "are", "the") and cue != "the" else cue
    if cue not in _CUES and not weekday:
        return None
    if (found["first"], found["second"]) == ("9", "11"):
        return Found(found.end(), "nine eleven")
    month, day = _order(found["first"], found["second"], place.british)
    return None if month is None else Found(found.end(), _spoken(month, day, "", place.british))


def month_and_year(place: Place) -> Found | None:
    """`08/2026`."""
    found = _MONTH_YEAR.match(place.text, place.pos)
    if found is None or _joined(place):
        return None
    return Found(found.end(), f"{MONTHS[int(found[1]) - 1]} {year(found[2], place.british)}")


def month_first(place: Place) -> Found | None:
    """`January 5, 2024`, `Jan. 5`, `May 1–3`, `Sept. 2019`."""
    found = _MONTH_FIRST.match(place.text, place.pos)
    if found is None or place.left().isalnum():
        return None
    month = _MONTH_OF[found["month"].lower()]
    if found["only"]:
        return Found(found.end(), f"{month} {year(found['only'], place.british)}")
    following = place.text[found.end() : found.end() + 14]
    if (
        month in ("May", "March")
        and not found["year"]
        and re.match(r" (?:people|men|women|times|more|of)\b", following)
    ):
        return None
    day = ordinal(found["day"])
    if found["last"]:
        day = f"{day} {_until(place)} {ordinal(found['last'])}"
    the = "the " if place.british else ""
    return Found(found.end(), " ".join(filter(None, (f"{month} {the}{day}", _any_year(found, place.british)))))


def day_first(place: Place) -> Found | None:
    """`4 July 1826`, `25 Dec.`, `5th of November`."""
    found = _DAY_FIRST.match(place.text, place.pos)
    if found is None or _joined(place):
        return None
    if found["month"] == "May" and place.text[found.end() : found.end() + 3] in (" be", " ha", " no", " I "):
        return None
    month = _MONTH_OF[found["month"].lower()]
    day = ordinal(found["day"])
    if found["last"]:
        day = f"{day} {_until(place)} {ordinal(found['last'])}"
    the = "" if place.before().lower() in ("the", "every", "each", "this", "last", "next") else "the "
    end, tail = found.end(), _any_year(found, place.british)
    if place.text[end - 1] == "." and place.ends_sentence(end):
        tail += "."
    return Found(end, f"{the}{day} of {month} {tail}".rstrip().replace(" .", "."))


def names(place: Place) -> Found | None:
    """Short names of days and months: `Fri.`, `Mon–Fri`, `Tue, Jan 5`."""
    found = _NAMES.match(place.text, place.pos)
    if found is None or place.left().isalnum() or place.adjoins(found.end()).isalnum():
        return None
    name, other = found["name"], found["other"]
    if other and found["mark"] in "-–—/&":
        between = {"/": " ", "&": " and "}.get(found["mark"], f" {_until(place)} ")
        if found["mark"] == "/" and name.lower() in _MONTH_OF:
            between = " "
        return Found(
            _dotted(place, found.end(), other)[0],
            f"{_long(name)}{between}{_long(other)}{_dotted(place, found.end(), other)[1]}",
        )
    end = found.end("name")
    key = name.rstrip(".").lower()
    if name.rstrip(".") == _long(name):
        return None
    beside = (
        bool(other)
        or bool(re.match(r",? ?\d", place.text[end : end + 3]))
        or place.before().rstrip(".").lower() in _DAY_OF
    )
    if not beside and not name.endswith(".") and key in _WORDS_TOO:
        return None
    alone = place.ends_sentence(end) and place.before().lower() not in _DAY_CUES
    if not beside and name.endswith(".") and key in _WORDS_TOO and alone:
        return None
    end, mark = _dotted(place, end, name)
    return Found(end, _long(name) + mark)


def _dotted(place: Place, end: int, name: str) -> tuple[int, str]:
    """An end, and the full stop to be kept where the name's own ends a sentence too."""
    following = place.after(end) if place.adjoins(end) == " " else ""
    ends = place.ends_sentence(end) or (following[:1].isupper() and following.lower() not in _MONTH_OF)
    return end, "." if name.endswith(".") and ends else ""


def _long(name: str) -> str:
    key = name.rstrip(".").lower()
    return _DAY_OF.get(key) or _MONTH_OF[key]


def _joined(place: Place) -> bool:
    """Whether the digits go on to the left."""
    left = place.left()
    return left.isalnum() or (left in tuple("/-.") and place.text[max(0, place.pos - 2) : place.pos - 1].isdecimal())


def _order(first: str, second: str, day_leads: bool) -> tuple[str | None, str]:
    month, day = (second, first) if day_leads else (first, second)
    if int(month) > 12:
        month, day = day, month
    return (month, day) if 1 <= int(month) <= 12 and 1 <= int(day) <= 31 else (None, "")


def _full_year(digits: str) -> str:
    if len(digits) == 4:
        return year(digits)
    return year(f"20{digits}") if int(digits) < 50 else year(f"19{digits}")


def _any_year(found: re.Match[str], british: bool) -> str:
    if found["year"]:
        return year(found["year"], british)
    if found["short"]:
        return pair(found["short"])
    dashed = found.groupdict().get("dashed")
    return _full_year(dashed) if dashed else ""


def _spoken(month: str, day: str, years: str, british: bool) -> str:
    name = MONTHS[int(month) - 1]
    words = f"the {ordinal(day)} of {name}" if british else f"{name} {ordinal(day)}"
    return f"{words} {years}".strip()


def _until(place: Place) -> str:
    """What stands between the ends of a range of days."""
    return "to" if place.british else "through"
