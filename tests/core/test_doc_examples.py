"""Every example on the pages is run: console blocks command by command, Python blocks as they stand.

The commands of a page run in one folder, in order, as a reader would type them. What can't run here is marked on the
page, above its block, with the reason:

    <!-- not run: downloads gigabytes -->        the whole block
    <!-- not run 2-4, 6: installs packages -->   these lines of it
"""

from __future__ import annotations

import ast
import glob
import inspect
import random
import re
import secrets
import shlex
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from books import make_epub
from vall_e_core import kinds
from vall_e_core.cli import main
from vall_e_core.sampling import protocols as sampling_protocols

ROOT = Path(__file__).parents[2]
SOFT_CAP = ROOT / "tests" / "distributions" / "vall-e-soft-cap"
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in (
        ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md",
        ROOT / "tools" / "train_mini" / "README.md", *(ROOT / "docs").rglob("*.md"),
    )
)  # fmt: skip
NOT_RUN = {
    "README.md": 7, "CONTRIBUTING.md": 8, "benchmarks/README.md": 4, "docs/evaluation.md": 13,
    "docs/book.md": 1, "docs/cluster.md": 4, "docs/get-started.md": 6, "docs/performance.md": 6, "docs/serve.md": 10,
    "docs/writing-plugins.md": 4, "tools/train_mini/README.md": 11,
}  # fmt: skip
"""How many commands are marked on each page; a new one is a decision."""
BLOCK = re.compile(
    r"(?:^<!-- not run(?: (?P<lines>\d[\d, -]*))?: (?P<reason>[^\n]*) -->\n)?"
    r"^```(?P<language>console|sh|bash|python)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Command:
    """One line behind a `$`, the lines that are shown below it, and why it isn't run here, if it isn't."""

    page: str
    text: str
    shown: tuple[str, ...]
    reason: str | None


def numbers(lines: str | None, count: int) -> set[int]:
    """`2-4, 6` as a set; every line where nothing is said."""
    if lines is None:
        return set(range(1, count + 1))
    spans = [span.strip().partition("-") for span in lines.split(",")]
    return {number for first, _, last in spans for number in range(int(first), int(last or first) + 1)}


def commands(page: str) -> list[Command]:
    found: list[Command] = []
    for block in BLOCK.finditer((ROOT / page).read_text("utf-8")):
        if block["language"] == "python":
            continue
        body: str = block["body"]
        if block["language"] != "console":
            body = "".join(f"$ {line}\n" for line in body.splitlines())
        pieces = re.split(r"^\$ ?", body, flags=re.MULTILINE)
        assert not pieces[0].strip(), f"{page}: output without a command"
        lines = [piece.splitlines() for piece in pieces[1:] if piece.strip()]
        marked = numbers(block["lines"], len(lines)) if block["reason"] is not None else set()
        assert marked <= set(range(1, len(lines) + 1)), f"{page}: there is no such line to mark"
        found += [
            Command(page, text, tuple(shown), block["reason"] if number in marked else None)
            for number, (text, *shown) in enumerate(lines, 1)
        ]
    return found


COMMANDS = {page: commands(page) for page in PAGES}


def test_what_is_not_run_is_marked_with_a_reason_and_counted() -> None:
    found: Counter[str] = Counter()
    for page, listed in COMMANDS.items():
        text = (ROOT / page).read_text("utf-8")
        marks = [block["reason"] for block in BLOCK.finditer(text) if block["reason"] is not None]
        assert text.count("<!-- not run") == len(marks), f"{page}: a mark that isn't above a block"
        assert all(len(reason.split()) >= 2 for reason in marks), f"{page}: a mark without a reason"
        for folder in re.findall(r"\btests/\w+/", " ".join(marks)):
            assert list((ROOT / folder).glob("test_*.py")), folder
        found[page] += sum(each.reason is not None for each in listed)
    assert {page: count for page, count in found.items() if count} == NOT_RUN


class Installed:
    """What `vall_e_soft_cap` and `my_module` would be after an installation, on `sys.path`."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(SOFT_CAP / "vall_e_soft_cap", folder / "vall_e_soft_cap")
        info = folder / "vall_e_soft_cap-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vall-e-soft-cap\nVersion: 0.1.0\n")
        (info / "entry_points.txt").write_text("[vall_e]\nsoft-cap = vall_e_soft_cap\n")
        (folder / "my_module.py").write_text(
            "class MyProcessor:\n    def __call__(self, input_ids, scores):\n        return scores * 2\n"
        )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with what the examples name, and packages as if they were installed."""
    site, folder = tmp_path / "site", tmp_path / "work"
    site.mkdir()
    Installed(site)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("VALL_E_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("VALL_E_VOICES", str(tmp_path / "voices"))
    monkeypatch.setenv("VALL_E_OFFLINE", "1")
    monkeypatch.setattr(secrets, "randbits", random.Random(1).getrandbits)  # without --seed: the same each time
    for package in ("faster_whisper", "speechmos", "resemblyzer"):  # `vall-e eval` as it is without the extra `judges`
        monkeypatch.setitem(sys.modules, package, None)
    (folder / "examples").mkdir(parents=True)
    for name in ("ref", "a", "b", "examples/heart"):
        shutil.copy(ROOT / "examples" / "heart.wav", folder / f"{name}.wav")
    (folder / "lines.txt").write_text("The first line.\n", "utf-8")
    shutil.copy(ROOT / "examples" / "alice.txt", folder / "examples" / "alice.txt")
    (folder / "lines.csv").write_text("id,text\none,Hello.\ntwo,And goodbye.\n", "utf-8")
    (folder / "book.txt").write_text("The first sentence. The second one.\n", "utf-8")
    monkeypatch.chdir(folder)
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] in ("vall_e_soft_cap", "my_module")]:
        del sys.modules[name]


