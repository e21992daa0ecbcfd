"""Faults of the implementation whose checkpoints are read here, none of which may come back in this one.

Most have their test where the matter is tested anyway: `ELSEWHERE` says where, and is held to be true.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from vall_e_lm import Guidance
from vall_e_lm.decode.guidance import RunningGuidance, mix, rescale
from vall_e_stt import HearingOptions
from vall_e_tts import SpeechOptions

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]

ELSEWHERE: dict[str, list[str]] = {
    "several lines and one output: the file held the last line alone": [
        "tts/test_text_in.py::test_several_lines_make_one_file_in_order",
        "tts/test_output.py::test_d5_the_files_length_is_the_sum_of_its_parts",
    ],
    "results of a batch came back in order of length": [
        "tts/test_text_in.py::test_batched_results_keep_the_order_of_the_text",
        "stt/test_stt.py::test_several_inputs_load_one_model_and_keep_their_order",
    ],
    "seed 0 was replaced by the clock, and no seed was reported": [
        "tts/test_guards.py::test_e7_seed_zero_is_a_seed",
        "tts/test_words.py::test_the_seed_is_chosen_and_printed_when_none_is_given",
    ],
    "a detected language never reached the model's condition": [
        "tts/test_text_in.py::test_b5_auto_reaches_the_models_condition",
    ],
    "references had to share a sample rate": [
        "tts/test_words.py::test_several_references_join_whatever_their_rates_and_channels",
        "audio/test_read.py::test_a11_references_of_different_rates_and_channels_are_all_accepted",
    ],
    "of a stereo reference only the left channel was heard, and more channels failed": [
        "audio/test_read.py::test_a7_one_dead_channel_does_not_halve_the_other",
        "audio/test_read.py::test_a7_more_than_two_channels_are_averaged",
        "tts/test_audio_in.py::test_a7_any_rate_and_channel_count_gives_the_same_number_of_frames",
    ],
    "a .pth file was opened as a pickle that may run anything": [
        "lm/checkpoint/test_damaged.py::test_a_pickle_runs_nothing",
        "tts/test_models.py::test_pickles_need_to_be_allowed",
        "tts/test_model_files.py::test_c1_c2_c8_nothing_in_a_file_given_as_a_model_runs_or_is_unpacked",
    ],
    "every start asked a server": [
        "tts/test_network.py::test_c6_speaking_and_transcribing_open_no_connection",
        "tts/test_network.py::test_c6_a_model_that_is_missing_is_not_fetched",
    ],
    "a download was written in place, and checked by neither length nor hash": [
        "models/test_download.py::test_a_cut_transfer_goes_on_where_it_stopped",
        "models/test_download.py::test_a_wrong_hash_leaves_nothing",
        "models/test_download.py::test_a_wrong_size_leaves_nothing",
        "models/test_download.py::test_a_killed_process_leaves_a_part_that_is_gone_on_with",
    ],
    "an empty result was a bare SyntaxError": [
        "tts/test_guards.py::test_e2_a_model_that_stops_at_once_is_tried_again_and_then_said",
    ],
    "stt heard the first sentence alone": ["stt/test_stt.py::test_all_of_a_long_recording_is_transcribed"],
    "a level could emit the stop token of another, and the next one indexed out of range": [
        "lm/test_reference.py::test_one_head_drops_what_a_target_cannot_mean",
    ],
    "filters could put the stop token out of reach": [
        "sampling/test_chain.py::test_a_starved_stop_token_can_still_be_drawn",
    ],
    "a repetition penalty rewarded negative logits, grew with each occurrence, and skipped a history of one": [
        "sampling/test_against_oracles.py::test_repetition_penalty",
        "sampling/test_against_oracles.py::test_a_repetition_penalty_never_makes_a_repeated_token_more_probable",
        "sampling/test_against_oracles.py::test_a_history_of_one_token_is_penalised",
    ],
    "penalties were written into the logits, and applied twice": [
        "sampling/test_chain.py::test_half_precision_becomes_float32_and_nothing_is_written_to",
        "authoring/test_first_party.py::test_contract",
    ],
    "a length penalty depended on the logit's sign": [
        "sampling/test_against_oracles.py::test_a_positive_length_factor_never_makes_stopping_more_probable",
    ],
    "min-p always kept 32 tokens": ["sampling/test_against_oracles.py::test_min_p_may_keep_a_single_token"],
    "dynamic temperature of a broken row": [
        "sampling/test_chain.py::test_rows_that_come_broken_go_on_with_what_is_finite",
        "sampling/test_against_oracles.py::test_dynamic_temperature_of_a_row_ignores_its_neighbours",
    ],
    "one sampler's state was shared by a whole batch": [
        "sampling/test_chain.py::test_an_utterance_sounds_the_same_in_any_batch",
        "sampling/test_state.py::test_merge_goes_row_by_row",
    ],
    "a beam kept no track of its parents": ["lm/test_cache.py::test_selected_rows_go_on_as_their_parents"],
}


def defined(path: Path) -> set[str]:
    """Names of the tests in a file."""
    return {each.name for each in ast.parse(path.read_text("utf-8")).body if isinstance(each, ast.FunctionDef)}


@pytest.mark.parametrize("fault", ELSEWHERE)
def test_each_has_its_test(fault: str) -> None:
    for place in ELSEWHERE[fault]:
        file, _, name = place.partition("::")
        assert name in defined(ROOT / "tests" / file), place


@pytest.mark.slow
def test_the_tests_that_the_documentation_names_are_there() -> None:
    named = re.findall(r"`([a-z_/]+/test_\w+\.py)::(test_\w+)`", (ROOT / "docs/reliability.md").read_text("utf-8"))
    assert len(named) > 50
    assert [each for each in named if each[1] not in defined(ROOT / "tests" / each[0])] == []


@pytest.mark.parametrize("kind", [SpeechOptions, HearingOptions])
def test_layer_skip_thresholds_take_fractions(kind: type[SpeechOptions] | type[HearingOptions]) -> None:
    """They were whole numbers with a default of 0.1."""
    given = {"layer-skip": "true", "layer-skip-entropy-threshold": "0.2", "layer-skip-varentropy-threshold": "0.35"}
    made = kind.from_mapping(given)
    assert (made.layer_skip_entropy_threshold, made.layer_skip_varentropy_threshold) == (0.2, 0.35)
    assert kind.from_mapping({}).layer_skip_entropy_threshold == 0.1


def test_requirements_are_ranges_of_published_packages() -> None:
    """There was a requirement of a git address, and one that only builds with a GPU."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    wanted += [each for extra in project["project"]["optional-dependencies"].values() for each in extra]
    wanted = [each for each in wanted if not re.fullmatch(r"vall-e\[[a-z,-]+\]", each)]  # one extra may hold another
    assert len(wanted) > 10
    for each in wanted:
        assert re.fullmatch(r"[a-zA-Z0-9._-]+(\[[a-z,-]+\])?>=[0-9][0-9.]*(,<[0-9.]+)?( *;.*)?", each), each
        assert re.split(r"[\[>]", each)[0].lower() not in ("deepspeed", "torchaudio", "bitsandbytes")


