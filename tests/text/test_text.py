"""Text: normal form, sentences and segments; rows B1-B8 of the reliability list."""

from __future__ import annotations

import tracemalloc
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vall_e_core import InputError
from vall_e_text import (
    CleanText,
    Segment,
    Stop,
    Words,
    clean_text,
    decode_text,
    detect_script,
    estimate_seconds,
    find_sentences,
    joined,
    read,
    read_text,
    require_speech,
    split,
)


def split_text(text: str, **settings: float) -> list[Segment]:
    """The segments of a plain text."""
    pieces = read(text, markup="text").pieces
    require_speech(pieces)
    return split(pieces, **settings)


def split_sentences(line: str) -> list[str]:
    return [line[start:end] for start, end in find_sentences(line)]


def solid(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("text", ["", "   ", "\n\n", "...", "!?", "—", "😀🎉", "\u200b\u202e", "“”", "- - -"])
def test_b1_nothing_to_say_is_an_input_error(text: str) -> None:
    with pytest.raises(InputError, match="nothing to say") as caught:
        split_text(clean_text(text).text)
    assert caught.value.exit_code == 3 and caught.value.cause is not None


@pytest.mark.parametrize("text", ["a", "Hi", "No.", "7", "好", "I"])
def test_b2_the_shortest_texts_are_one_segment(text: str) -> None:
    (segment,) = split_text(text)
    assert segment.text == text and 0 < segment.seconds < 2 and segment.paragraph


FLOODS = {
    "sentences": "The birch canoe slid on the smooth planks. ", "word": "a", "digits": "7", "dots": ".",
    "brackets": "(", "stops": ". ", "commas": ",", "spaces": " ", "lines": "\n", "quotes": "'", "dashes": "-",
    "spaced": "a ", "tags": "<", "cjk": "好。", "combining": "e\u0301", "zero-width": "\u200b", "capitals": "A. B. ",
    "ellipsis": "…", "mixed": ".!?\"' ",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("flood", FLOODS)
def test_b3_time_is_linear_in_the_length(flood: str, grows_linearly: Callable[[Callable[[int], object]], bool]) -> None:
    def work(times: int) -> None:
        text = "a" + FLOODS[flood] * (10_000 * times // len(FLOODS[flood])) + "a"
        split(read(text).pieces)

    assert grows_linearly(work)


@pytest.mark.slow
def test_quadratic_work_does_not_count_as_linear(grows_linearly: Callable[[Callable[[int], object]], bool]) -> None:
    assert not grows_linearly(lambda times: sum(range(200_000 * times * times)))


@pytest.mark.slow
@pytest.mark.parametrize("flood", ["sentences", "word", "digits", "spaced", "cjk"])
def test_b3_a_million_characters_are_split_and_complete(flood: str) -> None:
    text = clean_text(FLOODS[flood] * (10**6 // len(FLOODS[flood]))).text
    segments = split_text(text, max_seconds=10)
    assert solid("".join(segment.text for segment in segments)) == solid(text)
    assert max(segment.seconds for segment in segments) <= 10 + 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("flood", ["sentences", "word", "digits", "brackets"])
def test_b3_memory_is_bounded_by_the_text(flood: str) -> None:
    """Of a fifth of a million characters: the bound is one for each, and tracing takes far longer than splitting."""
    text = "a" + FLOODS[flood] * (200_000 // len(FLOODS[flood]))
    tracemalloc.start()
    split_text(clean_text(text).text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * len(text)


def test_b4_what_is_neither_seen_nor_spoken_is_removed_and_counted() -> None:
    dirty = "a\u202eb\u200bc\0d\x1be\x9ff\ud800g\ufeffh\u200ei\u2066j\u00adk\u200dl"
    assert clean_text(dirty) == CleanText("abcdefghijkl", 11)
    assert clean_text("plain text").removed == 0


def test_b4_composed_and_decomposed_text_are_one() -> None:
    text = "naïve café Ångström が 한국"
    assert clean_text(unicodedata.normalize("NFD", text)) == clean_text(text)
    assert clean_text(text).text == unicodedata.normalize("NFC", text)


def test_b4_right_to_left_text_and_emoji_stay() -> None:
    for text in ("שלום עולם", "مرحبا بالعالم", "Well done 🎉 indeed"):
        assert clean_text(text).text == text
    assert clean_text("می\u200cخواهم").text == "می\u200cخواهم"  # this joiner spells a Persian word


@pytest.mark.parametrize("text", ["-h", "--help", "@file", "$(touch x)", "%s %d", "&amp; <b>", "a\\nb", "${HOME}"])
def test_b6_b8_text_is_taken_literally(text: str) -> None:
    assert clean_text(text).text == text
    assert "".join(segment.spoken for segment in split_text(f"{text} and a letter")) == f"{text} and a letter"


def test_colors_of_a_terminal_are_left_out_whole() -> None:
    assert clean_text("\x1b[1;32mOK\x1b[0m done").text == "OK done"
    assert clean_text("1️⃣ #️⃣").text == "1 #"


def test_b6_line_ends_and_blanks_have_one_form() -> None:
    assert clean_text("10\u202f000 1\u00a0234\u2009567").text == "10\u202f000 1\u202f234\u202f567"
    assert clean_text("5\u338f 3\u339e").text == "5kg 3km"
    assert clean_text("H\u0336i\u0336 =\u0338").text == "Hi \u2260"
    assert clean_text("a\u202fb 1\u00a02").text == "a b 1 2"
    assert clean_text("\ufeffa\r\nb\rc\u2028d\u0085e \n f\t g\u00a0\u3000h  ").text == "a\nb\nc\nd\ne\nf g h"


def test_b6_a_byte_order_mark_is_no_text() -> None:
    assert decode_text("\ufeffhé".encode(), "x") == "hé"
    assert decode_text("hé".encode("utf-16"), "x") == "hé"
    assert decode_text(b"\xfe\xff" + "hé".encode("utf-16-be"), "x") == "hé"


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ("café".encode("latin-1"), "0xE9 at offset 3"), (b"\xef\xbb\xbfab\xff", "0xFF at offset 5"),
        ("aé".encode()[:-1], "0xC3 at offset 1"), (b"\xff\xfea", "0x61 at offset 2"), (b"\x80", "0x80 at offset 0"),
    ],
)  # fmt: skip
def test_b6_another_encoding_is_refused_with_the_byte(tmp_path: Path, data: bytes, where: str) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(data)
    with pytest.raises(InputError, match=where) as caught:
        read_text(path)
    assert str(path) in caught.value.message and "iconv" in str(caught.value.try_)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.4\n1 0 obj", "a PDF document"), (b"PK\x03\x04" + bytes(40), "a document or an archive"),
        (b"{\\rtf1\\ansi Hello}", "an RTF document"), (b"\xd0\xcf\x11\xe0" + bytes(9), "an Office document"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "a recording"), (b"fLaC\x00\x00", "a recording"),
        (b"ID3\x04\x00", "a recording"), (b"\x89PNG\r\n", "a picture"), (b"\x1f\x8b\x08", "a packed file"),
        (b"H\x00i\x00", "UTF-16 without a byte-order mark"),
    ],
)  # fmt: skip
def test_b6_what_is_no_text_is_called_what_it_is(tmp_path: Path, data: bytes, kind: str) -> None:
    """Regression: a document whose bytes are all ASCII was read aloud, byte by byte."""
    path = tmp_path / "x.txt"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_text(path)
    assert kind in caught.value.render() and caught.value.try_ is not None


def test_b6_words_that_a_file_begins_with_are_words() -> None:
    for text in ("RIFF files are old.", "ID3 tags", "OggS", "PK is a name", "GIF89 is a format"):
        assert decode_text(text.encode(), "x") == text


def test_b6_files_that_are_none_are_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone.txt", Path("a\0b")):
        with pytest.raises(InputError):
            read_text(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Dr. Smith met J. R. Jones at 3.14 p.m. today. He left.", [
            "Dr. Smith met J. R. Jones at 3.14 p.m. today.", "He left.",
        ]),
        ("See No. 5. No. Never.", ["See No. 5.", "No.", "Never."]),
        ("“Stop!” he said. “Why?” She ran.", ["“Stop!” he said.", "“Why?”", "She ran."]),
        ('He said "no." Then he left.', ['He said "no."', "Then he left."]),
        ("Wait... what? Well… Yes.", ["Wait... what?", "Well…", "Yes."]),
        ("Visit example.com/a.b now. OK.", ["Visit example.com/a.b now.", "OK."]),
        ("你好。今天好吗？“好！”他说。", ["你好。", "今天好吗？", "“好！”", "他说。"]),
        ("これは。テスト！", ["これは。", "テスト！"]),
        ("Das sind z.B. Hunde usw. Und Katzen.", ["Das sind z.B. Hunde usw. Und Katzen."]),
        ("So do I. You too.", ["So do I.", "You too."]),
        ("What?! No!! (Really.) Yes.", ["What?!", "No!!", "(Really.)", "Yes."]),
        ("The U.S. Army. Inc. 5 etc. Done.", ["The U.S. Army.", "Inc. 5 etc. Done."]),
        ("", []), (".", ["."]),
    ],
)  # fmt: skip
def test_sentences(text: str, expected: list[str]) -> None:
    assert split_sentences(text) == expected


