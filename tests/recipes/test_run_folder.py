"""Nothing is lost: a run holds its folder, replaces late, and goes on from wherever it was stopped to the same result."""

import json
import os
import random
import shutil
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

import superfine
from superfine.config import RunConfig
from superfine.errors import ConfigError, ModelError, OutputError
from superfine.recipes.request import Request
from superfine.recipes.run_folder import LOCK, claimed_folder
from tests.conftest import FAST, make_rows, write_csv
from tests.recipes.test_predict import superfine_command


def request_for(folder: Path, **options) -> Request:
    return Request("data.csv", None, None, RunConfig(), folder, **options)


def test_two_runs_never_write_to_one_folder(tmp_path):
    with claimed_folder(request_for(tmp_path / "run")) as claimed:
        (claimed.folder / "unfinished").mkdir()
        (claimed.folder / "unfinished" / "model").mkdir()
        with (
            pytest.raises(OutputError, match="Another run is writing"),
            claimed_folder(request_for(tmp_path / "run", force=True)),
        ):
            pass
    assert not (tmp_path / "run" / LOCK).exists()


def test_a_lock_that_a_dead_process_left_is_no_obstacle(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).write_text("")
    with claimed_folder(request_for(tmp_path / "run")):
        pass


def test_runs_begun_in_the_same_second_get_two_folders(tmp_path):
    unnamed = request_for(tmp_path / "run", is_named=False)
    with claimed_folder(unnamed) as first, claimed_folder(unnamed) as second:
        assert (first.folder.name, second.folder.name) == ("run", "run-2")


def test_a_claim_leaves_nothing_behind_where_nothing_was_done(tmp_path):
    with pytest.raises(RuntimeError), claimed_folder(request_for(tmp_path / "run")):
        raise RuntimeError
    assert not (tmp_path / "run").exists()


def test_a_folder_of_somebody_elses_called_unfinished_is_left_alone(tmp_path):
    mine = tmp_path / "project" / "unfinished"
    mine.mkdir(parents=True)
    (mine / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match="holds no run"), claimed_folder(request_for(tmp_path / "project", force=True)):
        pass
    assert (mine / "thesis.txt").read_text() == "precious"


