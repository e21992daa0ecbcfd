"""Sentences of a text that arrives in pieces."""

from __future__ import annotations

from vall_e_text import find_sentences


class SentenceBuffer:
    """A text as far as it has come. Pieces may end anywhere, even inside a word."""

    def __init__(self) -> None:
        self._text = ""

    def add(self, piece: str) -> list[str]:
        """The sentences that are whole now: something has begun behind them."""
        *lines, last = (self._text + piece).split("\n")
        found = [line.strip() for line in lines if line.strip()]
        spans = list(find_sentences(last))
        begun = spans[-1][0] if spans else 0
        found += [last[start:end] for start, end in spans[:-1]]
        self._text = last[begun:]
        return found

    def rest(self) -> list[str]:
        """What is left at the end of the text."""
        found, self._text = self._text.strip(), ""
        return [found] if found else []
