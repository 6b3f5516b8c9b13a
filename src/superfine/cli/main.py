"""`superfine`: the commands and their options. Each command's work is imported when it runs, so that help answers at once."""

from __future__ import annotations

import difflib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from superfine.cli.help import TranslatedGroup, language_of, speaking
from superfine.errors import OutputError, SuperfineError
from superfine.language import translate

if TYPE_CHECKING:
    from superfine.data.table import BadRow, ReadOptions
    from superfine.predictors.bundle import Precision

STARTED = time.monotonic()
EXIT_UNUSABLE = 2
EXIT_INTERRUPTED = 130

_json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on standard output, and nothing else there."
)


def _delimiter(_: click.Context, option: click.Parameter, text: str | None) -> Any:
    from superfine.config import parse_delimiter

    try:
        return parse_delimiter(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param=option) from None


def _complete_files(_: click.Context, __: click.Parameter, start: str) -> list[CompletionItem]:
    """The shell's own completion of file names, for what may be a file and need not be one."""
    return [CompletionItem(start, type="file")]


def _complete_trackers(_: click.Context, __: click.Parameter, start: str) -> list[CompletionItem]:
    from superfine.recipes.tracking import TRACKERS

    return [CompletionItem(name) for name in TRACKERS if name.startswith(start)]


def _reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """How files are read, alike in every command that reads some."""
    for option in reversed(
        (
            click.option("--encoding", metavar="NAME", help="Text encoding of the files, e.g. gb18030.  [default: detected]"),
            click.option(
                "--delimiter",
                metavar="CHARACTER",
                callback=_delimiter,
                help="Character between the fields of a line.  [default: detected]",
            ),
            click.option("--sheet", metavar="NAME", help="Sheet of a workbook.  [default: the first that holds something]"),
            click.option(
                "--bad-rows",
                type=click.Choice(["refuse", "skip"]),
                help="Records that cannot be read: refuse the file, or skip and list them.  [default: refuse]",
            ),
        )
    ):
        command = option(command)
    return command


def _read_options(options: dict[str, Any]) -> ReadOptions:
    from superfine.data.table import ReadOptions

    return ReadOptions(options["encoding"], options["delimiter"], options["sheet"], options["bad_rows"] == "skip")


def _source(data: tuple[str, ...]) -> str | list[str]:
    return data[0] if len(data) == 1 else list(data)


@click.group(cls=TranslatedGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="superfine", message="superfine %(version)s")
def cli() -> None:
    """Fine-tune a pretrained language model on your labelled text, and know what it is worth.

    \b
    superfine train reviews.csv                     train and test a classifier
    superfine predict runs/reviews-... new.csv      use it
    superfine evaluate runs/reviews-... more.csv    test it on other data
    superfine doctor                                what this installation can do
    """


