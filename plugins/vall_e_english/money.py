"""Money: `$19.99`, `$1.2bn`, `€45.50`, `USD 5,000`, `50¢`, `$5/month`."""

from __future__ import annotations

import re
from typing import NamedTuple

from .numbers import cardinal, spell_digits
from .place import Found, Place
from .quantities import is_adjective
from .units import per_word
from .values import LITERAL, SCALES


class Currency(NamedTuple):
    """A currency's names: one, several, and those of its hundredth part (empty where there is none)."""

    one: str
    many: str
    cent: str
    cents: str


def _dollar(country: str = "") -> Currency:
    return Currency(f"{country} dollar".strip(), f"{country} dollars".strip(), "cent", "cents")


_EURO = Currency("euro", "euros", "cent", "cents")
_POUND = Currency("pound", "pounds", "penny", "pence")
_RUPEE = Currency("rupee", "rupees", "paisa", "paise")
_FRANC = Currency("Swiss franc", "Swiss francs", "centime", "centimes")
_YEN = Currency("yen", "yen", "", "")
_YUAN = Currency("yuan", "yuan", "fen", "fen")
_SIGNS = {
    "$": _dollar(), "US$": _dollar("U-S"), "US $": _dollar("U-S"),
    "A$": _dollar("Australian"), "AU$": _dollar("Australian"),
    "C$": _dollar("Canadian"), "CA$": _dollar("Canadian"), "NZ$": _dollar("New Zealand"),
    "HK$": _dollar("Hong Kong"), "S$": _dollar("Singapore"), "R$": Currency("real", "reais", "centavo", "centavos"),
    "€": _EURO, "£": _POUND, "¥": _YEN, "CN¥": _YUAN, "₹": _RUPEE, "Rs.": _RUPEE, "Rs": _RUPEE,
    "₩": Currency("won", "won", "", ""), "₽": Currency("ruble", "rubles", "kopeck", "kopecks"),
    "₺": Currency("lira", "lira", "kurus", "kurus"), "₿": Currency("bitcoin", "bitcoins", "", ""),
    "₪": Currency("shekel", "shekels", "agora", "agorot"), "฿": Currency("baht", "baht", "satang", "satang"),
    "₫": Currency("dong", "dong", "", ""), "₴": Currency("hryvnia", "hryvnias", "kopiyka", "kopiykas"),
    "₱": Currency("peso", "pesos", "centavo", "centavos"), "₦": Currency("naira", "naira", "kobo", "kobo"),
}  # fmt: skip
_CODES = {
    "USD": _dollar("U-S"), "EUR": _EURO, "GBP": _POUND, "CHF": _FRANC, "JPY": _YEN, "INR": _RUPEE, "CNY": _YUAN,
    "RMB": _YUAN, "AUD": _dollar("Australian"), "CAD": _dollar("Canadian"), "NZD": _dollar("New Zealand"),
    "SEK": Currency("Swedish krona", "Swedish kronor", "öre", "öre"),
    "NOK": Currency("Norwegian krone", "Norwegian kroner", "øre", "øre"),
    "DKK": Currency("Danish krone", "Danish kroner", "øre", "øre"),
    "PLN": Currency("zloty", "zlotys", "grosz", "groszy"), "MXN": Currency("Mexican peso", "Mexican pesos", "", ""),
    "BRL": _SIGNS["R$"], "KRW": _SIGNS["₩"], "RUB": _SIGNS["₽"], "TRY": _SIGNS["₺"], "BTC": _SIGNS["₿"],
    "SGD": _dollar("Singapore"), "HKD": _dollar("Hong Kong"), "ZAR": Currency("rand", "rand", "cent", "cents"),
}  # fmt: skip
_NAMES = {**_SIGNS, **_CODES}


def _any(names: dict[str, Currency]) -> str:
    return "|".join(sorted(map(re.escape, names), key=len, reverse=True))


_SCALE = (
    r"(?:(?P<scale>k|K|mn|mm|MM|mil|M|m|bn|Bn|bil|B|b|tn|trn|T|t)(?![^\W_])"
    r"|[ \-](?P<word>(?:hundred |thousand )?(?:thousand|million|billion|trillion)|[mb]n|[MBK])(?![^\W_]))"
)
_CONTINENTAL = r"\d{1,3}(?:\.\d{3}){1,4},\d\d(?!\d)|\d{1,9},\d\d(?![\d]|[.,]\d)"
_BEFORE = re.compile(
    rf"(?P<minus>[-−–] ?)?(?P<sign>{_any(_SIGNS)}|(?:{_any(_CODES)})(?= ?\d))(?P<inner>[-−–])? ?"
    rf"(?P<amount>{_CONTINENTAL}|{LITERAL})(?:[.,][-–—](?![-–—\d])|{_SCALE}?)"
)
_RANGE = re.compile(rf" ?[-–—] ?(?P<sign>{_any(_SIGNS)})?(?P<amount>{LITERAL}){_SCALE}?(?![\d%/\-–])")
_BEHIND = re.compile(
    rf"(?P<amount>{_CONTINENTAL}|{LITERAL}){_SCALE}? ?"
    r"(?P<sign>¢|€|£|¥|₹|₽|₩|₺|₴|zł|(?:" + _any(_CODES) + r"|US\$)(?![^\W_])|\$(?![\w$]))"
)
_FIRST = re.compile(rf"(?P<amount>{LITERAL}) ?(?P<sign>[€£$])? ?[-–—] ?(?={LITERAL} ?[€£$](?!\w))")
_GOES_ON = re.compile(r" [a-z]")
_LEAVES_OPEN = re.compile(r"\$(?=[A-Za-z\\({])")
"""A formula between signs of dollars."""
_EUROPEAN = re.compile(r"[\d.]+,\d\d")


