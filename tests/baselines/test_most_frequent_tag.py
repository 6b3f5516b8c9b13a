"""The baseline of tags: what each word was most often, and nothing of words it never saw."""

import json
from dataclasses import replace

from superfine.baselines.most_frequent_tag import MostFrequentTag
from superfine.data.columns import ColumnChoice
from superfine.predictors.bundle import Manifest, open_predictor
from superfine.records import Examples
from superfine.tasks.tokens import Tokens

TEXTS = ["May went to Rome", "I may go", "may I see May", "Rome , Rome"]
CELLS = ['[[0, 3, "name"], [12, 16, "place"]]', "", '[[10, 13, "name"]]', '[[0, 4, "place"], [7, 11, "place"]]']
ROWS = replace(Examples.of_texts(TEXTS), label=CELLS)


def test_each_word_has_the_tag_that_it_had_most_often_and_a_new_word_is_outside():
    baseline = MostFrequentTag.fit(ROWS, Tokens.learn(ROWS))
    said = baseline.predict(["may May see Rome in Paris"]).label[0]
    assert said == [(4, 7, "name"), (12, 16, "place")]
    assert baseline.predict(["", "Paris"]).label == [[], []]
    assert baseline.title == "most frequent tag"


def test_it_answers_the_same_when_it_is_opened_again(tmp_path):
    task = Tokens.learn(ROWS)
    baseline = MostFrequentTag.fit(ROWS, task)
    columns = ColumnChoice(("text",), None, ("label",), None, False)
    manifest = Manifest.of(task, columns, predictor="most_frequent_tag", cleaning=[])
    baseline.save(tmp_path / "baselines" / "most_frequent_tag", manifest)
    opened = open_predictor(tmp_path, baseline="most_frequent_tag")
    assert opened.predict(TEXTS).label == baseline.predict(TEXTS).label
    json.dumps(opened.predict(TEXTS).to_objects())
