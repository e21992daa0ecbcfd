"""One file with chapters: m4b, mp3 or opus, packet by packet, by PyAV or by the program ffmpeg."""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vall_e_core import InputError, UsageError

from .tags import Tags, ogg_picture
from .timeline import Timeline

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Form:
    """A kind of file: ffmpeg's names of its container and its encoder, and bits a second."""

    container: str
    encoder: str
    bits: int
    rates: tuple[int, ...]
    options: tuple[tuple[str, str], ...] = ()


_M4B = Form(
    "mp4", "aac", 64_000, (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    (("brand", "M4B "), ("movflags", "+faststart")),
)  # fmt: skip
FORMS = {
    ".m4b": _M4B,
    ".m4a": _M4B,
    ".mp3": Form("mp3", "libmp3lame", 64_000, (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)),
    ".opus": Form("ogg", "libopus", 32_000, (8_000, 12_000, 16_000, 24_000, 48_000)),
}
"""By the suffix of a file."""
_MILLISECONDS = 1000
Advance = Callable[[float], object]
"""Takes the seconds that have been encoded."""


def encoder_for(suffix: str) -> str:
    """What makes files of a suffix here: `av` or `ffmpeg`. Raises UsageError where neither is installed."""
    if find_spec("av") is not None:
        return "av"
    if shutil.which("ffmpeg") is not None:
        return "ffmpeg"
    raise UsageError(
        f"{suffix} files can't be made here", cause="neither PyAV nor the program ffmpeg is installed",
        try_="pip install 'vall-e[media]', or a folder for -o: it gets a file for each chapter",
    )  # fmt: skip


def encode_book(
    path: Path, form: Form, timeline: Timeline, tags: Tags, *, by: str, bits: int | None = None,
    advance: Advance = lambda _: None,
) -> None:
    """Write a book as one file with chapters.

    Args:
        path: the file; it is written in place.
        form: what kind of file.
        timeline: the sound, and where chapters are.
        tags: what the file says about itself.
        by: `av` or `ffmpeg`.
        bits: bits a second, instead of the usual.
        advance: told how far it is.

    Raises InputError where it can't be written.
    """
    rate = next((each for each in form.rates if each >= timeline.rate), form.rates[-1])
    encode = _by_av if by == "av" else _by_ffmpeg
    encode(path, form, timeline, tags, rate, bits or form.bits, advance)


def _by_av(
    path: Path, form: Form, timeline: Timeline, tags: Tags, rate: int, bits: int, advance: Advance
) -> None:
    import av

    try:
        with av.open(str(path), "w", format=form.container, options=dict(form.options)) as file:
            stream: Any = file.add_stream(form.encoder, rate=rate, layout="mono", bit_rate=bits)
            if tags.language:
                stream.metadata["language"] = tags.language
            if form.container == "ogg":
                stream.metadata.update(_comments(timeline, tags))
            else:
                file.metadata.update(tags.plain())
                file.set_chapters(_chapters(timeline))
                if tags.cover is not None:
                    _add_cover(av, file, tags.cover.data)
            for frame in _frames(av, timeline, stream.codec_context, rate, advance):
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
    except av.FFmpegError as error:
        raise InputError(f"can't write {path}", cause=error.strerror or str(error)) from error


def _frames(
    av: Any, timeline: Timeline, context: Any, rate: int, advance: Advance  # noqa: ANN401 - PyAV may be missing
) -> Iterator[Any]:
    """Frames of the size and form that an encoder takes."""
    resampler = av.AudioResampler(format=context.format, layout="mono", rate=rate)
    fifo, done = av.AudioFifo(), 0
    size = context.frame_size or 1024
    for block in timeline.blocks():
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block[None]), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = timeline.rate, done, Fraction(1, timeline.rate)
        done += len(block)
        for each in resampler.resample(frame):
            fifo.write(each)
        while (ready := fifo.read(size)) is not None:
            yield ready
        advance(done / timeline.rate)
    for each in resampler.resample(None):
        fifo.write(each)
    while fifo.samples:
        yield fifo.read(size, True)


