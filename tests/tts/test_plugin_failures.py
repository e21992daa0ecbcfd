"""What a plugin's code raises, or ends with, is that plugin's failure: in every kind, built or used, with its name."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tiny import TEXT, Done, tiny_plugin
from vall_e_core import PluginError, Registry, VallE, Voice, hookimpl
from vall_e_core.cli import main

PLUGIN = '''
import sys
from dataclasses import dataclass
from vall_e_core import Codec, Engine, Normalizer, Phonemizer, Sampler, Voice, hookimpl, param
from vall_e_tiny import LettersPhonemizer, TinyCodec

def fail(when, now):
    where, _, how = when.partition("-")
    if where != now:
        return
    if how == "exit":
        sys.exit(0)
    if how == "generator":
        raise GeneratorExit
    if how == "value":
        raise ValueError("something is wrong")
    raise LookupError("something is wrong")

@dataclass(frozen=True)
class BadCodec(TinyCodec):
    """Fails when it is told to."""
    name = "bad-codec"
    when: str = param("", help="when it fails")
    def build(self, ctx):
        fail(self.when, "build")
        made, when = super().build(ctx), self.when
        class Work:
            name, sample_rate, frame_rate = made.name, made.sample_rate, made.frame_rate
            levels, codebook_size = made.levels, made.codebook_size
            def encode(self, wave):
                fail(when, "encode")
                return made.encode(wave)
            def decode(self, codes):
                fail(when, "decode")
                return made.decode(codes)
        return Work()

@dataclass(frozen=True)
class BadPhonemizer(LettersPhonemizer):
    """Fails when it is told to."""
    name = "bad-phonemizer"
    when: str = param("", help="when it fails")
    def build(self, ctx):
        fail(self.when, "build")
        made, when = super().build(ctx), self.when
        class Work:
            name = "bad-phonemizer"
            def languages(self):
                return made.languages()
            def detect(self, texts):
                fail(when, "detect")
                return made.detect(texts)
            def phonemize(self, texts, language):
                fail(when, "phonemize")
                return made.phonemize(texts, language)
        return Work()

@dataclass(frozen=True)
class BadNormalizer(Normalizer):
    """Fails when it is told to."""
    name = "bad-normalizer"
    languages = frozenset({"en"})
    when: str = param("", help="when it fails")
    def build(self, ctx):
        fail(self.when, "build")
        when = self.when
        class Work:
            def replacements(self, text, language):
                fail(when, "replacements")
                return []
        return Work()

@dataclass(frozen=True)
class BadEngine(Engine):
    """Fails when it is told to."""
    name = "bad-engine"
    when: str = param("", help="when it fails")
    automatic = False
    def build(self, ctx):
        fail(self.when, "build")
        when = self.when
        class Work:
            name = "bad-engine"
            def adopt(self, model, identity):
                fail(when, "adopt")
                held = model.backbones()
                for key, backbone in (held.items() if hasattr(held, "items") else enumerate(held)):
                    inner = backbone.forward
                    def forward(*args, **kwargs):
                        fail(when, "forward")
                        return inner(*args, **kwargs)
                    backbone.forward = forward
        return Work()

class Lost(Voice):
    """A voice whose recording can't be told."""
    transcript = "la la la"
    def audio_path(self):
        fail("path-" + self.name.partition("-")[2], "path")

@dataclass(frozen=True)
class RaisingVoice(Lost):
    """Raises."""
    name = "voice-raise"

@dataclass(frozen=True)
class ExitingVoice(Lost):
    """Exits."""
    name = "voice-exit"

@dataclass(frozen=True)
class EndingVoice(Lost):
    """Ends as a generator does."""
    name = "voice-generator"

@dataclass(frozen=True)
class BadSampler(Sampler):
    """Fails when it is told to."""
    name = "bad-sampler"
    when: str = param("", help="when it fails")
    def build(self, ctx):
        fail(self.when, "build")
        when = self.when
        class Work:
            def init(self, rows, ctx):
                fail(when, "init")
            def apply(self, logits, step, state):
                fail(when, "apply")
                return logits
            def accept(self, tokens, step, state):
                fail(when, "accept")
        return Work()

