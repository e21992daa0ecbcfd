"""Embeddings and heads that know the codebooks: codes that sound alike begin alike, so that few examples teach many.

A table of the model is `free + book @ map` while it is trained: `book` holds what each code means (the codec's own
vectors, frozen), `map` is shared by all codes of a level. `folded` makes plain tables of them, which is what the
published format has.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from vall_e_mini.networks import Quantizer

from .language_model import LanguageModel

EMBEDDED = 0.5
"""Standard deviation of an embedding's elements, as those that know no codebook have."""
FREE = 0.1
"""The same of the part that belongs to one code alone, at first."""
HEARD = 0.5
"""Size of the books that heads know: what is shared learns this much faster or slower than what isn't."""
ORIGINAL, MAP, BOOK = (f".parametrizations.weight.{name}" for name in ("original", "0.map", "0.book"))


class Informed(nn.Module):
    """Adds what the codes mean to a table [rows, width]; rows beyond the codebook (the stop token) get nothing."""

    def __init__(self, book: Tensor, rows: int, start: Tensor) -> None:
        """`book` [codes, D], `start` [D, width]: the first map."""
        super().__init__()
        size = math.sqrt(book.shape[1])  # so that a step of Adam moves a table no more than one without a book
        self.register_buffer("book", nn.functional.pad(book / size, (0, 0, 0, rows - len(book))))
        self.map = nn.Parameter(start * size)

    def forward(self, free: Tensor) -> Tensor:
        """[rows, width] -> [rows, width]."""
        return torch.addmm(free, self.book, self.map)


@torch.no_grad()
def books(quantizer: Quantizer) -> list[Tensor]:
    """What the codes of each level mean [codes, D]: latents, in units of level 1's; level 0 also has its own space."""
    content = quantizer.first.codebook
    latents = [quantizer.lift(content), *(level.codebook for level in quantizer.residual)]
    unit = latents[1].std()
    own = (content - content.mean(0)) / content.std()
    return [torch.cat([own, latents[0] / unit], 1), *(each / unit for each in latents[1:])]


@torch.no_grad()
def inform(model: LanguageModel, quantizer: Quantizer) -> None:
    """Let the audio tables and heads of a fresh model know the codebooks."""
    known, width = books(quantizer), model.shape.width
    generator = torch.Generator().manual_seed(0)
    deep = known[0].shape[1]
    turn = torch.linalg.qr(torch.randn(max(deep, width), max(deep, width), generator=generator))[0]
    turn = turn[:deep, :width] * EMBEDDED * math.sqrt(width / deep)
    latent = known[1].shape[1]
    for tables in (model.proms_emb, model.resps_emb):
        for index, table in enumerate(tables.embeddings):
            level = index if tables is model.proms_emb else max(0, index - 1)
            start = turn if level == 0 else turn[deep - latent :]
            kind = torch.randn(width, generator=generator) * EMBEDDED  # tells the tables of one code from each other
            table.weight.copy_(table.weight * (FREE / EMBEDDED) + kind)
            _register(table, known[level], start)
    for level, head in enumerate(model.classifiers.proj[: len(known)]):
        book = (known[level] - known[level].mean(0)) / known[level].std() * HEARD
        _register(head, book, torch.zeros(book.shape[1], width))


def _register(module: nn.Module, book: Tensor, start: Tensor) -> None:
    rows = len(module.get_parameter("weight"))
    parametrize.register_parametrization(module, "weight", Informed(book, rows, start))


def folded(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict with plain tables; one that has none but plain ones is returned as it is."""
    found = {name: value for name, value in state.items() if not name.endswith((ORIGINAL, MAP, BOOK))}
    for name in (name for name in state if name.endswith(ORIGINAL)):
        base = name.removesuffix(ORIGINAL)
        found[f"{base}.weight"] = state[name] + state[base + BOOK] @ state[base + MAP]
    return found


def unfolded(plain: dict[str, Tensor], model: LanguageModel) -> dict[str, Tensor]:
    """The state of an informed model that computes what plain tables do."""
    state = model.state_dict()
    found = {name: plain.get(name, value) for name, value in state.items()}
    for name in (name for name in state if name.endswith(ORIGINAL)):
        base = name.removesuffix(ORIGINAL)
        found[name] = plain[f"{base}.weight"] - state[base + BOOK] @ state[base + MAP]
    return found
