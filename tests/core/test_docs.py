"""The pages say what the program does: their hooks, commands, flags, codes and code are held against the real ones."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import io
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

import vall_e_core
from sites import Run
from vall_e_core import Registry, Sampler, VallEError
from vall_e_core.cli import main
from vall_e_core.cli.entry import CLOSED_PIPE
from vall_e_core.hooks import HOOKS, KIND_HOOK, HookSpecs
from vall_e_core.interrupts import INTERRUPTED
from vall_e_core.run import SamplerSpec
from vall_e_core.sampling.running import canonical
from vall_e_core.testing import check_sampler
from vall_e_lm import TimeLimitError

ROOT = Path(__file__).parents[2]
SOFT_CAP = ROOT / "tests" / "distributions" / "vall-e-soft-cap"
PAGES = (
    "README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))
)  # fmt: skip
COMMANDS = (
    "tts", "stt", "sweep", "batch", "serve", "book", "eval tts", "eval stt", "eval codec", "eval ladder",
    "eval whisper-weights", "models list", "models info", "models download", "models path", "models verify",
    "voices list", "voices add", "voices show", "voices play", "voices rm",
    "plugins install", "plugins uninstall", "samplers list", "samplers show", "samplers explain", "samplers plot",
    "plugins list", "plugins check", "plugins new", "schema", "engines list", "engines clear",
    "doctor", "doctor audio",
)  # fmt: skip


def page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def sections(text: str) -> dict[str, str]:
    """What stands under each `## Title`."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def load_file(path: Path) -> ModuleType:
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# hooks


def test_every_hook_has_a_section_and_no_section_is_without_a_hook() -> None:
    assert list(sections(page("docs/hooks.md"))) == [*HOOKS, KIND_HOOK]


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_documented_with_its_exact_signature(hook: str) -> None:
    returns = inspect.signature(getattr(HookSpecs, hook)).return_annotation
    signature, _example = blocks(sections(page("docs/hooks.md"))[hook], "python")
    assert signature == f"def {hook}() -> {returns}: ...\n"


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_called_reserved_while_nothing_calls_it(hook: str) -> None:
    reserved = "(reserved)" in str(getattr(HookSpecs, hook).__doc__)
    assert ("Reserved:" in sections(page("docs/hooks.md"))[hook]) == reserved


def registered(example: str) -> dict[str, tuple[str, ...]]:
    """What a registry lists of an example of the page on hooks."""
    import vall_e_batch
    import vall_e_eval
    import vall_e_stt

    shared = blocks(page("docs/hooks.md"), "python")[0]
    module = ModuleType("example_of_a_hook")
    module.__file__ = __file__
    sys.modules[module.__name__] = module
    try:
        exec(compile(shared + example, "docs/hooks.md", "exec"), module.__dict__)
        registry = Registry()
        registry.register(vall_e_batch, name="batch")
        registry.register(vall_e_eval, name="eval")
        registry.register(vall_e_stt, name="stt")
        return dict(registry.register(module, name="example").provides)
    finally:
        del sys.modules[module.__name__]


@pytest.mark.parametrize("hook", HOOKS)
def test_the_example_of_a_hook_registers(hook: str) -> None:
    _signature, example = blocks(sections(page("docs/hooks.md"))[hook], "python")
    provides = registered(example)
    assert [len(names) for names in provides.values()] == [1]
    assert list(provides) == [hook.removeprefix("vall_e_")]


def test_the_examples_of_further_kinds_register() -> None:
    further = blocks(sections(page("docs/hooks.md"))[KIND_HOOK], "python")
    signature, watermark, _, judge, _, speller, _, runner, *_ = further
    returns = inspect.signature(HookSpecs.vall_e_kinds).return_annotation
    assert signature == f"def {KIND_HOOK}() -> {returns}: ...\n"
    assert registered(watermark) == {"watermarks": ("silent",)}
    assert registered(judge) == {"judges": ("recognizer",)}
    assert registered(speller) == {"spellers": ("esperanto",)}
    assert registered(runner) == {"runners": ("patient",)}


