"""The `espeak` phonemizer: the library is found or all places are named, nothing of a text is lost on the way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import espeakng_loader
import pytest

from vall_e_core import BuildContext, InputError, PhonemizerModel, PluginError, UsageError
from vall_e_espeak import EspeakPhonemizer
from vall_e_espeak.library import find_library, short_data_path
from vall_e_espeak.phonemizer import EspeakPhonemizerModel, build
from vall_e_espeak.prepare import CALL_LIMIT, chunks, prepare

LIBRARY = Path(espeakng_loader.get_library_path())


@pytest.fixture(scope="module")
def espeak() -> PhonemizerModel:
    return EspeakPhonemizer().build(BuildContext())


def one(model: PhonemizerModel, text: str, language: str = "en") -> str:
    (result,) = model.phonemize([text], language)
    return result


def test_stress_is_marked_and_punctuation_kept(espeak: PhonemizerModel) -> None:
    assert isinstance(espeak, PhonemizerModel)
    assert one(espeak, "Hello, world! It's 3.14; “so” (they) say…") == (
        "həlˈoʊ, wˈɜːld! ɪts θɹˈiː pɔɪnt wˈʌn fˈɔːɹ; “sˈoʊ” (ðeɪ) sˈeɪ…"
    )


def test_the_letter_a_is_no_article_among_letters(espeak: PhonemizerModel) -> None:
    assert one(espeak, "A B C") == "ˈeɪ bˈiː sˈiː" and one(espeak, "A- squared") == "ˈeɪ skwˈɛɹd"
    assert one(espeak, "A B student").startswith("ɐ ")


def test_a_batch_keeps_order_and_count(espeak: PhonemizerModel) -> None:
    texts = ["one", "", "...", "two\nthree", "  ", "four"]
    results = espeak.phonemize(texts, "en")
    assert results == [one(espeak, text) for text in texts]
    assert results[0] == "wˌʌn" and results[1] == "" and results[2] == "..." and results[4] == ""


@pytest.mark.parametrize(
    ("language", "voice"), [("en", "en-us"), ("fr", "fr-fr"), ("zh", "cmn-latn-pinyin"), ("EN_us", "en-us")]
)
def test_short_codes_stand_for_the_voices_models_were_trained_with(
    espeak: PhonemizerModel, language: str, voice: str
) -> None:
    text = "bonjour, hello 你好"
    assert one(espeak, text, language) == one(espeak, text, voice)
    assert language.lower().replace("_", "-") in espeak.languages()


def test_mandarin_tones_are_marks_or_digits_by_choice(espeak: PhonemizerModel) -> None:
    digits = EspeakPhonemizer(tones="digits").build(BuildContext())
    plain = one(digits, "你好，世界！", "zh")
    assert set("12345") & set(plain)
    assert one(espeak, "你好，世界！", "zh") == plain.translate(str.maketrans("12345", "ˇˉˊˋ_"))
    assert "," in plain and plain.endswith("!")


def test_japanese_katakana_reads_as_hiragana(espeak: PhonemizerModel) -> None:
    assert one(espeak, "コンニチハ", "ja") == one(espeak, "こんにちは", "ja") != ""


def test_japanese_kanji_without_pykakasi_is_a_clear_error(
    espeak: PhonemizerModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pykakasi", None)
    monkeypatch.setattr(espeak, "_kakasi", None)
    with pytest.raises(PluginError, match="pykakasi") as caught:
        one(espeak, "世界", "ja")
    assert caught.value.exit_code == 4 and "pip install" in str(caught.value.try_)


def test_auto_without_langdetect_is_a_clear_error(espeak: PhonemizerModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langdetect", None)
    with pytest.raises(PluginError, match="langdetect") as caught:
        one(espeak, "hello", "auto")
    assert "--language" in str(caught.value.try_)


def test_auto_asks_about_all_texts_together(espeak: PhonemizerModel, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def detect(texts: list[str]) -> str:
        asked.append(texts)
        return "fr"

    monkeypatch.setattr("vall_e_espeak.languages.detect", detect)
    assert espeak.phonemize(["le chat", "un"], "auto") == espeak.phonemize(["le chat", "un"], "fr")
    assert asked == [["le chat", "un"]]


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("It is. 2.5 kilos", ". tˈuː pɔɪnt fˈaɪv kˈiːloʊz"), ("One, 1,234 and so", ", wˈʌn θˈaʊzənd "),
        ("Stop. It rose to 3.14.", "θɹˈiː pɔɪnt wˈʌn fˈɔːɹ."),
        ("Now: at 10:45, go", "nˈaʊ: æt tˈɛn fˈɔːɹɾi fˈaɪv, ɡˈoʊ"),
        ("Yes. See example.com.", "dˈɑːt kˈɑːm."), ("the end.Next one", "ˈɛnd.nˈɛkst"), ("so – what?", "sˈoʊ – wˌʌt?"),
        ("“Hi!” (he) said…", "“hˈaɪ!” (hiː) sˈɛd…"), ("...", "..."),
    ],
)  # fmt: skip
def test_a_number_keeps_its_separators_whatever_marks_stand_before(
    espeak: PhonemizerModel, text: str, spoken: str
) -> None:
    """Regression: the package cut a line at a mark's first occurrence, and `2.5` became two numbers."""
    assert spoken in one(espeak, text)


