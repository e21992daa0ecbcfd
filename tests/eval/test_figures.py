"""The numbers themselves: what must hold of them whatever is measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from vall_e_audio.bending import stretch
from vall_e_core import UsageError
from vall_e_eval import Recording
from vall_e_eval.bend import Bend
from vall_e_eval.features import align, at_rate, fundamental, median_pitch, mel_cepstral_distortion, si_sdr, warp
from vall_e_eval.manner import repetition
from vall_e_eval.phones import NOTHING, confusions, count_errors, letters, pairs
from vall_e_eval.signals import flatness
from vall_e_eval.stats import Value, mean
from vall_e_eval.voices import abx, likeness

from .conftest import Voices, tone

RATE = 16000


def noise(count: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal(count)


# means and their intervals


def test_a_mean_lies_in_its_interval_and_more_observations_narrow_it() -> None:
    rng = np.random.default_rng(1)
    few, many = ([Value(str(n), float(rng.random() < 0.9)) for n in range(count)] for count in (40, 640))
    widths = []
    for values in (few, many):
        found = mean(values)
        assert found is not None and found.low <= found.mean <= found.high and found.count == len(values)
        assert math.isclose(found.mean, float(np.mean([each.value for each in values])))
        widths.append(found.high - found.low)
    assert widths[1] < 0.5 * widths[0]


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(120):
        found = mean([Value(str(n), float(value)) for n, value in enumerate(rng.normal(3.0, 1.0, 50))], draws=300)
        assert found is not None
        covered += found.low <= 3.0 <= found.high
    assert 0.88 <= covered / 120 <= 0.99


def test_the_order_of_the_values_and_a_second_run_change_nothing() -> None:
    values = [Value(str(n % 7), n * 0.37 % 1, 1 + n % 3) for n in range(40)]
    assert mean(values) == mean(values[::-1]) == mean(values)


def test_what_one_sentence_shares_is_drawn_together() -> None:
    """Four copies of each observation are no more evidence than one."""
    once = [Value(str(n), float(n % 5 == 0)) for n in range(50)]
    assert mean(once * 4) is not None and mean(once) is not None
    single, repeated = mean(once), mean(once * 4)
    assert single is not None and repeated is not None
    assert (repeated.low, repeated.high) == pytest.approx((single.low, single.high))


def test_weights_make_the_mean_that_of_all_phonemes() -> None:
    found = mean([Value("a", 0.5, 10), Value("b", 0.0, 30)])
    assert found is not None and found.mean == pytest.approx(5 / 40)
    assert mean([]) is None and mean([Value("a", 1.0, 0.0)]) is None


# fundamental frequency


@pytest.mark.parametrize("hertz", [80.0, 120.0, 203.0, 350.0, 480.0])
def test_the_pitch_of_a_tone_is_found(hertz: float) -> None:
    assert median_pitch(at_rate(tone(hertz))) == pytest.approx(hertz, rel=0.005)
    loud_and_quiet = np.concatenate([at_rate(tone(hertz)), np.zeros(RATE), 1e-6 * noise(RATE)])
    assert median_pitch(loud_and_quiet) == pytest.approx(hertz, rel=0.005), "silence has no pitch"


def test_noise_and_silence_have_no_pitch() -> None:
    assert median_pitch(np.zeros(RATE)) is None
    assert np.isfinite(fundamental(noise(RATE))).mean() < 0.02
    assert median_pitch(np.zeros(3)) is None and median_pitch(np.zeros(0)) is None


@pytest.mark.parametrize("semitones", [4.0, -4.0])
def test_what_is_bent_is_so_many_semitones_higher_and_as_long(voices: Voices, semitones: float) -> None:
    """To a hundredth in a tone. A voice's median moves with the frames that are found voiced."""
    tones = [(tone(hertz), 0.02) for hertz in (110.0, 203.0)]
    for recording, tolerance in [*tones, *((each, 0.5) for each, _ in voices.values())]:
        bent = Recording(Bend(pitch=semitones)(recording.wave, recording.sample_rate), recording.sample_rate)
        before, after = (median_pitch(at_rate(each)) for each in (recording, bent))
        assert before is not None and after is not None
        assert 12 * math.log2(after / before) == pytest.approx(semitones, abs=tolerance)
        assert bent.seconds == pytest.approx(recording.seconds, rel=0.01)


