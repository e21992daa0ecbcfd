"""How each row is spoken: what it says itself, and the batch's options for the rest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vall_e_core import ComponentError, UsageError
from vall_e_core.sampling.running import ChainRequest, chain_from_flags
from vall_e_files import FORMATS, sha256_file
from vall_e_lm import find_phonemizer, find_scorers, plan_chain, settle_keywords, with_fields
from vall_e_stt import HearingOptions
from vall_e_tts import SpeechOptions

if TYPE_CHECKING:
    from vall_e_core import Registry

    from .rows import Row

CODES = "codes"
BATCH_FORMATS = (*FORMATS, CODES)
SUFFIXES: Mapping[str, str] = {
    **{each: f".{each}" for each in FORMATS[:-2]},
    "pcm_s16le": ".pcm", "pcm_f32le": ".pcm", CODES: ".npy", "txt": ".txt",
}  # fmt: skip
NOT_HEARD = (CODES, "pcm_s16le", "pcm_f32le")
"""Formats of files that nobody can listen to without knowing more."""
STAGES = ("ar", "nar")
_SILENT = {"seed", "batch_size", "timeout"}
"""Options that aren't part of a key: the first stands there by itself, the others change no sample."""


@dataclass(frozen=True)
class Defaults:
    """What rows leave out."""

    voice: str | None = None
    ref: tuple[Path, ...] = ()
    ref_text: str | None = None
    options: SpeechOptions = field(default_factory=SpeechOptions)
    chains: Mapping[str, ChainRequest] = field(default_factory=dict)
    format: str = "wav"
    hearing: HearingOptions | None = None
    """How recordings are transcribed, where the rows are recordings."""


@dataclass(frozen=True)
class Hearing:
    """As `Manner`, for recordings that are transcribed."""

    options: HearingOptions
    chain: ChainRequest
    facts: str


@dataclass(frozen=True)
class Manner:
    """Settled settings, which rows share: the options but for the seed, the chains, and what a key holds of them."""

    options: SpeechOptions
    chains: Mapping[str, ChainRequest]
    facts: str
    """Canonical JSON of all that changes the sound."""

    def arguments(self) -> dict[str, object]:
        """As flags that repeat it, for the record."""
        found: dict[str, object] = {
            each.key: each.plain(value)
            for each in SpeechOptions.params()
            if (value := getattr(self.options, each.name)) != each.default
        }
        for stage, chain in self.chains.items():
            if chain.explicit is not None:
                found[f"{stage}-sampler"] = [each.to_spec() for each in chain.explicit]
            found |= chain.flags
        return found


class Settler:
    """Settles rows; equal settings are settled once."""

    def __init__(self, registry: Registry, defaults: Defaults) -> None:
        self._registry, self._defaults = registry, defaults
        self._made: dict[str, Manner] = {}
        self._plain: Manner | None = None

    def settle(self, row: Row) -> Manner:
        """The manner of a row. Raises UsageError for settings that can't be."""
        if not row.phonemes and not row.settings.keys() - {"seed"}:
            if self._plain is None:
                self._plain = self._settled({})
            return self._plain
        settings = {name: value for name, value in row.settings.items() if name != "seed"}
        if row.phonemes:
            if "phonemizer" in settings:
                raise UsageError("phonemes and a phonemizer are both given", try_="leave one out")
            settings["phonemizer"] = "ipa"
        try:
            key = json.dumps(settings, sort_keys=True, default=str)
        except (TypeError, ValueError) as error:
            raise UsageError(f"the settings can't be used: {error}") from error
        if key not in self._made:
            self._made[key] = self._settled(settings)
        return self._made[key]

    def _settled(self, settings: Mapping[str, Any]) -> Manner:
        registry, defaults = self._registry, self._defaults
        try:
            with registry.blaming():
                options, own = settle_keywords(
                    defaults.options, settings, "a row", registry, dict.fromkeys(STAGES)
                )
        except TypeError as error:
            raise UsageError(_unknown(str(error))) from error
        except ComponentError as error:
            raise UsageError(error.message.removeprefix("speech options: ")) from error
        chains = {stage: self._chain(stage, own.get(stage)) for stage in STAGES}
        samplers = list(registry.samplers())
        for stage, chain in chains.items():
            plan_chain(samplers, stage, chain)
        find_phonemizer(registry, options.phonemizer)
        find_scorers(registry, options.scorer)
        return Manner(options, chains, facts_of(options, chains))

    def _chain(self, stage: str, own: ChainRequest | None) -> ChainRequest:
        """A row's chain; its flags join those of the batch, or its explicit chain."""
        given = self._defaults.chains.get(stage, ChainRequest())
        if own is None or own.explicit is not None:
            return given if own is None else own
        if given.explicit is None:
            return replace(given, flags={**given.flags, **own.flags})
        members = chain_from_flags(self._registry.samplers(), own.flags, stage, explicit=given.explicit)
        return ChainRequest(tuple(members))


class HearingSettler:
    """The same for rows that are recordings; only options of `vall-e stt` make sense there."""

    def __init__(self, registry: Registry, defaults: Defaults) -> None:
        self._registry, self._defaults = registry, defaults
        self._made: dict[str, Hearing] = {}

    def settle(self, row: Row) -> Hearing:
        """How a row is transcribed. Raises UsageError."""
        names = {each.name for each in HearingOptions.params()}
        settings = {name: value for name, value in row.settings.items() if name in names}
        key = canonical(settings)
        if key not in self._made:
            options = with_fields(self._defaults.hearing or HearingOptions(), settings, "a row")
            chain = self._defaults.chains.get("stt", ChainRequest())
            values = {
                each.key: each.plain(getattr(options, each.name))
                for each in HearingOptions.params()
                if each.name not in _SILENT - {"seed"}
            }
            self._made[key] = Hearing(options, chain, canonical({"options": values, "chain": _asked(chain)}))
        return self._made[key]


def facts_of(options: SpeechOptions, chains: Mapping[str, ChainRequest]) -> str:
    """Canonical JSON of what changes the sound. Raises InputError for a lexicon that can't be read."""
    values = {
        each.key: each.plain(getattr(options, each.name)) for each in SpeechOptions.params() if each.name not in _SILENT
    }
    if options.lexicon is not None:
        values["lexicon"] = sha256_file(options.lexicon)
    return canonical({"options": values, "chains": {stage: _asked(chain) for stage, chain in chains.items()}})


def _asked(chain: ChainRequest) -> dict[str, object]:
    explicit = None if chain.explicit is None else [each.to_spec() for each in chain.explicit]
    return {"explicit": explicit, "flags": chain.flags}


def canonical(value: object) -> str:
    """JSON that is equal for equal values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def digest(parts: Sequence[str]) -> str:
    """The sha256 of some texts, each told apart from the next."""
    found = hashlib.sha256()
    for each in parts:
        data = each.encode("utf-8", "surrogatepass")
        found.update(b"%d:" % len(data))
        found.update(data)
    return found.hexdigest()


def _unknown(message: str) -> str:
    """What `settle_keywords` says of a keyword, as it reads in a manifest."""
    return message.replace("a row() got an unexpected keyword argument", "unknown field").replace("a row()", "the row")
