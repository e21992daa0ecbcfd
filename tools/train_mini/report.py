"""Stage 6: how well the exported voice speaks and listens, on sentences that it has never seen.

The rows lose quality one after the other: the recording itself, through the codec, with NAR on true level 0, and spoken
from text. `report.json` holds every number; the same is printed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from vall_e_core import BuildContext, VallE, read_audio
from vall_e_core.decode import Utterance, generate_nar
from vall_e_core.sampling import Chain
from vall_e_core.synthesis.chains import plan_chain
from vall_e_scorers.hearing import distance, letters

from . import corpus as flite
from .config import Config
from .judge import SentenceJudge, read_sentences
from .text import phonemes

VOICES = ("slt", "rms", "awb")


@dataclass
class Row:
    """Identified sentences of one measure, by voice."""

    found: dict[str, list[bool]] = field(default_factory=dict)

    def add(self, voice: str, right: bool) -> None:
        """One more recording."""
        self.found.setdefault(voice, []).append(right)

    def shares(self) -> dict[str, float]:
        """Share of identified sentences by voice, and of all."""
        every = [right for rights in self.found.values() for right in rights]
        return {v: round(float(np.mean(r)), 4) for v, r in self.found.items()} | {
            "all": round(float(np.mean(every)), 4)
        }


class Speaker:
    """The loaded voice, and the steps of the way from a recording to speech."""

    def __init__(self, prompt_seconds: float = 3.0) -> None:
        self.engine = VallE.load(device="cpu")
        self.codec, self.prompt_seconds = self.engine.codec, prompt_seconds
        size, rate = self.codec.codebook_size, self.codec.frame_rate
        context = BuildContext(vocab_size=size, frame_rate=rate, stage="nar")
        plan = plan_chain(self.engine.registry.samplers(), "nar")
        self.nar_chain: Chain = plan.build(context)

    def prompt(self, voice: str) -> Tensor:
        """Codes [T, Q] of a packaged voice."""
        clip = read_audio(self.engine.registry.get("voice", voice)().audio_path(), sample_rate=self.codec.sample_rate)
        return self.codec.encode(clip.tensor())[: round(self.prompt_seconds * self.codec.frame_rate)]

    def revoice(self, codes: Tensor, ipa: str, prompt: Tensor) -> np.ndarray:
        """Samples from true level-0 codes [T, Q], the other levels by the model."""
        tokenizer = self.engine.loaded.tokenizer
        if tokenizer is None:
            raise ValueError("the model has no vocabulary")
        ids = torch.tensor(tokenizer.encode(ipa))
        utterance = Utterance(id=0, phonemes=ids, language=None, prompt=prompt)
        found = generate_nar(self.engine.loaded.model, [utterance], [codes[:, 0]], self.nar_chain, seed=1)
        return self.codec.decode(found[0]).numpy()


def run(
    config: Config, run_dir: Path, out: Path | None = None, lists: str = "B", voices: Sequence[str] = VOICES,
    limit: int = 1000,
) -> None:  # fmt: skip
    """Measure the installed default model on `lists`, the sentences of all lists being the closed set."""
    speaker, judge = Speaker(), SentenceJudge(read_sentences())
    engine, codec = speaker.engine, speaker.codec
    prompts = {voice: speaker.prompt(voice) for voice in voices}
    sentences = read_sentences(lists)[:limit]
    folder = run_dir / "report" if out is None else out
    folder.mkdir(parents=True, exist_ok=True)
    rows = {name: Row() for name in ("recording", "codec", "nar", "tts")}
    errors = length = 0
    seconds = spent = 0.0
    stops: list[str] = []
    for number, (sentence, ipa) in enumerate(zip(sentences, phonemes(sentences), strict=True)):
        for voice in voices:
            wave, _ = flite.speak(flite.Speaker(voice, voice), sentence)
            path = folder / f"{number:02d}-{voice}-recording.wav"
            soundfile.write(path, wave, flite.RATE)
            codes = codec.encode(torch.from_numpy(wave))
            speech = engine.synthesize(sentence, voice=voice, seed=1)
            soundfile.write(folder / f"{number:02d}-{voice}.wav", speech.wave, speech.sample_rate)
            said = {
                "recording": wave,
                "codec": codec.decode(codes).numpy(),
                "nar": speaker.revoice(codes, ipa, prompts[voice]),
                "tts": speech.wave,
            }
            right = {name: judge.hear(samples, codec.sample_rate) == sentence for name, samples in said.items()}
            for name, value in right.items():
                rows[name].add(voice, value)
            stops += [part.stop_reason for part in speech.parts]
            seconds += speech.seconds
            spent += float(speech.record["timings"]["total"])
            heard = engine.transcribe(path).phonemes
            errors += distance(letters(ipa), letters(heard))
            length += len(letters(ipa))
            print(f"{voice} {''.join('.X'[not v] for v in right.values())} {sentence} /{ipa}/ /{heard}/", flush=True)
    result = {
        "lists": lists, "sentences": len(sentences), "voices": list(voices),
        "identified": {name: row.shares() for name, row in rows.items()},
        "stt_phoneme_error_rate": round(errors / length, 4), "real_time_factor": round(spent / seconds, 3),
        "stopped_by_itself": round(stops.count("stop") / len(stops), 4),
    }  # fmt: skip
    print(json.dumps(result, indent=1), flush=True)
    (folder / "report.json").write_text(json.dumps(result, indent=1) + "\n")
