"""Units of measure behind a number: `5 km`, `9.8 m/s²`, `12-oz. can`."""

from __future__ import annotations

import re
from typing import NamedTuple

from .words import listed

_TABLE = """
km kilometer | m meter | cm centimeter | mm millimeter | µm micrometer | um micrometer | nm nanometer | dm decimeter
mi mile | yd yard | yds yard | ft foot/feet | in inch/inches | ins inch/inches | nmi nautical%mile
kg kilogram | g gram | mg milligram | µg microgram | mcg microgram | t ton | lb pound | lbs pound | oz ounce
st stone/stone | L liter | l liter | ml milliliter | mL milliliter | cl centiliter | dl deciliter | dL deciliter 
µl microliter | µL microliter
gal gallon | gals gallon | qt quart | qts quart | pt pint | pts point | tsp teaspoon | tsps teaspoon | tbsp tablespoon
tbs tablespoon | Tbsp tablespoon | tbsps tablespoon | pkg package | c cup | T tablespoon | doz dozen/dozen | pcs piece
ms millisecond | µs microsecond | ns nanosecond | s second | sec second | secs second | min minute
mins minute | h hour | hr hour | hrs hour | wk week | wks week | mo month | mos month | yr year | yrs year
Hz hertz/hertz | kHz kilohertz/kilohertz | MHz megahertz/megahertz | GHz gigahertz/gigahertz | THz terahertz/terahertz
W watt | kW kilowatt | MW megawatt | GW gigawatt | TW terawatt | mW milliwatt | Wh watt%hour | kWh kilowatt%hour
MWh megawatt%hour | GWh gigawatt%hour | TWh terawatt%hour | mAh milliamp%hour | Ah amp%hour
V volt | kV kilovolt | mV millivolt | A amp | mA milliamp | Ω ohm | kΩ kilohm | ohm ohm | N newton | J joule
kJ kilojoule | MJ megajoule | cal calorie | kcal kilocalorie | eV electron%volt
Pa pascal | hPa hectopascal | kPa kilopascal | MPa megapascal | bar bar | mbar millibar
psi P-S-I/P-S-I | atm atmosphere
mmHg millimeter%of%mercury/millimeters%of%mercury | dB decibel | dBA decibel | lm lumen | lx lux/lux | mol mole
KB kilobyte | kB kilobyte | MB megabyte | GB gigabyte | TB terabyte | PB petabyte | KiB kibibyte | MiB mebibyte
GiB gibibyte | TiB tebibyte | Kb kilobit | Mb megabit | Gb gigabit | MP megapixel | px pixel
bps basis%point/basis%points | mmol millimole | µmol micromole | nmol nanomole
kbps kilobit%per%second/kilobits%per%second
Kbps kilobit%per%second/kilobits%per%second
Mbps megabit%per%second/megabits%per%second | Gbps gigabit%per%second/gigabits%per%second
fps frame%per%second/frames%per%second | rpm R-P-M/R-P-M | RPM R-P-M/R-P-M | bpm beat%per%minute/beats%per%minute
BPM beat%per%minute/beats%per%minute | dpi dot%per%inch/dots%per%inch | ppi pixel%per%inch/pixels%per%inch
ppm part%per%million/parts%per%million | ppb part%per%billion/parts%per%billion
mph mile%per%hour/miles%per%hour | MPH mile%per%hour/miles%per%hour | kmh kilometer%per%hour/kilometers%per%hour
kph kilometer%per%hour/kilometers%per%hour | kmph kilometer%per%hour/kilometers%per%hour
mpg mile%per%gallon/miles%per%gallon | MPG mile%per%gallon/miles%per%gallon
ha hectare | sqft square%foot/square%feet | hp horsepower/horsepower | HP horsepower/horsepower | ct carat
lbf pound-force | Å angstrom | kt knot | kts knot | au astronomical%unit | ly light%year | kcals kilocalorie
"""
_POWERS = {"²": "square", "³": "cubic", "^2": "square", "^3": "cubic", "2": "square", "3": "cubic"}
_LENGTHS = listed("km m cm mm µm dm nm mi yd ft in")
_RATE_WORDS = listed(
    "day week month year hour minute second person night head mile gallon pound ounce liter game page word unit item "
    "hr min sec yr mo wk mile kilometer cup serving user seat piece call share barrel ton foot square"
)
_SOUNDS_ALONE = listed("c T in m s t h l L g A N J W V min mo st bar mol ct sec pts pt MP cal au ins")
"""Units that are also words or letters: behind a blank they need a clear right side."""
_IN_A_ROW = re.compile(r"(?:(?:ft|feet|foot)\.?|['’]|in\.? (?:by|[x×])) \d{1,4} in$")
"""Inches behind feet or other inches."""
_AMP_FOLLOWERS = listed("max fuse charger current circuit breaker output supply draw")
_INCH_FOLLOWERS = listed("of tall wide long deep thick high in by across square screen display")


class Unit(NamedTuple):
    """Where a unit ends, and its names for one and for more."""

    end: int
    one: str
    many: str


def _names(spec: str) -> tuple[str, str]:
    one, _, many = spec.replace("%", " ").partition("/")
    return one, many or f"{one}s"