@cli.command()
@click.argument("data", nargs=-1, required=True, shell_complete=_complete_files)
@click.option(
    "--validation",
    type=str,
    shell_complete=_complete_files,
    help="File to choose the epoch by that is kept. Absent: 10 % of the training rows are set aside.",
)
@click.option(
    "--test",
    type=str,
    shell_complete=_complete_files,
    help="File to score once, at the end. Absent: 15 % of the rows are set aside.",
)
@click.option("--text", multiple=True, metavar="COLUMN", help="Text column; repeat to join several. Absent: found by content.")
@click.option("--text-pair", metavar="COLUMN", help="Column with the second text of a pair.")
@click.option("--label", metavar="COLUMN", help="Label column. Absent: found by name and content.")
@click.option("--group", metavar="COLUMN", help="Group column: rows with the same value stay in one part.")
@click.option("--task", metavar="NAME", help="What is learned.  [default: classification]")
@click.option(
    "--model", metavar="NAME|FOLDER", help="Pretrained model of the hub, or a local folder.  [default: all-MiniLM-L6-v2, English]"
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for everything that is written.  [default: runs/NAME-DATE-TIME]"
)
@click.option("--force", is_flag=True, help="Replace the run that the folder holds.")
@click.option("--config", type=click.Path(path_type=Path), help="YAML file with settings; a run.yaml is one.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="One setting, e.g. training.epochs=3. Repeatable.")
@click.option("--seed", type=int, help="Same seed, same data: same weights.  [default: 0]")
@click.option("--time-limit", metavar="DURATION", help="Wall-clock limit for everything, e.g. 90s, 10m, 1h30m.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="FOLDER", help="Go on with a run that was broken off.")
@click.option("--strict", is_flag=True, help="Refuse data with a blocking finding instead of training on it.")
@click.option("--merge-labels", is_flag=True, help="Make one of labels that differ only in case or spaces.")
@click.option("--ignore-unknown-labels", is_flag=True, help="Do not score test rows whose label training never had.")
@click.option(
    "--track",
    multiple=True,
    metavar="NAME",
    shell_complete=_complete_trackers,
    help="Also tell a tracker: tensorboard, mlflow or wandb. Repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Read and check the data, say what would be done, and write nothing.")
@_reading_options
@_json_option
def train(
    data: tuple[str, ...], validation: str | None, test: str | None, text: tuple[str, ...], text_pair: str | None,
    label: str | None, group: str | None, task: str | None, model: str | None, out: Path | None, force: bool, config: Path | None,
    assignments: tuple[str, ...], seed: int | None, time_limit: str | None, resume: Path | None, strict: bool,
    merge_labels: bool, ignore_unknown_labels: bool, track: tuple[str, ...], dry_run: bool, as_json: bool, **reading: str | None,
) -> None:  # fmt: skip
    """Train a classifier on DATA and test it beside two baselines.

    DATA is one or several files (CSV, TSV, JSON, JSON Lines, Excel, Parquet, also packed as .gz or .zst), a folder with a
    sub-folder of texts for each class, a data set of the hub (hf://owner/name), or - for standard input.

    \b
    superfine train reviews.csv
    superfine train train.csv --test test.csv --label topic --seed 1
    superfine train january.xlsx february.xlsx --text title --text body
    superfine train reviews.csv --time-limit 5m --set training.epochs=8
    """
    from superfine.config import parse_assignments
    from superfine.recipes.request import make_request

    named: dict[str, Any] = {
        "data.text": list(text) or None, "data.text_pair": text_pair, "data.label": label, "data.group": group,
        "task.name": task, "model.name": model, "seed": seed, "training.time_limit": time_limit,
        "data.merge_labels": merge_labels or None, "data.ignore_unknown_labels": ignore_unknown_labels or None,
        "track": list(track) or None,
        **{f"data.{name}": value for name, value in reading.items()},
    }  # fmt: skip
    request = make_request(
        _source(data),
        validation=validation,
        test=test,
        out=out,
        config=config,
        overrides=parse_assignments(assignments) | {key: value for key, value in named.items() if value is not None},
        force=force,
        resume=resume,
        strict=strict,
        started=STARTED,
        language=speaking.get(),
    )
    from superfine.cli.console import ConsoleReporter

    if dry_run:
        from superfine.recipes.rehearse import rehearse

        rehearsal = rehearse(request, ConsoleReporter(speaking.get()))
        if as_json:
            _print_json(rehearsal)
        return
    from superfine.recipes.train import train as run

    outcome = run(request, ConsoleReporter(speaking.get()))
    if as_json:
        _print_json({"folder": str(outcome.folder), **outcome.metrics})
    if outcome.interrupted:
        sys.exit(EXIT_INTERRUPTED)


_text_option = click.option(
    "--text", multiple=True, metavar="COLUMN", help="Text column, where it is named otherwise than in training."
)
_precision_option = click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16"]),
    help="Of the computation. bfloat16 is faster on processors that have it; absent: float32, as the model was tested.",
)
_pair_option = click.option("--text-pair", metavar="COLUMN", help="Column of the second text, likewise.")


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("data", nargs=-1, shell_complete=_complete_files)
@click.option(
    "--out", type=click.Path(path_type=Path), help="File to write: .csv, .tsv or .jsonl. Absent: CSV on standard output."
)
@click.option(
    "--out-encoding",
    metavar="NAME",
    help="Of that file. Excel opens utf-8-sig without asking; a Chinese one gb18030 too.  [default: utf-8]",
)
@_text_option
@_pair_option
@_precision_option
@_reading_options
@_json_option
def predict(
    folder: Path, data: tuple[str, ...], out: Path | None, out_encoding: str | None, text: tuple[str, ...], text_pair: str | None,
    precision: Precision | None, as_json: bool, **reading: str | None,
) -> None:  # fmt: skip
    """Predict every row of DATA with the model in FOLDER.

    DATA is what `train` reads, or - for standard input: CSV with a header, JSON Lines, or one text per line.

    \b
    superfine predict runs/reviews texts.csv --out predictions.csv
    echo "Arrived broken, twice." | superfine predict runs/reviews
    """
    from superfine.cli.console import ConsoleReporter
    from superfine.recipes.outputs import PredictionWriter, prediction_records
    from superfine.recipes.predict import PredictJob

    if out_encoding and out is None:
        raise OutputError("--out-encoding is of a file, and none is named.", "Name one with --out.")
    job = PredictJob(folder, _source(data or ("-",)), list(text) or None, text_pair, _read_options(reading), precision)
    survey, reporter = job.survey, ConsoleReporter(speaking.get())
    _tell_reading(survey.notes, survey.bad_rows)
    _tell(f"Columns: {survey.choice.describe()}")
    if as_json and out is not None:
        job.write(out, reporter, out_encoding or "utf-8")
        _print_json({"labels": list(job.labels), "rows": survey.n_rows, "file": str(out)})
    elif as_json:
        records = [r for rows, predicted in job.pieces(reporter) for r in prediction_records(rows.columns, predicted)]
        _print_json({"labels": list(job.labels), "predictions": records})
    elif out is None:

        def write() -> None:
            writer = PredictionWriter(sys.stdout, survey.columns, job.labels)
            for rows, predicted in job.pieces(reporter):
                writer.write(rows, predicted)

        _to_standard_output(write)
    else:
        job.write(out, reporter, out_encoding or "utf-8")
        _tell(f"{survey.n_rows} rows written to {out}")


def _tell_reading(notes: Sequence[str], bad_rows: Sequence[BadRow]) -> None:
    """Choices made in reading, and the records left out, on standard error."""
    for note in notes:
        _tell(note)
    for bad in bad_rows:
        _tell(f"Left out: {bad.source} row {bad.row} (line {bad.line}) {bad.reason}")


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("data", nargs=-1, required=True, shell_complete=_complete_files)
@_text_option
@_pair_option
@click.option("--label", metavar="COLUMN", help="Label column, where it is named otherwise than in training.")
@click.option("--ignore-unknown-labels", is_flag=True, help="Do not score rows whose label training never had.")
@_precision_option
@_reading_options
@_json_option
def evaluate(
    folder: Path, data: tuple[str, ...], text: tuple[str, ...], text_pair: str | None, label: str | None,
    ignore_unknown_labels: bool, precision: Precision | None, as_json: bool, **reading: str | None,
) -> None:  # fmt: skip
    """Score the model in FOLDER on the labelled rows of DATA, with 95 % intervals.

    \b
    superfine evaluate runs/reviews more.csv
    superfine evaluate runs/reviews more.csv --json | jq .test.accuracy
    """
    from superfine.recipes.evaluate import evaluate as run

    scored = run(
        folder, _source(data), list(text) or None, text_pair, label, _read_options(reading),
        ignore_unknown_labels=ignore_unknown_labels, precision=precision,
    )  # fmt: skip
    _tell_reading(scored.table.notes, scored.table.bad_rows)
    document = {"test": scored.evaluation.to_json(), "dropped": scored.dropped.to_json()}
    if as_json:
        _print_json(document)
        return
    from superfine.cli.console import ConsoleReporter, score_table

    reporter = ConsoleReporter(speaking.get())
    reporter.note(f"Columns: {scored.columns}")
    if len(scored.dropped):
        reporter.note(f"Not scored: {len(scored.dropped)} rows without a label that the model knows")
    reporter.console.print(score_table(document, speaking.get()))


@cli.command()
@_json_option
def doctor(as_json: bool) -> None:
    """Say what this installation can do, and what to install for more.

    \b
    superfine doctor
    """
    from superfine.recipes.doctor import examine

    diagnosis = examine()
    if as_json:
        _print_json(diagnosis.to_json())
        return
    from superfine.cli.console import print_diagnosis

    print_diagnosis(diagnosis, speaking.get())


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@_json_option
def completion(shell: str, as_json: bool) -> None:
    """Print what makes the shell complete commands and options.

    \b
    superfine completion bash >> ~/.bashrc
    superfine completion zsh >> ~/.zshrc
    superfine completion fish > ~/.config/fish/completions/superfine.fish
    """
    from click.shell_completion import get_completion_class

    script_for = get_completion_class(shell)
    if script_for is None:  # every shell of the choice has one
        raise click.UsageError(f"no completion for {shell}")
    script = script_for(cli, {}, "superfine", "_SUPERFINE_COMPLETE").source()
    if as_json:
        _print_json({"shell": shell, "script": script})
    else:
        _to_standard_output(lambda: click.echo(script))


def _print_json(document: dict[str, Any]) -> None:
    _to_standard_output(lambda: click.echo(json.dumps(document, ensure_ascii=False, indent=2)))


def _to_standard_output(write: Callable[[], None]) -> None:
    """Write, and take it calmly when the reader goes away, as `head` does."""
    try:
        write()
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes standard output once more at its end, so it must lead somewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputError(f"Standard output cannot be written: {error.strerror}.", "Name a file with --out.") from None


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its status: 0 done, 1 the answer is no, 2 unusable input, 130 interrupted."""
    language = speaking.set(language_of(sys.argv[1:] if arguments is None else arguments))
    try:
        sys.exit(run(lambda: cli.main(arguments, standalone_mode=False)))
    finally:
        speaking.reset(language)


def run(command: Callable[[], Any]) -> int:
    """The exit status of a command, its errors told in one message on standard error."""
    try:
        result = command()
        return result if isinstance(result, int) else 0
    except (click.exceptions.Abort, KeyboardInterrupt):
        return _say("Interrupted.", EXIT_INTERRUPTED)
    except click.ClickException as error:
        advice = _setting_for(error.option_name) if isinstance(error, click.NoSuchOption) and not error.possibilities else ""
        usage = f"{error.ctx.get_usage()}\n" if isinstance(error, click.UsageError) and error.ctx is not None else ""
        return _say(f"{usage}Error: {error.format_message()}{advice}", EXIT_UNUSABLE)
    except SuperfineError as error:
        return _say(f"Error: {error}", EXIT_UNUSABLE)
    except OSError as error:
        if error.filename is None:
            raise
        return _say(f"Error: {error.filename} cannot be used: {error.strerror}.", EXIT_UNUSABLE)


def _setting_for(option: str) -> str:
    """A line of advice where an option that does not exist is near a setting: `--epochs` is `training.epochs`."""
    from superfine.config import known_keys

    by_last = {key.rpartition(".")[2]: key for key in known_keys()}
    near = difflib.get_close_matches(option.lstrip("-").replace("-", "_"), by_last, n=1, cutoff=0.75)
    return f"\nAs a setting: --set {by_last[near[0]]}=VALUE" if near else ""


def _say(message: str, status: int) -> int:
    _tell(message)
    return status


def _tell(message: str) -> None:
    """One line or more on standard error, in the user's language."""
    click.echo(translate(message, speaking.get()), err=True)
