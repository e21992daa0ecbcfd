"""Saved voices: made once, then as good as the recording; `vall-e voices`; files that may come from anywhere."""


from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from safetensors.numpy import save

from vall_e_audio import AudioClip, median_pitch, read_audio
from vall_e_audio.recording import sounding
from vall_e_core import InputError, Registry, UsageError, VallE
from vall_e_core.cli import main
from vall_e_voices import SavedVoice, VoiceFolder, commands, find_voice, make_voice, player, voices_home
from vall_e_voices.file import KEY

SAYS = "la la la la"
QUIET = np.zeros(16_000, np.float32)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's voices: none yet."""
    monkeypatch.setenv("VALL_E_VOICES", str(tmp_path / "voices"))
    return tmp_path / "voices"


@pytest.fixture
def add(cli: Any, reference: Path) -> Callable[..., Any]:
    """`add("alice", …)`: the reference, encoded by the tiny codec."""

    def run(name: str, *flags: object, ref: Path = reference, code: int = 0) -> Any:
        return cli("voices", "add", name, ref, "--codec", "tiny", *flags, code=code)

    return run


@pytest.fixture
def engine(registry: Registry, model_path: Path) -> VallE:
    return VallE.load(model_path, registry=registry, device="cpu")


def recording(path: Path, *parts: np.ndarray[Any, Any], rate: int = 16_000, **settings: Any) -> Path:
    soundfile.write(path, np.concatenate(parts), rate, **settings)
    return path


def sound(path: Path) -> np.ndarray[Any, Any]:
    wave, _ = soundfile.read(path, dtype="float32")
    found: np.ndarray[Any, Any] = wave
    return found


def codes_of(record: dict[str, Any]) -> list[str]:
    return [part["codes_sha256"] for part in record["parts"]]


# as good as the recording


@pytest.mark.slow
def test_a_voice_speaks_as_its_recording_does_and_does_not_need_it(
    add: Any, tts: Any, cli: Any, reference: Path, tmp_path: Path
) -> None:
    spoken = tts("--ref-text", SAYS, "--max-ar-steps", 40)
    wave = tts.out.read_bytes()
    done = add("Alice", "--text", SAYS)
    assert "alice: 2.00 s of tiny's codes" in done.stdout
    reference.rename(tmp_path / "away.wav")
    out = tmp_path / "v.wav"
    flags = ("--model", tts.model, "--phonemizer", "letters", "--device", "cpu", "--seed", 1, "--max-ar-steps", 40)
    cli("tts", spoken["text"], out, "--voice", "alice", *flags)
    record = json.loads(Path(f"{out}.json").read_text("utf-8"))
    assert codes_of(record) == codes_of(spoken) and out.read_bytes() == wave
    (used,) = record["references"]
    assert (used["voice"], used["recording_sha256"]) == ("alice", spoken["references"][0]["sha256"])
    assert used["seconds"] == 2.0 and record["prompt"] == spoken["prompt"]
    again = tmp_path / "again.wav"
    cli("tts", "--from", f"{out}.json", "-o", again)
    assert again.read_bytes() == wave
    add("alice", "--force", ref=tmp_path / "away.wav")
    assert "has changed" in cli("tts", "--from", f"{out}.json", "-o", again, "-y", code=3).stderr


@pytest.mark.slow
def test_from_python_it_is_the_same_whether_saved_or_not(engine: VallE, reference: Path) -> None:
    settings: dict[str, Any] = {"seed": 1, "phonemizer": "letters", "max_ar_steps": "30", "input_prompt_length": 0}
    plain = engine.synthesize("hello there", [reference], reference_text=SAYS, **settings)
    made = engine.make_voice(reference, text=SAYS)
    path = made.save("bob")
    read = VoiceFolder().read("BOB")
    assert read.path == path and np.array_equal(read.codes, made.codes)
    assert [f for f in ("transcript", "pitch", "created", "origin") if getattr(read, f) != getattr(made, f)] == []
    for voice in (made, read, "bob"):
        speech = engine.synthesize("hello there", voice=voice, **settings)  # type: ignore[arg-type]
        np.testing.assert_array_equal(speech.wave, plain.wave)
    with pytest.raises(UsageError, match="both given"):
        engine.synthesize("hello", [reference], voice=made, **settings)
    with pytest.raises(UsageError, match="already"):
        made.save("bob")