def make_adapted(folder: Path) -> None:
    """`my-model.sft`, the embedded one, and `my-voice.sft`, a small adapter for it."""
    import json

    import torch
    from safetensors.torch import load_file, save_file

    from vall_e_core import Registry
    from vall_e_lm import ModelOptions, find_model

    source = find_model(Registry.load(third_party=False), ModelOptions()).path
    assert source is not None
    shutil.copy(source, folder / "my-model.sft")
    name = "model.layers.0.self_attn.q_proj"
    out, into = load_file(str(source))[f"{name}.weight"].shape
    tensors = {f"{name}.lora_A": torch.full((1, into), 1e-3), f"{name}.lora_B": torch.full((out, 1), 1e-3)}
    save_file(tensors, str(folder / "my-voice.sft"), metadata={"config": json.dumps({"rank": 1, "alpha": 1})})


def make_novel(folder: Path) -> None:
    """`novel.epub`, a short one."""
    first, second = (ROOT / "examples" / "alice.txt").read_text("utf-8").split("\n\n")[4], "She was off at once."
    make_epub(folder / "novel.epub", [("One", f"<p>{first}</p>"), ("Two", f"<p>{second}</p><p>And away.</p>")])


PREPARED: dict[str, Callable[[Path], None]] = {"my-voice.sft": make_adapted, "novel.epub": make_novel}


