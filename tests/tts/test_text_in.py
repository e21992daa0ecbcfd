"""Text through the command line: the rows B of the reliability list."""


from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vall_e_core import InputError, Registry, VallE
from vall_e_text import split as split_pieces
from vall_e_tts import SpeechOptions, SpeechRequest
from vall_e_tts.synthesis.limits import expected_seconds
from vall_e_tts.synthesis.parts import make_parts

SHORT = ("--max-ar-steps", 5, "--max-tries", 1)


@pytest.mark.parametrize("text", ["", "   ", "...", "?!", "\u202e\u200b", "\n\n"])
def test_b1_nothing_to_say_is_an_input_error(tts: Any, text: str) -> None:
    done = tts.run(text=text, model=Path("never-looked-at.sft"), code=3)
    assert "nothing to say" in done.stderr and not tts.out.exists()


def test_b1_pictures_are_named_or_nothing(tts: Any) -> None:
    assert "nothing to say" in tts.run("--normalizer", "none", text="🙂🙂", code=3).stderr
    assert "smil" in tts(*SHORT, "--unk", "skip", text="🙂🙂")["spoken"]


@pytest.mark.parametrize("text", ["a", "Hi", "No."])
def test_b2_a_word_takes_its_time_and_no_more(tts: Any, text: str) -> None:
    """A random model never stops where it should: the text's own bound does."""
    record = tts(text=text)
    assert record["duration"] <= 2.0
    assert record["duration"] >= 0.2 or record["warnings"]


@pytest.mark.slow
@pytest.mark.parametrize("text", ["word " * 4000, "a" * 20_000, "((((" * 2_500 + " ok", "one. " * 4000])
def test_b3_long_text_is_split_in_linear_time(
    text: str, grows_linearly: Callable[[Callable[[int], object]], bool]
) -> None:
    registry = Registry.load(third_party=False)
    options = SpeechOptions(phonemizer="ipa", unk="skip")

    def split(times: int) -> None:
        split_pieces(SpeechRequest(text * times, [], options=options).prepare(registry).pieces, max_seconds=10)

    assert grows_linearly(split)


def test_b4_controls_are_removed_and_counted_and_nfc_is_nfd(tts: Any) -> None:
    plain = tts(*SHORT, text="hello there")
    hidden = tts(*SHORT, text="he\u200bllo \u202ethere\u0007")
    assert hidden["spoken"] == "hello there" and hidden["characters_removed"] == 3 and plain["characters_removed"] == 0
    assert hidden["text"] == "he\u200bllo \u202ethere\u0007"
    assert hidden["parts"][0]["span"] == [0, len(hidden["text"]) - 1]
    assert hidden["parts"][0]["codes_sha256"] == plain["parts"][0]["codes_sha256"]
    texts = [tts(*SHORT, "--unk", "skip", text=unicodedata.normalize(form, "café")) for form in ("NFC", "NFD")]
    assert texts[0]["phonemes"] == texts[1]["phonemes"] and texts[0]["spoken"] == texts[1]["spoken"]


def test_b4_bytes_that_are_no_text_are_refused_as_in_a_file(tts: Any) -> None:
    done = tts.run(*SHORT, text="hel\udc80lo", code=3)
    assert "0x80 at offset 3" in done.stderr and "set to UTF-8" in done.stderr and not tts.out.exists()


def test_b4_lone_surrogates_are_left_out(registry: Registry, make_model: Any, tmp_path: Path) -> None:
    engine = VallE.load(make_model(tmp_path / "model.sft"), registry=registry, device="cpu")
    speech = engine.synthesize("hel\ud800lo", voice="tim", phonemizer="letters", seed=1, max_ar_steps="9")
    assert speech.record["spoken"] == "hello" and speech.record["text"] == "hel\ufffdlo"


def test_b5_an_unknown_language_is_refused_with_the_list(tts: Any) -> None:
    done = tts.run("--language", "xx", code=2)
    assert "'xx'" in done.stderr and "de, en" in done.stderr


def test_b5_auto_reaches_the_models_condition(tts: Any) -> None:
    """Regression: a detected language was used for phonemes and never reached the model."""
    named = tts("--language", "de", text="straße und haus")
    found = tts("--language", "auto", text="straße und haus")
    assert found["language"] == "de" and found["language_id"] == 2
    assert found["parts"][0]["codes_sha256"] == named["parts"][0]["codes_sha256"]


def test_b5_a_language_the_model_was_not_trained_on_is_said(tts: Any, make_model: Any, tmp_path: Path) -> None:
    record = tts("--language", "de", "--max-ar-steps", 5, model=make_model(tmp_path / "english.sft", langs=1))
    assert record["language_id"] == 0
    assert any("wasn't trained on the language de" in line for line in record["warnings"])


def test_b7_unknown_phonemes_are_listed_or_skipped(tts: Any) -> None:
    done = tts.run(text="naïve café", code=3)
    assert "'ï'" in done.stderr and "'é'" in done.stderr and "--unk skip" in done.stderr
    record = tts("--unk", "skip", *SHORT, text="naïve café")
    assert record["phonemes"] == "nave caf." and "'ï' 'é'" in record["warnings"][0]
    assert tts.run("--unk", "skip", text="ïé", code=3).stderr.count("nothing to say") == 1


