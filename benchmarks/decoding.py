"""Part `decode`: AR tokens a second against a peer, against the memory's speed, and against having no cache."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

import torch

from vall_e_core import ModelError
from vall_e_lm.engines import EAGER

from . import contenders as made
from .bandwidth import Reader
from .contenders import Contender, Own, Timing, make_model, rounded_bytes, weight_bytes
from .llama_cpp import KINDS, LlamaCpp
from .report import Report, Row
from .settings import CLOCKS, CONTENDERS, Settings

PART = "decode"
LEAST_OVER_UPSTREAM, LEAST_OVER_PEER = 15.0, 1.0
QUANTIZATIONS = ("none", "int8", "int4")
CAPTURED = "captured"
LEAST_INT8 = 75.0
"""Tokens a second of one row on two cores of an idle machine."""
LEAST_INT8_OVER_PEER, LEAST_BATCH_16 = 5.0, 4.0
"""Of int8: one row against the peer's, and sixteen rows against one."""


def run(settings: Settings, report: Report) -> None:
    """The CPU, then the GPU where there is one."""
    for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
        _Decoding(settings, report, device).run()


class _Decoding:
    """All figures of one device."""

    def __init__(self, settings: Settings, report: Report, device: str) -> None:
        self.settings, self.report, self.device = settings, report, device
        self.part = PART if device == "cpu" else f"{PART} {device}"
        dtype: torch.dtype = getattr(torch, settings.dtype)
        model = make_model(settings.shape, device=device, dtype=dtype)
        clock = CLOCKS[settings.clock]
        self.bytes = {"vall-e": weight_bytes(model)}
        self.reader = Reader(device=device, size=1 << 24 if settings.quick else 1 << 29, clock=clock)
        self.own = Own(model, settings.shape, device=device, clock=clock)
        names = {"uncached": "vall-e without its cache", "upstream": "the same with torch's linear layers, as upstream"}
        models = {"uncached": model, "upstream": made.as_torch_multiplies(model)}
        self.uncached = [
            Own(models[key], settings.shape, key=key, name=name, device=device, cache=False, clock=clock)
            for key, name in names.items()
        ]
        self.contenders: list[Contender] = [self.own]
        if device == "cpu" and dtype == torch.float32:
            for key, (name, _) in made.ENGINES.items():
                if key not in settings.contenders:
                    continue
                try:
                    converted = made.run_by(settings.shape, key)
                except ModelError as error:
                    report.missing(self.part, f"{self._key()}.{key}", name, str(error))
                    continue
                self.contenders.append(Own(converted, settings.shape, key=key, name=name, clock=clock))
                self.bytes[key] = rounded_bytes(model, made.BITS[key])
        if device == "cuda" and CAPTURED in settings.contenders:
            whole = made.captured(settings.shape, device, settings.dtype)
            name = "vall-e --engine cuda-graph"
            self.contenders.append(Own(whole, settings.shape, key=CAPTURED, name=name, device=device, clock=clock))
            self.bytes[CAPTURED] = weight_bytes(whole)
        self.rates: dict[tuple[int, str], tuple[float, ...]] = {}
        self.folder = tempfile.TemporaryDirectory()
        self._add_peers(dtype)

    def _add_peers(self, dtype: torch.dtype) -> None:
        """transformers, and llama.cpp on a CPU, whose own clock is the wall's."""
        settings, wanted = self.settings, self.settings.contenders
        if "transformers" in wanted:
            try:
                from .peer import Llama

                clock = CLOCKS[settings.clock]
                self.contenders.append(Llama(settings.shape, device=self.device, dtype=dtype, clock=clock))
            except ImportError as error:
                self.report.missing(self.part, f"{self._key()}.transformers", "transformers generate()", str(error))
        if self.device != "cpu" or dtype != torch.float32 or settings.clock != "wall":
            return
        for key in (each for each in KINDS if each in wanted):
            try:
                folder, rows = Path(self.folder.name), max(settings.batches)
                self.contenders.append(LlamaCpp(key, settings.shape, folder, rows, settings.threads))
            except ImportError as error:
                why = f"{error}: pip install xllamacpp gguf"
                self.report.missing(self.part, f"{self._key()}.{key}", "llama.cpp", why)

    def run(self) -> None:
        """Rounds in which everybody has a turn, so that whatever else the machine does hits all alike."""
        self.reader.measure()
        speeds: list[float] = []
        for batch in self.settings.batches:
            for each in self.contenders:
                each.decode(batch, min(4, self.settings.tokens))
            taken: dict[str, list[Timing]] = {each.key: [] for each in self.contenders}
            for _ in range(self.settings.runs):
                speeds.append(self.reader.measure())
                for each in self.contenders:
                    taken[each.key].append(each.decode(batch, self.settings.tokens))
            self._batch(batch, taken, max(speeds))
        self._over_batch_1()
        if self.settings.contenders == CONTENDERS:
            self._uncached()
        if self.device == "cpu":
            self._auto()
        self._row("bandwidth", "memory bandwidth", max(speeds) / 1e9, "GB/s", "the best read of the run")
        for key, size in self.bytes.items():
            name = "weights" if key == self.own.key else f"weights.{key}"
            title = "weights read in a step" + ("" if key == self.own.key else f", {key}")
            self._row(name, title, size / 1e6, "MB")

    def _batch(self, batch: int, taken: dict[str, list[Timing]], speed: float) -> None:
        where, title = f"batch{batch}", f"batch {batch}"
        rounds = {key: tuple(each.rate for each in timings) for key, timings in taken.items()}
        rates = {key: median(each) for key, each in rounds.items()}
        for each in self.contenders:
            timings = taken[each.key]
            spread = f"{min(t.rate for t in timings):.3g} to {max(t.rate for t in timings):.3g}"
            whole = median(t.whole_rate for t in timings)
            note = f"{spread}; with the prefill {whole:.3g}"
            name = f"{title}: {each.name}"
            least = LEAST_INT8 if each.key == "int8" and batch == 1 and self._idle_terms() else None
            self._row(
                f"{where}.{each.key}", name, rates[each.key], "tokens/s", note, least=least, rounds=rounds[each.key]
            )
            self._row(f"{where}.{each.key}.whole", f"{title}: {each.name}, with the prefill", whole, "tokens/s")
            read = median(batch * self.settings.shape.context / t.first for t in timings)
            self._row(f"{where}.{each.key}.prefill", f"{title}: {each.name}, prefill", read, "tokens/s")
        self.rates.update({(batch, key): each for key, each in rounds.items()})
        mine = [each for each in self.contenders if each.key in self.bytes]
        for each in mine:
            limit = batch * speed / self.bytes[each.key]
            extra = "" if each is self.own else f"{each.key}."
            what = "limit by memory bandwidth" + ("" if each is self.own else f", {each.key}")
            self._row(f"{where}.{extra}limit", f"{title}: {what}", limit, "tokens/s")
            self._row(f"{where}.{extra}of_limit", f"{title}: {each.name} / limit", rates[each.key] / limit, "x")
        for each in mine:
            for other in self.contenders:
                if other is each or (other.key in self.bytes and other is not self.own):
                    continue
                if other.key in KINDS and KINDS[other.key][1] != each.key:
                    continue  # llama.cpp is held against weights of as many bits
                ratios = tuple(a / b for a, b in zip(rounds[each.key], rounds[other.key], strict=True))
                key = f"{where}.over_{other.key}" if each is self.own else f"{where}.{each.key}.over_{other.key}"
                least = LEAST_OVER_PEER if each is self.own else None
                if other.key in KINDS:
                    least = LEAST_OVER_PEER
                elif each.key == "int8" and other is not self.own and batch == 1:
                    least = LEAST_INT8_OVER_PEER
                name = f"{title}: {each.name} / {other.name}"
                self._row(key, name, median(ratios), "x", least=least, rounds=ratios)

    def _over_batch_1(self) -> None:
        """What many rows at once gain."""
        for batch in self.settings.batches[1:]:
            for each in self.contenders:
                if (1, each.key) not in self.rates:
                    continue
                one, many = self.rates[1, each.key], self.rates[batch, each.key]
                ratios = tuple(b / a for a, b in zip(one, many, strict=True))
                least = LEAST_BATCH_16 if (batch, each.key) == (16, "int8") else None
                name = f"batch {batch} / batch 1: {each.name}"
                key = f"batch{batch}.{each.key}.over_batch1"
                self._row(key, name, median(ratios), "x", least=least, rounds=ratios)

    def _auto(self) -> None:
        """What `--engine auto` takes, over the quickest engine that does the same; with weights as they are, eager
        among them. Both at the first batch size; one that isn't installed here can't be measured."""
        shares, notes = [], []
        batch = self.settings.batches[0]
        mine = {each.key: each for each in self.contenders if each.key in self.bytes}
        for quantize in QUANTIZATIONS:
            keys = {EAGER: self.own.key, "onnx": "onnx"} if quantize == "none" else {"onnx": quantize}
            rates = {name: median(self.rates[batch, key]) for name, key in keys.items() if key in mine}
            chosen, others = made.rivals(self.settings.shape, quantize, rates)
            if chosen not in rates:
                continue
            for name, model in others.items():
                rival = Own(model, self.settings.shape, key=name, clock=CLOCKS[self.settings.clock])
                turns = range(self.settings.runs + 1)
                rates[name] = median([rival.decode(batch, self.settings.tokens).rate for _ in turns][1:])
            shares.append(rates[chosen] / max(rates.values()))
            listed = ", ".join(f"{name} {rate:.3g}" for name, rate in rates.items())
            notes.append(f"{quantize}: {chosen} of {listed}")
        if not shares:
            return
        note = "; ".join(notes)
        self._row("auto", "--engine auto / the quickest that does the same", min(shares), "x", note, least=1.0)

    def _idle_terms(self) -> bool:
        """Is this how the goals in tokens a second are meant?"""
        return self.settings.clock == "wall" and self.settings.threads in (None, 2)

    def _uncached(self) -> None:
        """In rounds of their own, and at the first batch size alone: they are slow, and the more so with more rows."""
        batch, tokens = self.settings.batches[0], self.settings.uncached_tokens
        rates: dict[str, list[float]] = {each.key: [] for each in self.uncached}
        ratios: dict[str, list[float]] = {each.key: [] for each in self.uncached}
        for turn in range(self.settings.runs + 1):
            mine = self.own.decode(batch, self.settings.tokens).rate
            for each in self.uncached:
                rate = each.decode(batch, tokens).rate
                if turn:
                    rates[each.key].append(rate)
                    ratios[each.key].append(mine / rate)
        where, title = f"batch{batch}", f"batch {batch}"
        for each in self.uncached:
            note, least = f"{tokens} tokens a run", LEAST_OVER_UPSTREAM if each.key == "upstream" else None
            self._row(f"{where}.{each.key}", f"{title}: {each.name}", median(rates[each.key]), "tokens/s", note)
            name = f"{title}: vall-e / {each.name}"
            self._row(f"{where}.over_{each.key}", name, median(ratios[each.key]), "x", least=least)

    def _key(self) -> str:
        return f"{PART}.{self.device}"

    def _row(
        self, key: str, name: str, value: float, unit: str, note: str = "", *, least: float | None = None,
        rounds: tuple[float, ...] = (),
    ) -> None:  # fmt: skip
        promised = None if self.settings.quick or self.device != "cpu" else least
        self.report.add(Row(self.part, f"{self._key()}.{key}", name, value, unit, note, least=promised, rounds=rounds))