def test_the_longest_part_and_another_text_count_for_a_voice_too(engine: VallE, reference: Path) -> None:
    made = engine.make_voice(reference)
    short = {"phonemizer": "letters", "seed": 1, "max_ar_steps": "5", "max_ref_seconds": 1.0}
    speech = engine.synthesize("hello", voice=made, reference_text="la", **short)  # type: ignore[arg-type]
    assert speech.record["prompt"]["frames"] == 50 and speech.record["prompt"]["transcript"] == "la"


def test_a_clip_and_a_file_of_another_rate_and_channels_make_the_voice_they_are(
    engine: VallE, reference: Path, tmp_path: Path
) -> None:
    from_clip = engine.make_voice(read_audio(reference, sample_rate=16_000))
    assert np.array_equal(from_clip.codes, engine.make_voice(reference).codes) and from_clip.recording_sha256 is None
    stereo = np.stack([sound(reference)] * 2, axis=1)
    path = recording(tmp_path / "s.flac", np.repeat(stereo, 3, axis=0), rate=48_000)
    made = engine.make_voice(path)
    assert (made.recording_rate, made.recording_channels, len(made.codes)) == (48_000, 2, 100)


def test_what_is_heard_in_it_is_kept_where_nobody_says_it(cli: Any, model_path: Path, reference: Path) -> None:
    facts = cli(
        "voices", "add", "heard", reference, "--model", model_path, "--transcribe", "--device", "cpu", "--json"
    ).json()
    assert facts["transcript"] is None and facts["phonemes"]
    assert facts["codec"]["name"] == "tiny"  # the model's own


# what a recording has to be


def test_silence_at_the_ends_is_left_out(add: Any, reference: Path, tmp_path: Path, folder: Path) -> None:
    wave = sound(reference)
    padded = recording(tmp_path / "p.wav", QUIET, wave * 0.01, QUIET)
    done = add("padded", ref=padded)
    assert "of silence left out" in done.stderr
    assert 2.0 <= VoiceFolder().read("padded").seconds <= 2.3
    assert "left out" not in add("whole", "--keep-silence", ref=padded).stderr
    assert VoiceFolder().read("whole").seconds == pytest.approx(4.0)
    assert sounding(np.concatenate([QUIET[:3_000], wave]), 16_000)[0] == 0  # a short one belongs to it
    click = QUIET.copy()
    click[8_000] = 0.5
    assert sounding(np.concatenate([click, wave]), 16_000)[0] > 12_000


@pytest.mark.parametrize(("seconds", "says"), [(0.2, "too short"), (0.8, "is short for a voice"), (3.0, "")])
def test_little_sound_is_warned_of_or_refused(
    add: Any, reference: Path, tmp_path: Path, seconds: float, says: str
) -> None:
    wave = np.tile(sound(reference), 2)[: round(seconds * 16_000)]
    done = add("v", ref=recording(tmp_path / "r.wav", wave), code=3 if seconds < 0.5 else 0)
    assert says in done.stderr
    if 0.5 <= seconds < 1:
        assert says in VoiceFolder().read("v").warnings[0]
        assert "only 0." in add("w", ref=recording(tmp_path / "q.wav", wave[:4_000], QUIET), code=3).stderr


