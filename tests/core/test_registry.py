"""Discovery: whatever is installed beside us, the program goes on, and says what is wrong with what."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.metadata import distributions, entry_points
from pathlib import Path

import pytest

from sites import SAMPLER, Site
from vall_e_core import Codec, Normalizer, PluginError, Registry, Sampler, Task, UsageError, hookimpl
from vall_e_core.hooks import HOOKS, KIND_HOOK, HookSpecs

GOOD = SAMPLER.format(name="good", flags="")


def statuses(registry: Registry) -> dict[str, str]:
    return {record.name: record.status for record in registry.records}


def test_found_by_entry_point(site: Site) -> None:
    site.sampler("vall-e-dry", "dry", "dry_plugin")
    registry = site.registry()
    (record,) = registry.records
    found = (record.name, record.distribution, record.version, record.status)
    assert found == ("dry_plugin", "vall-e-dry", "1.0", "ok")
    assert record.provides == {"samplers": ("dry",)}
    assert record.ms > 0
    assert registry.sampler("dry").name == registry.sampler("vall-e-dry/dry").name == "dry"
    assert registry.get("sampler", "dry") is registry.sampler("dry")
    assert list(registry.all(Sampler)) == ["dry"]


def test_our_own_components_are_well_made() -> None:
    """Loading takes it for granted, which spares every command a tenth of its start; strangers' are checked there."""
    plugins = {each.name: each.load() for each in entry_points(group="vall_e") if each.value.startswith("vall_e_")}
    registry = Registry()
    for name in sorted(plugins, key=lambda name: (not hasattr(plugins[name], KIND_HOOK), name)):
        assert registry.register(plugins[name], name=name).status == "ok"
    known = Registry.load(third_party=False)
    assert set(registry.kinds) == set(known.kinds)
    assert set(registry.names("sampler")) == set(known.names("sampler"))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("def broken(:", "SyntaxError"),
        ("import sys; sys.exit('goodbye')", "SystemExit: goodbye"),
        ("1 / 0", "ZeroDivisionError"),
        ("pass", "it registers nothing"),
        (GOOD.replace("e_samplers", "e_sampler"), "unknown hook vall_e_sampler: did you mean vall_e_samplers?"),
        (GOOD.replace("e_samplers", "e_teleport"), "unknown hook vall_e_teleport: it may have been written for a new"),
        (GOOD.replace("vall_e_samplers()", "vall_e_samplers(config)"), "PluginValidationError"),
        (GOOD.replace("return [Made]", "return 3"), "vall_e_samplers must return a list of components, not 3"),
        (GOOD.replace("return [Made]", "return [3]"), "3 isn't a subclass of Sampler"),
        (GOOD.replace("return [Made]", "return [Made()]"), "isn't a subclass of Sampler"),
        (GOOD.replace("return [Made]", "return [Made, Made]"), "brings two samplers called good"),
        (GOOD.replace("return [Made]", "raise RuntimeError('no')"), "RuntimeError: no"),
        (GOOD.replace("vall_e_samplers", "vall_e_codecs"), "isn't a subclass of Codec"),
        (GOOD.replace("vall_e_samplers", "vall_e_commands"), "must return LazyCommand"),
        (GOOD.replace("@dataclass(frozen=True)\n", ""), "lacks @dataclass(frozen=True)"),
        (GOOD.replace("p: float", "p: complex"), "unsupported parameter type"),
        (GOOD.replace("param(0.5", "param(1.5"), "its default is invalid: must be at most 1, not 1.5"),
        (GOOD.replace("p: float = param(0.5", "p: float = 0.5 #"), "isn't declared with param()"),
        (GOOD.replace('"good"', '"Good One"'), "needs a name of lower-case words"),
        (GOOD.replace('"good"', "None"), "needs a name of lower-case words"),
        (GOOD.replace('place = "filters"', "role = 'judge'"), "unknown role 'judge'"),
        (GOOD.replace("flags=()", "flags=(Flag('-p'),)"), "malformed flag '-p'"),
    ],
)
def test_a_broken_plugin_is_shown_and_breaks_nothing(site: Site, source: str, reason: str) -> None:
    site.add("a-broken", {"bad": "bad_plugin"}, {"bad_plugin": source})
    site.sampler("z-fine", "fine", "fine_plugin")
    registry = site.registry()
    bad, fine = registry.records
    assert bad.status == "broken" and bad.error is not None and reason in bad.error
    assert "\n" not in bad.error
    assert fine.status == "ok" and registry.sampler("fine").name == "fine"
    assert registry.names("sampler") == ["fine"], "nothing of the broken plugin is left behind"


