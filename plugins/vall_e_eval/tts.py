"""`vall-e eval tts`: every sentence in the voice of every reference."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vall_e_core import InputError, Session
from vall_e_tts import Speech, SpeechOptions, SpeechRequest, VallE

from .extras import need_all
from .filing import Filing
from .finish import finish, read_baseline
from .judge import Figure
from .judged import Judged, Recording
from .manner import manner
from .material import Sentence, choose, read_sentences
from .panel import Heard, Panel, find_judges, weighted
from .phones import letters
from .references import Speaker, speakers
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
from .speaker import OTHERS
from .store import Store, digest
from .voices import abx

if TYPE_CHECKING:
    from .tasks import EvalTts

GIVEN = frozenset({"text", "reference"})
MOST_PICTURES = 4
"""Voices in the picture."""
SECONDS_PER_LETTER = 0.075
"""Where the pace of the reference isn't known."""

FIGURES: Mapping[str, Figure] = {
    "speech.cut": Figure("cut endings", "lower", "%"),
    "speech.loop": Figure("loops", "lower", "%"),
    "speech.stopped": Figure("stopped by itself", "higher", "%"),
    "speech.first": Figure("good at the first try", "higher", "%"),
    "speech.length": Figure("length over the usual length", "neither"),
    "speech.repeat": Figure("longest repetition in level 0", "lower", "s"),
    "speech.unique": Figure("different codes in level 0", "neither", "%"),
    "speech.rtf": Figure("real-time factor", "lower"),
    "speech.cpu": Figure("CPU seconds per second of speech", "lower"),
}


@dataclass(frozen=True)
class Job:
    """One sentence in one voice."""

    sentence: Sentence
    speaker: Speaker

    @property
    def id(self) -> str:
        """The name of its record and its audio."""
        return f"{self.sentence.id}-{self.speaker.name}"

    def facts(self) -> dict[str, object]:
        """What decides its result, beside the run's settings."""
        return {"sentence": self.sentence.text, "reference": self.speaker.facts()}


def run(task: EvalTts, session: Session) -> None:
    """Everything is checked before the model is looked at. Raises RegressionError where a baseline is missed."""
    need_all("vall-e eval")
    against = read_baseline(task, "eval tts")
    everything = read_sentences(task.sentences)
    chosen = choose(everything, task.list, task.number)
    voices = speakers(session.registry, task.ref, task.bend, task.max_ref_seconds, lambda: codec_of(session))
    judges, named = find_judges(session.registry, task.judge, GIVEN)
    chains = chains_of(session)
    options = task.group(SpeechOptions)
    request_for(chosen[0].text, voices[0], options).prepare(session.registry, notify=session.notice)
    engine = load_engine(session)
    session = session.advised(engine.loaded.advice)
    options = session.task.group(SpeechOptions)
    texts = [each.text for each in everything]
    panel = Panel(judges, context_of(engine, texts, session.notice), named=named)
    settings = {
        **model_settings(engine), "samplers": sampler_settings(engine, chains), "judges": panel.records(),
        "closed set": digest(texts), "options": {k: v for k, v in options.to_mapping().items() if k != "batch-size"},
        "stream": task.stream,
    }  # fmt: skip
    store = Store(task.output, settings, overwrite=task.overwrite)
    jobs = [Job(sentence, voice) for sentence in chosen for voice in voices]
    speaking = Speaking(engine, chains, options, panel, store, early=task.stream)
    with (
        resumable(session, task.output, lambda: sum(speaking.has(job) for job in jobs), len(jobs)),
        session.progress("speaking", len(jobs), "recordings") as bar,
    ):
        speaking.warm_up(jobs)
        with speaking.filing:
            for job in sorted(jobs, key=lambda job: voices.index(job.speaker)):  # voice by voice, for joint judges
                speaking.make(job)
                bar.advance(1, job.id)
    report = gather(jobs, store, speaking.references(voices), settings, panel, engine)
    finish(session, task, report, store, against, lambda: draw(jobs, store, report))