def test_what_is_no_reference_is_no_voice(add: Any, tmp_path: Path, folder: Path) -> None:
    text = tmp_path / "t.wav"
    text.write_text("hello")
    assert "silent" in add("v", ref=recording(tmp_path / "s.wav", QUIET), code=3).stderr
    assert "not an audio file" in add("v", ref=text, code=3).stderr
    assert "no such audio file" in add("v", ref=tmp_path / "none.wav", code=3).stderr
    assert "nothing to say" in add("v", "--text", "...", code=3).stderr
    assert "leave one out" in add("v", "--text", "a", "--transcribe", code=2).stderr
    assert "tiny" in add("v", "--codec", "tinny", code=2).stderr
    assert not folder.exists()


def test_a_long_recording_is_cut_and_a_text_that_cannot_be_its_is_doubted(
    add: Any, reference: Path, tmp_path: Path
) -> None:
    long = recording(tmp_path / "l.wav", np.tile(sound(reference), 3))
    done = add("long", "--max-ref-seconds", 3, "--text", "word " * 40, ref=long)
    assert "only its first 3 s are used" in done.stderr and "is it what the recording says?" in done.stderr
    voice = VoiceFolder().read("long")
    assert len(voice.codes) == 150 and len(voice.warnings) == 2


@pytest.mark.parametrize("hertz", [75.0, 120.0, 210.0, 330.0])
def test_the_pitch_is_that_of_a_periodic_sound(hertz: float) -> None:
    time = np.arange(24_000) / 16_000
    wave = sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 9)).astype(np.float32)
    assert median_pitch(wave, 16_000) == pytest.approx(hertz, rel=0.02)
    noise = np.random.default_rng(0).normal(0, 0.1, 24_000).astype(np.float32)
    assert median_pitch(noise, 16_000) is None and median_pitch(QUIET, 16_000) is None


# codes of another codec


def test_codes_of_another_codec_are_refused_unless_the_recording_was_kept(
    cli: Any, add: Any, tts: Any, reference: Path, tmp_path: Path
) -> None:
    flags = ("--model", tts.model, "--phonemizer", "letters", "--device", "cpu", "--seed", 1, "--max-ar-steps", 9)
    folder = VoiceFolder()
    add("bare")
    add("kept", "--keep-audio")
    for name in ("bare", "kept"):  # as another codec would have made them
        change(folder.find(name), lambda info: info["codec"].update(name="dac", frame_rate=86.0))
    done = cli("tts", "hi there", tmp_path / "a.wav", "--voice", "bare", *flags, code=3)
    assert "bare doesn't fit the model" in done.stderr and "those of dac (4 levels of 32, 86 frames" in done.stderr
    assert "--codec tiny --force" in done.stderr and not (tmp_path / "a.wav").exists()
    done = cli("tts", "hi there", tmp_path / "b.wav", "--voice", "kept", *flags)
    assert "is encoded again" in done.stderr
    cli("tts", "hi there", reference, tmp_path / "c.wav", *flags)
    assert (tmp_path / "b.wav").read_bytes() == (tmp_path / "c.wav").read_bytes()


def test_the_same_codec_with_other_code_books_is_another(engine: VallE, reference: Path) -> None:
    made = engine.make_voice(reference)
    known = made.origin
    assert known.difference(known) is None
    old, new = (type(known)(**{**vars(known), "code_books_sha256": digest}) for digest in ("a" * 64, "b" * 64))
    assert "other codebooks" in str(old.difference(new)) and old.difference(known) is None


# names


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "a\\b", "", " ", ".hidden", "-x", "a" * 65, "nul", "com1.x", "x.", "a\0b", "Zoë", "a b"]
)
def test_a_name_that_cannot_be_a_file_everywhere_is_refused(add: Any, name: str, folder: Path) -> None:
    done = add("--", name, code=2) if name.startswith("-") else add(name, code=2)
    assert "can't be a voice's name" in done.stderr or "argument" in done.stderr
    assert not folder.exists()


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "C:\\x", "%2e%2e", "x" * 5_000, "a\0b"])
def test_no_name_leads_out_of_the_folder(registry: Registry, name: str) -> None:
    with pytest.raises(UsageError, match="no voice is called"):
        find_voice(registry, name)


