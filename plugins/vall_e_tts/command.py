"""`vall-e tts`: check everything, load, speak, write."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vall_e_core import BatchError, Session
from vall_e_core.sampling.running import ChainRequest
from vall_e_files import OutputTarget, check_file, check_output
from vall_e_lm import ModelOptions, find_model, plan_chain, require_task

from .options import SpeechOptions
from .repeat import repeated
from .speech_task import speech_task
from .synthesis.parts import Said
from .synthesis.request import SpeechRequest
from .synthesis.writing import open_speech
from .valle import VallE
from .words import Words, understand

if TYPE_CHECKING:
    from types import TracebackType

    from .task import Tts

STAGES = ("ar", "nar")


def run(task: Tts, session: Session) -> None:
    """One run. Everything that can be checked is checked before the model is looked at."""
    said: Sequence[Said] = ()
    if task.repeat is not None:
        session, said = repeated(session, task.repeat)
        task = cast("Tts", session.task)
    if task.task == "stt":
        return transcribe_instead(task, session)
    speech_task(session.registry, task.task)
    words = understand(task)
    target = check_output(
        words.output, format=task.format, overwrite=task.overwrite, inputs=words.references, sidecar=not task.no_sidecar
    )
    if target.misleading is not None:
        session.warn(f"{target.path} is {target.format}, as --format says, though it is named like {target.misleading}")
    if task.trace is not None:
        files = [path for path in (*words.references, target.path, target.sidecar) if path is not None]
        check_file(task.trace, overwrite=task.overwrite, inputs=files)
    target = replace(target, stream=session.console.stdout)
    session.console.stdout_taken = target.path is None
    chains = {stage: request_of(session, stage) for stage in STAGES}
    for stage, chain in chains.items():
        plan_chain(session.registry.samplers(), stage, chain)
    request = SpeechRequest(
        words.text, words.references, task.voice, task.ref_text, task.task, task.group(SpeechOptions), words.name, said
    ).prepare(session.registry, notify=session.notice)
    model = task.group(ModelOptions)
    place, token = find_model(session.registry, model), request.task.token or "tts"
    require_task(session.registry, place, token, allow_pickle=model.allow_pickle)
    engine = VallE.load(options=task.group(ModelOptions), registry=session.registry, notify=session.notice)
    if task.device == "auto":
        session.notice(f"device: {engine.device.name} ({engine.device.reason})")
    session = session.advised(engine.loaded.advice)
    options = with_seed(session.task.group(SpeechOptions), session)
    with ShownProgress(session) as show:
        speech = engine.speak_stream(
            request.with_options(options), chains, progress=show, trace=task.trace is not None, early=task.stream,
            patient=not task.stream and target.path is not None,
            arguments={**arguments_of(session, words, options), "markup": request.reading.markup},
        )  # fmt: skip
        with open_speech(target, speech.sample_rate, at_once=speech.at_once) as out:
            for wave in speech:
                out.write(wave)
            record = out.finish(speech.record, sidecar=not task.no_sidecar)
    for line in speech.warnings:
        session.warn(line)
    trace = speech.trace()
    if task.trace is not None and trace is not None:
        trace.write(task.trace, overwrite=task.overwrite)
        session.notice(f"trace: {task.trace}, {len(trace.lines)} choices")
    report(session, record, target)
    if speech.silent_parts:
        numbers = ", ".join(str(number + 1) for number in speech.silent_parts)
        raise BatchError(
            f"nothing was said in part {numbers} of {speech.known_parts}",
            cause="the model stopped at once in all tries",
            try_="another --seed, or --max-tries 10",
        )  # fmt: skip
    if task.strict and not speech.stopped:
        raise BatchError("a part never stopped by itself", try_="another --seed, or a shorter text")


def request_of(session: Session, stage: str) -> ChainRequest:
    """What the user said about the chain of a stage; a checkpoint's advice isn't among it."""
    given = {key: value for key, value in session.sampler_flags(stage).items() if session.given(key)}
    return ChainRequest(session.chain(stage), given)


def with_seed(options: SpeechOptions, session: Session) -> SpeechOptions:
    """The options with a seed: the one given, 0 included, or one that is chosen here and told."""
    if options.seed is not None:
        return options
    seed = secrets.randbits(31)
    session.notice(f"seed: {seed}")
    return replace(options, seed=seed)


class ShownProgress:
    """A progress bar as a callback for decoding."""

    def __init__(self, session: Session) -> None:
        self._bar = session.progress("speaking", unit="steps")
        self._began = time.perf_counter()
        self._steps = 0

    def __enter__(self) -> Callable[[str, int, int], None]:
        self._bar.__enter__()
        return self._show

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.__exit__(kind, error, trace)

    def _show(self, stage: str, done: int, most: int) -> None:
        self._steps += 1
        rate = self._steps / max(time.perf_counter() - self._began, 1e-6)
        self._bar.to(self._steps, f"{stage} {done} of at most {most}, {rate:.0f} steps/s")


def arguments_of(session: Session, words: Words, options: SpeechOptions) -> dict[str, object]:
    """The run as flags that repeat it: absolute paths, the text itself, the seed that was used."""
    found = session.record()
    for key in ("words", "output", "overwrite", "repeat", "file", "trace", "no-sidecar", "format", "strict", "timeout"):
        found.pop(key, None)
    found["text"] = words.text.encode("utf-8", "ignore").decode("utf-8")  # lone surrogates can't be written
    found["ref"] = [str(path.absolute()) for path in words.references]
    found["seed"] = options.seed
    for key in ("model", "yaml", "tokenizer", "lexicon"):
        value = found.get(key)
        if isinstance(value, str) and Path(value).exists():
            found[key] = str(Path(value).absolute())
    loras = found.get("lora")
    if isinstance(loras, list):
        found["lora"] = [str(Path(str(path)).absolute()) for path in loras]
    return found


def report(session: Session, record: dict[str, Any], target: OutputTarget) -> None:
    """Say what came of it: one line, the chain and timings under -v, the record under --json."""
    if target.path is None and target.format.startswith("pcm_"):
        session.notice(f"raw samples: {target.format[4:]}, {record['output']['sample_rate']} Hz, 1 channel")
    where = "standard output" if target.path is None else str(target.path)
    rtf = f", RTF {record['rtf']:.2f}" if record["rtf"] is not None else ""
    session.notice(f"{where}: {record['duration']:.2f} s of speech{rtf}, seed {record['seed']}")
    for stage, members in record["samplers"].items():
        session.detail(f"{stage} chain: {' → '.join(map(described, members))}")
    for part in record["parts"]:
        session.detail(
            f"part {part['index'] + 1}: {part['duration']:.2f} s, {part['stop_reason']}, {part['tries']} tries"
            + (f", {part['refined']} sequence kept" if part.get("refined") else "")
            + described_candidates(part.get("candidates", ()))
            + f"  /{part['phonemes']}/"
        )
    session.detail("timings: " + ", ".join(f"{stage} {value:.2f} s" for stage, value in record["timings"].items()))
    session.result(record)


def described(member: dict[str, Any]) -> str:
    """A member of a chain with all its numbers: `top-p:p=0.9`."""
    numbers = ",".join(f"{key}={spelled(value)}" for key, value in member["parameters"].items())
    return f"{member['name']}{f':{numbers}' if numbers else ''}{' (off)' if 'off' in member else ''}"


def spelled(value: object) -> str:
    """A parameter as a spec has it: lists and maps joined with `+`."""
    if isinstance(value, Mapping):
        return "+".join(f"{key}@{each}" for key, each in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "+".join(map(str, value))
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def described_candidates(candidates: Sequence[Mapping[str, Any]]) -> str:
    """`, candidate 2 of 4 (stt -0.1, length -0.02)`; nothing where none was judged."""
    for each in candidates:
        if each["kept"]:
            scores = ", ".join(f"{name} {value:.3g}" for name, value in each["scores"].items() if value is not None)
            return f", candidate {each['candidate'] + 1} of {len(candidates)}" + (f" ({scores})" if scores else "")
    return ""


def transcribe_instead(task: Tts, session: Session) -> None:
    """`--task stt`: the words are audio, and the task of that name does the work."""
    stt = session.registry.task("stt")
    given = {
        key: value
        for key, value in session.config.merged().items()
        if session.given(key) and (stt.param(key) is not None or session.config.options[key].role in ("flag", "common"))
    }
    for key in ("task", "format"):
        given.pop(key, None)
    audio = [*task.words, *task.ref]
    made = Session.create(stt, {**given, "audio": audio}, registry=session.registry, console=session.console)
    made.task.run(made)
