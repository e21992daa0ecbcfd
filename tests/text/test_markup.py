"""Plain text, Markdown, HTML and SSML as pieces: what is said, what is silence, and where it stands in the text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vall_e_core import InputError
from vall_e_text import IPA, Pause, Piece, Stop, Words, read, split


def shown(text: str, markup: str = "text", **settings: str) -> str:
    """A reading on one line: `|` is a stop, `||` the end of a paragraph, `<1.5>` a pause, `/…/` IPA."""
    found = ""
    for piece in read(text, markup=markup, **settings).pieces:
        if isinstance(piece, Words):
            found += piece.text if piece.rate == 1 else f"{{{piece.rate:g}:{piece.text}}}"
        elif isinstance(piece, IPA):
            found += f"/{piece.phonemes}/"
        elif isinstance(piece, Pause):
            found += f"<{piece.seconds:g}>"
        else:
            found += "||" if piece.paragraph else "|"
    return found.removesuffix("||")


def check_places(text: str, pieces: tuple[Piece, ...]) -> None:
    last = 0
    for piece in pieces:
        assert last <= piece.start <= piece.end <= len(text), piece
        last = piece.end


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Milk\nEggs\nBread", "Milk|Eggs|Bread"), ("Turn left here", "Turn left here"),
        ("# Head\nWords here.", "Head|Words here."), ("## Head ##\n\nWords.", "Head||Words."),
        ("#topic is up", "#topic is up"), ("- one\n* two\n• three", "one|two|three"),
        ("1. one\n2) two\n3. three", "one|two|three"), ("1. alone", "alone"), ("2. second", "2. second"),
        ("- [x] done\n- [ ] open", "done|open"), ("> said he\n> and she.", "said he and she."),
        ("> quoted\nanswered", "quoted|answered"), ("one\n---\ntwo", "one||two"), ("***", ""),
        ("This is **bold**, _this_ and `that`.", "This is bold, this and that."),
        ("***both*** and ~~gone~~", "both and gone"), ("*so* and __so__", "so and so"),
        ("snake_case_name 2*3*4 a * b", "snake_case_name 2*3*4 a * b"), ("**open", "**open"), ("5* hotel", "5* hotel"),
        ("```sh\nls\n```", "ls"), ("**two\n\nparts**", "**two||parts**"),
        ("Hello [pause:1.5s] there [PAUSE: 200ms]", "Hello<1.5>there<0.2>"), ("[pause:2] x", "<2>x"),
        ("I say [tomato](/təˈmɑːtoʊ/), you", "I say/təˈmɑːtoʊ/, you"),
        ("I say [tomato](/təˈm(j)ɑːtoʊ/), you", "I say/təˈmjɑːtoʊ/, you"),
        ("[a](http://b/c) b", "a b"), ("![a](https://b.c/d.png)", "a"),
        ("| a | b |\n|---|:-:|\n| 1 | 2 |", "a|b||1|2"), ("a | b", "a | b"), ("[a](b) [1]", "[a](b) [1]"),
        ("[**x**](/a/) **b**", "/a/b"), ("", ""), ("\n\n", ""),
    ],
)  # fmt: skip
def test_plain_text(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a <b>bold</b> word<br>next", "a bold word|next"), ("<p>one</p><p>two</p>", "one|two"),
        ('Hi <break time="1s"/> you', "Hi you"), ("<SPEAK>hi</SPEAK>", "hi"), ("x <!-- no --> y", "x y"),
        ("Tom &amp; Ann&nbsp;&#65; R&D; &foo;", "Tom & Ann A R&D; &foo;"), ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<v Roger>Never.", "Never."), ("<bob@x.org> <alice> wrote", "<bob@x.org> <alice> wrote"), 
        ("[docs](docs/cli.md)", "docs"), ("if a<b then b>a", "if a<b then b>a"),
        ("your <CODE> or <name>", "your <CODE> or <name>"), ("<code>x</code> <Mine>y</Mine>", "x y"),
        ('[a](http://x.org "A title") b', "a b"), ("[![CI](b.svg)](http://ci)", "CI"), ("a[0](x)", "a[0](x)"),
        ("Word[^1] and\n\n[^1]: the note", "Word and||the note"),
    ],
)  # fmt: skip
def test_what_other_formats_leave_in_plain_text_is_not_read(text: str, expected: str) -> None:
    assert shown(text, "auto") == expected
    check_places(text, read(text).pieces)


def test_text_said_to_be_plain_keeps_its_tags() -> None:
    assert shown("a <b>bold</b> &amp; word", "text") == "a <b>bold</b> &amp; word"


@pytest.mark.parametrize("begin", ["<!DOCTYPE html>", "\ufeff <html lang='en'>", "<!-- saved -->\n<!doctype HTML>"])
def test_a_page_is_known_by_its_root(begin: str) -> None:
    found = read(f"{begin}<head><title>t</title></head><body><p>Hello</p></body>")
    assert found.markup == "html" and shown(found.text, "auto") == "Hello"
    assert read("An <html> tag").markup == "text"


SUBRIP = """1
00:00:01,000 --> 00:00:04,000
I never thought that

