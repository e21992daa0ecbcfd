"""A language model whose tables know the codebooks: what training adds is folded away, and helps where it should."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tools.train_mini import tokens
from tools.train_mini.codec import Shape
from tools.train_mini.informed import Quantizer, folded, inform, unfolded
from tools.train_mini.language_model import Batch, LanguageModel, LanguageModelShape

SHAPE = Shape(levels=3, codebook_size=8, content=4, latent=8)


@pytest.fixture
def quantizer() -> Quantizer:
    torch.manual_seed(0)
    quantizer = Quantizer(SHAPE)
    for level in (quantizer.first, *quantizer.residual):
        level._codebook.embed.normal_()
    return quantizer


def plain_model() -> LanguageModel:
    torch.manual_seed(1)
    return LanguageModel(LanguageModelShape(16, 2, 1, SHAPE.levels, SHAPE.codebook_size, tokens.vocabulary(), True))


def batch(kind: str, level: int) -> Batch:
    """Three phonemes, two prompt frames, four response frames; the last row of the table is padding."""
    rng = np.random.default_rng(2)
    codes = torch.from_numpy(rng.integers(0, SHAPE.codebook_size, (6, SHAPE.levels)))
    index = torch.arange(9)[None]
    return Batch(
        kind, level, torch.tensor([1, 5, 2]), codes[:2], codes[2:], index, torch.arange(9)[None],
        torch.arange(5, 9), codes[2:, level],
    )  # fmt: skip


@pytest.mark.parametrize(("kind", "level"), [("ar", 0), ("nar", 1), ("nar", 2)])
def test_folded_tables_compute_the_same(quantizer: Quantizer, kind: str, level: int) -> None:
    model, plain = plain_model(), plain_model()
    inform(model, quantizer)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "map" in name or "original" in name:
                parameter.add_(torch.randn(parameter.shape) * 0.1)
    state = folded(model.state_dict())
    assert set(state) == set(plain.state_dict()), "the published names"
    plain.load_state_dict(state)
    torch.testing.assert_close(plain(batch(kind, level)).logits, model(batch(kind, level)).logits)
    assert folded(state) == state, "plain tables are left as they are"
    again = plain_model()
    inform(again, quantizer)
    again.load_state_dict(unfolded(state, again))
    torch.testing.assert_close(plain(batch(kind, level)).logits, again(batch(kind, level)).logits)


def test_a_code_teaches_the_codes_that_are_like_it(quantizer: Quantizer) -> None:
    """Two codes of one meaning: what is learned of the one is expected of the other, by an informed head alone."""
    with torch.no_grad():
        quantizer.residual[0]._codebook.embed[1] = quantizer.residual[0]._codebook.embed[0]

    def learned(model: LanguageModel) -> torch.Tensor:
        given = batch("nar", 1)
        given.targets.zero_()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(20):
            optimizer.zero_grad()
            model(given).loss.backward()
            optimizer.step()
        return model(given).logits.mean(0).detach()

    informed = plain_model()
    inform(informed, quantizer)
    logits = learned(informed)
    assert logits[1] > logits[2:].max(), "the twin of the code that was taught is next"
    logits = learned(plain_model())
    assert logits[0] - logits[1] > 0.9 * (logits[0] - logits[2:].mean()), "without a book it is like all others"


def test_embeddings_of_like_codes_are_alike_from_the_start(quantizer: Quantizer) -> None:
    model = plain_model()
    inform(model, quantizer)
    for level, table in enumerate(model.proms_emb.embeddings):
        meaning = quantizer.tables(torch.arange(SHAPE.codebook_size)[None], level)[0].T
        distances = torch.pdist(meaning)
        embedded = torch.pdist(table.weight.detach())
        assert np.corrcoef(distances.detach(), embedded)[0, 1] > 0.6, level