class RepairedCodec(Codec):
    """A codec."""

    name = "repaired"


class Repaired:
    """The plugin of that name, once it works."""

    @hookimpl
    def vall_e_codecs(self) -> list[type[Codec]]:
        """One."""
        return [RepairedCodec]


def test_a_plugin_that_fails_at_its_second_hook_leaves_nothing(site: Site) -> None:
    source = GOOD + "\n@hookimpl\ndef vall_e_codecs():\n    raise RuntimeError('half way')\n"
    site.add("half", {"half": "half_plugin"}, {"half_plugin": source})
    registry = site.registry()
    assert statuses(registry) == {"half": "broken"}
    assert registry.names("sampler") == []
    registry.register(Repaired(), name="half", distribution="half")
    assert registry.names("codec") == ["repaired"], "nothing of the first try is in its way"


@pytest.mark.parametrize(
    "text",
    ["nonsense without an equals sign\n", " = nothing\n", "empty =\n", "gone = no_such_module\n", "odd = a b c:!\n"],
)
def test_malformed_entry_points_are_that_distributions_failure(site: Site, text: str) -> None:
    site.add("odd", text, {})
    site.sampler("z-fine", "fine", "fine_plugin")
    assert sorted(statuses(site.registry()).values()) == ["broken", "ok"]


def test_unreadable_entry_points(site: Site) -> None:
    info = site.add("odd", "x = y\n", {})
    (info / "entry_points.txt").write_bytes(b"[vall_e]\n\xff\xfe = \xff\n")
    site.sampler("z-fine", "fine", "fine_plugin")
    assert sorted(statuses(site.registry()).values()) == ["broken", "ok"]


def test_missing_metadata(site: Site) -> None:
    info = site.sampler("odd", "dry", "dry_plugin")
    (info / "METADATA").unlink()
    site.sampler("z-fine", "fine", "fine_plugin")
    assert "fine" in site.registry().names("sampler")


def test_entry_points_of_other_groups_are_ignored(site: Site) -> None:
    info = site.add("other", {}, {})
    (info / "entry_points.txt").write_text("[console_scripts]\nx = y:z\n[vall_e_extra]\nz = no\n", encoding="utf-8")
    assert site.registry().records == []


def test_one_name_twice_keeps_both(site: Site) -> None:
    site.sampler("vall-e", "dry", "our_dry")
    site.sampler("a-first", "dry", "their_dry")
    registry = site.registry()
    assert [record.distribution for record in registry.records] == ["vall-e", "a-first"], "ours first"
    assert registry.sampler("dry").__module__ == "our_dry"
    assert registry.sampler("a-first/dry").__module__ == "their_dry"
    assert registry.records[1].provides == {"samplers": ("a-first/dry",)}
    assert registry.names("sampler") == ["dry", "a-first/dry"]


def test_between_two_third_parties_the_first_by_name_keeps_the_bare_name(site: Site) -> None:
    site.sampler("b-later", "dry", "later_dry")
    site.sampler("a-first", "dry", "first_dry")
    registry = site.registry()
    assert registry.sampler("dry").__module__ == "first_dry"
    assert registry.sampler("b-later/dry").__module__ == "later_dry"