_UNITS = {
    sign: _names(spec)
    for sign, spec in (entry.split() for line in _TABLE.strip().splitlines() for entry in line.split(" | "))
}
_UNITS.update({sign.replace("µ", "μ"): names for sign, names in _UNITS.items() if "µ" in sign})
_UNITS.update(dict.fromkeys(("fl oz", "fl. oz", "fl.oz"), ("fluid ounce", "fluid ounces")))
_SIGN = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_UNIT = re.compile(
    rf"(?P<gap>[ \-]?)(?P<shape>sq|cu|square|cubic)?(?(shape)\.? ?)(?P<unit>{_SIGN})"
    r"(?P<power>²|³|\^[23](?!\d)|[23](?![\d.,]))?(?![^\W_])(?P<dot>\.(?!\w))?"
)
_PER = re.compile(
    rf"\.? ?/ ?(?P<shape>sq\.? |cu\.? )?(?P<unit>{_SIGN}|[a-z]{{2,10}})"
    r"(?P<power>²|³|\^[23](?!\d)|[23](?!\d))?(?![^\W_])"
)
_IN_WORDS = re.compile(
    r"[ \-](inch|foot|feet|mile|meter|metre|pound|hour|minute|second|day|week|month|year|gallon|liter|mile|kilo"
    r"|dollar|percent|degree|point|page|step|yard|acre|ounce|inche)s?\b"
)


def read_unit(text: str, pos: int) -> Unit | None:
    """The unit that stands right behind a number, or behind it and a blank or a hyphen; None without one."""
    found = _UNIT.match(text, pos)
    if found is None:
        return None
    sign, gap, power, end = found["unit"], found["gap"], found["power"], found.end()
    if power and (power in "23" and sign not in _LENGTHS):
        return None
    if found["dot"]:  # kept where it ends the sentence, which the caller sees to
        end -= 1
    if text[end : end + 1] == "." and text[end + 1 : end + 2].isalpha():
        return None
    per = _PER.match(text, end)
    per_name = _per(per) if per is not None else None
    clear = bool(power or per_name or found["shape"])
    if not clear and not _means_unit(text, sign, gap, end, bool(found["dot"])):
        return None
    one, many = ("point", "points") if sign == "pt" and gap == "-" else _UNITS[sign]
    shape = {"sq": "square", "cu": "cubic", "square": "square", "cubic": "cubic"}.get(found["shape"] or "", "")
    shape = _POWERS[power] if power else shape
    if shape:
        one, many = f"{shape} {one}", f"{shape} {many}"
    if per is not None and per_name is not None:
        one, many, end = f"{one} {per_name}", f"{many} {per_name}", per.end()
    return Unit(end, one, many)


def per_word(text: str, pos: int) -> tuple[int, str] | None:
    """What an amount is counted by, behind a slash: `/month` as "per month", with its end."""
    found = _PER.match(text, pos)
    name = _per(found) if found is not None else None
    return (found.end(), name) if found is not None and name is not None else None


def counts_in_words(text: str, pos: int) -> bool:
    """Whether a unit that is written out follows, as in `60 feet`."""
    return _IN_WORDS.match(text, pos) is not None


def _per(found: re.Match[str]) -> str | None:
    sign = found["unit"]
    if sign in _UNITS:
        name = _UNITS[sign][0]
    elif sign in _RATE_WORDS:
        name = sign
    else:
        return None
    power = found["power"]
    shape = {"s": "square ", "c": "cubic "}.get((found["shape"] or "")[:1], "")
    if not power:
        return f"per {shape}{name}"
    if sign in _LENGTHS:
        return f"per {_POWERS[power]} {name}"
    return f"per {name} squared" if power in ("²", "^2") or (sign, power) == ("s", "2") else None


def _means_unit(text: str, sign: str, gap: str, end: int, dotted: bool) -> bool:
    """Whether letters that may be something else are a unit here."""
    if sign not in _SOUNDS_ALONE:
        return True
    following = text[end : end + 24]
    word = re.match(r"\.?[ \-]?([a-z]{1,12})", following)
    if sign in ("c", "T"):  # cups and tablespoons of recipes
        return dotted and gap == " "
    if sign in ("in", "ins") and _IN_A_ROW.search(text[max(0, end - 24) : end]):
        return True
    if sign in ("in", "ins"):
        if dotted and gap != "" and following[:2] == ". ":
            return following[2:3].islower() or following[2:3] in "x×"
        return (
            gap == ""
            or bool(re.match(r"\.? ?(?:[x×,;)]|$)", following))
            or bool(word and word.group(1) in _INCH_FOLLOWERS)
        )
    if gap == "-":
        return sign in ("W", "V", "g", "m", "min", "sec", "L", "A", "pt", "mo")
    if following[:1] in ("-", "'", "’", "&"):
        return False
    if sign == "A" and gap == "":
        return bool(word and word.group(1) in _AMP_FOLLOWERS)
    if sign in ("t", "A", "st", "N", "J", "ct", "au", "bar"):
        return (gap == " " and sign != "st") or (sign == "ct" and gap == "")
    return True
