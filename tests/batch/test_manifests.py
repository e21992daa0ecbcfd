"""Manifests in all their forms, and every error of one at once."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vall_e_batch import Batch, ManifestError, Row, read_manifest
from vall_e_core import InputError, Registry, UsageError


@pytest.fixture
def rows(registry: Registry, tmp_path: Path) -> Callable[..., list[Row]]:
    def read(name: str, text: str, **how: Any) -> list[Row]:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        found = read_manifest(path, registry, **how)
        assert found.problems == []
        return found.rows

    return read


def test_json_lines(rows: Callable[..., list[Row]], tmp_path: Path) -> None:
    first = {
        "id": "a", "text": "Hello.", "voice": "heart", "language": "en", "seed": 3, "samplers": ["top-p:0.9"],
        "nar_samplers": ["top-k:5"], "candidates": 2, "pause": 0.2, "speed": 1.1, "format": "flac", "out": "x/a.flac",
        "meta": {"mine": 1}, "top_p": None,
    }  # fmt: skip
    second = {"phonemes": "həloʊ", "ref": ["a.wav", "/b.wav"], "ref_text": "What it says."}
    one, other = rows("m.jsonl", "\ufeff" + json.dumps(first) + "\n\n" + json.dumps(second))
    assert one == Row(
        "a", "Hello.", voice="heart", format="flac", out="x/a.flac", meta={"mine": 1}, line=1,
        settings={
            "language": "en", "seed": 3, "candidates": 2, "pause": 0.2, "speed": 1.1, "sampler": ["top-p:0.9"],
            "nar_sampler": ["top-k:5"],
        },
    )  # fmt: skip
    assert other == Row(
        "000003", "həloʊ", phonemes=True, ref=(tmp_path / "a.wav", Path("/b.wav")), ref_text="What it says.", line=3
    )


def test_tables(rows: Callable[..., list[Row]], tmp_path: Path) -> None:
    text = 'id,text,seed,samplers,ref\na,"Hello, ""you"".\nAgain.",,top-p:0.9;dry,a.wav;b.wav\nb,x,5,,\n'
    comma = rows("m.csv", text)
    assert comma == [
        Row("a", 'Hello, "you".\nAgain.', settings={"sampler": ["top-p:0.9", "dry"]},
            ref=(tmp_path / "a.wav", tmp_path / "b.wav"), line=2),
        Row("b", "x", settings={"seed": 5}, line=4),
    ]  # fmt: skip
    assert rows("m.tsv", 'id\ttext\na\t"Hello", she said.\n') == [Row("a", '"Hello", she said.', line=2)]


def test_the_forms_of_others(rows: Callable[..., list[Row]], tmp_path: Path) -> None:
    assert rows("metadata.csv", "LJ-1|In 1999|In nineteen ninety-nine\nLJ-2|Plain|\n") == [
        Row("LJ-1", "In nineteen ninety-nine", line=1), Row("LJ-2", "Plain", line=2)
    ]  # fmt: skip
    assert rows("m.txt", "One.\n\n Two. \n") == [Row("000001", "One.", line=1), Row("000003", "Two.", line=3)]
    body = {"model": "tts-1", "input": "Hi.", "voice": "alloy", "response_format": "wav", "speed": 1.5}
    call = {"custom_id": "c", "method": "POST", "url": "/v1/audio/speech", "body": body}
    assert rows("o.jsonl", json.dumps(call)) == [Row("c", "Hi.", settings={"speed": 1.5}, format="wav", line=1)]
    nemo = {"audio_filepath": "a.wav", "duration": 1.5, "text": "Hi."}
    assert rows("n.jsonl", json.dumps(nemo)) == [
        Row(
            "000001", "Hi.", ref=(tmp_path / "a.wav",), ref_text="Hi.", audio=tmp_path / "a.wav",
            meta={"audio_filepath": "a.wav", "duration": 1.5}, line=1,
        )
    ]  # fmt: skip
    (part,) = rows("n.jsonl", json.dumps({**nemo, "offset": 2}))
    assert part.span == (2.0, 1.5)
    place = {"recording_id": "r", "start": 0.0, "duration": 2.0, "channel": 0}
    (found,) = rows("l.jsonl", json.dumps({"id": "s", **place, "text": "Hi.", "language": "en"}))
    assert (found.id, found.text, found.settings) == ("s", "Hi.", {"language": "en"})
    assert found.meta == place


def test_a_packed_manifest(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id": "a", "text": "x"}\n'))
    assert read_manifest(path, registry).rows == [Row("a", "x", line=1)]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="can't read"):
        read_manifest(path, registry)


def test_what_is_no_manifest_is_refused(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "m.docx").write_text("x")
    with pytest.raises(UsageError, match="form of"):
        read_manifest(tmp_path / "m.docx", registry)
    (tmp_path / "m.txt").write_bytes(b"fine\nna\xefve\n")
    with pytest.raises(InputError) as caught:
        read_manifest(tmp_path / "m.txt", registry)
    assert "line 2" in str(caught.value.cause)
    with pytest.raises(InputError):
        read_manifest(tmp_path / "none.txt", registry)


def test_an_offset_is_a_number_of_seconds(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    row = {"audio_filepath": "a.wav", "text": "x", "duration": 1.0}
    bad = [{"offset": -1}, {"offset": "1"}, {"offset": 1, "duration": 0}, {"offset": True}]
    path.write_text("".join(json.dumps({**row, **each}) + "\n" for each in bad))
    found = read_manifest(path, registry)
    assert [each.line for each in found.problems] == [1, 2, 3, 4]


BAD = [
    '{"id": "a", "text": "x"', "[1]", '{"id": "b"}', '{"id": "c", "text": 5}', '{"id": "d", "text": "x", "txet": 1}',
    '{"id": "e", "text": "x", "phonemes": "y"}', '{"id": 1.5, "text": "x"}', '{"id": "f", "text": "x", "ref": 3}',
    '{"id": "i", "text": "x", "text": "y"}',
]  # fmt: skip


def test_every_error_has_its_line(registry: Registry, tmp_path: Path, model_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text("\n".join([*BAD, '{"id": "g", "text": "x", "speed": 99}', '{"id": "h", "text": "fine"}']))
    found = read_manifest(path, registry)
    assert [each.line for each in found.problems] == list(range(1, 10))
    assert "did you mean text?" in found.problems[4].message
    assert found.problems[8].message == "not valid JSON: the field 'text' is there twice"
    with pytest.raises(ManifestError) as caught:
        make(found, registry, model_path, path)
    assert [each.line for each in caught.value.problems] == list(range(1, 11))
    assert "line 10: speed" in str(caught.value)


def test_a_reference_that_is_no_recording_is_found_before_anything_is_made(
    registry: Registry, tmp_path: Path, model_path: Path
) -> None:
    (tmp_path / "a.wav").write_text("Dear diary, ")
    (tmp_path / "empty.wav").write_bytes(b"")
    path = tmp_path / "m.jsonl"
    path.write_text("".join(f'{{"text": "x", "ref": "{name}"}}\n' for name in ("a.wav", "empty.wav", "b.wav")))
    with pytest.raises(ManifestError) as caught:
        make(read_manifest(path, registry), registry, model_path, path)
    first, second, third = (each.message for each in caught.value.problems)
    assert "it holds text" in first and "it is empty" in second and "b.wav" in third

    path.write_text('{"audio_filepath": "a.wav", "text": "x", "offset": 0.5, "duration": 1.0}\n')
    with pytest.raises(ManifestError, match="it holds text"):
        make(read_manifest(path, registry), registry, model_path, path)
    assert not (tmp_path / "out").exists()


def make(found: Any, registry: Registry, model_path: Path, path: Path) -> Batch:
    from vall_e_lm import ModelOptions

    return Batch(
        found.rows, path.parent / "out", voice="tim", phonemizer="letters", registry=registry, name=str(path),
        model=ModelOptions(model=str(model_path)), problems=found.problems,
    )  # fmt: skip


def test_ten_thousand_bad_lines_are_counted_and_the_first_fifty_shown(
    registry: Registry, tmp_path: Path, model_path: Path
) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text("nothing\n" * 10_000)
    with pytest.raises(ManifestError) as caught:
        make(read_manifest(path, registry), registry, model_path, path)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"10000 errors in {path}; nothing was made"
    assert len(lines) == 52
    assert lines[50].strip().startswith("line 50:")
    assert lines[51].strip() == "and 9950 more"


def test_a_bomb_is_refused_before_it_is_unpacked(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vall_e_batch.manifest.MOST_BYTES", 1 << 20)
    path = tmp_path / "m.jsonl.gz"
    path.write_bytes(gzip.compress(bytes(1 << 21)))
    with pytest.raises(InputError, match="too large"):
        read_manifest(path, registry)


def test_an_endless_value_doesnt_fill_the_message(registry: Registry, tmp_path: Path, model_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text('{"id": "a", "text": "x", "samplers": ["top-k:' + "9" * 5000 + '"]}\n{"id": "b"}\n')
    with pytest.raises(ManifestError) as caught:
        make(read_manifest(path, registry), registry, model_path, path)
    assert "line 2: no text" in caught.value.render()
    assert len(caught.value.render()) < 500


@pytest.mark.slow
def test_checking_takes_time_in_proportion_to_the_rows(
    registry: Registry, tmp_path: Path, model_path: Path, grows_linearly: Callable[[Callable[[int], object]], bool]
) -> None:
    def work(size: int) -> None:
        path = tmp_path / f"m{size}.jsonl"
        path.write_text("".join(f'{{"id": "r{at}", "text": "line {at}", "top_p": 0.9}}\n' for at in range(size * 300)))
        assert len(make(read_manifest(path, registry), registry, model_path, path).jobs) == size * 300

    assert grows_linearly(work)


def test_a_row_gives_one_key_whatever_its_form(registry: Registry, tmp_path: Path, model_path: Path) -> None:
    keys = set()
    for name, text in {
        "m.jsonl": '{"id": "a", "text": "Hello.", "speed": 1.5}\n', "m.csv": "id,text,speed\na,Hello.,1.5\n",
        "m.tsv": "id\ttext\tspeed\na\tHello.\t1.5\n",
    }.items():  # fmt: skip
        path = tmp_path / name
        path.write_text(text)
        keys.add(make(read_manifest(path, registry), registry, model_path, path).jobs[0].key)
    assert len(keys) == 1