def test_a_flag_belongs_to_the_first_distribution(site: Site) -> None:
    site.sampler("vall-e", "top-p", "our_top_p", flags='Flag("--top-p"),')
    site.sampler("thief", "nucleus", "thief_plugin", flags='Flag("--nucleus", ("--top-p",)),')
    registry = site.registry()
    assert registry.records[1].error == "nucleus: the flag --top-p belongs to vall-e"
    assert registry.names("sampler") == ["top-p"]


def test_two_samplers_of_one_distribution_may_share_a_flag(site: Site) -> None:
    site.sampler("vall-e", "temperature", "our_temperature", flags='Flag("--ar-temp"),')
    site.sampler("vall-e-x", "other", "other_plugin")
    both = SAMPLER.format(name="a", flags='Flag("--heat"),')
    source = both + both.replace("class Made", "class Second").replace('"a"', '"b"').replace("[Made]", "[Made, Second]")
    site.add("pair", {"pair": "pair_plugin"}, {"pair_plugin": source})
    assert set(statuses(site.registry()).values()) == {"ok"}


def test_tasks_and_commands_cant_take_a_built_in_name(site: Site) -> None:
    source = """
    from dataclasses import dataclass
    from vall_e_core import LazyCommand, Task, hookimpl
    @dataclass(frozen=True)
    class Mine(Task):
        "A task."
        name = "plugins"
    @hookimpl
    def vall_e_tasks(): return [Mine]
    @hookimpl
    def vall_e_commands(): return [LazyCommand("samplers", "another", "x:y"), LazyCommand("serve", "serve", "x:y")]
    """
    site.add("bold", {"bold": "bold_plugin"}, {"bold_plugin": source})
    registry = site.registry()
    assert registry.names("task") == ["bold/plugins"]
    assert list(registry.commands()) == ["serve", "bold/samplers"]


LAZY = """
from vall_e_core import LazyTask, hookimpl
@hookimpl
def vall_e_tasks(): return [LazyTask("count", "Count words.", "count_task:{}")]
"""
COUNT = """
from dataclasses import dataclass
from vall_e_core import Task, param
@dataclass(frozen=True)
class Count(Task):
    "Count words."
    name = "count"
    text: str = param("", positional=True, help="text to count")
    def run(self, session): session.result({"words": len(self.text.split())})
@dataclass(frozen=True)
class Other(Task):
    "Count words."
    name = "other"
"""


def test_a_lazy_task_is_imported_when_it_is_used(site: Site) -> None:
    site.add("vall-e-count", {"count": "count_plugin"}, {"count_plugin": LAZY.format("Count"), "count_task": COUNT})
    registry = site.registry()
    assert registry.names("task") == ["count"] and registry.tasks()["count"].summary() == "Count words."
    assert "count_task" not in sys.modules
    task = registry.task("count")
    assert task is registry.get("task", "vall-e-count/count") is registry.all(Task)["count"]
    assert task.summary() == "Count words." and [each.key for each in task.params()] == ["text"]
    assert registry.owner(task).label == "the plugin count (vall-e-count 1.0)"


@pytest.mark.parametrize(
    ("attribute", "source", "reason"),
    [
        ("Count", "1 / 0", "the task count can't be loaded"),
        ("Absent", COUNT, "the task count can't be loaded"),
        ("Other", COUNT, "the task count can't be loaded"),
        ("dataclass", COUNT, "isn't a subclass of Task"),
        ("Count", COUNT.replace("@dataclass(frozen=True)\nclass Count", "class Count"), "lacks @dataclass"),
    ],
)
def test_a_lazy_task_that_is_none_is_an_error_when_it_is_used(
    site: Site, attribute: str, source: str, reason: str
) -> None:
    site.add("bad", {"count": "count_plugin"}, {"count_plugin": LAZY.format(attribute), "count_task": source})
    registry = site.registry()
    assert statuses(registry) == {"count": "ok"}
    with pytest.raises(PluginError, match=reason):
        registry.task("count")


