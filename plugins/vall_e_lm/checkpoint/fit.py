"""Do a file's tensors fit the model that its configuration describes? Asked of the header, before data is read."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from vall_e_core import CheckpointError
from vall_e_tensors import SCALE

from .container import FLOATS, Container, TensorInfo, TensorSource

UNUSED = ("dropout_token", "tones_emb.weight", "len_emb.weight", "len_emb")
"""Parameters that inference can do without; a file may lack them (length tables only where length isn't predicted)."""
STRAY = re.compile(
    r"model\.embed_tokens\.weight$|.*rotary_emb\.|.*inv_freq$|.*\.(lora_A|lora_B)$|metrics|accuracy|precision|loss"
    r"|.*_metric|l_.*metric|aug_|dropout_token$|raw_text_emb\.|classifiers\.proj\.\d+\."
)
"""Keys that files are known to carry beside the model."""
OURS = re.compile(r"(model\.(layers|norm)|classifiers?|(text|langs|tasks|rvq_l|proms|resps|audio)_emb|audio_decoder)\b")
"""Names that belong to the model: a tensor among them that the model lacks means another architecture."""
EIGHT_BITS = "I8"
"""A matrix may be stored in 8 bits, with a factor for each row beside it under its name and `SCALE`."""
CHUNK = 1 << 22


def plain_names(names: Mapping[str, TensorInfo]) -> dict[str, str]:
    """The file's names by the model's: old prefixes and parametrised weights are spelt as the model spells them.

    Factors of matrices in 8 bits have no name of their own.
    """
    found: dict[str, str] = {}
    for name in names:
        whole = names.get(name.removesuffix(SCALE))
        if name.endswith(SCALE) and whole is not None and whole.dtype == EIGHT_BITS:
            continue
        plain = re.sub(r"^retnet\.", "model.", name)
        plain = re.sub(r"\.parametrizations\.weight\.original$", ".weight", plain)
        if plain in found:
            raise CheckpointError(f"tensor {plain} is in the file twice", cause=f"as {found[plain]} and as {name}")
        found[plain] = name
    return found


def check_fit(
    container: Container, names: Mapping[str, str], model: nn.Module, *, optional: frozenset[str]
) -> list[str]:
    """Every parameter is there with its shape and a float type -> names of the file's tensors that the model ignores.

    Raises CheckpointError that names the first tensor that doesn't fit, with what was expected and what was found.
    """
    path, expected = container.path, model.state_dict()
    for name, parameter in expected.items():
        stored = names.get(name)
        if stored is None:
            if name in optional:
                continue
            raise CheckpointError(
                f"{path}: tensor {name} is missing",
                cause=f"expected {shape(parameter.shape)}, found nothing of that name",
            )
        info = container.tensors[stored]
        if info.shape != tuple(parameter.shape):
            raise CheckpointError(
                f"{path}: tensor {name} has the wrong shape",
                cause=f"expected {shape(parameter.shape)}, found {shape(info.shape)}",
            )
        if info.dtype == EIGHT_BITS:
            _check_scale(container, name, stored)
        elif info.dtype not in FLOATS:
            raise CheckpointError(
                f"{path}: tensor {name} has the wrong type",
                cause=f"expected one of {', '.join(sorted(FLOATS))}, found {info.dtype}",
            )
    extra = [n for n in names if n not in expected]
    for name in extra:
        if OURS.match(name) and not STRAY.match(name):
            raise CheckpointError(
                f"{path}: tensor {name} doesn't belong to any known model",
                cause=f"expected no such tensor, found {shape(container.tensors[names[name]].shape)}",
            )
    return extra


def _check_scale(container: Container, name: str, stored: str) -> None:
    """A tensor in 8 bits has a factor for each row. Raises CheckpointError."""
    rows, found = container.tensors[stored].shape[:1], container.tensors.get(f"{stored}{SCALE}")
    if found is None or found.dtype not in FLOATS or found.shape != rows:
        seen = "nothing of that name" if found is None else f"{found.dtype} {shape(found.shape)}"
        raise CheckpointError(
            f"{container.path}: tensor {name} is in 8 bits without a factor for each row",
            cause=f"expected {name}{SCALE} {shape(rows)}, found {seen}",
        )


def check_finite(path: object, name: str, values: Tensor) -> None:
    """No NaN or infinity, looked at in pieces. Raises CheckpointError."""
    flat = values.reshape(-1)
    for start in range(0, flat.numel(), CHUNK):
        piece = flat[start : start + CHUNK]
        low, high = piece.aminmax()  # NaN goes through both; ten times as quick as looking at each number
        if not math.isfinite(float(low)) or not math.isfinite(float(high)):
            place = start + int(piece.isfinite().logical_not().nonzero()[0])
            raise CheckpointError(
                f"{path}: tensor {name} holds {float(flat[place])} at position {place}",
                cause="expected finite numbers",
                try_="download the file again",
            )


def fill(
    container: Container,
    names: Mapping[str, str],
    model: nn.Module,
    *,
    device: torch.device,
    dtype: torch.dtype,
) -> None:
    """Read every parameter, check it, and put it into the model on `device`; absent optional ones are zero."""
    state: dict[str, Tensor] = {}
    with container.open() as read:
        for name, parameter in model.state_dict().items():
            if name not in names:
                state[name] = torch.zeros(parameter.shape, dtype=dtype, device=device)
                continue
            values = _floats(container, read, names[name])
            check_finite(container.path, name, values)
            state[name] = values.to(device=device, dtype=dtype).contiguous()
            if torch.finfo(dtype).max < torch.finfo(values.dtype).max:
                check_finite(container.path, f"{name} (as {dtype})", state[name])
    model.load_state_dict(state, assign=True)


def _floats(container: Container, read: TensorSource, stored: str) -> Tensor:
    """A tensor of the file; one in 8 bits as float32."""
    values = read(stored)
    if container.tensors[stored].dtype != EIGHT_BITS:
        return values
    scale = read(f"{stored}{SCALE}").float()
    return values.float() * scale.view(-1, *[1] * (values.dim() - 1))


def shape(values: tuple[int, ...] | torch.Size) -> str:
    """A shape as it is shown to users."""
    return "[" + ", ".join(map(str, values)) + "]"
