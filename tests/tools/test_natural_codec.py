"""The recipe for natural speech: speakers, phone times, variations, and the codec whose first level carries phones."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import vall_e_mini
from tools.train_mini import codec, encode, probe, teacher, vocoder
from tools.train_mini.augment import LEVEL, Variation, disturbed, draw, leveled, varied
from tools.train_mini.config import Config, ModelConfig, StageConfig, TeacherConfig
from tools.train_mini.corpus import Corpus
from tools.train_mini.export import write_codec
from tools.train_mini.kokoro import merged, trimmed
from tools.train_mini.model import Sampler
from vall_e_core import BuildContext

SHAPE = codec.Shape(
    levels=3, codebook_size=8, content=4, latent=8, content_width=8, content_layers=1, width=8, encoder_layers=1,
    decoder_layers=1, vocoder_width=8, vocoder_layers=1,
)  # fmt: skip
SR = SHAPE.sample_rate


def tone(hertz: float, seconds: float) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * SR)) / SR)).astype(np.float32)


def peak(wave: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(wave * np.hanning(len(wave)))).argmax() * SR / len(wave))


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A corpus of two utterances: a tone that is `A` for a second and then `s`, and one without phone times."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    waves = [np.concatenate([tone(220, 1.0), tone(3000, 1.0)]), tone(300, 1.5)]
    phones = {"phones": [["", 0.0], ["ˈ", 0.2], ["A", 1.0], ["s", 2.0]]}
    lines, start = [], 0
    for wave, extra in zip(waves, (phones, {}), strict=True):
        lines.append({"speaker": "x", "text": "a", "ipa": "a", "start": start, "samples": len(wave), **extra})
        start += len(wave)
    (folder / "000.i16").write_bytes((np.concatenate(waves) * 32767).astype("<i2").tobytes())
    (folder / "000.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    (tmp_path / "voices").mkdir()
    held_out = ["af_bella", "af_nicole", "am_fenrir", "bf_emma", "bm_george"]
    for name in (
        "af_heart",
        "af_sky",
        "am_adam",
        "am_echo",
        "bf_alice",
        "bf_lily",
        "bm_lewis",
        "bm_fable",
        "ef_dora",
        *held_out,
    ):
        (tmp_path / "voices" / f"{name}.bin").write_bytes(b"")
    return tmp_path


def test_the_voices_that_are_measured_with_are_never_spoken_or_mixed(voices: Path) -> None:
    everyone = teacher.speakers(voices, TeacherConfig(mixtures=60))
    names = {name for each in everyone for name, _ in each.weights}
    assert names == {path.stem for path in (voices / "voices").iterdir()} - teacher.HELD_OUT - teacher.LEFT_OUT
    assert len(everyone) == 8 + 60 and len({each.name for each in everyone}) == len(everyone)
    assert all(sum(w for _, w in each.weights) == pytest.approx(1.0) for each in everyone)
    assert everyone == teacher.speakers(voices, TeacherConfig(mixtures=60)), "the same seed, the same speakers"


def test_a_mixture_speaks_with_the_accent_of_its_weightiest_voice() -> None:
    assert teacher.mixture({"bf_alice": 0.6, "am_adam": 0.4}).british
    assert not teacher.mixture({"bf_alice": 0.4, "am_adam": 0.6}).british


def test_what_is_said_is_trimmed_with_its_times() -> None:
    wave = np.concatenate([np.zeros(SR), tone(200, 0.5), np.zeros(SR)])
    said = trimmed(wave, ["a", "b"], np.array([SR, 1.25 * SR, 1.5 * SR, 2.5 * SR]))
    assert said is not None and len(said.wave) / SR == pytest.approx(0.65, abs=0.01)
    assert [name for name, _ in said.phones] == ["", "a", "b", ""]
    assert [end for _, end in said.phones] == pytest.approx([0.05, 0.3, 0.55, 0.65], abs=0.01)
    assert trimmed(np.zeros(SR, np.float32), ["a"], np.array([0, 1, 2])) is None


def test_marks_and_short_blanks_belong_to_the_phones_beside_them() -> None:
    phones = [("", 0.1), ("ˈ", 0.15), ("A", 0.3), (" ", 0.33), ("s", 0.5), (",", 0.8), ("t", 0.9)]
    assert merged(phones) == [("", 0.1), ("A", 0.33), ("s", 0.5), ("", 0.8), ("t", 0.9)]


def test_a_faster_recording_is_shorter_and_higher() -> None:
    made = varied(tone(400, 2.0), Variation(speed=1.25), SR, 600)
    assert len(made) == pytest.approx(2.0 * SR / 1.25, abs=3) and peak(made) == pytest.approx(500, abs=3)


def test_a_telephone_has_no_treble() -> None:
    both = tone(1000, 1.0) + tone(6000, 1.0)
    spectrum = np.abs(np.fft.rfft(varied(both, Variation(high=3400.0), SR, 600)))
    assert spectrum[6000] < 0.01 * spectrum[1000]


def test_recordings_are_leveled_where_somebody_speaks() -> None:
    quiet = np.concatenate([np.zeros(SR, np.float32), 0.01 * tone(200, 1.0)])
    made = leveled(quiet, 600)
    assert np.sqrt((made[SR:] ** 2).mean()) == pytest.approx(LEVEL, rel=0.02)
    assert leveled(np.zeros(SR, np.float32), 600).max() == 0.0


def test_variations_and_noises_are_of_every_kind() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw(rng, SR) for _ in range(300)]
    assert 0.4 < np.mean([each.speed == 1.0 for each in drawn]) < 0.6
    assert any(each.high < 4000 for each in drawn) and any(each.high == SR / 2 for each in drawn)
    wave = tone(300, 0.5)
    heard = [disturbed(wave, rng, SR) for _ in range(60)]
    untouched = np.mean([np.array_equal(each, wave) for each in heard])
    assert 0.4 < untouched < 0.7 and all(len(each) == len(wave) and np.isfinite(each).all() for each in heard)


def test_labels_follow_the_phones_through_cuts_and_variations(run_dir: Path) -> None:
    """Wherever the tone is low the label is `A`, wherever it is high it is `s`, at every speed."""
    corpus, rng = Corpus(run_dir), np.random.default_rng(1)
    seen = set()
    for _ in range(10):
        batch = codec.cuts(corpus, SHAPE, 4, 8, rng)
        assert batch.heard.shape == batch.target.shape == batch.other.shape == (4, 8 * SHAPE.frame_samples)
        for wave, labels in zip(batch.target.numpy(), batch.phones.numpy(), strict=True):
            for frame in range(8):
                piece = wave[frame * SHAPE.frame_samples : (frame + 1) * SHAPE.frame_samples]
                first, second = labels[:, frame]
                if first != second or first < 0 or np.abs(piece).max() < 1e-3:
                    continue
                crossings = np.count_nonzero(np.diff(np.signbit(piece))) * SR / len(piece) / 2
                seen.add(int(first))
                assert (crossings > 1000) == (first == codec.IDS["s"])
    assert seen == {codec.IDS["A"], codec.IDS["s"]}


def test_bands_are_stretched_and_nothing_else() -> None:
    torch.manual_seed(0)
    mel = torch.linspace(0, 1, 20)[None, :, None].expand(6, 20, 3).clone()
    made = codec.warped(mel, 0.2)
    assert made.shape == mel.shape
    assert torch.equal(made[:, :, 0], made[:, :, 2]), "time is left alone"
    slopes = made[:, 5, 0] / mel[:, 5, 0]
    assert slopes.min() < 0.97 and slopes.max() > 1.03 and (slopes - 1).abs().max() <= 0.2001


def test_codes_decode_to_the_sum_of_their_levels() -> None:
    torch.manual_seed(0)
    encoder = codec.Encoder(SHAPE)
    with torch.no_grad():
        for level in (encoder.quantizer.first, *encoder.quantizer.rest):
            level._codebook.embed.copy_(torch.randn_like(level._codebook.embed))
            level._codebook.inited.fill_(1.0)
        codes = encoder.eval().encode(torch.randn(2, 7 * SHAPE.frame_samples) * 0.1)
        assert codes.shape == (2, 7, SHAPE.levels)
        whole = encoder.quantizer.decode(codes)
        parts = sum(encoder.quantizer.tables(codes[..., i], i) for i in range(SHAPE.levels))
        torch.testing.assert_close(whole, parts)
        torch.testing.assert_close(encoder.quantizer.decode(codes[..., :1]), encoder.quantizer.tables(codes[..., 0], 0))


@pytest.mark.once
@pytest.mark.slow
def test_both_stages_train_and_go_on(run_dir: Path) -> None:
    stage = StageConfig(minutes=0.02, batch=2, frames=6, save_every=1000.0, warmup=2, adversarial_from=0.0)
    config = Config(codec=SHAPE, codec_training=stage, vocoder_training=stage)
    codec.run(config, run_dir)
    first = torch.load(run_dir / "codec.pt", weights_only=True)
    assert first["step"] > 0 and all(torch.isfinite(v).all() for v in first["network"].values())
    vocoder.run(config, run_dir)
    made = torch.load(run_dir / "vocoder.pt", weights_only=True)
    assert made["step"] > 0 and all(torch.isfinite(v).all() for v in made["average"].values())
    codec.run(config, run_dir)
    assert torch.load(run_dir / "codec.pt", weights_only=True)["step"] == first["step"], "the time is used up"


def test_the_codes_of_every_voice_go_to_the_language_model(run_dir: Path) -> None:
    """Each utterance is encoded as it is and in one other voice; what was disturbed is never a target."""
    torch.manual_seed(0)
    trainer = codec.CodecTrainer(SHAPE)
    for level in (trainer.encoder.quantizer.first, *trainer.encoder.quantizer.rest):
        level._codebook.embed.normal_()
        level._codebook.inited.fill_(1.0)
    values = {"network": trainer.state_dict(), "shape": json.dumps(asdict(SHAPE))}
    torch.save(values, run_dir / "codec.pt")
    encode.run(Config(codec=SHAPE), run_dir)
    corpus = encode.EncodedCorpus(run_dir)
    targets = [item for item in corpus.items if not item["prompt_only"]]
    assert [item["speaker"] == "x" for item in targets] == [True, False, True, False]
    assert len(corpus.codes(0)) == 80 and corpus.codes(0).shape[1] == SHAPE.levels
    variations = dict(encode.variations("x", SR))
    other = next(i for i, item in enumerate(corpus.items) if item["speaker"] != "x")
    assert len(corpus.codes(other)) == pytest.approx(80 / variations[corpus.items[other]["speaker"]].speed, abs=1.5)
    corpus.items = [{**item, "prompt_only": i == 1} for i, item in enumerate({**targets[0]} for _ in corpus.items)]
    sampler = Sampler(corpus, ModelConfig(), SHAPE.frame_rate, SHAPE.levels, SHAPE.codebook_size)
    assert 1 not in sampler.ids and 1 not in sampler.speakers["x"] and 1 in sampler.prompts["x"]


def test_the_product_reads_the_file_and_makes_the_codes_that_were_trained_on(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Encoded with the weights in 8 bits on both sides; decoded in windows as well as whole."""
    monkeypatch.setattr(vall_e_mini, "DATA", run_dir)
    torch.manual_seed(0)
    trainer, decoder = codec.CodecTrainer(SHAPE), vocoder.Vocoder(SHAPE)
    for level in (trainer.encoder.quantizer.first, *trainer.encoder.quantizer.rest):
        level._codebook.embed.normal_()
        level._codebook.inited.fill_(1.0)
    for each in decoder.parameters():
        nn.init.normal_(each, std=0.3)
    shape = json.dumps(asdict(SHAPE))
    torch.save({"network": trainer.state_dict(), "shape": shape}, run_dir / "codec.pt")
    encode.run(Config(codec=SHAPE), run_dir)
    corpus, wave = encode.EncodedCorpus(run_dir), torch.from_numpy(Corpus(run_dir).wave(0).copy())
    write_codec(run_dir / "codec.safetensors", SHAPE, trainer.state_dict(), decoder.state_dict())

    random = torch.get_rng_state()
    product = vall_e_mini.MiniCodec().build(BuildContext())
    assert torch.equal(torch.get_rng_state(), random), "weights that are read aren't drawn first"
    assert (product.sample_rate, product.frame_rate, product.levels, product.codebook_size) == (24_000, 40.0, 3, 8)
    codes = product.encode(wave)
    np.testing.assert_array_equal(codes.numpy(), corpus.codes(0))
    whole = product.decode(codes)
    assert whole.shape == (len(codes) * SHAPE.frame_samples,) and whole.abs().max() > 0
    around, at = product.context_frames, 30
    window = product.decode(codes[at - around : at + 5 + around])[around * SHAPE.frame_samples :]
    wanted = whole[at * SHAPE.frame_samples : (at + 5) * SHAPE.frame_samples]
    torch.testing.assert_close(window[: len(wanted)], wanted, atol=1e-5, rtol=1e-5)

    before = product.code_books_sha256
    with torch.no_grad():
        trainer.encoder.quantizer.lift.bias += 1.0
    write_codec(run_dir / "codec.safetensors", SHAPE, trainer.state_dict(), decoder.state_dict())
    assert vall_e_mini.MiniCodec().build(BuildContext()).code_books_sha256 != before, "codes mean something else"
    vocoder_alone = {k: v for k, v in trainer.state_dict().items() if "content" not in k}
    with pytest.raises(ValueError, match=r"lack encoder\.content"):
        write_codec(run_dir / "codec.safetensors", SHAPE, vocoder_alone, decoder.state_dict())


def test_a_probe_tells_what_is_there_and_nothing_else() -> None:
    torch.manual_seed(0)
    made = torch.Generator().manual_seed(1)
    targets = torch.arange(200) % 5
    asked = torch.arange(200) % 4 == 0
    noise = torch.randn(200, 8, generator=made)
    assert probe.told(noise + 4 * nn.functional.one_hot(targets, 8), targets, asked) > 0.95
    assert probe.told(noise, targets, asked) < 0.45, "guessing gives 0.2"


@pytest.mark.slow
def test_the_codec_is_probed_level_by_level(run_dir: Path) -> None:
    torch.manual_seed(0)
    encoder = codec.Encoder(SHAPE).eval()
    for level in (encoder.quantizer.first, *encoder.quantizer.rest):
        level._codebook.embed.normal_()
        level._codebook.inited.fill_(1.0)
    found = probe.probe(encoder, Corpus(run_dir), SHAPE.frame_rate)
    assert list(found) == [
        "phones", "speaker_chance", *(f"speaker_{level}" for level in range(SHAPE.levels)), "speaker_all",
    ]  # fmt: skip
