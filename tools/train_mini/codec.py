"""Train the encoders and codebooks of the codec for natural speech, in the log-mel domain."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from vall_e_mini.networks import Encoder, Trunk
from vall_e_mini.shape import Shape, shape_from
from vall_e_tensors import without_torchaudio

from .augment import Variation, disturbed, draw, varied
from .config import Config
from .corpus import Corpus
from .kokoro import merged
from .networks import TrainedQuantizer, straight_through
from .training import Clock, Log, rate, restore, save, set_rate

with without_torchaudio():
    from vocos.models import VocosBackbone

PHONES = (
    "", "A", "I", "O", "Q", "T", "W", "Y", "a", "b", "d", "f", "h", "i", "j", "k", "l", "m", "n", "p", "s", "t", "u",
    "v", "w", "z", "æ", "ð", "ŋ", "ɑ", "ɒ", "ɔ", "ə", "ɛ", "ɜ", "ɡ", "ɪ", "ɹ", "ʃ", "ʊ", "ʌ", "ʒ", "ʤ", "ʧ", "θ", "ᵊ",
    "ᵻ", "ɐ", "ː",
)  # fmt: skip
IDS = {phone: i for i, phone in enumerate(PHONES)}
UNKNOWN = -100
"""The label of a frame whose phone isn't known."""
SPOTS = (0.25, 0.75)
"""Where in a code frame its phones are asked for."""
FREE_STEPS = 150
"""Steps before the latents are quantized: codebooks start from latents that already mean something."""


class Cuts(NamedTuple):
    """A batch of cuts."""

    heard: Tensor
    """[B, L] what the encoders hear."""
    target: Tensor
    """[B, L] what is to come out."""
    other: Tensor
    """[B, L'] another cut of the same speaker and channel."""
    phones: Tensor
    """[B, len(SPOTS), T] ids, or UNKNOWN."""


class CodecTrainer(nn.Module):
    """The encoder, and the heads that teach it: mel, phones, and mel by level 0 and a speaker embedding."""

    def __init__(self, shape: Shape, speaker: int = 64) -> None:
        super().__init__()
        self.shape = shape
        self.encoder = Encoder(shape, TrainedQuantizer)
        self.trunk = Trunk(shape)
        self.mel_head = nn.Conv1d(shape.width, shape.mels, 1)
        self.phone_head = nn.Conv1d(shape.content, len(PHONES) * len(SPOTS), 1)
        self.listener = VocosBackbone(shape.mels, 128, 384, 2)
        self.speaker = nn.Linear(256, speaker)
        self.given = VocosBackbone(shape.content + speaker, shape.content_width, 3 * shape.content_width, 3)
        self.given_head = nn.Linear(shape.content_width, shape.mels * shape.stride)

    def forward(self, cuts: Cuts, quantize: bool = True) -> dict[str, Tensor]:
        """Losses by name; at first without quantizing."""
        mel, target = self.encoder.mel(cuts.heard), self.encoder.mel(cuts.target)
        content = self.encoder.content(warped(mel))
        acoustic = self.encoder.acoustic(mel)
        figures: dict[str, Tensor] = {}
        if quantize:
            found = self.encoder.quantizer(content, acoustic)
            content, vectors = found["content"], found["vectors"]
            levels = len(vectors)
            kept = torch.randint(1, levels + 1, (len(mel),))
            kept = torch.where(torch.rand(kept.shape) < 0.5, levels, kept).to(mel.device)
            mask = (torch.arange(levels, device=mel.device)[:, None] < kept).to(mel.dtype)[:, :, None, None]
            rest = straight_through(acoustic - vectors[0].detach(), (vectors[1:] * mask[1:]).sum(0))
            latents = vectors[0] + torch.where(kept[:, None, None] > 1, rest, 0.0)
            figures |= {
                "commitment": found["commitment"],
                "lift": found["lift"],
                "codes": torch.tensor(float(found["codes"][..., 0].unique().numel())),
            }
            whole = kept == levels
        else:
            latents, whole = acoustic, torch.ones(len(mel), dtype=torch.bool, device=mel.device)
            figures |= {
                "commitment": acoustic.square().mean() + content.square().mean(),
                "lift": acoustic.new_zeros(()),
            }
        error = (self.mel_head(self.trunk(latents)) - target).abs().mean((1, 2))
        said = self.phone_head(content).unflatten(1, (len(PHONES), len(SPOTS)))
        known = cuts.phones != UNKNOWN
        return figures | {
            "mel": error.mean(),
            "mel_all": error[whole].mean() if whole.any() else error.mean(),
            "given": (self.by_speaker(content, self.encoder.mel(cuts.other)) - target).abs().mean(),
            "phone": nn.functional.cross_entropy(said, cuts.phones, ignore_index=UNKNOWN)
            if known.any()
            else error.new_zeros(()),
            "phone_accuracy": (said.argmax(1) == cuts.phones)[known].float().mean(),
        }

    def by_speaker(self, content: Tensor, other: Tensor) -> Tensor:
        """Level 0 [B, content, T] and another cut's mel [B, mels, M'] -> mel [B, mels, M]."""
        heard = self.listener(other)
        who = self.speaker(torch.cat([heard.mean(1), heard.std(1)], -1))[:, :, None].expand(-1, -1, content.shape[-1])
        out = self.given_head(self.given(torch.cat([content, who], 1)))
        batch, frames, _ = out.shape
        result: Tensor = out.reshape(batch, frames * self.shape.stride, -1).transpose(1, 2)
        return result


