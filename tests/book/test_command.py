"""`vall-e book` without a model: chapters and what is left out, text that is exported, edited and read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from books import make_epub
from sites import Run

CHAPTERS = [
    ("One", f"<h1>One</h1><p>{'Some words. ' * 100}</p><span epub:type='pagebreak'>7</span>"),
    ("Two", "<h1>Two</h1><p>More words.</p>"), ("Two and a half", "<p>Half.</p><p>Done.</p>"),
    ("Copyright", "<p>All rights are reserved.</p><p>Everywhere.</p>"),
]  # fmt: skip


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return make_epub(tmp_path / "a.epub", CHAPTERS)


def test_the_list_shows_chapters_with_minutes_and_what_is_left_out(run: Run, book: Path) -> None:
    done = run("book", book, "--list")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "A Book, by Ann Author"
    assert [line.split("min")[-1].strip() for line in lines[2:7]] == [
        "One", "Two", "Two and a half", "Copyright", "in all"
    ]
    assert lines[-2:] == ["   1  table of contents  OEBPS/nav.xhtml", "   1  page number  7"]
    facts = run("book", book, "--list", "--json").json()
    assert facts["chapters"][0]["minutes"] > 1 and facts["cover"] == "image/png"
    assert facts["left_out"][1] == {"what": "page number", "count": 1, "example": "7"}


def test_chapters_are_chosen_by_number_and_skipped_by_title(run: Run, book: Path) -> None:
    def titles(*flags: str) -> list[str]:
        return [each["title"] for each in run("book", book, "--list", "--json", *flags).json()["chapters"]]

    assert titles("--chapters", "2-3") == ["Two", "Two and a half"]
    assert titles("--chapters", "1,3-") == ["One", "Two and a half", "Copyright"]
    assert titles("--skip", "copyright", "--skip", "TWO*") == ["One"]
    for flags, message in (
        (("--chapters", "5"), "there is no chapter 5"), (("--chapters", "x"), "not a range"),
        (("--skip", "Copyrite"), "did you mean Copyright?"),
    ):  # fmt: skip
        done = run("book", book, "--list", *flags)
        assert done.code == 2 and message in done.err


def test_a_text_is_exported_edited_and_read_again(run: Run, book: Path, tmp_path: Path) -> None:
    done = run("book", book, "--export-text", tmp_path / "text", "--chapters", "2-3")
    assert done.code == 0, done.err
    assert (tmp_path / "text" / "01 Two.txt").read_text() == "# Two\n\nMore words.\n"
    (tmp_path / "text" / "01 Two.txt").write_text("# Two\n\nOther words.\n\n***\n\nStill more.\n")
    facts = run("book", tmp_path / "text", "--list", "--json").json()
    assert [(each["title"], each["paragraphs"]) for each in facts["chapters"]] == [("Two", 3), ("Two and a half", 3)]
    assert run("book", book, "--export-text", tmp_path / "text").code == 2, "nothing is overwritten"


def test_a_file_that_is_no_book_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.epub").write_text("no zip")
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.4")
    (tmp_path / "empty").mkdir()
    for name, message in (
        ("a.epub", "isn't an EPUB"), ("b.pdf", "a PDF document"), ("c.epub", "can't read"), ("empty", "no chapters")
    ):
        done = run("book", tmp_path / name, "--list")
        assert done.code == 3 and message in done.err, done.err
