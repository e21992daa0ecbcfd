"""Embedding tables that are made without values."""

from __future__ import annotations

from torch import nn


class Table(nn.Embedding):
    """A table whose values come from a checkpoint or from `initialise`.

    The usual first values are drawn with `normal_`, which on the meta device makes torch import its compiler: 1.5 s of
    every start.
    """

    def reset_parameters(self) -> None:
        """Leave the values as they are."""
