"""One YAML file per run: its keys are the fields below, each with a default that is the shipped voice's."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml

from vall_e_mini.shape import Shape

T = TypeVar("T")


@dataclass(frozen=True)
class TeacherConfig:
    """What the natural teacher speaks."""

    folder: str = "teacher"
    """Where its model and voices lie."""
    seed: int = 1
    shards: int = 200
    shard_minutes: float = 6.0
    mixtures: int = 700
    """Speakers beside the English voices."""
    whole_share: float = 0.12
    """The part of the utterances that the voices as they are speak."""
    speeds: tuple[float, float] = (0.82, 1.22)
    longest: float = 16.0
    """Seconds."""


@dataclass(frozen=True)
class StageConfig:
    """How a network is trained."""

    minutes: float = 15.0
    batch: int = 24
    frames: int = 32
    """Code frames in a training cut (codec and vocoder)."""
    lr: float = 1e-3
    warmup: int = 200
    decay_share: float = 0.25
    """The last part of the time, over which the rate falls to nothing."""
    bf16: bool = True
    """Multiply in bfloat16 (vocoder)."""
    seed: int = 1
    save_every: float = 60.0
    """Seconds between checkpoints."""
    adversarial_from: float = 0.5
    """The part of the time after which the vocoder is judged adversarially too; 1: never."""


@dataclass(frozen=True)
class ModelConfig:
    """The AR + NAR + STT language model."""

    width: int = 192
    heads: int = 4
    whole_prompt: bool = True
    """Every target sees all levels of the prompt: what the AR knows of a voice's pitch lies above level 0."""
    layers: int = 6
    bf16: bool = True
    """Multiply in bfloat16 (a CPU without such instructions is faster without)."""
    compiled: bool = False
    """Compile the layers (needs a C++ compiler on a CPU): a third faster after a minute."""
    tokens: int = 6000
    """Rows in a step, over its batches of all kinds."""
    minutes: float = 89.0
    lr: float = 2e-3
    muon_lr: float = 4e-3
    warmup: int = 100
    decay_share: float = 0.2
    ema: float = 0.998
    shares: dict[str, float] = field(default_factory=lambda: {"ar": 0.52, "nar": 0.22, "stt": 0.26})
    """The parts of a step's rows."""
    weights: dict[str, float] = field(default_factory=lambda: {"ar": 1.0, "nar": 0.6, "stt": 0.8})
    """The parts of a step's loss."""
    level_power: float = 0.5
    """A NAR batch is of level q with a probability of q to the minus this power."""
    joined_share: float = 0.35
    """How often an utterance gets another one of its speaker behind it."""
    joined_seconds: float = 9.0
    """Joined utterances are no longer than this."""
    prompt_seconds: tuple[float, float] = (1.0, 3.0)
    seed: int = 1
    save_every: float = 120.0


@dataclass(frozen=True)
class Config:
    """A whole run."""

    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    codec: Shape = field(default_factory=Shape)
    codec_training: StageConfig = field(default_factory=StageConfig)
    vocoder_training: StageConfig = field(
        default_factory=lambda: StageConfig(minutes=76.0, batch=12, frames=24, adversarial_from=0.3)
    )
    model: ModelConfig = field(default_factory=ModelConfig)


def build(cls: type[T], values: dict[str, Any]) -> T:
    """A (nested) frozen dataclass from a mapping; an unknown key is an error that lists the known ones."""
    known = {f.name: f for f in fields(cast(Any, cls))}
    if unknown := sorted(set(values) - set(known)):
        raise ValueError(f"{cls.__name__} has no {', '.join(unknown)}; it has {', '.join(known)}")
    default = cls()
    nested = {
        k: build(type(getattr(default, k)), v) if is_dataclass(getattr(default, k)) else v for k, v in values.items()
    }
    return cls(**nested)


def load(run: Path) -> Config:
    """The configuration of a run folder (`config.yaml`, absent: all defaults)."""
    path = run / "config.yaml"
    return build(Config, (yaml.safe_load(path.read_text()) or {}) if path.is_file() else {})
