"""From samplers in the user's order to a chain: what is refused, what is warned about, what is left out.

Nothing is ever reordered silently.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ..component import BuildContext
from ..errors import UsageError
from ..kinds import Sampler
from ..kinds.sampler import DRAW, HIGHEST
from ..owners import plugin_code
from .places import precedes

if TYPE_CHECKING:
    from .chain import Chain

_STAGES = {"ar": "the AR pass", "nar": "the NAR levels", "stt": "transcription", "len": "length prediction"}


@dataclass(frozen=True)
class ChainRequest:
    """What was said about one stage: an explicit chain, or plain flags (`{"top-p": 0.9}`), or neither."""

    explicit: tuple[Sampler, ...] | None = None
    flags: Mapping[str, object] = field(default_factory=dict)

    @property
    def given(self) -> bool:
        """Whether anything was said."""
        return self.explicit is not None or bool(self.flags)


@dataclass(frozen=True)
class Member:
    """A sampler in a plan. `off` says why it isn't part of the work, or is None where it is."""

    sampler: Sampler
    off: str | None = None


@dataclass(frozen=True)
class ChainPlan:
    """What a chain will do. `members` are in the order given, those that are off among them."""

    stage: str
    members: tuple[Member, ...]
    warnings: tuple[str, ...] = ()

    @property
    def active(self) -> tuple[Sampler, ...]:
        """The samplers that do the work, in order, the selector and search among them."""
        return tuple(each.sampler for each in self.members if each.off is None)

    def _of(self, role: Literal["transform", "selector", "search"]) -> list[Sampler]:
        return [each for each in self.active if each.role == role]

    @property
    def transforms(self) -> tuple[Sampler, ...]:
        """The active transforms, in order."""
        return tuple(self._of("transform"))

    @property
    def selector(self) -> Sampler | None:
        """What chooses the token; None draws from the distribution that the transforms leave."""
        return next(iter(self._of("selector")), None)

    @property
    def search(self) -> Sampler | None:
        """The search, if there is one."""
        return next(iter(self._of("search")), None)

    @property
    def takes_maximum(self) -> bool:
        """Whether a transform leaves only the most probable token, so that there is nothing to draw."""
        return any(each.takes_maximum() for each in self.transforms)

    @property
    def chooser(self) -> str:
        """The name of what chooses the token."""
        given = self.search or self.selector
        if given is not None:
            return given.name
        return HIGHEST if self.takes_maximum else DRAW

    @property
    def draws(self) -> bool:
        """Whether the token is drawn from what the transforms leave, and nothing else is done."""
        return self.search is None and not self.takes_maximum and (self.selector is None or self.selector.default)

    def describe(self) -> list[str]:
        """A line for each member, in order: `top-p:p=0.9`, `?dry:multiplier=0 (off: neutral)`."""
        lines = [
            each.sampler.to_spec() if each.off is None else f"?{each.sampler.to_spec()} (off: {each.off})"
            for each in self.members
        ]
        if self.selector is not None:
            return lines
        return [*lines, self.chooser]

    def record(self) -> list[dict[str, object]]:
        """The plan for the record beside the audio: what JSON holds, complete enough to repeat it."""
        found: list[dict[str, object]] = []
        for each in self.members:
            entry: dict[str, object] = {
                "name": each.sampler.name, "parameters": each.sampler.to_mapping(), "spec": each.sampler.to_spec(),
            }  # fmt: skip
            found.append(entry if each.off is None else {**entry, "off": each.off})
        return found

    def build(self, ctx: BuildContext) -> Chain:
        """The chain itself. The first moment torch is needed."""
        from .chain import Chain
        from .guard import Maker
        from .protocols import GreedySelector
        from .stage import Stage

        def maker(of: Sampler) -> Maker:
            owner = ctx.owner_of(type(of))
            return Maker(of.name, owner.label, foreign=of.waits or not owner.ours)

        def built(of: Sampler) -> Any:  # noqa: ANN401 - by its role
            with plugin_code(of, "build", ctx):
                return of.build(ctx)

        stages = [
            Stage(
                each.name, built(each), each.bans or each.takes_maximum(), each.removes,
                each.prepares, "compact" in each.invariances, maker(each),
            )
            for each in self.transforms
        ]  # fmt: skip
        selector = None if self.selector is None else built(self.selector)
        ours = Maker(self.chooser, foreign=False)
        return Chain(
            stages,
            GreedySelector() if selector is None and self.takes_maximum else selector,
            None if self.search is None else built(self.search),
            device=ctx.device,
            vocab_size=0 if ctx.vocab_size is None else ctx.vocab_size,
            stage=self.stage,
            needs=frozenset().union(*(each.needs for each in self.active)),
            compact_selector=self.selector is not None and "compact" in self.selector.invariances,
            waits=any(each.waits for each in self.active),
            makers=(
                ours if self.selector is None else maker(self.selector),
                ours if self.search is None else maker(self.search),
            ),
        )


