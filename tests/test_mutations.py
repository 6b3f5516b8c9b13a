"""Mutations of the source that people have made by accident elsewhere, and the tests that notice each of them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WIRING = "tests/recipes/test_wiring.py::"
MUTATIONS = {
    "the baseline is fitted on test rows": (
        "recipes/baselines.py",
        [("parts.train.joined(parts.validation)", "parts.train.joined(parts.validation).joined(parts.test)")],
        "test_the_baseline_learns_from_training_and_validation_rows_and_from_no_test_row",
    ),
    "the baseline never sees validation rows": (
        "recipes/baselines.py",
        [("parts.train.joined(parts.validation)", "parts.train")],
        "test_the_baseline_learns_from_training_and_validation_rows_and_from_no_test_row",
    ),
    "the baseline reads uncleaned texts": (
        "recipes/baselines.py",
        [("STEPS if parts.config.data.cleaning else ()", "()")],
        "test_the_baseline_reads_texts_as_the_model_does",
    ),
    "the groups are not handed to the split": (
        "recipes/prepare.py",
        [("seed=seed, groups=rows.group)", "seed=seed, groups=None)")],
        "test_every_split_is_told_the_groups_and_no_group_is_on_two_sides",
    ),
    "class weights are chosen and not handed on": (
        "recipes/encode.py",
        [("task.row_weights(config.training.class_weights, parts.train)", "None")],
        "test_the_loss_is_weighted_by_class",
    ),
    "class weights are not used by the loss": (
        "training/objective.py",
        [("Outcome(losses, logits, batch.weights, losses.detach())", "Outcome(losses, logits, None, losses.detach())")],
        "test_the_loss_is_weighted_by_class",
    ),
    "no warm-up": (
        "training/optim.py",
        [("return progress / warmup_ratio", "return 1.0")],
        "test_the_rate_rises_and_falls_for_every_parameter_the_word_embeddings_too",
    ),
    "no fall of the rate": (
        "training/optim.py",
        [("return max(0.0, (1 - progress) / (1 - warmup_ratio))", "return 1.0")],
        "test_the_rate_rises_and_falls_for_every_parameter_the_word_embeddings_too",
    ),
    "word embeddings without schedule": (
        "training/optim.py",
        [("self.rows.step(rows, gradient * scale, factor)", "self.rows.step(rows, gradient * scale, 1.0)")],
        "test_the_rate_rises_and_falls_for_every_parameter_the_word_embeddings_too",
    ),
    "word embeddings without clipping": (
        "training/optim.py",
        [("self.rows.step(rows, gradient * scale, factor)", "self.rows.step(rows, gradient, factor)")],
        "test_all_gradients_are_clipped_together_those_of_the_word_embeddings_too",
    ),
    "the rows come in the same order each epoch": (
        "training/stages.py",
        [("default_rng([self.seed, epoch])", "default_rng([self.seed, 0])")],
        "test_each_epoch_reads_every_row_once_in_an_order_of_its_own",
    ),
    "the rate is deaf to the time limit": (
        "training/loop.py",
        [("clock.spent_share() if state.is_in_last_stage else 0.0", "0.0")],
        "test_a_time_limit_keeps_time_for_scoring_free_and_the_rate_follows_the_time",
    ),
    "the time for scoring is not kept free": (
        "recipes/fine_tune.py",
        [("request.started + limit - after - 1.5 * validating", "request.started + limit")],
        "test_a_time_limit_keeps_time_for_scoring_free_and_the_rate_follows_the_time",
    ),
    "intervals of 99 per cent": (
        "evaluation/intervals.py",
        [("NORMAL = 1.959963984540054", "NORMAL = 2.5758293035489004")],
        "test_intervals_are_of_95_per_cent",
    ),
    "resampled intervals of 99 per cent": (
        "evaluation/intervals.py",
        [("COVERAGE = 0.95", "COVERAGE = 0.99")],
        "test_resampled_intervals_are_of_95_per_cent",
    ),
}  # fmt: skip
"""What is changed: the file, from and to; and the test of `test_wiring.py` that fails then."""


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_is_noticed(name, tmp_path):
    file, changes, test = MUTATIONS[name]
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "src" / "superfine" / file
    text = path.read_text(encoding="utf-8")
    for before, after in changes:
        assert text.count(before) == 1, f"{before} stands {text.count(before)} times in {file}"
        text = text.replace(before, after)
    path.write_text(text, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"{WIRING}{test}"]
    outcome = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert outcome.returncode == 1, outcome.stdout[-2000:]
    assert f"FAILED {WIRING}{test}" in outcome.stdout
