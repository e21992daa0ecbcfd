"""What `vall-e plugins new` writes: a whole distribution around one working component."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from vall_e_core import InputError, UsageError, __version__

COMMON = {
    "pyproject.toml.txt": "pyproject.toml",
    "gitignore.txt": ".gitignore",
    "test.yml.txt": ".github/workflows/test.yml",
}
OWN = {"README.md.txt": "README.md", "init.py.txt": "$package/__init__.py", "test.py.txt": "tests/test_$module.py"}
"""Templates and the files they become: those in `templates/common`, and those that every kind has in its own folder.
What else lies there goes into the package. `py.typed`, which is empty, comes on top."""
TRIALS = {
    "sampler": 'vall-e tts "Hello there." --voice heart -o out.wav --sampler $name',
    "codec": "vall-e schema codec $name",
    "phonemizer": 'vall-e tts "Bonan tagon." --voice heart -o out.wav --phonemizer $name --language eo',
    "normalizer": 'vall-e tts "Tio kostas 3 €." --voice heart -o out.wav --language eo --normalizer $name',
    "speller": "vall-e schema speller $name",
    "task": 'vall-e $name "Hello there."',
}
"""Each kind that there is a template for, and a command that uses what the template makes."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")
_LONGEST = 60
_TAKEN_CLASSES = frozenset(
    {
        "None", "True", "False", "Sampler", "Transform", "BuildContext", "Iterable", "Tensor", "Step",
        "StatelessTransform", "Codec", "CodecModel", "Phonemizer", "PhonemizerModel", "Normalizer", "NormalizerModel",
        "Replacement", "Speller", "SpellerModel", "Task", "Session", "InputError", "UsageError", "Iterator", "Sequence",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Names:
    """Everything that is called after a new component."""

    name: str
    kind: str = "sampler"

    @classmethod
    def of(
        cls, name: str, taken: Collection[str] = (), packages: Collection[str] = (), kind: str = "sampler"
    ) -> Names:
        """Raises UsageError where `name` can't be one, is one of `taken`, or leads to one of `packages`."""
        if not _NAME.match(name) or len(name) > _LONGEST:
            words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower())
            near = "-".join(words).lstrip("0123456789-")[:_LONGEST].rstrip("-")
            raise UsageError(
                f"{name!r} can't be the name of a {kind}",
                cause=f"a name is lower-case words and digits joined by dashes, a letter first, at most {_LONGEST}",
                try_=near if _NAME.match(near) else f"my-{kind}",
            )
        made = cls(name, kind)
        if name in taken:
            raise UsageError(f"there is a {kind} called {name} already", try_=f"my-{name}")
        if made.package in packages:
            raise UsageError(f"{name} would be the package {made.package}, which belongs to vall-e", try_=f"my-{name}")
        return made

    @property
    def distribution(self) -> str:
        """What pip calls it."""
        return self.name if self.name.startswith("vall-e-") else f"vall-e-{self.name}"

    @property
    def package(self) -> str:
        """What Python imports."""
        return self.distribution.replace("-", "_")

    @property
    def cls(self) -> str:
        """The component's class."""
        words = "".join(word.capitalize() for word in self.name.split("-"))
        return f"{words}{self.kind.capitalize()}" if words in _TAKEN_CLASSES else words

    def fill(self, text: str) -> str:
        """A template with the names put in, and the versions of vall-e that it is written for."""
        major, minor = map(int, __version__.split(".")[:2])
        return Template(text).substitute(
            name=self.name, kind=self.kind, distribution=self.distribution, package=self.package, cls=self.cls,
            trial=Template(TRIALS[self.kind]).substitute(name=self.name),
            module=self.name.replace("-", "_"), minor=f"{major}.{minor}", next_minor=f"{major}.{minor + 1}",
        )  # fmt: skip


def contents(names: Names) -> dict[str, str]:
    """The text of every file, by its path."""
    folder = files(__package__) / "templates"
    sources = [(folder / "common" / each, path) for each, path in COMMON.items()]
    for each in (folder / names.kind).iterdir():
        sources.append((each, OWN.get(each.name, f"$package/{each.name.removesuffix('.txt')}")))
    made = {names.fill(path): names.fill(each.read_text("utf-8")) for each, path in sources}
    return {**made, f"{names.package}/py.typed": ""}


def write_plugin(names: Names, parent: Path) -> tuple[Path, list[str]]:
    """Write the distribution to `parent`/NAME, all of it or nothing: its folder, and the files in it.

    Raises:
        InputError: something of that name is there already, or it can't be written.
    """
    target = parent / names.name
    if os.path.lexists(target):
        raise InputError(f"{target} exists", cause="nothing is overwritten", try_="another name, or --dir")
    if not parent.is_dir():
        raise InputError(f"there is no folder {parent}", try_="make it first")
    made = contents(names)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{names.name}-", dir=parent) as holder:
            draft = Path(holder) / names.name
            for path, text in made.items():
                (draft / path).parent.mkdir(parents=True, exist_ok=True)
                (draft / path).write_bytes(text.encode())
            draft.rename(target)
    except OSError as error:
        raise InputError(f"{target} can't be written", cause=error.strerror or str(error)) from error
    return target, sorted(made)
