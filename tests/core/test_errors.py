"""The error shape and the exit codes that scripts rely on."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

import vall_e_core
from vall_e_core import did_you_mean, suggestion


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("VallEError", 1), ("UsageError", 2), ("ComponentError", 2), ("InputError", 3), ("ModelError", 4),
        ("CheckpointError", 4), ("PluginError", 4), ("DeviceError", 5), ("BatchError", 6),
    ],
)  # fmt: skip
def test_exit_codes(name: str, code: int) -> None:
    assert getattr(vall_e_core, name).exit_code == code


def test_shape() -> None:
    error = vall_e_core.InputError("silent: ref.wav", cause="nothing to hear", try_="another")
    assert error.render() == "error: silent: ref.wav\n  cause: nothing to hear\n  try:   another"
    assert vall_e_core.VallEError("it broke").render() == "error: it broke"


def test_an_address_in_the_place_of_a_path_is_shown_as_it_was_given() -> None:
    error = vall_e_core.InputError(f"no such file: {Path('https://x.org/a.wav')}", try_="mkdir -p https:/x.org")
    assert str(error) == "no such file: https://x.org/a.wav"
    assert (error.cause, error.try_) == ("it is an address, not a file on this machine", "download it first")
    assert pickle.loads(pickle.dumps(error)).cause == error.cause
    assert vall_e_core.InputError("see https://x.org", try_="it").try_ == "it"


def test_crosses_a_process_boundary() -> None:
    error = pickle.loads(pickle.dumps(vall_e_core.ModelError("no", cause="why", try_="what")))
    assert type(error) is vall_e_core.ModelError
    assert (error.message, error.cause, error.try_) == ("no", "why", "what")


def test_suggestions() -> None:
    assert did_you_mean("top_pp", ["top-p", "dry"]) == "top-p"
    assert did_you_mean("zzz", ["top-p", "dry"]) is None
    assert suggestion("top-q", ["top-p"]) == "did you mean top-p?"
    assert suggestion("zzz", ["b", "a"]) == "one of: a, b"
    assert suggestion("zzz", ["b"], "vall-e plugins list") == "vall-e plugins list"
    assert suggestion("zzz", []) is None