def test_language_switch_flags_are_removed(espeak: PhonemizerModel) -> None:
    result = one(espeak, "J'aime le football.", "fr")
    assert "(" not in result and "fˈʊt" in result


def test_b4_composed_and_decomposed_letters_give_the_same_phonemes(espeak: PhonemizerModel) -> None:
    text = "naïve café, Ångström, señor"
    assert one(espeak, unicodedata.normalize("NFC", text)) == one(espeak, unicodedata.normalize("NFD", text))


@pytest.mark.parametrize("language", ["xx", "", "en-zz-top", "../en", "klingon"])
def test_b5_an_unknown_language_is_a_usage_error_with_the_list(espeak: PhonemizerModel, language: str) -> None:
    with pytest.raises(UsageError) as caught:
        one(espeak, "hello", language)
    assert caught.value.exit_code == 2
    assert ", en, " in str(caught.value.try_) and ", zh" in str(caught.value.try_)


def test_b5_letters_of_another_script_are_reported() -> None:
    notices: list[str] = []
    model = EspeakPhonemizer().build(BuildContext(notify=notices.append))
    one(model, "hello привет", "en")
    assert len(notices) == 1 and "6 Cyrillic letters" in notices[0]
    one(model, "naïve “hello”, 3 µm", "en")
    one(model, "привет", "ru")
    assert len(notices) == 1


@pytest.mark.parametrize("text", ["Привет, мир!", "你好", "שלום עולם"])
def test_b5_text_of_another_script_is_no_row_of_letters_names(espeak: PhonemizerModel, text: str) -> None:
    with pytest.raises(InputError, match="no reading in 'en-us'"):
        one(espeak, text, "en")
    assert one(espeak, f"It says {text}", "en") and one(espeak, "π", "en")


def test_b5_letters_without_any_reading_are_an_error_not_silence(espeak: PhonemizerModel) -> None:
    with pytest.raises(InputError, match="no reading"):
        one(espeak, "ᏣᎳᎩ", "de")


@pytest.mark.parametrize(
    ("text", "language", "sound", "count"),
    [
        ("7" * 30_000, "en", "sˈɛvən", 30_000),
        ("bo" * 20_000, "en", "b", 20_000),
        ("dog " * 5_000, "en", "dˈɑːɡ", 5_000),
        ("好" * 3_000, "zh", "χ", 3_000),
        ("你好，" * 1_000, "zh", "χ", 1_000),
        ("भारत" * 1_000, "hi", "bʰ", 1_000),
    ],
)
def test_b3_b9_nothing_of_a_very_long_text_is_lost(
    espeak: PhonemizerModel, text: str, language: str, sound: str, count: int
) -> None:
    assert one(espeak, text, language).count(sound) == count


