"""`vall-e plugins check` on samplers whose parameters have no defaults."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from vall_e_authoring import check
from vall_e_core.cli import main


@pytest.mark.slow
@pytest.mark.parametrize("name", ["constraints", "hf"])
def test_a_required_parameter_is_no_fault_where_an_instance_can_be_made(name: str) -> None:
    assert [(each.subject, each.problems) for each in check(name) if each.problems] == []


@pytest.mark.slow
def test_a_required_parameter_that_nothing_is_known_of_needs_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = textwrap.dedent('''
        from dataclasses import dataclass
        from vall_e_core import Sampler, hookimpl, param

        @dataclass(frozen=True)
        class Named(Sampler):
            """Needs text that nobody can guess."""
            name = "named"
            role = "selector"
            text: str = param(help="any text")
            EXAMPLES

            def build(self, ctx):
                from vall_e_core.sampling import GreedySelector
                return GreedySelector()

        @hookimpl
        def vall_e_samplers():
            return [Named]
    ''')
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, examples, said in (
        ("named_without", "", ("no default for text",)),
        ("named_with", "examples = ({'text': 'a'},)", ()),
    ):
        (tmp_path / f"{name}.py").write_text(text.replace("EXAMPLES", examples))
        _, report = check(name)
        sys.modules.pop(name)
        assert report.problems == said


FAULTY = '''
from dataclasses import dataclass
from vall_e_core import Codec, ModelError, Phonemizer, hookimpl

@dataclass(frozen=True)
class Missing(Codec):
    """A codec whose weights are elsewhere."""
    name = "missing"

    def build(self, ctx):
        raise ModelError("its weights aren't on this machine", try_="fetch them")

@dataclass(frozen=True)
class Mute(Phonemizer):
    """Says nothing."""
    name = "mute"

    def build(self, ctx):
        return object()

@hookimpl
def vall_e_codecs():
    return [Missing]

@hookimpl
def vall_e_phonemizers():
    return [Mute]
'''


@pytest.mark.slow
def test_every_kind_with_a_suite_is_put_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "faulty.py").write_text(FAULTY)
    try:
        _, missing, mute = check("faulty")
        assert main(["plugins", "check", "faulty"]) == 4
    finally:
        del sys.modules["faulty"]
    untried = "missing can't be built on this machine: its weights aren't on this machine (fetch them)"
    assert (missing.problems, missing.note) == ((), untried)
    assert any("has no method `phonemize`" in each for each in mute.problems)
    out = capsys.readouterr().out
    assert f"ok   codec missing\n     - not tried: {untried}\nFAIL phonemizer mute\n" in out
