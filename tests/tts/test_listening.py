"""Half-lost speech: the model listens to its own takes, and the best of all tries is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from vall_e_core import UsageError, VallE
from vall_e_stt import hear_codes
from vall_e_tts.synthesis import work
from vall_e_tts.synthesis.missing import find_missing
from vall_e_tts.synthesis.takes import Steps, Take, Wanted, best_take

from .steps import result_of

TEXT = "The morning train was late again, and nobody knew why."
WANTED = Wanted(100.0, 300, False)


@pytest.fixture(scope="module")
def voice() -> VallE:
    return VallE.load(device="cpu", engine="eager")


def test_what_is_missing_is_named_in_the_words_of_the_text() -> None:
    found = find_missing("Milk and eggs again.", "mˈɪlk ænd ˈɛɡz ɐɡˈɛn.", "mˈɪlk ænd")
    assert found is not None and found.lost and found.words == ("eggs", "again")
    assert found.finding() == "seems to lack 'eggs again': the model hears 50% of its sounds"
    assert (same := find_missing("Milk.", "mˈɪlk.", "mɪlk")) is not None and not same.lost and same.share == 0
    assert find_missing("…", "…", "milk") is None
    by_sound = find_missing("1865", "ˌeɪtiːn sˈɪksti fˈaɪv", "ˌeɪtiːn")
    assert by_sound is not None and by_sound.words == ("sɪksti", "faɪv")


def test_a_short_text_with_a_letter_misheard_has_lost_nothing() -> None:
    found = find_missing("Hi.", "hˈaɪ.", "hoʊ")
    assert found is not None and not found.lost


@pytest.mark.slow
def test_the_model_hears_what_was_cut_away(voice: VallE) -> None:
    part = voice.synthesize(TEXT, voice="heart", seed=1, max_tries=1, listen="off").parts[0]
    assert voice.loaded.tokenizer is not None
    ids = voice.loaded.tokenizer.encode(part.phonemes)
    third = len(part.codes) // 3
    takes = [part.codes, part.codes[: len(part.codes) // 2], torch.cat((part.codes[:third], part.codes[2 * third :]))]
    whole, *cut = hear_codes(voice, takes, [ids] * 3, "en", 2)
    assert whole is None  # nothing else than what was wanted
    for heard in cut:
        assert heard is not None
        found = find_missing(part.text, part.phonemes, heard)
        assert found is not None and found.lost and found.words


@pytest.mark.slow
def test_a_take_that_lost_its_half_is_made_again(voice: VallE, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = voice.synthesize(TEXT, voice="heart", seed=1, listen="off")
    good = voice.synthesize(TEXT, voice="heart", seed=1)
    assert good.parts[0].codes.tolist() == plain.parts[0].codes.tolist()
    assert good.record["listen"] == {"on": True, "why_not": None} and good.record["timings"]["listen"] > 0

    def first_is_half(engine: Any, codes: Sequence[Any], wanted: Any, language: str, batch: int) -> list[str | None]:
        calls.append(len(codes))
        return hear_codes(engine, [each[: len(each) // (2 if len(calls) == 1 else 1)] for each in codes], wanted,
                          language, batch)  # fmt: skip

    calls: list[int] = []
    monkeypatch.setattr(work, "hear_codes", first_is_half)
    again = voice.synthesize(TEXT, voice="heart", seed=1)
    part = again.record["parts"][0]
    assert part["tries"] == 2 and part["verdict"] == "ok" and part["seed"] != 1
    assert [each["verdict"] for each in part["attempts"]] == ["lost", "ok"]
    assert "seems to lack" in part["attempts"][0]["findings"][0]


@pytest.mark.slow
def test_it_is_left_out_where_it_means_nothing_and_the_record_says_why(voice: VallE) -> None:
    assert voice.synthesize("hi", voice="heart", listen="off").record["listen"]["why_not"] == "--listen off"
    assert "learn de" in voice.synthesize("ja", voice="heart", language="de", unk="skip").record["listen"]["why_not"]
    few = voice.synthesize("hi", voice="heart", max_nar_levels=1).record["listen"]["why_not"]
    assert few == "not all levels are made"


@pytest.mark.slow
def test_a_model_that_nothing_is_known_of_listens_only_if_told(tts: Any, make_model: Any) -> None:
    assert tts(seed=1)["listen"]["on"] is False
    told = tts("--listen", "on", "--voice-fallback", "tim", seed=1)
    assert told["listen"]["on"] is True and told["parts"][0]["verdict"] == "lost"  # its weights are random


@pytest.mark.slow
def test_a_stream_says_that_it_does_not_listen(voice: VallE, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(voice, "notify", said.append)
    with voice.stream("hello there", voice="heart", seed=1) as stream:
        for _ in stream:
            pass
    assert stream.record["listen"]["why_not"] == "what has been heard can't be made again (--stream)"
    assert any("aren't listened to" in each for each in said)


def takes_of(lengths: Sequence[int]) -> Callable[[int, int], Steps[Take]]:
    def make(attempt: int, seed: int) -> Steps[Take]:
        yield
        codes = torch.arange(lengths[attempt]) % 997 + attempt
        return Take(codes, "stop", seed, rung=f"rung {attempt}")

    return make


@pytest.mark.parametrize("lengths", [[30, 12, 17], [12, 30, 17], [12, 17, 30]])
def test_of_bad_takes_the_least_bad_of_all_rungs_is_kept(lengths: list[int]) -> None:
    take = result_of(best_take(takes_of(lengths), WANTED, 50.0, seed=0, max_tries=3))
    assert len(take.codes) == 30 and take.verdict == "short" and take.tries == 3
    assert take.rung == f"rung {lengths.index(30)}"
    assert [each["rung"] for each in take.attempts] == ["rung 0", "rung 1", "rung 2"]


def test_of_takes_that_lost_words_the_one_that_lost_fewest_is_kept() -> None:
    shares = {0: 0.6, 1: 0.4, 2: 0.5}

    def listen(take: Take) -> Steps[Take]:
        yield
        return replace(take, verdict="lost", badness=shares[int(take.rung[-1])])

    take = result_of(best_take(takes_of([90, 91, 92]), WANTED, 50.0, seed=0, max_tries=3, listen=listen))
    assert take.rung == "rung 1" and take.verdict == "lost"


def test_listen_on_and_no_such_model_is_a_usage_error(voice: VallE, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(voice.loaded.config, capabilities=voice.loaded.config.capabilities - {"stt"})
    monkeypatch.setattr(voice, "loaded", replace(voice.loaded, config=config))
    with pytest.raises(UsageError, match="--listen on"):
        voice.synthesize("hi", voice="heart", listen="on")
