"""The English speller: from phonemes to words."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from vall_e_core import BuildContext, Registry
from vall_e_spelling import EnglishSpeller
from vall_e_stt import Speller, SpellerModel

SENTENCES = Path(__file__).with_name("sentences.tsv")
"""List B of the evaluation: what espeak-ng says, and what `vall-e stt` hears in flite's recordings of it."""


@pytest.fixture(scope="module")
def english() -> SpellerModel:
    return EnglishSpeller().build(BuildContext())


def words(text: str) -> list[str]:
    return "".join(char if char.isalpha() or char in "' " else " " for char in text.lower()).split()


def errors(wanted: Sequence[str], found: Sequence[str]) -> int:
    row = list(range(len(found) + 1))
    for number, want in enumerate(wanted, 1):
        above, row = row, [number]
        for place, have in enumerate(found, 1):
            row.append(min(row[-1] + 1, above[place] + 1, above[place - 1] + (want != have)))
    return row[-1]


def error_rate(english: SpellerModel, column: str) -> float:
    with SENTENCES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == 40
    texts = [english.spell([row[column]], "en")[0] for row in rows]
    wrong = sum(errors(words(row["sentence"]), words(text)) for row, text in zip(rows, texts, strict=True))
    return wrong / sum(len(words(row["sentence"])) for row in rows)


def test_true_phonemes_become_their_words(english: SpellerModel) -> None:
    """At most one word in ten may be wrong; it is one in a hundred."""
    assert error_rate(english, "espeak") <= 0.02


def test_what_the_model_hears_becomes_mostly_its_words(english: SpellerModel) -> None:
    assert error_rate(english, "heard") <= 0.13


@pytest.mark.parametrize(
    ("phonemes", "text"),
    [
        ("aɪ wˈɔnt tə ɡˈoʊ tə ðə stˈoːɹ.", "I want to go to the store."),
        ("ɪt ɪz tˈuː lˈeɪt.", "It is too late."),
        ("ðeɪ hæv tˈuː kˈæts.", "They have two cats."),
        ("wˈɛɹ ɪz jʊɹ kˈoʊt?", "Where is your coat?"),
        ("aɪ nˈoʊ hˌɪm, ænd hiː nˈoʊz mˌiː.", "I know him, and he knows me."),
        ("hæv jˌuː ˈɛvɚ bˌɪn tə pˈæɹɪs?", "Have you ever been to Paris?"),
    ],
)
def test_words_that_sound_alike_are_chosen_by_their_neighbors(
    english: SpellerModel, phonemes: str, text: str
) -> None:  # fmt: skip
    assert english.spell([phonemes], "en") == [text]


def test_blanks_may_be_elsewhere_or_nowhere(english: SpellerModel) -> None:
    wanted = ["The old man sat in the sun"]
    for phonemes in ("ðɪ ˈoʊld mˈæn sˈæt ɪn ðə sˈʌn", "ðɪˈoʊldmˈæn sˈætɪnðəsˈʌn", "ðɪ ˈoʊl dmˈæn sˈæ tɪn ðəsˈʌn"):
        assert english.spell([phonemes], "en") == wanted


def test_a_wrong_a_missing_and_an_extra_phoneme_are_forgiven(english: SpellerModel) -> None:
    for phonemes in ("ðə tˈeɪbəl ɪz ɹˈɛt", "ðə tˈeɪbl ɪz ɹˈɛd", "ðə tˈeɪbəəl ɪz ɹˈɛd"):
        assert english.spell([phonemes], "en") == ["The table is red"]


def test_a_sentence_goes_on_in_the_next_piece(english: SpellerModel) -> None:
    pieces = ["ðə dˈɔːɡ ɹˈæn ɐwˈeɪ", "ænd nˈɛvɚ kˈeɪm bˈæk. wˌiː lˈʊkt", "", "fɔːɹ ɪt!"]
    assert english.spell(pieces, "en") == ["The dog ran away", "and never came back. We looked", "", "for it!"]


def test_what_no_word_fits_is_written_by_its_sound(english: SpellerModel) -> None:
    (text,) = english.spell(["maɪ nˈeɪm ɪz zɡwˈɪbnoʊks"], "en")
    assert text.startswith("My name is ") and "zgw" in text.lower()


@pytest.mark.parametrize("nothing", ["", " ", "...", "ˈˌː", "12 34", "🙂", "\u0329\u0329"])
def test_nothing_is_made_of_nothing(english: SpellerModel, nothing: str) -> None:
    assert english.spell([nothing], "en") == [""]
    assert english.spell([], "en") == []


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["ə", "æ b t ", "tʃ. ", "ɪnðə", "ˈ", "x" * 40 + " "])
def test_hostile_phonemes_take_time_in_proportion_to_their_number(
    english: SpellerModel, grows_linearly: Callable[[Callable[[int], object]], bool], piece: str
) -> None:
    assert grows_linearly(lambda size: english.spell([(piece * 400 * size)[: 400 * size]], "en"))


def test_the_same_phonemes_always_give_the_same_text(english: SpellerModel) -> None:
    phonemes = "ðə kˈændəl bˌɜːnd ʌntˈɪl mˈɔːɹnɪŋ."
    alone = english.spell([phonemes], "en")
    english.spell(["sˈʌmθɪŋ ˈɛls ænd nˈoʊ ˈɛnd"], "en")
    assert english.spell([phonemes], "en") == alone == EnglishSpeller().build(BuildContext()).spell([phonemes], "en")


def test_it_is_found_by_its_language() -> None:
    known = Registry.load(environ={}).all(Speller)
    assert known["english"] is EnglishSpeller
    assert EnglishSpeller.serves("en") and EnglishSpeller.serves("en-US") and not EnglishSpeller.serves("de")


def test_the_data_is_small() -> None:
    import vall_e_spelling

    folder = Path(vall_e_spelling.__file__).parent / "data"
    assert sum(each.stat().st_size for each in folder.iterdir()) <= 5_000_000
