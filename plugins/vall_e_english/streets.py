"""Titles, streets and states: `Dr. Brown`, `Elm Dr.`, `N. Main St.`, `Boston, MA 02139`."""

from __future__ import annotations

import re

from .place import Found, Place, is_starter, stopped
from .words import listed

_TITLES = {
    "Mr": "mister", "Mrs": "missus", "Ms": "miz", "Mx": "mix", "Dr": "doctor", "Drs": "doctors", "Prof": "professor",
    "Profs": "professors",
    "Rev": "reverend", "Hon": "honorable", "Gen": "general", "Col": "colonel", "Maj": "major", "Capt": "captain",
    "Cpt": "captain", "Lt": "lieutenant", "Sgt": "sergeant", "Cpl": "corporal", "Pvt": "private", "Adm": "admiral",
    "Cmdr": "commander", "Sen": "senator", "Rep": "representative", "Gov": "governor", "Pres": "president",
    "Supt": "superintendent", "Messrs": "messieurs", "Fr": "father", "Mt": "mount", "Ft": "fort", "Pt": "point",
    "St": "saint", "Ste": "sainte", "Insp": "inspector", "Det": "detective", "Amb": "ambassador", "Atty": "attorney",
    "Msgr": "monsignor", "Sr": "senior", "Jr": "junior", "Br": "brother", "Esq": "esquire",
}  # fmt: skip
"""Before a name; their full stop never ends a sentence."""
_BARE_TITLES = listed("Mr Mrs Ms Mx Dr Prof Rev Sgt Capt Lt Col Gen Sen Gov St Mt Ft")
"""Those that are read without a full stop too."""
_CIVIL = listed("Mr Mrs Ms Mx Dr")
"""Those that may stand before a single letter: `Mr T`, but `Gen Z`."""
_NEED_NAMES = listed("Pt Br Fr Det Rep")
"""Those that are something else unless a name follows."""
_BOOKS = {
    "Gen": "Genesis", "Lev": "Leviticus", "Num": "Numbers", "Deut": "Deuteronomy", "Josh": "Joshua", "Ps": "Psalm",
    "Prov": "Proverbs", "Isa": "Isaiah", "Jer": "Jeremiah", "Matt": "Matthew", "Mk": "Mark", "Lk": "Luke", "Jn": "John",
    "Rom": "Romans", "Cor": "Corinthians", "Gal": "Galatians", "Eph": "Ephesians", "Phil": "Philippians",
    "Heb": "Hebrews", "Jas": "James", "Pet": "Peter", "Rev": "Revelation", "Exod": "Exodus", "Ex": "Exodus",
}  # fmt: skip
"""Before a chapter and a verse."""
_VERSE = re.compile(r" \d{1,3}:\d")
_STREETS = {
    "St": "street", "Ave": "avenue", "Av": "avenue", "Rd": "road", "Blvd": "boulevard", "Dr": "drive", "Ln": "lane",
    "Ct": "court", "Pl": "place", "Sq": "square", "Hwy": "highway", "Pkwy": "parkway", "Ter": "terrace",
    "Cir": "circle", "Expy": "expressway", "Tpke": "turnpike", "Bldg": "building",
}  # fmt: skip
_STREET = "(?:St|Ave|Rd|Blvd|Dr|Ln|Street|Avenue|Road|Drive|Boulevard|Lane)"
_STREET_NAME = re.compile(rf" (?:\d{{1,3}}(?:st|nd|rd|th)|[A-Z][\w'’]{{1,20}})(?: [A-Z][\w'’]{{1,20}})? {_STREET}\b")
_STREET_NAMES = listed("street avenue road drive boulevard lane st ave rd dr blvd ln court ct highway")
_HOUSE = re.compile(r"\d\w* (?:[NSEW]\.? )?(?:[A-Z]\w* )?[A-Z]\w* $")
_NTH = re.compile(r"\d+(?:st|nd|rd|th)")
_BETWEEN = listed("near in at and is on by to from with for of or")
"""No names, though a text in capitals makes them look so."""
_NO_STREETS = listed("visit ask dear meet see call tell")
"""Words that may stand with a capital before a title."""
_DIRECTION = re.compile(r"(?P<side>NE|NW|SE|SW|N|S|E|W)\.?")
_TOWARDS = re.compile(r" of (?:[A-Z]|the\b|here\b)")
_SIDES = {
    "N": "north", "S": "south", "E": "east", "W": "west", "NE": "northeast", "NW": "northwest", "SE": "southeast",
    "SW": "southwest",
}  # fmt: skip
_STATES = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California", "CO": "Colorado",
    "CT": "Connecticut", "DE": "Delaware", "FL": "Florida", "GA": "Georgia", "HI": "Hawaii", "ID": "Idaho",
    "IL": "Illinois", "IN": "Indiana", "IA": "Iowa", "KS": "Kansas", "KY": "Kentucky", "LA": "Louisiana", "ME": "Maine",
    "MD": "Maryland", "MA": "Massachusetts", "MI": "Michigan", "MN": "Minnesota", "MS": "Mississippi", "MO": "Missouri",
    "MT": "Montana", "NE": "Nebraska", "NV": "Nevada", "NH": "New Hampshire", "NJ": "New Jersey", "NM": "New Mexico",
    "NY": "New York", "NC": "North Carolina", "ND": "North Dakota", "OH": "Ohio", "OK": "Oklahoma", "OR": "Oregon",
    "PA": "Pennsylvania", "RI": "Rhode Island", "SC": "South Carolina", "SD": "South Dakota", "TN": "Tennessee",
    "TX": "Texas", "UT": "Utah", "VT": "Vermont", "VA": "Virginia", "WA": "Washington", "WV": "West Virginia",
    "WI": "Wisconsin", "WY": "Wyoming", "DC": "D-C",
}  # fmt: skip
_STATE = re.compile(r"([A-Z]{2})(?![^\W_]|[-'’&/])(?P<zip> \d{5}(?!\d))?")
_CITY = re.compile(r"[A-Z][a-z.]+,? $")
_STATE_WORDS = listed("OR IN ME HI OK OH")
_WORD = re.compile(r"([A-Z][a-z]{1,5}|[A-Z]{2,5}(?=\.))(?:\.(?!\w)|(?![\w.'’@-]))")
_GLUED = re.compile(r"(Mr|Mrs|Ms|Dr|Prof)\.(?=[A-Z][a-z])")
"""A title whose blank was forgotten."""
_SUITE = re.compile(r" ?#? ?\d")
_CLOSED = re.compile(r"[.,;)]?(?: ?$| [A-Z])")