def warped(mel: Tensor, most: float = 0.12) -> Tensor:
    """Mel [B, mels, M] with its bands stretched by up to `most` (vocal tract length perturbation), row by row."""
    batch, mels, _ = mel.shape
    factor = 1.0 + (torch.rand(batch, 1, device=mel.device) * 2 - 1) * most
    places = (torch.arange(mels, device=mel.device) * factor).clamp(0, mels - 1)
    below = places.floor().long().clamp(max=mels - 2)
    share = (places - below)[:, :, None]
    index = below[:, :, None].expand(-1, -1, mel.shape[2])
    return mel.gather(1, index) * (1 - share) + mel.gather(1, index + 1) * share


def phone_labels(phones: list[list], frames: int, frame_seconds: float) -> np.ndarray:
    """Ids of the phones at `SPOTS` of each frame [len(SPOTS), frames]; UNKNOWN outside the recording."""
    merged_phones = merged([(name, end) for name, end in phones])
    ends = np.array([end for _, end in merged_phones])
    ids = np.array([IDS.get(name, UNKNOWN) for name, _ in merged_phones] + [0])
    times = (np.arange(frames)[None] + np.array(SPOTS)[:, None]) * frame_seconds
    return np.where(times < 0, UNKNOWN, ids[np.searchsorted(ends, times, side="right")])


def piece(wave: np.ndarray, start: int, size: int) -> np.ndarray:
    """`size` samples from `start`, with silence behind the end."""
    found = wave[start : start + size]
    return np.pad(found, (0, size - len(found)))


def cuts(corpus: Corpus, shape: Shape, batch: int, frames: int, rng: np.random.Generator) -> Cuts:
    """Random cuts of random utterances, each in a voice and channel of its own."""
    size, sr = frames * shape.frame_samples, shape.sample_rate
    heard, target, other, labels = [], [], [], []
    while len(heard) < batch:
        item_id = int(rng.integers(len(corpus)))
        item, variation = corpus.items[item_id], draw(rng, sr)
        wave = corpus.wave(item_id)
        if len(wave) < sr // 2:
            continue
        wave = region(wave, 3 * size, variation, rng, item)
        made = varied(wave.samples, variation, sr, shape.frame_samples)
        start = int(rng.integers(max(1, len(made) - size + 1)))
        target.append(piece(made, start, size))
        heard.append(disturbed(target[-1], rng, sr))
        where = int(rng.integers(max(1, len(made) - size + 1)))
        other.append(disturbed(piece(made, where, size), rng, sr))
        moved = [[name, (end - wave.begin) / variation.speed - start / sr] for name, end in item.get("phones", ())]
        labels.append(
            phone_labels(moved, frames, 1 / shape.frame_rate) if moved else np.full((len(SPOTS), frames), UNKNOWN)
        )
    return Cuts(*(torch.from_numpy(np.stack(x).astype(np.float32)) for x in (heard, target, other)),
                torch.from_numpy(np.stack(labels)))  # fmt: skip


