"""`vall-e eval codec`: recordings there and back through a codec."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vall_e_audio import read_audio
from vall_e_core import BuildContext, CodecModel, Session, UsageError
from vall_e_files import sha256_file
from vall_e_lm import ModelOptions
from vall_e_voices import model_codec

from .extras import need_all
from .filing import Filing
from .finish import finish, read_baseline
from .judge import Figure
from .judged import Judged, Recording
from .material import Item, read_items, read_sentences
from .panel import Panel, find_judges, weighted
from .report import Observation, Report
from .running import FORMAT, environment, resumable
from .speaker import OTHERS, SAME, among
from .store import Store, digest
from .stt import packaged

if TYPE_CHECKING:
    from .tasks import EvalCodec

GIVEN = frozenset({"text", "reference", "original"})
FIGURES: Mapping[str, Figure] = {
    "codec.rtf": Figure("real-time factor", "lower"),
    "codec.cpu": Figure("CPU seconds per second of audio", "lower"),
}
BEFORE, AFTER = "recording", "codec"
MOST_PICTURES = 3
"""Recordings in the picture."""


def run(task: EvalCodec, session: Session) -> None:
    """Everything is checked before the codec is built. Raises RegressionError where a baseline is missed."""
    need_all("vall-e eval")
    against = read_baseline(task, "eval codec")
    items = packaged(session.registry) if task.source is None else read_items(task.source, task.number)
    items = items[: task.number]
    judges, named = find_judges(session.registry, task.judge, GIVEN, places=False)
    for each in items:
        read_audio(each.path, min_seconds=0, max_seconds=0.05, allow_silence=True)
    options = task.group(ModelOptions)
    codec = model_codec(session.registry, options, notify=session.detail)
    if task.levels is not None and task.levels > codec.levels:
        raise UsageError(f"--levels {task.levels}: the codec has {codec.levels}")
    texts = closed_set(items, task.sentences)
    device = str(options.device)
    context = BuildContext(
        "cpu" if device == "auto" else device, notify=session.notice,
        component=session.registry.get, owner=session.registry.owner, sentences=tuple(texts),
    )  # fmt: skip
    panel = Panel(judges, context, named=named)
    levels = codec.levels if task.levels is None else task.levels
    settings = {
        "format": FORMAT, "codec": codec.name, "spec": options.codec, "levels": levels, "device": device,
        "books": getattr(codec, "code_books_sha256", None), "judges": panel.records(), "closed set": digest(texts),
    }  # fmt: skip
    store = Store(task.output, settings, overwrite=task.overwrite)
    keys = {each.id: digest([sha256_file(each.path), each.text]) for each in items}
    waiting = [each for each in items if not store.has(each.id, keys[each.id])]
    with (
        resumable(session, task.output, lambda: sum(store.has(each.id, keys[each.id]) for each in items), len(items)),
        session.progress("coding", len(items), "recordings") as bar,
        Filing(panel, store) as filing,
    ):
        bar.to(len(items) - len(waiting))
        if waiting:
            there_and_back(codec, recording_of(waiting[0], codec.sample_rate), levels)  # without counting
        for each in waiting:
            filing.add(each.id, judged(each, codec, levels, panel, store, keys[each.id]))
            bar.advance(1, each.id)
    records = [store.records[each.id] for each in items]
    rate = levels * math.log2(codec.codebook_size) * codec.frame_rate
    report = gather(records, settings, panel, rate)
    finish(session, task, report, store, against, lambda: draw(items, store, (BEFORE, AFTER)))


def draw(items: Sequence[Item], store: Store, rungs: Sequence[str]) -> Iterator[tuple[str, str, bytes]]:
    """The first recordings on every rung."""
    from .pictures import listen, spectrograms

    rows = []
    for item in items[:MOST_PICTURES]:
        row = [listen(store.audio(f"{item.id}.{rung}"), f"{rung}: {item.id}"[:40]) for rung in rungs]
        rows.append([each for each in row if each is not None])
    rows = [row for row in rows if row]
    if rows:
        yield "spectrograms.png", f"The first recordings: {', '.join(rungs)}; F0 in blue", spectrograms(rows)


def closed_set(items: Sequence[Item], sentences: Path | None) -> list[str]:
    """Everything that may be said: the set of sentences, and what else the recordings say."""
    known = [each.text for each in read_sentences(sentences)]
    return list(dict.fromkeys([*known, *(each.text for each in items if each.text)]))


def recording_of(item: Item, sample_rate: int) -> Recording:
    """A whole recording at a codec's rate: its text is that of the whole. Raises InputError."""
    clip = read_audio(item.path, sample_rate=sample_rate, max_seconds=None)
    return Recording(clip.samples, sample_rate)


