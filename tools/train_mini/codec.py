"""Stage 2: encoder and codebooks, trained in the log-mel domain; then the codes of the whole corpus.

The codes are final after this stage, so the language model and the vocoder can be trained side by side. Level 0 also
has to tell the phones (flite says when each begins), which makes it easy to predict from text.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vall_e_mini.networks import Encoder, LogMel, MelHead, Quantiser, Trunk, straight_through
from vall_e_mini.shape import Shape, shape_from

from .config import Config
from .corpus import Corpus
from .training import Clock, Log, rate, restore, save, set_rate

PHONES = (
    "pau", "aa", "ae", "ah", "ao", "aw", "ax", "ay", "b", "ch", "d", "dh", "eh", "er", "ey", "f", "g", "hh",
    "ih", "iy", "jh", "k", "l", "m", "n", "ng", "ow", "oy", "p", "r", "s", "sh", "t", "th", "uh", "uw", "v",
    "w", "y", "z", "zh",
)  # fmt: skip
SPOTS = (0.25, 0.75)
"""Where in a code frame its phones are asked for."""

FREE_STEPS = 200
"""Steps before the latents are quantised: codebooks start from latents that already mean something."""


class CodecTrainer(nn.Module):
    """Encoder, quantiser, mel decoder and the phone head, trained together."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.mel = LogMel(shape)
        self.encoder = Encoder(shape)
        self.quantiser = Quantiser(shape)
        self.trunk = Trunk(shape)
        self.mel_head = MelHead(shape)
        self.phone_head = nn.Conv1d(shape.latent, len(PHONES) * len(SPOTS), 1)

    def forward(self, wave: Tensor, phones: Tensor, quantise: bool = True) -> dict[str, Tensor]:
        """Samples [B, L], phone ids [B, len(SPOTS), T] -> losses by name; at first without quantising."""
        mel = self.mel(wave)
        latents = self.encoder(mel)
        if quantise:
            vectors, codes, commitment = self.quantiser(latents)
        else:
            vectors, codes, commitment = latents[None], torch.zeros(1, dtype=torch.long), latents.square().mean()
        levels = len(vectors)
        kept = torch.randint(1, levels + 1, (wave.shape[0],), device=wave.device)
        kept = torch.where(torch.rand(kept.shape, device=wave.device) < 0.5, levels, kept)
        mask = (torch.arange(levels, device=wave.device)[:, None] < kept).to(mel.dtype)
        kept_sum = straight_through(latents, (vectors * mask[:, :, None, None]).sum(0)) if quantise else latents
        guess = self.mel_head(self.trunk(kept_sum))
        error = (guess - mel).abs().mean((1, 2))
        said = self.phone_head(straight_through(latents, vectors[0]) if quantise else latents).unflatten(
            1, (len(PHONES), len(SPOTS))
        )
        whole = kept == levels
        return {
            "mel": error.mean(),
            "commitment": commitment,
            "phone": nn.functional.cross_entropy(said, phones),
            "mel_all": error[whole].mean() if whole.any() else error.mean(),
            "phone_accuracy": (said.argmax(1) == phones).float().mean(),
            "codes_used": torch.tensor(float(codes[..., 0].unique().numel())),
        }


def phone_labels(phones: list[list], frames: int, frame_seconds: float) -> np.ndarray:
    """Ids of the phones at `SPOTS` of each frame: [len(SPOTS), frames]."""
    ends = np.array([end for _, end in phones])
    ids = np.array([PHONES.index(name) if name in PHONES else 0 for name, _ in phones] + [0])
    times = (np.arange(frames)[None] + np.array(SPOTS)[:, None]) * frame_seconds
    return ids[np.searchsorted(ends, times, side="right")]


