"""How speech is made: flags of every task that speaks, keywords of `VallE.synthesize`.

Importing this imports nothing heavy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vall_e_core import Component, param
from vall_e_lm import check_layer_skip

#: Rounds of demasking unless asked otherwise.
DEMASKING_STEPS = 25
#: Ways to make level 0: step by step, or all frames at once from a predicted length.
MODALITIES = ("auto", "ar", "nar-len")


@dataclass(frozen=True)
class SpeechOptions(Component):
    """Language, lengths, the use of the reference, and the passes over the model."""

    name = "speech options"

    language: str = param("en", help="language of the text, also the model's condition; auto detects it")
    phonemizer: str | None = param(
        None, metavar="NAME", help="turns text into phonemes, NAME[:k=v,…]; espeak if absent, ipa for text that is IPA",
    )  # fmt: skip
    normalizer: tuple[str, ...] = param(
        (), multiple=True, metavar="NAME[:k=v,…]",
        help="reads numbers, abbreviations and symbols as words; repeatable, in the order given; none for none; those "
        "that serve the language if absent",
    )  # fmt: skip
    markup: str = param(
        "auto", choices=("auto", "text", "markdown", "html", "ssml"),
        former={"strip-markup": "--markup html, or ssml"},
        help="what the text is written in; auto takes SSML for a <speak>, Markdown and HTML for files named so, else "
        "text",
    )  # fmt: skip
    lexicon: Path | None = param(
        None, metavar="FILE", help="words, each with a respelling or its /IPA/: TSV, or YAML by its suffix"
    )
    speed: float = param(
        1.0, min=0.25, max=4.0, help="pace of the speech, at the same pitch: 2 is twice as fast as the voice speaks"
    )
    unk: str = param(
        "error", choices=("error", "skip"), help="phonemes that the model doesn't know: stop with a list, or skip them"
    )
    modality: str = param(
        "auto", choices=MODALITIES,
        help="how the first level is made: ar step by step, nar-len at once from a predicted length; auto takes ar if "
        "the model has it",
    )  # fmt: skip
    max_ar_steps: str = param(
        "12s", metavar="N|12s", aliases=("--max-duration",),
        help="longest utterance, in steps (900) or seconds (12s); 2.5 times the text's usual length bounds it too",
    )  # fmt: skip
    max_nar_levels: int | None = param(
        None, min=0, help="how many NAR levels to run; all if absent, 0 for level 0 alone", aliases=("--max-levels",)
    )
    input_prompt_length: float = param(
        3.0, min=0.0, max=3600.0, unit="s",
        help="longest part of the reference that is used; about 6 is fine, longer is slower; 0 uses all",
    )  # fmt: skip
    input_prompt_repeat: bool = param(False, help="repeat a reference that is shorter than --input-prompt-length")
    input_prompt_prefix: bool = param(
        False, help="AR only: start the response with the reference; needs --ref-text, which is put before the text"
    )
    max_ref_seconds: float = param(30.0, min=0.5, max=3600.0, unit="s", help="read no more than this of each reference")
    keep_silence: bool = param(False, help="keep silence at a reference's ends; more than 0.3 s is left out otherwise")
    follow_pitch: bool = param(
        False,
        help="move speech that misses the reference's median pitch by 1 to 7 semitones there; no early sound",
    )  # fmt: skip
    layer_skip: bool = param(False, help="leave the model's stack early where it is sure enough (if trained for it)")
    layer_skip_exit_layer: int | None = param(
        None, min=0, help="last layer that may be used, from 0, never below half the stack; the last if absent"
    )
    layer_skip_entropy_threshold: float = param(
        0.1, min=0.0, max=float("inf"), unit="bits", help="leave early when the entropy is at most this"
    )
    layer_skip_varentropy_threshold: float = param(
        0.1, min=0.0, max=float("inf"), unit="bits²", help="leave early when the varentropy is at most this"
    )
    refine_on_stop: bool = param(
        False, help="AR only: take the sequence again from the final step's logits and keep the more probable one"
    )
    cfg_strength: float | None = param(
        None, min=0.0, max=100.0, help="classifier-free guidance, 0 is off; if absent off, but 2.5 for nar-len"
    )
    cfg_rescale: float | None = param(
        None, min=0.0, max=1.0, help="how far guidance's spread is brought back; 0.7, for nar-len 0.75, if absent"
    )
    steps: int = param(DEMASKING_STEPS, min=1, max=1000, help="nar-len: demasking steps")
    seed: int | None = param(None, min=0, max=2**63 - 1, help="random seed, 0 is one; chosen and printed if absent")
    max_tries: int = param(
        3, min=1, max=100,
        help="tries for an utterance that loops, ends at once or never: new noise, then ras, then a lower temperature",
    )  # fmt: skip
    listen: str = param(
        "auto", choices=("auto", "on", "off"),
        help="the model transcribes each take, and one in which words are missing is made again; auto: where the model "
        "is known to hear well enough, in languages that it learnt; not with --stream",
    )  # fmt: skip
    candidates: int = param(
        1, min=1, max=1000,
        help="takes of each part, each with noise of its own; the one that the scorers like best is kept",
    )  # fmt: skip
    scorer: tuple[str, ...] = param(
        (), multiple=True, metavar="NAME[:WEIGHT|k=v,…]",
        help="a judge of finished takes, repeatable; with --candidates all that suit the model if absent",
    )  # fmt: skip
    batch_size: int = param(
        8, min=1, max=1024, help="utterances worked on together; in float32 it doesn't change the result"
    )
    pause: float = param(0.1, min=0.0, max=60.0, unit="s", help="silence between the parts of a long text")

    def __post_init__(self) -> None:
        if isinstance(self.max_ar_steps, (int, float)) and not isinstance(self.max_ar_steps, bool):
            object.__setattr__(self, "max_ar_steps", str(self.max_ar_steps))  # YAML reads 900 as a number
        super().__post_init__()

    def check(self) -> None:
        """Rules between options. Raises ValueError."""
        check_layer_skip(self)
