"""Clips joined for a recognizer, and the judge that does it, with a stand-in for Whisper that reads tones."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest

from vall_e_core import BuildContext, ModelError, Registry
from vall_e_eval import Judge, Judged, Recording
from vall_e_eval.filing import Filing
from vall_e_eval.joining import GAP, RATE, Word, join, part, windows
from vall_e_eval.panel import Panel
from vall_e_eval.store import Store

from .conftest import Run

WORDS = {300: "alpha", 500: "bravo", 700: "charlie", 900: "delta", 1100: "echo"}
"""The word that a tone of so many Hz says."""


def spoken(*said: str, seconds: float = 0.4) -> Recording:
    """Each word as its tone, with a short pause behind it."""
    pitch = {word: hertz for hertz, word in WORDS.items()}
    t = np.arange(round(seconds * RATE)) / RATE
    pause = np.zeros(round(0.1 * RATE))
    pieces = [piece for word in said for piece in (0.3 * np.sin(2 * np.pi * pitch[word] * t), pause)]
    return Recording(np.concatenate(pieces).astype(np.float32), RATE)


# windows


def test_windows_hold_half_a_minute_and_no_sentence_twice() -> None:
    assert windows([(str(n), 4.0) for n in range(8)]) == [[0, 1, 2, 3, 4], [5, 6, 7]]
    assert windows([("a", 4.0), ("b", 4.0), ("a", 4.0), ("c", 4.0)]) == [[0, 1], [2, 3]]
    assert windows([("a", 2.0), ("b", 60.0), ("c", 2.0)]) == [[0], [1], [2]]
    assert windows([]) == []


def test_clips_lie_apart_and_whole_in_a_window() -> None:
    clips = [spoken("alpha").wave, spoken("bravo", "echo").wave]
    wave, spans = join(clips)
    assert [end - start for start, end in spans] == [len(each) / RATE for each in clips]
    assert spans[1][0] - spans[0][1] == GAP
    for clip, (start, end) in zip(clips, spans, strict=True):
        assert np.array_equal(wave[round(start * RATE) : round(end * RATE)], clip)
    assert not wave[round(spans[0][1] * RATE) : round(spans[1][0] * RATE)].any()


def test_a_word_goes_to_the_clip_that_it_lies_nearest_to() -> None:
    spans = [(0.0, 2.0), (3.0, 5.0), (6.0, 7.0)]
    words = [
        Word(" one", 0.1, 0.5), Word(" late", 1.9, 2.6), Word(" early", 2.6, 2.9), Word(" two", 3.1, 4.0),
        Word(" end", 7.2, 7.4),
    ]  # fmt: skip
    assert part(words, spans) == ["one late", "early two", "end"]
    assert part([], spans) == ["", "", ""]


# the judge, on a stand-in


@dataclass
class Timed:
    word: str
    start: float
    end: float


@dataclass
class Segment:
    text: str
    words: list[Timed] | None


class ToneReader:
    """Reads `WORDS`; times are off by a tenth of a second, as a recognizer's are."""

    made: ClassVar[list[dict[str, Any]]] = []
    calls: ClassVar[list[float]] = []

    def __init__(self, folder: str, **settings: Any) -> None:
        self.made.append({"folder": folder, **settings})

    def transcribe(self, wave: Any, **settings: Any) -> tuple[Iterator[Segment], None]:
        self.calls.append(len(wave) / RATE)
        found = []
        loud = np.flatnonzero(np.abs(wave) > 1e-3)
        for piece in np.split(loud, np.flatnonzero(np.diff(loud) > 800) + 1):
            start, end = int(piece[0]), int(piece[-1]) + 1
            spectrum = np.abs(np.fft.rfft(wave[start:end]))
            hertz = float(np.argmax(spectrum)) * RATE / (end - start)
            word = WORDS[min(WORDS, key=lambda each: abs(each - hertz))]
            found.append(Timed(f" {word}", start / RATE - 0.1, end / RATE + 0.1))
        text = " ".join(each.word.strip() for each in found).capitalize() + "."
        return iter([Segment(text, found if settings.get("word_timestamps") else None)]), None


