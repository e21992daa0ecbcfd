"""EPUBs as books: chapters, titles, and what is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from books import CONTAINER, PAGE, make_epub, pack, package, page, png
from vall_e_book import Book, read_book, write_folder

NCX = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN"\n'
    ' "http://www.daisy.org/z3986/2005/ncx-2005-1.dtd">\n<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/" '
    'version="2005-1"><navMap>{points}</navMap></ncx>'
)


def point(title: str, src: str, inside: str = "") -> str:
    return f'<navPoint><navLabel><text>{title}</text></navLabel><content src="{src}"/>{inside}</navPoint>'


def texts(book: Book) -> list[tuple[str, list[str]]]:
    return [(each.title, [one.text for one in each.paragraphs]) for each in book.chapters]


def left_out(book: Book) -> dict[str, int]:
    return {each.what: each.count for each in book.left_out}


def test_an_epub_has_its_chapters_in_order_with_title_author_and_cover(tmp_path: Path) -> None:
    path = make_epub(
        tmp_path / "a.epub",
        [("One", "<h1>One</h1><p>First&nbsp;words.</p><hr/><p>More.</p>"), ("Two", "<p>Second &mdash; words.</p>")],
    )
    book = read_book(path)
    assert (book.title, book.author, book.language) == ("A Book", "Ann Author", "en")
    assert book.cover is not None and book.cover.media_type == "image/png"
    assert texts(book) == [("One", ["One", "First words.", "More."]), ("Two", ["Two", "Second — words."])]
    assert [each.section for each in book.chapters[0].paragraphs] == [False, False, True]
    assert [each.heading for each in book.chapters[1].paragraphs] == [True, False]
    assert left_out(book) == {"table of contents": 1}


def test_what_isn_t_read_aloud_is_left_out_and_listed(tmp_path: Path) -> None:
    body = (
        '<h1>One</h1><p>He fell<a epub:type="noteref" href="#n1">1</a> down'
        '<span epub:type="pagebreak" id="p2">2</span>stairs<sup><a href="#fn2">2</a></sup> and'
        '<a class="fnanchor" href="#Footnote_3">[3]</a> rose. [Pg 12]</p>'
        '<aside epub:type="footnote" id="n1"><p>Literally.</p></aside>'
        '<p id="fn2"><a href="#r2">2</a> A stair.</p><div class="footnote"><p>[3] Up.</p></div>'
        "<p>10<sup>3</sup> men, the 1<sup>st</sup>.</p><svg><text>x</text></svg><p hidden='hidden'>no</p>"
    )
    path = make_epub(tmp_path / "a.epub", [("One", body), ("Index", "<h1>Index</h1><p>men, 10</p>")])
    book = read_book(path)
    assert texts(book) == [("One", ["One", "He fell downstairs and rose.", "10³ men, the 1st."])]
    assert left_out(book) == {
        "table of contents": 1, "footnote mark": 4, "page number": 2, "footnote": 3, "hidden text": 1, "index": 1,
        "audio, video or drawing": 1,
    }  # fmt: skip
    kept = texts(read_book(path, notes=True))[0][1]
    assert kept == ["One", "He fell downstairs and rose.", "Literally.", "A stair.", "[3] Up.", "10³ men, the 1st."]


def test_a_book_of_project_gutenberg(tmp_path: Path) -> None:
    """Several chapters in a file by fragments, an NCX, a list of contents, page numbers, a license at both ends."""
    first = page(
        '<section class="pg-boilerplate pgheader" id="pg-header"><h2>The Project Gutenberg eBook of It</h2>'
        "<p>This eBook is for the use of anyone anywhere.</p></section>"
        '<h1>IT</h1><p class="ph2">by A. Writer</p><h2>CONTENTS</h2>'
        '<table><tr><td><a href="#chap01" class="pginternal">I. Down</a></td></tr>'
        '<tr><td><a href="#chap02" class="pginternal">II. Up</a></td></tr></table>'
        '<div class="chapter"><h2><a id="chap01"></a>CHAPTER I.<br/>Down</h2>'
        '<p>Alice<span class="pagenum"><a id="Page_1">[Pg 1]</a></span> fell.</p></div>'
        '<div class="chapter"><h2><a id="chap02"></a>CHAPTER II.<br/>Up</h2><p>She rose.</p></div>'
    )
    second = page(
        "<p>She went on.</p><section class='pg-boilerplate pgfooter'><p>*** END OF THE PROJECT GUTENBERG EBOOK IT ***"
        "</p></section>"
    )
    toc = NCX.format(
        points=point("IT", "h-0.htm.xhtml#pgepubid00000") + point("CHAPTER I. Down", "h-0.htm.xhtml#chap01")
        + point("CHAPTER II. Up", "h-0.htm.xhtml#chap02")
    )
    items = [
        ("ncx", "toc.ncx", 'media-type="application/x-dtbncx+xml"'), ("a", "h-0.htm.xhtml", PAGE),
        ("b", "h-1.htm.xhtml", PAGE),
    ]  # fmt: skip
    about = (
        '<dc:title id="t">It</dc:title><dc:creator opf:role="ill">I. Drew</dc:creator>'
        '<dc:creator opf:role="aut">Writer, A.</dc:creator>'
    )
    book = read_book(pack(tmp_path / "pg.epub", {
        "META-INF/container.xml": CONTAINER.format(path="OEBPS/content.opf"),
        "OEBPS/content.opf": package(items, spine=["a", "b"], metadata=about, spine_more='toc="ncx"'),
        "OEBPS/toc.ncx": toc, "OEBPS/h-0.htm.xhtml": first, "OEBPS/h-1.htm.xhtml": second,
    }))  # fmt: skip
    assert book.author == "Writer, A."
    assert texts(book) == [
        ("IT", ["IT", "by A. Writer"]), ("CHAPTER I. Down", ["CHAPTER I.\nDown", "Alice fell."]),
        ("CHAPTER II. Up", ["CHAPTER II.\nUp", "She rose.", "She went on."]),
    ]  # fmt: skip
    assert left_out(book) == {"license of Project Gutenberg": 2, "page number": 1, "table of contents": 3}


def test_a_book_of_calibre(tmp_path: Path) -> None:
    """Split files, an SVG cover in a title page, a cover named in a meta element, prefixes, ids of a MOBI file."""
    prefixed = (
        '<?xml version="1.0"?><html:html xmlns:html="http://www.w3.org/1999/xhtml"><html:head><html:title>x</html:title>'
        '</html:head><html:body class="calibre"><html:p class="calibre1"><html:span id="filepos99">It</html:span> was '
        "late.</html:p></html:body></html:html>"
    )
    cover = page('<div><svg xmlns:xlink="l"><image xlink:href="cover.jpeg"/></svg></div>', "Cover")
    opf = package(
        [("ncx", "toc.ncx", 'media-type="application/x-dtbncx+xml"'),
         ("cover", "cover.jpeg", 'media-type="image/jpeg"'),
         ("titlepage", "titlepage.xhtml", PAGE), ("h1", "index_split_000.html", PAGE),
         ("h2", "index_split_001.html", 'media-type="text/x-oeb1-document"'),
         ("h3", "index_split_002.html", 'media-type="text/html"')],
        spine=["titlepage", "h1", "h2", "h3"], spine_more='toc="ncx"',
        metadata='<meta name="cover" content="cover"/><dc:title>Late</dc:title>',
        more='<guide><reference href="titlepage.xhtml" title="Cover" type="cover"/></guide>',
    ).replace("<metadata", "<opf:metadata").replace("</metadata", "</opf:metadata")  # fmt: skip
    book = read_book(pack(tmp_path / "c.epub", {
        "META-INF/container.xml": CONTAINER.format(path="content.opf"), "content.opf": opf,
        "toc.ncx": NCX.format(points=point("Night&nbsp;1", "index_split_000.html#filepos99")
                              + point("Day", "index_split_002.html#gone")),
        "cover.jpeg": b"\xff\xd8\xff\xe0rest", "titlepage.xhtml": cover, "index_split_000.html": prefixed,
        "index_split_001.html": page('<p class="calibre1">Very late.</p><p>&nbsp;</p><p>* * *</p><p>Later.</p>'),
        "index_split_002.html": page('<p class="calibre3"><b class="calibre4">Day</b></p><p>It dawned.</p>'),
    }))  # fmt: skip
    assert book.cover is not None and book.cover.media_type == "image/jpeg"
    assert texts(book) == [
        ("Night 1", ["Night 1", "It was late.", "Very late.", "Later."]), ("Day", ["Day", "It dawned."]),
    ]  # fmt: skip
    assert book.chapters[0].paragraphs[3].section and book.chapters[1].paragraphs[0].heading
    assert left_out(book) == {"cover page": 1, "audio, video or drawing": 1}


def test_a_book_of_sigil(tmp_path: Path) -> None:
    """Folders beside each other, paths with blanks, named entities, parts with chapters, a file of footnotes."""
    files = {
        "OEBPS/Text/Part One.xhtml": page('<h1 id="sigil_toc_id_1">Part One</h1>'),
        "OEBPS/Text/Section 1.xhtml": page(
            '<h2>Chapter 1</h2><p>Caf&eacute; no&euml;l.<a id="r1" href="../Text/notes.xhtml#n1"><sup>1</sup></a></p>'
        ),
        "OEBPS/Text/Section 2.xhtml": page("<h2>Chapter 2</h2><p>Two.</p>"),
        "OEBPS/Text/notes.xhtml": page(
            '<h2>Notes</h2><p id="n1"><a href="../Text/Section%201.xhtml#r1">1</a> Coffee.</p>'
        ),
        "OEBPS/toc.ncx": NCX.format(
            points=point("Part One", "Text/Part%20One.xhtml", point("Chapter 1", "Text/Section%201.xhtml")
                         + point("Chapter 2", "Text/Section%202.xhtml")) + point("Notes", "Text/notes.xhtml")
        ),
        "OEBPS/content.opf": package(
            [("ncx", "toc.ncx", 'media-type="application/x-dtbncx+xml"'), ("p", "Text/Part%20One.xhtml", PAGE),
             ("s1", "Text/Section%201.xhtml", PAGE), ("s2", "Text/Section%202.xhtml", PAGE),
             ("n", "Text/notes.xhtml", PAGE)],
            spine=["p", "s1", "s2", "n"], spine_more='toc="ncx"', metadata="<dc:title>S</dc:title>",
        ),
        "META-INF/container.xml": CONTAINER.format(path="OEBPS/content.opf"),
    }  # fmt: skip
    book = read_book(pack(tmp_path / "s.epub", files))
    assert texts(book) == [
        ("Part One: Chapter 1", ["Part One", "Chapter 1", "Café noël."]), ("Chapter 2", ["Chapter 2", "Two."]),
    ]  # fmt: skip
    assert left_out(book) == {"footnote mark": 2, "footnote": 2}


def test_a_book_of_indesign(tmp_path: Path) -> None:
    """Drop capitals, words in pieces, soft hyphens, titles that are no headings, places in a list of its own."""
    body = (
        '<div id="_idContainer003" class="_idGenObjectStyleOverride-1"><p id="_idParaDest-1" class="Chapter-Title '
        'ParaOverride-1"><span class="CharOverride-1">The Sto</span><span>rm</span></p><p class="Body"><span '
        'class="_idGenDropcap-1">T</span>he wi<span>nd</span> blew for­ever&#160;.</p></div>'
    )
    nav = page(
        '<nav epub:type="page-list"><ol><li><a href="Book.xhtml#p1">1</a></li></ol></nav>'
        '<nav epub:type="toc"><ol><li><a href="Book.xhtml#_idParaDest-1">The Storm</a></li>'
        '<li><a href="Book-1.xhtml#_idParaDest-2">The <i>Calm</i></a></li></ol></nav>'
    )
    book = read_book(pack(tmp_path / "i.epub", {
        "META-INF/container.xml": CONTAINER.format(path="OEBPS/content.opf"),
        "OEBPS/content.opf": package(
            [("toc", "toc.xhtml", f'{PAGE} properties="nav"'), ("a", "Book.xhtml", PAGE), ("b", "Book-1.xhtml", PAGE)],
            spine=["a", "b"], metadata="<dc:title>Weather</dc:title>",
        ),
        "OEBPS/toc.xhtml": nav, "OEBPS/Book.xhtml": page(body, "Book"),
        "OEBPS/Book-1.xhtml": page('<p id="_idParaDest-2">The Calm</p><p>It stopped.</p>', "Book"),
    }))  # fmt: skip
    assert texts(book) == [
        ("The Storm", ["The Storm", "The wind blew for­ever ."]), ("The Calm", ["The Calm", "It stopped."]),
    ]  # fmt: skip
    assert all(each.paragraphs[0].heading for each in book.chapters)


def test_a_heading_alone_is_said_before_the_next_chapter_and_no_text_is_taken_for_a_title(tmp_path: Path) -> None:
    alone = [(title, f"<h1>{title}</h1>") for title in ("A Book", "Part One", "E")]
    chapters = [*alone[:2], ("Stop", "<p>Stop!</p>"), alone[2]]
    book = read_book(make_epub(tmp_path / "a.epub", chapters))
    assert texts(book) == [("Part One: Stop", ["A Book", "Part One", "Stop!"])]
    assert left_out(book)["heading without text"] == 1


def test_without_a_table_of_contents_headings_make_chapters_else_documents(tmp_path: Path) -> None:
    def read(*bodies: str) -> list[tuple[str, list[str]]]:
        items = [(f"c{at}", f"c{at}.xhtml", PAGE) for at in range(len(bodies))]
        return texts(read_book(pack(tmp_path / "n.epub", {
            "META-INF/container.xml": CONTAINER.format(path="c.opf"),
            "c.opf": package(items, spine=[each[0] for each in items], metadata="<dc:title>N</dc:title>"),
            **{f"c{at}.xhtml": page(body) for at, body in enumerate(bodies)},
        })))  # fmt: skip

    assert read("<h1>N</h1><p>Intro.</p><h2>A</h2><p>a</p>", "<h2>B</h2><h2>Bee</h2><p>b</p>") == [
        ("N", ["N", "Intro."]), ("A", ["A", "a"]), ("B: Bee", ["B", "Bee", "b"]),
    ]  # fmt: skip
    assert [title for title, _ in read("<p>a</p>", "<p>b</p>")] == ["Chapter 1", "Chapter 2"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", "---\ntitle: T\nauthor: A\n---\n# One\n\nA *b* c[^1].\n\n---\n\nD.\n\n[^1]: Note.\n\n# Two\n\nE.\n"),
        ("a.html", "<html><head><title>T</title><meta name=author content=A></head><h1>One<p>A <b>b</b> c.<hr><p>D."
                   "<h1>Two</h1><p>E.</html>"),
        ("a.txt", "Title: T\nAuthor: A\n\n*** START OF THE PROJECT GUTENBERG EBOOK T ***\n\n# One\n\nA b c.\n\n"
                  "* * *\n\nD.\n\n# Two\n\nE.\n\n*** END OF THE PROJECT GUTENBERG EBOOK T ***\n\nLicense.\n"),
    ],
)  # fmt: skip
def test_markdown_html_and_text_are_books(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    book = read_book(tmp_path / name)
    assert texts(book) == [("One", ["One", "A b c.", "D."]), ("Two", ["Two", "E."])]
    assert (book.title, book.author) == ("T", "A")
    assert book.chapters[0].paragraphs[2].section


def test_headings_of_a_plain_text_are_known_by_their_form(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(
        "PROLOGUE\n\nIt began.\n\nCHAPTER I\nThe Boy\n\nPart of him\nwent. Civil.\n\nII.\n\nCivil\n\n"
        "Chapter one was good.\n",
        "utf-8",
    )
    assert texts(read_book(tmp_path / "a.txt")) == [
        ("PROLOGUE", ["PROLOGUE", "It began."]),
        ("CHAPTER I: The Boy", ["CHAPTER I\nThe Boy", "Part of him\nwent. Civil."]),
        ("II.", ["II.", "Civil", "Chapter one was good."]),
    ]


def test_a_book_that_is_exported_and_read_again_is_the_same(tmp_path: Path) -> None:
    body = "<h1>O/ne</h1><h2>a<br/>b</h2><p>c</p><hr/><p># d</p><p>e<br/>f</p><h2>g</h2><p>h</p>"
    book = read_book(make_epub(tmp_path / "a.epub", [("O/ne", body), ("Two", "<p>i</p>")]))
    files = write_folder(book, tmp_path / "out")
    assert [each.name for each in files] == ["book.json", "01 O-ne.txt", "02 Two.txt", "cover.png"]
    again = read_book(tmp_path / "out")
    assert again.chapters == book.chapters
    assert (again.title, again.author, again.language, again.cover) == (book.title, book.author, "en", book.cover)


def test_a_folder_of_plain_files_is_a_book(tmp_path: Path) -> None:
    for name, text in (("10 b.txt", "# Ten\n\nx"), ("2 a.txt", "y"), ("cover.png", "")):
        (tmp_path / name).write_text(text)
    (tmp_path / "cover.png").write_bytes(png())
    book = read_book(tmp_path)
    assert texts(book) == [("2 a", ["y"]), ("Ten", ["Ten", "x"])]
    assert book.cover is not None


def test_the_example_is_read_with_its_facts_sections_and_speech() -> None:
    book = read_book(Path(__file__).parents[2] / "examples" / "alice.txt")
    assert (book.title, book.author, book.language) == ("Alice's Adventures in Wonderland", "Lewis Carroll", "en")
    assert [each.title for each in book.chapters] == ["Down the Rabbit-Hole", "The Pool of Tears"]
    assert [each.section for each in book.chapters[0].paragraphs] == [False, False, False, True]
    assert book.chapters[1].paragraphs[1].text == "“Curiouser and curiouser!” cried Alice."