def test_a_lazy_task_among_samplers_is_refused(site: Site) -> None:
    source = LAZY.replace("vall_e_tasks", "vall_e_samplers")
    site.add("odd", {"odd": "odd_plugin"}, {"odd_plugin": source})
    (record,) = site.registry().records
    assert record.status == "broken" and "isn't a subclass of Sampler" in str(record.error)


def test_our_lazy_tasks_say_what_their_help_says() -> None:
    registry = Registry.load(environ={}, third_party=False)
    assert {name: each.summary() for name, each in registry.tasks().items()} == {
        name: each.summary() for name, each in registry.all(Task).items()
    }


def test_variables_choose_plugins(site: Site) -> None:
    site.sampler("vall-e", "ours", "our_plugin")
    site.sampler("one", "first", "one_plugin")
    site.sampler("two", "second", "two_plugin")

    def loaded(**environ: str) -> list[str]:
        return site.registry(environ=environ).names("sampler")

    assert loaded() == ["ours", "first", "second"]
    assert loaded(VALL_E_PLUGINS="") == ["ours"], "set to nothing: no third-party plugin"
    assert loaded(VALL_E_PLUGINS="two") == ["ours", "second"]
    assert loaded(VALL_E_PLUGINS="one_plugin, two/two_plugin") == ["ours", "first", "second"]
    assert loaded(VALL_E_DISABLE="one,our_plugin") == ["second"]
    assert loaded(VALL_E_PLUGINS="one", VALL_E_DISABLE="one") == ["ours"]
    registry = site.registry(third_party=False)
    assert registry.names("sampler") == ["ours"]
    assert statuses(registry) == {"our_plugin": "ok", "one_plugin": "disabled", "two_plugin": "disabled"}
    notes = site.registry(environ={"VALL_E_DISABLE": "onne"}).notes
    assert notes == ["VALL_E_DISABLE names onne, and no such plugin is installed"]


def test_a_disabled_plugin_is_not_imported(site: Site) -> None:
    site.add("loud", {"loud": "loud_plugin"}, {"loud_plugin": "raise SystemExit('imported')"})
    assert statuses(site.registry(environ={"VALL_E_DISABLE": "loud"})) == {"loud": "disabled"}
    assert "loud_plugin" not in sys.modules


def test_strict_raises_the_first_failure(site: Site) -> None:
    site.add("bad", {"bad": "bad_plugin"}, {"bad_plugin": "1 / 0"})
    with pytest.raises(PluginError, match="plugin bad of bad is broken") as caught:
        site.registry(environ={"VALL_E_STRICT_PLUGINS": "1"})
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert statuses(site.registry(environ={"VALL_E_STRICT_PLUGINS": "0"})) == {"bad": "broken"}


def test_interrupting_is_not_a_plugins_failure(site: Site) -> None:
    site.add("slow", {"slow": "slow_plugin"}, {"slow_plugin": "raise KeyboardInterrupt"})
    with pytest.raises(KeyboardInterrupt):
        site.registry()


def test_slow_import_is_marked(site: Site) -> None:
    site.add("slow", {"slow": "slow_plugin"}, {"slow_plugin": "import time; time.sleep(0.21)\n" + GOOD})
    (record,) = site.registry().records
    assert record.status == "ok" and record.slow and record.ms > 200