def test_short_sentences_are_joined_with_a_neighbour_of_their_paragraph() -> None:
    text = "No. I will not go there today, whatever you may say. Why?\n\nYes. Really."
    segments = split_text(text)
    assert [segment.text for segment in segments] == [
        "No. I will not go there today, whatever you may say. Why?",
        "Yes. Really.",
    ]
    assert [segment.paragraph for segment in segments] == [True, True]
    assert [segment.text for segment in split_text("好。对。", min_seconds=2)] == ["好。对。"]


def test_sentences_long_enough_stay_apart() -> None:
    sentences = ["The birch canoe slid on the smooth planks.", "Glue the sheet to the dark blue background."]
    segments = split_text(" ".join(sentences))
    assert [segment.text for segment in segments] == sentences
    assert [segment.paragraph for segment in segments] == [False, True]


def test_a_long_sentence_is_cut_at_its_clauses_and_then_between_words() -> None:
    text = "When the sun set over the hills, the old man, who had walked all day, sat down; then he slept."
    segments = split_text(text, max_seconds=4)
    assert all(segment.seconds <= 4 for segment in segments) and len(segments) > 1
    assert all(segment.text[-1] in ",;." for segment in segments)
    assert " ".join(segment.text for segment in segments) == text
    words = "word " * 200
    cut = split_text(words, max_seconds=4)
    assert all(set(segment.text.split()) == {"word"} for segment in cut)


