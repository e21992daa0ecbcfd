"""Words in capitals, and tokens of letters and digits: `FBI`, `STOP`, `COVID-19`, `H2O`, `Q3`, `DVDs`."""

from __future__ import annotations

import re

from .letters import is_acronym, is_initials, is_word, pronounceable, spell
from .numbers import cardinal, in_pairs, pair, spell_digits, year
from .place import Found, Place
from .plain import say_mixed
from .powers import exponent
from .words import listed

_CAPS = re.compile(r"[A-Z][A-Z]{1,30}(?:['’](?:[A-Z]{1,2}|[a-z]{1,2}))?(?!\w)|([A-Z]{2,5})s(?![^\W_])")
_I = re.compile(r"I['’](?:M|LL|VE|D)(?!\w)")
_JOINED = re.compile(r"([A-Z]{1,3})&([A-Z]{1,3})(?![^\W_])")
_NUMBERED = re.compile(
    r"(?P<word>[A-Z][A-Za-z]{0,11})(?P<mark>[-‑]?)(?P<number>\d{1,6})(?P<tail>[A-Z]{1,3}|[a-z](?![a-z]))?(?![^\W_]|-[A-Za-z]{0,6}\d)(?P<dot>\.\d{1,4}(?![\d.]))?"
)
_MIXED = re.compile(r"(?=[A-Za-z]{0,14}\d)[A-Za-z\d]{2,24}(?:-[A-Za-z\d]{1,12}){0,4}(?![^\W_])")
_SUBSCRIPT = re.compile(r"(?=[A-Za-z]{1,8}[₀-₎ᵢᵣᵤᵥⱼₐ-ₜ])[A-Za-z₀-₎ᵢᵣᵤᵥⱼₐ-ₜ()]{2,20}")
_COMPOUND = re.compile(r"(?:[A-Z][a-z]?\d{0,2}){2,8}(?![^\W_])")
_ELEMENTS = listed(
    "H He Li B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Ti Cr Mn Fe Ni Cu Zn Br Ag Sn I Ba Pt Au Hg Pb"
)
_INDEX = re.compile(r"[₊₋₌ᵢᵣᵤᵥⱼₐ-ₜ]")
_INDICES = re.compile(r"[₀-₎ᵢᵣᵤᵥⱼₐ-ₜ]{1,8}")
_LOW = str.maketrans("₀₁₂₃₄₅₆₇₈₉₍₎ᵢᵣᵤᵥⱼₐₑₒₓₕₖₗₘₙₚₛₜ", "0123456789()iruvjaeoxhklmnpst")
_HIGH = str.maketrans("¹²³⁴", "1234")
_LOW_SIGNS = {"₊": "plus", "₋": "minus", "₌": "equals"}
_FORMULA = re.compile(r"[A-Z][a-z]?|\d+|[a-z]+|[()]")
_INDEXED = re.compile(r"[A-Za-z]|\d+|[₊₋₌]")
_ION = re.compile(r"([¹²³⁴]?)([⁺⁻])(?![⁰¹²³⁴-⁹])|\^([1-4]?)([-+−])(?=[\s.,;:)\]]|$)")
_PLAIN_ION = re.compile(r"((?:[A-Z][a-z]?\d{0,2}){1,6})\^([1-4]?)([-+−])(?=[\s.,;:)\]]|$)")
_LETTER = re.compile(r"(?:[A-Za-z]|mc)(?=[²³⁰¹⁴-⁹⁻^ⁿⁱ])")
_FISCAL = re.compile(r"(FY|CY|SY|Q(?=[1-4])|H(?=[12]))(\d?)['’](\d\d)(?!\d)")
_FISCAL_YEARS = re.compile(r"(FY|CY|SY)(?P<first>(?:20)?\d\d)[-–/](?P<last>\d\d)(?!\d)")
_PREFIXED = re.compile(r"(?:[a-z][A-Z]{2,4}|pH)(?![^\W_])")
_SNAKE = re.compile(r"[A-Za-z\d]{1,30}(?:_{1,2}[A-Za-z\d]{1,30}){1,12}")
_DOTTED = re.compile(r"([A-Z]{1,3})\.(\d{1,4})(?![\w]|\.\d)")
_GRADE = re.compile(r"([A-F])[-−](?=[\s.,;!?)]|$)")
_PAIR = {
    "B2B": "B to B",
    "B2C": "B to C",
    "C2C": "C to C",
    "P2P": "P to P",
    "D2C": "D to C",
    "G2G": "G to G",
    "I18N": "I eighteen N",
}
_SPECIAL = {
    "ID": "I-D", "IDS": "I-D's", "WIFI": "wifi", "SQL": "S-Q-L", "MYSQL": "my S-Q-L", "JPG": "jay peg",
    "HTTPS": "H-T-T-P-S",
    "CTRL": "control", "ALT": "alt", "ESC": "escape", "DEL": "delete", "VS": "versus", "COVID": "covid",
    "WWII": "World War two", "WWI": "World War one",
}  # fmt: skip
_BRANDS = {
    "LaTeX": "la tech",
    "TL;DR": "T-L-D-R",
    "PhDs": "P-H-D's",
    "iOS": "I-O-S",
    "macOS": "mac O-S",
    "IDs": "I-D's",
    "Ctrl": "control",
    "LLCs": "L-L-C's",
    "TVs": "T-V's",
}
_BRAND = re.compile("(?:" + "|".join(_BRANDS) + r")(?![^\W_])")