def _add_cover(av: Any, file: Any, data: bytes) -> None:  # noqa: ANN401 - PyAV may be missing
    with av.open(io.BytesIO(data)) as picture:
        source = picture.streams.video[0]
        stream = file.add_stream_from_template(source)
        stream.disposition = av.stream.Disposition.attached_pic
        for packet in picture.demux(source):
            if packet.dts is not None:
                packet.stream = stream
                file.mux(packet)


def _chapters(timeline: Timeline) -> list[Any]:
    return [
        {
            "id": at, "start": _milliseconds(mark.start, timeline.rate), "end": _milliseconds(mark.end, timeline.rate),
            "time_base": Fraction(1, _MILLISECONDS), "metadata": {"title": mark.title},
        }
        for at, mark in enumerate(timeline.marks)
    ]  # fmt: skip


def _comments(timeline: Timeline, tags: Tags) -> dict[str, str]:
    """Tags of an Ogg file, cover and chapters among them: ffmpeg rounds the seconds of some chapters up."""
    found = tags.plain()
    for at, mark in enumerate(timeline.marks):
        seconds, rest = divmod(_milliseconds(mark.start, timeline.rate), _MILLISECONDS)
        found[f"CHAPTER{at:03}"] = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"
        found[f"CHAPTER{at:03}NAME"] = mark.title
    if tags.cover is not None:
        found["METADATA_BLOCK_PICTURE"] = ogg_picture(tags.cover)
    return found


def _milliseconds(samples: int, rate: int) -> int:
    return round(samples * _MILLISECONDS / rate)


def _by_ffmpeg(
    path: Path, form: Form, timeline: Timeline, tags: Tags, rate: int, bits: int, advance: Advance
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        about = Path(folder) / "about.txt"
        about.write_text(ffmetadata(timeline, tags, comments=form.container == "ogg"), "utf-8")
        command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "f32le", "-ar", str(timeline.rate), "-ac", "1"]
        command += ["-i", "pipe:0", "-f", "ffmetadata", "-i", str(about)]
        if tags.cover is not None and form.container != "ogg":
            cover = Path(folder) / "cover"
            cover.write_bytes(tags.cover.data)
            command += ["-i", str(cover), "-map", "2:v", "-c:v", "copy", "-disposition:v", "attached_pic"]
        command += ["-map", "0:a", "-c:a", form.encoder, "-b:a", str(bits), "-ar", str(rate)]
        command += ["-map_metadata", "1", "-map_chapters", "1"]
        if tags.language:
            command += ["-metadata:s:a:0", f"language={tags.language}"]
        command += [word for key, value in form.options for word in (f"-{key}", value)]
        process = subprocess.Popen(
            [*command, "-f", form.container, str(path.absolute())], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        with process:
            assert process.stdin is not None and process.stderr is not None
            try:
                for at, block in _counted(timeline):
                    process.stdin.write(block.astype("<f4").tobytes())
                    advance(at / timeline.rate)
                process.stdin.close()
            except BrokenPipeError:
                pass  # it has ended early, and says why
            except BaseException:
                process.kill()
                raise
            said = process.stderr.read().decode("utf-8", "replace").strip()
    if process.returncode != 0:
        raise InputError(f"can't write {path}", cause=said.splitlines()[-1] if said else "ffmpeg failed")


def _counted(timeline: Timeline) -> Iterator[tuple[int, NDArray[np.float32]]]:
    done = 0
    for block in timeline.blocks():
        done += len(block)
        yield done, block


def ffmetadata(timeline: Timeline, tags: Tags, *, comments: bool = False) -> str:
    """Tags and chapters in the form that the program ffmpeg reads.

    Args:
        timeline: where chapters are.
        tags: what the file says about itself.
        comments: write chapters and cover as tags, as Ogg files have them.
    """
    shown = _comments(timeline, tags) if comments else tags.plain()
    lines = [";FFMETADATA1", *(f"{key}={_escaped(value)}" for key, value in shown.items())]
    for mark in () if comments else timeline.marks:
        begin, end = _milliseconds(mark.start, timeline.rate), _milliseconds(mark.end, timeline.rate)
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", f"START={begin}", f"END={end}", f"title={_escaped(mark.title)}"]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """A value. A backslash at its end would join it to the next line, escaped or not."""
    for char in "\\=;#":
        text = text.replace(char, f"\\{char}")
    return " ".join(text.split("\n")).rstrip("\\")