AMOUNT = "nineteen dollars, and ninety-nine cents"


def test_words_that_stand_for_one_thing_are_not_cut_apart() -> None:
    for before in range(20, 45):
        words = [("word " * before, None), (AMOUNT, "$19.99"), (" word" * 40, None)]
        segments = split(placed(words))
        assert len(segments) > 1
        assert any(AMOUNT in segment.spoken for segment in segments), before


def test_words_that_stand_for_one_thing_are_cut_where_they_are_too_long() -> None:
    digits = "one two three four five, " * 20
    segments = split(placed([("say ", None), (digits, "12345" * 20), ("now", None)]))
    assert max(segment.seconds for segment in segments) <= 12.5
    assert solid("".join(segment.spoken for segment in segments)) == solid(f"say {digits}now")


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.text("ab ,.", min_size=1, max_size=30), st.sampled_from([None, "1"])), max_size=30),
    st.floats(0.2, 3),
)
def test_nothing_is_lost_whatever_belongs_together(words: list[tuple[str, str | None]], longest: float) -> None:
    pieces = placed([*words, ("a", None)])
    segments = split(pieces, max_seconds=longest, min_seconds=0)
    said = "".join(segment.spoken for segment in segments)
    assert [char for char in said if char.isalpha()] == [char for char in joined(pieces) if char.isalpha()]


def placed(words: Iterable[tuple[str, str | None]]) -> list[Words]:
    """Words, each with what was written, one behind the other."""
    found: list[Words] = []
    for text, written in words:
        start = found[-1].end if found else 0
        found.append(Words(text, start, start + len(text if written is None else written), written))
    return found


def test_a_combining_mark_stays_with_its_letter() -> None:
    for segment in split_text("x\u0323" * 1_000, max_seconds=2):
        assert not unicodedata.combining(segment.text[0])


def test_estimates_are_near_ordinary_speech() -> None:
    assert 2 < estimate_seconds("The birch canoe slid on the smooth planks.") < 4
    assert 1.5 < estimate_seconds("今天天气很好，我们去公园吧。") < 4
    assert estimate_seconds("1984") > estimate_seconds("abcd")


def test_scripts_are_told_apart() -> None:
    assert detect_script("今天 is OK") == "alphabet" and detect_script("今天天气 OK") == "cjk"
    assert detect_script("안녕하세요") == "cjk" and detect_script("") == "alphabet"


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300), st.floats(0.5, 20), st.floats(0, 3))
def test_nothing_speakable_is_lost_or_reordered(text: str, longest: float, shortest: float) -> None:
    normal = clean_text(text).text
    assert clean_text(normal).text == normal
    try:
        segments = split_text(normal, max_seconds=longest, min_seconds=shortest)
    except InputError:
        assert not any(map(str.isalnum, normal))
        return
    said = "".join(char for segment in segments for char in segment.text if char.isalnum())
    assert said == "".join(filter(str.isalnum, normal))
    assert segments[-1].paragraph
    for segment in segments:
        assert segment.text == segment.text.strip() and any(map(str.isalnum, segment.text))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*"ab .,!?\n\"'好。…1", "Dr. ", "e.g. ", "... "]), max_size=80))
