"""`vall-e eval ladder`: where quality is lost, from a recording to speech that is all the model's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from vall_e_audio import read_audio
from vall_e_core import InputError, Session, Voice
from vall_e_files import sha256_file
from vall_e_tts import SpeechOptions, VallE

from .codec import closed_set, draw, recording_of, there_and_back
from .extras import need_all
from .filing import Filing
from .finish import finish, read_baseline
from .judged import Judged, Recording
from .material import Item, read_items
from .panel import Heard, Panel, find_judges, weighted
from .references import Speaker, packaged_speaker, speaker_of
from .report import Observation, Report
from .running import (
    Chains,
    chains_of,
    codec_of,
    context_of,
    environment,
    load_engine,
    model_settings,
    resumable,
    sampler_settings,
)
from .store import Store, digest
from .tts import request_for

if TYPE_CHECKING:
    from vall_e_core import Registry

    from .tasks import EvalLadder

GIVEN = frozenset({"text", "reference", "original"})
RUNGS = ("recording", "codec", "nar", "tts")
"""The recording; through the codec; its level 0 with the model's further levels; all of it spoken from the text."""


def run(task: EvalLadder, session: Session) -> None:
    """Everything is checked before the model is looked at. Raises RegressionError where a baseline is missed."""
    need_all("vall-e eval")
    against = read_baseline(task, "eval ladder")
    items = [each for each in read_items(task.source) if each.text][: task.number]
    if not items:
        raise InputError(f"there are no transcripts for {task.source}", try_="NAME.txt beside each NAME.wav")
    most = task.max_ref_seconds
    voices = (
        references(session.registry, items, most)
        if task.ref is None
        else dict.fromkeys(
            (each.id for each in items), speaker_of(session.registry, task.ref, most, lambda: codec_of(session))
        )
    )
    judges, named = find_judges(session.registry, task.judge, GIVEN, places=False)
    for each in items:
        read_audio(each.path, min_seconds=0, max_seconds=0.05, allow_silence=True)
    chains = chains_of(session)
    options = task.group(SpeechOptions)
    request_for(items[0].text or "", voices[items[0].id], options).prepare(session.registry, notify=session.notice)
    engine = load_engine(session)
    session = session.advised(engine.loaded.advice)
    options = session.task.group(SpeechOptions)
    texts = closed_set(items, task.sentences)
    panel = Panel(judges, context_of(engine, texts, session.notice), named=named)
    settings = {
        **model_settings(engine), "samplers": sampler_settings(engine, chains), "judges": panel.records(),
        "closed set": digest(texts), "options": {k: v for k, v in options.to_mapping().items() if k != "batch-size"},
    }  # fmt: skip
    store = Store(task.output, settings, overwrite=task.overwrite)
    keys = {
        each.id: digest([sha256_file(each.path), each.text, voices[each.id].facts()]) for each in items
    }
    climbing = Climbing(engine, chains, options, panel, store)
    with (
        resumable(session, task.output, lambda: sum(store.has(each.id, keys[each.id]) for each in items), len(items)),
        session.progress("climbing", len(items), "recordings") as bar,
        Filing(panel, store) as filing,
    ):
        for each in items:
            if not store.has(each.id, keys[each.id]):
                filing.add(each.id, climbing.climb(each, voices[each.id], keys[each.id]))
            bar.advance(1, each.id)
    report = gather([store.records[each.id] for each in items], settings, panel, engine)
    finish(session, task, report, store, against, lambda: draw(items, store, RUNGS))


def references(registry: Registry, items: Sequence[Item], most: float) -> dict[str, Speaker]:
    """Whose voice speaks each item's text: the packaged voice that the speaker is named after, else another recording
    of the speaker. Raises InputError where there is neither."""
    voices = registry.all(Voice)
    found: dict[str, Speaker] = {}
    for at, each in enumerate(items):
        if each.speaker in voices:
            found[each.id] = packaged_speaker(registry, each.speaker, most)
            continue
        others = [other for other in (*items[at + 1 :], *items[:at]) if each.speaker and other.speaker == each.speaker]
        if not others:
            raise InputError(
                f"no reference for {each.id}", cause="its speaker isn't a packaged voice and has no other recording",
                try_='--ref NAME or FILE, or "speaker" in each line of the manifest',
            )  # fmt: skip
        clip = read_audio(others[0].path, max_seconds=most)
        found[each.id] = Speaker(others[0].id, "file", clip, (others[0].path,), None, others[0].text)
    return found


class Climbing:
    """Makes and judges the rungs."""

    def __init__(self, engine: VallE, chains: Chains, options: SpeechOptions, panel: Panel, store: Store) -> None:
        self.engine, self.chains, self.options, self.panel, self.store = engine, chains, options, panel, store

    def climb(self, item: Item, speaker: Speaker, key: str) -> Callable[[], dict[str, Any]]:
        """One recording's four rungs. Where the model makes no speech, that rung is as bad as can be.

        Returns:
            Its record, for when all judges are done.
        """
        codec, text = self.engine.codec, item.text or ""
        original = recording_of(item, codec.sample_rate)
        with torch.inference_mode():
            codes = codec.encode(torch.from_numpy(original.wave))
        reference = Recording(speaker.clip.samples, speaker.clip.sample_rate)
        levels = self.engine.loaded.config.levels
        made: dict[str, Recording | None] = {
            "recording": original,
            "codec": there_and_back(codec, original, levels),
            "nar": self._speak(text, speaker, codes[:, 0]),
            "tts": self._speak(text, speaker, None),
        }
        rungs: dict[str, Heard] = {}
        for name, sound in made.items():
            if sound is None:
                rungs[name] = self.panel.nothing(text, self.options.language)
                continue
            timed = original if name in ("codec", "nar") else None
            given = Judged(sound, text, item.phonemes or "", self.options.language, reference, timed)
            rungs[name] = self.panel(given, name)
            self.store.save(f"{item.id}.{name}", sound)
        return lambda: {
            "key": key, "id": item.id, "text": text, "speaker": item.speaker, "reference": speaker.name,
            "rungs": {name: each.record() for name, each in rungs.items()},
        }  # fmt: skip

    def _speak(self, text: str, speaker: Speaker, level0: torch.Tensor | None) -> Recording | None:
        prepared = request_for(text, speaker, self.options).prepare(self.engine.registry)
        try:
            speech = self.engine.speak(prepared, self.chains, level0=level0)
        except InputError:
            return None
        return Recording(speech.wave, speech.sample_rate)


def gather(records: Sequence[Mapping[str, Any]], settings: Mapping[str, object], panel: Panel, engine: VallE) -> Report:
    """The figures of each rung."""
    observations = [
        Observation(name, each["text"], weighted(each["rungs"][name])) for each in records for name in RUNGS
    ]
    return Report(
        "eval ladder", settings, environment(), panel.records(), panel.figures(), observations, records, total=False
    )  # fmt: skip