@pytest.mark.parametrize("rate", [0.8, 1.25])
def test_another_pace_keeps_the_pitch(voices: Voices, rate: float) -> None:
    tones = [(tone(hertz), 0.001) for hertz in (110.0, 203.0)]
    for recording, tolerance in [*tones, *((each, 0.045) for each, _ in voices.values())]:
        bent = Recording(Bend(rate=rate)(recording.wave, recording.sample_rate), recording.sample_rate)
        assert bent.seconds == pytest.approx(recording.seconds / rate, rel=0.01)
        assert median_pitch(at_rate(bent)) == pytest.approx(median_pitch(at_rate(recording)), rel=tolerance)


def test_formants_move_without_the_pitch(voices: Voices) -> None:
    recording, _ = voices["fable"]
    wave, rate = recording.wave, recording.sample_rate
    higher, smaller, formed = (
        Recording(bend(wave, rate), rate) for bend in (Bend(pitch=4), Bend(pitch=4, formant=0), Bend(formant=3))
    )
    plain = at_rate(recording)
    assert median_pitch(at_rate(smaller)) == pytest.approx(median_pitch(at_rate(higher)), rel=0.02)
    assert median_pitch(at_rate(formed)) == pytest.approx(median_pitch(plain), rel=0.02)
    moved, kept, same = (mel_cepstral_distortion(plain, at_rate(each)) for each in (higher, smaller, recording))
    assert kept < 0.5 * moved and same < 1e-6
    assert mel_cepstral_distortion(plain, at_rate(formed)) > kept


def test_stretching_keeps_the_level_and_a_factor_of_one_everything() -> None:
    wave = at_rate(tone(150.0))
    assert stretch(wave, 1.0, RATE) is wave
    longer = stretch(wave, 1.5, RATE)
    inner = slice(2000, -2000)
    assert np.square(longer[inner]).mean() == pytest.approx(np.square(wave[inner]).mean(), rel=0.05)


def test_bends_are_read_as_they_are_written() -> None:
    assert Bend.parse("pitch=+4") == Bend(pitch=4) and Bend.parse("pitch=+4").label == "+4"
    assert Bend.parse("rate=0.9,pitch=-3").label == "-3x0.9"
    assert Bend.parse("pitch=4,formant=0").label == "+4f+0" and Bend.parse("formant=0").neutral
    assert Bend.parse("none").neutral and Bend.parse("none").label == ""
    for wrong in ("pitch", "pitch=x", "pitch=99", "rate=0", "speed=2", "pitch=1,pitch=2", ""):
        with pytest.raises(UsageError, match="can't bend"):
            Bend.parse(wrong)


# distances


def test_equal_recordings_have_no_distortion(voices: Voices) -> None:
    wave = at_rate(voices["heart"][0])
    assert mel_cepstral_distortion(wave, wave) == pytest.approx(0.0, abs=1e-6)
    assert si_sdr(wave, wave) == 100.0


def test_distortion_forgives_time_and_gain_but_not_sound(voices: Voices) -> None:
    recording = voices["heart"][0]
    wave = at_rate(recording)
    slower = at_rate(Recording(Bend(rate=0.9)(recording.wave, recording.sample_rate), recording.sample_rate))
    other = at_rate(voices["michael"][0])
    louder, stretched, foreign = (mel_cepstral_distortion(wave, each) for each in (3 * wave, slower, other))
    assert louder < 0.05 and louder < stretched < 0.5 * foreign


def test_the_warped_path_of_a_repeated_frame_costs_nothing() -> None:
    left = noise(60).reshape(20, 3)
    total, steps = warp(left, np.repeat(left, 2, axis=0))
    assert float(total) == pytest.approx(0.0, abs=1e-6) and steps == 40
    assert warp(left, left)[1] == 20


def test_si_sdr_knows_no_scale_and_falls_by_what_noise_rises() -> None:
    wave, disturbance = noise(RATE), noise(RATE, 1)
    tenth, whole = (si_sdr(wave, wave + share * disturbance) for share in (0.1, 1.0))
    assert tenth is not None and whole is not None
    assert tenth == pytest.approx(20, abs=0.3) and whole == pytest.approx(0, abs=0.3)
    assert si_sdr(wave, 0.01 * (wave + 0.1 * disturbance)) == pytest.approx(tenth)
    assert si_sdr(7 * wave, wave + 0.1 * disturbance) == pytest.approx(tenth)
    assert si_sdr(np.zeros(RATE), wave) is None


@pytest.mark.parametrize("lag", [0, 37, -37, 900])
def test_a_shifted_recording_is_brought_back(lag: int) -> None:
    wave = noise(RATE)
    shifted = np.concatenate([np.zeros(lag), wave]) if lag >= 0 else wave[-lag:]
    left, right = align(wave, shifted, 1600)
    assert len(left) == len(right) >= RATE - 1000 and np.allclose(left, right)


