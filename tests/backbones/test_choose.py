"""`--model auto`: the language of the texts decides, it is said why, and what is not here is not chosen."""

from dataclasses import dataclass

import pytest

from superfine.backbones import choose as choosing
from superfine.backbones.choose import check_model, choose, language_of
from superfine.backbones.sources.embedded import ENGLISH, MULTILINGUAL
from superfine.config import ENGLISH_MODEL, MULTILINGUAL_MODEL
from superfine.errors import ModelError
from tests.conftest import make_rows, needs_embedded_model, needs_multilingual_model

ENGLISH_TEXTS = [text for text, _ in make_rows(50)]
CHINESE = ["这家店的饭菜很好吃，下次还会再来。", "手机用了三天就坏了，客服也不理人。", "物流很快，包装完好，给五星。"] * 10
LATIN = {
    "German": "Das Hotel war sauber, aber das Frühstück ließ sehr zu wünschen übrig.",
    "French": "La livraison est arrivée en retard et le plat était froid, je ne commanderai plus jamais ici.",
    "Swedish": "Maten var god men vi fick vänta länge på notan, så vi blev lite besvikna till slut.",
    "Spanish": "El teléfono funciona muy bien, aunque la batería dura menos de lo que esperaba.",
    "Tagalog": "Maganda ang produkto at mabilis ang padala, salamat po sa inyong lahat.",
    "Vietnamese": "Sản phẩm rất tốt, giao hàng nhanh và đóng gói cẩn thận.",
    "Turkish": "Ürün çok kaliteli ama kargo geç geldi, yine de memnun kaldım.",
}


@pytest.fixture
def without_hub(monkeypatch, tmp_path):
    monkeypatch.setattr(choosing, "hub_out_of_reach", lambda: "HF_HUB_OFFLINE is set")
    monkeypatch.setattr(choosing, "in_hub_cache", lambda _: False)


@dataclass(frozen=True)
class Stub:
    """An embedded model that is here or is not."""

    name: str
    published: str
    extra: str
    at_hand: bool

    @property
    def source(self):
        return "somewhere" if self.at_hand else None


@pytest.fixture
def at_hand(monkeypatch, without_hub):
    """Say which of the embedded models are installed."""

    def set_them(english: bool, multilingual: bool) -> None:
        for attribute, model, here in (("ENGLISH", ENGLISH, english), ("MULTILINGUAL", MULTILINGUAL, multilingual)):
            monkeypatch.setattr(choosing, attribute, Stub(model.name, model.published, model.extra, here))
        monkeypatch.setattr(choosing, "_tokenizer", lambda *_: None)

    return set_them


@needs_embedded_model
def test_english_texts_get_the_english_model(without_hub):
    choice = choose(ENGLISH_TEXTS)
    assert choice.name == ENGLISH_MODEL
    assert choice.line.startswith(f"Model: {ENGLISH_MODEL}, because the texts are English")


@needs_embedded_model
@needs_multilingual_model
@pytest.mark.parametrize("language", LATIN)
def test_other_languages_in_latin_letters_are_told_from_english(without_hub, language):
    assert language_of([LATIN[language]] * 20).code == "many"


@needs_embedded_model
@pytest.mark.parametrize("language", ["German", "French", "Spanish", "Turkish"])
def test_they_are_told_without_the_multilingual_tokenizer_too(at_hand, language):
    english = choosing._tokenizer(ENGLISH, None)
    at_hand(english=True, multilingual=False)
    choosing._tokenizer = lambda model, _: english if model is choosing.ENGLISH else None
    assert language_of([LATIN[language]] * 20).code == "many"
    assert language_of(ENGLISH_TEXTS).code == "en"


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        (CHINESE, "zh"),
        ([*CHINESE, "很喜欢 iPhone 和 MacBook"], "zh"),
        (["Отличный товар, очень доволен покупкой."], "many"),
        (["とても美味しかったです。また行きたい。"], "many"),
        (["배송이 빠르고 품질도 좋아요."], "many"),
        ([*ENGLISH_TEXTS, *CHINESE], "many"),
        (["12345", "3.14 %", "😀😀👍"], "none"),
        (["", " ", "!!!"], "none"),
    ],
)
def test_scripts_decide_where_they_can(texts, code):
    assert language_of(texts).code == code


def test_a_few_foreign_letters_do_not_make_english_another_language():
    shares = choosing.script_shares([*ENGLISH_TEXTS, "the β version"])
    assert sum(share for script, share in shares.items() if script != "Latin") < choosing.OTHER_SCRIPTS


@needs_multilingual_model
def test_chinese_texts_get_the_multilingual_model_with_the_reason_and_the_alternative(without_hub):
    choice = choose(CHINESE)
    assert choice.name == MULTILINGUAL_MODEL
    assert "100% of the letters are Chinese characters" in choice.line


def test_texts_in_no_language_get_the_smaller_model_and_it_is_said(at_hand):
    at_hand(english=True, multilingual=True)
    choice = choose(["12345", "67 %", "👍"])
    assert choice.name == ENGLISH_MODEL
    assert "in no language" in choice.line
    assert choice.line.endswith(f"The alternative: --model {MULTILINGUAL_MODEL}")


def test_where_the_better_model_is_not_here_the_other_is_taken_and_the_extra_named(at_hand):
    at_hand(english=True, multilingual=False)
    choice = choose(CHINESE)
    assert choice.name == ENGLISH_MODEL
    assert MULTILINGUAL_MODEL in choice.line
    assert "pip install 'superfine[multilingual]'" in choice.line


def test_texts_in_latin_letters_without_the_english_model_get_the_other_with_a_whole_sentence(at_hand):
    at_hand(english=False, multilingual=True)
    choice = choose(ENGLISH_TEXTS)
    assert choice.name == MULTILINGUAL_MODEL
    assert "though the texts are in Latin letters" in choice.line
    assert "pip install 'superfine[offline]'" in choice.line


def test_where_there_is_no_model_at_all_both_extras_are_named_before_anything_is_read(at_hand):
    at_hand(english=False, multilingual=False)
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE is set") as error:
        check_model("auto")
    assert "superfine[offline,multilingual]" in str(error.value)


def test_published_weights_in_the_hubs_cache_come_before_the_embedded_ones(at_hand, monkeypatch):
    at_hand(english=True, multilingual=True)
    monkeypatch.setattr(choosing, "in_hub_cache", lambda name: name == "intfloat/multilingual-e5-small")
    assert choose(CHINESE).name == "intfloat/multilingual-e5-small"


@pytest.mark.parametrize("gives", [True, False])
def test_a_hub_in_reach_is_asked_and_where_it_refuses_the_embedded_weights_are_taken(at_hand, monkeypatch, gives):
    at_hand(english=True, multilingual=True)
    monkeypatch.setattr(choosing, "hub_out_of_reach", lambda: None)
    monkeypatch.setattr(choosing, "_can_be_fetched", lambda _: gives)
    assert choose(CHINESE).name == ("intfloat/multilingual-e5-small" if gives else MULTILINGUAL_MODEL)


def test_the_hub_is_not_asked_for_english_texts_where_the_english_model_is_here(at_hand, monkeypatch):
    at_hand(english=True, multilingual=True)

    def asked(*_):
        raise AssertionError("the hub was asked")

    monkeypatch.setattr(choosing, "hub_out_of_reach", asked)
    monkeypatch.setattr(choosing, "_can_be_fetched", asked)
    assert choose(["12 34"]).name == ENGLISH_MODEL
