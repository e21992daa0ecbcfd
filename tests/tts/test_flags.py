"""Every flag of `vall-e tts` does what it says: each run is held against one without the flag."""


from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vall_e_core import Registry, UsageError, VallE
from vall_e_lm import ModelOptions, find_model
from vall_e_onnx.product import wide_works
from vall_e_tts import SpeechOptions

Record = dict[str, Any]
Check = Callable[[Record, Record], bool]
GREEDY = ("--ar-temp", 0, "--max-tries", 1, "--max-ar-steps", 40)


def codes(record: Record) -> list[str]:
    return [part["codes_sha256"] for part in record["parts"]]


def chain(record: Record, stage: str = "ar") -> dict[str, dict[str, Any]]:
    return {each["name"]: each["parameters"] for each in record["samplers"][stage] if "off" not in each}


def differs(new: Record, old: Record) -> bool:
    return codes(new) != codes(old)


def same(new: Record, old: Record) -> bool:
    return codes(new) == codes(old)


SAMPLERS: list[tuple[str, tuple[object, ...], Check]] = [
    ("ar-temp", ("--ar-temp", 0.5), lambda n, o: chain(n)["temperature"]["t"] == 0.5 and differs(n, o)),
    ("ar-temperature", ("--ar-temperature", 0.5), lambda n, o: chain(n)["temperature"]["t"] == 0.5),
    ("ar-temp 0 is greedy", GREEDY, lambda n, o: list(chain(n)) == ["greedy"]),
    ("nar-temp", ("--nar-temp", 0.8), lambda n, o: chain(n, "nar")["temperature"]["t"] == 0.8 and differs(n, o)),
    ("nar-temperature", ("--nar-temperature", 0.8), lambda n, o: chain(n, "nar")["temperature"]["t"] == 0.8),
    ("min-ar-temp", ("--min-ar-temp", 0.1), lambda n, o: "dynamic-temperature" in chain(n) and differs(n, o)),
    ("min-nar-temp", ("--nar-temp", 1, "--min-nar-temp", 0.1), lambda n, o: "dynamic-temperature" in chain(n, "nar")),
    ("top-p", ("--top-p", 0.3), lambda n, o: chain(n)["top-p"]["p"] == 0.3 and differs(n, o)),
    ("top-k", ("--top-k", 3), lambda n, o: chain(n)["top-k"]["k"] == 3 and differs(n, o)),
    ("min-p", ("--min-p", 0.7), lambda n, o: "min-p" in chain(n) and differs(n, o)),
    (
        "repetition-penalty", ("--repetition-penalty", 5),
        lambda n, o: "repetition-penalty" in chain(n) and differs(n, o),
    ),
    (
        "repetition-penalty-decay", ("--repetition-penalty", 5, "--repetition-penalty-decay", 0.5),
        lambda n, o: 0.5 in chain(n)["repetition-penalty"].values(),
    ),
    ("dry-multiplier", ("--dry-multiplier", 8), lambda n, o: chain(n)["dry"]["multiplier"] == 8 and differs(n, o)),
    (
        "dry-base", ("--dry-multiplier", 8, "--dry-base", 3),
        lambda n, o: chain(n)["dry"]["base"] == 3 and differs(n, o),
    ),
    (
        "dry-allowed-length", ("--dry-multiplier", 8, "--dry-allowed-length", 1),
        lambda n, o: chain(n)["dry"]["allowed-length"] == 1 and differs(n, o),
    ),
    ("dry-base alone is off", ("--dry-base", 3), lambda n, o: "dry" not in chain(n) and same(n, o)),
    (
        "length-penalty", ("--length-penalty", 5, "--max-ar-steps", 100),
        lambda n, o: "length-penalty" in chain(n) and [p["frames"] for p in o["parts"]] < [100] and differs(n, o),
    ),
    ("sampler", ("--sampler", "top-k:4"), lambda n, o: "top-k" in chain(n) and "temperature" not in chain(n)),
    (
        "samplers keep their order", ("--sampler", "min-p:0.1", "--sampler", "top-k:5"),
        lambda n, o: list(chain(n))[:2] == ["min-p", "top-k"],
    ),
    ("ar-sampler", ("--ar-sampler", "top-k:4"), lambda n, o: "top-k" in chain(n) and "top-k" not in chain(n, "nar")),
    ("nar-sampler", ("--nar-sampler", "top-k:9"), lambda n, o: "top-k" in chain(n, "nar") and "top-k" not in chain(n)),
]  # fmt: skip

