"""Letters said one by one, and which words in capitals are said so."""

from __future__ import annotations

import re

from .words import listed

_VOWELS = frozenset("AEIOUY")
_SPOKEN = listed("""
    NASA NATO UNESCO UNICEF OPEC AIDS SARS COVID RAM ROM LAN WAN SIM GIF JPEG PNG LASER RADAR SONAR SCUBA FIFA UEFA
    ASCII CAPTCHA DARPA SWAT POTUS SCOTUS FLOTUS NASDAQ NAFTA ASEAN FEMA OSHA HIPAA DOS MIDI YOLO PETA IKEA BIOS GUI
    CRUD REST SOAP YAML JSON SQUID LIDAR HAZMAT SALT START PIN FOMO NIMBY WYSIWYG LEGO NERF UNIX LINUX BASIC COBOL
    FORTRAN LISP CUDA OPAL VISA AMEX GEICO DAT NORAD DOGE BREXIT EBITDA SIG CERN ESA TASER ZIP OPEN SPAM IMAX NASCAR
    PATRIOT CHIP SNAP TIFF WEBP MOSFET DRAM SRAM EPROM GNU WASP BAFTA NAACP
    """) - {"NAACP", "ESA", "PNG"}
_WORDS = listed("""
    MAX MIN ACT ADD AIM BAN BUG DOT FOG FOX HID HUM JAR LOG MUD OAK OWL SUM TIN TAB SUB MET BOB SUE HA HO AH EH UM
    UH OW YO DE EL LO MA PA HM A AD ALL AM AN AND ANY ARE AS ASK AT BAD BAG BE BED BIG BOY BUS BUT BUY BY CAN CAR
    CUT DAD DAY DID DIE DO DOG DON'T DRY DUE EAR EAT END FAR FEW FIT FIX FLY FOR FUN GET GIRL GO GOD GOT GUN HAD HAS
    HAT HE HER HEY HI HIM HIS HIT HOT HOW I IF IN IS IT ITS JOB JOY KEY KID LAW LAY LEG LET LIE LOT LOW MAD MAN MAP
    MAY ME MEN MOM MR MRS MS MUM MY NEW NO NOR NOT NOW OF OFF OH OIL OLD ON ONE OR OUR OUT OWN PAY PER PLAY PUT RAN
    RED RUN SAD SAW SAY SEA SEE SET SHE SIT SIX SO SON SUN TAX TEN THE TO TOO TOP TRY TWO UP US USE WAR WAS WAY WE
    WHO WHY WIN WON YES YET YOU ART AGE AGO AIR ARM BAR BET BIT BOX CAT COW CRY CUP EGG EYE FAT FEE GAS GAP GYM ICE
    INK JAM JET LAB LIP MIX NET NUT ODD PAN PEN PET PIE PIG POP RAW RAT RICE SKY SPY TEA TIE TIP TOY VAN VIA WEB WET
    ZOO STOP FREE SALE OPEN LOVE EXIT VERY DANGER WARNING NOTE THIS THAT WITH FROM HAVE WILL YOUR WHAT WHEN NEVER
    ALWAYS ONLY MUST EVERY
    """)
_NOT_ALONE = listed("A AD AM I IT US MS ME WHO")
"""Words that capitals in an ordinary sentence make into initials."""
_INITIALS = listed("""
    YMCA YWCA UNHCR OSCE UNDP ESOL NYSE UCLA USA UK EU UN UAE USSR FBI CIA NSA IRS CEO CFO CTO COO CV TV PC AI IT ID
    DNA RNA HIV ATM GPS USB CPU GPU API URL HTTP HTTPS HTML CSS SQL PDF FAQ DIY VIP RSVP ASAP FYI BBC CNN NBC ABC
    CBS ESPN HBO MTV NBA NFL NHL MLB UFC WHO IMF GDP MBA PHD BA MA BC AD PM AM UV IQ EQ UFO LED LCD DVD CD MRI CT ER
    ICU OECD IEEE ISBN NAACP ACLU AARP ASPCA EULA IIRC IMHO AFAIK EPA FDA FCC FAA DMV DUI NYC LA DC AC OCD ADHD PTSD
    IPO ROI KPI HR PR QA UI UX IP TCP UDP DNS SSH VPN WIFI SMS MMS OS IOS AWS IBM BMW AT CPR EMT ETA IOU SOS USPS
    UPS USAF NYPD LAPD UEFI
    """) - {"AT", "WIFI"}