2
00:00:04,500 --> 00:00:06,000
Peter would say it
like this.

3
00:00:07,000 --> 00:00:08,000
- Why?
- Because.

4
00:00:09,000 --> 00:00:10,000
[A door closes]

5
00:00:11,000 --> 00:00:12,000
<i>Good,</i>

6
00:00:13,000 --> 00:00:14,000
<i>good night.</i>

The end
"""
WEBVTT = """WEBVTT - a title
Kind: captions
Language: en

NOTE
not shown
either

STYLE
::cue { color: red }

first
00:01.000 --> 00:04.000 align:start
<v Ann>Never say that

00:05.000 --> 00:06.000
<00:05.200><c>it</c> is<00:05.500> over.
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SUBRIP, "I never thought that Peter would say it like this.|Why?|Because.|[A door closes]|Good, good night.||"
                 "The end"),
        (WEBVTT, "Never say that it is over."),
        ("1\n00:00:01,000 --> 00:00:04,000\nso today\n\n2\n00:00:04,000 --> 00:00:05,000\nwe look at bread",
         "so today|we look at bread"),
        (SUBRIP.replace("Peter", "PETER:"), "I never thought that|PETER: would say it like this.|Why?|Because."
                 "|[A door closes]|Good, good night.||The end"),
    ],
)  # fmt: skip
def test_a_sentence_goes_over_the_cues_of_subtitles(text: str, expected: str) -> None:
    assert shown(text, "auto") == expected
    check_places(text, read(text).pieces)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Name\tAge\nAnn\t34", "Name|Age|Ann|34"), ("\tindented\tcell\t", "indented|cell"), ("1.\tone", "one"),
        ("Ann Lee | VP, Sales | +44 20", "Ann Lee|VP, Sales|+44 20"), ("P(A | B)", "P(A | B)"),
        ("+---+---+\n| A | B |\n+===+===+", "A|B"), ("┌───┐\n│ A │ B │\n└───┘", "A|B"), ("a || b", "a || b"),
        ("1\n00:00:01,000 --> 00:00:04,000\nHello\n\n2\n00:01.5 --> x\n00:05,000 --> 00:06,000\nbye",
         "Hello||2|00:01.5 --> x||bye"),
        ("WEBVTT\n\n00:01.000 --> 00:04.000\nNever.", "Never."), ("7\nseven", "7|seven"),
        ("$ ls ~/x\n$5 each", "ls ~/x|$5 each"), ("☐ open\n☑ done\n→ next", "open|done|next"),
        ("[ ] buy milk\n[x] call", "buy milk|call"), ("One\\nTwo.\\n\\nThree\\n", "One|Two.|Three"),
        ("C:\\new and D:\\nA\\nb", "C:\\new and D:\\nA\\nb"),
    ],
)  # fmt: skip
def test_layout_of_tables_subtitles_and_commands(text: str, expected: str) -> None:
    assert shown(text) == expected
    check_places(text, read(text, markup="text").pieces)