FORBIDDEN = {
    "numpy.load", "np.load", "pickle.load", "pickle.loads", "pickle.Unpickler", "yaml.unsafe_load", "yaml.full_load",
    "yaml.load_all", "marshal.loads", "shelve.open", "joblib.load", "eval", "exec", "os.system", "os.popen",
    "shutil.unpack_archive", "tarfile.open", "zipfile.ZipFile",
}  # fmt: skip


def calls() -> Iterator[tuple[str, str, dict[str, ast.expr]]]:
    """Every call in the product: where, of what (as it is spelled), with which keywords."""
    for folder in ("vall_e_core", "plugins"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call):
                    place = f"{path.relative_to(ROOT)}:{node.lineno}"
                    yield place, ast.unparse(node.func), {each.arg or "": each.value for each in node.keywords}


@pytest.mark.slow
def test_nothing_is_called_that_runs_or_unpacks_what_is_in_a_file() -> None:
    """Artifacts were read by `np.load(allow_pickle=True)` and `torch.load(weights_only=False)`."""
    seen = {"torch.load": 0, "yaml.load": 0}
    for place, name, keywords in calls():
        if name == "zipfile.ZipFile" and place.startswith("plugins/vall_e_lm/checkpoint/pickled.py"):
            continue  # it reads the list of what is in there, to refuse what unpacks to more than the file
        if name == "zipfile.ZipFile" and place.startswith("plugins/vall_e_book/archive.py"):
            continue  # an EPUB is one: members are read within limits, and never extracted
        if name in ("np.load", "numpy.load") and "allow_pickle" in keywords:
            assert ast.unparse(keywords["allow_pickle"]) == "False", place
            continue
        assert name not in FORBIDDEN, f"{place}: {name}"
        assert "shell" not in keywords, place
        if name in seen:
            seen[name] += 1
        if name == "torch.load":
            assert ast.unparse(keywords["weights_only"]) == "True", place
    assert seen["torch.load"] > 0


def test_every_yaml_loader_is_the_safe_one() -> None:
    for folder in ("vall_e_core", "plugins"):
        for path in (ROOT / folder).rglob("*.py"):
            for name in re.findall(r"\byaml\.(\w*Loader)\b", path.read_text("utf-8")):
                assert name in ("SafeLoader", "CSafeLoader"), path


def test_guidance_measures_each_utterance_by_itself_and_writes_to_nothing() -> None:
    """One spread was taken over the whole batch, and guidance relied on logits written in place."""
    stream = torch.Generator().manual_seed(0)
    conditional = torch.randn(2, 5, 9, generator=stream) * torch.tensor([1.0, 20.0])[:, None, None]
    unconditional = torch.randn(2, 5, 9, generator=stream)
    before = conditional.clone(), unconditional.clone()
    guidance = Guidance(3.0, 0.7)
    both = RunningGuidance(guidance, 2, torch.device("cpu")).apply(conditional, unconditional)
    for row in range(2):
        alone = RunningGuidance(guidance, 1, torch.device("cpu"))
        assert torch.allclose(both[row], alone.apply(conditional[row, None], unconditional[row, None])[0], atol=1e-5)
        whole = rescale(mix(conditional[row], unconditional[row], 3.0), conditional[row], 0.7, (0, 1))
        assert torch.allclose(both[row], whole[-1], atol=1e-4)
    assert torch.equal(conditional, before[0]) and torch.equal(unconditional, before[1])
