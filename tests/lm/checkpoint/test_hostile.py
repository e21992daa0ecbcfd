"""Whatever stands in a model file, reading it ends in a model or in the one error."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from vall_e_core import VallEError
from vall_e_lm import load_model

from .conftest import Write, read_metadata

HOSTILE: list[Any] = [None, -1, 0, 2**63, 1e308, float("nan"), True, "", "x", [], [[]], {}, {"a": 1}, ["ar", 3]]


def tried(path: Path) -> bool:
    """True for a model, False for the one error; anything else escapes and fails the test."""
    try:
        load_model(path)
    except VallEError as error:
        assert error.exit_code == 4, error.render()
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["era", "later"])
def test_configurations_of_any_value(write: Write, layout: str) -> None:
    path = write(layout=layout)
    stored = json.loads(read_metadata(path)["config"])
    from safetensors.torch import load_file, save_file

    tensors = load_file(str(path))
    places = [(k,) for k in stored] + [("experimental", k) for k in stored["experimental"]]
    places += [("size", k) for k in stored["size"]]
    good = 0
    for place in places:
        for value in HOSTILE:
            config = json.loads(json.dumps(stored))
            inner = config if len(place) == 1 else config[place[0]]
            inner[place[-1]] = value
            save_file(tensors, str(path), metadata={"config": json.dumps(config)})
            good += tried(path)
    assert 0 < good < len(places) * len(HOSTILE)


@pytest.mark.slow
@pytest.mark.parametrize("key", ["config", "stats", "userdata", "advice", "audio_backend"])
def test_metadata_of_any_value(write: Write, key: str) -> None:
    for value in HOSTILE:
        tried(write(metadata={key: value, "userdata": value if key == "userdata" else {}}))
        tried(write(metadata={"userdata": {"symmap": value}}))


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bytes(write: Write, seed: int) -> None:
    path = write()
    data = path.read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    chance = random.Random(seed)
    outcomes = []
    for i in range(60):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 3, 30))):
            place = chance.randrange(header if i % 2 else len(data))
            changed[place] = chance.randrange(256) if i % 3 else changed[place] ^ (1 << chance.randrange(8))
        path.write_bytes(changed)
        outcomes.append(tried(path))
    assert not all(outcomes)