def test_an_error_while_outputs_are_moved_loses_nothing(tiny_model, reviews, tmp_path, monkeypatch):
    whole = Path.replace

    def refuse(self, target):
        if self.name == "predictions.csv" and Path(target).parent.name == "run":
            raise PermissionError(13, "Permission denied", str(target))
        return whole(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        with pytest.raises(OutputError, match="Writing to"):
            superfine.train(reviews, model=str(tiny_model("bert")), out=tmp_path / "run", settings=FAST, progress=False)
    assert not (tmp_path / "run" / "metrics.json").exists()
    run = superfine.train(reviews, resume=tmp_path / "run", progress=False)
    assert {"model", "metrics.json", "report.html", "predictions.csv"} <= {path.name for path in run.folder.iterdir()}
    assert not (run.folder / "unfinished").exists()


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_run_that_diverges_leaves_the_one_it_was_to_replace(trained, reviews, tiny_model, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(trained.folder, copy)
    before = content(copy)
    settings = FAST | {"training.learning_rate": 1e30, "training.precision": "float32"}
    with pytest.raises(ConfigError, match="diverged"):
        superfine.train(reviews, model=str(tiny_model("bert")), out=copy, force=True, settings=settings, progress=False)
    assert content(copy) == before


def test_force_takes_away_what_the_new_run_does_not_have(trained, reviews, tiny_model, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(trained.folder, copy)
    (copy / "bad_rows.csv").write_text("of the old run")
    superfine.train(reviews, model=str(tiny_model("bert")), out=copy, force=True, settings=FAST, progress=False)
    assert {path.name for path in copy.iterdir()} == {path.name for path in trained.folder.iterdir()}


class Killed(BaseException):
    """Stands for the end of the process: after it no file operation happens, not even in a `finally`."""


class FileOperations:
    """Counts the operations that change something under a folder, and ends the process, so to speak, at one of them."""

    EVENTS = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "shutil.rmtree", "open")

    def __init__(self) -> None:
        self.folder, self.last, self.n = "", None, 0
        sys.addaudithook(self.hook)

    def hook(self, event: str, arguments: tuple) -> None:
        if not self.folder or event not in self.EVENTS or not str(arguments[0]).startswith(self.folder):
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        if str(arguments[0]).endswith(LOCK):
            return
        self.n += 1
        if self.last is not None and self.n > self.last:
            raise Killed

    def watch(self, folder: Path, last: int | None) -> None:
        self.folder, self.last, self.n = str(folder), last, 0


@pytest.fixture(scope="module")
def operations():
    watched = FileOperations()
    yield watched
    watched.folder = ""


@pytest.mark.slow
def test_a_kill_at_every_file_operation_is_resumed_to_the_identical_bundle(tiny_model, tmp_path, operations, monkeypatch):
    import superfine.training.checkpoint as checkpoint

    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(checkpoint, "COST_FACTOR", 0.0)
    data = write_csv(tmp_path / "data.csv", [*make_rows(60), ("one", "two", "three")])
    settings = {**FAST, "training.epochs": 1, "training.batch_size": 25, "data.bad_rows": "skip"}

    def train(folder: Path, **options):
        return superfine.train(data, model=str(tiny_model("bert")), out=folder, settings=settings, progress=False, **options)

    operations.watch(tmp_path / "whole", None)
    whole = train(tmp_path / "whole")
    n_operations = operations.n
    assert n_operations > 60
    expected = content(whole.folder / "model") | content(whole.folder / "baselines")
    for last in range(n_operations):
        folder = tmp_path / f"killed-{last}"
        operations.watch(folder, last)
        with pytest.raises(Killed):
            train(folder)
        operations.watch(tmp_path / "nothing", None)
        has_begun = (folder / "unfinished" / "run.yaml").exists() or (folder / "run.yaml").exists()
        is_finished = (folder / "metrics.json").exists() and not (folder / "unfinished").exists()
        if is_finished:
            run = superfine.Run(folder, json.loads((folder / "metrics.json").read_text()))
        else:
            run = superfine.train(data, resume=folder, progress=False) if has_begun else train(folder)
        assert content(run.folder / "model") | content(run.folder / "baselines") == expected, last
        assert run.metrics["test"] == whole.metrics["test"], last
        left = {path.name for path in folder.iterdir()}
        assert left - {LOCK} == {path.name for path in whole.folder.iterdir()}, last
        shutil.rmtree(folder)


@pytest.mark.slow
def test_fifteen_kills_at_random_are_resumed_to_the_identical_bundle(tiny_model, tmp_path):
    patch = "import superfine.training.checkpoint as c; c.SECONDS_BETWEEN = c.COST_FACTOR = 0; from superfine.cli.main import main; main()"
    data = write_csv(tmp_path / "data.csv", make_rows(300))
    model = ["--model", str(tiny_model("bert"))]
    settings = [part for key, value in (FAST | {"training.epochs": 6}).items() for part in ("--set", f"{key}={value}")]

    def is_finished(folder: Path) -> bool:
        return (folder / "metrics.json").exists() and not (folder / "unfinished").exists()

    def start(folder: Path) -> subprocess.Popen:
        has_begun = (folder / "unfinished" / "run.yaml").exists()
        where = ["--resume", str(folder)] if has_begun else ["--out", str(folder), *model, *settings]
        with open(tmp_path / "said.txt", "w", encoding="utf-8") as said:
            return subprocess.Popen([sys.executable, "-c", patch, "train", str(data), *where], stderr=said)

    started = time.monotonic()
    assert start(tmp_path / "whole").wait() == 0
    seconds = time.monotonic() - started
    expected = content(tmp_path / "whole" / "model") | content(tmp_path / "whole" / "baselines")
    rng, kills, folders = random.Random(0), 0, []
    while kills < 15:
        folder = tmp_path / f"killed-{len(folders)}"
        folders.append(folder)
        while kills < 15:
            process = start(folder)
            with suppress(subprocess.TimeoutExpired):
                # Half of a run is loading; after that a kill may fall into training or writing.
                status = process.wait(timeout=seconds * rng.uniform(0.4, 1.0))
                assert status == 0, (tmp_path / "said.txt").read_text(encoding="utf-8")[-1000:]
                break
            process.kill()
            process.wait()
            kills += 1
            if is_finished(folder):  # the kill came after the last file was in its place
                break
    if not is_finished(folder):
        assert start(folder).wait() == 0
    for folder in folders:
        assert content(folder / "model") | content(folder / "baselines") == expected


@pytest.mark.slow
def test_a_kill_while_a_run_replaces_another_leaves_one_of_the_two_whole(trained, reviews, tiny_model, tmp_path, operations):
    settings = FAST | {"training.epochs": 1}
    first = content(trained.folder / "model")

    def replace(folder: Path) -> None:
        superfine.train(reviews, model=str(tiny_model("bert")), out=folder, force=True, settings=settings, progress=False)

    shutil.copytree(trained.folder, tmp_path / "whole")
    operations.watch(tmp_path / "whole", None)
    replace(tmp_path / "whole")
    n_operations = operations.n
    second = content(tmp_path / "whole" / "model")
    assert first != second
    for last in range(0, n_operations, 5):
        folder = tmp_path / f"killed-{last}"
        shutil.copytree(trained.folder, folder)
        operations.watch(folder, last)
        with pytest.raises(Killed):
            replace(folder)
        operations.watch(tmp_path / "nothing", None)
        if (folder / "metrics.json").exists():
            assert content(folder / "model") in (first, second), last
        else:
            superfine.train(reviews, resume=folder, progress=False)
            assert content(folder / "model") == second, last
        shutil.rmtree(folder)


def test_predict_never_writes_over_what_it_reads(trained, tmp_path, capsys):
    data = write_csv(tmp_path / "new.csv", make_rows(5, seed=2))
    (tmp_path / "link.csv").symlink_to(data)
    before = data.read_bytes()
    for out in (data, tmp_path / "link.csv", tmp_path / "." / "new.csv"):
        assert superfine_command("predict", trained.folder, data, "--out", out) == 2
        assert "is the file that is read" in capsys.readouterr().err
    assert superfine_command("predict", trained.folder, tmp_path / "link.csv", "--out", data) == 2
    assert data.read_bytes() == before


def test_an_output_keeps_its_mode_and_its_link_and_may_have_a_long_name(trained, tmp_path):
    data = write_csv(tmp_path / "new.csv", make_rows(5, seed=2))
    place = tmp_path / "shelf" / "out.csv"
    place.parent.mkdir()
    place.write_text("old")
    place.chmod(0o640)
    (tmp_path / "out.csv").symlink_to(place)
    assert superfine_command("predict", trained.folder, data, "--out", tmp_path / "out.csv", "--force") == 0
    assert (tmp_path / "out.csv").is_symlink()
    assert stat.S_IMODE(place.stat().st_mode) == 0o640
    assert place.read_text(encoding="utf-8").count("\n") == 6
    long = tmp_path / ("x" * 251 + ".csv")
    assert superfine_command("predict", trained.folder, data, "--out", long) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"new.csv", "shelf", "out.csv", long.name}, "nothing else is left"


def test_every_file_of_a_run_has_the_mode_that_the_user_gives_new_files(trained, tmp_path):
    probe = tmp_path / "probe"
    probe.touch()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in trained.folder.rglob("*") if path.is_file()}
    assert modes == {stat.S_IMODE(probe.stat().st_mode)}


def test_a_broken_off_run_is_named_with_the_way_on(tmp_path):
    (tmp_path / "run" / "unfinished" / "checkpoint").mkdir(parents=True)
    (tmp_path / "run" / "unfinished" / "run.yaml").write_text("seed: 0\n")
    with pytest.raises(ModelError, match="was broken off") as error:
        superfine.load(tmp_path / "run")
    assert "--resume" in str(error.value)
    with pytest.raises(OutputError, match="was broken off") as error:
        superfine.train({"text": ["a", "b"], "label": ["x", "y"]}, out=tmp_path / "run", progress=False)
    assert "--resume" in str(error.value)


@pytest.mark.parametrize("encoding", ["gbk", "ascii", "utf-8"])
def test_output_that_the_terminals_encoding_lacks_is_written_all_the_same(trained, tmp_path, encoding):
    data = write_csv(tmp_path / "new.csv", [("lovely 😀 质量 café", "n")])
    for arguments in (("--json",), ()):
        done = subprocess.run(
            [sys.executable, "-m", "superfine", "predict", str(trained.folder), str(data), *arguments],
            env={**os.environ, "PYTHONIOENCODING": encoding}, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "lovely 😀 质量 café" in done.stdout.decode("utf-8")
