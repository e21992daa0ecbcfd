"""Judges: what says how good a recording is. A kind of component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, runtime_checkable

from vall_e_core import BuildContext, Component

if TYPE_CHECKING:
    from .judged import Judged, Verdict


@dataclass(frozen=True)
class Figure:
    """What a figure of an evaluation means: how it is shown, and which way is better."""

    title: str
    """What a table calls it."""
    better: Literal["higher", "lower", "neither"] = "higher"
    unit: str = ""
    """`%` for a share in 0..1, which is shown in per cent; else what the number is counted in."""


class Judge(Component):
    """Says how good a recording is, for `vall-e eval`: by its words, its voice, its signal."""

    kind = "judge"
    default: ClassVar[bool] = False
    """Whether it judges where no judge is named. One whose `build` raises ModelError is then left out, and said so."""
    needs: ClassVar[frozenset[str]] = frozenset()
    """What it must be given beside the recording: `text` (what it says), `reference` (the voice it is to have),
    `original` (the recording it was made from, aligned in time). It isn't asked where that isn't known."""
    figures: ClassVar[Mapping[str, Figure]] = {}
    """What its verdicts hold, by key."""
    joint: ClassVar[bool] = False
    """Whether several recordings at once cost it less: what it builds is then a `JointJudgeModel`."""
    hears_silence: ClassVar[bool] = False
    """Whether it also judges an item that made no sound, as an empty recording (all its words are missing)."""
    cosine: ClassVar[bool] = False
    """Whether the cosine of two of its voices means something as it is, as a speaker model's does. If not, all
    voices of a run are brought to mean 0 and deviation 1 before they are compared."""

    if TYPE_CHECKING:

        def build(self, ctx: BuildContext) -> JudgeModel: ...


@runtime_checkable
class JudgeModel(Protocol):
    """A built judge."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Whatever its verdicts depend on, with versions: libraries, models."""
        ...

    def judge(self, given: Judged) -> Verdict:
        """The verdict depends on what is given alone, never on what was judged before."""
        ...


@runtime_checkable
class JointJudgeModel(JudgeModel, Protocol):
    """A built judge that hears several recordings at once at less cost."""

    def judge_all(self, given: Sequence[Judged]) -> Sequence[Verdict]:
        """A verdict for each, in their order, as near to what `judge` says of it alone as can be had."""
        ...
