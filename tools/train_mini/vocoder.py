"""Stage 3: from the frozen codes to samples. Spectral losses at three resolutions, later an adversarial one as well."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vall_e_mini.networks import LogMel, Vocoder
from vall_e_mini.shape import Shape

from .codec import load_trainer
from .codes import CodedCorpus
from .config import Config
from .training import Average, Clock, Log, rate, restore, save, set_rate

RESOLUTIONS = ((256, 64), (512, 128), (1024, 256))


def spectrum(wave: Tensor, n_fft: int, hop: int) -> Tensor:
    """Magnitudes of samples [B, L]: [B, n_fft // 2 + 1, frames]."""
    window = torch.hann_window(n_fft, device=wave.device)
    return torch.stft(wave, n_fft, hop, window=window, return_complex=True).abs()


def spectral_loss(guess: Tensor, wave: Tensor) -> Tensor:
    """Log-magnitude L1 and relative magnitude L1 over the resolutions, for samples [B, L]."""
    total = guess.new_zeros(())
    for n_fft, hop in RESOLUTIONS:
        ours, theirs = spectrum(guess, n_fft, hop), spectrum(wave, n_fft, hop)
        total = total + ((ours + 3e-3).log() - (theirs + 3e-3).log()).abs().mean()
        total = total + (ours - theirs).abs().mean() / theirs.mean()
    return total / len(RESOLUTIONS)


class SpectrumJudge(nn.Module):
    """A small convolutional discriminator on one resolution's log-magnitudes and phases' cosines and sines."""

    def __init__(self, n_fft: int, hop: int, channels: int = 16) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        norm = nn.utils.parametrizations.weight_norm
        self.layers = nn.ModuleList(
            [
                norm(nn.Conv2d(2, channels, (7, 3), (3, 1), (3, 1))),
                norm(nn.Conv2d(channels, channels, (5, 3), (2, 1), (2, 1))),
                norm(nn.Conv2d(channels, channels * 2, (5, 3), (2, 1), (2, 1))),
                norm(nn.Conv2d(channels * 2, channels * 2, (3, 3), (2, 1), (1, 1))),
            ]
        )
        self.out = norm(nn.Conv2d(channels * 2, 1, 3, padding=1))

    def forward(self, wave: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Samples [B, L] -> (judgements, the layers' features)."""
        window = torch.hann_window(self.n_fft, device=wave.device)
        x = torch.stft(wave, self.n_fft, self.hop, window=window, return_complex=True)
        x = torch.view_as_real(x).permute(0, 3, 1, 2)
        x = x / (x.square().sum(1, keepdim=True) + 1e-4).pow(0.35)  # compressed magnitudes, phase kept
        features = []
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.out(x), features


class Judges(nn.Module):
    """One judge a resolution; hinge losses and feature matching."""

    def __init__(self, resolutions: Sequence[tuple[int, int]] = RESOLUTIONS) -> None:
        super().__init__()
        self.judges = nn.ModuleList(SpectrumJudge(n_fft, hop) for n_fft, hop in resolutions)

    def loss(self, guess: Tensor, wave: Tensor) -> Tensor:
        """The judges' own loss on samples [B, L]."""
        total = guess.new_zeros(())
        for judge in self.judges:
            total = (
                total
                + (1.0 - judge(wave)[0]).clamp(min=0).mean()
                + (1.0 + judge(guess.detach())[0]).clamp(min=0).mean()
            )
        return total / len(self.judges)

    def teach(self, guess: Tensor, wave: Tensor) -> tuple[Tensor, Tensor]:
        """(adversarial loss, feature-matching loss) for the vocoder."""
        fool, match = guess.new_zeros(()), guess.new_zeros(())
        for judge in self.judges:
            verdict, ours = judge(guess)
            with torch.no_grad():
                _, theirs = judge(wave)
            fool = fool + (1.0 - verdict).clamp(min=0).mean()
            match = (
                match
                + torch.stack([(a - b).abs().mean() / b.abs().mean() for a, b in zip(ours, theirs, strict=True)]).mean()
            )
        return fool / len(self.judges), match / len(self.judges)


def cuts(corpus: CodedCorpus, shape: Shape, batch: int, frames: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Random cuts: codes [B, frames, Q] and the samples [B, frames * frame_samples] they stand for."""
    codes = np.zeros((batch, frames, shape.levels), np.int64)
    waves = np.zeros((batch, frames * shape.frame_samples), np.float32)
    row = 0
    while row < batch:
        i = int(rng.integers(len(corpus)))
        all_codes = corpus.codes(i)
        if len(all_codes) < frames:
            continue
        start = int(rng.integers(len(all_codes) - frames + 1))
        codes[row] = all_codes[start : start + frames]
        piece = corpus.wave(i)[start * shape.frame_samples : (start + frames) * shape.frame_samples]
        waves[row, : len(piece)] = piece
        row += 1
    return torch.from_numpy(codes), torch.from_numpy(waves)


def run(config: Config, run_dir: Path, device: str = "cpu") -> None:
    """Train for the configured time; the adversarial part starts at `adversarial_from` of it."""
    c = config.vocoder_training
    torch.manual_seed(c.seed)
    trainer, shape = load_trainer(run_dir, device)
    corpus = CodedCorpus(run_dir)
    vocoder, judges, mel = Vocoder(shape).to(device), Judges().to(device), LogMel(shape).to(device)
    vocoder.trunk.load_state_dict(trainer.trunk.state_dict())
    optimiser = torch.optim.AdamW(vocoder.parameters(), lr=c.lr, betas=(0.8, 0.99), weight_decay=0.01)
    judging = torch.optim.AdamW(judges.parameters(), lr=c.lr, betas=(0.8, 0.99), weight_decay=0.01)
    average = Average(vocoder, 0.998)
    step, clock = 0, Clock(c.minutes)
    if state := restore(run_dir / "vocoder.pt", device):
        vocoder.load_state_dict(state["network"], strict="optimiser" in state)
        if "optimiser" in state:
            judges.load_state_dict(state["judges"])
            optimiser.load_state_dict(state["optimiser"])
            judging.load_state_dict(state["judging"])
        average.values |= state["average"]
        average.steps = state["step"]
        step, clock = state["step"], Clock(c.minutes, state["seconds"])
    log, rng, saved = Log(run_dir / "vocoder.jsonl"), np.random.default_rng(c.seed + step), clock.spent

    def autocast() -> torch.autocast:
        return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=c.bf16)

    def checkpoint() -> None:
        values = {
            "network": vocoder.state_dict(),
            "judges": judges.state_dict(),
            "optimiser": optimiser.state_dict(),
            "judging": judging.state_dict(),
        }
        save(
            run_dir / "vocoder.pt",
            {
                **values,
                "average": average.values,
                "step": step,
                "seconds": clock.spent,
                "shape": json.dumps(asdict(shape)),
            },
        )

    while clock.progress < 1.0:
        codes, wave = (t.to(device) for t in cuts(corpus, shape, c.batch, c.frames, rng))
        with torch.no_grad():
            latents = trainer.quantiser.decode(codes)
        with autocast():
            features = vocoder.features(latents)
        guess = vocoder.head(features.float())
        spectral, mels = spectral_loss(guess, wave), (mel(guess) - mel(wave)).abs().mean()
        figures, loss = {"spectral": spectral.detach(), "mel": mels.detach()}, spectral + 2.0 * mels
        pace = rate(c.lr, step, c.warmup, clock.progress, c.decay_share)
        if clock.progress > c.adversarial_from:
            with autocast():
                fool, match = judges.teach(guess, wave)
            loss = loss + 0.1 * fool + 0.5 * match
            figures |= {"fool": fool.detach(), "match": match.detach()}
        set_rate(optimiser, pace)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(vocoder.parameters(), 2.0)
        optimiser.step()
        average.update(vocoder)
        if clock.progress > c.adversarial_from:
            set_rate(judging, pace * 0.5)
            judging.zero_grad(set_to_none=True)
            with autocast():
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