class Region(NamedTuple):
    """A part of an utterance."""

    samples: np.ndarray
    begin: float
    """Seconds into the utterance."""


def region(wave: np.ndarray, size: int, variation: Variation, rng: np.random.Generator, item: dict) -> Region:
    """At most about `size` samples after the variation, so that long utterances aren't worked on whole."""
    need = int(size * variation.speed) + 1
    start = int(rng.integers(max(1, len(wave) - need + 1)))
    return Region(wave[start : start + need], start / 24000)


def load_encoder(run_dir: Path, device: str = "cpu") -> tuple[Encoder, Trunk]:
    """The trained encoder of a run in eval mode, and the trunk that a vocoder begins with."""
    state = restore(run_dir / "codec.pt", device)
    if state is None:
        raise FileNotFoundError(f"{run_dir} has no codec.pt; run the codec stage first")
    trainer = CodecTrainer(shape_from(json.loads(state["shape"]))).to(device)
    trainer.load_state_dict(state["network"])
    return trainer.encoder.eval(), trainer.trunk


def run(config: Config, run_dir: Path, device: str = "cpu") -> None:
    """Train for the configured time."""
    c, shape = config.codec_training, config.codec
    torch.manual_seed(c.seed)
    trainer = CodecTrainer(shape).to(device).train()
    optimizer = torch.optim.AdamW(trainer.parameters(), lr=c.lr, betas=(0.9, 0.99), weight_decay=0.01)
    step, clock = 0, Clock(c.minutes)
    if state := restore(run_dir / "codec.pt", device):
        trainer.load_state_dict(state["network"])
        if "optimizer" in state:
            optimizer.load_state_dict(state["optimizer"])
        step, clock = state["step"], Clock(c.minutes, state["seconds"])
    log, rng, saved = Log(run_dir / "codec.jsonl"), np.random.default_rng(c.seed + step), clock.spent
    print(f"{sum(p.numel() for p in trainer.parameters()) / 1e6:.2f} M parameters", flush=True)
    corpus, shards = Corpus(run_dir), -1

    def checkpoint() -> None:
        values = {"network": trainer.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
        save(run_dir / "codec.pt", {**values, "seconds": clock.spent, "shape": json.dumps(asdict(shape))})

    while clock.tick() < 1.0:
        if step % 200 == 0 and (ready := len(list((run_dir / "corpus").glob("*.jsonl")))) != shards:
            corpus, shards = Corpus(run_dir), ready
        batch = Cuts(*(t.to(device) for t in cuts(corpus, shape, c.batch, c.frames, rng)))
        losses = trainer(batch, quantize=step >= FREE_STEPS)
        loss = (
            losses["mel"]
            + 0.5 * losses["given"]
            + 0.3 * losses["phone"]
            + 0.25 * losses["commitment"]
            + 0.1 * losses["lift"]
        )
        set_rate(optimizer, rate(c.lr, step, c.warmup, clock.progress, c.decay_share))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(trainer.parameters(), 1.0)
        optimizer.step()
        step += 1
        log.add(step, clock, **{k: v.detach() for k, v in losses.items()})
        if clock.spent - saved > c.save_every:
            checkpoint()
            saved = clock.spent
    checkpoint()
