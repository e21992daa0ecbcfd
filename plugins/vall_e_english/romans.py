"""Roman numerals behind nouns (`Chapter IV`), names of rulers (`Henry VIII`) and other names (`Rocky III`)."""

from __future__ import annotations

import re

from .numbers import cardinal, ordinal, roman, year
from .place import Found, Place
from .words import listed

_ROMAN = re.compile(r"([IVXLCDM]{1,12}|[ivxlc]{1,9})(?![^\W_]|[-.][^\W_])(?P<possessive>['’]s)?")
_RULERS = listed("""
    henry louis charles elizabeth james edward richard george william mary john paul philip philippe ferdinand
    frederick francis alexander catherine nicholas peter ivan leopold albert victor emmanuel napoleon pius benedict
    gregory innocent clement urban leo boniface sixtus julius alfonso carlos juan felipe pedro isabella christian
    gustav gustavus haakon harald olav oscar wilhelm otto rudolf maximilian joseph ramesses ramses thutmose
    amenhotep ptolemy darius xerxes artaxerxes cyrus justinian theodosius constantine constantius valentinian mehmed
    murad selim suleiman bayezid mahmud abdulhamid malcolm robert david donald kenneth stephen harold baldwin
    godfrey amalric umberto margrethe beatrix wilhelmina norodom rama mohammed muhammad hassan hussein abdullah
    faisal fuad farouk elisabeth anne matilda ludwig karl johan erik eric sigismund casimir stanislaus vladislaus
    afonso manuel sancho ramiro garcia callixtus celestine honorius hadrian adrian alexios nikephoros basil michael
    andronikos romanos theodore menelik haile
    """)
_NOUNS = listed("""
    chapter part act scene volume book war bowl phase type section article title level stage class grade episode
    season figure table appendix mark apollo unit vol ch pt no number canto psalm verse line page pages schedule
    division corps group tier category form saturn gemini wrestlemania game round series step lesson item paragraph
    exhibit amendment century edition lecture movement symphony sonata concerto opus chapters parts sections volumes
    fig pp p clause proposition theorem lemma case factor collagen calculus algebra physics chemistry biology
    english history
    """)
_SMALL_NOUNS = listed(
    "vol vols bk ch sec pt page pages p pp chapter scene section part act item step volume book appendix paragraph "
    "verse canto no"
)
_TITLED = listed("king queen pope emperor empress tsar czar kaiser sultan shah prince pharaoh saint")
_VERBS = listed("""
    am know think thought have had will would could can can't cannot may might must should don't didn't do did was
    were love like want need met saw said told see mean remember believe hope guess never always used knew got get
    made feel felt heard read wrote say tell gave give took take found find work live lived wonder suppose wish
    forget play played went go left also really just still even only myself own call called mentioned
    """)
_UNMISTAKABLE = listed("II III VII VIII XII XIII XIV XVI XVII XVIII")
"""Nothing but numbers, whatever stands before them."""
_AMBIGUOUS = listed(
    "mix dim mid mild vivid civil livid mi di li xi cd dc mc md cv mm ml cm dm il ill mil cc ci id dl lil vi xl xx xxl "
    "xxx dv ic lc mv vl vd"
)


def numeral(place: Place) -> Found | None:
    """A Roman numeral as a number, where the word before it makes it one."""
    found = _ROMAN.match(place.text, place.pos)
    if found is None or place.left() not in ("", " ", "-", "–") or place.adjoins(found.end()) in ("'", "’"):
        return None
    letters = found[1]
    value = roman(letters)
    if not value:
        return None
    before = place.before()
    lower = before.lower()
    capital = before[:1].isupper()
    tail = "'s" if found["possessive"] else ""
    following = place.after(found.end()) if place.adjoins(found.end()) == " " else ""
    if letters.islower():
        if lower in _SMALL_NOUNS and (letters not in ("i", "c", "l") or (letters == "i" and not following)):
            return Found(found.end(), cardinal(str(value)) + tail)
        return None
    if following.lower() in ("century", "centuries") and letters not in ("I",):
        return Found(found.end(), ordinal(str(value)))
    if (
        letters == "I"
        and following.lower() in _VERBS | {"i"}
        and not (following.lower() in ("was", "had", "did") and place.before(count=2).lower() in _TITLED)
    ):
        return None
    if lower in _RULERS and capital and value < 40 and letters not in ("C", "D", "M", "L"):
        if letters == "X" and place.before() == "Malcolm":
            return None
        return Found(found.end(), f"the {ordinal(str(value))}{tail}")
    if (
        lower in _NOUNS
        and (capital or letters not in ("I", "C", "D", "M", "L"))
        and letters not in ("C", "D", "M", "L")
    ):
        return Found(found.end(), cardinal(str(value)) + tail)
    if place.left() == "-":
        return None
    if len(letters) > 3 and 1400 < value < 2100:
        return Found(found.end(), year(str(value)) + tail)
    if letters in _UNMISTAKABLE:
        return Found(found.end(), cardinal(str(value)) + tail)
    if (
        capital
        and len(letters) > 1
        and letters.lower() not in _AMBIGUOUS
        and value < 90
        and before.isalpha()
        and not before.isupper()
    ):
        return Found(found.end(), cardinal(str(value)) + tail)
    if (
        letters.lower() in ("vi", "xi", "xx", "xxx")
        and capital
        and before.isalpha()
        and not before.isupper()
        and len(before) > 3
    ):
        return Found(found.end(), cardinal(str(value)) + tail)
    return None
