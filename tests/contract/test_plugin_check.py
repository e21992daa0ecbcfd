"""`vall-e plugins check` on samplers whose parameters have no defaults."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from vall_e_authoring.check import check


@pytest.mark.parametrize("name", ["constraints", "hf"])
def test_a_required_parameter_is_no_fault_where_an_instance_can_be_made(name: str) -> None:
    assert [(each.subject, each.problems) for each in check(name) if each.problems] == []


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
