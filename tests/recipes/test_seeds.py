"""`--seeds`: trainings from several seeds on the same rows; the best by validation is kept, and the spread is told."""

import json

import pytest

import superfine
from superfine.recipes import seeds
from tests.conftest import FAST, make_rows, superfine_command

SETTINGS = FAST | {"training.epochs": 2, "evaluation.seeds": 3}


@pytest.fixture(scope="module")
def run(tiny_model, reviews, tmp_path_factory):
    """Three seeds, beginning with 5."""
    out = tmp_path_factory.mktemp("seeds") / "run"
    return superfine.train(reviews, model=str(tiny_model("bert")), out=out, settings=SETTINGS, seed=5, progress=False)


def test_every_seed_is_trained_and_the_best_by_validation_is_kept(run):
    found = run.metrics["seeds"]
    assert [one["seed"] for one in found["runs"]] == [5, 6, 7]
    best = max(found["runs"], key=lambda one: one["validation"]["accuracy"]["value"])
    kept = next(one for one in found["runs"] if one["seed"] == found["kept"])
    assert kept["validation"]["accuracy"]["value"] == best["validation"]["accuracy"]["value"]
    assert kept["test"]["accuracy"] == run.metrics["test"]["accuracy"]
    assert run.metrics["parity"]["problems"] == []


def test_the_saved_model_is_the_kept_one(run):
    texts = [text for text, _ in make_rows(40, seed=3)]
    with open(run.folder / "predictions.csv", encoding="utf-8") as file:
        assert len(file.readlines()) == run.metrics["test"]["n"] + 1
    again = superfine.evaluate(run.folder, run.folder / "predictions.csv").scores["accuracy"].value
    assert again == pytest.approx(run.metrics["test"]["accuracy"]["value"])
    assert len(run.load().predict(texts)) == 40


def test_the_mean_the_spread_and_their_interval_are_told(run):
    values = [one["test"]["accuracy"]["value"] for one in run.metrics["seeds"]["runs"]]
    over = run.metrics["seeds"]["over"]["accuracy"]
    assert over["value"] == pytest.approx(sum(values) / 3)
    assert over["low"] <= min(values)
    assert over["high"] >= max(values)
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "From other seeds" in page
    assert "Trained from 3 seeds" in page


def test_a_seed_alone_gives_what_it_gives_among_others(run, tiny_model, reviews, tmp_path):
    """The rows are split by the first seed, so the second is compared through its validation score on other weights."""
    alone = superfine.train(
        reviews,
        model=str(tiny_model("bert")),
        out=tmp_path / "run",
        settings=SETTINGS | {"evaluation.seeds": 1},
        seed=5,
        progress=False,
    )
    assert alone.metrics["test"]["accuracy"] == run.metrics["seeds"]["runs"][0]["test"]["accuracy"]


@pytest.mark.slow
def test_a_run_that_was_broken_off_goes_on_behind_the_seeds_that_are_done(run, tiny_model, reviews, tmp_path, monkeypatch):
    trained = []
    original = seeds.fine_tune

    def breaking(model, encoded, parts, request, reporter, checkpoint="checkpoint", **more):
        if parts.config.seed == 7 and not request.resume:
            raise RuntimeError("the power is gone")
        result = original(model, encoded, parts, request, reporter, checkpoint, **more)
        trained.append((parts.config.seed, result.progress.step))
        return result

    monkeypatch.setattr(seeds, "fine_tune", breaking)
    options = {"model": str(tiny_model("bert")), "settings": SETTINGS, "seed": 5, "progress": False}
    with pytest.raises(RuntimeError, match="power"):
        superfine.train(reviews, out=tmp_path / "run", **options)
    steps: list[int] = []
    monkeypatch.setattr("superfine.training.loop._train_step", _counting(steps))
    again = superfine.train(reviews, resume=tmp_path / "run", progress=False)
    assert len(steps) == trained[-1][1], "only the last seed is trained again"
    assert again.metrics["seeds"] == run.metrics["seeds"]


def _counting(steps):
    from superfine.training import loop

    original = loop._train_step

    def counting(*arguments, **more):
        steps.append(1)
        return original(*arguments, **more)

    return counting


@pytest.mark.slow
def test_an_interrupted_seed_is_left_out_and_the_run_is_written(tiny_model, reviews, tmp_path, interrupted_after):
    interrupted_after(40)
    run = superfine.train(reviews, model=str(tiny_model("bert")), out=tmp_path / "run", settings=SETTINGS, progress=False)
    assert run.interrupted
    assert 1 <= len(run.metrics["seeds"]["runs"]) < 3
    assert (run.folder / "report.html").is_file()


def test_the_command_line_asks_for_seeds_and_refuses_them_beside_a_time_limit(tiny_model, reviews, tmp_path, capsys):
    sets = [part for key, value in FAST.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    command = ["train", str(reviews), "--model", str(tiny_model("bert")), "--out", str(tmp_path / "run"), *sets, "--epochs", "1"]
    assert superfine_command(*command, "--seeds", "2") == 0
    assert "Over 2 seeds the score is" in capsys.readouterr().err
    assert superfine_command(*command, "--seeds", "2", "--force", "--time-limit", "1m") == 2
    assert "--seeds asks for several" in capsys.readouterr().err
    assert superfine_command(*command, "--seeds", "many", "--force") == 2
    assert '"evaluation.seeds" cannot be' in capsys.readouterr().err


@pytest.mark.parametrize(("values", "kept"), [((0.1, 0.9, 0.5), 1), ((0.9, 0.1, 0.9), 0), ((0.1, 0.2, 0.3), 2)])
def test_the_best_by_validation_is_kept_wherever_it_stands(tiny_model, reviews, tmp_path, monkeypatch, values, kept):
    given = iter(values)
    monkeypatch.setattr(seeds, "_by_validation", lambda *arguments: next(given))
    settings = SETTINGS | {"training.epochs": 1}
    run = superfine.train(reviews, model=str(tiny_model("bert")), out=tmp_path / "run", settings=settings, progress=False)
    assert run.metrics["seeds"]["kept"] == kept
    assert run.metrics["test"]["log_loss"]["value"] == pytest.approx(
        superfine.evaluate(run.folder, run.folder / "predictions.csv").scores["log_loss"].value, abs=1e-5
    )