def draw(jobs: Sequence[Job], store: Store, report: Report) -> Iterator[tuple[str, str, bytes]]:
    """The first sentence in each of the first voices beside its reference; which voice each output is nearest to."""
    from .pictures import Panel as Picture
    from .pictures import counts_matrix, listen, matrix, spectrograms

    rows: list[list[Picture]] = []
    for job in jobs:
        spoken = listen(store.audio(job.id), f"spoken: {job.id}")
        if job.sentence == jobs[0].sentence and len(rows) < MOST_PICTURES and spoken is not None:
            clip = job.speaker.clip
            heard = Picture(f"reference {job.speaker.name}", Recording(clip.samples, clip.sample_rate))
            rows.append([heard, spoken])
    if rows:
        caption = f"The references, and \"{jobs[0].sentence.text}\" in their voices; F0 in blue"
        yield "spectrograms.png", caption, spectrograms(rows)
    for judge, table in report.details["nearest"].items():
        shares, down, across = counts_matrix(table)
        picture = matrix(shares, down, across, across="nearest reference", down="spoken in the voice of")
        yield f"voices-{judge}.png", f"Which reference each recording is nearest to, in percent, by {judge}", picture


def request_for(text: str, speaker: Speaker, options: SpeechOptions) -> SpeechRequest:
    """A sentence in a voice; an unbent reference is read from its file, as `vall-e tts` does."""
    if speaker.saved is not None:
        return SpeechRequest(text, (), speaker.saved, speaker.transcript, "tts", options)
    references = (speaker.clip,) if speaker.origin == "bent" else speaker.paths
    return SpeechRequest(text, references, None, speaker.transcript, "tts", options)


class Speaking:
    """Makes and judges recordings."""

    def __init__(
        self, engine: VallE, chains: Chains, options: SpeechOptions, panel: Panel, store: Store, *, early: bool = False
    ) -> None:
        """`early`: in pieces, as a stream."""
        self.engine, self.chains, self.options, self.panel, self.store = engine, chains, options, panel, store
        self.early = early
        self.filing = Filing(panel, store)
        self._clips: dict[str, Recording] = {}

    def has(self, job: Job) -> bool:
        """Whether it is done, from the same sentence and reference."""
        return self.store.has(job.id, digest(job.facts()))

    def warm_up(self, jobs: Sequence[Job]) -> None:
        """Speak once without counting, so that the first recording's time is like the others'."""
        waiting = next((job for job in jobs if not self.has(job)), None)
        if waiting is not None:
            try:
                self._speak(waiting)
            except InputError:
                return

    def _speak(self, job: Job) -> tuple[Speech, str | None, float, float]:
        """The speech, the reference's phonemes, and the seconds that all of it took: by the clock, and of CPU time."""
        began, worked = time.perf_counter(), time.process_time()
        prepared = request_for(job.sentence.text, job.speaker, self.options).prepare(self.engine.registry)
        speech = self.engine.speak(prepared, self.chains, early=self.early)
        return speech, prepared.reference_phonemes, time.perf_counter() - began, time.process_time() - worked

    def clip(self, speaker: Speaker) -> Recording:
        """A reference as the judges get it."""
        if speaker.name not in self._clips:
            self._clips[speaker.name] = Recording(speaker.clip.samples, speaker.clip.sample_rate)
        return self._clips[speaker.name]

    def references(self, voices: Sequence[Speaker]) -> dict[str, Heard]:
        """What the judges say of the references themselves, whatever their words: it places them among the voices."""
        return {
            each.name: self.panel(Judged(self.clip(each), language=self.options.language, reference=self.clip(each)))
            for each in voices
        }

    def make(self, job: Job) -> None:
        """Speak and judge one sentence, unless that has been done; its record is filed when all judges are done."""
        if self.has(job):
            return
        record: dict[str, Any] = {
            "key": digest(job.facts()), "id": job.id, "sentence": job.sentence.id, "text": job.sentence.text,
            "reference": job.speaker.name, "speaker": job.speaker.person, "origin": job.speaker.origin,
            "seed": self.options.seed,
        }  # fmt: skip
        try:
            speech, spoken, spent, worked = self._speak(job)
        except InputError as error:  # no speech in any try: that is a result
            silent = self.panel.nothing(job.sentence.text, self.options.language)
            silent.figures.update({"speech.stopped": 0.0, "speech.cut": 1.0, "speech.loop": 0.0, "speech.first": 0.0})
            failed = {**record, "failed": error.message, **silent.record()}
            self.filing.add(job.id, lambda: failed)
            return
        path = self.store.audio(job.id)
        if path is not None:
            speech.save(path, overwrite=True, sidecar=False)
        phonemes = " ".join(part.phonemes for part in speech.parts)
        heard = self.panel(Judged(
            Recording(speech.wave, speech.sample_rate), job.sentence.text, phonemes, self.options.language,
            self.clip(job.speaker),
        ), job.speaker.name)  # fmt: skip
        pace = None if not spoken else job.speaker.clip.seconds / max(1, len(letters(spoken)))
        usual = max(0.1, len(letters(phonemes)) * (SECONDS_PER_LETTER if pace is None else min(max(pace, 0.04), 0.18)))
        heard.figures.update(manner(speech, usual, self.engine.codec.frame_rate, heard))
        self.filing.add(job.id, lambda: {
            **record, "phonemes": phonemes, "seconds": round(speech.seconds, 6), "spent": round(spent, 6),
            "worked": round(worked, 6),
            "parts": [
                {"stop_reason": part.stop_reason, "verdict": part.verdict, "tries": part.tries, "seconds": part.seconds}
                for part in speech.parts
            ],
            **heard.record(),
        })  # fmt: skip


