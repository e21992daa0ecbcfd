"""The program's own commands, its exit codes, and how it speaks of what is wrong."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest

import vall_e_core
from sites import SAMPLER, TASK, Run, Site
from vall_e_core.cli import main
from vall_e_core.kinds.sampler import PLACES

KEYS = {"name", "distribution", "version", "status", "error", "ms", "provides"}
BROKEN = "import sys; sys.exit('goodbye')"
OUTDATED = "from vall_e_core import hookimpl\n@hookimpl\ndef vall_e_teleporters():\n    return []\n"


@pytest.fixture
def shouting(site: Site) -> Site:
    """A third party's task, installed."""
    site.add("shouting", {"shout": "shout_plugin"}, {"shout_plugin": TASK})
    return site


# help and version


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_every_command_with_its_help(run: Run, shouting: Site, flag: str) -> None:
    done = run(flag)
    assert (done.code, done.err) == (0, "")
    for command in ("tts", "stt", "plugins", "samplers", "schema", "doctor", "models", "shout"):
        assert f"\n  {command} " in done.out
    assert "Say a word loudly." in done.out


def test_no_command_at_all_shows_help_and_is_a_usage_error(run: Run) -> None:
    done = run()
    assert done.code == 2 and done.out == "" and "Usage: vall-e" in done.err


def test_version(run: Run) -> None:
    assert run("--version").out == f"vall-e {vall_e_core.__version__}\n"


@pytest.mark.parametrize(
    "command",
    [("tts",), ("stt",), ("plugins",), ("plugins", "list"), ("plugins", "check"), ("samplers", "list"), ("schema",),
     ("doctor",), ("doctor", "audio"), ("models",), ("models", "list")],
)  # fmt: skip
def test_every_command_explains_itself_and_takes_the_common_options(run: Run, command: tuple[str, ...]) -> None:
    done = run(*command, "--help")
    assert done.code == 0 and f"Usage: vall-e {' '.join(command)}" in done.out
    for option in ("--verbose", "--quiet", "--debug", "--no-plugins"):
        assert option in done.out


@pytest.mark.slow
def test_python_m_is_the_same_program(run: Run) -> None:
    command = [sys.executable, "-m", "vall_e_core", "schema", "sampler", "top-p"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, run("schema", "sampler", "top-p").out)
    wrong = subprocess.run([*command[:3], "nonsense"], capture_output=True, text=True, timeout=60, check=False)
    assert wrong.returncode == 2 and "no such command: nonsense" in wrong.stderr


# mistakes


@pytest.mark.parametrize(
    ("args", "message", "hint"),
    [
        (("ttts",), "no such command: ttts", "did you mean tts?"),
        (("sampler", "list"), "no such command: sampler", "did you mean samplers?"),
        (("Hello there.", "ref.wav", "out.wav"), "no such command: Hello there.", "vall-e tts TEXT [REF] [OUT]"),
        (("zzz",), "no such command: zzz", "vall-e --help"),
        (("--jsom",), "no such option: --jsom", "did you mean --json?"),
        (("tts", "--top-q", "1"), "no such option: --top-q", "did you mean --top-p?"),
        (("tts", "a", "b.wav", "c.wav", "-5"), "no such option: -5", "put -- before a text that starts with a dash"),
        (("tts", "--top-k", "1.5"), "--top-k: expected a whole number, found '1.5'", "vall-e tts --help"),
        (("tts", "--top-p"), "--top-p", "vall-e tts --help"),
        (("tts", "--sampler", ":3"), "--sampler: expected NAME[:VALUE|k=v,…]", "vall-e samplers list"),
        (("tts", "--sampler", "top-q:0.3"), "no sampler is called 'top-q'", "did you mean top-p?"),
        (("tts", "--sampler", "top-p:q=0.3"), "top-p has no parameter 'q'", "one of: p"),
        (("tts", "--sampler", "top-p:1.5"), "top-p: p: must be at most 1, not 1.5", ""),
        (("tts", "--sampler", "top-p:0.9", "--top-k", "3"), "--top-k", "--sampler top-k:3"),
        (("tts", "--task", "singing"), "singing", ""),
        (("--task", "sst"), "no task is called 'sst'", "did you mean stt?"),
        (("schema", "smpler", "top-p"), "no kind of component is called 'smpler'", "did you mean sampler?"),
        (("schema", "sampler", "top-q"), "no sampler is called 'top-q'", "did you mean top-p?"),
        (("schema", "sampler"), "NAME", "vall-e schema --help"),
        (("plugins", "lists"), "no such command 'lists'", "vall-e plugins --help"),
        (("samplers", "list", "more"), "unexpected extra argument", "vall-e samplers list --help"),
        (("doctor", "audio"), "FILE", "vall-e doctor audio --help"),
    ],
)
def test_a_usage_error_says_what_and_what_to_do(run: Run, args: tuple[str, ...], message: str, hint: str) -> None:
    done = run(*args)
    assert done.code == 2 and done.out == "" and "Traceback" not in done.err
    lines = done.err.rstrip().splitlines()
    assert lines[0].startswith("error: ") and message in lines[0] and hint in lines[-1]


