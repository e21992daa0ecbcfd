"""Words that are shortened in mails, books and forms."""

from __future__ import annotations

from .words import listed

ALWAYS = {
    "vs": "versus", "etc": "et cetera", "approx": "approximately", "dept": "department", "govt": "government",
    "gov't": "government", "univ": "university", "assn": "association", "assoc": "association", "attn": "attention",
    "asst": "assistant", "mgr": "manager", "misc": "miscellaneous", "incl": "including", "excl": "excluding",
    "avg": "average", "intl": "international", "int'l": "international", "natl": "national", "mfg": "manufacturing",
    "bros": "brothers", "corp": "corporation", "inc": "incorporated", "ltd": "limited", "jr": "junior", "sr": "senior",
    "appt": "appointment", "tel": "telephone", "viz": "namely", "qty": "quantity", "pkg": "package",
    "tbsp": "tablespoon",
    "tbsps": "tablespoons", "tsp": "teaspoon", "tsps": "teaspoons", "hr": "hour", "hrs": "hours", "mins": "minutes",
    "secs": "seconds", "yr": "year", "yrs": "years", "wk": "week", "wks": "weeks", "lb": "pound", "lbs": "pounds",
    "oz": "ounce", "cont'd": "continued", "pls": "please", "thx": "thanks", "acct": "account", "mgmt": "management",
    "blvd": "boulevard", "amt": "amount", "b'day": "birthday", "abbr": "abbreviated", "encl": "enclosed",
}  # fmt: skip
"""With a full stop or without."""
DOTTED = {
    "est": "estimated", "max": "maximum", "min": "minimum", "co": "company", "ed": "edition", "eds": "editors",
    "temp": "temperature", "ext": "extension", "inst": "institute", "ca": "circa", "cf": "compare",
    "esp": "especially", "orig": "originally", "resp": "respectively", "sq": "square", "mo": "month", "fed": "federal",
    "ave": "avenue", "apt": "apartment", "rm": "room", "div": "division", "dist": "district",
    "cont": "continued", "vol": "volume", "vols": "volumes", "ref": "reference", "prev": "previous", "std": "standard",
    "sci": "science", "bal": "balance", "fwd": "forward",
}  # fmt: skip
"""With their full stop only."""
WORDS_TOO = listed("ref bal max min ed fed temp cont mo sq apt")
"""Words or names as well: where a sentence may end, the full stop is the sentence's."""
CAPITALIZED = listed("co ave blvd tel vs etc approx attn dept qty corp govt inc jr sr ltd bros acct amt")
"""With a capital they need no full stop either."""
BEFORE_NUMBER = {
    "no": "number", "nos": "numbers", "nr": "number", "p": "page", "pp": "pages", "pg": "page", "pgs": "pages",
    "ch": "chapter", "chap": "chapter", "chs": "chapters", "fig": "figure", "figs": "figures", "vol": "volume",
    "vols": "volumes", "sec": "section", "sect": "section", "art": "article", "eq": "equation", "para": "paragraph",
    "par": "paragraph", "ex": "example",
    "eqn": "equation", "eqs": "equations", "eqns": "equations", "ver": "version", "v": "version", "vers": "version",
    "rm": "room",
    "apt": "apartment", "ste": "suite", "ext": "extension", "est": "established", "c": "circa", "ca": "circa",
    "b": "born", "d": "died", "tab": "table", "app": "appendix", "bk": "book", "ln": "line", "l": "line", "ll": "lines",
    "op": "opus", "hwy": "highway", "rte": "route", "rt": "route", "flt": "flight", "ep": "episode",
    "eps": "episodes", "lvl": "level", "pt": "part", "bldg": "building", "cl": "clause", "qtr": "quarter",
    "rev": "revision", "gr": "grade", "tel": "telephone",
}  # fmt: skip
"""Before a number or a numeral."""
UNDOTTED = listed("pp pg apt ext ste rte bldg nr ch fig figs vol vols hwy v ver ep")
"""Those that need no full stop before digits."""
SLASHED = {
    "w/": "with", "w/o": "without", "w/in": "within", "b/c": "because", "c/o": "care of", "n/a": "N-A", "a/c": "A-C",
    "y/o": "years old",
    "i/o": "I-O", "b/w": "between", "d/o": "daughter of", "m/f": "M F", "s/he": "he or she", "and/or": "and or",
    "either/or": "either or", "yes/no": "yes or no", "he/she": "he or she", "she/he": "she or he",
    "his/her": "his or her", "her/his": "her or his", "him/her": "him or her", "her/him": "her or him",
}  # fmt: skip
LATIN = {
    "e.g.": "for example", "i.e.": "that is", "c.f.": "compare", "e.g": "for example", "i.e": "that is",
}  # fmt: skip
ROMANS = listed(
    "ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix xx xxi xxii xxiii xxiv xxv xxvi xxx"
)
CHAT = listed("""
    afaik brb btw diy faq ffs fyi gtg html idk iirc ikr imho lmk nvm omg omw pdf rofl rsvp smh sms sql tbh tbd
    ttyl url usb vip vpn wtf
    """)
"""Letters in small type that are said one by one."""
SMALL = frozenset({*ALWAYS, *DOTTED, *BEFORE_NUMBER, *ROMANS, *CHAT}) | listed(
    "y i et w n s eqn eqs eqns lg lge med sm xl he she his her him and yes either"
)
"""Words in small letters with which something begins that is read otherwise; all others are passed over at once."""