def test_a_lone_number_may_be_an_ordinal_elsewhere() -> None:
    assert shown("1. Mai", language="de") == "1. Mai" and shown("1. a\n2. b", language="de") == "a|b"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[pause:61s]", "60 s at most"), ("[pause:]", "without a length"), ("[pause:soon]", r"\[pause:1.5s\]"),
        ("[pause:-1s]", "without a length"), ("[pause:999999999s]", "60 s"),
    ],
)  # fmt: skip
def test_a_pause_that_cannot_be_made_is_refused(text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        read(text, markup="text")
    assert says.replace("\\", "") in caught.value.render()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Head\n\nSome *it* [link](http://x.y) text\ncontinued.", "Head||Some it link text continued."),
        ("- a\n- b\n\n1. c\n2. d", "a|b|c|d"), ("- a\n\n- b", "a||b"), ("```\ncode\n```\nwords", "words"),
        ("    code\n\nwords", "words"), ("| a | b |\n|---|---|\n| 1 | 2 |", "a|b|1|2"), ("![alt](x.png) seen", "seen"),
        ("a \\* b &amp; c", "a * b & c"), ("Head\n====\n\ntext", "Head||text"), ("one  \ntwo", "one|two"),
        ("<div>in <b>html</b></div>\n\n<!-- no -->\n\nout", "in html||out"), ("x <br> y <i>z</i>", "x|y z"),
        ("---\ntitle: no\n---\nwords", "words"), ("[word](/ɪpə/)", "word"), ("wait [pause:1s] go", "wait<1>go"),
        ("- [ ] open\n- [x] done [1]", "open|done [1]"), ("Word[^1].\n\n[^1]: A note.", "Word.||A note."),
        ("~~old~~ `code` <https://a.b>", "old code https://a.b"), ("> quote\n\nafter", "quote||after"),
    ],
)  # fmt: skip
def test_markdown(text: str, expected: str) -> None:
    assert shown(text, "markdown") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<h1>Title</h1><p>Hello &amp; <b>bye</b><br>line</p>", "Title||Hello & bye|line"),
        ("<ul><li>a<li>b</ul>c", "a|b||c"), ("<p>a\n b</p>", "a b"), ("a<script>b('</p>')</script>c", "ac"),
        ("<head><title>t</title></head><style>s</style>x", "x"), ("<pre><code>x=1</code></pre>y", "y"),
        ("<pre>one\ntwo</pre>", "one|two"), ("<p hidden>a</p><div aria-hidden='true'>b<div>c</div></div>d", "d"),
        ("<table><tr><td>1</td><td>2</td></tr></table>", "1|2"), ('<a href="http://x">link</a>', "link"),
        ("&#65;&#x42;&nbsp;&eacute;&unknown;", "AB é&unknown;"), ("a <!-- b --> c", "a c"),
        ("2 < 3 and 4", "2 < 3 and 4"), ("R&D, AT&T &amp &copy 2024", "R&D, AT&T & © 2024"),
        ("a <span style='color: red; Display : none'>b</span>c", "a c"),
        ("<button>a</button><label>b</label>c", "a|b|c"),
        ("x<sup>2</sup> 10<sup>-6</sup> 1<sup>st</sup>", "x² 10⁻⁶ 1st"), ("Rome<sup>[1]</sup> fell", "Rome fell"),
        ("H<sub>2</sub>O <sup>12</sup>C", "H2O 12C"),
        ("<p>open <b", "open <b"), ("<!DOCTYPE html><p>x", "x"),
    ],
)  # fmt: skip
def test_html(text: str, expected: str) -> None:
    assert shown(text, "html") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Hi<break time="1.5s"/>there<break time="200ms"/>', "Hi<1.5>there<0.2>"), ("a<break/>b", "a<0.5>b"),
        ('a<break strength="x-strong"/>b<break strength="none"/>', "a<1>b<0>"), ("<p><s>a</s><s>b</s></p>c", "a|b||c"),
        ('<sub alias="World Wide Web">WWW</sub>!', "World Wide Web!"),
        ('<phoneme alphabet="ipa" ph="təˈmɑːtoʊ">tomato</phoneme>', "/təˈmɑːtoʊ/"),
        ('<say-as interpret-as="characters">abc1</say-as>', "A B C 1"),
        ('<say-as interpret-as="digits">2024</say-as>', "2 0 2 4"),
        ('<say-as interpret-as="telephone">+1 555-0100</say-as>', "+ 1, 5 5 5, 0 1 0 0"),
        ('<say-as interpret-as="ordinal">22</say-as>', "22nd"), ('<say-as interpret-as="ordinal">11</say-as>', "11th"),
        ('<say-as interpret-as="date" format="dmy">3/4/2021</say-as>', "2021-04-03"),
        ('<say-as interpret-as="cardinal">5</say-as>', "5"),
        ('<say-as interpret-as="expletive">darn</say-as> it', "it"),
        ('<prosody rate="slow" pitch="high">a</prosody> b', "{0.75:a}b"),
        ('<prosody rate="+50%">a</prosody>', "{1.5:a}"),
        ('<prosody rate="50%"><prosody rate="2">a</prosody></prosody>', "a"), ("<emphasis>a</emphasis> b", "a b"),
        ("a<!-- b --><![CDATA[c]]>&lt;&amp;&#65;&nbsp;&eacute;", "a<&A é"), ("a<mark name='x'/><desc>no</desc>", "a"),
        ('<voice name="x">a</voice><audio src="b">c</audio>', "ac"),
    ],
)  # fmt: skip
def test_ssml(text: str, expected: str) -> None:
    assert shown(f"<speak>{text}</speak>", "auto") == shown(text, "ssml") == expected


