"""Noise as a function of what it is for, not of what was drawn before.

Every uniform number is a hash of (seed, utterance key, step, level, frame, label). So a row's draws don't depend on the
batch around it, on the order of rows or on the device; nothing has to be saved to repeat or to roll back; seed 0 is a
seed like any other. The hash is two rounds of the 64-bit finaliser by Stafford ("variant 13", as in splitmix64), in
int64 tensor arithmetic that wraps, with the shifts made logical by a mask.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

_WORD = (1 << 64) - 1
_FIRST, _SECOND, _GOLDEN = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0x9E3779B97F4A7C15
_FRAME = 0xD1342543DE82EF95
_BITS = 23
"""Bits of a uniform number: (n + 1/2) / 2^23 is exact in float32 and lies strictly between 0 and 1."""


def _signed(word: int) -> int:
    """The 64-bit word as the int64 with the same bits."""
    word &= _WORD
    return word - (1 << 64) if word >> 63 else word


def _mix(word: int) -> int:
    """The finaliser on a Python integer."""
    word &= _WORD
    word = ((word ^ (word >> 30)) * _FIRST) & _WORD
    word = ((word ^ (word >> 27)) * _SECOND) & _WORD
    return word ^ (word >> 31)


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _shifted(words: Tensor, bits: int) -> Tensor:
    """Logical shift to the right of int64."""
    return (words >> bits).bitwise_and_((1 << (64 - bits)) - 1)


def _rounds(words: Tensor) -> Tensor:
    """The finaliser but for its last step, which leaves the upper 31 bits as they are."""
    words = _shifted(words, 30).bitwise_xor_(words).mul_(_signed(_FIRST))
    return _shifted(words, 27).bitwise_xor_(words).mul_(_signed(_SECOND))


@lru_cache(maxsize=256)
def _offset(label: str, level: int) -> int:
    """What keeps the uses of one step apart."""
    return _signed(_mix(_digest(label) + level * _GOLDEN))


def utterance_key(identity: int | str) -> int:
    """The int64 that keys an utterance's noise: an integer is itself (modulo 2^64), text is hashed."""
    return _signed(identity if isinstance(identity, int) else _digest(identity))


@dataclass(frozen=True)
class Noise:
    """The source of all randomness of a run: nothing but a seed (any integer)."""

    seed: int

    def keys(self, rows: Tensor) -> Tensor:
        """Utterance keys `rows` [N] int64 -> the [N] int64 that `uniform` takes: the seed mixed in, once a run."""
        words = _rounds(rows.long() * _signed(_GOLDEN) + _signed(_digest(f"seed {self.seed}")))
        return words ^ _shifted(words, 31)

    @staticmethod
    def uniform(keys: Tensor, index: Tensor, label: str, *, level: int = 0, frame: Tensor | None = None) -> Tensor:
        """[N] float32 in (0, 1), or what shape `keys` and `index` have together.

        `keys` [N] comes from `keys()`; `index` [] or [N] is the step; `frame` [N] tells rows of one utterance and
        step apart; `level` and `label` keep different uses apart.
        """
        words = torch.add(keys, index, alpha=_signed(_GOLDEN)) + _offset(label, level)
        if frame is not None:
            words = words + frame * _signed(_FRAME)
        top = _shifted(_rounds(words), 64 - _BITS)
        return top.to(torch.float32).add_(0.5).mul_(2.0**-_BITS)


class Ahead:
    """Numbers of the steps to come, made together: a step then looks up what it would have to work out.

    It knows nothing that `Noise.uniform` doesn't give again, so copies of a step may share it.
    """

    STEPS = 64

    def __init__(self) -> None:
        self._made: dict[tuple[str, int], tuple[Tensor, int, Tensor | None]] = {}

    def uniform(self, keys: Tensor, index: int, label: str, level: int) -> Tensor:
        """`Noise.uniform` of keys [N] at step `index`, [N]; not to be written to."""
        known, first, table = self._made.get((label, level), (None, 0, None))
        if known is not keys:  # other rows: perhaps at every step, so nothing is made ahead yet
            self._made[label, level] = keys, 0, None
            return Noise.uniform(keys, torch.tensor(index), label, level=level)
        if table is None or not first <= index < first + self.STEPS:
            first = index
            steps = torch.arange(first, first + self.STEPS).unsqueeze(1)
            table = Noise.uniform(keys, steps, label, level=level)  # [STEPS, N]
            self._made[label, level] = keys, first, table
        return table[index - first]