# samplers


HOW = "python tools/sampler_docs.py > docs/samplers.md"
FIRST_PARTY = canonical(Registry.load(environ={}, third_party=False).samplers())


def test_the_pages_of_samplers_are_what_their_declarations_and_notes_say() -> None:
    tool = load_file(ROOT / "tools" / "sampler_docs.py")
    assert page("docs/samplers.md") == tool.index(FIRST_PARTY), HOW
    written = {path.name: path.read_text("utf-8") for path in (ROOT / "docs" / "samplers").iterdir()}
    assert written == tool.pages(FIRST_PARTY), HOW


@pytest.mark.parametrize("sampler", FIRST_PARTY, ids=lambda each: each.name)
def test_a_sampler_s_page_is_complete_and_what_the_program_shows(run: Run, sampler: type[Sampler]) -> None:
    text = page(f"docs/samplers/{sampler.name}.md")
    for heading in ("**Formula:** ", "**Source:** ", "**For speech:** "):
        assert text.count(heading) == 1, heading
    assert len(text.partition("**For speech:** ")[2].partition("\n## ")[0]) > 150
    assert run("samplers", "show", sampler.name, "--no-plugins").out == text
    told = run("samplers", "show", sampler.name, "--no-plugins", "--json").json()
    assert told["page"] == text and {each["name"] for each in told["parameters"]} == {
        each.key for each in sampler.params()
    }
    for each in sampler.params():
        default = "required" if each.required else each.type.format(each.default)
        (row,) = re.findall(rf"^\| \*{{0,2}}{re.escape(each.key)}\*{{0,2}} \| (.*?) \|", text, re.MULTILINE)
        assert row.strip("`") == (default or "empty")


def test_the_help_of_plain_flags_is_that_of_the_pages(run: Run) -> None:
    shown = " ".join(run("tts", "--help").out.split())
    for sampler in FIRST_PARTY:
        listed = re.findall(r"^- `(--.*?)`: (.*)$", page(f"docs/samplers/{sampler.name}.md"), re.MULTILINE)
        flags = [flag for each in sampler.params() for flag in each.flags]
        assert [names for names, _ in listed] == ["`, `".join((flag.name, *flag.aliases)) for flag in flags]
        for names, text in listed:
            assert all(name in shown for name in names.split("`, `")) and text in shown, names


def test_every_note_belongs_to_a_sampler_of_its_package() -> None:
    for path in (ROOT / "plugins").glob("*/notes.md"):
        mine = {each.name for each in FIRST_PARTY if each.__module__ == path.parent.name}
        assert set(sections(path.read_text("utf-8"))) == mine, path


def test_an_unknown_sampler_has_no_page(run: Run) -> None:
    done = run("samplers", "show", "top-q")
    assert done.code == 2 and "did you mean top-p" in done.err


# the sampler of CONTRIBUTING.md


