"""Sentences to speak: WordNet's examples, everyday templates, numbers and short utterances; and their phonemes."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import yaml

WORDNET = Path("/usr/share/wordnet")

CONCRETE = {"05", "06", "08", "13", "15", "17", "18", "20", "27", "28"}
"""WordNet's files of animals, things, bodies, food, places, objects, people, plants, substances, times."""

STOCK: dict[str, list[str]] = yaml.safe_load(Path(__file__).with_name("words.yaml").read_text("utf-8"))
"""Words and phrases by kind."""
BEINGS = ("was", "is", "looked", "seemed", "became")
OPENINGS = (
    "Did you see", "Please bring me", "I can hear", "We need", "Do you want", "Where is", "Look at", "Give me",
)  # fmt: skip
LETTERS = re.compile(r"^[A-Za-z' ,]+$")


def normalise(sentence: str) -> str:
    """What two sentences are compared by: letters, apostrophes and single spaces."""
    return " ".join(re.sub(r"[^a-z' ]", " ", sentence.lower()).split())


def finish(sentence: str) -> str:
    """With a capital at the start and a full stop at the end."""
    sentence = sentence.strip(" ,;")
    return sentence[0].upper() + sentence[1:] + ("" if sentence[-1] in ".?!" else ".")


@cache
def common_words() -> dict[str, list[str]]:
    """Words of WordNet that its tagged texts use, most used first: `noun` (concrete ones), `adj`, `any`."""
    counts: dict[tuple[str, str], int] = {}
    everything: dict[str, int] = {}
    for line in (WORDNET / "cntlist.rev").read_text().splitlines():
        key, _, count = line.split()
        lemma, _, rest = key.partition("%")
        kind, file = rest.split(":")[:2]
        if not lemma.isalpha() or not lemma.islower() or len(lemma) < 3:
            continue
        everything[lemma] = everything.get(lemma, 0) + int(count)
        name = "noun" if kind == "1" and file in CONCRETE else "adj" if kind in "35" else ""
        if name:
            counts[name, lemma] = counts.get((name, lemma), 0) + int(count)
    ranked = sorted(counts, key=lambda k: (-counts[k], k))
    nouns = [w for n, w in ranked if n == "noun"][:2500]
    adjectives = [w for n, w in ranked if n == "adj"][:700]
    return {"noun": nouns, "adj": adjectives, "any": sorted(everything, key=lambda w: (-everything[w], w))[:9000]}


@cache
def examples() -> list[str]:
    """WordNet's quoted example sentences of 3 to 13 words, letters only."""
    found = []
    for kind in ("adj", "adv", "noun", "verb"):
        for line in (WORDNET / f"data.{kind}").read_text().splitlines():
            for quote in re.findall(r'"([^"]+)"', line.partition(" | ")[2]):
                quote = quote.replace("`", "'").strip(" .;")
                if 3 <= len(quote.split()) <= 13 and LETTERS.match(quote):
                    found.append(finish(quote))
    return sorted(set(found))


def article(words: str) -> str:
    """`a` or `an`, by the first letter."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def noun_phrase(rng: random.Random) -> str:
    """`the red house`, `a house`, `my house`, ..."""
    words = common_words()
    noun = rng.choice(words["noun"])
    if rng.random() < 0.4:
        noun = f"{rng.choice(words['adj'])} {noun}"
    return (
        article(noun)
        if rng.random() < 0.3
        else f"{rng.choice(['the'] * 6 + ['my', 'his', 'her', 'our', 'their', 'this', 'that', 'every'])} {noun}"
    )


def adjective(rng: random.Random) -> str:
    """A common one."""
    return rng.choice(common_words()["adj"])


def template(rng: random.Random) -> str:
    """An everyday sentence, of sense or not."""
    who = rng.choice(STOCK["who"]) if rng.random() < 0.5 else noun_phrase(rng)
    place = f"{rng.choice(STOCK['prepositions'])} {noun_phrase(rng)}"
    end = rng.choice(STOCK["places"])
    form = rng.randrange(8)
    if form == 0:
        text = f"{who} {rng.choice(STOCK['verbs'])} {noun_phrase(rng)} {place}"
    elif form == 1:
        text = f"{who} {rng.choice(STOCK['moves'])} {place}"
    elif form == 2:
        text = f"{who} {rng.choice(STOCK['verbs'])} {noun_phrase(rng)} {end}"
    elif form == 3:
        text = (
            f"{who} {rng.choice(STOCK['verbs'])} {noun_phrase(rng)} and {rng.choice(STOCK['verbs'])} {noun_phrase(rng)}"
        )
    elif form == 4:
        text = f"{noun_phrase(rng)} {rng.choice(BEINGS)} {adjective(rng)} and {adjective(rng)}"
    elif form == 5:
        text = f"There {rng.choice(['is', 'was'])} {article(rng.choice(common_words()['noun']))} {place}"
    elif form == 6:
        text = f"{who} {rng.choice(STOCK['moves'])} {place} {end}"
    else:
        text = f"{rng.choice(OPENINGS)} {noun_phrase(rng)} {place}"
        return finish(text + ("?" if text.startswith(("Did", "Do", "Where")) else "."))
    return finish(text)


def spoken_number(n: int) -> str:
    """0 to 9999 in words."""
    small = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ]
    tens = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
    if n < 20:
        return small[n]
    if n < 100:
        return tens[n // 10 - 2] + (f" {small[n % 10]}" if n % 10 else "")
    for size, name in ((1000, "thousand"), (100, "hundred")):
        if n >= size:
            return f"{spoken_number(n // size)} {name}" + (f" {spoken_number(n % size)}" if n % size else "")
    raise ValueError(n)


def number(rng: random.Random) -> str:
    """A sentence with a number."""
    n = spoken_number(rng.choice([rng.randrange(20), rng.randrange(100), rng.randrange(10000)]))
    noun = rng.choice(common_words()["noun"])
    return finish(
        rng.choice(
            [
                n,
                f"{n} {noun}s",
                f"It costs {n} dollars",
                f"He is {n} years old",
                f"The number is {n}",
                f"We counted {n} {noun}s {rng.choice(STOCK['places'])}",
            ]
        )
    )


def words(rng: random.Random) -> str:
    """A few words that have nothing to do with each other: all the neighbours that sense avoids."""
    return finish(" ".join(rng.choice(common_words()["any"]) for _ in range(rng.randint(2, 7))))


def sentences(rng: random.Random, forbidden: frozenset[str]) -> Iterator[str]:
    """Sentences without end; none whose normal form is forbidden."""
    while True:
        draw = rng.random()
        if draw < 0.5:
            text = rng.choice(examples())
        elif draw < 0.85:
            text = template(rng)
        elif draw < 0.92:
            text = words(rng)
        elif draw < 0.97:
            text = number(rng)
        else:
            text = rng.choice(STOCK["short"])
        if normalise(text) not in forbidden:
            yield text


@cache
def glosses() -> list[str]:
    """WordNet's definitions of 4 to 22 words, letters and commas only, as sentences."""
    found = []
    for kind in ("adj", "adv", "noun", "verb"):
        for line in (WORDNET / f"data.{kind}").read_text().splitlines():
            gloss = re.sub(r"\([^)]*\)", " ", line.partition(" | ")[2].split('"')[0])
            for part in gloss.split(";"):
                part = " ".join(part.split()).strip(" ,.:")
                if 4 <= len(part.split()) <= 22 and LETTERS.match(part):
                    found.append(finish(part))
    return sorted(set(found))