def gather(
    jobs: Sequence[Job],
    store: Store,
    references: Mapping[str, Heard],
    settings: Mapping[str, object],
    panel: Panel,
    engine: VallE,
) -> Report:
    """The figures of all recordings together."""
    records = [store.records[job.id] for job in jobs]
    figures = {**panel.figures(), **FIGURES}
    found = [weighted(each) for each in records]
    for values, record in zip(found, records, strict=True):
        if "spent" in record:
            seconds = max(float(record["seconds"]), 1e-3)
            values["speech.rtf"] = (float(record["spent"]) / seconds, seconds)
            values["speech.cpu"] = (float(record["worked"]) / seconds, seconds)
    nearest: dict[str, dict[str, dict[str, int]]] = {}
    for judge, _ in panel.judges:
        places = {name: each.places[judge.name] for name, each in references.items() if judge.name in each.places}
        placed = [at for at, each in enumerate(records) if judge.name in each["places"] and each["reference"] in places]
        outputs = [(str(records[at]["reference"]), records[at]["places"][judge.name]) for at in placed]
        people = {job.speaker.name: job.speaker.person for job in jobs}
        compared = abx(outputs, places, people, as_it_is=judge.cosine)
        if compared is None:
            continue
        if judge.cosine:
            figures[f"{judge.name}.others"] = OTHERS
        figures[f"{judge.name}.abx"] = Figure("closer to its own reference than to another", "higher", "%")
        figures[f"{judge.name}.nearest"] = Figure("its own reference is the closest", "higher", "%")
        known = list(dict.fromkeys(people[name] for name in places))
        table = nearest[judge.name] = {name: dict.fromkeys(known, 0) for name in known}
        for at, each in zip(placed, compared, strict=True):
            own = people[str(records[at]["reference"])]
            found[at][f"{judge.name}.abx"] = each.nearer
            found[at][f"{judge.name}.nearest"] = float(each.nearest == own)
            if judge.cosine:
                found[at][f"{judge.name}.others"] = each.others
            table[own][each.nearest] += 1
    observations = [
        Observation(str(record["speaker"]), str(record["sentence"]), values, str(record["origin"]))
        for record, values in zip(records, found, strict=True)
    ]
    return Report(
        "eval tts", settings, environment(), panel.records(), figures, observations, records,
        details={"references": {job.speaker.name: job.speaker.facts() for job in jobs}, "nearest": nearest},
    )  # fmt: skip
