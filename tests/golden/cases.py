"""Golden cases: upstream's own outputs on small random models, found in a folder and classified by array name.

The folder is the one named by `VALL_E_GOLDEN_CHECKPOINTS`, else `checkpoints/` beside this file. A case is a pair
`NAME.npz` (arrays) and `NAME.json` (parameters) with a model file; `NAME.VARIANT.npz` holds outputs of the same model
and inputs under another state of the code. Every array belongs to exactly one rule, each kind of rule to one test file.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from vall_e_lm import Inputs, Loaded, Target, load_model

Kind = Literal["input", "forward", "measure", "decoding", "quirk"]

FOLDER = Path(os.environ.get("VALL_E_GOLDEN_CHECKPOINTS") or Path(__file__).parent / "checkpoints")
TOLERANCE = 1e-4
VARIANTS: dict[str, dict[str, object]] = {"pre20250318": {"sum_mode": "exclusive"}}
"""The switches that a variant's state of the code had."""

RULES: dict[str, Kind] = {
    r"c\d+\.(phns|lang|prom|resp)": "input",
    r"stt\.(resp|lang|text_prefix)": "input",
    r"c\d+\.len\.teacher_tokens": "input",
    r"c\d+\.(narlen|demask)\.input": "input",
    r"c\d+\.(ar|nar\d+|len|narlen|demask)\.(embeds|position_ids|logits)": "forward",
    r"stt\.(embeds|position_ids|logits)": "forward",
    r"(ns|sr|tts-c)\.(q\d+\.)?(embeds|position_ids|logits)": "forward",
    r"layerskip\.(exit\d+|entropy)\.logits": "forward",
    r"layerskip\.layer_(entropy|varentropy)": "measure",
    r"c\d+\.(ar|nar)\.greedy": "decoding",
    r"c\d+\.ar\.greedy_cfg[\d.]+_rescale[\d.]+": "decoding",
    r"c\d+\.ar\.(refine_on_stop|input_prompt_prefix|prefix_silence_[\d.]+)": "decoding",
    r"c\d+\.len\.result": "decoding",
    r"c\d+\.narlen\.(steps\d+|full_codes)[\w.]*": "decoding",
    r"stt\.greedy": "decoding",
    r"layerskip\.ar\.greedy_exit\w*": "decoding",
    r"(c\d+\.)?quirk\..+": "quirk",
}
"""Array names (whole) and who checks them: `forward` and `measure` test_checkpoints.py, `decoding` test_decoding.py;
`input` is what both feed; `quirk` documents upstream's own penalty arithmetic and is no target."""


@dataclass(frozen=True)
class Case:
    """One `.npz` with its parameters and its model."""

    path: Path

    @property
    def stem(self) -> str:
        """The model's name."""
        return self.path.name.split(".")[0]

    @property
    def variant(self) -> str | None:
        """The part of the file's name after the stem, if any."""
        parts = self.path.name.split(".")[1:-1]
        return ".".join(parts) if parts else None

    @property
    def name(self) -> str:
        """What test ids show."""
        return self.path.name.removesuffix(".npz")

    @cached_property
    def info(self) -> Mapping[str, Any]:
        """The `.json`."""
        found: Mapping[str, Any] = json.loads((self.path.parent / f"{self.stem}.json").read_text(encoding="utf-8"))
        return found

    @cached_property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """This file's arrays, over those of the stem's main file (a variant keeps only what differs)."""
        main = self.path.parent / f"{self.stem}.npz"
        with np.load(main, allow_pickle=False) as a, np.load(self.path, allow_pickle=False) as b:
            return {k: a[k] for k in a.files} | {k: b[k] for k in b.files}

    @cached_property
    def own(self) -> tuple[str, ...]:
        """Names of the arrays that stand in this file."""
        with np.load(self.path, allow_pickle=False) as file:
            return tuple(file.files)

    @property
    def checkpoint(self) -> Path:
        """The model file."""
        return self.path.parent / str(self.info.get("checkpoint", f"{self.stem}.sft"))

    def load(self) -> Loaded:
        """The model under this case's switches, float32 on the CPU; the same object each time."""
        return _load(self.checkpoint, self.variant)

    def parameters(self, name: str) -> Mapping[str, Any]:
        """The notes on one case or array."""
        found: Mapping[str, Any] = self.info.get("cases", {}).get(name, {})
        return found

    def ids(self, name: str) -> Tensor:
        """An array of ids, as a long tensor."""
        return torch.from_numpy(self.arrays[name].astype(np.int64))

    def maybe(self, name: str) -> Tensor | None:
        """An array of ids, or None if there is none of that name."""
        return self.ids(name) if name in self.arrays else None

    def language(self, prefix: str) -> int | None:
        """The language of the case `prefix`, or None."""
        found = self.maybe(f"{prefix}.lang")
        return None if found is None else int(found[0])

    def inputs(
        self,
        prefix: str,
        *,
        response: Tensor | None = None,
        tokens: Tensor | None = None,
        prompt: Sequence[Tensor | str] | Tensor | None = None,
    ) -> Inputs:
        """The conditioning of the case `prefix` (`c0`, `c1`, ...) with this response; its own prompt unless given."""
        return Inputs(
            phonemes=self.ids(f"{prefix}.phns"),
            language=self.language(prefix),
            prompt=self.maybe(f"{prefix}.prom") if prompt is None else prompt,
            response=response,
            tokens=tokens,
        )


