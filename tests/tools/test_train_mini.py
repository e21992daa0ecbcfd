"""The recipe of the embedded voice: what is trained is what the product computes with."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tools.train_mini import tokens
from tools.train_mini.config import Config, ModelConfig, build
from tools.train_mini.export import write_model
from tools.train_mini.language_model import LanguageModel, LanguageModelShape
from tools.train_mini.model import Sampler
from vall_e_lm import Inputs, Target, load_model
from vall_e_lm.model import pad
from vall_e_tensors import eight_bits

ROOT = Path(__file__).parents[2]
LEVELS, CODES, RATE = 3, 16, 31.25
IPA = ("ðə bˈɜːtʃ kənˈuː", "hˈaɪ.", "slˈɪd ˌɔn ðə plˈæŋks?", "nˈoʊ, nˈoʊ!")


class Codes:
    """A corpus without audio: random codes of four utterances of one speaker."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._codes = [rng.integers(0, CODES, (n, LEVELS)).astype(np.uint16) for n in (40, 33, 60, 37)]
        self.items = [{"speaker": "a", "ipa": ipa} for ipa in IPA]

    def __len__(self) -> int:
        return len(self.items)

    def codes(self, i: int) -> np.ndarray:
        """[T, Q]."""
        return self._codes[i]


@pytest.fixture(scope="module", params=[False, True], ids=["prompt below", "whole prompt"])
def trained(request: pytest.FixtureRequest) -> LanguageModel:
    torch.manual_seed(0)
    model = LanguageModel(LanguageModelShape(32, 2, 2, LEVELS, CODES, tokens.vocabulary(), request.param))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_((torch.randn(parameter.shape) * 0.3).half())  # what half precision keeps
    return model.eval()


def in_8_bits(model: LanguageModel) -> LanguageModel:
    """The model with its matrices rounded as its file holds them."""
    rounded = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in rounded.parameters():
            if parameter.dim() == 2:
                codes, scale = eight_bits(parameter)
                parameter.copy_(codes.float() * scale.float()[:, None])
    return rounded


