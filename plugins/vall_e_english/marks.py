"""Signs between words and numbers: `&`, `+`, `<`, `→`, `©`, `*`, dashes, bullets; and emoji."""

from __future__ import annotations

import re
import unicodedata

from .numbers import cardinal
from .place import Found, Place, is_starter, spaced
from .words import listed

_ALWAYS = {
    "©": "copyright", "℠": "service mark", "§": "section", "¶": "paragraph", "→": "to", "⇒": "implies",
    "←": "left arrow", "↑": "up", "↓": "down", "⟶": "to", "➔": "to", "➜": "to", "↔": "to and from",
    "≥": "greater than or equal to",
    "≤": "less than or equal to", "≠": "not equal to", "≈": "approximately", "≡": "is identical to",
    "±": "plus or minus",
    "∓": "minus or plus", "×": "times", "÷": "divided by", "√": "square root of", "∛": "cube root of", "∞": "infinity",
    "∑": "sum of", "∏": "product of", "∫": "integral of", "∂": "partial", "∆": "delta", "∇": "nabla", "∈": "in",
    "∉": "not in", "∪": "union", "∩": "intersection", "⊂": "subset of", "⊆": "subset of", "∀": "for all",
    "∃": "there exists",
    "¬": "not", "∧": "and", "∨": "or", "∝": "proportional to", "∴": "therefore", "∵": "because", "‰": "per mille",
    "=": "equals", "%": "percent", "°": "degrees", "№": "number", "℃": "degrees Celsius", "℉": "degrees Fahrenheit",
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "θ": "theta", "λ": "lambda", "μ": "mu",
    "µ": "micro",
    "π": "pi", "σ": "sigma", "τ": "tau", "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "Δ": "delta", "Σ": "sigma",
    "Ω": "omega", "Φ": "phi", "Π": "pi", "Θ": "theta", "Λ": "lambda", "η": "eta", "ρ": "rho", "ξ": "xi", "ζ": "zeta",
    "ν": "nu", "κ": "kappa", "ι": "iota", "Γ": "gamma", "Ψ": "psi", "¢": "cents", "$": "dollars", "€": "euros",
    "£": "pounds", "¥": "yen", "₹": "rupees", "−": "minus", "♯": "sharp", "♭": "flat", "✓": "check", "✔": "check",
    "✗": "cross", "✘": "cross", "⅟": "one over", "′": "prime", "″": "double prime",
}  # fmt: skip
_SILENT = frozenset("®™•·◦▪▫‣⁃●○■□▶►◆◇★☆†‡¦|¤`´¨¯~^_*#\\<>{}[]«»=+")
"""Left out where nothing below reads them."""
_EMOTICON = re.compile(r"(?:[:;=8][-'^]?[)(DPpOo/|\\*]|<3|</3|[xX]D|:'\(|\^_\^|¯\\_?\(ツ\)_?/¯)(?![^\W_])")
_RULE = re.compile(r"([_~*=#+|])\1{2,}")
"""A line drawn with signs."""
_BRACKETED = re.compile(r"<(?=[^\W\d_][^<>\n]{0,100}(?<=[^\s<>])>)")
"""What stands before an address, a name, a place to fill in: `<jane@example.com>`."""
_CLOSES = re.compile(r"(?:^|[\s(\[\"'“,:;])<[^\W\d_][^<>\n]{0,100}$")
_COPYRIGHT = re.compile(r"\([cC]\)(?= (?:19|20)\d\d)")
_FACES = {
    ")": "smiley", "D": "grin", "(": "sad face", "P": "tongue out", "p": "tongue out", "O": "surprised face",
    "o": "surprised face", "*": "kiss", "/": "skeptical face", "\\": "skeptical face", "|": "straight face",
}  # fmt: skip
_CPP = re.compile(r"(?P<plus>\+\+|#)(?![^\W_])")
_BY_USE = re.compile(r"[<>]=|[<>!=]==?|=>|->|<-|=>|&&|\|\||\*\*")
_PAIRS = {
    "<=": "less than or equal to", ">=": "greater than or equal to", "==": "equals", "===": "equals",
    "!=": "not equal to",
    "!==": "not equal to", "=>": "to", "->": "to", "<-": "left arrow", "&&": "and", "||": "or", "**": "",
}  # fmt: skip
_GIVEN = re.compile(r"\([A-Z]\|[A-Z]\)")
"""A conditional probability."""
_KEYS = listed("press pressing dial dialing hit push enter then or and")
"""What is said before a key of a telephone."""
_SLASH_WORD = re.compile(r"/(?=[^\W\d_])")
_PER_BEFORE = listed(
    "mile miles kilometer kilometers meter meters dollar dollars cent cents beat beats word words gram grams "
    "euro euros pound pounds liter liters"
)
_MODIFIERS = re.compile("[\U0001f3fb-\U0001f3ff\ufe0e\ufe0f\u200d\u20e3]+")
_NAMES = {
    "❤": "heart", "♥": "heart", "👍": "thumbs up", "👎": "thumbs down", "👌": "OK hand", "🎂": "birthday cake",
    "🙏": "folded hands", "🎉": "party popper",
    "☕": "hot beverage", "⭐": "star", "🌟": "star", "✅": "check mark", "❌": "cross mark", "😊": "smiling face",
    "😀": "grinning face", "☺": "smiling face", "😉": "winking face", "🙂": "smiling face", "✨": "sparkles",
    "💯": "one hundred",
    "👏": "clapping hands", "😍": "heart eyes", "💪": "flexed biceps", "☀": "sun", "➡": "to", "⚠": "warning",
    "🚀": "rocket",
    "👋": "waving hand", "👉": "pointing right", "🤔": "thinking face", "😢": "crying face", "😭": "crying face",
    "⌘": "command", "⌥": "option", "⌃": "control", "⏎": "return", "☑": "check", "☐": "",
    "🤣": "rolling on the floor laughing",
}  # fmt: skip
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
_FLAGS = {
    "US": "United States", "GB": "United Kingdom", "DE": "Germany", "FR": "France", "IT": "Italy", "ES": "Spain",
    "JP": "Japan",
    "CN": "China", "IN": "India", "CA": "Canada", "AU": "Australia", "BR": "Brazil", "MX": "Mexico",
    "KR": "South Korea",
    "UA": "Ukraine", "RU": "Russia", "CH": "Switzerland", "AT": "Austria", "NL": "Netherlands", "BE": "Belgium",
    "SE": "Sweden",
    "NO": "Norway", "DK": "Denmark", "FI": "Finland", "IE": "Ireland", "PL": "Poland", "PT": "Portugal", "GR": "Greece",
    "TR": "Turkey", "IL": "Israel", "EU": "European Union", "AR": "Argentina", "ZA": "South Africa",
    "NZ": "New Zealand",
}  # fmt: skip
_STARS = re.compile("[★⭐]\ufe0f?[★⭐][★⭐☆\ufe0f]{0,40}|[★⭐]☆[☆\ufe0f]{0,40}")
"""A rating."""


