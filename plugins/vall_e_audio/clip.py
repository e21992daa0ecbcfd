"""What reading gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Samples = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class AudioClip:
    """One channel of audio.

    `samples` is float32 [N], finite. `source` is what the user called it. The last four fields describe the file
    before it was mixed down and resampled.
    """

    samples: Samples
    sample_rate: int
    source: str
    silent: bool
    original_rate: int
    original_channels: int
    format: str
    subtype: str

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / self.sample_rate

    def tensor(self) -> Tensor:
        """The samples as a float32 tensor [N], as a codec takes them."""
        import torch

        return torch.from_numpy(self.samples)
