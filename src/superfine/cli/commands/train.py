"""`superfine train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from superfine.cli import STARTED
from superfine.cli.help import TranslatedCommand, speaking
from superfine.cli.options import complete_files, device_option, json_option, reading_options, source_of
from superfine.cli.output import EXIT_NO, print_json
from superfine.tasks import TASKS

EXIT_INTERRUPTED = 130


def _complete_trackers(_: click.Context, __: click.Parameter, start: str) -> list[CompletionItem]:
    from superfine.recipes.tracking import TRACKERS

    return [CompletionItem(name) for name in TRACKERS if name.startswith(start)]


@click.command(cls=TranslatedCommand)
@click.argument("data", nargs=-1, required=True, shell_complete=complete_files)
@click.option(
    "--validation",
    type=str,
    shell_complete=complete_files,
    help="File to choose the epoch by that is kept. Absent: 10 % of the training rows are held out.",
)
@click.option(
    "--test",
    type=str,
    shell_complete=complete_files,
    help="File to score once, at the end. Absent: 15 % of the rows are held out.",
)
@click.option("--text", multiple=True, metavar="COLUMN", help="Text column; repeat to join several. Absent: found by content.")
@click.option("--text-pair", metavar="COLUMN", help="Column with the second text of a pair.")
@click.option(
    "--label", multiple=True, metavar="COLUMN", help="Label column; repeat it for several. Absent: found by name and content."
)
@click.option("--group", metavar="COLUMN", help="Group column: rows with the same value stay in one part.")
@click.option("--weight", metavar="COLUMN", help="Column of numbers: how much a row counts in training.")
@click.option("--time", metavar="COLUMN", help="Column of times: the latest rows are held out, and the score is given by period.")
@click.option("--task", metavar="NAME", help=f"What is learned: {', '.join(TASKS)}.  [default: auto, by the labels]")
@click.option(
    "--model", metavar="NAME|FOLDER", help="Pretrained model of the hub, or a local folder.  [default: auto, by the language]"
)
@click.option("--revision", metavar="REV", help="Branch, tag or commit of the model on the hub; the same as --model NAME@REV.")
@click.option("--adapter-only", is_flag=True, help="Save the adapter and the head alone, not merged into the model.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for everything that is written.  [default: runs/NAME-DATE-TIME]"
)
@click.option("--force", is_flag=True, help="Replace the run that the folder holds.")
@click.option("--epochs", type=str, metavar="N", help="Passes over the training rows at most.  [default: by rows and classes]")
@click.option("--batch-size", type=str, metavar="N", help="Texts per step.  [default: by rows and classes]")
@click.option(
    "--learning-rate", "--lr", type=str, metavar="RATE", help="Peak rate of AdamW.  [default: by the model and the batch size]"
)
@click.option("--max-length", type=str, metavar="TOKENS", help="Tokens that are read at a time.  [default: 256]")
@device_option
@click.option("--config", type=click.Path(path_type=Path), help="YAML file with settings; a run.yaml is one.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="One setting, e.g. training.epochs=3. Repeatable.")
@click.option("--seed", type=int, help="Same seed, data and number of threads: same weights.  [default: 0]")
@click.option("--seeds", type=str, metavar="N", help="Train from N seeds, keep the best by validation, and tell the spread.")
@click.option("--folds", type=str, metavar="N", help="Cross-validation: each row is answered by a model that never saw its fold.")
@click.option("--learning-curve", is_flag=True, help="Train on fractions too, and say what more labelled rows would bring.")
@click.option("--slice", "slices", multiple=True, metavar="COLUMN", help="Also score each value of this column. Repeatable.")
@click.option("--baselines", metavar="usual|all", help="all: also a logistic regression on the model as it is.  [default: usual]")
@click.option("--time-limit", metavar="DURATION", help="Wall-clock limit for everything, e.g. 90s, 10m, 1h30m.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="FOLDER", help="Go on with a run that was broken off.")
@click.option("--strict", is_flag=True, help="Refuse data with a blocking finding instead of training on it.")
@click.option(
    "--target-error", metavar="SHARE", help="1%: answer by itself only what is wrong so rarely; the rest goes to a person."
)
@click.option("--cost", metavar="COSTS|FILE", help='What mistakes cost: "false_alarm=1,miss=20", "TRUE>SAID=5,...", or a CSV.')
@click.option("--set-coverage", metavar="SHARE", help="90%: also name the classes that a text may have.")
@click.option("--redact", is_flag=True, help="Replace personal data by placeholders, in training and in prediction.")
@click.option("--merge-labels", is_flag=True, help="Make one of labels that differ only in case, spaces or look-alike letters.")
@click.option("--ignore-unknown-labels", is_flag=True, help="Do not score test rows whose label training never had.")
@click.option(
    "--track",
    multiple=True,
    metavar="NAME",
    shell_complete=_complete_trackers,
    help="Also tell a tracker: tensorboard, mlflow or wandb. Repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Read and check the data, say what would be done, and write nothing.")
@reading_options
@json_option
def train(
    data: tuple[str, ...], validation: str | None, test: str | None, text: tuple[str, ...], text_pair: str | None,
    label: tuple[str, ...], group: str | None, weight: str | None, time: str | None, seeds: str | None, folds: str | None,
    learning_curve: bool, slices: tuple[str, ...], baselines: str | None, task: str | None, model: str | None,
    revision: str | None, adapter_only: bool, out: Path | None, force: bool, epochs: str | None, batch_size: str | None,
    learning_rate: str | None, max_length: str | None, device: str | None, config: Path | None, assignments: tuple[str, ...],
    seed: int | None, time_limit: str | None, resume: Path | None, strict: bool, target_error: str | None, cost: str | None,
    set_coverage: str | None, redact: bool, merge_labels: bool, ignore_unknown_labels: bool, track: tuple[str, ...],
    dry_run: bool, as_json: bool, **reading: str | None,
) -> None:  # fmt: skip
    """Train a classifier on DATA and test it beside two baselines.

    DATA is one or several files (CSV, TSV, JSON, JSON Lines, Excel, Parquet, also packed as .gz, .zst or .zip), a folder with a
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
        "data.text": list(text) or None, "data.text_pair": text_pair, "data.label": list(label) or None, "data.group": group,
        "data.weight": weight, "data.time": time,
        "evaluation.seeds": seeds, "evaluation.folds": folds, "evaluation.learning_curve": learning_curve or None,
        "evaluation.slices": list(slices) or None, "evaluation.baselines": baselines,
        "task.name": task, "model.name": _with_revision(model, revision), "seed": seed,
        "model.adapter_only": adapter_only or None, "training.time_limit": time_limit,
        "data.redact": redact or None,
        "task.options.target_error": target_error, "task.options.cost": cost, "task.options.set_coverage": set_coverage,
        "data.merge_labels": merge_labels or None, "data.ignore_unknown_labels": ignore_unknown_labels or None,
        "track": list(track) or None, "device": device, "training.epochs": epochs, "training.batch_size": batch_size,
        "training.learning_rate": learning_rate, "model.max_length": max_length,
        **{f"data.{name}": value for name, value in reading.items()},
    }  # fmt: skip
    request = make_request(
        source_of(data),
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
        from superfine.recipes.dry_run import dry_run as run_dry

        plan = run_dry(request, ConsoleReporter(speaking.get()))
        if as_json:
            print_json(plan)
        return
    from superfine.recipes.train import train as run

    outcome = run(request, ConsoleReporter(speaking.get()))
    if as_json:
        print_json({"folder": str(outcome.folder), **outcome.metrics})
    if outcome.interrupted:
        sys.exit(EXIT_INTERRUPTED)
    if outcome.differs is not None:
        sys.exit(EXIT_NO)


def _with_revision(model: str | None, revision: str | None) -> str | None:
    """Both in one name. Raises ConfigError where there is no model of the hub that could have a revision."""
    from superfine.errors import ConfigError

    if revision is None:
        return model
    if model is None or "@" in model or Path(model).expanduser().exists():
        raise ConfigError(
            f"--revision {revision} is of a model on the hub, and --model names {'none' if model is None else model}.",
            "Name one: --model owner/name --revision REV.",
        )
    return f"{model}@{revision}"
