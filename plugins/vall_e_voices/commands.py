"""`vall-e voices list | show | add | rm | play`."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click
from click.shell_completion import CompletionItem

from vall_e_audio import read_audio, write_audio
from vall_e_core import UsageError, Voice
from vall_e_files import check_output
from vall_e_lm import ModelOptions, Runtime
from vall_e_stt import HearingOptions, require_stt
from vall_e_stt import transcribe as hear

from .folder import SavedVoice, VoiceFolder, check_voice_name
from .listing import all_voices, own_facts, packaged_facts, page, table
from .making import find_voice, make_voice, model_codec

if TYPE_CHECKING:
    from vall_e_core import Console, Registry


class State(Protocol):
    """What the program hands to its commands: click's `ctx.obj`."""

    @property
    def registry(self) -> Registry:
        """All plugins."""

    def console(self) -> Console:
        """As loud as the common options ask."""


def _names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The voices that a word may become, for the shell."""
    known = [*VoiceFolder().files(), *ctx.obj.registry.names(Voice.kind)]
    return [CompletionItem(each) for each in dict.fromkeys(known) if each.startswith(incomplete.lower())]


as_json = click.option("--json", "json_", is_flag=True, help="print the result as JSON")
on_device = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 or mps")


@click.group()
def voices() -> None:
    """Save voices under a name, for `vall-e tts --voice NAME`.

    A voice is one file with the codes of a recording and what is known about it; the recording is no longer needed.
    `list` shows the folder; VALL_E_VOICES sets another one.
    """


@voices.command("list")
@as_json
@click.pass_obj
def list_voices(state: State, json_: bool) -> None:
    """List your voices and the packaged ones."""
    found = all_voices(state.registry)
    for each in found:
        if "plugin" in each:
            state.console().notice(f"the voice {each['name']} can't be used: {each['plugin']} failed")
    _print(state, json_, found, table(found, VoiceFolder().folder))


@voices.command()
@click.argument("name", shell_complete=_names)
@as_json
@click.pass_obj
def show(state: State, name: str, json_: bool) -> None:
    """Show everything about a voice."""
    voice = find_voice(state.registry, name)
    facts = own_facts(voice) if isinstance(voice, SavedVoice) else packaged_facts(name, voice)
    _print(state, json_, facts, page(facts))


@voices.command()
@click.argument("name")
@click.argument("ref", metavar="REF", type=click.Path(path_type=Path))
@click.option("--text", "--transcript", metavar="TEXT", help="what the recording says")
@click.option("--transcribe", is_flag=True, help="let the model transcribe it, instead of --text")
@click.option("--language", default="en", show_default=True, help="language of the recording")
@click.option("--note", metavar="TEXT", help="a note, such as its license, consent or origin")
@click.option("--model", metavar="FILE|NAME", help="the model to make it for; default: the embedded one")
@click.option("--codec", metavar="NAME", help="the codec to encode with, NAME[:k=v,…]; default: the model's")
@on_device
@click.option(
    "--max-ref-seconds", type=click.FloatRange(0.5, 3600), default=30.0, show_default=True, metavar="SECONDS",
    help="use at most this much of the recording",
)  # fmt: skip
@click.option("--keep-silence", is_flag=True, help="keep silence of more than 0.3 s at its ends")
@click.option("--keep-audio", is_flag=True, help="keep the recording too, so that models with other codecs can use it")
@click.option("--force", is_flag=True, help="replace a saved voice, or override a packaged one")
@as_json
@click.pass_obj
def add(
    state: State, name: str, ref: Path, *, text: str | None, transcribe: bool, language: str, note: str | None,
    model: str | None, codec: str | None, device: str, max_ref_seconds: float, keep_silence: bool, keep_audio: bool,
    force: bool, json_: bool,
) -> None:  # fmt: skip
    """Encode the recording REF and save it as the voice NAME.

    3 to 10 seconds of one speaker, without music or noise, are best. With --text, the voice also has a pace.
    """
    console = state.console()
    name = _free(state.registry, name, force=force)
    if text is not None and transcribe:
        raise UsageError("--text and --transcribe both say what the recording says", try_="leave one out")
    # what is wrong with the file is said before a model is read; where in it somebody speaks is seen later
    read_audio(ref.expanduser(), max_seconds=max_ref_seconds, allow_silence=True)
    options = ModelOptions(model=model, codec=codec, device=device)
    given: dict[str, Any] = {
        "text": text, "language": language, "note": note, "max_seconds": max_ref_seconds,
        "trim": not keep_silence, "keep_audio": keep_audio, "notify": console.notice,
    }  # fmt: skip
    if transcribe:
        engine = Runtime.load(options=options, registry=state.registry, notify=console.notice)
        require_stt(engine)
        how = HearingOptions(language=language)
        made = make_voice(engine.codec, ref, phonemes=lambda clip: hear(engine, clip, how).phonemes, **given)
    else:
        made = make_voice(model_codec(state.registry, options, notify=console.notice), ref, **given)
    path = made.save(name, overwrite=force)
    _print(
        state, json_, own_facts(VoiceFolder().read(name, audio=False)),
        f"{name}: {made.seconds:.2f} s of {made.origin.name}'s codes in {path}",
    )  # fmt: skip


@voices.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=_names)
@click.option("-y", "--yes", is_flag=True, help="don't ask")
@as_json
@click.pass_obj
def rm(state: State, names: tuple[str, ...], yes: bool, json_: bool) -> None:
    """Remove saved voices. Packaged voices can't be removed."""
    folder = VoiceFolder()
    paths = [_own_file(state.registry, folder, name) for name in names]  # all of them, before the first is gone
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(
                "can't ask for confirmation: standard input isn't a terminal", try_="--yes to remove without asking"
            )
        click.confirm(f"remove {', '.join(str(path) for path in paths)}?", abort=True, err=True)
    removed = [str(folder.remove(name)) for name in dict.fromkeys(each.lower() for each in names)]
    _print(state, json_, {"removed": removed}, "\n".join(f"removed {path}" for path in removed))


