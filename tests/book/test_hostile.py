"""EPUBs that were made to do harm, or are damaged: each is refused with a reason, and exit code 3."""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from books import CONTAINER, PAGE, make_epub, pack, package, page
from vall_e_book import read_book
from vall_e_core import InputError

BODY = [("One", "<p>First.</p>"), ("Two", "<p>Second.</p>")]
BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
ENCRYPTED = (
    '<encryption xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData><enc:EncryptionMethod '
    'Algorithm="{method}"/><enc:CipherData><enc:CipherReference URI="OEBPS/c1.xhtml"/></enc:CipherData>'
    "</enc:EncryptedData></encryption>"
)
AES = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"


def with_files(**files: str | bytes) -> Callable[[Path], Path]:
    """A book of which some files are others; in their names, `__` stands for a slash and `_` for a dot."""
    named = {key.replace("__", "/").replace("_", "."): data for key, data in files.items()}
    return lambda path: make_epub(path, BODY, files={name.replace("META.INF", "META-INF"): data
                                                     for name, data in named.items()})  # fmt: skip


def many(begun: str) -> str:
    """Fifty thousand of something, each another."""
    return "".join(begun.format(at) for at in range(50_000))


def many_members(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for at in range(10_001):
            made.writestr(str(at), "")
    return path


def hidden_members(path: Path) -> Path:
    """The end says that there is one member; a Zip64 record before it, which counts, says how many there are."""
    data = many_members(path).read_bytes()
    at = data.rindex(b"PK\5\6")
    count = struct.unpack_from("<H", data, at + 10)[0]
    size, begin = struct.unpack_from("<2L", data, at + 12)
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, begin)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 46, begin, 0)
    path.write_bytes(data[:at] + record + locator + end)
    return path


def lying_size(path: Path) -> Path:
    """The list of members says that a page has ten bytes; it has a hundred megabytes."""
    make_epub(path, BODY, files={"OEBPS/c1.xhtml": bytes(100 << 20)})
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<L", 100 << 20), struct.pack("<L", 10)))
    return path


def cut(path: Path) -> Path:
    data = make_epub(path, BODY).read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def damaged(path: Path) -> Path:
    data = bytearray(make_epub(path, BODY, files={"OEBPS/c1.xhtml": page("<p>word</p>" * 500)}).read_bytes())
    at = data.index(b"OEBPS/c1.xhtml") + 40
    data[at : at + 20] = bytes(20)
    path.write_bytes(data)
    return path


def encrypted_member(path: Path) -> Path:
    data = bytearray(make_epub(path, BODY).read_bytes())
    at = data.rindex(b"OEBPS/c1.xhtml") - 46
    data[at + 8] |= 1
    path.write_bytes(data)
    return path


def no_zip(path: Path) -> Path:
    path.write_bytes(b"PK\3\4 and nothing else")
    return path


def without(name: str) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        make_epub(path, BODY)
        with zipfile.ZipFile(path) as made:
            files = {each: made.read(each) for each in made.namelist() if each not in (name, "mimetype")}
        return pack(path, files)

    return make