PASSES: list[tuple[str, tuple[object, ...], Check]] = [
    ("language", ("--language", "de"), lambda n, o: n["language_id"] == 2 and differs(n, o)),
    ("language auto detects", ("--language", "auto"), lambda n, o: n["language"] == "en" and same(n, o)),
    ("max-ar-steps", ("--max-ar-steps", 7), lambda n, o: [p["frames"] for p in n["parts"]] == [7]),
    ("max-duration", ("--max-duration", "0.2s"), lambda n, o: [p["frames"] for p in n["parts"]] == [10]),
    ("max-nar-levels", ("--max-nar-levels", 1), lambda n, o: [p["levels"] for p in n["parts"]] == [2]),
    ("max-levels", ("--max-levels", 0), lambda n, o: [p["levels"] for p in n["parts"]] == [1]),
    ("seed", ("--seed", 7), lambda n, o: n["seed"] == 7 and differs(n, o)),
    ("input-prompt-length", ("--input-prompt-length", 1), lambda n, o: n["prompt"]["frames"] == 50 and differs(n, o)),
    ("input-prompt-length 0", ("--input-prompt-length", 0), lambda n, o: n["prompt"]["frames"] == 100),
    ("input-prompt-repeat", ("--input-prompt-repeat",), lambda n, o: n["prompt"]["frames"] == 150 and differs(n, o)),
    (
        "input-prompt-prefix", ("--input-prompt-prefix", "--ref-text", "la la"),
        lambda n, o: n["passes"]["input_prompt_prefix"] and n["prompt"]["transcript"] == "la la" and differs(n, o),
    ),
    ("max-ref-seconds", ("--max-ref-seconds", 1), lambda n, o: n["prompt"]["frames"] == 50),
    (
        "layer-skip", ("--layer-skip", "--layer-skip-exit-layer", 2, *GREEDY),
        lambda n, o: n["passes"]["early_exit"]["exit_layer"] == 2 and differs(n, o),
    ),
    (
        "layer-skip thresholds", (
            "--layer-skip", "--layer-skip-entropy-threshold", 99.5, "--layer-skip-varentropy-threshold", 99.5, *GREEDY,
        ),
        lambda n, o: n["passes"]["early_exit"]["entropy_threshold"] == 99.5
        and n["passes"]["early_exit"]["varentropy_threshold"] == 99.5 and differs(n, o),
    ),
    (
        "refine-on-stop", ("--refine-on-stop",),
        lambda n, o: n["refined"] in ("sampled", "refined") and "alternative_log_probability" in n["parts"][0],
    ),
    ("cfg-strength", ("--cfg-strength", 3), lambda n, o: n["passes"]["guidance"]["strength"] == 3 and differs(n, o)),
    (
        "cfg-rescale", ("--cfg-strength", 3, "--cfg-rescale", 0),
        lambda n, o: n["passes"]["guidance"] == {"strength": 3, "rescale": 0} and differs(n, o),
    ),
    ("modality", ("--modality", "ar"), lambda n, o: n["modality"] == "ar" and same(n, o)),
    ("max-tries", ("--max-tries", 1), lambda n, o: n["tries"] == 1),
    ("batch-size", ("--batch-size", 1), lambda n, o: n["passes"]["batch_size"] == 1 and same(n, o)),
    ("phonemizer", ("--phonemizer", "ipa"), lambda n, o: n["phonemizer"] == "ipa" and same(n, o)),
    ("phonemizer settings", ("--phonemizer", "letters:extra=z"), lambda n, o: n["phonemes"].endswith("z.")),
    (
        "unk", ("--phonemizer", "letters:extra=ʃ", "--unk", "skip"),
        lambda n, o: n["phonemes"] == f"{o['phonemes']}." and "'ʃ'" in n["warnings"][0],
    ),
    ("codec", ("--codec", "tiny:gain=0.1"), lambda n, o: n["codec"]["spec"] == "tiny:gain=0.1" and same(n, o)),
    ("dtype", ("--dtype", "bfloat16"), lambda n, o: n["dtype"] == "bfloat16"),
    ("device", ("--device", "auto"), lambda n, o: bool(n["device_reason"])),
    ("engine", ("--engine", "eager"), lambda n, o: n["engine"] == "eager" and same(n, o)),
    ("engine auto is exact", ("--engine", "auto"), lambda n, o: n["quantize"] == "none" and same(n, o)),
    (
        "quantize", ("--quantize", "int8"),
        lambda n, o: (n["engine"], n["quantize"]) == ("onnx", "int8") and differs(n, o),
    ),
    ("threads", ("--threads", 1), lambda n, o: n["threads"] == 1 and same(n, o)),
    ("offline", ("--offline",), lambda n, o: n["arguments"]["offline"] is True and same(n, o)),
    ("set", ("--set", "lang_mode=false"), lambda n, o: n["language_id"] is None and differs(n, o)),
    ("set layout", ("--set", "sum_mode=exclusive"), lambda n, o: n["model"]["config"]["sum_mode"] == "exclusive"),
    ("strict", ("--strict",), same),
    ("task", ("--task", "tts"), same),
]  # fmt: skip