def test_b7a_any_punctuation_is_read(tts: Any) -> None:
    """Regression: a dash or a curly quote, which any book has, ended the run."""
    record = tts(*SHORT, text="“oh — wait…” (he) said; it’s «odd»")
    assert record["phonemes"] == "oh, wait. he said; it's odd."
    assert not any("know" in line for line in record["warnings"])


def test_a_paragraph_that_cannot_be_read_does_not_cost_the_others(
    registry: Registry, make_model: Any, tmp_path: Path
) -> None:
    """Regression: a number in a circle between two chapters, and nothing of a book was spoken."""
    engine = VallE.load(make_model(tmp_path / "model.sft"), registry=registry, device="cpu")
    whole = engine.synthesize("hello there.\n\nᏣᎳᎩ\n\nand good bye.", voice="tim", seed=1, max_ar_steps="9", unk="skip")
    assert [part.text for part in whole.parts] == ["hello there.", "and good bye."]
    assert any("left out" in line and "ᏣᎳᎩ" in line for line in whole.warnings)
    with pytest.raises(InputError, match="no reading"):
        engine.synthesize("ᏣᎳᎩ", voice="tim", seed=1)


def test_what_is_long_in_words_is_made_in_parts() -> None:
    """Regression: 16.1% is seven words, which its five characters don't show, and the end was cut off."""
    engine = VallE.load(device="cpu")
    text = "it went from 1234567 to 7654321 and 2345678 to 8765432 or 3456789 to 9876543 and then to 4567891 again"
    prepared = SpeechRequest(text, voice="heart").prepare(engine.registry)
    parts = make_parts(engine, prepared, None, 6.0).items
    assert " ".join(part.text for part in parts) == text
    assert len(parts) > 2 and all(expected_seconds(part.phonemes) <= 6.0 for part in parts)


def test_b8_markup_is_text_or_left_out(tts: Any) -> None:
    markup = '<speak version="1.0">hello &amp; <break/>there</speak>'
    assert [part["spoken"] for part in tts("--unk", "skip", *SHORT, text=markup)["parts"]] == ["hello and", "there"]
    assert "speak" in tts("--markup", "text", "--unk", "skip", *SHORT, text=markup)["phonemes"]
    bomb = '<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;">]>&z; hello'
    assert "hello" in tts("--unk", "skip", *SHORT, text=bomb)["phonemes"]


@pytest.mark.slow
def test_several_lines_make_one_file_in_order(tts: Any) -> None:
    """Regression: every line's audio went to the same path, so the file held the last line alone."""
    import soundfile

    lines = "First comes this long line.\nSecond comes that long line.\nThird comes the last line."
    record = tts("--pause", 0, text=lines)
    assert [part["text"][:5] for part in record["parts"]] == ["First", "Secon", "Third"]
    starts = [part["start"] for part in record["parts"]]
    ends = [part["start"] + part["duration"] for part in record["parts"]]
    assert starts == pytest.approx([0, *ends[:-1]]) and soundfile.info(tts.out).duration == pytest.approx(ends[-1])


@pytest.mark.slow
def test_batched_results_keep_the_order_of_the_text(tts: Any) -> None:
    """Regression: batches were sorted by length and came back sorted."""
    text = "This is the longest sentence of all of them by far. A middle sized sentence it is. Here is a short one."
    together, alone = tts("--batch-size", 8, text=text), tts("--batch-size", 1, text=text)
    assert [part["text"] for part in together["parts"]] == [part["text"] for part in alone["parts"]]
    assert [part["codes_sha256"] for part in together["parts"]] == [part["codes_sha256"] for part in alone["parts"]]


def test_a_file_in_the_place_of_the_text_is_not_said_by_name(tts: Any, tmp_path: Path) -> None:
    """Regression: `vall-e tts notes.txt ref.wav out.wav` said "notes dot T X T"."""
    notes = tmp_path / "notes.txt"
    notes.write_text("hello there", "utf-8")
    done = tts.cli("tts", notes, tts.reference, tmp_path / "o.wav", "--model", tts.model, code=2)
    assert f"-f {notes} to read the file" in done.stderr and not (tmp_path / "o.wav").exists()
    swapped = tts.cli("tts", tts.reference, "Hello.", tmp_path / "o.wav", "--model", tts.model, code=2)
    assert "the order is TEXT REF OUT" in swapped.stderr


def test_b15_letters_that_a_stuck_key_made_are_said_and_what_is_no_word_is_left_out(tts: Any) -> None:
    record = tts(*SHORT, text="so" + "o" * 300)
    assert record["spoken"] == "so" and "301 times" in record["warnings"][0]
    record = tts(*SHORT, text=f"take {'qwertyuiop' * 30} now")
    assert record["spoken"] == "take now" and "300 letters" in record["warnings"][0]
    done = tts.run(text="qwertyuiop" * 30, model=Path("never-looked-at.sft"), code=3)
    assert "nothing to say" in done.stderr and "no word" in done.stderr