def test_flatness_tells_hiss_from_a_tone() -> None:
    assert flatness(noise(4800)) > 0.7 and flatness(at_rate(tone(200.0))[:4800]) < 0.05


# voices


def test_abx_finds_the_nearer_voice() -> None:
    references = {"high": [1.0, 0.0, 0.3], "low": [0.0, 1.0, 0.2], "odd": [0.5, 0.4, 1.0]}
    outputs = [("high", [0.9, 0.1, 0.3]), ("low", [0.1, 0.9, 0.2]), ("odd", [0.9, 0.1, 0.3])]
    found = abx(outputs, references)
    assert found is not None
    assert [each.nearest for each in found] == ["high", "low", "high"]
    assert [each.nearer for each in found] == [1.0, 1.0, 0.5]
    assert likeness(outputs, references).shape == (3, 3)


def test_abx_is_chance_where_outputs_say_nothing_of_their_reference() -> None:
    rng = np.random.default_rng(0)
    references = {str(n): list(rng.standard_normal(8)) for n in range(4)}
    found = abx([(str(n % 4), list(rng.standard_normal(8))) for n in range(800)], references)
    assert found is not None and 0.4 < np.mean([each.nearer for each in found]) < 0.6
    assert abx([("0", [1.0])], {"0": [1.0]}) is None, "with one voice there is nothing to tell apart"


def test_several_references_of_one_speaker_count_as_one_voice() -> None:
    references = {"a1": [1.0, 0.0], "a2": [0.9, 0.3], "b": [0.0, 1.0]}
    speakers = {"a1": "a", "a2": "a", "b": "b"}
    found = abx([("a1", [0.9, 0.3]), ("b", [0.1, 1.0])], references, speakers, as_it_is=True)
    assert found is not None
    assert [(each.nearest, each.nearer) for each in found] == [("a", 1.0), ("b", 1.0)]
    assert found[0].others == pytest.approx(0.3 / math.hypot(0.9, 0.3)), "the cosine as it is, with b alone"
    assert abx([("a1", [1.0, 0.0])], {"a1": [1.0, 0.0], "a2": [0.0, 1.0]}, speakers) is None


# loops


def test_a_repetition_is_as_long_as_it_goes_on() -> None:
    rng = np.random.default_rng(3)
    plain = rng.permutation(300)
    assert repetition(plain) == 0
    looped = np.concatenate([plain[:50], np.tile(plain[50:60], 5), plain[60:]])
    assert repetition(looped) == 50
    assert repetition(np.concatenate([plain[:20], np.full(9, 400), plain[20:]])) == 9
    assert repetition(np.array([1])) == 0


# phonemes


def test_phonemes_are_counted_as_letters() -> None:
    assert letters("hˈɛl oʊː, ˌwɜld.") == list("hɛloʊwɜld")


@pytest.mark.parametrize(
    ("wanted", "heard", "errors"),
    [
        ("kat", "kat", 0), ("kat", "kut", 1), ("kat", "ka", 1), ("kat", "kaat", 1), ("", "ka", 2), ("kat", "", 3),
        ("", "", 0),
    ],
)  # fmt: skip
def test_errors_are_levenshteins(wanted: str, heard: str, errors: int) -> None:
    found = count_errors(wanted, heard)
    assert (found.errors, found.wanted) == (errors, len(wanted))


def test_errors_agree_with_a_plain_table() -> None:
    rng = np.random.default_rng(4)
    for _ in range(50):
        left, right = (rng.integers(0, 5, rng.integers(0, 12)).tolist() for _ in range(2))
        row = list(range(len(right) + 1))
        for i, one in enumerate(left, 1):
            above, row[0] = row[0], i
            for j, other in enumerate(right, 1):
                above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (one != other))
        assert count_errors(left, right).errors == row[-1]
        assert [each for each, _ in pairs(left, right) if each is not None] == left
        assert [each for _, each in pairs(left, right) if each is not None] == right


def test_confusions_say_what_was_heard_instead() -> None:
    table = confusions([("kat", "kut"), ("kat", "at"), ("at", "att")])
    assert table["k"] == {"k": 1, NOTHING: 1} and table["a"] == {"u": 1, "a": 2}
    assert table["t"]["t"] == 3 and list(table)[-1] == NOTHING and table[NOTHING] == {"t": 1}
