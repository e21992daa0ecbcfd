"""`--candidates`, `--scorer` and `vall-e sweep`."""


from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tiny import tiny_plugin
from vall_e_core import (
    BuildContext,
    FinishedTake,
    InputError,
    ModelError,
    Registry,
    Scorer,
    ScorerModel,
    UsageError,
    VallE,
    hookimpl,
)
from vall_e_tts.synthesis.takes import BEST_FIRST, Steps, Take, Wanted, best_take

from .steps import result_of

TEXT = "The first sentence stands here. The second one is there, and longer."


class CodesModel:
    """Likes large codes; says nothing, or nonsense, where it is told to."""

    answer: float | None = 0.0

    def score(self, take: FinishedTake) -> float | None:
        return float(take.codes.float().mean()) if self.answer == 0.0 else self.answer


@dataclass(frozen=True)
class LargeCodes(Scorer):
    """Prefer large codes."""

    name = "large-codes"

    def build(self, ctx: BuildContext) -> ScorerModel:
        assert ctx.engine is not None and ctx.frame_rate == 50
        return CodesModel()


class Plugin:
    """A third party's scorer."""

    @hookimpl
    def vall_e_scorers(self) -> Iterable[type[Scorer]]:
        return [LargeCodes]


@pytest.fixture(scope="module")
def scoring() -> Registry:
    made = Registry.load(third_party=False)
    made.register(tiny_plugin(), name="tiny")
    made.register(Plugin(), name="large")
    return made


@pytest.fixture(scope="module")
def engine(scoring: Registry, model_path: Path) -> VallE:
    return VallE.load(model_path, registry=scoring, device="cpu")


def speak(engine: VallE, **settings: Any) -> Any:
    usual = {"phonemizer": "letters", "seed": 1, "max_ar_steps": "40"}
    return engine.synthesize(TEXT, voice="tim", **{**usual, **settings})


def scores(speech: Any) -> list[list[dict[str, Any]]]:
    return [part["candidates"] for part in speech.record["parts"]]


@pytest.mark.slow
def test_the_candidate_with_the_highest_score_is_kept(engine: VallE) -> None:
    speech = speak(engine, candidates=4, scorer=("large-codes",))
    assert len(speech.parts) > 1 and speech.record["scorers"] == ["large-codes"]
    for part, found in zip(speech.parts, scores(speech), strict=True):
        assert [each["candidate"] for each in found] == [0, 1, 2, 3] and len({each["score"] for each in found}) > 1
        least = min(BEST_FIRST.index(each["verdict"]) for each in found)
        good = [each for each in found if BEST_FIRST.index(each["verdict"]) == least]
        (kept,) = (each for each in found if each["kept"])
        assert kept["score"] == max(each["score"] for each in good)
        assert kept["scores"]["large-codes"] == pytest.approx(float(part.codes.float().mean()), abs=1e-5)
    reversed_ = speak(engine, candidates=4, scorer=("large-codes:0",))
    assert all(each["score"] == 0 for part in scores(reversed_) for each in part)


@pytest.mark.slow
def test_candidate_0_is_the_run_without_candidates_and_none_depends_on_the_others(engine: VallE) -> None:
    alone, four = speak(engine), speak(engine, candidates=4, scorer=("large-codes",))
    two = speak(engine, candidates=2, scorer=("large-codes",), batch_size=1)
    again = speak(engine, candidates=4, scorer=("large-codes",), batch_size=3)
    assert [part[:2] for part in _plain(four)] == _plain(two)
    assert _plain(again) == _plain(four)
    np.testing.assert_array_equal(again.wave, four.wave)
    assert [part[0]["frames"] for part in scores(four)] == [len(part.codes) for part in alone.parts]
    assert [part[0]["log_probability"] for part in scores(four)] == pytest.approx(
        [part.log_probability for part in alone.parts], rel=1e-5
    )
    assert "candidates" not in alone.record["parts"][0] and alone.record["scorers"] == []


def _plain(speech: Any) -> list[list[tuple[Any, ...]]]:
    keys = ("candidate", "verdict", "frames", "score")
    return [[tuple(each[key] for key in keys) for each in part] for part in scores(speech)]


@pytest.mark.slow
def test_one_candidate_can_be_scored_too(engine: VallE) -> None:
    alone, noted = speak(engine), speak(engine, scorer=("length", "stt"))
    np.testing.assert_array_equal(alone.wave, noted.wave)
    assert all(len(part) == 1 and set(part[0]["scores"]) == {"length", "stt"} for part in scores(noted))


