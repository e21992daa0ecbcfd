"""References that aren't packaged: several recordings, several speakers, manifests."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vall_e_audio import write_audio
from vall_e_core import CodecModel, InputError, Registry, UsageError
from vall_e_eval import Recording
from vall_e_eval.material import read_items
from vall_e_eval.references import Speaker, speakers

from .conftest import Run, tone


def never() -> CodecModel:
    raise AssertionError("the codec isn't needed")


def write(path: Path, hertz: float, seconds: float = 1.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    recording: Recording = tone(hertz, seconds)
    with path.open("wb") as file:
        write_audio(file, recording.wave, recording.sample_rate, format="wav")
    return path


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Two recordings of two speakers each, in a folder with manifests in both forms."""
    rows = []
    for speaker, hertz in (("alice", 220.0), ("bob", 110.0)):
        for number in (0, 1):
            write(tmp_path / speaker / f"{number:02}.wav", hertz + number)
            rows.append((f"{speaker}/{number:02}.wav", speaker, f"Sentence {number} of {speaker}."))
    (tmp_path / "people.tsv").write_text("".join("\t".join(row) + "\n" for row in rows), "utf-8")
    lines = [json.dumps({"audio": path, "speaker": who, "text": text}) + "\n" for path, who, text in rows]
    (tmp_path / "people.jsonl").write_text("".join(lines), "utf-8")
    return tmp_path


def found(registry: Registry, *refs: object, bends: tuple[str, ...] = ()) -> list[Speaker]:
    return speakers(registry, [str(each) for each in refs], bends, 30.0, never)


@pytest.mark.parametrize("name", ["people.tsv", "people.jsonl"])
def test_a_manifest_stands_for_all_its_recordings(registry: Registry, people: Path, name: str) -> None:
    made = found(registry, people / name)
    assert [(each.name, each.person) for each in made] == [
        ("alice-00", "alice"), ("alice-01", "alice"), ("bob-00", "bob"), ("bob-01", "bob"),
    ]  # fmt: skip
    assert {each.origin for each in made} == {"file"}
    assert made[2].transcript == "Sentence 0 of bob." and made[2].paths == (people / "bob" / "00.wav",)
    bent = found(registry, people / name, bends=("pitch=+4",))
    assert [each.person for each in bent] == ["alice+4", "alice+4", "bob+4", "bob+4"]


def test_a_manifest_of_tabs_is_read_like_one_of_json(people: Path) -> None:
    one, two = read_items(people / "people.tsv"), read_items(people / "people.jsonl")
    assert one == two
    (people / "people.tsv").write_text("alice/00.wav\talice\t\n", "utf-8")
    assert read_items(people / "people.tsv")[0].text is None
    (people / "people.tsv").write_text("alice/00.wav\n", "utf-8")
    with pytest.raises(InputError, match="not a manifest"):
        read_items(people / "people.tsv")


def test_files_of_one_name_are_told_apart_by_their_folders(registry: Registry, people: Path) -> None:
    made = found(registry, people / "alice" / "00.wav", people / "bob" / "00.wav", people / "bob" / "01.wav")
    assert [each.name for each in made] == ["alice-00", "bob-00", "01"]
    with pytest.raises(UsageError, match="two references"):
        found(registry, people / "alice" / "00.wav", people / "alice" / "00.wav")


def test_several_recordings_of_one_voice_are_one_reference(registry: Registry, people: Path) -> None:
    pair = f"{people / 'alice' / '00.wav'};{people / 'alice' / '01.wav'}"
    (made,) = found(registry, pair)
    assert made.name == "00+01" and len(made.paths) == 2 and made.clip.seconds == pytest.approx(2.0, abs=0.01)
    first, _ = (found(registry, each)[0] for each in made.paths)
    assert np.array_equal(made.clip.samples[: len(first.clip.samples)], first.clip.samples)
    assert made.facts()["sha256"] != first.facts()["sha256"]
    with pytest.raises(InputError):
        found(registry, f"{people / 'alice' / '00.wav'};{people / 'nobody.wav'}")


@pytest.mark.slow
def test_speech_is_held_against_all_references_of_a_speaker(evaluate: Run, registry: Registry, tmp_path: Path) -> None:
    """Two packaged recordings under one speaker's name and one of another: columns are speakers."""
    rows = [(str(registry.get("voice", name)().audio_path()), who) for name, who in (("heart", "a"), ("michael", "b"))]  # type: ignore[attr-defined]
    (tmp_path / "refs.tsv").write_text("".join(f"{path}\t{who}\t\n" for path, who in rows), "utf-8")
    pair = f"{rows[0][0]};{rows[1][0]}"
    done = evaluate("tts", "--ref", tmp_path / "refs.tsv", "--ref", pair, "-n", 1, "--judge", "mfcc", "--json")
    assert done.code == 0, done.err
    report = done.json()
    assert [each["speaker"] for each in report["items"]] == ["a", "b", "heart+michael"]
    assert set(report["nearest"]["mfcc"]) == {"a", "b", "heart+michael"}
    assert report["figures"]["mfcc.nearest"]["means"]["all"]["n"] == 3
