"""`vall-e sweep`: the same text with many settings, judged by the scorers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vall_e_core import InputError, Session, VallEError
from vall_e_files import OutputTarget, check_folder, check_output
from vall_e_lm import ModelOptions, TimeLimitError, find_model, plan_chain

from .command import STAGES, request_of, with_seed
from .options import SpeechOptions
from .synthesis.request import SpeechRequest
from .synthesis.results import Speech
from .valle import VallE
from .vary import Setting, parse, settings
from .words import material, name_of, refuse, text_of

if TYPE_CHECKING:
    from .task import Sweep


@dataclass(frozen=True)
class Row:
    """One setting and what came of it. Means are over all candidates of all parts; `good` is the share that is good."""

    setting: Setting
    score: float | None = None
    scores: dict[str, float | None] | None = None
    seconds: float = 0.0
    good: float = 0.0
    output: str | None = None
    error: str | None = None

    def record(self) -> dict[str, object]:
        """As `--json` prints it."""
        return {
            "varied": dict(self.setting.varied), "score": self.score, "scores": self.scores, "seconds": self.seconds,
            "good": self.good, "output": self.output, "error": self.error, "flags": flags_of(self.setting),
        }  # fmt: skip


def run(task: Sweep, session: Session) -> None:
    """Everything is checked before the model is looked at. A setting that fails is reported, and the others go on."""
    word, references, left = material(task, behind=0)
    refuse(left, {"--voice": task.voice, "--ref": task.ref})
    varies = [parse(each, session.registry) for each in task.vary]
    chains = {stage: request_of(session, stage) for stage in STAGES}
    known = session.registry.samplers()
    for stage, chain in chains.items():
        plan_chain(known, stage, chain)
    if task.output is not None:
        make_folder(task.output)
    request = SpeechRequest(
        text_of(task, word), references, task.voice, task.ref_text, "tts", task.group(SpeechOptions), name_of(task)
    )
    request.prepare(session.registry, notify=session.notice)
    find_model(session.registry, task.group(ModelOptions))
    engine = VallE.load(options=task.group(ModelOptions), registry=session.registry, notify=session.notice)
    session = session.advised(engine.loaded.advice)
    options = with_seed(session.task.group(SpeechOptions), session)
    if not options.scorer:
        options = replace(options, scorer=tuple(engine.default_scorers()))
    wanted = settings(varies, options, chains, known, engine.loaded.advice)
    targets = [_target(task, place, len(wanted)) for place in range(len(wanted))]
    rows: list[Row] = []
    failures: list[VallEError] = []
    with session.progress("settings", len(wanted)) as bar:
        for setting, target in zip(wanted, targets, strict=True):
            try:
                prepared = engine.speakers.prepare(replace(request, options=setting.options))
                rows.append(judged(setting, engine.speak(prepared, setting.chains), target))
            except (InputError, TimeLimitError) as error:
                failures.append(error)
                rows.append(Row(setting, error=error.message))
            bar.advance()
    if len(failures) == len(rows):
        raise failures[0]
    rows.sort(key=lambda each: (-each.good, each.score is None, -(each.score or 0.0)))
    record = {"seed": options.seed, "candidates": options.candidates, "scorers": list(options.scorer)}
    session.result({**record, "settings": [each.record() for each in rows]}, table(rows))


def make_folder(folder: Path) -> None:
    """A folder to write into. Raises InputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"can't make the folder {folder}", cause=error.strerror) from error
    check_folder(folder)


def _target(task: Sweep, place: int, count: int) -> OutputTarget | None:
    """Where a setting's audio goes: `01.wav`, `02.wav`, … in the order of the settings."""
    if task.output is None:
        return None
    return check_output(str(task.output / f"{place + 1:0{len(str(count))}}.wav"), overwrite=task.overwrite)


def judged(setting: Setting, speech: Speech, target: OutputTarget | None) -> Row:
    """What the scorers say of a setting, from the record of its candidates."""
    takes = [each for part in speech.parts for each in part.candidates]
    heard: list[dict[str, Any]] = [dict(each) for each in takes if each["verdict"] != "empty"]
    names = list(dict.fromkeys(name for each in heard for name in each["scores"]))
    if target is not None:
        speech.write(target)
    return Row(
        setting,
        mean([each["score"] for each in heard]),
        {name: mean([each["scores"][name] for each in heard]) for name in names},
        round(speech.seconds, 3),
        round(sum(each["verdict"] == "ok" for each in heard) / len(takes), 3),
        None if target is None else str(target.path),
    )


def mean(values: Sequence[float | None]) -> float | None:
    """Of those that are there; None where there is none."""
    known = [each for each in values if each is not None]
    return round(sum(known) / len(known), 6) if known else None


def flags_of(setting: Setting) -> list[str]:
    """The setting as flags of `vall-e tts`."""
    found = [
        f"--{stage}-sampler {each.to_spec()}"
        for stage, request in setting.chains.items()
        for each in request.explicit or ()
    ]
    plain = [f"--{key} {value}" for key, value in setting.varied.items() if "." not in key]
    given = {f"--{key} {value}": None for request in setting.chains.values() for key, value in request.flags.items()}
    return [*found, *given, *plain]


def table(rows: Sequence[Row]) -> str:
    """Best first: what was varied, the weighted sum, each scorer's mean, seconds, and the share of good takes."""
    varied = list(rows[0].setting.varied)
    names = list(dict.fromkeys(name for each in rows for name in each.scores or {}))
    head = ["", *varied, "score", *names, "seconds", "good", *(["file"] if any(each.output for each in rows) else [])]
    lines = [head]
    for place, each in enumerate(rows, 1):
        if each.error is not None:
            lines.append([str(place), *each.setting.varied.values(), f"failed: {each.error}"])
            continue
        scores = [_shown((each.scores or {}).get(name)) for name in names]
        line = [str(place), *each.setting.varied.values(), _shown(each.score), *scores, f"{each.seconds:.2f}"]
        lines.append([*line, f"{each.good:.0%}", *([each.output] if each.output else [])])
    whole = [line for line in lines if len(line) == len(head)]
    widths = [max(len(line[at]) for line in whole) for at in range(len(head))]
    shown = ["  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=False)) for line in lines]
    flags = " ".join(flags_of(rows[0].setting))
    return "\n".join([*shown, *(["", f"best: {flags}"] if flags else [])])


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