def test_a_name_that_is_taken_needs_force(add: Any, cli: Any, registry: Registry) -> None:
    add("me")
    assert "already" in add("ME", code=2).stderr
    assert VoiceFolder().read("me").transcript is None
    add("Me", "--force", "--text", SAYS)
    assert VoiceFolder().read("me").transcript == SAYS
    assert "a packaged voice is called tim" in add("tim", code=2).stderr
    add("tim", "--force")
    assert isinstance(find_voice(registry, "tim"), SavedVoice)
    assert [each["kind"] for each in cli("voices", "list", "--json").json() if each["name"] == "tim"] == ["own"]
    cli("voices", "rm", "tim", "--yes")
    assert not isinstance(find_voice(registry, "tim"), SavedVoice)


def test_a_wrong_name_gets_the_nearest_of_all(cli: Any, add: Any, tmp_path: Path) -> None:
    add("margaret")
    for args in (("voices", "show", "margret"), ("tts", "hi", tmp_path / "o.wav", "--voice", "margret")):
        assert "did you mean margaret?" in cli(*args, code=2).stderr
    assert "did you mean tim?" in cli("voices", "show", "timm", code=2).stderr


# the commands


def test_list_and_show_tell_of_own_packaged_and_damaged_voices(cli: Any, add: Any, folder: Path) -> None:
    add("alice", "--text", SAYS, "--note", "CC0, by herself", "--keep-audio")
    (folder / "bad.safetensors").write_bytes(b"nothing")
    (folder / "other.txt").write_text("not one")
    found = {each["name"]: each for each in cli("voices", "list", "--json").json()}
    assert {"alice", "bad", "tim", "heart"} <= set(found) and "other" not in found
    assert found["alice"]["kind"] == "own" and found["alice"]["seconds"] == 2.0 and found["alice"]["error"] is None
    assert "safetensors" in found["bad"]["error"] and found["tim"]["kind"] == "packaged"
    assert 1 < found["tim"]["seconds"] < 10
    lines = cli("voices", "list").stdout
    assert f"your own voices: {folder}" in lines and "unusable: it isn't safetensors" in lines
    facts = cli("--json", "voices", "show", "ALICE").json()
    assert facts["note"] == "CC0, by herself" and facts["codec"]["levels"] == 4 and facts["audio_rate"] == 16_000
    page = cli("voices", "show", "alice").stdout
    for word in (SAYS, "CC0", "tiny, 4 levels of 32", "kept at 16000 Hz", "Hz (median)", "ref.wav"):
        assert word in page
    assert "la la la" in cli("voices", "show", "tim").stdout
    assert "not a usable voice" in cli("voices", "show", "bad", code=3).stderr