def test_an_expected_error_has_its_own_code_and_three_lines(run: Run, shouting: Site) -> None:
    done = run("shout", "--word", "refuse")
    assert (done.code, done.out) == (3, "")
    assert done.err == "error: that can't be said\n  cause: it is rude\n  try:   another word\n"


def test_a_third_partys_error_is_4_names_its_plugin_and_hides_its_trace(run: Run, shouting: Site) -> None:
    done = run("shout", "--word", "crash")
    assert (done.code, done.out) == (4, "") and "Traceback" not in done.err
    assert "the plugin shout (shouting" in done.err and "failed: RuntimeError: the throat is sore" in done.err


def test_an_unexpected_error_of_ours_is_1_and_asks_for_a_report(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> str:
        raise RuntimeError("the throat is sore")

    monkeypatch.setattr("vall_e_core.cli.plugins._line", broken)
    done = run("plugins", "list")
    assert (done.code, done.out) == (1, "") and "Traceback" not in done.err
    assert "internal error: RuntimeError: the throat is sore" in done.err
    assert "--debug, and report the output" in done.err


@pytest.mark.parametrize("args", [("--debug", "shout"), ("shout", "--debug")])
@pytest.mark.parametrize(("word", "code"), [("crash", 4), ("refuse", 3)])
def test_debug_shows_the_trace_wherever_it_stands(
    run: Run, shouting: Site, args: tuple[str, ...], word: str, code: int
) -> None:
    done = run(*args, "--word", word)
    assert done.code == code and "Traceback" in done.err and "shout_plugin.py" in done.err


def test_a_dash_before_debug_makes_it_text(run: Run) -> None:
    done = run("tts", "--", "--debug")
    assert done.code == 2 and "Traceback" not in done.err


def test_an_interrupt_is_130(run: Run, site: Site) -> None:
    source = TASK.replace('raise RuntimeError("the throat is sore")', "raise KeyboardInterrupt")
    site.add("shouting", {"shout": "shout_plugin"}, {"shout_plugin": source})
    done = run("shout", "--word", "crash")
    assert (done.code, done.err) == (130, "interrupted\n")


def test_a_closed_standard_output_is_141() -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "vall_e_core", "samplers", "list"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_snake_case_is_understood_and_not_shown(run: Run, shouting: Site) -> None:
    assert run("shout", "--json", "--max_words", 4, "--top_p", 0.9).json()["max-words"] == 4
    assert run("--no_plugins", "--version").code == 0
    for command in ("tts", "stt", "shout"):
        words = run(command, "--help").out.split()
        assert not [word for word in words if word.startswith("--") and "_" in word]


def test_quiet_and_json_leave_standard_output_to_the_result(run: Run, shouting: Site) -> None:
    for args in (("--json", "shout"), ("shout", "--json"), ("shout", "--json", "-q")):
        assert run(*args).json()["word"] == "hello"
    assert run("shout").out == "done\n"


# plugins


def test_plugins_list_has_the_promised_json(run: Run, shouting: Site) -> None:
    done = run("plugins", "list", "--json")
    records = done.json()
    assert done.code == 0 and all(set(record) == KEYS for record in records)
    by_name = {record["name"]: record for record in records}
    assert by_name["truncation"]["provides"].keys() == {"samplers"}
    assert {"top-k", "top-p", "min-p"} <= set(by_name["truncation"]["provides"]["samplers"])
    assert by_name["shout"] == {
        "name": "shout", "distribution": "shouting", "version": "1.0", "status": "ok", "error": None,
        "ms": by_name["shout"]["ms"], "provides": {"tasks": ["shout"]},
    }  # fmt: skip
    assert by_name["shout"]["ms"] > 0
    assert {record["status"] for record in records if record["distribution"] == "vall-e"} == {"ok"}


def test_plugins_list_for_people(run: Run, shouting: Site) -> None:
    done = run("plugins", "list")
    assert done.code == 0 and "shout  (shouting 1.0)" in done.out and "    tasks: shout\n" in done.out


@pytest.mark.parametrize(
    ("source", "status", "reason"),
    [
        (BROKEN, "broken", "SystemExit: goodbye"),
        ("import no_such_module_here", "broken", "ModuleNotFoundError: No module named 'no_such_module_here'"),
        (OUTDATED, "broken", "unknown hook vall_e_teleporters: it may have been written for a newer vall-e"),
        (SAMPLER.format(name="top-p", flags='Flag("--top-p"),'), "broken", "the flag --top-p belongs to vall-e"),
        (SAMPLER.format(name="top-p", flags=""), "ok", "a-guest/top-p"),
        ("import time; time.sleep(0.21)\n" + SAMPLER.format(name="slow", flags=""), "ok", "slow: over 200 ms"),
    ],
    ids=["exits", "fails to import", "newer hook", "flag clash", "name clash", "slow"],
)
def test_a_bad_plugin_is_shown_and_breaks_nothing(
    run: Run, site: Site, source: str, status: str, reason: str
) -> None:
    site.add("a-guest", {"guest": "guest_plugin"}, {"guest_plugin": source})
    listed = run("plugins", "list")
    assert listed.code == 0 and "guest  (a-guest 1.0)" in listed.out and reason in listed.out
    (record,) = [each for each in run("plugins", "list", "--json").json() if each["name"] == "guest"]
    assert record["status"] == status and (status == "ok") == (record["error"] is None)
    assert {"tts", "stt"} <= set(run("--help").out.split())
    ours = run("schema", "sampler", "top-p").json()
    assert ours["title"] == "top-p" and ours["properties"]["p"]["default"] == 0.9, "the bare name stays ours"
    warned = run("samplers", "list").err
    assert (f"plugin guest (a-guest 1.0) is broken: {record['error']}" in warned) == (status == "broken")


def test_what_is_missing_may_be_a_broken_or_a_disabled_plugins(
    run: Run, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.add("a-guest", {"guest": "guest_plugin"}, {"guest_plugin": BROKEN})
    assert "broken plugins may provide it: guest" in run("tts", "--sampler", "zzz").err
    assert "broken plugins may provide it: guest" in run("sing").err
    monkeypatch.setenv("VALL_E_DISABLE", "guest,tts")
    assert "disabled plugins may provide it: tts, guest" in run("tts", "a", "b.wav", "c.wav").err


def test_variables_and_flags_choose_plugins(run: Run, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.sampler("one", "first", "one_plugin")
    site.sampler("two", "second", "two_plugin")

    def found(*flags: str) -> set[str]:
        listed = {each["name"]: each["status"] for each in run("plugins", "list", "--json", *flags).json()}
        assert listed["truncation"] == "ok"
        return {name for name in ("one_plugin", "two_plugin") if listed[name] == "ok"}

    assert found() == {"one_plugin", "two_plugin"}
    assert found("--no-plugins") == set()
    for variable, value, expected in (
        ("VALL_E_PLUGINS", "", set[str]()),
        ("VALL_E_PLUGINS", "two", {"two_plugin"}),
        ("VALL_E_DISABLE", "two", {"one_plugin"}),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(variable, value)
            assert found() == expected, (variable, value)
    monkeypatch.setenv("VALL_E_DISABLE", "onne")
    assert "VALL_E_DISABLE names onne, and no such plugin is installed" in run("plugins", "list").err


def test_strict_stops_at_the_first_broken_plugin(run: Run, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.add("a-guest", {"guest": "guest_plugin"}, {"guest_plugin": BROKEN})
    monkeypatch.setenv("VALL_E_STRICT_PLUGINS", "1")
    done = run("samplers", "list")
    assert done.code == 4 and done.out == "" and "plugin guest of a-guest is broken" in done.err
    assert run("samplers", "list", "--no-plugins").code == 0


@pytest.mark.slow
def test_plugins_check_tries_what_a_plugin_brings(run: Run, site: Site) -> None:
    site.sampler("fine", "fine", "fine_plugin")
    site.add("heavy", {"heavy": "heavy_plugin"}, {"heavy_plugin": "import numpy\n" + TASK})
    site.add("a-guest", {"guest": "guest_plugin"}, {"guest_plugin": BROKEN})
    ours = run("plugins", "check", "selection")
    assert ours.code == 0 and "ok   sampler greedy" in ours.out and "FAIL" not in ours.out
    heavy = run("plugins", "check", "heavy", "--json")
    assert heavy.code == 4 and "1 of 2 checks failed" in heavy.err
    assert [each["ok"] for each in heavy.json()] == [False, True]
    assert heavy.json()[0]["problems"] == ["importing heavy_plugin imports numpy: move that into build()"]
    unbuilt = run("plugins", "check", "fine")
    assert unbuilt.code == 4 and "build() with its defaults fails: NotImplementedError" in unbuilt.out
    broken = run("plugins", "check", "a-guest")
    assert broken.code == 4 and "SystemExit: goodbye" in broken.err
    nowhere = run("plugins", "check", "truncatoin")
    assert nowhere.code == 4 and "did you mean truncation?" in nowhere.err


# samplers, schema


def test_samplers_list(run: Run) -> None:
    text, records = run("samplers", "list").out, run("samplers", "list", "--json").json()
    places = [PLACES.index(each["place"]) for each in records]
    assert places == sorted(places), "the canonical order"
    (top_p,) = [each for each in records if each["name"] == "top-p"]
    assert top_p["parameters"] == [
        {"name": "p", "default": 0.9, "neutral": 1.0, "primary": True, "flags": ["--top-p"],
         "help": "the probability to reach; 1 keeps all"}
    ]  # fmt: skip
    for each in records:
        assert each["name"] in text and each["help"] in text
        for parameter in each["parameters"]:
            assert f"      {parameter['name']} = " in text or f"      {parameter['name']} required" in text


@pytest.mark.parametrize(
    ("kind", "name", "key"),
    [
        ("sampler", "top-p", "p"), ("codec", "encodec", "weights"), ("phonemizer", "espeak", "library"),
        ("task", "tts", "top-p"), ("task", "tts", "max-ar-steps"), ("task", "stt", "window"), ("sampler", "top_p", "p"),
    ],
)  # fmt: skip
def test_schema(run: Run, kind: str, name: str, key: str) -> None:
    schema = run("schema", kind, name).json()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == name.replace("_", "-") and schema["additionalProperties"] is False
    assert schema["properties"][key]["description"]


def test_the_program_collects_garbage_more_seldom_and_a_call_leaves_that_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = gc.get_threshold()
    try:
        assert main(["--version"]) == 0 and gc.get_threshold() == before
        monkeypatch.setattr(sys, "argv", ["vall-e", "--version"])
        assert main() == 0 and gc.get_threshold()[0] == 50_000
    finally:
        gc.set_threshold(*before)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("atexit.register(print, 'asked for', end='')", "said, asked for"),
        (
            "threading.Thread(target=lambda: (said.wait(), time.sleep(0.3), print('worked', end=''))).start()",
            "said, worked",
        ),
        ("threading.Thread(target=time.sleep, args=(60,), daemon=True).start()", "said, "),
        ("sys.stderr.close()", "said, "), ("sys.stderr = None", "said, "),
    ],
)  # fmt: skip
def test_the_process_ends_at_once_but_loses_nothing(before: str, expected: str) -> None:
    code = (
        f"import atexit, sys, threading, time\nsaid = threading.Event()\n{before}\n"
        "from vall_e_core.__main__ import leave\nprint('said', end=', ')\nsaid.set()\nleave(6)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (6, expected)


def test_shell_completion_offers_commands_and_flags(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def offered(*words: str) -> set[str]:
        monkeypatch.setenv("_VALL_E_COMPLETE", "zsh_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(["vall-e", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        done = run()
        assert done.code == 0, done.err
        return set(done.out.splitlines())

    assert {"tts", "stt", "samplers"} <= offered("")
    assert {"--top-p", "--top-k"} <= offered("tts", "--top-")


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize("arguments", [("samplers", "list"), ("engines", "list"), ("samplers", "list", "--json")])
def test_a_full_device_is_said_as_one(arguments: tuple[str, ...]) -> None:
    """Regression: it was called a bug in vall-e."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "vall_e_core", *arguments], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 3 and "No space left" in done.stderr.replace("no space", "No space")
    assert "bug" not in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full"])
def test_without_standard_error_a_run_succeeds(closed: str) -> None:
    """Regression: the first notice ended it, without a word."""
    done = subprocess.run(
        ["sh", "-c", f'"$0" -m vall_e_core samplers list {closed}', sys.executable], stdout=subprocess.PIPE, text=True
    )
    assert done.returncode == 0 and "top-p" in done.stdout
    wrong = subprocess.run(["sh", "-c", f'"$0" -m vall_e_core samplers show nothing {closed}', sys.executable])
    assert wrong.returncode == 2