def test_what_a_plugin_prints_stays_off_stdout(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    source = "print('importing')\n" + GOOD.replace("return [Made]", "print('registering'); return [Made]")
    site.add("chatty", {"chatty": "chatty_plugin"}, {"chatty_plugin": source})
    assert statuses(site.registry()) == {"chatty": "ok"}
    captured = capsys.readouterr()
    assert captured.out == "" and "importing" in captured.err and "registering" in captured.err


def test_a_distribution_installed_twice_counts_where_it_is_found_first(site: Site, tmp_path: Path) -> None:
    """As with a virtual environment that sees the system's packages."""
    site.sampler("twice", "dry", "dry_plugin")
    site.sampler("other", "fine", "fine_plugin")
    below = tmp_path / "below"
    shutil.copytree(site.root, below)
    old = below / "twice-1.0.dist-info"
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: twice\nVersion: 0.9\n", encoding="utf-8")
    (old / "entry_points.txt").write_text("[vall_e]\ndry_plugin = dry_plugin\ngone = no_module\n", encoding="utf-8")
    registry = Registry.load(environ={}, installed=distributions(path=[str(site.root), str(below)]))
    assert [(each.name, each.version, each.status) for each in registry.records] == [
        ("fine_plugin", "1.0", "ok"), ("dry_plugin", "1.0", "ok"),
    ]  # fmt: skip


def test_removal_and_return_change_the_list_at_once(site: Site) -> None:
    info = site.sampler("come-and-go", "dry", "dry_plugin")
    assert site.registry().names("sampler") == ["dry"]
    kept = info.with_name("kept")
    shutil.move(info, kept)
    assert site.registry().records == []
    shutil.move(kept, info)
    assert site.registry().names("sampler") == ["dry"]


def test_unknown_names_get_a_suggestion(site: Site) -> None:
    site.sampler("vall-e", "top-p", "our_top_p")
    site.add("bad", {"bad": "bad_plugin"}, {"bad_plugin": "1 / 0"})
    registry = site.registry()
    with pytest.raises(UsageError) as caught:
        registry.sampler("top-q")
    assert caught.value.message == "no sampler is called 'top-q'"
    assert caught.value.cause == "broken plugins may provide it: bad"
    assert caught.value.try_ is not None and "did you mean top-p?" in caught.value.try_
    assert registry.sampler("top_p") is registry.sampler("top-p")
    with pytest.raises(UsageError, match="no kind of component is called 'samplr'"):
        registry.get("samplr", "top-p")


def test_plugins_registered_directly() -> None:
    class Plugin:
        @staticmethod
        @hookimpl
        def vall_e_samplers() -> list[type[Sampler]]:
            return []

    record = Registry().register(Plugin(), name="mine")
    assert record.status == "ok" and record.provides == {}


def test_registries_share_nothing(site: Site) -> None:
    site.sampler("vall-e-dry", "dry", "dry_plugin")
    first, second = site.registry(), Registry()
    assert first.names("sampler") == ["dry"] and second.names("sampler") == []


NORMALIZER = """
from dataclasses import dataclass
from vall_e_core import Normalizer, hookimpl

@dataclass(frozen=True)
class Danish(Normalizer):
    '''Danish numbers.'''
    name = "danish"
    languages = frozenset({"da"})

@hookimpl
def vall_e_normalizers():
    return [Danish]
"""


def test_a_normalizer_says_which_languages_it_serves(site: Site) -> None:
    site.add("vall-e-danish", {"danish": "danish_plugin"}, {"danish_plugin": NORMALIZER})
    registry = site.registry()
    assert registry.records[0].provides == {"normalizers": ("danish",)}
    danish = registry.all(Normalizer)["danish"]
    served = [code for code in ("da", "da-dk", "DA_dk", "de", "dan", "") if danish.serves(code)]
    assert served == ["da", "da-dk", "DA_dk"]


@pytest.mark.parametrize("languages", ["'da'", "frozenset()", "frozenset({1})"])
def test_a_normalizer_without_languages_is_broken(site: Site, languages: str) -> None:
    source = NORMALIZER.replace('frozenset({"da"})', languages)
    site.add("vall-e-danish", {"danish": "danish_plugin"}, {"danish_plugin": source})
    assert "languages must be a set of language codes" in str(site.registry().records[0].error)


def test_every_hook_has_a_kind_and_a_description() -> None:
    specs = {name for name in vars(HookSpecs) if name.startswith("vall_e_")}
    assert specs == {*HOOKS, KIND_HOOK}
    assert all(getattr(HookSpecs, name).__doc__ for name in specs)


def test_json_has_the_promised_keys(site: Site) -> None:
    site.sampler("vall-e-dry", "dry", "dry_plugin")
    site.add("bad", {"bad": "bad_plugin"}, {"bad_plugin": "1 / 0"})
    made = json.loads(json.dumps([record.to_mapping() for record in site.registry().records]))
    keys = {"name", "distribution", "version", "status", "error", "ms", "provides"}
    assert all(set(record) == keys for record in made)
    assert made[1]["provides"] == {"samplers": ["dry"]}
    assert made[0]["error"] == "ZeroDivisionError: division by zero"


@pytest.mark.slow
def test_through_the_program(site: Site, tmp_path: Path) -> None:
    """The same with a real process: a plugin that exits at import, one that works, and the program's own."""
    site.add("a-bad", {"bad": "bad_plugin"}, {"bad_plugin": "import sys; sys.exit(3)"})
    site.sampler("vall-e-dry2", "dry-two", "dry_two_plugin")
    environ = {"PYTHONPATH": str(site.root), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}

    def program(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "vall_e_core", *args]
        return subprocess.run(command, capture_output=True, text=True, env=environ, timeout=60, check=False)

    listed = program("plugins", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    found = {record["name"]: record for record in json.loads(listed.stdout)}
    assert found["bad"]["status"] == "broken" and found["bad"]["error"] == "SystemExit: 3"
    assert found["dry_two_plugin"]["status"] == "ok"
    samplers = program("samplers", "list")
    assert samplers.returncode == 0 and "dry-two" in samplers.stdout
    assert "warning: plugin bad (a-bad 1.0) is broken: SystemExit: 3" in samplers.stderr
    without = program("samplers", "list", "--no-plugins")
    assert without.returncode == 0 and "dry-two" not in without.stdout and "bad" not in without.stderr


# what a plugin needs of others

NEEDY = 'requires = ("base",)\n' + SAMPLER.format(name="needy", flags="")


def site_with_needs(site: Site) -> None:
    """`top` needs `needy`, which needs `base`."""
    site.add("a-dist", {"base": "base_plugin"}, {"base_plugin": SAMPLER.format(name="base", flags="")})
    site.add("b-dist", {"needy": "needy_plugin"}, {"needy_plugin": NEEDY})
    top = 'requires = "b-dist/needy"\n' + SAMPLER.format(name="top", flags="")
    site.add("c-dist", {"top": "top_plugin"}, {"top_plugin": top})


def test_a_plugin_whose_needs_are_there_works_whatever_the_order(site: Site) -> None:
    site_with_needs(site)
    site.add("0-dist", {"early": "early_plugin"}, {"early_plugin": NEEDY.replace("needy", "early")})
    assert set(statuses(site.registry()).values()) == {"ok"}


def test_a_plugin_whose_need_is_disabled_is_broken_and_so_is_what_needs_it(site: Site) -> None:
    site_with_needs(site)
    registry = site.registry(environ={"VALL_E_DISABLE": "base"})
    assert statuses(registry) == {"base": "disabled", "needy": "broken", "top": "broken"}
    assert [record.error for record in registry.records] == [
        None,
        "it needs the plugin base, which is disabled",
        "it needs the plugin b-dist/needy, which is broken",
    ]
    assert list(registry.all(Sampler)) == []


def test_a_plugin_whose_need_is_broken_or_not_installed_is_broken(site: Site) -> None:
    site.add("b-dist", {"needy": "needy_plugin"}, {"needy_plugin": NEEDY})
    (record,) = site.registry().records
    assert (record.status, record.error) == ("broken", "it needs the plugin base, which is not installed")
    site.add("a-dist", {"base": "base_plugin"}, {"base_plugin": "1 / 0"})
    assert site.registry().records[1].error == "it needs the plugin base, which is broken"


def test_those_that_need_each_other_work(site: Site) -> None:
    site.add("b-dist", {"needy": "needy_plugin"}, {"needy_plugin": NEEDY})
    base = 'requires = ("needy",)\n' + SAMPLER.format(name="base", flags="")
    site.add("a-dist", {"base": "base_plugin"}, {"base_plugin": base})
    assert set(statuses(site.registry()).values()) == {"ok"}
