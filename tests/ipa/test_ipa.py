"""The `ipa` phonemizer: hands IPA through and refuses what isn't."""

from __future__ import annotations

import unicodedata

import pytest

from vall_e_core import BuildContext, InputError, PhonemizerModel
from vall_e_ipa import IpaPhonemizer

IPA = "həlˈoʊ, wˈɜːld! “dˈoʊnt” tɕˈi_n ʒɑ̃ θβχ nˈaɪ̯n tʰ | ˥˩ ɡ᷄ ma3"


@pytest.fixture
def ipa() -> PhonemizerModel:
    return IpaPhonemizer().build(BuildContext())


def test_ipa_is_handed_through_in_order(ipa: PhonemizerModel) -> None:
    texts = [IPA, "b", IPA.upper().lower()]
    assert ipa.phonemize(texts, "en")[:2] == [unicodedata.normalize("NFC", IPA), "b"]
    assert len(ipa.phonemize(texts, "xx")) == 3


def test_spaces_are_collapsed_and_nothing_else_changes(ipa: PhonemizerModel) -> None:
    assert ipa.phonemize(["  a\n\tb  "], "en") == ["a b"]
    assert ipa.phonemize([""], "en") == [""]


@pytest.mark.parametrize("text", ["Hello", "привет", "你好", "😀", "a\0b", "9", "a\u202eb", "a\u200bb"])
def test_text_that_is_not_ipa_is_refused_and_shown(ipa: PhonemizerModel, text: str) -> None:
    with pytest.raises(InputError, match=r"not IPA: .*U\+") as caught:
        ipa.phonemize(["a", text], "en")
    assert caught.value.exit_code == 3
    assert caught.value.try_ is not None


def test_it_keeps_the_protocol(ipa: PhonemizerModel) -> None:
    assert isinstance(ipa, PhonemizerModel)
    assert "en" in ipa.languages()