RECORDS: dict[tuple[object, ...], Record] = {}
"""Of runs that many tests compare theirs with, by their flags."""


FELT: dict[str, Any] = {"seed": 3, "text": "the birch canoe slid on the smooth planks."}
"""With these the random model's takes are long enough for every sampler to be felt."""


def plain(tts: Any, *flags: object, **named: object) -> Record:
    """The record of a run with these flags, which is made once."""
    key = (*flags, *named.items())
    if key not in RECORDS:
        RECORDS[key] = tts(*flags, **named)
    return copy.deepcopy(RECORDS[key])


@pytest.fixture
def base(tts: Any) -> Record:
    return plain(tts)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "flags", "check"), SAMPLERS, ids=[each[0] for each in SAMPLERS])
def test_sampler_flag_has_its_effect(
    tts: Any, name: str, flags: tuple[object, ...], check: Check
) -> None:
    assert check(tts(*flags, **FELT), plain(tts, **FELT)), name


@pytest.mark.slow
@pytest.mark.parametrize(("name", "flags", "check"), PASSES, ids=[each[0] for each in PASSES])
def test_flag_has_its_effect(tts: Any, base: Record, name: str, flags: tuple[object, ...], check: Check) -> None:
    if name.startswith("layer-skip"):
        base = plain(tts, *GREEDY)
    if name == "quantize" and not wide_works():
        assert "heads" in tts.run(*flags, code=4).stderr  # ones as narrow as the tiny model's need exact 8-bit products
        return
    assert check(tts(*flags), base), name


def test_no_option_is_without_a_test() -> None:
    """A new speech option needs a row above (or a test of its own, named here)."""
    elsewhere = {"steps", "pause", "keep-silence", "candidates", "scorer", "follow-pitch"}
    elsewhere |= {"markup", "normalizer", "lexicon", "speed"}  # test_front_end.py
    elsewhere |= {"listen"}  # test_listening.py
    elsewhere |= {"voice-fallback"}  # test_cloning.py
    elsewhere |= {"timeout"}  # test_guards.py
    tested = {str(flag)[2:] for _, flags, _ in (*SAMPLERS, *PASSES) for flag in flags if str(flag).startswith("--")}
    assert {each.key for each in SpeechOptions.params()} - tested - elsewhere == set()


def test_every_flag_has_help_with_its_default(cli: Any, registry: Registry) -> None:
    text = " ".join(cli("tts", "--help").stdout.split())
    for each in registry.task("tts").params():
        if not each.positional:
            assert f"--{each.key}" in text and " ".join(each.help.split())[:30] in text, each.key
    for spelling in ("--max-duration", "--max-levels", "--ar-temperature", "--transcript", "--from", "--out-path"):
        assert spelling in text
    for default in ("12s", "3.0", "30.0", "float32", "auto", "0.1", "en"):
        assert f"[default: {default}]" in text