def cuts(corpus: Corpus, shape: Shape, batch: int, frames: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Random cuts of random utterances: samples [B, frames * frame_samples], phones [B, len(SPOTS), frames]."""
    size = frames * shape.frame_samples
    waves, labels = np.zeros((batch, size), np.float32), np.zeros((batch, len(SPOTS), frames), np.int64)
    for row in range(batch):
        i = int(rng.integers(len(corpus)))
        wave, phones = corpus.wave(i), corpus.items[i]["phones"]
        start = int(rng.integers(max(1, len(wave) - size + 1)))
        piece = wave[start : start + size]
        waves[row, : len(piece)] = piece
        moved = [[name, end - start / shape.sample_rate] for name, end in phones]
        labels[row] = phone_labels(moved, frames, shape.frame_samples / shape.sample_rate)
    return torch.from_numpy(waves), torch.from_numpy(labels)


def padded(wave: np.ndarray, frame_samples: int) -> Tensor:
    """Samples with silence up to a whole number of frames: [1, L]."""
    return nn.functional.pad(torch.from_numpy(wave), (0, -len(wave) % frame_samples))[None]


@torch.inference_mode()
def encode_corpus(trainer: CodecTrainer, corpus: Corpus, shape: Shape, run_dir: Path, device: str) -> None:
    """`codes/NNN.npz` for each shard that has none: `codes` [frames, Q] uint16 end to end, `lengths` [utterances]."""
    folder = run_dir / "codes"
    folder.mkdir(exist_ok=True)
    shards = sorted({item["shard"] for item in corpus.items})
    for shard in shards:
        path = folder / f"{shard:03d}.npz"
        if path.is_file():
            continue
        codes = []
        for i in (i for i, item in enumerate(corpus.items) if item["shard"] == shard):
            wave = padded(corpus.wave(i), shape.frame_samples).to(device)
            codes.append(
                trainer.quantiser.encode(trainer.encoder(trainer.mel(wave)))[0].cpu().numpy().astype(np.uint16)
            )
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, codes=np.concatenate(codes), lengths=np.array([len(c) for c in codes]))
        partial.replace(path)
        print(f"{path.name}: {len(codes)} utterances", flush=True)


def load_trainer(run_dir: Path, device: str = "cpu") -> tuple[CodecTrainer, Shape]:
    """The trained codec of a run, in eval mode; packaged weights lack the training heads."""
    state = restore(run_dir / "codec.pt", device)
    if state is None:
        raise FileNotFoundError(f"{run_dir} has no codec.pt; run the codec stage first")
    shape = shape_from(json.loads(state["shape"]))
    trainer = CodecTrainer(shape).to(device)
    trainer.load_state_dict(state["network"], strict="optimiser" in state)
    return trainer.eval(), shape


def run(config: Config, run_dir: Path, device: str = "cpu") -> None:
    """Train for the configured time, then encode the corpus."""
    c, shape = config.codec_training, config.codec
    torch.manual_seed(c.seed)
    corpus = Corpus(run_dir)
    trainer = CodecTrainer(shape).to(device).train()
    optimiser = torch.optim.AdamW(trainer.parameters(), lr=c.lr, betas=(0.9, 0.99), weight_decay=0.01)
    step, clock = 0, Clock(c.minutes)
    if state := restore(run_dir / "codec.pt", device):
        if "optimiser" not in state:  # packaged weights: final
            packaged, shape = load_trainer(run_dir, device)
            encode_corpus(packaged, corpus, shape, run_dir, device)
            return
        trainer.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        step, clock = state["step"], Clock(c.minutes, state["seconds"])
    log, rng, saved = Log(run_dir / "codec.jsonl"), np.random.default_rng(c.seed + step), clock.spent
    shards = -1

    def checkpoint() -> None:
        save(
            run_dir / "codec.pt",
            {
                "network": trainer.state_dict(),
                "optimiser": optimiser.state_dict(),
                "step": step,
                "seconds": clock.spent,
                "shape": json.dumps(asdict(shape)),
            },
        )

    while clock.tick() < 1.0:
        if step % 200 == 0 and (ready := len(list((run_dir / "corpus").glob("*.jsonl")))) != shards:
            corpus, shards = Corpus(run_dir), ready
        wave, phones = cuts(corpus, shape, c.batch, c.frames, rng)
        losses = trainer(wave.to(device), phones.to(device), quantise=step >= FREE_STEPS)
        loss = losses["mel"] + 0.25 * losses["commitment"] + 0.15 * losses["phone"]
        set_rate(optimiser, rate(c.lr, step, c.warmup, clock.progress, c.decay_share))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(trainer.parameters(), 1.0)
        optimiser.step()
        step += 1
        log.add(step, clock, **{k: v.detach() for k, v in losses.items()})
        if clock.spent - saved > c.save_every:
            checkpoint()
            saved = clock.spent
    checkpoint()
    encode_corpus(trainer.eval(), Corpus(run_dir), shape, run_dir, device)