class Plain:
    """In place of the normalizer's package."""

    def __call__(self, text: str) -> str:
        return "".join(char for char in text.lower() if char.isalnum() or char == " ")


@pytest.fixture
def whisper(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of a model, and stand-ins for the packages that read it."""
    from vall_e_eval import scoring

    reader, normalizer = ModuleType("faster_whisper"), ModuleType("whisper_normalizer.english")
    reader.WhisperModel = ToneReader  # type: ignore[attr-defined]
    normalizer.EnglishTextNormalizer = Plain  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "faster_whisper", reader)
    monkeypatch.setitem(sys.modules, "whisper_normalizer", ModuleType("whisper_normalizer"))
    monkeypatch.setitem(sys.modules, "whisper_normalizer.english", normalizer)
    monkeypatch.setattr(ToneReader, "made", [])
    monkeypatch.setattr(ToneReader, "calls", [])
    scoring._english.cache_clear()
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"weights")
    yield folder  # type: ignore[misc]
    scoring._english.cache_clear()


def panel_of(folder: Path, *, joined: bool = True) -> Panel:
    judge = Registry.load().all(Judge)["whisper"].from_spec(f"model={folder},join={str(joined).lower()}")
    return Panel([judge], BuildContext(), named=True)


SAID = [("alpha", "bravo"), ("charlie",), ("delta", "alpha", "echo"), ("bravo", "delta")]


def test_words_of_joined_clips_stay_with_their_clip(whisper: Path) -> None:
    panel = panel_of(whisper)
    heard = [panel(Judged(spoken(*said), " ".join(said).capitalize() + "!")) for said in SAID]
    assert all(not each.figures for each in heard) and ToneReader.calls == [], "nothing is heard before `settle`"
    panel.settle()
    assert len(ToneReader.calls) == 1, "one window"
    assert [each.said["whisper"] for each in heard] == [" ".join(said) for said in SAID]
    assert all(each.figures == {"whisper.wer": 0.0, "whisper.exact": 1.0} for each in heard)
    assert [each.weights["whisper.wer"] for each in heard] == [len(said) for said in SAID]
    (made,) = ToneReader.made
    assert (made["compute_type"], made["cpu_threads"], made["local_files_only"]) == ("int8", 1, True)


def test_a_wrong_word_counts_where_it_was_said(whisper: Path) -> None:
    panel = panel_of(whisper)
    texts = ["alpha bravo", "charlie echo", "delta alpha echo", "bravo"]
    heard = [panel(Judged(spoken(*said), text)) for said, text in zip(SAID, texts, strict=True)]
    panel.settle()
    assert [each.figures["whisper.wer"] for each in heard] == [0.0, 0.5, 0.0, 1.0]
    assert [each.record()["weights"] for each in heard][1] == {"whisper.wer": 2.0}


def test_groups_and_equal_sentences_arent_heard_together(whisper: Path) -> None:
    panel = panel_of(whisper)
    for group in ("recording", "codec"):
        for said in SAID:
            panel(Judged(spoken(*said), " ".join(said)), group)
    panel(Judged(spoken("charlie"), "charlie"), "codec")
    panel.settle()
    assert len(ToneReader.calls) == 3


def test_clips_can_be_heard_one_by_one(whisper: Path) -> None:
    panel = panel_of(whisper, joined=False)
    heard = [panel(Judged(spoken(*said), " ".join(said))) for said in SAID]
    panel.settle()
    assert len(ToneReader.calls) == 4 and all(each.figures["whisper.wer"] == 0 for each in heard)


def test_no_sound_has_no_word_right_and_another_language_isnt_judged(whisper: Path) -> None:
    panel = panel_of(whisper)
    assert panel.nothing("alpha bravo").figures == {"whisper.wer": 1.0, "whisper.exact": 0.0}
    silence = panel(Judged(Recording(np.zeros(RATE, np.float32), RATE), "alpha"))
    french = panel(Judged(spoken("alpha"), "alpha", language="fr"))
    panel.settle()
    assert silence.figures["whisper.wer"] == 1.0 and french.figures["whisper.wer"] is None
    assert ToneReader.calls == []


def test_without_weights_the_judge_says_how_to_get_them(
    whisper: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VALL_E_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("VALL_E_WHISPER", raising=False)
    judge = Registry.load().all(Judge)["whisper"]()
    with pytest.raises(ModelError) as found:
        judge.build(BuildContext())
    assert "vall-e eval whisper-weights" in str(found.value.try_) and "VALL_E_WHISPER" in str(found.value.try_)
    monkeypatch.setenv("VALL_E_WHISPER", str(tmp_path / "nowhere"))
    with pytest.raises(ModelError) as found:
        judge.build(BuildContext())
    assert "nowhere" in str(found.value.cause)
    monkeypatch.setenv("VALL_E_WHISPER", str(whisper))
    assert judge.build(BuildContext()).versions["weights"]
    home = tmp_path / "home" / "models" / "whisper-base"
    home.mkdir(parents=True)
    (home / "model.bin").write_bytes(b"others")
    monkeypatch.delenv("VALL_E_WHISPER")
    assert judge.build(BuildContext()).versions["weights"]


@pytest.mark.slow
def test_records_wait_for_the_judge_and_are_written_whole(whisper: Path, tmp_path: Path) -> None:
    panel, store = panel_of(whisper), Store(tmp_path / "run", {})

    def add(filing: Filing, name: str, seconds: float) -> None:
        heard = panel(Judged(spoken("alpha", seconds=seconds), f"alpha {name}"))
        filing.add(name, lambda: {"key": name, **heard.record()})

    with Filing(panel, store) as filing:
        add(filing, "short", 1.0)
        assert not store.records, "its words aren't known yet"
        add(filing, "long", 80.0)
        assert set(store.records) == {"short", "long"}
        add(filing, "last", 1.0)
    assert store.records["last"]["figures"]["whisper.wer"] == 0.5
    with pytest.raises(KeyboardInterrupt), Filing(panel, store) as filing:
        add(filing, "stopped", 1.0)
        raise KeyboardInterrupt
    assert not (tmp_path / "run" / "items" / "stopped.json").exists()


@pytest.mark.slow
def test_every_rung_of_the_ladder_is_heard(whisper: Path, evaluate: Run, manifest: Path) -> None:
    done = evaluate("ladder", manifest, "-n", 1, "--judge", f"whisper:{whisper}", "--json")
    assert done.code == 0, done.err
    assert list(done.json()["figures"]["whisper.wer"]["means"]) == ["recording", "codec", "nar", "tts"]


@pytest.mark.slow
def test_a_run_counts_words_and_writes_records_when_all_is_heard(
    whisper: Path, evaluate: Run, tmp_path: Path
) -> None:
    """The packaged voices through the codec: the reader hears something, never the words."""
    folder = tmp_path / "run"
    done = evaluate("codec", "-n", 2, "--judge", f"whisper:{whisper}", "--no-pictures", "-o", folder, "--json")
    assert done.code == 0, done.err
    report = done.json()
    means = report["figures"]["whisper.wer"]["means"]
    assert set(means) == {"recording", "codec"} and means["codec"]["low"] <= means["codec"]["mean"]
    assert [each["title"] for each in report["bar"]] == ["codec round trip, word error rate"]
    for each in report["items"]:
        rung = each["rungs"]["codec"]
        assert rung["heard"]["whisper"] and rung["weights"]["whisper.wer"] >= 10
    assert len(list((folder / "items").glob("*.json"))) == 2