def title(place: Place) -> Found | None:
    """A title before a name, or the kind of a street behind its name: `Dr.` and `St.` are both."""
    text = place.text
    glued = _GLUED.match(text, place.pos)
    if glued is not None and not place.left().isalnum():
        return Found(glued.end(), f"{_TITLES[glued[1]]} ")
    found = _WORD.match(text, place.pos)
    if found is None or place.left().isalnum() or place.left() in ("'", "’"):
        return None
    word, end = found[1].capitalize(), found.end()
    if word in _BOOKS and _VERSE.match(text, end):
        return Found(end, _BOOKS[word])
    if word not in _TITLES and word not in _STREETS:
        return None
    if word == "Ste" and _SUITE.match(text, end):
        return None
    dotted = found.group().endswith(".")
    following = place.after(end) if place.adjoins(end) == " " else ""
    named = following[:1].isupper() and following.lower() not in _BETWEEN
    if _is_street(place, word, named and not is_starter(following)):
        return stopped(place, end, _STREETS[word], dotted=dotted)
    if word not in _TITLES:
        return stopped(place, end, _STREETS[word], dotted=dotted) if dotted else None
    if not dotted and (word not in _BARE_TITLES or not named or (len(following) == 1 and word not in _CIVIL)):
        return None
    if word == "Rev" and len(following) == 1 and place.adjoins(end + 2) != ".":
        return None  # a revision
    if named and word not in ("Sr", "Jr"):
        return Found(end, _TITLES[word])
    return None if word in _NEED_NAMES else stopped(place, end, _TITLES[word], dotted=True)


def side(place: Place) -> Found | None:
    """`N. Main St.` as "north main street"; `Ave. NW`."""
    found = _DIRECTION.match(place.text, place.pos)
    if found is None or place.left().isalnum() or place.adjoins(found.end()).isalnum():
        return None
    if place.before().lower().rstrip(".,") in _STREET_NAMES and place.left() == " ":
        return stopped(place, found.end(), _SIDES[found["side"]], dotted=found.group().endswith("."))
    if _STREET_NAME.match(place.text, found.end()) or _TOWARDS.match(place.text, found.end()):
        return Found(found.end(), _SIDES[found["side"]])
    return None


def state(place: Place) -> Found | None:
    """`Boston, MA 02139`: the two letters of a state behind a city's name."""
    found = _STATE.match(place.text, place.pos)
    if found is None or found[1] not in _STATES:
        return None
    before = place.text[max(0, place.pos - 24) : place.pos]
    if _CITY.search(before) is None or not (before.endswith(", ") or found["zip"]):
        return None
    rest = place.text[found.end() : found.end() + 3]
    if found[1] in _STATE_WORDS and not found["zip"] and _CLOSED.match(rest) is None:
        return None
    return Found(found.end(1), _STATES[found[1]])


def _is_street(place: Place, word: str, named: bool) -> bool:
    """Whether a name of a street stands before its kind. `named`: whether what follows looks like a person's name."""
    if word not in _STREETS:
        return False
    before = place.before()
    if _NTH.fullmatch(before):
        return True
    if not before[:1].isupper() or is_starter(before) or before.lower() in _NO_STREETS:
        return False
    near = place.text[max(0, place.pos - 40) : place.pos]
    return not (named and word in _TITLES) or _HOUSE.search(near) is not None
