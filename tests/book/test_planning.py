"""Lines, voices and silences of a book."""

from __future__ import annotations

import pytest

from vall_e_book import Chapter, Paragraph
from vall_e_book.cues import Cue, as_json, as_srt, as_vtt
from vall_e_book.marks import stretches
from vall_e_book.planning import Pauses, PlannedChapter, plan_book, preview
from vall_e_core import UsageError


def plan(*texts: str | Paragraph, quote_voice: str | None = None, voice: str | None = None) -> PlannedChapter:
    paragraphs = tuple(each if isinstance(each, Paragraph) else Paragraph(each) for each in texts)
    (found,) = plan_book([(1, Chapter("C", paragraphs, voice))], pauses=Pauses(), quote_voice=quote_voice)
    return found


def said(chapter: PlannedChapter) -> list[tuple[str, str | None, float]]:
    return [(each.text, each.voice, each.pause) for each in chapter.lines]


def test_silences_lie_between_paragraphs_sections_and_chapters() -> None:
    one = Chapter("A", (Paragraph("A", heading=True), Paragraph("b"), Paragraph("c"), Paragraph("d", section=True)))
    two = Chapter("B", (Paragraph("e"),))
    found = plan_book([(1, one), (2, two)], pauses=Pauses())
    assert [each.pause for chapter in found for each in chapter.lines] == [1.0, 0.5, 1.0, 2.5, 0.0]


def test_pauses_that_are_alone_are_silence_and_others_stay_in_the_text() -> None:
    found = plan("[pause:2s]", "A [pause:1s] b.", "[pause:3s]", "c")
    assert found.lead == 2.0
    assert said(found) == [("A [pause:1s] b.", None, 4.0), ("c", None, 0.0)]
    with pytest.raises(UsageError, match=r"chapter 1 \(C\), paragraph 2: .*\[pause:90s\]"):
        plan("x", "y [pause:90s] z")


def test_a_voice_speaks_until_the_next_one_or_the_end_of_the_chapter() -> None:
    found = plan("A. [voice:bob] B.", "C.", "[voice:]D.", voice="ann")
    assert said(found) == [("A.", "ann", 0.15), ("B.", "bob", 0.5), ("C.", "bob", 0.5), ("D.", "ann", 0.0)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("“No,” he said. “I won't.”", [("“No,”", "q"), ("he said.", None), ("“I won't.”", "q")]),
        ('"Come here," she said.', [('"Come here,"', "q"), ("she said.", None)]),
        ("“It goes on", [("“It goes on", "q")]),
        ("The “experts” came.", [("The “experts” came.", None)]),
        ("« Oui », dit-il.", [("« Oui »", "q"), ("dit-il.", None)]),
        ("„Ja!“ – „Nein!“", [("„Ja!“ – „Nein!“", "q")]),
        ('A 6" nail and 5\'10".', [('A 6" nail and 5\'10".', None)]),
    ],
)
def test_what_stands_in_quotation_marks_is_spoken_by_its_voice(text: str, expected: list[tuple[str, str]]) -> None:
    found, after = stretches(text, None, "q")
    assert [(each.text, each.voice) for each in found] == expected
    assert after is None
    assert stretches(text, None, None)[0][0].text == text


def test_an_edited_paragraph_is_another_line_and_all_others_stay() -> None:
    before = {each.id for each in plan("a", "b", "b", "c").lines}
    after = {each.id for each in plan("new", "a", "b", "b!", "c").lines}
    assert len(before) == 4 and len(before & after) == 3


def test_a_preview_is_the_beginning() -> None:
    chapters = plan_book([(1, Chapter("A", tuple(Paragraph(f"Words {at} and more of them.") for at in range(99))))],
                         pauses=Pauses())  # fmt: skip
    (found,) = preview(chapters, 10)
    assert 3 <= len(found.lines) <= 6
    assert len(preview(chapters, 0.1)[0].lines) == 1


CUES = [Cue(0, 15_999, "One & two.", 1, "ok", "a"), Cue(16_000, 3_700 * 16_000, "x " * 40, 2, "loop", "b")]


def test_subtitles_are_numbered_and_don_t_overlap() -> None:
    srt = "".join(as_srt(CUES, 16_000))
    assert srt.startswith("1\n00:00:00,000 --> 00:00:00,999\nOne & two.\n\n2\n00:00:01,000 --> 01:01:40,000\nx x ")
    vtt = "".join(as_vtt(CUES, 16_000))
    assert vtt.startswith("WEBVTT\n\n1\n00:00:00.000 --> 00:00:00.999\nOne &amp; two.\n\n2\n")
    assert all(len(line) <= 42 for line in srt.splitlines())


def test_words_are_estimated_and_say_so() -> None:
    first, _ = as_json(CUES, 16_000)
    words = first["words"]
    assert [each["text"] for each in words] == ["One", "&", "two."]
    assert all(each["estimated"] for each in words)
    times = [time for each in words for time in (each["start"], each["end"])]
    assert times == sorted(times) and times[0] == first["start"] and times[-1] == pytest.approx(first["end"], abs=1e-3)
