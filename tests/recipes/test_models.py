"""`superfine models`: what is here is measured, the rest estimated, and what reads the language comes first."""

import json

import pytest

from superfine.cli.main import main
from superfine.config import ENGLISH_MODEL, MULTILINGUAL_MODEL, build_config
from superfine.recipes import models as recipe
from superfine.recipes.models import Fit, rank_models
from superfine.recipes.prepare import prepare
from superfine.recipes.reporter import Reporter
from tests.conftest import make_rows, needs_embedded_model, needs_multilingual_model, write_csv

ZH = [(f"{a}{b}，{c}。", label) for a in ("这家店", "手机", "衣服", "酒店", "外卖") for b in ("很", "真", "不太") for c, label in (("满意", "好"), ("退货", "差"), ("喜欢", "好"), ("后悔", "差"))]  # fmt: skip


def superfine(*arguments):
    with pytest.raises(SystemExit) as end:
        main(list(map(str, arguments)))
    return end.value.code


@pytest.fixture
def without_hub(monkeypatch):
    monkeypatch.setattr("superfine.backbones.catalogue.hub_out_of_reach", lambda: "HF_HUB_OFFLINE is set")


def ranked(file, *, measure=False) -> list[Fit]:
    parts = prepare(
        str(file), None, None, build_config({}, {"model.name": ENGLISH_MODEL, "data.text": ["text"], "data.label": "label"})
    )
    return rank_models(parts, Reporter(), measured=measure)


def test_without_data_the_catalogue_is_listed_with_where_the_weights_are(capsys, without_hub):
    assert superfine("models", "--json") == 0
    listed = json.loads(capsys.readouterr().out)["models"]
    assert len(listed) >= 25
    assert {model["place"] for model in listed} <= {"embedded", "cache", "out of reach"}
    assert superfine("models", "--lang", "zh") == 0
    assert "无法获取" in capsys.readouterr().out


@needs_embedded_model
@needs_multilingual_model
def test_for_chinese_texts_english_models_do_not_suit_and_it_is_said_why(tmp_path, without_hub):
    fits = ranked(write_csv(tmp_path / "zh.csv", ZH))
    assert fits[0].entry.name == MULTILINGUAL_MODEL, "of those that are here"
    english = next(fit for fit in fits if fit.entry.name == ENGLISH_MODEL)
    assert not english.suits
    assert english.unknown_share > 0.3
    assert any("unknown to it" in reason for reason in english.reasons)
    suiting = [fit.entry.name for fit in fits if fit.suits]
    assert {"hfl/rbt3", "FacebookAI/xlm-roberta-base"} <= set(suiting)
    assert not {"google-bert/bert-base-uncased", "almanach/camembert-base"} & set(suiting)
    assert suiting.index("hfl/chinese-macbert-base") < suiting.index("FacebookAI/xlm-roberta-base"), "one for the language first"


@needs_embedded_model
def test_for_english_texts_the_multilingual_ones_come_after_english_ones_of_their_size(reviews, without_hub):
    suiting = [fit.entry.name for fit in ranked(reviews) if fit.suits]
    assert "hfl/rbt3" not in suiting
    assert suiting.index("FacebookAI/roberta-base") < suiting.index("FacebookAI/xlm-roberta-base")


@needs_embedded_model
@pytest.mark.usefixtures("without_hub")
def test_what_is_here_is_measured_and_the_others_are_estimated_from_it(reviews, monkeypatch):
    monkeypatch.setattr(recipe, "measure", lambda name, *_: recipe.Measured(10.6, 0) if name == ENGLISH_MODEL else None)
    fits = {fit.entry.name: fit for fit in ranked(reviews, measure=True)}
    assert (fits[ENGLISH_MODEL].seconds, fits[ENGLISH_MODEL].measured) == (10.6, True)
    bert = fits["google-bert/bert-base-uncased"]
    assert not bert.measured
    assert bert.seconds == pytest.approx(85.1), "by the size of the body"
    modern = fits["answerdotai/ModernBERT-base"]
    assert modern.seconds == pytest.approx(110.3)


@needs_embedded_model
@pytest.mark.slow
def test_a_measured_step_foretells_the_time_of_training(tmp_path, without_hub):
    import superfine as package

    file = write_csv(tmp_path / "reviews.csv", make_rows(1200))
    measured = next(fit.seconds for fit in ranked(file, measure=True) if fit.entry.name == ENGLISH_MODEL)
    run = package.train(file, out=tmp_path / "run")
    assert run.metrics["training"]["seconds"] / 3 < measured < 3 * run.metrics["training"]["seconds"]


def test_a_model_that_cannot_be_had_or_takes_too_long_comes_later():
    from superfine.backbones.catalogue import catalogue

    by_name = {entry.name: entry for entry in catalogue()}
    here = Fit(by_name["hfl/rbt3"], "hub", True, (), seconds=60.0)
    long = Fit(by_name["FacebookAI/xlm-roberta-large"], "hub", True, (), seconds=2 * recipe.BUDGET)
    longer = Fit(by_name["Qwen/Qwen3-0.6B"], "hub", True, (), seconds=3 * recipe.BUDGET)
    away = Fit(by_name["hfl/chinese-macbert-base"], "out of reach", True, (), seconds=60.0)
    other = Fit(by_name["google-bert/bert-base-cased"], "embedded", False, (), seconds=1.0)
    assert sorted([other, away, longer, long, here], key=recipe._order) == [here, long, longer, away, other]


@needs_embedded_model
def test_the_rehearsal_names_others_that_suit(reviews, capsys, without_hub):
    assert superfine("train", reviews, "--dry-run", "--json") == 0
    output = capsys.readouterr()
    assert "Other models that suit these texts: " in output.err
    document = json.loads(output.out)
    assert document["model"] == ENGLISH_MODEL
    assert all(model["suits"] for model in document["models"])
