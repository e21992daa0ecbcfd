"""Stage 4: the AR + NAR + STT language model on the frozen codes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import nn

from .codec import load_encoder
from .config import Config, ModelConfig
from .encode import EncodedCorpus
from .informed import inform
from .language_model import Batch, LanguageModel, LanguageModelShape
from .optimiser import Muon
from .tokens import BOS, EOS, SPACE, encode, vocabulary
from .training import Average, Clock, Log, rate, restore, save, set_rate

HELD_OUT = 50
"""Every so many utterances one is kept from training, to measure on."""


Item = tuple[int, ...]
"""Utterances of one speaker, said one after the other."""


class Sampler:
    """Batches of items of like length, with prompts from other utterances of the same speaker."""

    def __init__(
        self,
        corpus: EncodedCorpus,
        config: ModelConfig,
        frame_rate: float,
        levels: int,
        stop: int,
        *,
        held_out: bool = False,
    ) -> None:
        self.corpus, self.config, self.levels, self.stop = corpus, config, levels, stop
        self.frames = tuple(round(s * frame_rate) for s in config.prompt_seconds)
        self.ids = [
            i
            for i, item in enumerate(corpus.items)
            if (i % HELD_OUT == 0) == held_out and not item.get("prompt_only", False)
        ]
        self.longest = 0 if held_out else round(config.joined_seconds * frame_rate)
        self.texts = [np.array(encode(item["ipa"])) for item in corpus.items]
        self.speakers: dict[str, list[int]] = {}
        self.prompts: dict[str, list[int]] = {}
        """The same, and what may be a prompt alone."""
        spoken = set(self.ids)
        for i, item in enumerate(corpus.items):
            if i in spoken:
                self.speakers.setdefault(item["speaker"], []).append(i)
            if i in spoken or item.get("prompt_only", False):
                self.prompts.setdefault(item["speaker"], []).append(i)

    def text(self, item: Item) -> np.ndarray:
        """Phoneme ids, bos and eos included."""
        inner = [piece for i in item for piece in (self.texts[i][1:-1], [SPACE])]
        return np.concatenate([[BOS], *inner[:-1], [EOS]]).astype(np.int64)

    def codes(self, item: Item) -> np.ndarray:
        """Codes [T, Q]."""
        return np.concatenate([self.corpus.codes(i) for i in item]).astype(np.int64)

    def items(self, rng: np.random.Generator) -> list[Item]:
        """Every utterance once, in random order; some with others of their speaker behind them."""
        found: list[Item] = []
        for i in rng.permutation(self.ids):
            item: Item = (int(i),)
            others = self.speakers[self.corpus.items[i]["speaker"]]
            while rng.random() < self.config.joined_share:
                item = (*item, others[int(rng.integers(len(others)))])
                if sum(len(self.corpus.codes(j)) for j in item) > self.longest:
                    item = item[:-1]
                    break
            found.append(item)
        return found

    def prompt_frames(self, rng: np.random.Generator) -> int:
        """How long the prompts of a batch are, at most; short ones more often than long ones."""
        low, high = self.frames
        return low + round((high - low) * float(rng.random()) ** 2)

    def prompt(self, i: int, wanted: int, rng: np.random.Generator) -> np.ndarray:
        """A cut [at most `wanted` frames, Q] of another utterance of the speaker of `i`."""
        others = self.prompts[self.corpus.items[i]["speaker"]]
        for _ in range(8):
            codes = self.corpus.codes(others[int(rng.integers(len(others)))])
            if len(codes) >= wanted:
                break
        start = int(rng.integers(max(1, len(codes) - wanted + 1)))
        return codes[start : start + wanted]

    def batches(self, kind: str, tokens: int, rng: np.random.Generator, level: int = 0) -> Iterator[Batch]:
        """Batches of about `tokens` rows, padding included, without end; `level` as for `batch`."""
        while True:
            order = self.items(rng)
            sizes = [sum(len(self.corpus.codes(i)) + len(self.texts[i]) for i in item) for item in order]
            extra = 5 if kind == "stt" else 5 + (self.frames[0] * 2 + self.frames[1]) // 3
            for pool in np.array_split(np.arange(len(order)), max(1, len(order) // 400)):
                groups: list[list[Item]] = []
                current: list[Item] = []
                for n in sorted(pool, key=lambda n: sizes[n]):  # the longest comes last, and pads the others
                    if current and (sizes[n] + extra) * (len(current) + 1) > tokens:
                        groups.append(current)
                        current = []
                    current.append(order[n])
                groups.append(current)
                for g in rng.permutation(len(groups)):
                    yield self.batch(kind, groups[g], rng, level)

    def batch(self, kind: str, items: Sequence[Item], rng: np.random.Generator, level: int = 0) -> Batch:
        """The sequences of these items; a NAR batch is of `level`, or (0) of one by chance."""
        q = level
        if kind == "nar" and not level:
            weights = np.arange(1, self.levels) ** -self.config.level_power
            q = int(rng.choice(np.arange(1, self.levels), p=weights / weights.sum()))
        whole = [self.text(item) for item in items]
        texts = [text[:-1] for text in whole] if kind == "stt" else whole
        responses = [self.codes(item) for item in items]
        wanted = self.prompt_frames(rng)  # one for all: a sixth of the rows would be padding otherwise
        prompts = [] if kind == "stt" else [self.prompt(item[0], wanted, rng).astype(np.int64) for item in items]
        text_at = np.cumsum([0] + [len(t) for t in texts])
        prompt_at = text_at[-1] + np.cumsum([0] + [len(p) for p in prompts])
        response_at = prompt_at[-1] + np.cumsum([0] + [len(r) for r in responses])
        level, sep, padding = response_at[-1], response_at[-1] + 1, response_at[-1] + 2
        index, positions, places, targets = [], [], [], []
        for n in range(len(items)):
            text = np.arange(text_at[n], text_at[n + 1])
            response = np.arange(response_at[n], response_at[n + 1])
            if kind == "stt":  # audio | level | phonemes; the era layout's ids: only text segments end with a separator
                index.append(np.concatenate([response, [sep, level, sep], text]))
                positions.append(np.concatenate([np.arange(len(response)), [0, 1], np.arange(len(text) + 1)]))
                places.append(np.arange(len(response) + 3, len(index[-1])))
                targets.append(whole[n][1:])
                continue
            prompt = np.arange(prompt_at[n], prompt_at[n + 1])
            index.append(np.concatenate([text, [sep, level, sep], prompt, [sep], response]))
            positions.append(
                np.concatenate([np.arange(len(text) + 1), [0, 1], np.arange(len(prompt) + 1), np.arange(len(response))])
            )
            end = len(index[-1])
            if kind == "ar":
                places.append(np.arange(end - len(response) - 1, end))
                targets.append(np.append(responses[n][:, 0], self.stop))
            else:
                places.append(np.arange(end - len(response), end))
                targets.append(responses[n][:, q])
        longest = max(map(len, index))
        table, where = np.full((len(items), longest), padding), np.ones((len(items), longest), np.int64)
        for n, (row, place) in enumerate(zip(index, positions, strict=True)):
            table[n, : len(row)], where[n, : len(row)] = row, place
        flat = np.concatenate([p + n * longest for n, p in enumerate(places)])
        codes = np.concatenate(prompts) if prompts else np.zeros((0, self.levels), np.int64)
        arrays = (np.concatenate(texts), codes, np.concatenate(responses), table, where, flat, np.concatenate(targets))
        return Batch(kind, q, *(torch.from_numpy(np.ascontiguousarray(a, dtype=np.int64)) for a in arrays))


def split(model: LanguageModel) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(the backbone's matrices, everything else)."""
    matrices = [p for n, p in model.named_parameters() if n.startswith("model.layers") and p.ndim == 2]
    chosen = {id(p) for p in matrices}
    return matrices, [p for p in model.parameters() if id(p) not in chosen]


