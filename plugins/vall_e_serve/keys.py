"""API keys: who may do what."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vall_e_core import InputError, UsageError

VARIABLE = "VALL_E_API_KEYS"
SCOPES = ("speak", "voices", "metrics")
LEAST_CHARACTERS = 16
LARGEST_FILE = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KEY = re.compile(r"[!-9;-~]+")  # printable ASCII without blanks and colons


@dataclass(frozen=True)
class Key:
    """A key's name, its hash, and what it allows."""

    name: str
    digest: bytes
    scopes: frozenset[str]


class Keys:
    """The keys of a server; none means that nobody needs one."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self._keys = tuple(keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def find(self, presented: str) -> Key | None:
        """The key that was presented. All are compared, each in constant time."""
        digest = _digest(presented)
        found = None
        for each in self._keys:
            if hmac.compare_digest(each.digest, digest):
                found = each
        return found


def load_keys(file: Path | None, environ: Mapping[str, str] = os.environ) -> Keys:
    """The keys of a file and of the environment, together.

    Raises:
        InputError: for a file that can't be read.
        UsageError: for a line that isn't a key.
    """
    lines: list[tuple[str, str]] = []
    if file is not None:
        try:
            with file.open("rb") as opened:
                text = opened.read(LARGEST_FILE).decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            cause = getattr(error, "strerror", None) or "it isn't UTF-8"
            raise InputError(f"can't read the keys in {file}", cause=cause) from error
        lines += [(f"{file}, line {number}", each) for number, each in enumerate(text.splitlines(), 1)]
    separated = re.split(r"[\n;]", environ.get(VARIABLE, ""))
    lines += [(f"{VARIABLE}, key {number}", each) for number, each in enumerate(separated, 1)]
    found = [_key(where, each.strip()) for where, each in lines if each.strip() and not each.strip().startswith("#")]
    names = [each.name for each in found]
    if len(set(names)) < len(names):
        raise UsageError("two keys have the same name", try_="a name for each, by which the log tells them apart")
    return Keys(found)


def _key(where: str, text: str) -> Key:
    """One line as a key; messages never show it."""
    name, _, rest = text.partition(":")
    key, _, scopes = rest.partition(":")
    wanted = frozenset(each.strip() for each in scopes.split(",") if each.strip()) or frozenset(SCOPES)
    shape = "NAME:KEY, or NAME:KEY:speak,voices,metrics"
    if not _NAME.fullmatch(name) or not _KEY.fullmatch(key):
        raise UsageError(f"{where} isn't a key", try_=shape)
    if len(key) < LEAST_CHARACTERS:
        raise UsageError(f"{where}: the key is too short to be safe", try_=f"{LEAST_CHARACTERS} characters or more")
    if not wanted <= set(SCOPES):
        raise UsageError(f"{where} has an unknown scope", try_=f"of {', '.join(SCOPES)}")
    return Key(name, _digest(key), wanted)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