def mark(place: Place) -> Found | None:
    """A sign as a word, by what stands on both sides; an empty reading for one that isn't said."""
    text, pos, char = place.text, place.pos, place.char
    if found := _RULE.match(text, pos):
        return Found(found.end(), "")
    if found := _COPYRIGHT.match(text, pos):
        return Found(found.end(), "" if place.before().lower() == "copyright" else "copyright")
    if found := _EMOTICON.match(text, pos):
        if place.left() in ("", " ") and place.name_emoji:
            return _named(place, found.end(), _emoticon(found.group()))
        if place.left() in ("", " "):
            return Found(found.end(), "")
    if (found := _CPP.match(text, pos)) and place.left().isupper() and not text[max(0, pos - 2) : pos - 1].isalnum():
        return Found(found.end(), " sharp" if char == "#" else " plus plus")
    if found := _BY_USE.match(text, pos):
        words = _PAIRS.get(found.group(), "")
        if found.group() == "**" and place.left().isalnum() and place.adjoins(found.end()).isdecimal():
            words = "to the"
        return spaced(place, found.end(), words) if words else Found(found.end(), " ")
    if char in ",;.!?":
        return _without_blank(place)
    if char in "-–—―":
        return _dash(place)
    if char == "©" and place.before().lower() == "copyright":
        return Found(pos + 1, "")
    if char == "&":
        return spaced(place, pos + 1, "and")
    if char == "/":
        return _slash(place)
    if char in "<>" and _is_bracket(place):
        return Found(pos + 1, "")
    left, right = _beside(place)
    if char in "#*" and place.before().lower() in _KEYS:
        return spaced(place, pos + 1, "pound" if char == "#" else "star")
    if char == "#" and left.isalnum() and right.isalnum() and place.left() == " " and place.adjoins(pos + 1) == " ":
        return Found(pos + 1, "number")
    if char == "@":
        return spaced(place, pos + 1, "at") if left and right else Found(pos + 1, " at ")
    if char in "<>" and (left.isalnum() or left in tuple(")%")) and (right.isalnum() or right in tuple("-($.")):
        words = "less than" if char == "<" else "greater than"
        verb = place.before().lower() if place.left() == " " else ""
        asked = place.before(count=2).lower() in ("is", "are", "was", "were")
        single = not asked and ((len(verb) == 1 and verb.isalpha()) or verb.isdecimal())
        return spaced(place, pos + 1, f"is {words}" if single else words)
    if char in "<>" and right.isdecimal():
        return Found(pos + (2 if place.adjoins(pos + 1) == " " else 1), "less than " if char == "<" else "more than ")
    if char == "+" and (left or right):
        return spaced(place, pos + 1, "plus")
    if char == "*" and left.isalnum() and right.isalnum() and place.left() == " ":
        return spaced(place, pos + 1, "times" if right.isdecimal() else "asterisk")
    if char == "*" and left.isdecimal() and right.isdecimal():
        return spaced(place, pos + 1, "times")
    if char == "~" and right.isdecimal():
        return Found(pos + (2 if place.adjoins(pos + 1) == " " else 1), "about ")
    if char == "^" and left.isalnum() and right.isalnum():
        return spaced(place, pos + 1, "to the")
    if _GIVEN.match(text, max(0, pos - 2)) and text[pos - 2 : pos - 1] == "(":
        return Found(pos + 1, " given ")
    if char == "|" and left and right:
        return Found(pos + 1, ",") if place.left() != " " else Found(pos + 1, "or")
    if char == "$" and (place.left().strip() or place.adjoins(pos + 1).strip(" .,;:!?)")):
        return _left_out(place)  # of a formula or a password, rather than the currency
    if char == "§" and place.adjoins(pos + 1) == "§":
        return spaced(place, pos + 2, "sections")
    if char == "=" and not (left and right):
        return Found(pos + 1, " ")
    if char.isalpha() and char in _ALWAYS and place.adjoins(pos + 1) == "-":
        return Found(pos + 1, _ALWAYS[char])
    if char in _ALWAYS:
        return spaced(place, pos + 1, _ALWAYS[char])
    return _left_out(place) if char in _SILENT else None


