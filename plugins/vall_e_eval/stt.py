"""`vall-e eval stt`: what a model hears in recordings whose words are known, and what a speller writes of it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vall_e_audio import read_audio
from vall_e_core import InputError, Session, Voice
from vall_e_files import sha256_file
from vall_e_stt import HearingOptions, find_speller
from vall_e_text import FrontEnd, Words, read
from vall_e_tts import SpeechOptions, SpeechRequest, VallE

from .extras import need_all
from .finish import finish, read_baseline
from .judge import Figure
from .material import Item, read_items
from .phones import NOTHING, confusions, count_errors, letters
from .report import Observation, Report, Table
from .running import chains_of, environment, load_engine, model_settings, resumable, sampler_settings
from .store import Store, digest

if TYPE_CHECKING:
    from vall_e_core import Registry

    from .tasks import EvalStt

FIGURES: Mapping[str, Figure] = {
    "hearing.per": Figure("phoneme error rate (letters)", "lower", "%"),
    "hearing.tokens": Figure("error rate of the model's own tokens", "lower", "%"),
    "hearing.wer": Figure("word error rate, as the speller writes", "lower", "%"),
    "hearing.exact": Figure("every phoneme right", "higher", "%"),
    "hearing.stopped": Figure("stopped by itself", "higher", "%"),
    "hearing.rtf": Figure("real-time factor", "lower"),
    "hearing.cpu": Figure("CPU seconds per second of audio", "lower"),
}
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
MOST = 15
"""Rows of the table of confusions."""


def run(task: EvalStt, session: Session) -> None:
    """Everything is checked before the model is looked at. Raises RegressionError where a baseline is missed."""
    need_all("vall-e eval")
    against = read_baseline(task, "eval stt")
    items = packaged(session.registry) if task.source is None else read_items(task.source)
    items = [each for each in items if each.text or each.phonemes][: task.number]
    if not items:
        raise InputError(f"there are no transcripts for {task.source}", try_="NAME.txt beside each NAME.wav")
    chains = chains_of(session)
    speller = find_speller(session.registry, task.spell, task.language)
    for each in items:
        read_audio(each.path, min_seconds=0, max_seconds=0.05, allow_silence=True)
    engine = load_engine(session)
    engine.require_stt()
    session = session.advised(engine.loaded.advice)
    how = session.task.group(HearingOptions)
    speech = SpeechOptions(phonemizer=task.phonemizer, language=how.language)
    front = SpeechRequest("a", options=speech).prepare(session.registry).front
    phonemizer = front.phonemizer
    truth = {each.id: each.phonemes or front.phonemes_of(each.text or "") for each in items}
    settings = {
        **model_settings(engine), "samplers": sampler_settings(engine, chains), "phonemizer": phonemizer.name,
        "speller": None if speller is None else {"name": speller.name, **speller.to_mapping()},
        "options": {key: value for key, value in how.to_mapping().items() if key != "batch-size"},
    }  # fmt: skip
    said = {each.id: words_of(front, each.text) for each in items if each.text}
    store = Store(task.output, settings, overwrite=task.overwrite)
    keys = {each.id: digest([sha256_file(each.path), truth[each.id], said.get(each.id)]) for each in items}
    waiting = [each for each in items if not store.has(each.id, keys[each.id])]
    with (
        resumable(session, task.output, lambda: sum(store.has(each.id, keys[each.id]) for each in items), len(items)),
        session.progress("listening", len(items), "recordings") as bar,
    ):
        bar.to(len(items) - len(waiting))
        if waiting:
            engine.hear(waiting[0].path, how, chains.get("stt"))  # once without counting, so that all are warm
        for each in waiting:
            began, worked = time.perf_counter(), time.process_time()
            heard = engine.hear(each.path, how, chains.get("stt"))
            store.add(each.id, {
                "key": keys[each.id], "id": each.id, "text": each.text, "speaker": each.speaker,
                "wanted": truth[each.id], "heard": heard.phonemes, "words": said.get(each.id), "written": heard.text,
                "seconds": round(heard.seconds, 6),
                "spent": round(time.perf_counter() - began, 6), "worked": round(time.process_time() - worked, 6),
                "stopped": all(window.stop_reason != "length" for window in heard.windows),
            })  # fmt: skip
            bar.advance(1, each.id)
    report = gather([store.records[each.id] for each in items], settings, engine)
    finish(session, task, report, store, against, lambda: draw(report))


def draw(report: Report) -> Iterator[tuple[str, str, bytes]]:
    """The matrix of confusions."""
    from .pictures import counts_matrix, matrix

    shares, down, across = counts_matrix(report.details["confusions"])
    caption = f"What was heard for each phoneme, as a share; {NOTHING}: nothing"
    yield "confusions.png", caption, matrix(shares, down, across, across="heard", down="wanted")


def packaged(registry: Registry) -> list[Item]:
    """The recordings of the packaged voices: few, but always there."""
    return [
        Item(name, voice().audio_path(), voice.transcript, None, name)
        for name, voice in registry.all(Voice).items()
        if voice.transcript
    ]


def gather(records: Sequence[Mapping[str, Any]], settings: Mapping[str, object], engine: VallE) -> Report:
    """The figures of all recordings together."""
    observations = []
    for each in records:
        per = count_errors(letters(each["wanted"]), letters(each["heard"]))
        tokens = count_errors(*(ids(engine, each[side]) for side in ("wanted", "heard")))
        words = None
        if each["words"] and each["written"] is not None:
            words = count_errors(each["words"], plain_words(each["written"]))
        seconds = max(float(each["seconds"]), 1e-3)
        observations.append(Observation(each["speaker"], each["text"] or each["wanted"], {
            "hearing.per": (per.errors / max(1, per.wanted), float(per.wanted)),
            "hearing.tokens": (tokens.errors / max(1, tokens.wanted), float(tokens.wanted)),
            "hearing.wer": None if words is None else (words.errors / words.wanted, float(words.wanted)),
            "hearing.exact": float(per.errors == 0), "hearing.stopped": float(each["stopped"]),
            "hearing.rtf": (each["spent"] / seconds, seconds), "hearing.cpu": (each["worked"] / seconds, seconds),
        }))  # fmt: skip
    table = confusions([(each["wanted"], each["heard"]) for each in records])
    wrong = sorted(
        ((count, left, right) for left, row in table.items() for right, count in row.items() if left != right),
        key=lambda each: (-each[0], each[1:]),
    )
    rows = [
        [left, right, str(count), "" if left == NOTHING else f"{count / table[left].total():.1%}"]
        for count, left, right in wrong[:MOST]
    ]
    return Report(
        "eval stt", settings, environment(), [], FIGURES, observations, records,
        details={"confusions": {left: dict(row) for left, row in table.items()}},
        tables=[Table("Most frequent confusions", ("wanted", "heard", "times", "of all"), rows)] if rows else [],
    )  # fmt: skip


def words_of(front: FrontEnd, text: str) -> list[str]:
    """The words of a transcript as they are read aloud: a speller writes numbers and abbreviations as words."""
    pieces = front.spoken(read(text, markup="text", language=front.language).pieces)
    return plain_words(" ".join(each.text for each in pieces if isinstance(each, Words)))


def plain_words(text: str) -> list[str]:
    """Words as they are compared: no case, no marks but apostrophes."""
    return [each.replace("’", "'") for each in _WORD.findall(text.lower())]


def ids(engine: VallE, phonemes: str) -> list[int]:
    """Phonemes as the model's tokens, without begin and end; those that it doesn't know are left out."""
    tokenizer = engine.loaded.tokenizer
    if tokenizer is None:
        return []
    strange = set(tokenizer.unknown(phonemes))
    return list(tokenizer.encode("".join(char for char in phonemes if char not in strange)))[1:-1]