_STARTS = re.compile(
    r"[BCDFGHJKLMNPQRSTVWXZ]?[AEIOUY]|(?:BL|BR|CH|CL|CR|DR|DW|FL|FR|GH|GL|GN|GR|KN|PH|PL|PR|QU|RH|SC|SCH|SCR|SH|SHR|SK"
    r"|SL|SM|SN|SP|SPH|SPL|SPR|SQU|ST|STR|SW|TH|THR|TR|TW|WH|WR)[AEIOUY]"
)
_ENDS = re.compile(
    r"(?:[AEIOUY]|[AEIOUY](?:[BCDFGKLMNPRSTVWXZH]|BB|CH|CK|CKS|CT|CTS|DD|DGE|DS|FF|FT|FTS|GG|GHT|GHTS|GS|KS|LD|LDS|LF|LK"
    r"|LKS|LL|LLS|LM|LP|LPS|LT|LTS|LVES|MB|MN|MP|MPS|MS|NCH|ND|NDS|NG|NGS|NGTH|NK|NKS|NS|NT|NTH|NTHS|NTS|PS|PT|PTS|RB"
    r"|RC|RCH|RD|RDS|RF|RG|RGH|RK|RKS|RL|RLD|RLDS|RM|RMS|RN|RNS|RP|RPS|RR|RS|RST|RT|RTH|RTS|RVES|SH|SK|SKS|SM|SMS|SP"
    r"|SS|ST|STS|TCH|TH|THS|TS|TT|WD|WDS|WK|WL|WLS|WN|WNS|WS|LS|CS|GH|GHS|PH|PHS|NC|XTS|DDS|CTS|MPT|MPTS|NCT|BTS|HN|HNS|XT|XTH|LTH|FTH|PTH|SCH|GN|GNS|BS|LFTH))$"
)
_CLUSTER = re.compile(r"[BCDFGHJKLMNPQRSTVWXZ]{4}|[AEIOU]{4}|([AEIOU])\1\1|[JQV][BCDFGKLMNPRSTVWXZ]{2}")

_STATE_LED = re.compile(r"U[SC][BCDFGHJKLMNPQRSTVWXZ]")
"""Offices and universities: `USDA`, `UCSD`."""
_LONG_CLUSTER = re.compile(r"[BCDFGHJKLMNPQRSTVWXZ]{6}|([A-Z])\1\1")


def spell(letters: str) -> str:
    """Letters one by one, as one word: `FBI` as "F-B-I".

    With a hyphen a single A is read as the letter, not as the article.
    """
    return "-".join(letters.upper()) if letters not in ("a", "A") else "A-"


def pronounceable(word: str) -> bool:
    """Whether a word could be English by its letters: it has vowels, and begins and ends as words do."""
    upper = word.upper()
    if len(upper) > 5:
        return bool(_VOWELS & {*upper}) and _LONG_CLUSTER.search(upper) is None
    if len(upper) < 2 or _CLUSTER.search(upper) or not _VOWELS & {*upper}:
        return False
    if _STARTS.match(upper) is None or _STATE_LED.match(upper):
        return False
    return len(upper) == 5 or _ENDS.search(upper) is not None


def is_initials(word: str, shouted: bool) -> bool:
    """Whether a word in capitals is said letter by letter.

    Args:
        word: Two capitals or more.
        shouted: Whether the words around are in capitals too, so that capitals tell nothing.
    """
    if word in _SPOKEN:
        return False
    if shouted and len(word) == 2:
        return word not in _WORDS
    if shouted:
        return (word in _INITIALS and word not in _WORDS) or (not pronounceable(word) and word not in _WORDS)
    if word in _INITIALS:
        return True
    if word in _WORDS:
        return word in _NOT_ALONE
    return len(word) < 4 or not pronounceable(word)


def is_word(word: str) -> bool:
    """Whether capitals are known to be a common word."""
    return word in _WORDS


def is_acronym(word: str) -> bool:
    """Whether capitals are known to be an acronym that is said as a word."""
    return word in _SPOKEN
