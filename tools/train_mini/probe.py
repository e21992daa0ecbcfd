"""What each level of the codec tells: the phones by level 0, and the speaker by every level.

A linear classifier is trained on codes of utterances as they are, and asked about others. Level 0 is to tell the phones
and hardly the speaker, so that the AR pass depends on no voice (compare the probes of SpeechTokenizer, arXiv
2308.16692).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vall_e_mini.networks import Encoder

from .codec import PHONES, UNKNOWN, load_encoder, phone_labels
from .config import Config
from .corpus import Corpus

SPEAKERS, UTTERANCES = 40, 12
"""How many speakers are told apart, and by how many utterances of each."""
CONTEXT = 2
"""Frames on either side that the phone probe sees."""
STEPS = 300


def run(config: Config, run_dir: Path, device: str = "cpu") -> None:
    """Print the figures as one line of JSON."""
    encoder, _ = load_encoder(run_dir, device)
    print(json.dumps(probe(encoder, Corpus(run_dir), config.codec.frame_rate)), flush=True)


def probe(encoder: Encoder, corpus: Corpus, frame_rate: float) -> dict[str, float]:
    """Shares of right answers about unseen utterances.

    `phones` is each frame's by level 0, `speaker_N` the speaker by level N alone, `speaker_all` by all levels;
    `speaker_chance` is what guessing gives.
    """
    torch.manual_seed(0)
    chosen = _chosen(corpus)
    codes = [_codes(encoder, corpus.wave(index)) for index in chosen]
    speakers = [corpus.items[index]["speaker"] for index in chosen]
    names = {name: place for place, name in enumerate(sorted(set(speakers)))}
    targets = torch.tensor([names[each] for each in speakers])
    asked = torch.arange(len(chosen)) % 4 == 0
    found = {"phones": _phones(encoder, corpus, chosen, codes, asked, frame_rate), "speaker_chance": 1 / len(names)}
    size = encoder.quantizer.first.codebook.shape[0]
    levels = [torch.stack([_shares(each[:, level], size) for each in codes]) for level in range(codes[0].shape[1])]
    for level, given in enumerate(levels):
        found[f"speaker_{level}"] = told(given, targets, asked)
    found["speaker_all"] = told(torch.cat(levels, 1), targets, asked)
    return {name: round(value, 3) for name, value in found.items()}


def told(given: Tensor, targets: Tensor, asked: Tensor) -> float:
    """How often a linear classifier is right about the rows `asked` [N] of given [N, F], trained on the others."""
    head = nn.Linear(given.shape[1], int(targets.max()) + 1)
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.02, weight_decay=0.05)
    for _ in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(head(given[~asked]), targets[~asked]).backward()
        optimizer.step()
    with torch.no_grad():
        return float((head(given[asked]).argmax(1) == targets[asked]).float().mean())


def _chosen(corpus: Corpus) -> list[int]:
    """Utterances of the speakers that have the most, in turns of speakers; of each as many."""
    counts = Counter(item["speaker"] for item in corpus.items)
    names = [name for name, _ in counts.most_common(SPEAKERS)]
    by_name: dict[str, list[int]] = {name: [] for name in names}
    for index, item in enumerate(corpus.items):
        if len(mine := by_name.get(item["speaker"], [])) < UTTERANCES and item["speaker"] in by_name:
            mine.append(index)
    return [index for name in names for index in by_name[name]]


@torch.inference_mode()
def _codes(encoder: Encoder, wave: np.ndarray) -> Tensor:
    """Codes [T, Q] of samples."""
    frame = encoder.mel.hop * encoder.content.stride
    padded = np.pad(wave, (0, -len(wave) % frame))
    return encoder.encode(torch.from_numpy(padded)[None])[0].clone()


def _shares(ids: Tensor, size: int) -> Tensor:
    """How often each code occurs [size], square roots of shares (which weighs rare ones up)."""
    return torch.bincount(ids, minlength=size).float().div(len(ids)).sqrt()


def _phones(
    encoder: Encoder, corpus: Corpus, chosen: Sequence[int], codes: Sequence[Tensor], asked: Tensor, rate: float
) -> float:
    """How often the phone in a frame's first spot is told by level 0 of the frames around it."""
    rows: dict[bool, list[Tensor]] = {True: [], False: []}
    labels: dict[bool, list[Tensor]] = {True: [], False: []}
    for index, each, test in zip(chosen, codes, asked.tolist(), strict=True):
        phones = corpus.items[index].get("phones")
        if not phones:
            continue
        with torch.no_grad():
            vectors = encoder.quantizer.first.decode(each[None, :, 0])[0].T  # [T, content]
        padded = nn.functional.pad(vectors, (0, 0, CONTEXT, CONTEXT))
        rows[test].append(padded.unfold(0, 2 * CONTEXT + 1, 1).flatten(1))
        labels[test].append(torch.from_numpy(phone_labels(phones, len(each), 1 / rate)[0]))
    if not rows[True] or not rows[False]:
        return float("nan")
    head = nn.Linear(rows[True][0].shape[1], len(PHONES))
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.01, weight_decay=0.01)
    given, wanted = torch.cat(rows[False]), torch.cat(labels[False])
    for _ in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(head(given), wanted, ignore_index=UNKNOWN).backward()
        optimizer.step()
    with torch.no_grad():
        said, right = head(torch.cat(rows[True])).argmax(1), torch.cat(labels[True])
    known = right != UNKNOWN
    return float((said == right)[known].float().mean())
