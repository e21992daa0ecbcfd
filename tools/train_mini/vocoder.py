"""From the frozen codes to samples: spectral losses, then spectral and waveform discriminators as well.

The codes are made anew for each cut, in varied voices and channels, because the encoder is cheap beside the vocoder.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vall_e_mini.networks import Vocoder

from .codec import cuts, load_encoder
from .config import Config
from .corpus import Corpus
from .judges import Judges, spectrum
from .training import Average, Clock, Log, rate, restore, save, set_rate

RESOLUTIONS = ((300, 75), (600, 150), (1200, 300), (2400, 600))
JUDGED = ((512, 128), (1024, 256), (2048, 512))
FLOOR = 3e-3
"""Added to magnitudes before the logarithm."""


def spectral_loss(guess: Tensor, wave: Tensor) -> Tensor:
    """Log-magnitude L1 and relative magnitude L1 over the resolutions, for samples [B, L]."""
    total = guess.new_zeros(())
    for n_fft, hop in RESOLUTIONS:
        ours, theirs = spectrum(guess, n_fft, hop), spectrum(wave, n_fft, hop)
        total = total + ((ours + FLOOR).log() - (theirs + FLOOR).log()).abs().mean()
        total = total + (ours - theirs).abs().mean() / theirs.mean()
    return total / len(RESOLUTIONS)


def run(config: Config, run_dir: Path, device: str = "cpu") -> None:
    """Train for the configured time; the adversarial part starts at `adversarial_from` of it."""
    c, shape = config.vocoder_training, config.codec
    torch.manual_seed(c.seed)
    encoder, trunk = load_encoder(run_dir, device)
    vocoder, judges = Vocoder(shape).to(device), Judges(JUDGED).to(device)
    vocoder.trunk.load_state_dict(trunk.state_dict())
    optimizer = torch.optim.AdamW(vocoder.parameters(), lr=c.lr, betas=(0.8, 0.99), weight_decay=0.01)
    judging = torch.optim.AdamW(judges.parameters(), lr=c.lr, betas=(0.8, 0.99), weight_decay=0.01)
    average = Average(vocoder, 0.998)
    step, clock = 0, Clock(c.minutes)
    if state := restore(run_dir / "vocoder.pt", device):
        vocoder.load_state_dict(state["network"])
        if "judges" in state:
            judges.load_state_dict(state["judges"])
            optimizer.load_state_dict(state["optimizer"])
            judging.load_state_dict(state["judging"])
        average.values |= state["average"]
        average.steps = step = state["step"]
        clock = Clock(c.minutes, state["seconds"])
    log, rng, saved = Log(run_dir / "vocoder.jsonl"), np.random.default_rng(c.seed + 7 + step), clock.spent
    print(f"{sum(p.numel() for p in vocoder.parameters()) / 1e6:.2f} M parameters", flush=True)
    corpus, shards = Corpus(run_dir), -1

    def checkpoint() -> None:
        values = {
            "network": vocoder.state_dict(),
            "judges": judges.state_dict(),
            "optimizer": optimizer.state_dict(),
            "judging": judging.state_dict(),
            "average": average.values,
        }
        save(
            run_dir / "vocoder.pt", {**values, "step": step, "seconds": clock.spent, "shape": json.dumps(asdict(shape))}
        )

    while clock.tick() < 1.0:
        if step % 200 == 0 and (ready := len(list((run_dir / "corpus").glob("*.jsonl")))) != shards:
            corpus, shards = Corpus(run_dir), ready
        batch = cuts(corpus, shape, c.batch, c.frames, rng)
        wave = batch.target.to(device)
        with torch.no_grad():
            latents = encoder.quantizer.decode(encoder.encode(batch.heard.to(device)))
        guess = vocoder(latents)
        spectral, mels = spectral_loss(guess, wave), (encoder.mel(guess) - encoder.mel(wave)).abs().mean()
        figures, loss = {"spectral": spectral.detach(), "mel": mels.detach()}, spectral + 2.0 * mels
        judged = clock.progress > c.adversarial_from
        if judged:
            fool, match = judges.teach(guess, wave)
            loss = loss + 0.1 * fool + 0.5 * match
            figures |= {"fool": fool.detach(), "match": match.detach()}
        pace = rate(c.lr, step, c.warmup, clock.progress, c.decay_share)
        set_rate(optimizer, pace)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(vocoder.parameters(), 2.0)
        optimizer.step()
        average.update(vocoder)
        if judged:
            set_rate(judging, pace * 0.5)
            judging.zero_grad(set_to_none=True)
            verdict = judges.loss(guess, wave)
            verdict.backward()
            judging.step()
            figures["judges"] = verdict.detach()
        step += 1
        log.add(step, clock, **figures)
        if clock.spent - saved > c.save_every:
            checkpoint()
            saved = clock.spent
    checkpoint()