def test_segments_hold_every_character_but_blanks(pieces: list[str]) -> None:
    normal = clean_text("".join(pieces)).text
    sentences = split_sentences(normal)
    assert solid("".join(sentences)) == solid(normal)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Add ⅛ of it, 3⅛ in all.", "Add 1/8 of it, 3 1/8 in all."), ("２０２４ yen", "2024 yen"),
        ("chapter ⑨.", "chapter 9."), ("ＨＥＬＬＯ！", "HELLO!"), ("½ cup, x²", "½ cup, x²"), ("①②", "1 2"),
    ],
)  # fmt: skip
def test_variants_of_ordinary_characters_are_read_as_those(given: str, expected: str) -> None:
    """Regression: espeak-ng says nothing for them."""
    found = clean_text(given).text
    assert " ".join(found.split()) == expected


WRAPPED = """It was the best of times, it was the worst of times, it was the age of
wisdom, it was the age of foolishness, it was the epoch of belief, it was
the epoch of incredulity, it was the season of Light."""


def lines(text: str) -> list[str]:
    """What is said between two stops."""
    found = [""]
    for piece in read(text, markup="text").pieces:
        if isinstance(piece, Words):
            found[-1] += piece.text
        elif isinstance(piece, Stop):
            found.append("")
    return [line for line in found if line]


BROKEN = "The whole of the family was there and all of them said that it was won-\nderful, as it had been."
CHINESE = "春天来了，公园里的花都开了，孩子们在草地上跑来跑去\n大人们坐在长椅上聊天，大家都觉得今天的天气非常好。"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WRAPPED, [WRAPPED.replace("\n", " ")]),
        (f"{WRAPPED}\n\n{WRAPPED}", [WRAPPED.replace("\n", " ")] * 2),
        (BROKEN, [BROKEN.replace("-\n", "-")]),
        ("The cat sat\non the mat.\nIt was happy.", ["The cat sat on the mat.", "It was happy."]),
        (f"Introduction\n{WRAPPED}", ["Introduction", WRAPPED.replace("\n", " ")]),
        (f"> {WRAPPED}".replace("\n", "\n> "), [WRAPPED.replace("\n", " ")]),
        ("Yes, I think that we should all go down to the harbor of old\nLisbon.", [
            "Yes, I think that we should all go down to the harbor of old Lisbon.",
        ]),
        ("I send you the report for\nQ3 2024. It is up.", ["I send you the report for Q3 2024. It is up."]),
        (CHINESE, [CHINESE.replace("\n", "").replace("，", ",")]),
    ],
)  # fmt: skip
def test_lines_that_were_wrapped_are_joined(text: str, expected: list[str]) -> None:
    """Regression: of a book from the web every line was a sentence."""
    assert lines(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "A shopping list for the family and all of their many good friends:\neggs\nmilk",
        "Two roads diverged in a yellow wood,\nAnd sorry I could not travel both",
        "The first line of the file is a sentence that is a little longer.\nThe second.\nAnd a third one.",
        "Breaking news from the city council meeting held on Monday\nMayor resigns", "one\ntwo", "one",
        "Milk\nEggs\nBread", "2 cups of flour\n1 teaspoon of salt\nhalf a cup of sugar",
        "Jane Doe\n12 High Street\nLondon\nSW1A 1AA", "an old silent pond\na frog jumps into the pond\nsplash",
        "Best regards,\nJane\nHead of Sales", "milk\neggs\nbread\nThen come home.", "床前明月光\n疑是地上霜",
    ],
)  # fmt: skip
def test_lines_that_mean_something_stay(text: str) -> None:
    assert lines(text) == text.split("\n")


def test_numbers_times_and_addresses_are_not_cut() -> None:
    """Regression: `$1,234,567` became "dollar one" and "two hundred thirty four thousand"."""
    text = ("It rose to $1,234,567 at 10:45 on https://example.com/a;b, " * 12).strip()
    pieces = [each.text for each in split_text(text, max_seconds=5.0)]
    words = {word for piece in pieces for word in piece.split()}
    assert len(pieces) > 5 and words == set(text.split())


def test_symbols_that_are_words_take_time() -> None:
    assert estimate_seconds("#@*/%&+=$<") == pytest.approx(3.0)
    assert estimate_seconds("\"'()-") == 0.0