def test_flags_may_come_from_a_file_and_the_command_line_wins(tts: Any, tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("max-ar-steps: 9\nseed: 5\ntop_k: 4\nlanguage: de\n")
    record = tts("--config", config, "--language", "en", seed=None)
    assert record["parts"][0]["frames"] == 9 and record["seed"] == 5 and record["language"] == "en"
    assert chain(record)["top-k"]["k"] == 4


def test_snake_case_is_understood(tts: Any) -> None:
    assert tts("--max_ar_steps", 6)["parts"][0]["frames"] == 6


@pytest.mark.parametrize("given", ["0", "-3", "3.5", "12 parsecs", "s", "", "nan", "inf", "1e999s"])
def test_a_length_that_is_none_is_refused(tts: Any, given: str) -> None:
    done = tts.run(f"--max-ar-steps={given}", code=2)
    assert "length" in done.stderr or "unit" in done.stderr or "steps" in done.stderr


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--layer-skip-exit-layer", 2), "layer-skip"),
        (("--layer-skip", "--layer-skip-exit-layer", 9), "last layer is 3"), (("--device", "gpu"), "unknown device"),
        (("--dtype", "int8"), "float32"), (("--engine", "onyx"), "onnx"), (("--quantize", "int3"), "int4"),
        (("--engine", "eager", "--quantize", "int8"), "quantize to int8"),
        (("--engine", "onnx", "--dtype", "float16"), "takes weights of float32"),
        (("--quantize", "int8", "--dtype", "bfloat16"), "float32"), (("--set", "layout=up"), "layout"),
        (("--set", "colour=red"), "colour"), (("--set", "layout"), "KEY=VALUE"), (("--seed", -1), "at least 0"),
        (("--sampler", "top-q"), "top-"), (("--sampler", "top-p:2"), "at most 1"), (("--top-p", 7), "at most 1"),
        (("--sampler", "top-k:3", "--top-p", 0.5), "--sampler"), (("--phonemizer", "leters"), "letters"),
        (("--voice", "tim"), "voice"), (("--modality", "nar-len"), "nar-len"),
        (("--input-prompt-length", -1), "at least 0"),
        (("--ar-temp", -1), "at least 0"), (("--codec", "tony"), "tiny"), (("--voice", "tam"), "voice"),
        (("--nar-sampler", "dry"), "no order in which they could repeat"), (("--dry-base", 0), "above 0"),
        (("--sampler", "suppress:99"), "no id 99"), (("--min-ar-temp", 2), "temp"),
        (("--steps", 9), "nar-len"), (("--cfg-rescale", 0.5), "--cfg-strength"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_a_usage_error(tts: Any, flags: tuple[object, ...], says: str) -> None:
    done = tts.run(*flags, code=2)
    assert says in done.stderr and done.stderr.count("error:") == 1 and "Traceback" not in done.stderr
    assert not tts.out.exists() and not Path(f"{tts.out}.json").exists()


@pytest.mark.parametrize(
    "flags",
    [
        ("--input-prompt-prefix", "--ref-text", "a"), ("--refine-on-stop",), ("--length-penalty", 1), ("--ar-temp", 1),
        ("--dry-multiplier", 1), ("--repetition-penalty", 1.5),
    ],
)  # fmt: skip
def test_ar_only_flags_are_refused_by_a_model_without_ar(
    tts: Any, len_model_path: Path, flags: tuple[object, ...]
) -> None:
    done = tts.run(*flags, model=len_model_path, code=2)
    assert f"{flags[0]} can't be used here" in done.stderr and "AR only: the model has no AR pass" in done.stderr


@pytest.mark.slow
def test_a_flag_that_only_adjusts_what_is_off_is_told(tts: Any, make_model: Any, tmp_path: Path) -> None:
    alone = ("--dry-base", 3, "--dry-allowed-length", 4, "--mirostat-eta", 1, "--repetition-penalty-decay", 1)
    told = tts.run(*alone, "--max-ar-steps", 5).stderr
    assert "--dry-base, --dry-allowed-length do nothing without --dry-multiplier" in told
    assert "--mirostat-eta does nothing without" in told and "decay does nothing without --repetition-penalty" in told
    assert "nothing without" not in tts.run("--dry-multiplier", 0, "--dry-base", 3, "--max-ar-steps", 5).stderr
    advised = make_model(tmp_path / "advised.sft", extra={"advice": {"dry-multiplier": 1}})
    assert "nothing without" not in tts.run("--dry-base", 3, "--max-ar-steps", 5, model=advised).stderr


@pytest.mark.slow
def test_truncation_flags_serve_a_model_without_ar(tts: Any, len_model_path: Path) -> None:
    drawn = ("--max-tries", 1, "--nar-temp", 2)
    record = tts(*drawn, "--top-k", 2, model=len_model_path)
    assert chain(record, "nar")["top-k"]["k"] == 2 and differs(record, tts(*drawn, model=len_model_path))


def test_layer_skip_is_refused_by_a_model_not_trained_for_it(tts: Any, make_model: Any, tmp_path: Path) -> None:
    done = tts.run("--layer-skip", model=make_model(tmp_path / "plain.sft"), code=2)
    assert "wasn't trained for early exit" in done.stderr


@pytest.mark.slow
def test_a_model_with_length_prediction_speaks_without_ar(tts: Any, len_model_path: Path) -> None:
    record = tts("--max-tries", 1, model=len_model_path)
    assert record["modality"] == "nar-len" and record["stop_reason"] == "predicted" and "ar" not in record["samplers"]
    assert record["passes"]["steps"] == 25 and record["passes"]["guidance"] == {"strength": 2.5, "rescale": 0.75}
    drawn = ("--max-tries", 1, "--nar-temp", 1)
    fewer, more = tts(*drawn, "--steps", 2, model=len_model_path), tts(*drawn, model=len_model_path)
    assert fewer["passes"]["steps"] == 2 and codes(fewer) != codes(more)
    explicit = tts("--max-tries", 1, "--modality", "nar-len", "--sampler", "top-k:1", model=len_model_path)
    assert codes(explicit) == codes(record) and "--nar-sampler" in explicit["warnings"][0]


@pytest.mark.slow
@pytest.mark.parametrize("task", ["ns", "sr"])
def test_prompt_tasks_put_their_token_before_the_codes(tts: Any, task: str) -> None:
    base, record = plain(tts, **FELT), tts("--task", task, **FELT)
    assert record["task"] == task and record["prompt"]["frames"] == 100 and codes(record) != codes(base)


@pytest.mark.parametrize("suffix", [".sft", ".pth"])
@pytest.mark.parametrize(
    ("task", "rows", "extra", "cause"),
    [
        ("ns", 2, {}, "its table has 2 tasks, and ns is number 3"),
        ("sr", 3, {}, "its table has 3 tasks, and sr is number 4"),
        ("ns", 9, {"tasks": ["tts", "sr"]}, "its file lists tts, sr"),
    ],
)
def test_a_task_that_a_model_has_no_row_for_is_refused_before_it_is_read(
    cli: Any, registry: Registry, make_model: Any, reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    suffix: str, task: str, rows: int, extra: dict[str, Any], cause: str,
) -> None:  # fmt: skip
    path = pickled(make_model(tmp_path / "few.sft", tasks=rows, extra=extra), suffix)
    engine = VallE.load(path, registry=registry, device="cpu", codec="tiny", allow_pickle=suffix == ".pth")
    with pytest.raises(UsageError, match=f"wasn't trained for the task {task}") as caught:
        engine.synthesize("hello", reference, task=task, phonemizer="letters")
    assert caught.value.cause == cause

    def load(*_: object, **__: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(VallE, "load", load)
    flags = ("--model", path, "--allow-pickle", "--phonemizer", "letters", "--task", task)
    done = cli("tts", "hello", reference, tmp_path / "out.wav", *flags, code=2)
    assert cause in done.stderr and not (tmp_path / "out.wav").exists()


def test_the_embedded_model_is_known_by_its_file_too(cli: Any, reference: Path, tmp_path: Path) -> None:
    """Regression: named by its path it spoke nonsense."""
    path = find_model(Registry.load(third_party=False), ModelOptions()).path
    done = cli("tts", "hello", reference, tmp_path / "out.wav", "--model", path, "--task", "ns", code=2)
    assert "it was trained for tts" in done.stderr


def pickled(path: Path, suffix: str) -> Path:
    """A checkpoint as it is, or as upstream's training writes it."""
    if suffix == path.suffix:
        return path
    import torch
    from safetensors import safe_open

    with safe_open(path, "pt") as read:  # type: ignore[no-untyped-call]
        module = {name: read.get_tensor(name) for name in read.keys()}  # noqa: SIM118 - no mapping
        kept = {key: json.loads(value) for key, value in read.metadata().items()}
    torch.save({"module": module, **kept}, path.with_suffix(suffix))
    return path.with_suffix(suffix)


@pytest.mark.slow
def test_a_pause_lies_between_parts_and_is_counted(tts: Any) -> None:
    text = "One two three four five six seven eight. Nine ten eleven twelve thirteen fourteen."
    short, long = tts("--pause", 0, text=text), tts("--pause", 0.5, text=text)
    assert len(long["parts"]) == 2 and long["duration"] == pytest.approx(short["duration"] + 0.5)
    assert [part["pause"] for part in long["parts"]] == [0.5, 0]