@pytest.mark.slow
def test_b9_the_library_is_only_given_bounded_pieces(espeak: PhonemizerModel, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(espeak, EspeakPhonemizerModel)
    sizes: list[int] = []

    class Recorder:
        def phonemize(self, texts: list[str], strip: bool) -> list[str]:
            sizes.extend(len(text) for text in texts)
            return ["a"] * len(texts)

    monkeypatch.setattr(espeak._espeak, "backend", lambda voice: Recorder())
    one(espeak, "(" * 400_000 + "word " * 100_000 + "x" * 100_000)
    assert sizes and max(sizes) <= CALL_LIMIT


@pytest.mark.parametrize(
    "text",
    [
        "[[f'Vt]] hello [[ ]]", "$(touch canary) `touch canary` ; touch canary", "%s %n %x", "-h --help @file",
        "<speak><break time='9999s'/>hi</speak>", "<!DOCTYPE x [<!ENTITY a 'b'>]>&a;",
        "hello \ud800 \0 \x1b[31m", "\u202ehello",
        "(" * 5_000, "\n" * 1_000 + "hi", ". , ; " * 500,
    ],
)  # fmt: skip
def test_b9_hostile_text_is_read_as_text(
    espeak: PhonemizerModel, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = one(espeak, text)
    assert isinstance(result, str) and "\0" not in result
    assert list(tmp_path.iterdir()) == []


def test_b9_phoneme_brackets_are_not_interpreted(espeak: PhonemizerModel) -> None:
    assert one(espeak, "[[hello]]") == f"[[{one(espeak, 'hello')}]]"


def test_prepared_text_survives_cutting_into_chunks() -> None:
    text = prepare("word " * 3_000 + "x" * 5_000)
    assert "".join(chunks(text)).replace(" ", "") == text.replace(" ", "")


def test_c2_the_variable_comes_first_and_must_be_usable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VALL_E_ESPEAK_LIBRARY", str(LIBRARY))
    assert find_library().source == "VALL_E_ESPEAK_LIBRARY"
    monkeypatch.setenv("VALL_E_ESPEAK_LIBRARY", str(tmp_path / "gone.so"))
    with pytest.raises(PluginError, match="espeak-ng isn't usable") as caught:
        EspeakPhonemizer().build(BuildContext())
    assert "gone.so" in str(caught.value.cause) and "VALL_E_ESPEAK_LIBRARY" in str(caught.value.cause)
    monkeypatch.delenv("VALL_E_ESPEAK_LIBRARY")
    assert find_library().source == "espeakng-loader"


def test_c2_the_message_names_every_place_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    monkeypatch.setattr("vall_e_espeak.library.ctypes.util.find_library", lambda name: str(tmp_path / f"lib{name}.so"))
    monkeypatch.setattr("vall_e_espeak.library._usual_places", lambda: [tmp_path / "Program Files" / "x.dll"])
    with pytest.raises(PluginError) as caught:
        find_library()
    cause = str(caught.value.cause)
    assert "libespeak-ng.so" in cause and "x.dll" in cause and caught.value.exit_code == 4
    assert "pip install espeakng-loader" in str(caught.value.try_)


def test_a_library_without_its_data_is_refused_before_it_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = tmp_path / "lib" / LIBRARY.name
    copy.parent.mkdir()
    shutil.copy(LIBRARY, copy)
    monkeypatch.setattr("vall_e_espeak.library.Path.is_file", lambda self: self == copy)
    with pytest.raises(PluginError) as caught:
        find_library(copy)
    assert "no espeak-ng-data" in str(caught.value.cause)


def test_a_file_that_is_no_library_is_a_clear_error(tmp_path: Path) -> None:
    fake = tmp_path / "libespeak-ng.so"
    fake.write_text("not a library")
    (tmp_path / "espeak-ng-data").mkdir()
    (tmp_path / "espeak-ng-data" / "phontab").touch()
    with pytest.raises(PluginError, match="can't be loaded"):
        EspeakPhonemizer(library=fake).build(BuildContext())


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / ("a" * 100) / ("b" * 100)
    folder.mkdir(parents=True)
    yield folder
    shutil.rmtree(tmp_path / ("a" * 100))


def test_data_in_a_deep_folder_is_reached_by_a_short_path(deep: Path) -> None:
    """espeak-ng cuts the path off at 160 bytes and then ends the process: a deep virtual environment is enough."""
    package = deep / "espeakng_loader"
    shutil.copytree(LIBRARY.parent, package)
    code = (
        "from vall_e_espeak import EspeakPhonemizer; from vall_e_core import BuildContext; import sys, pathlib;"
        "print(EspeakPhonemizer(library=pathlib.Path(sys.argv[1])).build(BuildContext()).phonemize(['hello'], 'en'))"
    )
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "plugins")]), "PYTHONUTF8": "1"}
    command = [sys.executable, "-c", code, str(package / LIBRARY.name)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "['həlˈoʊ']", done.stderr
    assert len(os.fsencode(short_data_path(package / "espeak-ng-data"))) < 120


def test_the_phonemizer_package_keeps_its_own_settings(espeak: PhonemizerModel) -> None:
    from phonemizer.backend.espeak.wrapper import EspeakWrapper

    EspeakPhonemizer().build(BuildContext()).phonemize(["hello"], "de")
    assert EspeakWrapper._ESPEAK_LIBRARY is None and EspeakWrapper._ESPEAK_DATA_PATH is None


def test_the_library_is_loaded_once_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each loading left seven megabytes behind, and every call of `synthesize` loaded it anew."""
    from phonemizer.backend.espeak.api import EspeakAPI

    first = build(None, tones="marks", notify=print).phonemize(["Hello."], "en-us")
    loads: list[object] = []
    begin = EspeakAPI.__init__

    def counted(self: Any, *given: Any) -> None:
        loads.append(given)
        begin(self, *given)

    monkeypatch.setattr(EspeakAPI, "__init__", counted)
    again = [build(None, tones="marks", notify=print).phonemize(["Hello."], "en-us") for _ in range(3)]
    assert again == [first] * 3 and loads == []
