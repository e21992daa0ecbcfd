"""Numbers that are names: telephones, codes, flights, rooms, roads, versions; said digit by digit or in pairs."""

from __future__ import annotations

import re

from .letters import spell
from .numbers import cardinal, in_pairs, spell_digits
from .place import Found, Place
from .words import listed

_PHONE = re.compile(
    r"(?P<plus>\+\d{1,3}[ .\-]?)?(?P<one>1[ .\-])?"
    r"(?:\((?P<area>\d{2,5})\) ?|(?P<bare>\d{3})(?P<mark>[-.‑]|(?= \d{3} \d{4}) ))"
    r"(?P<middle>\d{3,4})[-. ‑](?P<last>\d{4})(?![\d\-]|\.\d)"
    r"(?: ?[xX] ?(?P<ext>\d{1,5})(?!\d))?"
)
_ABROAD = re.compile(r"\+(?P<rest>\d{1,3}(?:[ .\-]?\(?\d{1,5}\)?){1,7})(?![\d\-])")
_ZERO_LED = re.compile(r"\(?0\d{2,4}\)?(?:[ \-]\d{3,8}){1,3}(?![\d\-/:])")
_VANITY = re.compile(r"(?P<lead>1[-. ])?(?P<area>8(?:00|33|44|55|66|77|88))[-. ](?P<word>[A-Z][A-Z\-]{3,12})\b")
_LOCAL = re.compile(r"\d{3}(?:\d\d)?[-‑]\d{4}(?![\d\-/]|\.\d)")
_SHORT = re.compile(r"(?:[2-9]11|988|999|112|101|111|\d{5,6})(?![\d,.]\d|\d| [a-z]{2,12}s\b)")
_CALLS = listed("call dial phone text ring calling dialed called dialing")
_EMERGENCY = re.compile(r"(?:911|112|999|988)(?![\w%°$€£/:]|[-–.,]\d)")
_ANSWERED = listed("call calls caller callers operator operators dispatch dispatcher dispatchers emergency hotline")
_IN_NEED = re.compile(
    r"\b(?:emergenc(?:y|ies)|police|ambulance|firefighters|fire department|paramedics)\b", re.IGNORECASE
)
_COUNTED = re.compile(r" (?:people|men|women|children|police|[a-z]{2,12}s)\b")
_DASHED = re.compile(r"\d{1,7}(?:[-‑]\d{1,8}){2,6}(?:-[Xx])?(?![\d\-])")
_DIGITS = re.compile(r"\d{1,40}(?![\d,.]\d|\d|[%°])")
_PIECES = re.compile(r"\d{2,12}(?:[ -]\d{2,12}|-\d(?!\d)){0,6}(?![\d,.]\d|\d|[%°])")
_CODES = listed("""
    code pin password passcode passwort zip zipcode postcode extension ext serial account acct isbn issn order
    invoice agent ssn tracking confirmation ticket badge reference ref otp imei vin sku license licence passport fax
    tel telephone phone cell mobile case id voucher
    """)
_ENDINGS = listed("ending ends")
_BETWEEN = listed("is was are number no no. # to code the be of id")
_PLACES = listed("""
    room suite apartment apt unit flight route highway interstate hwy error channel area box bus exit building bldg
    porsche gate runway seat row locker platform boeing airbus track http status
    """)
_LETTERED = re.compile(r"(\d{1,4})([A-Z])(?![^\W_])")
_AIRCRAFT = re.compile(r"(\d{3})-(\d{1,4})(?!\d)")
_STREET = re.compile(
    r"(?P<number>\d{1,5})(?P<letter>[A-Z])?(?= (?:[NSEW]\.? |North |South |East |West )?"
    r"(?:\d{1,3}(?:st|nd|rd|th) |[A-Z][\w'’.]{1,20} ){1,3}"
    r"(?:St|Ave|Rd|Blvd|Dr|Ln|Ct|Pl|Sq|Hwy|Pkwy|Street|Avenue|Road|Boulevard|Drive|Lane|Court"
    r"|Place|Square|Way|Highway|Parkway|Terrace|Circle)\b)"
)
_VERSION = re.compile(r"\d{1,5}(?:\.\d{1,5}){2,4}(?![\d]|\.\d)")
_HARDWARE = re.compile(r"[\dA-Fa-f]{2}(?P<mark>[:-])(?:[\dA-Fa-f]{2}(?P=mark)){4}[\dA-Fa-f]{2}(?![\w:-])")
_PORT = re.compile(r":(\d{2,5})(?!\d)")
_PAIR_FLIGHT = re.compile(r"(?P<airline>[A-Z]{2}|[A-Z]\d|\d[A-Z]) ?(?P<number>\d{1,4})\b")