def capitals(place: Place, shouted: bool) -> Found | None:
    """A word in capitals: letter by letter, or as a word in small letters.

    Args:
        place: Where the word begins.
        shouted: Whether the words around it are in capitals as well.

    Returns:
        The reading; None where there are no capitals, or an acronym that is a word.
    """
    if (found := _I.match(place.text, place.pos)) and not place.left().isalnum():
        return Found(found.end(), found.group().capitalize())
    found = _CAPS.match(place.text, place.pos)
    if found is None or place.left().isalnum() or place.left() == "_":
        return None
    word = found.group()
    if found[1]:
        if is_word(found[1]) and found[1] not in ("US", "IT", "ID"):
            return None
        return Found(found.end(), f"{spell(found[1])}'s") if is_initials(found[1], False) else None
    stem, apostrophe, tail = word.replace("’", "'").partition("'")
    if place.adjoins(found.end()) == "." and place.adjoins(found.end() + 1).isalpha():
        return None
    if stem == "US" and place.before().lower() == "the":
        return Found(found.end(), f"U-S{apostrophe}{tail.lower()}")
    if stem in _SPECIAL and not (shouted and is_word(stem)):
        return Found(found.end(), _SPECIAL[stem] + apostrophe + tail.lower())
    if apostrophe and tail.upper() not in ("S", "D", "LL", "RE", "VE", "T", "M"):
        return None
    if apostrophe and tail.upper() != "S":
        return Found(found.end(), word.lower())
    if is_initials(stem, shouted):
        return Found(found.end(), spell(stem) + ("'s" if apostrophe else ""))
    return None if is_acronym(stem) else Found(found.end(), word.lower())


def tokens(place: Place) -> Found | None:
    """Letters joined with digits, subscripts, underscores or `&`."""
    text, pos = place.text, place.pos
    if (found := _SUBSCRIPT.match(text, pos)) and _INDEX.search(found.group()):
        parts = _INDEXED.findall(found.group().translate(_LOW))
        return Found(found.end(), " ".join(_LOW_SIGNS.get(part) or _index_part(part) for part in parts))
    if found:
        parts = _FORMULA.findall(found.group().translate(_LOW))
        return Found(found.end(), " ".join(_formula_part(part) for part in parts if part not in "()"))
    if place.left().isalnum() or place.left() == "_":
        return None
    if found := _PLAIN_ION.match(text, pos):
        symbols = " ".join(_formula_part(part) for part in _FORMULA.findall(found[1]))
        return Found(found.end(), f"{symbols} {_charge(found[2], found[3])}")
    if (found := _COMPOUND.match(text, pos)) and _is_compound(found.group()):
        return Found(found.end(), " ".join(_formula_part(part) for part in _FORMULA.findall(found.group())))
    if found := _JOINED.match(text, pos):
        return Found(found.end(), f"{spell(found[1])} and {spell(found[2])}")
    if found := _DOTTED.match(text, pos):
        return Found(found.end(), f"{spell(found[1])} {in_pairs(found[2])}")
    if found := _GRADE.match(text, pos):
        return Found(found.end(), f"{spell(found[1])} minus")
    if found := _BRAND.match(text, pos):
        return Found(found.end(), _BRANDS[found.group()])
    if found := _FISCAL.match(text, pos):
        part = f" {cardinal(found[2])}" if found[2] else ""
        return Found(found.end(), f"{spell(found[1])}{part} {pair(found[3])}")
    if found := _FISCAL_YEARS.match(text, pos):
        first = found["first"]
        begin = year(first) if len(first) == 4 else pair(first)
        return Found(found.end(), f"{spell(found[1])} {begin} to {pair(found['last'])}")
    if found := _PREFIXED.match(text, pos):
        return Found(found.end(), spell(found.group()))
    if found := _SNAKE.match(text, pos):
        return Found(found.end(), " ".join(filter(None, (_plain_part(part) for part in found.group().split("_")))))
    if found := _NUMBERED.match(text, pos):
        return _numbered(place, found)
    if found := _MIXED.match(text, pos):
        parts = found.group().split("-")
        words = " ".join(say_mixed(part, singly=len(parts) > 1) for part in parts)
        return Found(found.end(), _PAIR.get(found.group().upper(), words))
    if found := _LETTER.match(text, pos):
        power = exponent(text, found.end())
        if power is not None:
            return Found(
                power[0], f"{_alone(found.group())} {power[1]}" + (" " if place.adjoins(power[0]).isalnum() else "")
            )
    return None


