"""English read aloud: the tables say how, beside properties that hold for any text."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vall_e_core import BuildContext, Normalizer, NormalizerModel, Phonemizer, Registry

TABLES = Path(__file__).parent
CLASSES = """
    decimal grouped integer money year decade ordinal fraction percent range date-iso date-slash date-written time phone
    code unit temperature abbreviation roman initialism url email hashtag mention ampersand slash dash ellipsis caps
    relation symbol emoji version ratio science address plural
"""
PIECES = """
    1 2,000 3.5 $ € % ° / - – . , : ; ' " ( ) # @ & + = < > ^ ² ½ x am pm Mr. St. No. IV I A FBI Jan May km in ft lb USD
    bn www. com http:// _ * ~ | 👍 🇺🇸 a b
"""
RUNS = ("7", "1,234", "1/2/", "1-", "a.", "$", "½", "1x", "😂", "A1-", "(555) ", "1 000 ", "/a")


def english(**parameters: object) -> NormalizerModel:
    return Registry.load().get(Normalizer.kind, "english").from_mapping(parameters).build(BuildContext())


@pytest.fixture(scope="module")
def model() -> NormalizerModel:
    return english()


def spoken(model: NormalizerModel, text: str, language: str = "en") -> str:
    """`text` with its replacements in place; they lie in the text, in order and apart."""
    said: list[str] = []
    position = 0
    for each in model.replacements(text, language):
        assert position <= each.start < each.end <= len(text), each
        said += [text[position : each.start], each.text]
        position = each.end
    return "".join([*said, text[position:]])


def words(text: str) -> str:
    """What is said, without capitals and marks: hyphens part words, apostrophes are part of them."""
    folded = unicodedata.normalize("NFC", text).lower().replace("’", "'").replace("‘", "'")
    kept = "".join(char if char.isalnum() or char == "'" else " " for char in folded)
    return " ".join(filter(None, (word.strip("'") for word in kept.split())))


def readings(expected: str) -> set[str]:
    """Every reading that a line of a table allows: `{a|b}` is either, ` | ` stands between whole sentences."""
    found = set()
    for sentence in expected.split(" | "):
        parts = re.split(r"\{([^{}]*)\}", sentence)
        choices = [part.split("|") if index % 2 else [part] for index, part in enumerate(parts)]
        found |= {words("".join(choice)) for choice in itertools.product(*choices)}
    return found


def table(name: str) -> list[tuple[str, str, str]]:
    lines = (TABLES / name).read_text("utf-8").splitlines()[1:]
    return [(kind, written, expected) for kind, written, expected in (line.split("\t") for line in lines)]


def wrong(model: NormalizerModel, name: str) -> Iterator[str]:
    for _, written, expected in table(name):
        heard = words(spoken(model, written))
        if heard not in readings(expected):
            yield f"{written!r}: {heard!r}, not {expected!r}"


def test_the_table_is_large_enough() -> None:
    counts = Counter(kind for kind, _, _ in table("english.tsv"))
    assert set(CLASSES.split()) == set(counts)
    assert min(counts.values()) >= 8
    assert sum(counts.values()) >= 300


@pytest.mark.parametrize("name", ["english.tsv", "english-kept.tsv", "english-more.tsv", "english-unseen.tsv"])
def test_text_is_read_as_the_table_says(model: NormalizerModel, name: str) -> None:
    failures = list(wrong(model, name))
    assert len(failures) <= 0.02 * len(table(name)), "\n".join(failures)


def test_what_was_said_well_stays_so(model: NormalizerModel) -> None:
    assert list(wrong(model, "english-kept.tsv")) == []


@pytest.mark.parametrize(
    ("written", "british"),
    [
        ("It seats 105 people.", "it seats one hundred and five people"),
        ("It holds 2,005 books.", "it holds two thousand and five books"),
        ("The party is on 5/1/2024.", "the party is on the fifth of january twenty twenty four"),
        ("See you on May 3.", "see you on may the third"),
    ],
)
def test_british_english(model: NormalizerModel, written: str, british: str) -> None:
    assert words(spoken(model, written, "en-gb")) == british
    assert words(spoken(model, written, "en")) != british


def test_emoji_are_named_or_left_out() -> None:
    assert spoken(english(), "Great job 👍") == "Great job, thumbs up"
    assert spoken(english(emoji="skip"), "Great job 👍").strip() == "Great job"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Bob <bob@x.org> wrote <your name>:", "bob bob at x dot org wrote your name"),
        ("<alice> hi", "alice hi"),
        ("x < 5 and y > 3", "x is less than five and y is greater than three"),
        ("p <0.05 and q> 1", "p is less than zero point zero five and q greater than one"),
        ("Let $x^2$ cost $5.", "let x squared cost five dollars"),
        ("E = mc^2", "e equals m c squared"),
        ("See §§ 3–5.", "see sections three to five"),
        ("IT IS MADE IN THE US TODAY", "it is made in the u s today"),
        ("🎉😀🇫🇷1", "party popper grinning face flag of france one"),
        ("¯\\_(ツ)_/¯ ok", "shrug ok"),
        ("TL;DR: no", "t l d r no"),
        ("β-carotene", "beta carotene"),
        ("I'M SURE I’LL GO", "i'm sure i'll go"),
        ("Press ⌘V", "press command v"),
        ("[Verse 1] la", "verse one la"),
        ("n!", "n factorial"),
        ("5! = 120, and n! grows.", "five factorial equals one hundred twenty and n factorial grows"),
        ("Take k! / (n+1)!", "take k factorial over n plus one factorial"),
        ("I am 5! Give me a b!", "i am five give me a b"),
        ("(Really)! Plan B! Vitamin C!", "really plan b vitamin c"),
        ("Noch 1,5 Liter", "noch one point five liter"),
        ("2,5 kg or 0,75 l", "two point five kilograms or zero point seven five liters"),
        ("Rooms 1,5 and 1,2,3", "rooms one five and one two three"),
        ("911", "nine one one"),
        ("In an emergency, 911 is the number.", "in an emergency nine one one is the number"),
        ("The 911 operator", "the nine one one operator"),
        ("My Porsche 911", "my porsche nine eleven"),
        ("911 people came", "nine hundred eleven people came"),
        ("MCMLXXXIV", "nineteen eighty four"),
        ("Fig.2 and p.7: the No.1 hit", "figure two and page seven the number one hit"),
        ("Ch. 7, v. 12", "chapter seven verse twelve"),
        ("Due 07/04.", "due july fourth"),
        ("x²/2", "x squared over two"),
        ("ISBN 978-3-16-148410-0", "i s b n nine seven eight three one six one four eight four one zero zero"),
        ("Sooooo good! Nooo way. Coool, yesss.", "so good no way cool yes"),
        ("Shhh! Brrr, hmmm. Aaaah, ewww", "shush burr hmm ah ew"),
        ("NOOOO, XXXL and AAA", "no x x x l and a a a"),
        ("Chapter iii, www.x.org", "chapter three w w w dot x dot org"),
        ("1" * 300, " ".join(["one"] * 300)),
    ],
)
def test_signs_that_a_newcomer_met(model: NormalizerModel, written: str, said: str) -> None:
    assert words(spoken(model, written)) == said
    assert "]" not in spoken(model, written)


def test_no_pause_behind_a_title(model: NormalizerModel) -> None:
    assert spoken(model, "Mr. Smith met Dr. No.") == "mister Smith met doctor No."


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("apples,pears;plums", "apples, pears; plums"), ("He left.She stayed.", "He left. She stayed."),
        ("Wait!What?Who?", "Wait! What? Who?"), ("the one,2 of them", "the one, two of them"),
        ("Use Console.Write and os.Exit", "Use Console.Write and os.Exit"), ("It's 5,he said.", "It's five, he said."),
    ],
)  # fmt: skip
def test_a_mark_between_words_is_followed_by_a_blank(model: NormalizerModel, written: str, said: str) -> None:
    assert spoken(model, written) == said


def test_the_stop_of_an_abbreviation_ends_the_sentence_too(model: NormalizerModel) -> None:
    assert spoken(model, "I love the U.S. It is home.") == "I love the U-S. It is home."
    assert spoken(model, "We left at 5 p.m.") == "We left at five P-M."
    assert spoken(model, "Pens, paper, etc.") == "Pens, paper, et cetera."


TOKENS = sorted({token for _, written, _ in table("english.tsv") for token in written.split()})


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(max_size=80),
        st.lists(st.sampled_from(TOKENS), max_size=12).map(" ".join),
        st.lists(
            st.sampled_from(PIECES.split()).flatmap(lambda piece: st.sampled_from([piece, f"{piece} "])),
            max_size=14,
        ).map("".join),
    )
)
def test_any_text_is_taken(model: NormalizerModel, text: str) -> None:
    for language in ("en", "en-gb"):
        said = spoken(model, text, language)
        assert not re.search(r"\n", said) or "\n" in text


@pytest.mark.parametrize("unit", RUNS)
def test_long_runs_of_anything_are_taken(model: NormalizerModel, unit: str) -> None:
    spoken(model, unit * (20_000 // len(unit)))


@pytest.mark.parametrize("unit", ["1 ", "12 34 ", "7, ", "1/2 ", '5" ', "3% ", "2.5 ", "5' "])
def test_numbers_are_as_cheap_as_prose(model: NormalizerModel, unit: str) -> None:
    prose = " ".join(written for kind, written, _ in table("english-kept.tsv") if kind == "plain")
    assert calls(model, unit * 1000) <= 3 * calls(model, prose)


def calls(model: NormalizerModel, text: str) -> float:
    """Calls of functions that reading a text takes, per character: unlike time, they are the same on every machine."""
    count = 0

    def counted(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        spoken(model, text)
    finally:
        sys.setprofile(None)
    return count / len(text)


def test_registering_and_loading_import_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from vall_e_english import EnglishNormalizer\n"
        "from vall_e_core import BuildContext\n"
        "assert 'vall_e_english.normalizer' not in sys.modules\n"
        "EnglishNormalizer().build(BuildContext())\n"
        "assert not {'torch', 'numpy'} & set(sys.modules), sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_phonemes_have_no_stop_more_or_less_and_nothing_unread(model: NormalizerModel) -> None:
    phonemizer = Registry.load().get(Phonemizer.kind, "espeak").from_mapping({}).build(BuildContext())
    written = [sentence for _, sentence, _ in table("english.tsv")]
    heard = phonemizer.phonemize([spoken(model, sentence) for sentence in written], "en")
    for sentence, phonemes in zip(written, heard, strict=True):
        assert sum(map(phonemes.count, ".;:!?")) <= sum(map(sentence.count, ".;:!?")), (sentence, phonemes)
        assert sentence[-1] not in ".!?" or phonemes[-1] in ".!?", (sentence, phonemes)
        assert not re.search(r"[\d#@&/*_<>^=$%+~|°]", phonemes), (sentence, phonemes)


def test_the_library_reads_a_lone_letter_a_as_a_letter(model: NormalizerModel) -> None:
    phonemizer = Registry.load().get(Phonemizer.kind, "espeak").from_mapping({}).build(BuildContext())
    said, article = phonemizer.phonemize(["the C-I-A agreed", "A cat and a dog"], "en")
    assert "ˈeɪ ɐɡɹˈiːd" in said
    for written in ("a.b@c.org", "A1B2", "a/b = c", "A&B", "I got an A- in it.", "seat 12A now", "x_A and aₙ"):
        (said,) = phonemizer.phonemize([spoken(model, written)], "en")
        assert "ˈeɪ" in said, (written, said)
    assert article.startswith("ɐ ")