def there_and_back(codec: CodecModel, recording: Recording, levels: int) -> Recording:
    """Through the codec, with so many of its levels."""
    with torch.inference_mode():
        codes = codec.encode(torch.from_numpy(recording.wave))
        wave = codec.decode(codes[:, :levels])
    return Recording(wave.float().cpu().numpy().reshape(-1), recording.sample_rate)


def judged(
    item: Item, codec: CodecModel, levels: int, panel: Panel, store: Store, key: str
) -> Callable[[], dict[str, Any]]:
    """One recording before and after: its record, for when all judges are done."""
    original = recording_of(item, codec.sample_rate)
    began, worked = time.perf_counter(), time.process_time()
    made = there_and_back(codec, original, levels)
    spent, worked = time.perf_counter() - began, time.process_time() - worked
    text = item.text or ""
    rungs = {
        BEFORE: panel(Judged(original, text), BEFORE),
        AFTER: panel(Judged(made, text, reference=original, original=original), AFTER),
    }
    for name, sound in ((BEFORE, original), (AFTER, made)):
        store.save(f"{item.id}.{name}", sound)
    return lambda: {
        "key": key, "id": item.id, "text": item.text, "speaker": item.speaker, "seconds": round(original.seconds, 6),
        "spent": round(spent, 6), "worked": round(worked, 6),
        "rungs": {name: each.record() for name, each in rungs.items()},
    }  # fmt: skip


def gather(records: Sequence[Mapping[str, Any]], settings: Mapping[str, object], panel: Panel, rate: float) -> Report:
    """The figures of all recordings together, before and after."""
    observations = []
    extra, voices = compare_voices(records, panel)
    for each in records:
        seconds = max(float(each["seconds"]), 1e-3)
        for name, rung in each["rungs"].items():
            figures = {**weighted(rung), **voices.get((each["id"], name), {})}
            if name == AFTER:
                figures["codec.rtf"] = (each["spent"] / seconds, seconds)
                figures["codec.cpu"] = (each["worked"] / seconds, seconds)
            observations.append(Observation(name, each["text"] or each["id"], figures))
    return Report(
        "eval codec", settings, environment(), panel.records(), {**panel.figures(), **extra, **FIGURES}, observations,
        records, total=False, details={"bits a second": round(rate, 3)},
    )  # fmt: skip


def compare_voices(
    records: Sequence[Mapping[str, Any]], panel: Panel
) -> tuple[dict[str, Figure], dict[tuple[str, str], dict[str, float | None]]]:
    """How near every recording, before and after, is to its speaker's other recordings and to other speakers'.

    Returns:
        The figures, and their values by item and rung; nothing of recordings whose speaker isn't known.
    """
    figures: dict[str, Figure] = {}
    found: dict[tuple[str, str], dict[str, float | None]] = {}
    known = [each for each in records if each["speaker"]]
    for judge, _ in panel.judges:
        if not judge.cosine:
            continue
        same, others = f"{judge.name}.same", f"{judge.name}.others"
        figures |= {same: SAME, others: OTHERS}
        rungs = {
            (each["id"], name): rung["places"].get(judge.name)
            for each in known for name, rung in each["rungs"].items()
        }  # fmt: skip
        places = {
            each["id"]: (each["speaker"], rungs[each["id"], BEFORE]) for each in known if rungs[each["id"], BEFORE]
        }
        for each in known:
            for name in each["rungs"]:
                place = rungs[each["id"], name]
                if place is not None:
                    near, far = among(place, each["speaker"], each["id"], places)
                    found.setdefault((each["id"], name), {}).update({same: near, others: far})
    return figures, found
