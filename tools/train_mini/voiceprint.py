"""The projection by which `vall_e_audio.speaker` tells speakers apart: linear discriminant analysis of the corpus.

Each utterance is taken twice, as it is and through another channel with noise, so that the microphone says little.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from vall_e_audio.speaker import PROJECTION, statistics

from .augment import disturbed, draw, varied
from .config import Config
from .corpus import Corpus

Floats = NDArray[np.float64]
DIMENSIONS = 48
UTTERANCES = 14
"""Of a speaker, at most."""
LEAST_SECONDS, MOST_SECONDS = 1.5, 6.0
RIDGE = 0.1
"""Added to the variances within a speaker, which are 1 or less."""
KEPT_OUT = 10
"""Every so-many-th speaker is not learned from, but asked about."""


def run(config: Config, run_dir: Path, out: Path = PROJECTION) -> None:
    """Write the projection, and print how well it tells speakers apart that it has never met."""
    found, speakers = measured(Corpus(run_dir), config.split.sample_rate, config.split.frame_samples)
    names = sorted(set(speakers.tolist()))
    strange = np.isin(speakers, names[::KEPT_OUT])
    middle, scale, projection = fitted(found[~strange], speakers[~strange])
    save_file({
        "middle": middle.astype(np.float32), "scale": scale.astype(np.float32),
        "projection": projection.astype(np.float16),
    }, str(out))  # fmt: skip
    placed = ((found[strange] - middle) / scale) @ projection
    figures = equal_error(placed / np.linalg.norm(placed, axis=1, keepdims=True), speakers[strange])
    print(json.dumps({"speakers": len(names), "recordings": len(found), **figures}), flush=True)


def measured(corpus: Corpus, rate: int, hop: int) -> tuple[Floats, NDArray[np.str_]]:
    """Statistics [N, D] of recordings, and who speaks in each."""
    rng, taken = np.random.default_rng(0), Counter[str]()
    rows, speakers = [], []
    for index, item in enumerate(corpus.items):
        speaker = item["speaker"]
        if item["samples"] < LEAST_SECONDS * rate or taken[speaker] >= UTTERANCES:
            continue
        taken[speaker] += 1
        wave = np.asarray(corpus.wave(index)[: round(MOST_SECONDS * rate)], np.float32)
        channel = replace(draw(rng, rate), speed=1.0)  # another speed would be another speaker
        for each in (wave, disturbed(varied(wave, channel, rate, hop), rng, rate)):
            row = statistics(np.asarray(each, np.float32), rate)
            if row is not None:
                rows.append(row)
                speakers.append(speaker)
    return np.stack(rows), np.array(speakers)


def fitted(rows: Floats, speakers: NDArray[np.str_]) -> tuple[Floats, Floats, Floats]:
    """Middle [D], scale [D] and projection [D, DIMENSIONS] (Fisher 1936, with a ridge)."""
    middle, scale = rows.mean(0), rows.std(0)
    placed = (rows - middle) / scale
    _, whose, counts = np.unique(speakers, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), placed.shape[1]))
    np.add.at(sums, whose, placed)
    centers = sums / counts[:, None]
    apart = placed - centers[whose]
    within = apart.T @ apart / len(placed) + RIDGE * np.eye(placed.shape[1])
    between = (centers * counts[:, None]).T @ centers / len(placed)
    whitening = np.linalg.cholesky(np.linalg.inv(within))
    values, vectors = np.linalg.eigh(whitening.T @ between @ whitening)
    return middle, scale, whitening @ vectors[:, np.argsort(values)[::-1][:DIMENSIONS]]


def equal_error(placed: Floats, speakers: NDArray[np.str_]) -> dict[str, float]:
    """The rate at which as many pairs of one speaker are rejected as pairs of two are accepted, and the means."""
    upper = np.triu_indices(len(speakers), 1)
    cosines = (placed @ placed.T)[upper]
    same = (speakers[:, None] == speakers)[upper]
    limits = np.linspace(-1, 1, 801)
    rejected = np.searchsorted(np.sort(cosines[same]), limits) / same.sum()
    accepted = 1 - np.searchsorted(np.sort(cosines[~same]), limits) / (~same).sum()
    at = int(np.abs(rejected - accepted).argmin())
    return {
        "equal_error": round(float(rejected[at] + accepted[at]) / 2, 4), "limit": round(float(limits[at]), 2),
        "same": round(float(cosines[same].mean()), 3), "others": round(float(cosines[~same].mean()), 3),
    }  # fmt: skip
