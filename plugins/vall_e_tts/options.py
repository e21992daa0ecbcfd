"""How speech is made: flags of every task that speaks, keywords of `VallE.synthesize`.

Importing this imports nothing heavy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vall_e_core import Component, param
from vall_e_lm import check_layer_skip, layer_skip_param

#: Rounds of demasking unless asked otherwise.
DEMASKING_STEPS = 25
#: Ways to make level 0: step by step, or all frames at once from a predicted length.
MODALITIES = ("auto", "ar", "nar-len")


@dataclass(frozen=True, init=False, eq=False, repr=False)
class VoiceOptions(Component):
    """Whose voice it is."""

    ref: tuple[str, ...] = param((), multiple=True, metavar="FILE", help="reference audio; repeatable")
    voice: str | None = param(
        None, metavar="NAME", help="a voice from `vall-e voices list`, instead of reference audio",
        complete="vall_e_voices:saved_names",
    )  # fmt: skip
    ref_text: str | None = param(None, help="what the reference says", metavar="TEXT", aliases=("--transcript",))


@dataclass(frozen=True, eq=False, repr=False)
class SpeechOptions(Component):
    """Language, lengths, the use of the reference, and the passes over the model."""

    name = "speech options"

    language: str = param("en", help="language of the text; auto detects it")
    phonemizer: str | None = param(
        None, metavar="NAME",
        help="converts the text to phonemes, NAME[:k=v,…]; default: espeak; ipa is for text that is IPA",
    )  # fmt: skip
    normalizer: tuple[str, ...] = param(
        (), multiple=True, metavar="NAME[:k=v,…]",
        help="writes numbers, abbreviations and symbols as words; repeatable, in the order given; none is off; "
             "default: all for the language",
    )  # fmt: skip
    markup: str = param(
        "auto", choices=("auto", "text", "markdown", "html", "ssml"),
        former={"strip-markup": "--markup html, or ssml"},
        help="markup of the text; auto detects SSML by <speak>, Markdown and HTML by the file's suffix, else text",
    )  # fmt: skip
    lexicon: Path | None = param(
        None, metavar="FILE", help="file of words with a respelling or /IPA/: TSV, or YAML by its suffix"
    )
    speed: float = param(
        1.0, min=0.25, max=4.0, help="pace of the speech at the same pitch; 2 is twice as fast"
    )
    unk: str = param(
        "error", choices=("error", "skip"), help="if the model doesn't know a phoneme: stop with a list, or skip it"
    )
    modality: str = param(
        "auto", choices=MODALITIES,
        help="how the first level is generated: ar token by token, nar-len all at once for a predicted length; "
             "auto uses ar if the model has it",
    )  # fmt: skip
    max_ar_steps: str = param(
        "12s", metavar="N|12s", aliases=("--max-duration",),
        help="longest utterance, in steps (900) or seconds (12s); 2.5 times the usual length of the text is a "
             "limit too",
    )  # fmt: skip
    max_nar_levels: int | None = param(
        None, min=0, help="number of NAR levels to run; default: all; 0 uses level 0 alone", aliases=("--max-levels",)
    )
    input_prompt_length: float = param(
        3.0, min=0.0, max=3600.0, unit="s",
        help="use at most this much of the reference; about 6 is fine, longer is slower; 0 uses all",
    )  # fmt: skip
    input_prompt_repeat: bool = param(False, help="repeat a reference that is shorter than --input-prompt-length")
    input_prompt_prefix: bool = param(
        False, help="AR only: start the response with the reference; needs --ref-text, which is put before the text"
    )
    max_ref_seconds: float = param(30.0, min=0.5, max=3600.0, unit="s", help="use at most this much of each reference")
    keep_silence: bool = param(False, help="keep silence of more than 0.3 s at the ends of a reference")
    follow_pitch: bool = param(
        False,
        help="move the pitch of the speech to that of the reference if it is 1 to 7 semitones off; parts are then "
             "written whole",
    )  # fmt: skip
    layer_skip: bool = layer_skip_param("layer_skip")
    layer_skip_exit_layer: int | None = layer_skip_param("layer_skip_exit_layer")
    layer_skip_entropy_threshold: float = layer_skip_param("layer_skip_entropy_threshold")
    layer_skip_varentropy_threshold: float = layer_skip_param("layer_skip_varentropy_threshold")
    refine_on_stop: bool = param(
        False, help="AR only: take the sequence again from the final step's logits and keep the more probable one"
    )
    cfg_strength: float | None = param(
        None, min=0.0, max=100.0, help="classifier-free guidance; 0 is off; default: off, for nar-len 2.5"
    )
    cfg_rescale: float | None = param(
        None, min=0.0, max=1.0,
        help="how far guidance is rescaled to the original spread; default: 0.7, for nar-len 0.75",
    )
    steps: int = param(DEMASKING_STEPS, min=1, max=1000, help="nar-len: demasking steps")
    seed: int | None = param(None, min=0, max=2**63 - 1, help="random seed; default: a random one, which is printed")
    max_tries: int = param(
        3, min=1, max=100,
        help="tries for an utterance that loops, stops at once or never stops: as asked, with new noise, then what "
             "the samplers offer (ras, then a lower temperature)",
    )  # fmt: skip
    listen: str = param(
        "auto", choices=("auto", "on", "off"),
        help="transcribe each take, and retry if words are missing; auto: if the model is known to transcribe the "
             "language well enough; not with --stream",
    )  # fmt: skip
    voice_fallback: str | None = param(
        None, metavar="NAME",
        help="a saved or packaged voice that speaks the whole text if the model can't speak like the reference; needs "
             "a model that listens",
    )  # fmt: skip
    candidates: int = param(
        1, min=1, max=1000,
        help="takes of each part, with different noise; the scorers choose the best", aliases=("--best-of",),
    )  # fmt: skip
    scorer: tuple[str, ...] = param(
        (), multiple=True, metavar="NAME[:WEIGHT|k=v,…]",
        help="a scorer of finished takes; repeatable; default with --candidates: all that suit the model",
    )  # fmt: skip
    timeout: float | None = param(
        None, min=0.001, max=1e6, unit="s",
        help="give up if the speech isn't finished after this long, counted once the model is loaded; then no file is "
             "written",
    )  # fmt: skip
    batch_size: int = param(
        8, min=1, max=1024, help="utterances processed together; doesn't change the result in float32"
    )
    pause: float = param(0.1, min=0.0, max=60.0, unit="s", help="silence between the parts of a long text")

    def __post_init__(self) -> None:
        if isinstance(self.max_ar_steps, (int, float)) and not isinstance(self.max_ar_steps, bool):
            object.__setattr__(self, "max_ar_steps", str(self.max_ar_steps))  # YAML reads 900 as a number
        super().__post_init__()

    def check(self) -> None:
        """Rules between options. Raises ValueError."""
        check_layer_skip(self)