def index(place: Place) -> Found | None:
    """Indices behind a sign: `∑ᵢ`."""
    found = _INDICES.match(place.text, place.pos)
    if found is None:
        return None
    parts = _INDEXED.findall(found.group().translate(_LOW))
    return Found(found.end(), " " + " ".join(_LOW_SIGNS.get(part) or _index_part(part) for part in parts))


def power_behind(place: Place) -> Found | None:
    """An exponent behind a letter or a bracket: `mc^2`."""
    if place.char not in "^²³⁰¹⁴⁵⁶⁷⁸⁹⁻⁺ⁿⁱ":
        return None
    if ion := _ION.match(place.text, place.pos):
        return Found(ion.end(), f" {_charge(ion[1] or ion[3], ion[2] or ion[4])}")
    power = exponent(place.text, place.pos)
    if power is None:
        return None
    return Found(power[0], f" {power[1]}" + (" " if place.adjoins(power[0]).isalnum() else ""))


def _is_compound(token: str) -> bool:
    """Whether letters and digits are symbols of elements: `CaCO3`, `NaOH`."""
    parts = [part for part in _FORMULA.findall(token) if not part.isdecimal()]
    long = [part for part in parts if len(part) == 2]
    return len(parts) > 1 and bool(long) and all(part in _ELEMENTS for part in parts) and token != "NaN"


def _charge(number: str | None, sign: str) -> str:
    """The charge of an ion: "two minus"."""
    many = f"{cardinal(number.translate(_HIGH))} " if number else ""
    return many + ("plus" if sign in "⁺+" else "minus")


def _numbered(place: Place, found: re.Match[str]) -> Found | None:
    word, number = found["word"], found["number"]
    if found.group().upper() in _PAIR:
        return Found(found.end(), _PAIR[found.group().upper()])
    end = found.end()
    if word in ("FY", "CY") and len(number) == 4:
        digits = year(number)
    elif found["dot"]:
        digits = f"{cardinal(number)} point {spell_digits(found['dot'][1:])}"
    elif len(number) == 4 and word.isupper() and len(word) == 2 and not found["mark"]:  # a flight
        digits = in_pairs(number)
    elif len(number) > 4 or number[0] == "0":
        digits = spell_digits(number)
    else:
        digits = in_pairs(number)
    if word.isupper():
        known = not is_initials(word, False) or (len(word) > 3 and pronounceable(word))
        name = word.lower() if known and len(word) > 1 else spell(word)
    elif found["mark"] and len(word) > 1:
        name = word
    elif len(word) <= 2 and not found["mark"]:  # the symbol of an element
        name = (
            " ".join(word.upper()) if word[0].isupper() and len(word) == 2 and word not in ("Mr", "Ch", "No") else word
        )
    else:
        name = word
    if word in ("Na", "Ca", "Fe", "Mg") or (word == "CO" and number == "2"):
        name = spell(word)
    tail = f" {spell(found['tail'])}" if found["tail"] else ""
    return Found(end, f"{name} {digits}{tail}")


def _plain_part(part: str) -> str:
    if any(map(str.isdecimal, part)):
        return say_mixed(part)
    return spell(part) if part.isupper() and is_initials(part, False) else part.lower() if part.isupper() else part


def _formula_part(part: str) -> str:
    if part.isdecimal():
        return cardinal(part)
    return spell(part) if len(part) < 3 else part


def _index_part(part: str) -> str:
    return cardinal(part) if part.isdecimal() else _alone(part)


def _alone(letters: str) -> str:
    """Letters by themselves; a small A would be the article."""
    return "A-" if letters in "aA" else " ".join(letters.upper())
