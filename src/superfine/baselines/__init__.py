"""What a fine-tuned model has to beat: predictors without a network, fitted on the same rows, saved with the run and opened
again."""

from superfine.names import NameTable

BASELINES = NameTable(
    "baseline",
    {
        "majority": "superfine.baselines.majority:Majority",
        "tfidf": "superfine.baselines.tfidf:Tfidf",
        "most_frequent_tag": "superfine.baselines.most_frequent_tag:MostFrequentTag",
        "similar_sentence": "superfine.baselines.similar_sentence:SimilarSentence",
    },
)
"""A baseline is a predictor with a `title` for tables and sentences, `fit(examples, task, cleaning=...)`,
`save(folder, manifest)` and `load(bundle)`. Its name stands among the predictors too."""