def test_b8_nothing_is_expanded() -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e0 "boom">{levels}]><speak>one &e11; two</speak>'
    assert shown(bomb, "auto") == "one two"
    assert shown(bomb.replace("one", '<sub alias="&e11;">x</sub> one'), "auto") == "one two"
    outside = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><speak>a &x; b</speak>'
    assert shown(outside, "ssml") == "a b"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a <b>", "well formed"), ("Tom & Jerry", "well formed"), ('<break time="soon"/>', "without a length"),
        ('<break time="61s"/>', "60 s at most"), ('<break strength="mild"/>', "x-weak"), ("</speak>x", "well formed"),
        ('<phoneme alphabet="x-sampa" ph="a">b</phoneme>', "only ipa"), ('<prosody rate="quick">a</prosody>', "x-fast"),
        ('<prosody rate="900%">a</prosody>', "0.25 to 4"), ('<prosody rate="-100%">a</prosody>', "0.25 to 4"),
    ],
)  # fmt: skip
def test_ssml_that_cannot_be_meant_is_refused(text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        read(f"<speak>{text}</speak>")
    assert says in caught.value.render()


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("<speak>a</speak>", "", "ssml"),
        (' \n<?xml version="1.0"?>\n<!-- x --><speak version="1">a</speak>', "", "ssml"),
        ("<speaker>a</speaker>", "", "text"), ("I <speak>", "", "text"), ("# a", "x.md", "markdown"),
        ("# a", "x.MARKDOWN", "markdown"), ("a", "x.html", "html"), ("# a", "x.txt", "text"), ("# a", "", "text"),
    ],
)  # fmt: skip
def test_what_a_text_is_read_as(text: str, name: str, expected: str) -> None:
    assert read(text, name=name).markup == expected


BITS = (
    "word ", "Two words. ", "\n", "\n\n", "**", "_", "`", "# ", "- ", "1. ", "> ", "[pause:1s]", "[x](/ˈɛks/)", "½",
    "ﬁ",
    "\u200b", "e\u0301", "好。", "<b>", "</b>", "&amp;", "<p>", "<li>", "<!--", "-->", "|", "\\*", "\r\n", "  ",
    "---\n", "#tag ", "\t", " | ", "[a](http://b) ", "![", "[^1]: ", "<sup>2</sup>", "<i x='y'>",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("markup", ["auto", "text", "markdown", "html"])
@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(BITS), max_size=40).map("".join) | st.text(max_size=60))
def test_places_are_ordered_inside_and_apart(markup: str, text: str) -> None:
    pieces = read(text, markup=markup).pieces
    check_places(text, pieces)
    for segment in split(pieces, max_seconds=3):
        start, end = segment.span
        assert 0 <= start <= end <= len(text)
        check_places(text, segment.pieces)
    said = "".join(piece.text for piece in pieces if isinstance(piece, Words))
    assert not {"\n", "\u200b", "\0"} & set(said)


TAGS = ("<p>", "</p>", '<break time="1s"/>', "word ", "&amp;", "&lt;", "é", "<s>a</s>", '<sub alias="b">c</sub>', "\n")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(TAGS), max_size=20).map("".join))
def test_places_in_ssml(text: str) -> None:
    text = f"<speak>{text}</speak>"
    try:
        found = read(text)
    except InputError as error:
        assert "well formed" in error.message
        return
    check_places(text, found.pieces)
    for piece in found.pieces:
        if isinstance(piece, Words) and piece.text == "word ":
            assert text[piece.start : piece.end] == "word "


FLOODS = {
    "pairs": "**a** ", "open": "**a ", "ticks": "`", "links": "[a](/b/)", "brackets": "[", "quotes": "> ",
    "tags": "<b>",
    "comments": "<!-- a -->", "entities": "&amp;", "angles": "<a ", "lists": "- a\n", "items": "1. a\n",
    "pauses": "[pause:1s]",
    "closing": "</b>", "rows": "| a ", "lines": "a\n", "wide": "a b c d e f g h i j k l m n o p q r s t u v w x y z\n",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("markup", ["text", "html"])
@pytest.mark.parametrize("flood", FLOODS)
def test_b3_time_is_linear_whatever_the_markup(
    markup: str, flood: str, grows_linearly: Callable[[Callable[[int], object]], bool]
) -> None:
    def work(times: int) -> None:
        split(read("a" + FLOODS[flood] * (2_000 * times // len(FLOODS[flood])), markup=markup).pieces)

    assert grows_linearly(work)


def test_stops_end_a_line_of_a_list_and_pauses_a_segment() -> None:
    text = "[pause:2s] Milk\nEggs [pause:1s][pause:1s] Bread and butter\n\nThe end"
    segments = split(read(text, markup="text").pieces)
    assert [(each.spoken, each.lead, each.pause, each.paragraph) for each in segments] == [
        ("Milk. Eggs", 2.0, 2.0, False), ("Bread and butter", 0.0, None, True), ("The end", 0.0, None, True),
    ]  # fmt: skip
    assert any(isinstance(piece, Stop) for piece in segments[0].pieces)
