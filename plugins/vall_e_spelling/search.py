"""The most probable words of a row of phonemes: words that may begin at each place, and the best way through them."""

from __future__ import annotations

from typing import NamedTuple

from .dictionary import START, STOP, Dictionary
from .sounds import LEAST_EXTRA, LEAST_LACKING, alike, extra, lacking, letters

BUDGET = 56
"""The most that the errors of a word may cost."""
ARCS, STATES = 32, 4
"""Words that are looked at from a place, and histories that are kept at one."""
BEAM = 90
"""How much worse than the best a history may be, a usual cost per phoneme granted."""
_USUAL = 15
_MOST_STEPS = 4000
"""Steps in the tree from one place."""
BOUNDARY = 14
"""The cost of a word that ends where no blank is, or of a blank within a word."""
_UNKNOWN, _UNKNOWN_SOUND = 60, 20
"""The cost of a name that no dictionary has, and of each of its phonemes."""
_LONGEST_NAME = 16


SENTENCE = (-1, START)
"""The state at a sentence's start."""


class Found(NamedTuple):
    """A word: its number, or -1 for a name, which is written by its sounds; and which phonemes it is."""

    word: int
    start: int
    end: int
    name: str = ""


class _History(NamedTuple):
    """A way to a place: what it costs, its last word and the pair that this makes, and where it came from."""

    cost: int
    pair: int
    last: int
    before: _History | None
    found: Found | None


class Search:
    """Finds words. It keeps nothing between calls."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary
        tree = dictionary.tree
        number = {char: place for place, char in enumerate(tree.alphabet, 1)}
        self._near = {
            char: [(number[other], cost) for other, cost in others.items() if other in number and cost <= BUDGET]
            for char, others in alike().items()
        }
        self._number = number
        self._lacking = [0, *map(lacking, tree.alphabet)]

    def words(
        self, phonemes: str, gaps: list[bool], begun: tuple[int, int] = SENTENCE, *, ends: bool = False
    ) -> tuple[list[Found], tuple[int, int]]:
        """The most probable words of a row of phonemes, and the state after them.

        Args:
            phonemes: Without blanks.
            gaps: Before which phonemes a blank is; one longer than the row.
            begun: The state after what was said before in this sentence.
            ends: Whether the sentence ends with them.
        """
        size = len(phonemes)
        blanks = [0] * (size + 1)
        for place in range(size):
            blanks[place + 1] = blanks[place] + gaps[place + 1]
        first = _History(0, *begun, None, None)
        waiting: list[dict[tuple[int, int], _History]] = [{} for _ in range(size + 1)]
        waiting[0][first.pair, first.last] = first
        best, furthest = first.cost, 0
        for place in range(size):
            histories = waiting[place]
            waiting[place] = {}
            if not histories:
                continue
            kept = sorted(histories.values(), key=lambda each: each.cost)[:STATES]
            level = kept[0].cost - _USUAL * place
            best = min(best, level)
            if level > best + BEAM and not gaps[place] and furthest > place:
                continue
            for cost, word, end in self._arcs(phonemes, place, gaps, blanks):
                self._extend(kept, cost, Found(word, place, end), waiting[end])
                furthest = max(furthest, end)
            end = self._name_end(place, size, gaps)
            name = Found(-1, place, end, letters(phonemes[place:end]))
            cost = _UNKNOWN + _UNKNOWN_SOUND * (end - place) + (0 if gaps[place] else BOUNDARY)
            self._extend(kept[:1], cost, name, waiting[end])
            furthest = max(furthest, end)
        after = self._dictionary.grams.after

        def whole(each: _History) -> int:
            return each.cost + (after(each.pair, each.last, STOP)[0] if ends else 0)

        last = min(waiting[size].values(), key=whole)
        words: list[Found] = []
        at = last
        while at.found is not None and at.before is not None:
            words.append(at.found)
            at = at.before
        return words[::-1], (last.pair, last.last)

    def _extend(
        self, histories: list[_History], cost: int, found: Found, into: dict[tuple[int, int], _History]
    ) -> None:
        """Histories with a word more."""
        after = self._dictionary.grams.after
        for each in histories:
            if found.word < 0:
                total, pair, last = each.cost + cost, -1, STOP
            else:
                said, pair = after(each.pair, each.last, found.word)
                total, last = each.cost + cost + said, found.word
            other = into.get((pair, last))
            if other is None or total < other.cost:
                into[pair, last] = _History(total, pair, last, each, found)

    def _name_end(self, place: int, size: int, gaps: list[bool]) -> int:
        end = place + 1
        while end < size and not gaps[end] and end - place < _LONGEST_NAME:
            end += 1
        return end

    def _arcs(self, phonemes: str, place: int, gaps: list[bool], blanks: list[int]) -> list[tuple[int, int, int]]:
        """Words that may begin at a place: what their sounds cost, the word, where it ends; the cheapest of them."""
        tree, near, number = self._dictionary.tree, self._near, self._number
        labels, children, entries = tree.labels, tree.children, tree.entries
        find, size = labels.find, len(phonemes)
        missing = self._lacking
        seen: dict[tuple[int, int], int] = {}
        ends: dict[tuple[int, int], int] = {}
        stack = [(0, place, 0)]
        steps = 0
        while stack and steps < _MOST_STEPS:
            steps += 1
            node, at, cost = stack.pop()
            known = seen.get((node, at))
            if known is not None and known <= cost:
                continue
            seen[node, at] = cost
            if at > place and entries[node] != entries[node + 1]:
                other = ends.get((node, at))
                if other is None or cost < other:
                    ends[node, at] = cost
            low, high = children[node], children[node + 1]
            if low == high:
                if at < size and cost + LEAST_EXTRA <= BUDGET:
                    more = cost + extra(phonemes[at])
                    if more <= BUDGET:
                        stack.append((node, at + 1, more))
                continue
            if cost + LEAST_LACKING <= BUDGET:
                for child in range(low, high):
                    more = cost + missing[labels[child]]
                    if more <= BUDGET:
                        stack.append((child, at, more))
            if at == size:
                continue
            char = phonemes[at]
            if node and cost + LEAST_EXTRA <= BUDGET:
                more = cost + extra(char)
                if more <= BUDGET:
                    stack.append((node, at + 1, more))
            for label, price in near.get(char, ()):
                more = cost + price
                if more <= BUDGET:
                    child = find(label, low, high)
                    if child >= 0:
                        stack.append((child, at + 1, more))
            exact = number.get(char)
            if exact is not None:
                child = find(exact, low, high)
                if child >= 0:
                    stack.append((child, at + 1, cost))
        return self._cheapest(ends, place, gaps, blanks)

    def _cheapest(
        self, ends: dict[tuple[int, int], int], place: int, gaps: list[bool], blanks: list[int]
    ) -> list[tuple[int, int, int]]:
        tree, single = self._dictionary.tree, self._dictionary.grams.single
        rough: list[tuple[int, int, int, int]] = []
        for (node, at), cost in ends.items():
            crossed = blanks[at - 1] - blanks[place] if at > place else 0
            total = cost + BOUNDARY * crossed + (0 if gaps[at] else BOUNDARY)
            for entry in range(tree.entries[node], tree.entries[node + 1]):
                word = tree.words[entry]
                way = total + tree.costs[entry]
                rough.append((way + single(word) - _USUAL * (at - place), way, word, at))
        rough.sort()
        found: dict[tuple[int, int], int] = {}
        for _, way, word, at in rough[:ARCS]:
            known = found.get((word, at))
            if known is None or way < known:
                found[word, at] = way
        return [(way, word, at) for (word, at), way in found.items()]
