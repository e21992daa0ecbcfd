"""Upstream's embeddings, positions and logits, of every golden case found (see cases.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vall_e_lm import EarlyExit, Target, Tokenizer, load_model
from vall_e_lm.checkpoint.yaml_file import full_names
from vall_e_lm.model import EmbeddedSequence, entropy_and_varentropy
from vall_e_lm.model.heads import head_names

from .cases import FOLDER, TOLERANCE, Case, arrays_of, cases, forward_inputs, kinds, label

MAIN = [case for case in cases() if case.variant is None]


def compare(found: torch.Tensor, expected: np.ndarray, what: str) -> None:
    """Equal up to the tolerance times the largest magnitude."""
    assert tuple(found.shape) == expected.shape, f"{what}: shape {tuple(found.shape)}, expected {expected.shape}"
    if not np.issubdtype(expected.dtype, np.floating):
        assert np.array_equal(found.numpy(), expected), what
        return
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    difference = float(np.abs(found.float().numpy() - expected).max(initial=0.0))
    assert difference <= TOLERANCE * scale, f"{what}: off by {difference:.3g} at a scale of {scale:.3g}"


def exit_rule(case: Case, name: str) -> EarlyExit | None:
    """The early exit of a `layerskip.*` array: upstream's layer number X uses one layer more than X."""
    if not name.startswith("layerskip."):
        return None
    notes = case.parameters(name.removesuffix(".logits"))
    layers = case.load().config.layers
    last = int(notes["max_layer"]) + 1 if "max_layer" in notes else layers - 1
    return EarlyExit(last, float(notes["entropy_threshold"]), float(notes["varentropy_threshold"]))


@torch.inference_mode()
def hidden_states(case: Case, sequence: EmbeddedSequence, target: Target, rule: EarlyExit | None) -> torch.Tensor:
    """The model's states [S, D]."""
    model = case.load().model
    states: torch.Tensor = model(
        sequence.embeds[None],
        sequence.positions[None],
        causal=model.causal(target),
        blocks=None if sequence.blocks is None else sequence.blocks[None],
        early_exit=rule,
        target=target,
    )
    return states[0]


def test_there_are_cases() -> None:
    assert MAIN, f"no golden cases in {FOLDER}"


@pytest.mark.parametrize("case", cases(), ids=label)
def test_every_array_belongs_to_one_rule(case: Case) -> None:
    wrong = {name: kinds(name) for name in case.own if len(kinds(name)) != 1}
    assert not wrong, f"arrays of {case.name} that no rule, or more than one, covers: {wrong}"


@pytest.mark.parametrize(("case", "name"), arrays_of("forward"), ids=label)
@torch.inference_mode()
def test_forward(case: Case, name: str) -> None:
    model = case.load().model
    inputs, target = forward_inputs(case, name)
    sequence = model.embed(inputs, target)
    expected = case.arrays[name]
    what = name.rsplit(".", 1)[1]
    if what == "embeds":
        compare(sequence.embeds, expected, name)
    elif what == "position_ids":
        compare(sequence.positions, expected, name)
    else:
        logits = model.logits(hidden_states(case, sequence, target, exit_rule(case, name)), target, raw=True)
        rows = expected.shape[-2]
        if rows != logits.shape[-2]:  # NAR arrays keep the response's rows alone
            logits = logits[..., sequence.output_rows, :]
        compare(logits, expected, name)


@pytest.mark.parametrize(("case", "name"), arrays_of("measure"), ids=label)
@torch.inference_mode()
def test_measure_of_each_layer(case: Case, name: str) -> None:
    model = case.load().model
    inputs, target = forward_inputs(case, name)
    sequence = model.embed(inputs, target)
    embeds, positions = sequence.embeds[None], sequence.positions[None]
    attend = model.model.attend(embeds, positions, causal=True)
    means, x = [], embeds
    for i, layer in enumerate(model.model.layers):
        x = layer(x, attend, i)
        measures = entropy_and_varentropy(model.exit_logits(x, target))
        means.append(measures[name.endswith("_varentropy")].mean())
    compare(torch.stack(means), case.arrays[name], name)


@pytest.mark.parametrize("case", MAIN, ids=label)
def test_rows_of_a_padded_batch_are_those_of_one(case: Case) -> None:
    """What a row says doesn't depend on the rows beside it, nor on the padding behind it."""
    from vall_e_lm.model import pad, pad_blocks

    model = case.load().model
    names = [n for n in case.own if n.endswith(".logits") and kinds(n) == ["forward"] and "layerskip" not in n]
    by_target: dict[Target, list[EmbeddedSequence]] = {}
    with torch.inference_mode():
        for name in names:
            inputs, target = forward_inputs(case, name)
            by_target.setdefault(target, []).append(model.embed(inputs, target))
        for target, sequences in by_target.items():
            embeds, positions, lengths = pad(sequences)
            blocks = pad_blocks(sequences)
            together = model(embeds, positions, causal=model.causal(target), lengths=lengths, blocks=blocks)
            for row, sequence in zip(together, sequences, strict=True):
                alone = hidden_states(case, sequence, target, None)
                compare(row[: len(alone)], alone.numpy(), f"{target}")


@pytest.mark.parametrize("case", MAIN, ids=label)
def test_heads_are_upstreams(case: Case) -> None:
    names = case.info.get("classifier_names")
    if names is None or not case.load().config.split_classifiers:
        return
    spelt = {"AR:0:0": "ar", "NAR:0:0": "nar-len", **{f"NAR:{q - 1}:{q}": f"nar{q}" for q in range(1, 64)}}
    assert head_names(case.load().config) == [spelt.get(n, n) for n in names]


@pytest.mark.parametrize("case", [c for c in MAIN if "full_name" in c.info], ids=label)
def test_folder_name_is_upstreams(case: Case) -> None:
    assert case.info["full_name"] in full_names({}, case.load().metadata["config"])


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.pth")), ids=lambda p: p.name)
def test_pickled_twin_is_the_same_model(path: Path) -> None:
    a, b = load_model(path, allow_pickle=True), load_model(path.with_suffix(".sft"))
    assert a.config == b.config
    state = b.model.state_dict()
    assert all(torch.equal(v, state[k]) for k, v in a.model.state_dict().items())
    assert a.tokenizer is not None and b.tokenizer is not None and a.tokenizer.pieces == b.tokenizer.pieces


def table() -> dict[str, list[dict[str, Any]]]:
    """The token table, or empty lists where the folder has none."""
    path = FOLDER / "tokenizer_table.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"phonemes": [], "raw_text": []}


@pytest.mark.parametrize("case", MAIN, ids=label)
def test_token_table(case: Case) -> None:
    """Each model's own vocabulary gives upstream's ids, in its generation (told by the id of `1`)."""
    tokenizer = case.load().tokenizer
    assert tokenizer is not None
    generation = "ids_era" if tokenizer.pieces["1"] == 12 else "ids_head"
    wrong = [r["phonemes"] for r in table()["phonemes"] if tokenizer.encode(r["phonemes"]) != r[generation]]
    assert not wrong


def test_raw_text_rows_are_one_id_per_character() -> None:
    rows = table()["raw_text"]
    pairs = [pair for r in rows for pair in zip(r["text"], r["ids"][1:-1], strict=True)]
    vocabulary = {c: i for c, i in pairs if i} | {"<unk>": 0, "<bos>": 1, "</eos>": 2}
    tokenizer = Tokenizer(vocabulary)
    assert [tokenizer.encode(r["text"]) for r in rows] == [r["ids"] for r in rows]