def money(place: Place) -> Found | None:
    """An amount behind its currency's sign or code."""
    found = _BEFORE.match(place.text, place.pos)
    if found is None or (found["minus"] and place.left().isalnum()):
        return None
    if found["sign"][0].isalpha() and place.left().isalnum():
        return None
    currency = _NAMES[found["sign"]]
    end = found.end()
    scale = _scale(found)
    other = _RANGE.match(place.text, end)
    if other is not None:
        last_scale = _scale(other)
        first = _amount(found["amount"], place.british)
        if scale and scale != last_scale:
            first = f"{first} {scale}"
        if other["sign"] and not scale and "." in found["amount"] and not last_scale:
            first = _sum(found["amount"], "", currency, place.british)
        second = _sum(other["amount"], last_scale, currency, place.british)
        return _per(place, Found(other.end(), f"{first} to {second}"))
    minus = "minus " if found["minus"] or found["inner"] else ""
    adjective = is_adjective(place, end)
    return _per(place, Found(end, minus + _sum(found["amount"], scale, currency, place.british, adjective=adjective)))


def money_behind(place: Place) -> Found | None:
    """An amount before its currency's sign or code."""
    first = _FIRST.match(place.text, place.pos)
    found = _BEHIND.match(place.text, place.pos if first is None else first.end())
    if found is None:
        return None
    if found["sign"] == "$" and _LEAVES_OPEN.search(place.text, max(0, place.pos - 80), place.pos):
        return None
    if first is not None:
        words = f"{_amount(first['amount'], place.british)} to {_amount(found['amount'], place.british)}"
        return Found(found.end(), f"{words} {_SIGNS[found['sign']].many}") if found["sign"] in _SIGNS else None
    if found["sign"] == "¢":
        one = found["amount"].replace(",", "") == "1"
        one = one or is_adjective(place, found.end())
        return _per(
            place, Found(found.end(), f"{_amount(found['amount'], place.british)} {'cent' if one else 'cents'}")
        )
    currency = _SIGNS.get(found["sign"]) or _CODES.get(found["sign"]) or _CODES["PLN"]
    return _per(place, Found(found.end(), _sum(found["amount"], _scale(found), currency, place.british)))


def _scale(found: re.Match[str]) -> str:
    name = found["scale"] or found["word"] or ""
    return SCALES.get(name, name)


def _plain(amount: str) -> str:
    return amount.replace(".", "").replace(",", ".") if _EUROPEAN.fullmatch(amount) else amount.replace(",", "")


def _amount(amount: str, british: bool) -> str:
    whole, point, rest = _plain(amount).partition(".")
    words = cardinal(whole or "0", british)
    return f"{words} point {spell_digits(rest)}" if point and rest.strip("0") else words


def _sum(amount: str, scale: str, currency: Currency, british: bool, *, adjective: bool = False) -> str:
    """An amount in words with its currency: with cents where it has two decimals and no scale."""
    plain = _plain(amount)
    whole, _, rest = plain.partition(".")
    name = currency.one if adjective else currency.many
    if scale:
        return f"{_amount(amount, british)} {scale} {name}"
    if len(rest) != 2 or not currency.cent:
        return f"{_amount(amount, british)} {currency.one if plain == '1' else name}"
    cents = "" if rest == "00" else f"{cardinal(rest)} {currency.cent if rest == '01' else currency.cents}"
    if not (whole or "0").strip("0"):
        return cents or f"zero {currency.many}"
    units = f"{cardinal(whole, british)} {currency.one if whole == '1' else name}"
    return f"{units} and {cents}" if cents else units


def _per(place: Place, found: Found) -> Found:
    """The same, with what it is paid for: `/month`."""
    per = per_word(place.text, found.end)
    spoken = found.spoken if per is None else f"{found.spoken} {per[1]}"
    end = found.end if per is None else per[0]
    if per is not None and place.adjoins(end) == "." and (
        place.adjoins(end + 1) in tuple(",;)") or _GOES_ON.match(place.text, end + 1)
    ):
        end += 1
    tail = " " if place.adjoins(end).isalnum() else ""
    head = " " if place.left().isalnum() or place.left() == ":" else ""
    return Found(end, f"{head}{spoken}{tail}")