@cache
def names() -> list[str]:
    """WordNet's proper nouns of one or two words: people, towns, rivers, countries."""
    found = set()
    for line in (WORDNET / "data.noun").read_text().splitlines():
        fields = line.split()
        if len(fields) > 4 and re.fullmatch(r"[A-Z][a-z]{2,}(_[A-Z][a-z]{2,})?", fields[4]):
            found.add(fields[4].replace("_", " "))
    return sorted(found)


LETTER_NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def named(rng: random.Random) -> str:
    """A sentence with names in it."""
    return finish(rng.choice(STOCK["named"]).format(rng.choice(names()), rng.choice(names())))


def figures(rng: random.Random) -> str:
    """Amounts, dates, times and codes, as they are read out."""
    digits = {f"d{i or ''}": spoken_number(rng.randrange(10)) for i in (0, *range(2, 8))}
    return finish(
        rng.choice(STOCK["figures"]).format(
            n=spoken_number(rng.choice((rng.randrange(100), rng.randrange(3000)))),
            m=spoken_number(rng.randrange(10, 100)),
            k=spoken_number(rng.randrange(1000)),
            h=spoken_number(rng.randrange(1, 13)),
            o=rng.choice(STOCK["ordinals"]),
            month=rng.choice(STOCK["months"]),
            phrase=noun_phrase(rng),
            **digits,
        )
    )


def listed(rng: random.Random) -> str:
    """A few things in a row, with commas, or one word alone."""
    things = [rng.choice(common_words()["noun"]) for _ in range(rng.randint(1, 5))]
    return finish(", ".join(things[:-1]) + (", and " if len(things) > 1 else "") + things[-1])


def initials(rng: random.Random) -> str:
    """Letters one by one, in a sentence or alone."""
    said = " ".join(rng.choice(LETTER_NAMES) for _ in range(rng.randint(2, 4)))
    return finish(rng.choice(("The {0} said no", "She works for the {0}", "{0}", "Press {0} twice")).format(said))


def passages(rng: random.Random, forbidden: frozenset[str]) -> Iterator[str]:
    """One to four sentences each, of every kind, without end; none whose normal form is forbidden."""
    known = sentences(rng, forbidden)
    others = (lambda r: r.choice(glosses()), named, figures, listed, initials)
    while True:
        parts: list[str] = []
        for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
            if rng.random() < 0.45:
                parts.append(next(known))
            else:
                parts.append(rng.choices(others, (0.55, 0.15, 0.15, 0.1, 0.05))[0](rng))
        if not any(normalise(part) in forbidden for part in parts):
            yield " ".join(parts)


@cache
def _espeak() -> object:
    import espeakng_loader
    from phonemizer.backend import EspeakBackend
    from phonemizer.backend.espeak.wrapper import EspeakWrapper

    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    return EspeakBackend("en-us", preserve_punctuation=True, with_stress=True, words_mismatch="ignore")


def phonemes(lines: Iterable[str]) -> list[str]:
    """espeak's American IPA of each line, as the product's phonemizer gives it: stress and punctuation kept."""
    return [str(p) for p in _espeak().phonemize(list(lines), strip=True)]  # type: ignore[attr-defined]
