"""Pictures for a report, PNG by matplotlib: spectrograms side by side, fundamental frequencies, matrices."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vall_e_audio import read_audio

from .features import FRAME, HOP, RATE, at_rate, frames, fundamental
from .judged import Recording

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BELOW = 70.0
"""Decibels below the loudest that are still shown."""
_FFT = 512
_DPI = 110


@dataclass(frozen=True, eq=False)
class Panel:
    """One spectrogram."""

    title: str
    recording: Recording


def listen(path: Path | None, title: str) -> Panel | None:
    """A recording that a run has written; None where it isn't there any more."""
    if path is None or not path.is_file():
        return None
    clip = read_audio(path, min_seconds=0, allow_silence=True)
    return Panel(title, Recording(clip.samples, clip.sample_rate))


def spectrograms(rows: Sequence[Sequence[Panel]], *, tracks: bool = True) -> bytes:
    """Rows of spectrograms to 8 kHz with F0 drawn in; with `tracks`, a last column with the F0 of all in one plot."""
    columns = max(len(row) for row in rows) + tracks
    figure = _figure(3.4 * columns, 2.3 * len(rows) + 0.2)
    for at, row in enumerate(rows):
        seconds = max(each.recording.seconds for each in row)
        for column, each in enumerate(row):
            axes = figure.add_subplot(len(rows), columns, at * columns + column + 1)
            _spectrogram(axes, each, seconds)
            axes.set_ylabel("kHz" if column == 0 else "")
            axes.set_xlabel("s" if at == len(rows) - 1 else "")
        if tracks:
            last = figure.add_subplot(len(rows), columns, at * columns + columns)
            for each in row:
                pitch = fundamental(at_rate(each.recording))
                last.plot(np.arange(len(pitch)) * HOP / RATE, pitch, linewidth=1.2, label=each.title)
            last.set_title("F0 in Hz", fontsize=8)
            last.set_xlim(0, seconds)
            last.set_xlabel("s" if at == len(rows) - 1 else "")
            last.legend(fontsize=6)
            last.tick_params(labelsize=7)
    return _png(figure)


def matrix(
    values: NDArray[np.float64], rows: Sequence[str], columns: Sequence[str], *, across: str, down: str
) -> bytes:
    """Shares [rows, columns] as shades with their numbers in per cent; numbers are left out of large ones."""
    figure = _figure(max(3.0, 0.32 * len(columns) + 1.6), max(2.6, 0.3 * len(rows) + 1.2))
    axes = figure.add_subplot()
    axes.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(columns)), columns, rotation=90 if max(map(len, columns)) > 2 else 0)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(labelsize=8)
    axes.set_xlabel(across)
    axes.set_ylabel(down)
    if max(len(rows), len(columns)) <= 12:
        for (down_at, across_at), value in np.ndenumerate(values):
            shade = "white" if value > 0.6 else "black"
            axes.text(across_at, down_at, f"{100 * value:.0f}", ha="center", va="center", fontsize=7, color=shade)
    return _png(figure)


def counts_matrix(table: Mapping[str, Mapping[str, int]]) -> tuple[NDArray[np.float64], list[str], list[str]]:
    """A table of confusions as shares of what was wanted, its rows, and its columns in the same order."""
    rows = list(table)
    columns = list(dict.fromkeys([*rows, *(heard for row in table.values() for heard in row)]))
    found = np.zeros((len(rows), len(columns)))
    for at, wanted in enumerate(rows):
        for heard, count in table[wanted].items():
            found[at, columns.index(heard)] = count
    return found / np.maximum(found.sum(1, keepdims=True), 1), rows, columns


def _spectrogram(axes: Axes, panel: Panel, seconds: float) -> None:
    wave = at_rate(panel.recording)
    power = np.square(np.abs(np.fft.rfft(frames(wave) * np.hanning(FRAME), _FFT)))
    decibels = 10 * np.log10(power + 1e-12)
    top = float(decibels.max())
    end = len(decibels) * HOP / RATE
    axes.imshow(
        decibels.T, origin="lower", aspect="auto", cmap="magma", vmin=top - BELOW, vmax=top,
        extent=(0.0, end, 0.0, RATE / 2000), interpolation="nearest",
    )  # fmt: skip
    pitch = fundamental(wave)
    axes.plot(np.arange(len(pitch)) * HOP / RATE, pitch / 1000, color="cyan", linewidth=1.0)
    axes.set_xlim(0, seconds)
    axes.set_title(panel.title, fontsize=8)
    axes.tick_params(labelsize=7)


def _figure(width: float, height: float) -> Figure:
    """An empty figure; pyplot, which keeps global state, isn't touched."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=_DPI, layout="tight")


def _png(figure: Figure) -> bytes:
    """Without a date in it, so that equal pictures are equal files."""
    buffer = io.BytesIO()
    settings: dict[str, Any] = {"format": "png", "metadata": {"Software": None}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a font may lack a phoneme: it is drawn as a box
        figure.savefig(buffer, **settings)
    return buffer.getvalue()