@pytest.mark.parametrize("kind", ["ar", "nar", "stt"])
def test_the_exported_file_computes_what_was_trained(
    trained: LanguageModel, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(tmp_path / "m.sft", trained.shape, trained.state_dict(), {"global_step": 7}, {"ar-temp": 0.5})
    loaded = load_model(tmp_path / "m.sft")
    assert loaded.codec == "mini" and loaded.advice == {"ar-temp": 0.5} and loaded.tokenizer is not None
    corpus = Codes()
    sampler = Sampler(corpus, ModelConfig(), RATE, LEVELS, CODES)
    prompts = [corpus.codes(i)[:12].astype(np.int64) for i in range(len(corpus))]
    monkeypatch.setattr(sampler, "prompt", lambda i, wanted, rng: prompts[i - 1])
    written = in_8_bits(trained)
    for seed in range(3):
        items = [(1,), (2, 3), (3, 1, 2)]
        batch = sampler.batch(kind, items, np.random.default_rng(seed))
        with torch.inference_mode():
            logits = written(batch).logits
        target = Target("nar", batch.level) if kind == "nar" else Target(kind)  # type: ignore[arg-type]
        sequences = []
        for item in items:
            phonemes = torch.tensor(tokens.encode(" ".join(IPA[i] for i in item)))
            codes = torch.from_numpy(np.concatenate([corpus.codes(i) for i in item]).astype(np.int64))
            if kind == "stt":
                inputs = Inputs(response=codes, tokens=phonemes[:-1])
            else:
                response = codes[:, 0] if kind == "ar" else codes[:, : batch.level]
                inputs = Inputs(phonemes, None, torch.from_numpy(prompts[item[0] - 1]), response)
            sequences.append(loaded.model.embed(inputs, target))
        embeds, positions, lengths = pad(sequences)
        with torch.inference_mode():
            hidden = loaded.model(embeds, positions, causal=loaded.model.causal(target), lengths=lengths)
            rows = torch.cat([hidden[n, s.output_rows][kind == "stt" :] for n, s in enumerate(sequences)])
            ours = loaded.model.logits(rows, target)
        torch.testing.assert_close(ours, logits, rtol=1e-4, atol=1e-4)


def test_transcription_learns_with_fewer_levels_too(trained: LanguageModel) -> None:
    sampler = Sampler(Codes(), ModelConfig(), RATE, LEVELS, CODES)
    batch = sampler.batch("stt", [(1,)], np.random.default_rng(0))
    model = copy.deepcopy(trained)
    torch.manual_seed(0)
    with torch.inference_mode():
        whole = {float(model.eval()(batch).loss) for _ in range(20)}
        training = {float(model.train()(batch).loss) for _ in range(40)}
    assert len(whole) == 1 and whole < training and len(training) == LEVELS - 1


@pytest.mark.parametrize("ipa", IPA)
def test_the_product_spells_as_the_recipe_does(trained: LanguageModel, ipa: str, tmp_path: Path) -> None:
    write_model(tmp_path / "m.sft", trained.shape, trained.state_dict(), {}, {})
    tokenizer = load_model(tmp_path / "m.sft").tokenizer
    assert tokenizer is not None
    assert list(tokenizer.encode(ipa)) == tokens.encode(ipa)
    assert tokens.decode(tokens.encode(ipa)) == ipa


def test_nothing_that_is_measured_on_is_trained_on() -> None:
    from tools.train_mini.corpus import forbidden_sentences
    from tools.train_mini.text import normalise
    from vall_e_eval.material import PACKAGED

    lines = PACKAGED.read_text("utf-8").splitlines()[1:]
    assert len(lines) == 120
    kept = forbidden_sentences(PACKAGED)
    assert all(normalise(line.split("\t")[-1]) in kept for line in lines)


def test_a_run_is_configured_by_known_keys() -> None:
    config = build(Config, {"model": {"width": 64}, "codec": {"levels": 4}})
    assert config.model.width == 64 and config.codec.levels == 4 and config.model.layers == Config().model.layers
    with pytest.raises(ValueError, match="ModelConfig has no wdith"):
        build(Config, {"model": {"wdith": 64}})


def test_the_configurations_of_shipped_runs_can_be_used_again(tmp_path: Path) -> None:
    from tools.train_mini.config import load

    kept = sorted((ROOT / "tools" / "train_mini" / "runs").glob("*.yaml"))
    assert kept
    for path in kept:
        (tmp_path / "config.yaml").write_text(path.read_text("utf-8"), "utf-8")
        assert load(tmp_path) != Config(), path.name


@pytest.mark.slow
def test_logs_become_a_picture(tmp_path: Path) -> None:
    from tools.train_mini.plot import curves, run

    with pytest.raises(FileNotFoundError, match="no log yet"):
        run(Config(), tmp_path)
    lines = ['{"step": 50, "seconds": 60.0, "ar": 2.0}', '{"step": 100, "seconds": 120.0, "ar": 1.5}', '{"step": 1']
    (tmp_path / "model.jsonl").write_text("\n".join(lines))
    assert curves(tmp_path / "model.jsonl") == {"ar": ([1.0, 2.0], [2.0, 1.5])}
    run(Config(), tmp_path)
    assert (tmp_path / "training.png").read_bytes()[:4] == b"\x89PNG"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.jsonl", "training.png"]


@pytest.mark.slow
def test_a_run_may_begin_with_the_shipped_weights(tmp_path: Path) -> None:
    """Encoder and language model come back as they were exported, so training goes on where the wheel stopped."""
    from tools.train_mini import start
    from tools.train_mini.codec import load_encoder
    from tools.train_mini.export import DATA
    from tools.train_mini.informed import folded, inform
    from tools.train_mini.training import restore
    from vall_e_core import BuildContext
    from vall_e_mini.codec import load

    start.run(Config(), tmp_path)
    state = restore(tmp_path / "model.pt", "cpu")
    assert state is not None
    shape = LanguageModelShape(**json.loads(state["shape"]))
    model = LanguageModel(shape)
    encoder, _ = load_encoder(tmp_path)
    inform(model, encoder.quantizer)
    model.load_state_dict(state["network"])
    shipped = load_model(DATA / "model.sft")
    assert shape.whole_prompt == shipped.config.whole_prompt
    weights = shipped.model.state_dict()
    for name, value in folded(model.state_dict()).items():
        torch.testing.assert_close(value, weights[name].float(), atol=1e-5, rtol=1e-4)
    wave = torch.randn(1, 8 * Config().codec.frame_samples) * 0.05
    product = load(DATA / "codec.safetensors", BuildContext())._network
    with torch.inference_mode():
        assert torch.equal(encoder.encode(wave), product.encode(wave))
    before = (tmp_path / "model.pt").read_bytes()
    start.run(Config(), tmp_path)
    assert (tmp_path / "model.pt").read_bytes() == before