def arguments(command: str) -> list[list[str]]:
    """The calls of a line: `a && b`, patterns resolved, what is piped into another program cut off."""
    calls: list[list[str]] = [[]]
    for word in shlex.split(command, comments=True):
        if word == "&&":
            calls.append([])
        elif word == "|":
            break
        else:
            calls[-1] += (sorted(glob.glob(word)) or [word]) if "*" in word else [word]
    return calls


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page, listed in COMMANDS.items() if any(c.reason is None for c in listed)])
def test_every_command_does_what_the_page_says(
    page: str, place: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    pytest.importorskip("transformers")
    pytest.importorskip("matplotlib")
    for command in COMMANDS[page]:
        if command.reason is not None:
            continue
        for name, prepare in PREPARED.items():
            if name in command.text and not (place / name).exists():
                prepare(place)
        for program, *args in arguments(command.text):
            assert program == "vall-e", f"{page}: mark what can't be run: {command.text}"
            capfdbinary.readouterr()
            code = main(args)
            out, err = capfdbinary.readouterr()
            printed = err.decode()
            if command.shown:
                assert printed.splitlines() == list(command.shown), command.text
            assert (code != 0) == any(line.startswith("error: ") for line in command.shown), (command.text, printed)
            if " | " in command.text:
                assert out.startswith(b"RIFF"), command.text
        if not command.shown:
            for name in re.findall(r"[\w-]+\.(?:wav|png|jsonl)", command.text):
                assert (place / name).stat().st_size > 1000, (command.text, name)


@pytest.mark.slow
def test_commands_in_running_text_are_understood(capsys: pytest.CaptureFixture[str]) -> None:
    """`vall-e … --flag`: a placeholder or an ellipsis is fine, an unknown command or flag is not."""
    seen = 0
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        for span in re.findall(r"`(vall-e [^`\n]*)`", text):
            words = shlex.split(re.sub(r"\[[^\]]*\]|…", "", span))[1:]
            if words[:1] in ([], ["COMMAND"]):
                continue
            seen += 1
            assert main([*words, "--help"]) == 0, (page, span, capsys.readouterr().err)
    assert seen > 40


# Python


@dataclass
class Model:
    """Takes what transformers' `generate()` is given."""

    given: list[object] = field(default_factory=list)

    def generate(self, prompts: object, **settings: Any) -> list[object]:
        self.given = [prompts, settings["logits_processor"]]
        return self.given


ELSEWHERE = {"CONTRIBUTING.md": 3, "docs/hooks.md": 31, "docs/architecture.md": 1, "docs/serve.md": 1}
"""Pages whose Python blocks, so many, are tested otherwise: the first two in test_docs.py (the hook of speech tasks
in tts/test_speech_tasks.py), the third below, the last with a server in serve/test_clients.py."""


def python_blocks(page: str) -> list[str]:
    return [each["body"] for each in BLOCK.finditer((ROOT / page).read_text("utf-8")) if each["language"] == "python"]


RUN_HERE = [page for page in PAGES if python_blocks(page) and page not in ELSEWHERE]


def test_pages_with_python_that_is_tested_otherwise() -> None:
    assert {page: len(python_blocks(page)) for page in ELSEWHERE} == ELSEWHERE


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN_HERE)
def test_the_python_on_a_page_runs(
    page: str, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers")
    from vall_e_soft_cap import SoftCap  # type: ignore[import-not-found, unused-ignore]  # made by the page

    model = Model()
    example = ModuleType("example")  # dataclasses look their module up by its name
    monkeypatch.setitem(sys.modules, "example", example)
    names: dict[str, Any] = vars(example)
    names |= {"MySampler": SoftCap, "model": model, "prompts": [1]}
    for block in python_blocks(page):
        exec(compile(textwrap.dedent(block), page, "exec"), names)
    if page == "README.md":
        assert (place / "hello.wav").stat().st_size > 1000 and len(capsys.readouterr().out.strip()) > 5
    if page == "docs/adapters.md":
        assert model.given == [[1], [names["processor"]]]


def test_the_protocols_on_the_page_are_the_real_ones() -> None:
    """Names and order of the parameters; the page leaves some types out."""
    (block,) = python_blocks("docs/architecture.md")
    shown = {each.name: each for each in ast.parse(textwrap.dedent(block)).body if isinstance(each, ast.ClassDef)}
    assert set(shown) == {"Transform", "Selector", "Search"}
    for name, drawn in shown.items():
        real = getattr(sampling_protocols, name, None) or getattr(kinds, name)
        methods = {each.name: each for each in drawn.body if isinstance(each, ast.FunctionDef)}
        own = {key for key, value in vars(real).items() if inspect.isfunction(value) and not key.startswith("_")}
        assert set(methods) == own, name
        for key, method in methods.items():
            assert [arg.arg for arg in method.args.args] == list(inspect.signature(getattr(real, key)).parameters)