@hookimpl
def vall_e_samplers(): return [BadSampler]
@hookimpl
def vall_e_codecs(): return [BadCodec]
@hookimpl
def vall_e_phonemizers(): return [BadPhonemizer]
@hookimpl
def vall_e_normalizers(): return [BadNormalizer]
@hookimpl
def vall_e_engines(): return [BadEngine]
@hookimpl
def vall_e_voices(): return [RaisingVoice, ExitingVoice, EndingVoice]
'''

PHASES = {
    "--codec bad-codec": ("build", "encode", "decode"),
    "--phonemizer bad-phonemizer": ("build", "detect", "phonemize"),
    "--normalizer bad-normalizer": ("build", "replacements"),
    "--engine bad-engine": ("build", "adopt", "forward"),
    "--sampler bad-sampler": ("build", "init", "apply", "accept"),
}
WAYS = ("raise", "value", "exit", "generator")
CASES = [f"{flag}:when={phase}-{how}" for flag, phases in PHASES.items() for phase in phases for how in WAYS]


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """The tiny plugin, and one of a third party that fails."""
    folder = tmp_path_factory.mktemp("failing")
    (folder / "vall_e_failing.py").write_text(PLUGIN)
    registry = Registry.load(third_party=False)
    registry.register(tiny_plugin(), name="tiny")
    sys.path.insert(0, str(folder))
    try:
        module = importlib.import_module("vall_e_failing")
        registry.register(module, name="failing", distribution="vall-e-failing", version="0.1")
        yield registry
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("vall_e_failing", None)


@pytest.fixture
def speak(failing: Registry, model_path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    def run(*flags: object) -> Done:
        capfd.readouterr()
        given = ["tts", TEXT, *map(str, flags), "-o", str(tmp_path / "out.wav"), "--model", str(model_path)]
        if "--phonemizer" not in given:
            given += ["--phonemizer", "letters"]
        if "--engine" not in given:
            given += ["--engine", "eager"]
        code = main([*given, "--device", "cpu", "--seed", "1", "--max-tries", "1"], registry=failing)
        captured = capfd.readouterr()
        return Done(code, captured.out, captured.err)

    return run


def require_blame(done: Done) -> None:
    """Exit 4 and one error that names the plugin: nothing of a bug of ours, and no trace."""
    said = done.stderr.partition("error: ")[2]
    assert done.code == 4, done.stderr
    assert "vall-e-failing" in said or "the package vall_e_failing" in said, said
    assert "Traceback" not in done.stderr and "bug in vall-e" not in said and done.stdout == ""


@pytest.mark.parametrize("case", CASES)
def test_what_any_kind_raises_is_its_plugins_failure(speak: Any, case: str, reference: Path, tmp_path: Path) -> None:
    flag, spec = case.split()
    language = "auto" if "detect" in spec else "en"
    require_blame(speak(flag, spec, "--ref", reference, "--language", language))
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize("how", ["raise", "exit", "generator"])
def test_a_voice_without_its_recording_is_its_plugins_failure(speak: Any, how: str, tmp_path: Path) -> None:
    require_blame(speak("--voice", f"voice-{how}"))
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize("how", ["raise", "exit", "generator"])
def test_looking_at_a_voice_is_no_way_to_end_the_program(
    failing: Registry, how: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Regression: the command ended without a word, with the exit code that the plugin chose."""
    code = main(["voices", "show", f"voice-{how}"], registry=failing)
    require_blame(Done(code, *capfd.readouterr()))


def test_a_voice_that_fails_is_listed_as_broken_beside_the_others(
    failing: Registry, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["voices", "list", "--json"], registry=failing) == 0
    captured = capfd.readouterr()
    found = {each["name"]: each for each in json.loads(captured.out)}
    assert found["heart"]["error"] is None and found["heart"]["seconds"] > 1
    broken = {name for name, each in found.items() if each["error"] is not None}
    assert broken == {"voice-raise", "voice-exit", "voice-generator"}
    assert all("vall-e-failing" in found[name]["plugin"] for name in broken)
    assert captured.err.count("vall-e-failing") == len(broken)
    assert main(["voices", "list"], registry=failing) == 0
    assert "voice-exit       packaged  unusable: the voice voice-exit exited" in capfd.readouterr().out


def test_a_voice_without_a_place_is_its_plugins_failure_too(capfd: pytest.CaptureFixture[str]) -> None:
    """The method that is missing raises in the core."""

    @dataclass(frozen=True)
    class Nowhere(Voice):
        """Has no recording."""

        name = "nowhere"

    class Plugin:
        @hookimpl
        def vall_e_voices(self) -> list[type[Voice]]:
            return [Nowhere]

    registry = Registry.load(third_party=False)
    registry.register(Plugin(), name="empty", distribution="vall-e-empty")
    assert main(["voices", "list"], registry=registry) == 0
    captured = capfd.readouterr()
    assert "heart" in captured.out and "vall-e-empty" in captured.err


PYTHON = [case for case in CASES if "detect" not in case]


@pytest.mark.slow
@pytest.mark.parametrize("case", PYTHON)
def test_from_python_it_is_a_plugin_error_too(failing: Registry, model_path: Path, reference: Path, case: str) -> None:
    flag, spec = case.split()
    kind = flag.removeprefix("--")
    loading = {kind: spec} if kind in ("codec", "engine") else {}
    speaking: dict[str, Any] = {"phonemizer": "letters", "seed": 1, "max_tries": 1, "max_ar_steps": "20"}
    if not loading:
        speaking[kind] = spec if kind == "phonemizer" else [spec]
    with pytest.raises(PluginError) as caught:
        engine = VallE.load(model_path, registry=failing, device="cpu", **{"engine": "eager", **loading})
        engine.synthesize(TEXT, reference, **speaking)
    said = caught.value.render()
    assert "vall-e-failing" in said or "the package vall_e_failing" in said
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("how", ["raise", "exit", "generator"])
def test_from_python_streams_voices_and_ears_too(
    failing: Registry, model_path: Path, reference: Path, how: str
) -> None:
    engine = VallE.load(model_path, registry=failing, device="cpu", codec=f"bad-codec:when=decode-{how}")
    with pytest.raises(PluginError, match="vall-e-failing"):
        list(engine.stream(TEXT, reference, phonemizer="letters", seed=1, max_ar_steps="20"))
    with pytest.raises(PluginError, match="vall-e-failing"):
        engine.synthesize(TEXT, voice=f"voice-{how}", phonemizer="letters")
    engine = VallE.load(model_path, registry=failing, device="cpu", codec=f"bad-codec:when=encode-{how}")
    with pytest.raises(PluginError, match="vall-e-failing"):
        engine.transcribe(reference)
    with pytest.raises(PluginError, match="vall-e-failing"):
        engine.make_voice(reference)


def test_what_a_caller_raises_is_the_callers(failing: Registry, model_path: Path, reference: Path) -> None:
    engine = VallE.load(model_path, registry=failing, device="cpu", codec="bad-codec")

    def enough(*_: object) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        engine.synthesize(TEXT, reference, phonemizer="letters", progress=enough)