@pytest.fixture
def quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The package as CONTRIBUTING.md shows it: its blocks as files, behind the imports that the page leaves out."""
    declaration, work, _test = blocks(page("CONTRIBUTING.md"), "python")
    head, _, _ = (SOFT_CAP / "vall_e_soft_cap" / "__init__.py").read_text("utf-8").partition("@dataclass")
    package = tmp_path / "vall_e_quoted_cap"
    package.mkdir()
    (package / "__init__.py").write_text(head + declaration, "utf-8")
    (package / "soft_cap.py").write_text(f"import torch\n\n{work}", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(SOFT_CAP))
    yield importlib.import_module("vall_e_quoted_cap")
    for name in [name for name in sys.modules if name.startswith(("vall_e_quoted_cap", "vall_e_soft_cap"))]:
        del sys.modules[name]


@pytest.mark.slow
def test_the_quoted_sampler_is_the_packaged_one_and_keeps_the_contract(quoted: ModuleType) -> None:
    real = importlib.import_module("vall_e_soft_cap")
    assert quoted.SoftCap.params() == real.SoftCap.params()
    assert (quoted.SoftCap.name, quoted.SoftCap.place) == (real.SoftCap.name, real.SoftCap.place)
    assert quoted.SoftCap.summary() == real.SoftCap.summary()
    assert check_sampler(quoted.SoftCap) == []


def test_the_quoted_work_is_the_packaged_work() -> None:
    _declaration, work, test = blocks(page("CONTRIBUTING.md"), "python")
    packaged = (SOFT_CAP / "vall_e_soft_cap" / "soft_cap.py").read_text("utf-8")
    (formula,) = re.findall(r"return (torch\.where.*)", work)
    assert f"return {formula}\n" in packaged
    assert test in (SOFT_CAP / "tests" / "test_soft_cap.py").read_text("utf-8")


def test_the_quoted_pyproject_is_the_packaged_one() -> None:
    (quoted,) = blocks(page("CONTRIBUTING.md"), "toml")
    packaged = (SOFT_CAP / "pyproject.toml").read_text("utf-8").splitlines()
    assert [line for line in quoted.splitlines() if line not in packaged] == []


# commands and flags

ASKED_FOR = (
    "--yaml", "--model", "--language", "--task", "--max-ar-steps", "--max-duration", "--max-nar-levels", "--max-levels",
    "--device", "--ar-temp", "--ar-temperature", "--nar-temp", "--nar-temperature", "--input-prompt-length",
    "--input-prompt-prefix", "--min-ar-temp", "--min-nar-temp", "--top-p", "--top-k", "--min-p", "--repetition-penalty",
    "--repetition-penalty-decay", "--length-penalty", "--beam-width", "--mirostat-tau", "--mirostat-eta",
    "--dry-multiplier", "--dry-base", "--dry-allowed-length", "--layer-skip", "--layer-skip-exit-layer",
    "--layer-skip-entropy-threshold", "--layer-skip-varentropy-threshold", "--refine-on-stop", "--seed", "--sampler",
)  # fmt: skip


def flags(text: str) -> set[str]:
    """Long flags, as we spell them; `--no-X` stands for any."""
    found = {flag.replace("_", "-") for flag in re.findall(r"(?<![\w-])--[a-z][a-z0-9_-]*", text)}
    return {flag for flag in found if not flag.endswith("-")}


def test_every_flag_that_was_asked_for_is_in_the_help_of_tts(run: Run) -> None:
    shown = flags(run("tts", "--help").out)
    assert [flag for flag in ASKED_FOR if flag not in shown] == []
    assert "TEXT [REF] [OUT]" in run("tts", "--help").out


OTHER_FLAGS = ("adapters", "cluster", "hooks", "performance", "writing-samplers")
"""Pages with flags of vLLM and Ray, of examples and of the benchmarks."""


@pytest.fixture(scope="module")
def known_flags() -> set[str]:
    """Every flag in the help of any command."""
    shown = io.StringIO()
    with redirect_stdout(shown):
        for command in ("", *COMMANDS):
            assert main([*command.split(), "--help"]) == 0
    return flags(shown.getvalue())


@pytest.mark.parametrize("name", [*(each for each in PAGES if Path(each).stem not in OTHER_FLAGS), "docs/samplers"])
def test_every_flag_on_a_page_exists(known_flags: set[str], name: str) -> None:
    path = ROOT / name
    texts = [each.read_text("utf-8") for each in (path.iterdir() if path.is_dir() else [path])]
    assert flags("".join(texts)) - known_flags == set()


def commands(name: str) -> list[list[str]]:
    """The arguments of every `vall-e …` in the console blocks of a page."""
    scripts = [each.replace("&& ", "\n$ ") for each in blocks(page(name), "sh")]
    text = "".join([*blocks(page(name), "console"), *scripts])
    lines = re.findall(r"^\$ vall-e (.*)$", text, re.MULTILINE)
    return [shlex.split(line.partition(" | ")[0], comments=True) for line in lines]


@pytest.mark.parametrize("name", [each for each in PAGES if "$ vall-e " in page(each)])
def test_every_command_on_a_page_is_understood(run: Run, name: str) -> None:
    found = commands(name)
    assert found
    for args in found:
        done = run(*args, "--help")  # an unknown command or flag is refused before help is shown
        assert done.code == 0, (args, done.err)


def test_every_name_on_a_page_exists(run: Run) -> None:
    registry = Registry.load()
    for args in [*commands("README.md"), *commands("CONTRIBUTING.md")]:
        for before, word in pairwise(args):
            if before.endswith("sampler") and not word.startswith(("soft-cap", "list")):
                SamplerSpec.parse(word, None).resolve(registry)
            if before == "--voice":
                registry.get("voice", word)
            if (before == "--model" and not word.startswith(".")) or before == "download":
                assert run("models", "info", word).code == 0, word


def test_the_page_of_the_command_line_names_every_command(run: Run) -> None:
    table = sections(page("docs/cli.md"))["Commands"]
    for command in COMMANDS:
        group, *rest = command.split()
        (row,) = re.findall(rf"^\| `vall-e {group}[` ].*$", table, re.MULTILINE)
        assert not rest or re.search(rf"[` ]{rest[0]}[` ]", row), command


def test_no_command_is_forgotten_in_these_tests(run: Run) -> None:
    def offered(*command: str) -> list[str]:
        text = run(*command, "--help", "--no-plugins").out
        return re.findall(r"^  ([a-z-]+)  ", re.split(r"^(?:Tasks|Commands):", text, maxsplit=1, flags=re.M)[1], re.M)

    assert set(offered()) == {command.split()[0] for command in COMMANDS}
    for group in ("models", "voices", "samplers", "plugins", "engines", "doctor"):
        assert [each for each in offered(group) if f"{group} {each}" not in COMMANDS] == []


def test_the_configuration_file_on_the_page_is_understood(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the page's paths are relative
    (text,) = blocks(page("docs/configuration.md"), "yaml")
    file = tmp_path / "run.yaml"
    file.write_text(text, "utf-8")
    done = run("--config", file)
    assert done.code == 3 and "a.wav" in done.err, "all is well but for the reference, which isn't there"


def test_every_environment_variable_is_on_the_page() -> None:
    roots = [Path(vall_e_core.__file__).parent, ROOT / "plugins"]
    source = "".join(path.read_text("utf-8") for root in roots for path in root.rglob("*.py"))
    pattern = r"\b_?VALL_E_[A-Z_]+\b"
    table = sections(page("docs/cli.md"))["Environment"]
    assert set(re.findall(pattern, source)) == set(re.findall(pattern, table))


# exit codes


def test_the_table_of_exit_codes_is_that_of_the_errors() -> None:
    def family(kind: type[VallEError]) -> set[int]:
        return {kind.exit_code}.union(*map(family, kind.__subclasses__()))

    table = re.findall(r"^\| (\d+) \| (.+) \|$", sections(page("docs/cli.md"))["Exit codes"], re.MULTILINE)
    codes = {0, INTERRUPTED, CLOSED_PIPE, TimeLimitError.exit_code} | family(VallEError)
    assert {int(code) for code, _ in table} == codes


# all pages


@pytest.mark.parametrize("name", PAGES)
def test_every_file_that_a_page_names_exists(name: str) -> None:
    named = re.findall(r"`((?:docs|tests|tools|plugins|vall_e_core|examples|benchmarks)/[\w./-]*)`", page(name))
    assert [each for each in named if not (ROOT / each).exists()] == []
