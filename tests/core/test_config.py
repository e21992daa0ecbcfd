"""Where values come from: defaults < a checkpoint's advice < a YAML file < the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sites import TASK, Run, Site
from vall_e_core import Registry, Session, UsageError
from vall_e_core.run import SamplerSpec

Write = Callable[[str, str], Path]


@pytest.fixture
def shout(site: Site, run: Run) -> Callable[..., Any]:
    """The task of the test's plugin, from the command line: what reached it."""
    site.add("shouting", {"shout": "shout_plugin"}, {"shout_plugin": TASK})

    def call(*args: object, before: tuple[object, ...] = ()) -> Any:
        done = run(*before, "shout", "--json", *args)
        assert done.code == 0, done.err
        return done.json()

    return call


def test_each_source_wins_over_the_one_below(shout: Callable[..., Any], write: Write) -> None:
    file = write("run.yaml", "word: hi\nmax-words: 5\n")
    advised = shout()
    assert (advised["word"], advised["max-words"], advised["source"]) == ("hello", 7, "checkpoint")
    from_file = shout("--config", file)
    assert (from_file["word"], from_file["max-words"], from_file["source"]) == ("hi", 5, str(file))
    given = shout("--config", file, "--max-words", 0)
    assert (given["word"], given["max-words"], given["source"]) == ("hi", 0, "command line"), "0 is a value"


def test_zero_false_and_nothing_in_a_file_are_values(shout: Callable[..., Any], write: Write) -> None:
    found = shout("--config", write("run.yaml", "max-words: 0\nloud: false\nword: ''\ntop-p: 0\n"))
    assert (found["max-words"], found["loud"], found["word"]) == (0, False, "")
    assert found["flags"] == {"top-p": 0}
    assert shout("--config", write("off.yaml", "loud: false\n"), "--loud")["loud"] is True
    assert shout("--no-loud")["loud"] is False


def test_a_plain_sampler_flag_has_no_default_of_its_own(shout: Callable[..., Any], write: Write) -> None:
    assert shout()["flags"] == {"top-p": 0.7}, "what the checkpoint advises, and nothing else"
    assert shout("--config", write("run.yaml", "top_p: 0.8\n"))["flags"] == {"top-p": 0.8}
    assert shout("--config", write("run.yaml", "top_p: 0.8\n"), "--top-p", 0.9)["flags"] == {"top-p": 0.9}


CHAIN_IN_A_FILE = """
sampler:
  - repetition-penalty:1.2
  - top-p: 0.9
  - min-p: {p: 0.1}
"""


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (("--max-words", 4), "max-words: 4"),
        (("--max_words", 4), "max_words: 4"),
        (("--at-most", 4), "at-most: 4"),
        (("-m", 4), "max-words: '4'"),
        (("--no-loud",), "loud: no"),
        (("--top-k", 5, "--ar-temperature", 0.5), "top_k: 5\nar-temperature: 0.5"),
        (
            ("--sampler", "repetition-penalty:1.2", "--sampler", "top-p:0.9", "--sampler", "min-p:0.1"),
            CHAIN_IN_A_FILE,
        ),
        (("--sampler", "top-k:5"), "sampler: top-k:5"),
        (("--ar-sampler", "top-k:5"), "ar_sampler: top-k:5"),
    ],
)
def test_a_file_takes_the_same_keys_as_the_command_line(
    shout: Callable[..., Any], write: Write, flags: tuple[object, ...], text: str
) -> None:
    given, from_file = shout(*flags), shout("--config", write("run.yaml", text))
    for found in (given, from_file):
        del found["source"]
    assert given == from_file != {**shout(), "source": None}


def test_the_file_may_be_named_before_the_command_and_name_the_task(
    shout: Callable[..., Any], run: Run, write: Write
) -> None:
    file = write("run.yaml", "task: shout\nword: hi\njson: true\n")
    assert run("--config", file).json()["word"] == "hi"
    assert shout(before=("--config", file))["word"] == "hi"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("max-wrds: 3\n", "unknown key 'max-wrds'", "did you mean max-words?"),
        ("top_pp: 0.9\n", "unknown key 'top_pp'", "did you mean top-p?"),
        ("max-words: many\n", "max-words: expected a whole number, found 'many'", ""),
        ("max-words: -1\n", "max-words: must be at least 0, not -1", ""),
        ("max-words: 3\nat_most: 4\n", "is given twice, under two spellings", ""),
        ("max-words: 3\nmax-words: 4\n", "isn't valid YAML", "key 'max-words' is given twice"),
        ("sampler: [top-q]\n", "no sampler is called 'top-q'", "did you mean top-p?"),
        ("sampler: [{top-p: 0.9, top-k: 3}]\n", "expected NAME", ""),
        ("- a\n- list\n", "must contain keys and values", "one flag on each line"),
        ("word: [\n", "isn't valid YAML", ""),
        ("word: !!python/object/apply:os.getcwd []\n", "isn't valid YAML", ""),
    ],
)
def test_a_mistake_in_a_file_is_a_usage_error(
    site: Site, run: Run, write: Write, text: str, message: str, hint: str
) -> None:
    site.add("shouting", {"shout": "shout_plugin"}, {"shout_plugin": TASK})
    done = run("shout", "--config", write("run.yaml", text))
    assert done.code == 2 and done.out == ""
    assert message in done.err and hint in done.err and done.err.count("error:") == 1
    if "top-q" not in text:
        assert "run.yaml" in done.err, "it names the file"


def test_a_file_that_is_not_there_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    done = run("tts", "--config", tmp_path / "none.yaml")
    assert done.code == 2 and "no such configuration file" in done.err


def test_a_chain_in_a_higher_layer_replaces_the_lower_one(shout: Callable[..., Any], write: Write) -> None:
    file = write("run.yaml", "sampler: [top-k:5, top-p:0.9]\n")
    assert shout("--config", file)["chain"][:-1] == ["top-k:k=5", "top-p"]
    assert shout("--config", file, "--sampler", "min-p:0.2")["chain"][:-1] == ["min-p:p=0.2"]
    assert shout("--config", file, "--nar-sampler", "min-p:0.2")["chain"][:-1] == ["top-k:k=5", "top-p"]


def test_the_python_interface_merges_in_the_same_way(site: Site, write: Write) -> None:
    site.add("shouting", {"shout": "shout_plugin"}, {"shout_plugin": TASK})
    registry = Registry.load()
    file = write("run.yaml", "word: hi\nmax-words: 5\n")
    session = Session.create(registry.task("shout"), {"max_words": 0}, registry=registry, file=file)
    task: Any = session.task
    assert (task.word, task.max_words, task.loud) == ("hi", 0, True)
    assert (session.given("word"), session.given("loud")) == (True, False)
    advised: Any = session.advised({"max-words": 9, "loud": False}).task
    assert (advised.max_words, advised.loud) == (0, False), "advice counts where the user said nothing"
    again: Any = Session.create(registry.task("shout"), session.record(), registry=registry).task
    assert again == task, "a record repeats the run"
    with pytest.raises(UsageError, match="max-words"):
        session.advised({"max-words": "many"})


def test_a_sampler_spec_keeps_what_was_written() -> None:
    assert SamplerSpec.parse("top-p:0.9", "ar") == SamplerSpec("top-p", "0.9", "ar")
    assert SamplerSpec.parse({"top-p": 0.9}, None) == SamplerSpec("top-p", "0.9")
    for wrong in ("", ":0.9", 3, {"a": 1, "b": 2}, {"a": [1]}):
        with pytest.raises(ValueError, match="expected NAME"):
            SamplerSpec.parse(wrong, None)