def _without_blank(place: Place) -> Found | None:
    """A mark between words with no blank behind it: `apples,pears`, `He left.She stayed.`"""
    following = place.after(place.pos + 1)
    if place.char == "." and not (place.left().islower() and is_starter(following)):  # a name: `Node.Js`
        return None
    return Found(place.pos + 1, f"{place.char} ")


def _left_out(place: Place) -> Found:
    glued = place.left().isalnum() and place.adjoins(place.pos + 1).isalnum()
    return Found(place.pos + 1, " " if glued else "")


def _is_bracket(place: Place) -> bool:
    """Whether a `<` or `>` stands around something, rather than between two things."""
    if place.char == "<":
        opens = not place.left().strip() or place.left() in tuple("([\"'“,:;")
        return opens and _BRACKETED.match(place.text, place.pos) is not None
    near = place.text[max(0, place.pos - 110) : place.pos]
    return place.char == ">" and not near[-1:].isspace() and _CLOSES.search(near) is not None


def emoji(place: Place) -> Found | None:
    """An emoji by its name, once for a row of the same, or nothing."""
    text, pos = place.text, place.pos
    if found := _FLAG.match(text, pos):
        code = "".join(chr(ord(letter) - 0x1F1E6 + 65) for letter in found.group())
        name = (
            f"flag of {'the ' if code in ('US', 'GB', 'NL', 'EU') else ''}{_FLAGS[code]}" if code in _FLAGS else "flag"
        )
        return _named(place, found.end(), name)
    if found := _STARS.match(text, pos):
        filled = sum(map(found.group().count, "★⭐"))
        return _named(place, found.end(), f"{cardinal(str(filled))} stars")
    if not is_picture(place.char):
        return None
    end = _past(text, pos)
    while text[end : end + 1] == text[pos] or text[end : end + 2] == f" {text[pos]}":
        end = _past(text, end + (1 if text[end] == " " else 0))
    return _named(place, end, _name(text[pos]))


