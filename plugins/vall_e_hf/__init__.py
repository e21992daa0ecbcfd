"""`hf`: a logits processor written for Hugging Face transformers, as a member of the chain."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar

from vall_e_core import BuildContext, Sampler, hookimpl, param

if TYPE_CHECKING:
    from vall_e_core.sampling import Transform

_TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\Z", re.ASCII)


@dataclass(frozen=True)
class HuggingFace(Sampler):
    """Apply a `LogitsProcessor` written for Hugging Face transformers, from any installed module.

    `hf:transformers:MinPLogitsWarper,args=min_p@0.1` makes `MinPLogitsWarper(min_p=0.1)`. A value is a number, `true`,
    `false`, `none`, text, or a list with `;` behind or between its items: `args=suppress_tokens@3;4`. The processor
    gets each row's own tokens as `input_ids`. One that keeps state in the object can follow one row only.
    """

    name = "hf"
    place = "exclusions"
    after = ("xtc",)
    stages = frozenset({"ar", "stt"})
    stage_reasons: ClassVar[Mapping[str, str]] = {
        "nar": "a processor reads the tokens before, and those decided in parallel have none",
        "len": "a processor reads the tokens before, and a length has none",
    }
    waits = True
    examples: ClassVar[Sequence[Mapping[str, object]]] = (
        {"target": "vall_e_hf.example:FadeLast"},
        {"target": "vall_e_hf.example:FadeLast", "args": {"amount": "0.5", "forgive": "1;2"}},
    )

    target: str = param(primary=True, help="the class, as module:Class")
    args: Mapping[str, str] = param({}, help="keyword arguments it is made with, as name@value")

    def check(self) -> None:
        """Its spelling, and whether its package is installed; nothing is imported yet."""
        if not _TARGET.match(self.target):
            raise ValueError(f"target: expected module:Class, found {self.target!r}")
        package = self.target.partition(":")[0].partition(".")[0]
        if find_spec(package) is None:
            more = ": pip install 'vall-e[transformers]'" if package == "transformers" else ""
            raise ValueError(f"target: {package} isn't installed{more}")
        for key, value in self.args.items():
            if not key.isidentifier():
                raise ValueError(f"args: {key!r} can't be the name of an argument")
            if re.search(r"[+,]", value):
                raise ValueError(f"args: {key}: a value can't hold + or ,")

    def build(self, ctx: BuildContext) -> Transform:
        """Return the transform. The processor's module is imported now."""
        from .processor import ProcessorTransform, make

        return ProcessorTransform(self.target, make(self.target, self.args))


@hookimpl
def vall_e_samplers() -> Iterable[type[Sampler]]:
    """The samplers of this package."""
    return [HuggingFace]