def phone(place: Place) -> Found | None:
    """Telephone numbers, digit by digit, in their groups."""
    text, pos = place.text, place.pos
    if place.left().isalnum() or place.left() in tuple("-.$€£/"):
        return None
    if found := _VANITY.match(text, pos):
        lead = "one, " if found["lead"] else ""
        area = in_pairs(found["area"]) if found["area"] == "800" else spell_digits(found["area"])
        word = found["word"].replace("-", " ").lower()
        return Found(found.end(), f"{lead}{area}, {word}")
    if found := _PHONE.match(text, pos):
        if (
            found["area"] is None
            and found["mark"] == " "
            and not found["plus"]
            and place.before().lower() not in _CODES | _CALLS | {"at", "is"}
        ):
            return None
        groups = [found["one"] or "", found["area"] or found["bare"], found["middle"], found["last"]]
        words = [_group(re.sub(r"\D", "", group)) for group in groups if group]
        if found["plus"]:
            words.insert(0, "plus " + spell_digits(re.sub(r"\D", "", found["plus"])))
        if found["ext"]:
            words.append(f"extension {spell_digits(found['ext'])}")
        return Found(found.end(), ", ".join(words))
    if found := _ABROAD.match(text, pos):
        groups = re.findall(r"\d+", found["rest"])
        if sum(map(len, groups)) >= 7:
            return Found(found.end(), "plus " + ", ".join(map(spell_digits, groups)))
    for pattern in (_ZERO_LED, _LOCAL):
        if found := pattern.match(text, pos):
            return Found(found.end(), ", ".join(map(spell_digits, re.findall(r"\d+", found.group()))))
    if place.before().lower() in _CALLS and (found := _SHORT.match(text, pos)):
        return Found(found.end(), spell_digits(found.group()))
    if (found := _EMERGENCY.match(text, pos)) and _is_emergency(place, found.end()):
        return Found(found.end(), spell_digits(found.group()))
    return None


def dashed(place: Place) -> Found | None:
    """Groups of digits with hyphens between them: `078-05-1120`, an ISBN."""
    found = _DASHED.match(place.text, place.pos)
    if found is None or place.left().isalnum():
        return None
    tail = " X" if found.group()[-1] in "Xx" else ""
    groups = re.findall(r"\d+", found.group())
    short = all(len(group) < 3 and group[0] != "0" for group in groups)
    words = " ".join(map(cardinal, groups)) if short else ", ".join(map(spell_digits, groups))
    return Found(found.end(), words + tail)


def code(place: Place) -> Found | None:
    """Digits behind a word such as "code" or "PIN", and long ones: one by one; rooms and flights in pairs."""
    text, pos = place.text, place.pos
    if place.left().isalnum() or place.left() in tuple(".,$€£"):
        return None
    found = _DIGITS.match(text, pos)
    if found is None:
        return None
    digits = found.group()
    following = text[found.end() : found.end() + 2]
    if following[:1] in ("/", ":", "°") or (following[:1] in "-–—" and following[1:].isdecimal()):
        pieces = _PIECES.match(text, pos)
        if pieces is None or _cue(place) not in _CODES:
            return None
    cue = _cue(place)
    if cue in _CODES and (len(digits) > 2 or digits[0] == "0"):
        pieces = _PIECES.match(text, pos)
        groups = re.findall(r"\d+", pieces.group() if pieces else digits)
        return Found((pieces or found).end(), ", ".join(map(spell_digits, groups)))
    if cue in _PLACES and len(digits) > 2:
        return Found(found.end(), in_pairs(digits))
    return None


def hardware(place: Place) -> Found | None:
    """`00:1A:2B:3C:4D:5E`, the address of a network's card."""
    found = _HARDWARE.match(place.text, place.pos)
    if found is None or place.left().isalnum():
        return None
    parts = re.split("[:-]", found.group())
    words = (" ".join(cardinal(each) if each.isdecimal() else spell(each) for each in part) for part in parts)
    return Found(found.end(), ", ".join(words))