def is_picture(char: str) -> bool:
    """Whether a character is a picture: an emoji, a dingbat, a box, a modifier of one."""
    if not char or char < "\u2190":
        return False
    code = ord(char)
    return (
        0x1F000 <= code < 0x1FB00
        or 0xFE00 <= code <= 0xFE0F
        or (0x2300 <= code < 0x2C00 and unicodedata.category(char) in ("So", "Sk", "Cn", "Sm"))
    )


def _name(char: str) -> str:
    if char in _NAMES:
        return _NAMES[char]
    if 0x2500 <= ord(char) < 0x2600 or 0x1F3FB <= ord(char) <= 0x1F3FF or 0xFE00 <= ord(char) <= 0xFE0F:
        return ""
    name = unicodedata.name(char, "").lower().replace("-", " ")
    for ending in (" sign", " symbol"):
        name = name.removesuffix(ending)
    return name.removeprefix("white ").removeprefix("black ").removeprefix("heavy ")


def _past(text: str, pos: int) -> int:
    """Behind a picture and its modifiers; pictures joined to it with a zero-width joiner are part of it."""
    end = pos + 1
    while modifiers := _MODIFIERS.match(text, end):
        end = modifiers.end()
        if text[end - 1] != "\u200d" or end >= len(text):
            break
        end += 1
    return end


def _named(place: Place, end: int, name: str) -> Found:
    if not place.name_emoji or not name:
        return Found(end, "")
    found = spaced(place, end, name)
    before, behind = place.text[max(0, place.pos - 2) : place.pos].strip()[-1:], place.text[end : end + 2].strip()[:1]
    if is_picture(before) or (before.isalnum() and not behind.isalnum()):
        return Found(end, f", {name}" + (" " if place.adjoins(end).isalnum() else ""))
    return found


def _emoticon(shown: str) -> str:
    if shown[0] == "¯":
        return "shrug"
    if shown == "<3":
        return "heart"
    if shown[0] == ";" and shown[-1] == ")":
        return "wink"
    return _FACES.get(shown[-1], "smiley")


def _beside(place: Place) -> tuple[str, str]:
    """The nearest characters on both sides, across one blank."""
    text, pos = place.text, place.pos
    left = text[pos - 2 : pos - 1] if place.left() == " " and pos > 1 else place.left().strip()
    right = text[pos + 2 : pos + 3] if text[pos + 1 : pos + 2] == " " else text[pos + 1 : pos + 2]
    return left, right


def _dash(place: Place) -> Found | None:
    text, pos, char = place.text, place.pos, place.char
    left, right = _beside(place)
    run = re.compile(r"[-–—―]+").match(text, pos)
    end = run.end() if run is not None else pos + 1
    alone = place.left() in ("", " ") and text[end : end + 1] in (" ", "")
    if end - pos > 1:
        if end - pos > 3 or not left or not text[end:].strip()[:1]:
            return Found(end, "")
        return Found(end, "," if text[end : end + 1] == " " else ", ")
    if char == "-" and alone and (left.isdecimal() or left in tuple("²³⁴⁵⁶⁷⁸⁹ⁿ")) and right.isdecimal():
        return Found(pos + 1, "minus")
    if char == "–" and left.isalnum() and right.isalnum() and not alone and place.left() != " ":
        to = place.before()[:1].isupper() or left.isdecimal()
        return Found(pos + 1, " to " if (to and right.isupper()) or right.isdecimal() else "-")
    if char == "-" and alone and left and right:
        return Found(pos + 1, ",") if left.isalnum() else None
    return None


def _slash(place: Place) -> Found | None:
    text, pos = place.text, place.pos
    left, right = _beside(place)
    if not left or not right:
        return Found(pos + 1, "")
    if _SLASH_WORD.match(text, pos) and place.left() != " ":
        if place.before().lower() in _PER_BEFORE:
            return Found(pos + 1, " per ")
        return Found(pos + 1, " ")
    if place.left() == " " and left.isalnum() and right.isalnum():
        return Found(pos + 1, "divided by" if left.isdecimal() and right.isdecimal() else "or")
    return spaced(place, pos + 1, "over" if left in tuple("!²³⁴ⁿ") else "slash")