def compile_chain(samplers: Sequence[Sampler], stage: str, available: Collection[str] | None = None) -> ChainPlan:
    """Check and plan a chain of one stage.

    `available` lists what steps will carry beside the logits (see `Sampler.needs`); None leaves that unchecked. A
    sampler with neutral parameters is off, so nothing about it can be wrong.

    Raises:
        UsageError: two selectors, two searches, a transform behind the selector, a sampler that can't work in this
            stage or beside another one.
    """
    working = [each for each in samplers if not each.is_neutral()]
    for each in working:
        _check_stage(each, stage)
        if available is not None and not each.needs <= set(available):
            missing = ", ".join(sorted(each.needs - set(available))).replace("_", " ")
            raise UsageError(f"{each.name} can't work here: it needs {missing}")
    _check_roles(working)
    _check_conflicts(working)
    selectors = [each for each in working if each.role == "selector"]
    greedy = bool(selectors) and "deterministic" in selectors[0].invariances
    certain = next((each for each in working if each.takes_maximum()), None)
    if certain is not None and selectors and not greedy and not selectors[0].default:
        raise UsageError(
            f"{certain.to_spec()} takes the most probable token, {selectors[0].name} draws one", try_="leave one out"
        )
    searching = any(each.role == "search" for each in working)
    last = max((at for at, each in enumerate(samplers) if _moves_the_maximum(each)), default=-1)
    members: list[Member] = []
    for at, each in enumerate(samplers):
        off: str | None = None
        if each.is_neutral():
            off = "neutral"
        elif each.role == "transform" and greedy and not searching and at > last:
            off = f"the most probable token stays the most probable, and {selectors[0].name} takes it"
        elif each.role == "selector" and certain is not None and not greedy:
            off = f"{certain.to_spec()} takes the most probable token"
        members.append(Member(each, off))
    active = [each.sampler for each in members if each.off is None]
    warnings = _order_warnings(active) + _filter_warnings(active) + _beside(active) + _experimental(active)
    return ChainPlan(stage, tuple(members), tuple(warnings))


def _moves_the_maximum(sampler: Sampler) -> bool:
    """Whether another token may be the most probable one after it; what stands before it then matters."""
    return sampler.role == "transform" and not sampler.is_neutral() and "argmax" not in sampler.invariances


def _check_stage(sampler: Sampler, stage: str) -> None:
    if stage in sampler.stages:
        return
    where = _STAGES.get(stage, stage)
    can = ", ".join(_STAGES.get(each, each) for each in sorted(sampler.stages))
    raise UsageError(
        f"{sampler.name} can't work in {where}", cause=sampler.stage_reasons.get(stage), try_=f"it works in: {can}"
    )


def _check_roles(samplers: Sequence[Sampler]) -> None:
    for role, plural in (("selector", "selectors"), ("search", "searches")):
        found = [each.name for each in samplers if each.role == role]
        if len(found) > 1:
            raise UsageError(
                f"two {plural} in one chain: {', '.join(found)}", cause=f"a chain has one {role}", try_="leave one out"
            )
    last = [each.name for each in samplers if each.role != "transform"]
    first = next((at for at, each in enumerate(samplers) if each.role != "transform"), len(samplers))
    behind = next((each.name for each in samplers[first:] if each.role == "transform"), None)
    if behind is not None:
        ordered = [each.to_spec() for each in samplers if each.role == "transform"]
        ends = [each.to_spec() for each in samplers if each.role != "transform"]
        raise UsageError(
            f"{behind} stands behind {last[0]}",
            cause="the selector comes last, so it would have no effect",
            try_=" ".join(f"--sampler {each}" for each in ordered + ends),
        )


def _check_conflicts(samplers: Sequence[Sampler]) -> None:
    names = {each.name for each in samplers}
    for each in samplers:
        for other, reason in each.conflicts.items():
            if other in names:
                raise UsageError(f"{each.name} can't work beside {other}", cause=reason, try_=f"leave out {other}")


def _order_warnings(samplers: Sequence[Sampler]) -> list[str]:
    """One sentence for each transform that stands behind one it should precede, and for repeated ones."""
    found: list[str] = []
    transforms = [each for each in samplers if each.role == "transform"]
    for position, each in enumerate(transforms):
        before = [one for one in transforms[:position] if precedes(type(each), type(one)) and one.name != each.name]
        if before:
            names = ", ".join(dict.fromkeys(one.name for one in before))
            found.append(f"{each.name} comes after {names}; it usually comes before")
    given = [each.name for each in transforms]
    repeated = [name for name in dict.fromkeys(given) if given.count(name) > 1]
    return found + [f"{name} is given {given.count(name)} times; each is applied" for name in repeated]


def _filter_warnings(samplers: Sequence[Sampler]) -> list[str]:
    """One sentence for each member that needs the whole distribution and doesn't get it."""
    filters = [each.name for each in samplers if each.filters()]
    names = ", ".join(dict.fromkeys(filters))
    return [
        f"{names} before {each.name}: {each.harmed_by_filters}" for each in samplers if names and each.harmed_by_filters
    ]


def _beside(samplers: Sequence[Sampler]) -> list[str]:
    """One sentence for each member that does something of its own beside another one."""
    names = {each.name for each in samplers}
    return [f"{each.name} beside {other}: {said}" for each in samplers for other, said in each.beside.items()
            if other in names]  # fmt: skip


def _experimental(samplers: Sequence[Sampler]) -> list[str]:
    """One sentence for each member that may change or go."""
    return [f"{each.name} is experimental" for each in samplers if each.experimental]