HOSTILE = {
    "a bomb": (with_files(OEBPS__c1_xhtml=bytes(12 << 20)), "suspiciously tightly"),
    "a member that is too large": (with_files(OEBPS__c1_xhtml=bytes(17 << 20)), "more than 16 MiB"),
    "a member that lies about its size": (lying_size, "damaged|too large|suspiciously"),
    "too many members": (many_members, "more than 10000 members"),
    "members that the end hides": (hidden_members, "more than 10000 members"),
    "a member outside": (lambda path: make_epub(path, BODY, files={"../../etc/cron.d/x": "x"}), "outside of the book"),
    "an absolute member": (lambda path: make_epub(path, BODY, files={"/etc/x": "x"}), "outside of the book"),
    "entities in the package": (with_files(OEBPS__content_opf=f"{BOMB}<package>&c;</package>"), "declares entities"),
    "entities in the contents": (with_files(OEBPS__nav_xhtml=f"{BOMB}<html>&c;</html>"), "declares entities"),
    "entities in a page": (with_files(OEBPS__c1_xhtml=f"{BOMB}<html>&c;</html>"), "declares entities"),
    "an external entity": (
        with_files(META_INF__container_xml='<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'),
        "declares entities",
    ),
    "deep elements in the package": (with_files(OEBPS__content_opf="<a>" * 100_000), "more than 200"),
    "deep elements in a page": (with_files(OEBPS__c1_xhtml=page("<div>" * 100_000)), "more than 200"),
    "comments that never end": (with_files(OEBPS__c1_xhtml=page(many("<!-- {} >"))), "never ends"),
    "sections that never end": (with_files(OEBPS__c1_xhtml=page(many("<![CDATA[ {} >"))), "never ends"),
    "a tag that is too long": (with_files(OEBPS__c1_xhtml=page(many("<a{} b=\""))), "too long"),
    "attributes without end": (with_files(OEBPS__c1_xhtml=page(f"<a {many('x{} ')}>")), "too long"),
    "a declaration that isn't one": (with_files(OEBPS__c1_xhtml=page("<![nonsense[x]]>")), "can't be read"),
    "a broken package": (with_files(OEBPS__content_opf="<package><manifest></package>"), "well-formed"),
    "an empty package": (with_files(OEBPS__content_opf="<package/>"), "no manifest"),
    "no package": (without("OEBPS/content.opf"), "names no package"),
    "no container": (without("META-INF/container.xml"), "container.xml"),
    "a package elsewhere": (with_files(META_INF__container_xml=CONTAINER.format(path="../../x")), "names no package"),
    "a missing page": (without("OEBPS/c1.xhtml"), "missing"),
    "an unknown encoding": (
        with_files(OEBPS__c1_xhtml='<?xml version="1.0" encoding="rot13"?><html>x</html>'), "unknown encoding: rot13"
    ),
    "another encoding than it says": (with_files(OEBPS__c1_xhtml=page("<p>Caf\xe9</p>").encode("latin1")), "0xE9"),
    "half a file": (cut, "isn't an EPUB"),
    "nothing but a beginning": (no_zip, "isn't an EPUB"),
    "a damaged page": (damaged, "damaged"),
    "an encrypted page": (encrypted_member, "encrypted"),
    "protected": (with_files(META_INF__encryption_xml=ENCRYPTED.format(method=AES)), r"protected \(DRM\)"),
    "protected by Readium": (
        with_files(META_INF__encryption_xml=ENCRYPTED.format(method=AES), META_INF__license_lcpl="{}"), "Readium LCP"
    ),
    "no text": (lambda path: make_epub(path, [("One", "<svg/>")]), "nothing to say"),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_or_damaged_book_is_refused(tmp_path: Path, what: str) -> None:
    make, message = HOSTILE[what]
    with pytest.raises(InputError) as error:
        read_book(make(tmp_path / "bad.epub"))
    assert error.value.exit_code == 3
    assert re.search(message, error.value.render()), error.value.render()
    assert "bad.epub" in error.value.message


def test_scrambled_fonts_protect_nothing(tmp_path: Path) -> None:
    fonts = ENCRYPTED.format(method="http://www.idpf.org/2008/embedding")
    assert read_book(make_epub(tmp_path / "a.epub", BODY, files={"META-INF/encryption.xml": fonts})).chapters


def test_encodings_that_a_page_names_are_used(tmp_path: Path) -> None:
    def first(data: bytes) -> str:
        book = read_book(make_epub(tmp_path / "a.epub", [("T", ""), ("U", "<p>u</p>")], files={"OEBPS/c1.xhtml": data}))
        return book.chapters[0].paragraphs[-1].text

    text = '<?xml version="1.0" encoding="{}"?><html><body><p>Café</p></body></html>'
    assert first(text.format("iso-8859-1").encode("latin1")) == "Café"
    assert first(text.format("utf-16").encode("utf-16")) == "Café"
    assert first(text.format("utf-8").encode("utf-8-sig")) == "Café"
    assert first(b"<html><head><meta charset=windows-1250></head><p>\xe8esk\xfd</p></html>") == "český"


def test_a_page_outside_of_the_book_isn_t_looked_for(tmp_path: Path) -> None:
    opf = package([("a", "../../../etc/passwd", PAGE), ("b", "b.xhtml", PAGE)], spine=["a", "b"])
    path = pack(tmp_path / "a.epub", {
        "META-INF/container.xml": CONTAINER.format(path="c.opf"), "c.opf": opf, "b.xhtml": page("<p>Only this.</p>"),
    })  # fmt: skip
    (chapter,) = read_book(path).chapters
    assert [each.text for each in chapter.paragraphs][-1] == "Only this."
