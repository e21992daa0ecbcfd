"""The recordings of the packaged voices: the teacher says what the plugin says they are of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

import vall_e_mini

from .config import Config
from .kokoro import RATE, Teacher

EXAMPLES = Path(__file__).parents[2] / "examples"
DATA = Path(vall_e_mini.__file__).with_name("data")
SPEAKERS = {
    "heart": "af_heart", "sarah": "af_sarah", "isabella": "bf_isabella", "michael": "am_michael", "puck": "am_puck",
    "fable": "bm_fable",
}  # fmt: skip
"""The teacher's voices by the names that the packaged ones have."""
LEVEL = 0.08
"""Root mean square of every recording."""


def run(config: Config, run_dir: Path, out: Path | None = None) -> None:
    """Write a WAV file for each voice into `out`, by default the plugin's folder and `examples/`."""
    teacher = Teacher(Path(config.teacher.folder))
    for voice in vall_e_mini.vall_e_voices():
        speaker = SPEAKERS[voice.name]
        said = teacher.speak(voice.transcript, teacher.voice({speaker: 1.0}), british=speaker.startswith("b"))
        if said is None:
            raise ValueError(f"the teacher can't say {voice.transcript!r}")
        wave = said.wave * min(LEVEL / float(np.sqrt(np.mean(said.wave**2))), 0.98 / float(np.abs(said.wave).max()))
        for folder in (DATA, EXAMPLES) if out is None else (out,):
            soundfile.write(folder / f"{voice.name}.wav", wave, RATE, subtype="PCM_16")
        print(f"{voice.name}: {len(wave) / RATE:.1f} s", flush=True)
