"""`--from OUT.wav.json`: the run that a record describes, once more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vall_e_core import Session
from vall_e_files import check_unchanged, read_record

from .synthesis.parts import Said, said_before

_OWN = {"repeat", "words"}
_SAYS = {"text", "file", "language", "phonemizer", "normalizer", "markup", "lexicon", "unk", "max-ar-steps"}
"""Options that change what is said, or the parts in which it is."""


def repeated(session: Session, path: Path) -> tuple[Session, Sequence[Said]]:
    """A session with the record's values below those that were given beside `--from`, and what the record said.

    That is said again, whatever reads texts by now, unless something was given that changes it; then there is nothing.
    Raises InputError for a file that isn't a record, or whose references have changed.
    """
    record = read_record(path)
    given = {key: value for key, value in session.config.merged().items() if session.given(key) and key not in _OWN}
    words = session.config.merged().get("words")
    kept = dict(record["arguments"])
    if "ref" in given or "voice" in given:
        for key in ("ref", "voice", "ref-text"):
            kept.pop(key, None)
    else:
        check_unchanged(record, path)
    kept.pop("strip-markup", None)  # of records before there was --markup
    if "file" in given or "text" in given:
        kept.pop("text", None)
    said = () if _SAYS & given.keys() else said_before(record)
    if said and isinstance(record.get("language"), str):
        kept["language"] = record["language"]
    chain = [spec for layer in session.config.layers for spec in layer.chain]
    for stage in type(session.task).sampler_stages:
        if any(spec.stage in (None, stage) for spec in chain):
            kept.pop(f"{stage}-sampler", None)
    values = {**kept, **given, **({"words": words} if words else {})}
    made = Session.create(type(session.task), values, registry=session.registry, chain=chain, console=session.console)
    return made, said
