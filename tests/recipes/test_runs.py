"""The runs of a folder: those of the same data together, the best first, and what is none is left alone."""

import json
import re
import shutil

import pytest

from superfine.cli.main import main
from superfine.recipes.runs import list_runs


def superfine_command(*arguments):
    with pytest.raises(SystemExit) as end:
        main([*map(str, arguments), "--lang", "en"])
    return end.value.code


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    """A run, a better one of the same data in a folder below, one that was broken off, and things that are no runs."""
    home = tmp_path_factory.mktemp("runs")
    shutil.copytree(trained.folder, home / "first")
    shutil.copytree(trained.folder, home / "below" / "better")
    path = home / "below" / "better" / "metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8"))
    metrics["test"]["accuracy"] = {"value": 0.99, "low": 0.9, "high": 1.0}
    path.write_text(json.dumps(metrics), encoding="utf-8")
    (home / "broken" / "unfinished").mkdir(parents=True)
    shutil.copy(trained.folder / "run.yaml", home / "broken" / "unfinished" / "run.yaml")
    (home / "nothing").mkdir()
    (home / "damaged").mkdir()
    (home / "damaged" / "run.yaml").write_text("request: 3\n", encoding="utf-8")
    (home / "damaged" / "metrics.json").write_text("{", encoding="utf-8")
    (home / "linked").symlink_to(home / "first", target_is_directory=True)
    return home


def test_the_best_comes_first_and_what_was_broken_off_last(folder, trained):
    found = list_runs(folder)
    assert [entry.folder.name for entry in found] == ["better", "first", "broken"]
    assert [entry.state for entry in found] == ["done", "done", "broken off"]
    first = found[1]
    test = trained.metrics["test"]
    assert (first.score.value, first.score.low, first.n_test) == (test["accuracy"]["value"], test["accuracy"]["low"], test["n"])
    assert first.data == "reviews.csv"
    assert first.seconds == trained.metrics["training"]["seconds"]
    assert found[2].score is None


def test_a_folder_that_is_a_run_is_listed_itself(folder):
    assert [entry.folder.name for entry in list_runs(folder / "first")] == ["first"]
    assert list_runs(folder / "nothing") == []


def test_they_are_printed_as_a_table_as_json_and_as_a_page(folder, tmp_path, capsys):
    assert superfine_command("runs", folder) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0].rsplit("/", 1)[-1] for line in lines[1:]] == ["better", "first", "broken"]
    assert "accuracy 99.0% (90.0% – 100.0%)" in lines[1]
    assert "broken off" in lines[3]
    assert superfine_command("runs", folder, "--json") == 0
    found = json.loads(capsys.readouterr().out)["runs"]
    assert found[0]["score"]["value"] == 0.99
    assert found[2]["score"] is None
    page = tmp_path / "board.html"
    assert superfine_command("runs", folder, "--html", page) == 0
    text = page.read_text(encoding="utf-8")
    assert text.index("below/better") < text.index("/first") < text.index("/broken")
    assert not re.search(r"https?://", text), "nothing is fetched"
    assert superfine_command("runs", folder, "--html", page) == 2
    assert "exists already" in capsys.readouterr().err
    assert superfine_command("runs", folder, "--html", page, "--force") == 0


def test_a_folder_that_is_not_there_and_one_without_runs(tmp_path, capsys):
    assert superfine_command("runs", tmp_path / "none") == 2
    assert "does not exist" in capsys.readouterr().err
    assert superfine_command("runs", tmp_path) == 0
    assert capsys.readouterr().out.strip() == "There are none."