@cache
def _load(path: Path, variant: str | None) -> Loaded:
    if variant is not None and variant not in VARIANTS:
        raise LookupError(f"no rule says which switches the variant {variant!r} of {path.name} had")
    return load_model(path, overrides=VARIANTS[variant] if variant is not None else {})


def cases() -> list[Case]:
    """All cases of the folder."""
    return [Case(path) for path in sorted(FOLDER.glob("*.npz"))]


def kinds(name: str) -> list[Kind]:
    """The kind of every rule that an array's name matches; one, or the rules are wrong."""
    return [kind for pattern, kind in RULES.items() if re.fullmatch(pattern, name)]


def arrays_of(*wanted: Kind) -> list[tuple[Case, str]]:
    """(case, array name) of every array of these kinds, variants included."""
    return [(case, name) for case in cases() for name in case.own if any(k in wanted for k in kinds(name))]


def label(value: object) -> str:
    """A test id for a parameter."""
    return value.name if isinstance(value, Case) else str(value)


def forward_inputs(case: Case, name: str) -> tuple[Inputs, Target]:
    """What an array of kind `forward` was computed from (teacher forcing)."""
    first, *rest = name.split(".")
    if first == "stt":
        given = {"response": case.ids("stt.resp"), "tokens": case.ids("stt.text_prefix")}
        return Inputs(language=case.language("stt"), **given), Target("stt")
    if first == "layerskip":
        return case.inputs("c0", response=case.ids("c0.resp")[:, 0]), Target("ar")
    if first in ("ns", "sr", "tts-c"):
        level = int(rest[0][1:]) if re.fullmatch(r"q\d+", rest[0]) else 0
        codes = case.ids("c0.prom")
        prompt: list[Tensor | str] = [codes, first] if first == "tts-c" else [first, codes]
        response = case.ids("c0.resp")
        target = Target("nar", level) if level else Target("ar")
        return case.inputs("c0", prompt=prompt, response=response[:, :level] if level else response[:, 0]), target
    return _utterance(case, first, rest[0])


def _utterance(case: Case, prefix: str, what: str) -> tuple[Inputs, Target]:
    if what == "len":
        return case.inputs(prefix, tokens=case.ids(f"{prefix}.len.teacher_tokens")), Target("len")
    if what in ("narlen", "demask"):
        return case.inputs(prefix, response=case.ids(f"{prefix}.{what}.input")), Target("nar-len")
    response = case.ids(f"{prefix}.resp")
    if what == "ar":
        every_level = case.load().config.version >= 7
        return case.inputs(prefix, response=response if every_level else response[:, 0]), Target("ar")
    level = int(what.removeprefix("nar"))
    return case.inputs(prefix, response=response[:, :level]), Target("nar", level)