@pytest.mark.slow
def test_all_that_suit_the_model_judge_by_default(engine: VallE, scoring: Registry, len_model_path: Path) -> None:
    assert speak(engine, candidates=2).record["scorers"] == ["stt", "length", "log-probability"]
    other = VallE.load(len_model_path, registry=scoring, device="cpu")
    speech = speak(other, candidates=2, steps=2)
    assert speech.record["scorers"] == ["length", "log-probability"]
    assert {each["scores"]["log-probability"] for part in scores(speech) for each in part} == {None}
    with pytest.raises(ModelError, match="can transcribe"):
        speak(other, candidates=2, scorer=("stt",))


@pytest.mark.slow
def test_the_weights_count(engine: VallE) -> None:
    for part in scores(speak(engine, candidates=2, scorer=("length:2", "stt:0.5"))):
        for each in part:
            given = each["scores"]
            assert each["score"] == pytest.approx(2 * given["length"] + 0.5 * given["stt"], abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "warned"), [(float("nan"), True), (float("inf"), True), (None, False)])
def test_what_is_no_score_counts_for_nothing(
    engine: VallE, monkeypatch: pytest.MonkeyPatch, answer: float | None, warned: bool
) -> None:
    monkeypatch.setattr(CodesModel, "answer", answer)
    speech = speak(engine, candidates=2, scorer=("large-codes",))
    assert {each["scores"]["large-codes"] for part in scores(speech) for each in part} == {None}
    assert any("which is no score" in line for line in speech.warnings) == warned
    json.dumps(speech.record, allow_nan=False)


def test_a_scorer_is_named_as_it_is(engine: VallE) -> None:
    with pytest.raises(UsageError, match="no scorer is called 'lenght'"):
        speak(engine, scorer=("lenght",))
    with pytest.raises(UsageError, match="given twice"):
        speak(engine, scorer=("length", "length:2"))
    with pytest.raises(UsageError, match="weight"):
        speak(engine, scorer=("length:-1",))


def test_candidates_that_draw_nothing_are_noticed(engine: VallE) -> None:
    assert "all candidates are alike" in " ".join(speak(engine, candidates=2, ar=["greedy"]).warnings)


@pytest.mark.slow
def test_the_program_keeps_and_repeats_the_choice(tts: Any) -> None:
    record = tts("--candidates", 3, "--scorer", "length", "--scorer", "log-probability:0.2", text=TEXT)
    assert record["arguments"]["candidates"] == 3
    audio = tts.out.read_bytes()
    repeated = Path(f"{tts.out}.json")
    tts.count += 1
    tts.cli("tts", "--from", repeated, tts.out)
    assert tts.out.read_bytes() == audio and _kept(tts.record()) == _kept(record)
    assert "candidate" in tts.run("--candidates", 2, "-v").stderr
    assert "did you mean length" in tts.run("--scorer", "lenght", code=2).stderr


def _kept(record: dict[str, Any]) -> list[int]:
    return [each["candidate"] for part in record["parts"] for each in part["candidates"] if each["kept"]]


# tries


@pytest.mark.parametrize(
    ("lengths", "verdict", "tries"), [([0, 90], "ok", 2), ([100], "ok", 1), ([0, 80], "ok", 2), ([9, 9], "short", 2)]
)
def test_a_candidate_is_tried_again_until_it_is_good_or_repeats_itself(
    lengths: list[int], verdict: str, tries: int
) -> None:
    def make(attempt: int, seed: int) -> Steps[Take]:
        yield
        return Take(torch.arange(lengths[attempt]) ** 2 % 97, "stop", seed)

    found = result_of(best_take(make, Wanted(100.0, 300, False), 50.0, seed=0, max_tries=3))
    assert (found.verdict, found.tries) == (verdict, tries)


def test_a_part_without_speech_in_any_candidate_is_silent(engine: VallE, monkeypatch: pytest.MonkeyPatch) -> None:
    from vall_e_tts.synthesis import takes

    monkeypatch.setattr(takes, "judge", lambda *given: ("empty", ("the model stopped at once",)))
    with pytest.raises(InputError, match="no speech produced"):
        speak(engine, candidates=3, max_tries=1)


@pytest.mark.slow
def test_a_candidate_without_speech_is_never_kept(engine: VallE, monkeypatch: pytest.MonkeyPatch) -> None:
    from vall_e_tts.synthesis import takes

    judge, silent = takes.judge, scores(speak(engine, candidates=3, scorer=("length",)))[0][1]["log_probability"]
    monkeypatch.setattr(
        takes, "judge", lambda take, *rest: ("empty", ()) if take.log_probability == silent else judge(take, *rest)
    )
    found = scores(speak(engine, candidates=3, scorer=("length",), max_tries=1))[0]
    assert [each["verdict"] == "empty" for each in found] == [False, True, False]
    assert not found[1]["kept"] and found[1]["scores"] == {}