@torch.inference_mode()
def measure(model: LanguageModel, batches: list[Batch]) -> dict[str, float]:
    """Loss and accuracy on held-out batches, by kind, and the NAR levels' losses."""
    found: dict[str, list[float]] = {}
    model.eval()
    for batch in batches:
        out = model(batch)
        figures = {"": out.loss, "_accuracy": (out.logits.argmax(-1) == batch.targets).float().mean()}
        if batch.kind == "nar":
            figures[f"_{batch.level}"] = out.loss
        for name, value in figures.items():
            found.setdefault(f"held_{batch.kind}{name}", []).append(float(value))
    model.train()
    return {name: float(np.mean(values)) for name, values in found.items()}


def run(config: Config, run_dir: Path, device: str = "cpu") -> None:
    """Train for the configured time; every step holds a batch of each kind."""
    c = config.model
    codec = config.codec
    torch.manual_seed(c.seed)
    corpus = EncodedCorpus(run_dir)
    shape = LanguageModelShape(
        c.width, c.heads, c.layers, codec.levels, codec.codebook_size, vocabulary(), c.whole_prompt
    )
    model = LanguageModel(shape)
    inform(model, load_encoder(run_dir)[0].quantizer)
    model = model.to(device)
    matrices, others = split(model)
    muon = Muon(matrices, lr=c.muon_lr, bf16=c.bf16)
    adam = torch.optim.AdamW(others, lr=c.lr, betas=(0.9, 0.98), weight_decay=0.01)
    average = Average(model, c.ema)
    step, clock = 0, Clock(c.minutes)
    if state := restore(run_dir / "model.pt", device):
        model.load_state_dict(state["network"], strict="muon" in state)
        if "muon" in state:
            muon.load_state_dict(state["muon"])
            adam.load_state_dict(state["adam"])
        average.values |= state["average"]
        average.steps = step = state["step"]
        clock = Clock(c.minutes, state["seconds"])
    if c.compiled:
        for layer in model.model.layers:
            layer.compile(dynamic=True)
    log, saved = Log(run_dir / "model.jsonl"), clock.spent
    rng = np.random.default_rng(c.seed + step)
    sampler = Sampler(corpus, c, codec.frame_rate, codec.levels, codec.codebook_size)
    streams = {kind: sampler.batches(kind, round(c.tokens * share), rng) for kind, share in c.shares.items() if share}
    held = Sampler(corpus, c, codec.frame_rate, codec.levels, codec.codebook_size, held_out=True)
    fixed = np.random.default_rng(0)
    wanted = [(kind, level) for kind in streams for level in (range(1, codec.levels) if kind == "nar" else [0] * 4)]
    tests = [next(held.batches(kind, 2000, fixed, level)).to(device) for kind, level in wanted]
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, {len(corpus)} utterances", flush=True)

    def checkpoint() -> None:
        values = {
            "network": model.state_dict(),
            "average": average.values,
            "muon": muon.state_dict(),
            "adam": adam.state_dict(),
        }
        save(run_dir / "model.pt", {**values, "step": step, "seconds": clock.spent, "shape": json.dumps(asdict(shape))})

    while clock.tick() < 1.0:
        figures: dict[str, torch.Tensor | float] = {}
        adam.zero_grad(set_to_none=True)
        muon.zero_grad(set_to_none=True)
        seen = 0
        for kind, stream in streams.items():
            batch = next(stream).to(device)
            with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=c.bf16):
                out = model(batch)
            (out.loss * c.weights[kind]).backward()
            seen += batch.index.numel()
            figures[kind] = out.loss.detach()
            figures[f"{kind}_accuracy"] = (out.logits.detach().argmax(-1) == batch.targets).float().mean()
        nn.utils.clip_grad_norm_(others, 1.0)
        set_rate(muon, rate(c.muon_lr, step, c.warmup, clock.progress, c.decay_share))
        set_rate(adam, rate(c.lr, step, c.warmup, clock.progress, c.decay_share))
        muon.step()
        adam.step()
        average.update(model)
        step += 1
        if step % 400 == 0:
            weights = {k: v.clone() for k, v in model.state_dict().items()}
            model.load_state_dict(average.values)
            figures |= measure(model, tests)
            model.load_state_dict(weights)
        log.add(step, clock, tokens=seen, **figures)
        if clock.spent - saved > c.save_every:
            checkpoint()
            saved = clock.spent
    checkpoint()