@voices.command()
@click.argument("name", shell_complete=_names)
@click.option("-o", "--output", metavar="FILE", help="write it to FILE (- for standard output) instead of playing it")
@click.option("-y", "--overwrite", is_flag=True, help="replace FILE if it exists")
@click.option("--codec", metavar="NAME", help="the codec that decodes a voice whose recording wasn't kept")
@on_device
@click.pass_obj
def play(state: State, name: str, output: str | None, overwrite: bool, codec: str | None, device: str) -> None:
    """Play a voice: its recording if it was kept, else its decoded codes."""
    from .sound import sound_of

    voice = find_voice(state.registry, name)
    console = state.console()
    inputs = [] if isinstance(voice, SavedVoice) else [voice.audio_path()]
    target = None
    if output is not None:
        target = check_output(output, overwrite=overwrite, inputs=inputs, sidecar=False)
    wave, rate = sound_of(voice, state.registry, codec=codec, device=device, notify=console.notice)
    if target is not None:
        buffer = io.BytesIO()
        write_audio(buffer, wave, rate, format=target.format, notify=console.warn)
        target.write(buffer.getvalue())
        console.notice(f"{'standard output' if target.path is None else target.path}: {len(wave) / rate:.2f} s")
        return
    from .player import play as play_wave

    console.detail(f"played by {play_wave(wave, rate)}")


def _free(registry: Registry, name: str, *, force: bool) -> str:
    """A name that a voice may take, as it is kept. Raises UsageError."""
    found = check_voice_name(name)
    taken = VoiceFolder().find(found)
    if taken is not None and not force:
        raise UsageError(f"a voice is called {found} already: {taken}", try_="another name, or --force to replace it")
    if found in registry.names(Voice.kind) and not force:
        raise UsageError(
            f"a packaged voice is called {found}",
            try_="another name, or --force: --voice then means yours, until it is removed",
        )
    return found


def _own_file(registry: Registry, folder: VoiceFolder, name: str) -> Path:
    path = folder.find(name)
    if path is None:
        find_voice(registry, name)  # says what is meant, where there is none at all
        raise UsageError(f"the voice {name} is packaged", cause="it belongs to a plugin, and can't be removed")
    return path


def _print(state: State, json_: bool, value: object, text: str) -> None:
    """The result: as JSON where `--json` stands behind the command or in front of it."""
    if json_ or state.console().json:
        text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)
    click.echo(text)
