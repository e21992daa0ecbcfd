"""What the judges say of recordings that are known to be good or bad."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vall_e_core import BuildContext, InputError, ModelError, Registry, UsageError
from vall_e_eval import Judge, Judged, Recording
from vall_e_eval.bend import Bend
from vall_e_eval.material import choose, read_sentences
from vall_e_eval.panel import Panel, find_judges
from vall_e_eval.signals import SignalJudge, StoiJudge
from vall_e_eval.sphinx import AlignmentJudge, SentenceJudge, words
from vall_e_eval.voices import MfccJudge, PitchJudge, abx

from .conftest import Voices, tone


def cut(recording: Recording, share: float) -> Recording:
    """Its beginning."""
    return replace(recording, wave=recording.wave[: round(share * len(recording.wave))])


def backwards(recording: Recording) -> Recording:
    return replace(recording, wave=np.ascontiguousarray(recording.wave[::-1]))


@pytest.fixture(scope="module")
def sentences(voices: Voices) -> SentenceJudge:
    return SentenceJudge([*(each.text for each in read_sentences()), *(said for _, said in voices.values())])


@pytest.fixture(scope="module")
def alignment() -> AlignmentJudge:
    return AlignmentJudge()


# words


@pytest.mark.slow
def test_a_sentence_is_told_from_all_others(sentences: SentenceJudge, voices: Voices) -> None:
    assert len(sentences.sentences) == 120 + len(voices)
    for recording, said in voices.values():
        verdict = sentences.judge(Judged(recording, said))
        assert verdict.figures == {"identified": 1.0} and verdict.heard == said
    assert sentences.judge(Judged(recording, "The soup was too hot to taste right away.")).figures["identified"] == 0


@pytest.mark.once
@pytest.mark.slow
def test_cut_and_reversed_recordings_are_caught(
    sentences: SentenceJudge, alignment: AlignmentJudge, voices: Voices
) -> None:
    recording, said = voices["michael"]
    for bad in (cut(recording, 0.7), backwards(recording)):
        assert sentences.judge(Judged(bad, said)).figures == {"identified": 0.0}
    for recording, said in voices.values():
        found = [alignment.judge(Judged(each, said)).figures for each in (recording, cut(recording, 0.7))]
        assert [each["ending"] for each in found] == [1.0, 0.0]
        assert found[0]["complete"] == 1.0
    recording, said = voices["fable"]  # others are searched five times as long
    assert alignment.judge(Judged(backwards(recording), said)).figures["complete"] == 0.0


@pytest.mark.slow
def test_alignment_tells_the_pace_and_what_is_left_at_the_end(alignment: AlignmentJudge, voices: Voices) -> None:
    recording, said = voices["heart"]
    rate = recording.sample_rate
    tail = replace(recording, wave=np.concatenate([recording.wave, 1e-4 * np.ones(rate, np.float32)]))
    slower = replace(recording, wave=Bend(rate=0.8)(recording.wave, rate))
    plain, padded, slow = (alignment.judge(Judged(each, said)).figures for each in (recording, tail, slower))
    assert plain["pace"] is not None and slow["pace"] is not None
    assert slow["pace"] == pytest.approx(0.8 * plain["pace"], rel=0.05)
    assert plain["tail"] is not None and padded["tail"] is not None
    assert plain["tail"] < 0.2 and padded["tail"] > 0.7


@pytest.mark.slow
def test_a_verdict_doesnt_depend_on_what_was_heard_before(sentences: SentenceJudge, voices: Voices) -> None:
    def score(recording: Recording) -> float:
        sentences.hear(recording)
        return float(sentences.decoder.hyp().score)

    clips = [voices["heart"][0], voices["fable"][0]]
    first = [score(each) for each in clips]
    assert [score(each) for each in clips[::-1]][::-1] == first


def test_words_that_the_dictionary_lacks_are_not_judged(sentences: SentenceJudge, alignment: AlignmentJudge) -> None:
    strange = Judged(tone(200.0), "Zxqvv said hello.")
    assert sentences.judge(strange).figures == {"identified": None}
    assert alignment.judge(strange).figures["complete"] is None
    with pytest.raises(ModelError, match="at least two"):
        SentenceJudge(["Zxqvv."]).hear(tone(200.0))


def test_words_are_spelled_as_in_the_dictionary() -> None:
    assert words("Don’t  stop—well-known, he'd say!") == "don't stopwell known he'd say"


# voices


def test_each_voice_is_its_own_by_mfcc(voices: Voices) -> None:
    """Halves of a recording say different words in one voice."""
    judge = MfccJudge()
    halves = {name: (cut(clip, 0.5), backwards(cut(backwards(clip), 0.5))) for name, (clip, _) in voices.items()}
    places = {
        name: [list(judge.judge(Judged(half)).voice or ()) for half in pair] for name, pair in halves.items()
    }
    first, last = ({name: pair[half] for name, pair in places.items()} for half in (0, 1))
    found = abx(list(last.items()), first)
    assert found is not None and [each.nearest for each in found] == list(voices)
    assert judge.judge(Judged(Recording(np.zeros(100, np.float32), 16000))).voice is None


def test_pitch_is_held_against_the_reference(voices: Voices) -> None:
    recording, _ = voices["michael"]
    rate = recording.sample_rate
    higher = replace(recording, wave=Bend(pitch=4)(recording.wave, rate))
    judge = PitchJudge(0.12)
    same, off = (judge.judge(Judged(each, reference=recording)) for each in (recording, higher))
    assert same.figures == {"near": 1.0, "off": 0.0} and off.figures["near"] == 0.0
    assert off.figures["off"] == pytest.approx(4, abs=0.3)
    hum = Recording(np.zeros(16000, np.float32), 16000)
    assert judge.judge(Judged(hum, reference=recording)).figures == {"near": 0.0, "off": None}
    assert judge.judge(Judged(recording, reference=hum)).figures == {"near": None, "off": None}


# signals


def test_the_signal_tells_pauses_clipping_offset_and_hiss() -> None:
    judge = SignalJudge()
    wave = tone(180.0).wave
    plain = judge.judge(Judged(Recording(wave, 16000))).figures
    assert (plain["clipped"], plain["offset"], plain["pause"]) == (0.0, 0.0, 0.0)
    gap = np.concatenate([wave, np.zeros(8000, np.float32), wave])
    assert judge.judge(Judged(Recording(gap, 16000))).figures["pause"] == pytest.approx(0.5, abs=0.05)
    loud = np.clip(20 * wave, -1, 1)
    assert judge.judge(Judged(Recording(loud, 16000))).figures["clipped"] == 1.0
    assert judge.judge(Judged(Recording(wave + np.float32(0.1), 16000))).figures["offset"] == 1.0
    hiss = np.concatenate([wave, 0.1 * np.random.default_rng(0).standard_normal(4800).astype(np.float32)])
    tail = judge.judge(Judged(Recording(hiss, 16000))).figures["hiss"]
    assert tail is not None and plain["hiss"] is not None and tail > 0.5 > plain["hiss"]
    assert judge.judge(Judged(Recording(np.zeros(0, np.float32), 16000))).figures == {"silence": 1.0}


def test_stoi_is_1_for_the_same_and_falls_with_noise(voices: Voices) -> None:
    judge = StoiJudge.of()
    recording = voices["heart"][0]
    hiss = np.random.default_rng(0).standard_normal(len(recording.wave)).astype(np.float32)
    noisy = replace(recording, wave=recording.wave + 0.1 * hiss)
    same, worse = (judge.judge(Judged(each, original=recording)).figures["stoi"] for each in (recording, noisy))
    assert same == pytest.approx(1.0, abs=1e-6) and worse is not None and worse < 0.95
    silence = Recording(np.zeros(8000, np.float32), 16000)
    assert judge.judge(Judged(silence, original=silence)).figures["stoi"] is None


# judges together


def test_judges_are_asked_only_where_they_can_tell(registry: Registry, voices: Voices) -> None:
    judges, named = find_judges(registry, ["pitch:0.2", "signal"], frozenset({"reference"}))
    panel = Panel(judges, BuildContext(), named=named)
    assert [each["judge"] for each in panel.records()] == ["pitch:within=0.2", "signal"]
    recording = voices["heart"][0]
    assert "pitch.near" not in panel(Judged(recording)).figures
    assert panel(Judged(recording, reference=recording)).figures["pitch.near"] == 1.0
    assert panel.nothing("").figures["pitch.near"] == 0.0 and panel.nothing("").figures["pitch.off"] is None


def test_by_default_all_judge_that_can(registry: Registry) -> None:
    names = {each.name for each in find_judges(registry, [], frozenset({"text", "reference"}))[0]}
    assert {"sentences", "alignment", "mfcc", "pitch", "signal"} <= names and not {"stoi", "pesq"} & names
    with pytest.raises(UsageError, match="can't judge here"):
        find_judges(registry, ["stoi"], frozenset({"text"}))
    with pytest.raises(UsageError, match="twice"):
        find_judges(registry, ["pitch", "pitch:0.1"], frozenset({"reference"}))
    with pytest.raises(UsageError, match="no judge is called"):
        find_judges(registry, ["hearsay"], frozenset())


def test_a_judge_whose_package_is_missing_is_left_out_unless_it_was_named(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pesq", None)
    said: list[str] = []
    pesq: Judge = registry.all(Judge)["pesq"]()
    assert Panel([pesq], BuildContext(notify=said.append), named=False).judges == []
    assert "vall-e[pesq]" in said[0]
    with pytest.raises(ModelError, match="pesq"):
        Panel([pesq], BuildContext(), named=True)


# the packaged sentences


def test_the_packaged_sentences_are_120_in_three_lists() -> None:
    found = read_sentences()
    assert len(found) == 120 and {each.list for each in found} == {"A", "B", "C"}
    assert [len(choose(found, name, None)) for name in ("A", "B", "C", "AB", "all")] == [40, 40, 40, 80, 120]
    assert [each.id for each in choose(found, "B", 2)] == ["B01", "B02"]
    with pytest.raises(UsageError, match="no such list"):
        choose(found, "D", None)


def test_an_id_is_no_way_out_of_the_folder(tmp_path: Path) -> None:
    own = tmp_path / "own.tsv"
    own.write_text("../../a\tA\tHello there.\nb\tA\tHello again.\n", "utf-8")
    assert [each.id for each in read_sentences(own)] == [".._.._a", "b"]
    own.write_text("a\tA\tHello there.\na\tA\tHello again.\n", "utf-8")
    with pytest.raises(InputError, match="same id"):
        read_sentences(own)
