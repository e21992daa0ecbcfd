"""The recipe of the speller's data, on a few words."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from tools.speller import ngrams, pack, pronounce, texts, words


def test_a_text_is_cut_into_sentences_at_marks_and_numbers() -> None:
    text = "Mr. Smith’s dog ran; it barked 3 times (loudly). “No,” he said."
    assert list(texts.sentences(text)) == [
        ["Mr", "Smith's", "dog", "ran"], ["it", "barked"], ["No", "he", "said"],
    ]  # fmt: skip


def test_spelling_is_american_where_the_list_has_it_so() -> None:
    known = {word: {word} for word in ("color", "center", "for", "four", "realize")}
    given = ("colour", "centre", "four", "realise", "zebra")
    assert [words.american(each, known) for each in given] == ["color", "center", "four", "realize", "zebra"]


def test_words_are_chosen_by_their_use_and_written_as_the_list_says(tmp_path: Path) -> None:
    (tmp_path / "american-english").write_text("the\ndog\nEngland\nSmith\nsmith\nran\nNATO\ncolor\n", "utf-8")
    known = words.listed(tmp_path / "american-english")
    sentences = [["the", "dog", "of", "Smith", "ran"], ["dog", "Smith", "England"], ["a", "dog", "colour"]]
    made = words.vocabulary(known, frozenset({"the"}), sentences, {"the": 0.5, "dog": 0.1})
    written = dict(zip(made.words, made.written, strict=True))
    assert made.words[:4] == ("<s>", "</s>", "the", "dog")
    assert (written["england"], written["smith"], written["dog"], written["i"]) == ("England", "Smith", "dog", "I")
    assert "nato" not in written and "colour" not in written


def test_ways_to_say_a_word_have_the_share_of_their_occurrences() -> None:
    assert pronounce.plain("bˈʌʔn̩ ˈiːt") == "bʌʔn it"
    alone = {"the": Counter({"ðə": 1}), "cat": Counter({"kæt": 1})}
    found = pronounce.mixed(alone, {"the": Counter({"ðə": 60, "ðɪ": 40, "xx": 1})})
    assert found["cat"] == {"kæt": 1.0}
    assert set(found["the"]) == {"ðə", "ðɪ"} and sum(found["the"].values()) == 1.0
    assert found["the"]["ðə"] > found["the"]["ðɪ"] > 0.2


def test_the_tree_holds_every_way_once() -> None:
    ways = {"cat": {"kæt": 1.0}, "cats": {"kæts": 1.0}, "kat": {"kæt": 1.0}, "at": {"æt": 0.5, "ət": 0.5}}
    made = pack.tree(ways, {"cat": 2, "cats": 3, "kat": 4, "at": 5})
    alphabet = made["alphabet"].tobytes().decode("utf-8")
    begins = np.concatenate([[1], 1 + np.cumsum(made["child"], dtype=np.int64)])
    ends = np.concatenate([[0], np.cumsum(made["entry"], dtype=np.int64)])
    found: list[tuple[str, int]] = []

    def walk(node: int, said: str) -> None:
        found.extend((said, int(made["entry_word"][each])) for each in range(ends[node], ends[node + 1]))
        for child in range(begins[node], begins[node + 1]):
            walk(child, said + alphabet[made["label"][child] - 1])

    walk(0, "")
    assert sorted(found) == [("kæt", 2), ("kæt", 4), ("kæts", 3), ("æt", 5), ("ət", 5)]


def test_a_dump_that_breaks_off_is_read_to_its_last_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "x.arpa"
    path.write_text("\\1-grams:\n-1.0\tthe\t-0.5\n-2.0\tcat\t0.0\n\n\\2-grams:\n-0.3010\tthe\tcat\t0.0\n-4.", "utf-8")
    found = ngrams.read_arpa(path)
    assert found.ones == {"the": 0.1, "cat": 0.01} and round(found.pairs["the", "cat"], 3) == 0.5