def test_rm_asks_and_removes_no_packaged_voice(
    cli: Any, add: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add("a")
    add("b")
    (folder / "bad.safetensors").write_bytes(b"nothing")
    assert "--yes" in cli("voices", "rm", "a", code=2).stderr
    assert "is packaged" in cli("voices", "rm", "a", "tim", "--yes", code=2).stderr
    assert "no voice is called" in cli("voices", "rm", "a", "nobody", "--yes", code=2).stderr
    assert set(VoiceFolder().files()) == {"a", "b", "bad"}  # nothing went before all names were good
    for answer, code, left in (("n\n", 130, {"a", "b", "bad"}), ("y\n", 0, {"b", "bad"})):
        typed = io.TextIOWrapper(io.BytesIO(answer.encode()))
        typed.isatty = lambda: True  # type: ignore[method-assign]
        monkeypatch.setattr(sys, "stdin", typed)
        cli("voices", "rm", "a", code=code)
        assert set(VoiceFolder().files()) == left
    assert len(cli("voices", "rm", "bad", "B", "--yes", "--json").json()["removed"]) == 2
    assert list(folder.iterdir()) == []


def test_play_writes_the_recording_or_what_the_codes_sound_like(
    cli: Any, add: Any, reference: Path, tmp_path: Path
) -> None:
    add("bare")
    add("kept", "--keep-audio")
    out = tmp_path / "o.wav"
    cli("voices", "play", "kept", "-o", out)
    np.testing.assert_array_equal(sound(out), sound(reference))
    assert "exists already" in cli("voices", "play", "bare", "-o", out, code=2).stderr
    cli("voices", "play", "bare", "-o", out, "-y")
    info = soundfile.info(out)
    assert (info.samplerate, info.frames) == (8_000, 16_000)
    cli("voices", "play", "tim", "-o", tmp_path / "tim.flac")
    assert soundfile.info(tmp_path / "tim.flac").frames > 0
    packaged = next(each for each in cli("voices", "list", "--json").json() if each["name"] == "tim")["path"]
    assert "is also an input" in cli("voices", "play", "tim", "-o", packaged, "-y", code=2).stderr
    done = cli("voices", "play", "bare", "-o", tmp_path / "x.wav", "--codec", "tiny-wide", code=3)
    assert "can't decode the voice bare" in done.stderr


def test_play_to_standard_output_is_a_wav_and_nothing_else(
    registry: Registry, engine: VallE, capfdbinary: pytest.CaptureFixture[bytes], reference: Path
) -> None:
    engine.make_voice(reference, keep_audio=True).save("kept")
    assert main(["voices", "play", "kept", "-o", "-"], registry=registry) == 0
    wave, rate = soundfile.read(io.BytesIO(capfdbinary.readouterr().out), dtype="float32")
    assert rate == 16_000
    np.testing.assert_array_equal(wave, sound(reference))


def test_the_first_player_that_works_plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(player, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    heard = tmp_path / "heard.wav"
    script(tmp_path / "bad", "import sys; sys.exit('no device')")
    script(tmp_path / "good", f"import shutil, sys; shutil.copy(sys.argv[2], {str(heard)!r})")
    wave = np.linspace(-0.5, 0.5, 800, dtype=np.float32)
    assert player.play(wave, 8_000, players=[("absent",), ("bad",), ("good", "-q")]) == "good"
    assert soundfile.info(heard).frames == 800
    with pytest.raises(InputError, match="no program that plays audio") as failed:
        player.play(wave, 8_000, players=[("absent",), ("bad",)])
    assert "no device" in str(failed.value.cause) and "-o FILE" in str(failed.value.try_)
    with pytest.raises(InputError) as nothing:
        player.play(wave, 8_000, players=[("absent",)])
    assert "absent" in str(nothing.value.cause)


def script(path: Path, code: str) -> None:
    path.write_text(f"#!{sys.executable}\n{code}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_names_are_completed_by_the_shell(
    cli: Any, add: Any, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    add("tina")
    monkeypatch.setenv("_VALL_E_COMPLETE", "bash_complete")
    for words in ("vall-e tts --voice ti", "vall-e voices show ti", "vall-e voices rm tina ti"):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
        assert {"plain,tina", "plain,tim"} <= set(cli(code=None).stdout.split())


# files from anywhere


def rewrite(path: Path, tensors: dict[str, Any], info: object) -> None:
    text = info if isinstance(info, str) else json.dumps(info)
    path.write_bytes(save(tensors, {KEY: text}))


def opened(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    from safetensors import safe_open

    with safe_open(str(path), framework="numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()[KEY])  # noqa: SIM118


def change(path: Path | None, edit: Callable[[dict[str, Any]], object]) -> None:
    assert path is not None
    tensors, info = opened(path)
    edit(info)
    rewrite(path, tensors, info)


CODES = np.zeros((10, 4), np.int32)
HOSTILE: list[tuple[str, dict[str, Any] | None, Any]] = [
    ("no tensor at all", {}, None),
    ("another tensor", {"weights": CODES}, None),
    ("one too many", {"codes": CODES, "more": CODES}, None),
    ("codes that aren't whole", {"codes": CODES.astype(np.float32)}, None),
    ("codes of one dimension", {"codes": CODES[0]}, None),
    ("no frame", {"codes": CODES[:0]}, None),
    ("no level", {"codes": CODES[:, :0]}, None),
    ("a negative code", {"codes": CODES - 1}, None),
    ("a code that is too large", {"codes": CODES + 32}, None),
    ("audio that isn't 16 bits", {"codes": CODES, "audio": np.zeros(9, np.float32)}, {"audio_rate": 8_000}),
    ("audio without a rate", {"codes": CODES, "audio": np.zeros(9, np.int16)}, {"audio_rate": None}),
    ("audio without a sample", {"codes": CODES, "audio": np.zeros(0, np.int16)}, {"audio_rate": 8_000}),
    ("metadata that aren't JSON", None, "{"),
    ("metadata that are a list", None, "[1]"),
    ("metadata nested too deep", None, "[" * 100_000),
    ("a number of ten thousand digits", None, '{"format": ' + "9" * 10_000 + "}"),
    ("a newer format", None, {"format": 99}),
    ("a format that is no number", None, {"format": "1"}),
    ("a format that is true", None, {"format": True}),
    ("no codec", None, {"codec": None}),
    ("a codec without a name", None, {"codec": {"name": ""}}),
    ("a frame rate of 0", None, {"frame_rate": 0}),
    ("a frame rate that is NaN", None, {"frame_rate": float("nan")}),
    ("an infinite frame rate", None, {"frame_rate": float("inf")}),
    ("a codebook without an end", None, {"codebook_size": 1 << 60}),
    ("a text that is a number", None, {"transcript": 3}),
    ("a text without an end", None, {"note": "x" * 100_000}),
    ("warnings that aren't texts", None, {"warnings": [{}]}),
    ("a pitch that is text", None, {"pitch": "high"}),
]


@pytest.mark.parametrize(("what", "tensors", "edit"), HOSTILE, ids=[each[0] for each in HOSTILE])
def test_a_file_that_is_no_voice_is_one_clear_error(
    cli: Any, add: Any, folder: Path, what: str, tensors: dict[str, Any] | None, edit: Any
) -> None:
    add("bad")
    path = folder / "bad.safetensors"
    old, info = opened(path)
    if isinstance(edit, dict):
        inner = {key: edit.pop(key) for key in ("frame_rate", "codebook_size") if key in (edit := dict(edit))}
        info = {**info, **edit}
        if inner:
            info["codec"] = {**info["codec"], **inner}
    rewrite(path, old if tensors is None else tensors, edit if isinstance(edit, str) else info)
    done = cli("tts", "hi there", folder / "o.wav", "--voice", "bad", "--phonemizer", "letters", code=3)
    assert done.stderr.startswith("error: not a usable voice: ") and "\n  cause: " in done.stderr
    assert len(done.stderr.strip().splitlines()) == 3 and len(done.stderr) < 1_000 and "vall-e voices rm" in done.stderr


@pytest.mark.parametrize("what", ["empty", "cut", "longer", "pickle", "huge header", "folder", "fifo", "no metadata"])
def test_a_file_that_is_no_safetensors_is_one_clear_error(add: Any, folder: Path, tmp_path: Path, what: str) -> None:
    add("bad")
    path = folder / "bad.safetensors"
    data = path.read_bytes()
    canary = tmp_path / "canary"
    contents = {
        "empty": b"", "cut": data[:-20], "longer": data + b"more",
        "pickle": b"cos\nsystem\n(S'touch " + os.fsencode(canary) + b"'\ntR.",
        "huge header": (1 << 40).to_bytes(8, "little") + data[8:], "no metadata": save({"codes": CODES}),
    }  # fmt: skip
    path.unlink()
    if what == "folder":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    else:
        path.write_bytes(contents[what])
    with pytest.raises(InputError, match="not a usable voice"):
        VoiceFolder().read("bad")
    assert not canary.exists()


def test_a_flipped_byte_is_refused_or_harmless(add: Any, folder: Path) -> None:
    add("v")
    path = folder / "v.safetensors"
    data = bytearray(path.read_bytes())
    numbers = np.random.default_rng(1)
    refused = 0
    for _ in range(200):
        changed = bytearray(data)
        changed[int(numbers.integers(len(data)))] ^= int(numbers.integers(1, 256))
        path.write_bytes(changed)
        try:
            voice = VoiceFolder().read("v")
        except InputError:
            refused += 1
        else:
            assert voice.codes.min() >= 0 and voice.codes.max() < voice.origin.codebook_size
    assert refused > 50


def test_what_a_file_says_cannot_steer_a_terminal(add: Any, cli: Any, folder: Path) -> None:
    add("v")
    change(folder / "v.safetensors", lambda info: info.update(note="\x1b[2Jgone\u202e", transcript="a\nb\x07"))
    page = cli("voices", "show", "v").stdout
    assert "gone" in page and not {"\x1b", "\u202e", "\x07"} & set(page) and "a b" in page


# several at once, and places


@pytest.mark.slow
def test_of_several_that_add_one_name_at_once_one_wins(
    environment: dict[str, str], reference: Path, folder: Path
) -> None:
    code = (
        "import sys; from vall_e_voices import CodesOrigin, SavedVoice\n"
        "from vall_e_core import UsageError\n"
        "import numpy as np\n"
        "number = int(sys.argv[1])\n"
        "voice = SavedVoice(np.full((5000, 4), number, np.int32), CodesOrigin('tiny', None, 8000, 50.0, 4, 32))\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "won = 0\n"
        "for i in range(30):\n"
        "    try: voice.save(f'v{i}'); won += 1\n"
        "    except UsageError as error: assert 'already' in str(error)\n"
        "    voice.save('shared', overwrite=True)\n"
        "print(won)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**environment, "VALL_E_VOICES": str(folder)},
        )
        for number in range(3)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:  # all of them are waiting
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    won = list(map(int, outputs))
    assert sum(won) == 30, won
    for name in (*(f"v{i}" for i in range(30)), "shared"):
        codes = VoiceFolder().read(name).codes
        assert len(np.unique(codes)) == 1 and codes.shape == (5000, 4)
    assert len(list(folder.iterdir())) == 31


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VALL_E_VOICES", "~/here")
    assert voices_home() == Path.home() / "here"
    monkeypatch.delenv("VALL_E_VOICES")
    monkeypatch.setenv("VALL_E_HOME", str(tmp_path))
    assert voices_home() == tmp_path / "voices"
    monkeypatch.delenv("VALL_E_HOME")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert voices_home() == tmp_path / "data" / "vall-e" / "voices"


def test_a_folder_that_cannot_be_made_is_an_input_error(add: Any, folder: Path) -> None:
    folder.write_text("a file")
    assert "can't make the folder of voices" in add("v", code=3).stderr
    assert VoiceFolder().files() == {}


def test_making_a_voice_needs_no_model(registry: Registry, reference: Path) -> None:
    component = registry.get("codec", "tiny").from_mapping({})
    from vall_e_core import BuildContext, Codec

    assert isinstance(component, Codec)
    made = make_voice(component.build(BuildContext()), reference)
    assert made.codes.shape == (100, 4) and made.path is None and made.name == ""
    clip = AudioClip(QUIET, 16_000, "nothing", True, 16_000, 1, "array", "float32")
    with pytest.raises(InputError, match="silent"):
        make_voice(component.build(BuildContext()), clip)


def test_the_names_of_the_group_are_those_of_the_page() -> None:
    assert set(commands.voices.commands) == {"list", "show", "add", "rm", "play"}