def aircraft(place: Place) -> Found | None:
    """`Boeing 737-800`."""
    found = _AIRCRAFT.match(place.text, place.pos)
    if found is None or place.before().lower() not in ("boeing", "airbus"):
        return None
    return Found(found.end(), f"{in_pairs(found[1])} {in_pairs(found[2])}")


def lettered(place: Place) -> Found | None:
    """`Runway 27L`, `seat 14A`: a number and a letter, behind what such are names of."""
    found = _LETTERED.match(place.text, place.pos)
    if found is None or place.before().lower() not in _PLACES:
        return None
    return Found(found.end(), f"{in_pairs(found[1])} {spell(found[2])}")


def long_number(place: Place) -> Found | None:
    """Digits that are no amount by their looks: with zeros in front, or seven and more without commas; a ZIP code."""
    if place.left().isalnum() or place.left() in tuple(".,$€£"):
        return None
    found = _DIGITS.match(place.text, place.pos)
    if found is None or place.adjoins(found.end()) in tuple("/:"):
        return None
    digits = found.group()
    if place.adjoins(found.end()) in tuple("-–—") and place.adjoins(found.end() + 1).isdecimal():
        return None
    if digits[0] == "0" and len(digits) > 1:
        return Found(found.end(), spell_digits(digits))
    if len(digits) >= 7 and not digits.endswith("000"):
        return Found(found.end(), spell_digits(digits))
    if len(digits) == 5 and _is_zip(place):
        return Found(found.end(), spell_digits(digits))
    return None


def house(place: Place) -> Found | None:
    """The number of a house before the name of a street: `221B Baker St.`"""
    if place.left().isalnum():
        return None
    found = _STREET.match(place.text, place.pos)
    if found is None:
        return None
    letter = f" {spell(found['letter'])}" if found["letter"] else ""
    return Found(found.end(), in_pairs(found["number"]) + letter)


def version(place: Place) -> Found | None:
    """`3.11.4` as "three point eleven point four"."""
    found = _VERSION.match(place.text, place.pos)
    if found is None:
        return None
    parts = found.group().split(".")
    address = len(parts) == 4 and all(int(part) < 256 for part in parts)
    words = [in_pairs(part) if address else cardinal(part) for part in parts]
    port = _PORT.match(place.text, found.end()) if address else None
    if port is not None:
        return Found(port.end(), f"{' dot '.join(words)} colon {spell_digits(port[1])}")
    return Found(found.end(), (" dot " if address else " point ").join(words))


def flight(place: Place) -> Found | None:
    """`BA 283` behind the word "flight"."""
    if place.before().lower() not in ("flight", "flights"):
        return None
    found = _PAIR_FLIGHT.match(place.text, place.pos)
    if found is None:
        return None
    return Found(found.end(), f"{spell(found['airline'])} {in_pairs(found['number'])}")


def _is_emergency(place: Place, end: int) -> bool:
    """Whether a short number is one that is called in need, by what stands around it."""
    text, pos = place.text, place.pos
    if place.after(end).lower() in _ANSWERED:
        return True
    if _COUNTED.match(text, end):
        return False
    alone = not text[:pos].strip(" \"“(") and not text[end : end + 4].strip(" .!?\"”)") if pos < 4 else False
    return (alone and text.startswith("911", pos)) or _IN_NEED.search(text, max(0, pos - 60), pos) is not None


def _group(digits: str) -> str:
    return "eight hundred" if digits == "800" else spell_digits(digits)


def _cue(place: Place) -> str:
    """The noun before a number that says what it is, across "is" and "number"."""
    if place.before().lower() in ("in", "with") and place.before(count=2).lower() in _ENDINGS:
        return "code"
    for count in (1, 2, 3):
        word = place.before(count=count).lower()
        if word in _CODES or word in _PLACES:
            return word
        if word not in _BETWEEN:
            break
    return ""


def _is_zip(place: Place) -> bool:
    """Whether five digits follow the two letters of a state: `MA 02139`."""
    word = place.before().replace(".", "")
    return len(word) == 2 and word.isupper() and place.left() == " "
