"""Which device the work is done on, and why."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from vall_e_core import DeviceError, UsageError

DTYPES: tuple[str, ...] = ("float32", "bfloat16", "float16")
SHARED_FROM_WIDTH = 384
"""Models narrower than this run on one CPU thread."""
CAPACITY, OLDER_CAPACITY = "ONEDNN_PRIMITIVE_CACHE_CAPACITY", "DNNL_PRIMITIVE_CACHE_CAPACITY"
"""The variable that bounds oneDNN's cache; it also reads the older name, where this one isn't set."""
_NAME = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


@dataclass(frozen=True)
class Device:
    """A device by its torch name, and one clause that says why it was taken."""

    name: str
    reason: str


def check_device_name(text: str) -> str:
    """The name, if it is one; nothing is asked of the machine. Raises UsageError."""
    if _NAME.fullmatch(text) is None:
        raise UsageError(f"unknown device: {text}", try_="auto, cpu, cuda, cuda:1 or mps")
    return text


def choose_device(text: str = "auto") -> Device:
    """The device `text` means on this machine. Raises DeviceError where it isn't there."""
    import torch

    check_device_name(text)
    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    mps = torch.backends.mps.is_available()
    if text == "auto":
        if cuda:
            return Device("cuda", f"found {torch.cuda.get_device_name(0)}")
        return Device("mps", "found Metal") if mps else Device("cpu", "no CUDA or Metal device was found")
    if text == "mps" and not mps:
        raise DeviceError("no mps device", cause="this torch finds no Metal device", try_="--device auto")
    if text.startswith("cuda"):
        index = int(text[5:] or 0)
        if index >= cuda:
            found = f"this torch finds {cuda} CUDA devices" if cuda else "this torch finds no CUDA device"
            raise DeviceError(f"no device {text}", cause=found, try_="--device auto")
    return Device(text, "asked for")


def check_threads(threads: int | None, notify: Callable[[str], None]) -> None:
    """`notify` hears of it where there are fewer cores than threads."""
    cores = os.cpu_count() or 1
    if threads is not None and threads > cores:
        notify(f"{threads} threads on {cores} cores: they wait for each other, which is slow")


def suitable_threads(width: int, device: str) -> int | None:
    """CPU threads for a model of `width`: one where its products are too small to be worth sharing, else None.

    The embedded voice (192 wide) takes twice as long with two threads as with one on a virtual machine, and 1.5 times
    as long on an EPYC.
    """
    return 1 if device == "cpu" and width < SHARED_FROM_WIDTH else None


@contextmanager
def torch_state(threads: int | None) -> Iterator[None]:
    """torch as a model needs it, whatever the caller has set: `threads` CPU threads (None: as many as there are),
    float32 and the CPU for new tensors. All is as it was afterwards."""
    import torch

    before, dtype = torch.get_num_threads(), torch.get_default_dtype()
    elsewhere = torch.get_default_device().type != "cpu"
    try:
        if threads is not None and threads != before:
            torch.set_num_threads(threads)
        if dtype != torch.float32:
            torch.set_default_dtype(torch.float32)
        with torch.device("cpu") if elsewhere else nullcontext():
            yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)
        if torch.get_default_dtype() != dtype:
            torch.set_default_dtype(dtype)


def require_own_process(loaded_in: int, device: str) -> None:
    """That a model is used where it was loaded, or where a copy of it works.

    Raises:
        DeviceError: in a process that was forked after it was loaded, for there torch's threads and a GPU are gone.
    """
    if os.getpid() != loaded_in:
        raise DeviceError(
            "the model was loaded in another process", cause=f"a fork copies neither torch's threads nor {device}",
            try_="load it in each process, or start processes with multiprocessing's 'spawn'",
        )  # fmt: skip


def set_library_defaults() -> None:
    """Settings of the libraries below torch, each unless the user chose; only before torch is first imported.

    Idle CPU threads sleep instead of spin. Decoding is a long row of small products. When something else uses a core,
    threads that spin while they wait for each other make it a hundred times slower; sleeping costs next to nothing.

    oneDNN keeps the last 64 operations it has made ready instead of 1,024. Each belongs to one shape and holds up to
    0.6 MB, every sentence has shapes of its own, and a step needs fewer than ten.
    """
    if "torch" in sys.modules:
        return
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if OLDER_CAPACITY not in os.environ:
        os.environ.setdefault(CAPACITY, "64")
