"""`superfine export`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from superfine.cli.help import TranslatedCommand, speaking
from superfine.cli.options import (
    complete_files,
    ignore_unknown_option,
    json_option,
    label_option,
    pair_option,
    reading_options,
    source_of,
    text_option,
)
from superfine.cli.output import EXIT_NO, print_json


@click.command(cls=TranslatedCommand)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--to", "to", type=click.Choice(["onnx", "openvino", "tensorflow", "int8", "fastest"]),
    help="onnx, openvino: in float32, with the same answers. tensorflow: the same, as a SavedModel and a TFLite file, written in "
    "an environment of TensorFlow's own, which is made once. int8: in eight bits, kept if it is shown not to be worse. fastest: "
    "all that runs here, timed on the run's own texts, and the fastest of these that passes.",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write.  [default: FOLDER/exports/NAME]")
@click.option("--force", is_flag=True, help="Replace the export that is there.")
@click.option(
    "--runtime",
    type=click.Choice(["onnx", "openvino", "tensorflow"]),
    help="What is to compute an export in eight bits.  [default: onnx]",
)
@click.option("--margin", type=float, metavar="POINTS", help="Loss of the main score that is accepted (95 % sure).  [default: 1]")
@click.option("--max-changed", type=float, metavar="PERCENT", help="Share of answers that may change.  [default: 2]")
@click.option(
    "--data", multiple=True, metavar="FILE", shell_complete=complete_files,
    help="More labelled rows for the proof, which the model has not learned from.",
)  # fmt: skip
@click.option(
    "--unlabelled", multiple=True, metavar="FILE", shell_complete=complete_files,
    help="Texts without labels, whose answers are to stay too.",
)  # fmt: skip
@text_option
@pair_option
@label_option
@ignore_unknown_option
@click.option(
    "--distil", type=click.IntRange(1), metavar="LAYERS",
    help="Export a student of so many layers, taught by the model on the run's training texts and --unlabelled; without --to the "
    "student alone.",
)  # fmt: skip
@click.option(
    "--distil-margin", type=float, metavar="POINTS", help="Loss that is accepted of the student (95 % sure).  [default: 2]"
)
@click.option("--distil-max-changed", type=float, metavar="PERCENT", help="Share of answers that may change.  [default: 10]")
@click.option(
    "--prefer", type=click.Choice(["bulk", "single"]),
    help="Which speed chooses the fastest: of many texts, or of a single one.  [default: bulk]",
)  # fmt: skip
@reading_options
@json_option
def export(
    folder: Path, to: str | None, out: Path | None, force: bool, runtime: str | None, margin: float | None,
    max_changed: float | None, data: tuple[str, ...], unlabelled: tuple[str, ...], text: tuple[str, ...], text_pair: str | None,
    label: tuple[str, ...], ignore_unknown_labels: bool, distil: int | None,
    distil_margin: float | None, distil_max_changed: float | None, prefer: str | None, as_json: bool, **reading: str | None,
) -> None:  # fmt: skip
    """Write the model in FOLDER for another runtime, with a receipt of how far its answers lie from the tested ones.

    What it writes predicts without torch and transformers: `superfine predict`, `evaluate` and `compare` take it as they take a
    run. The receipt is `parity.json` in its folder.

    \b
    superfine export runs/reviews --to onnx
    superfine export runs/reviews --to int8 --margin 1 --data more.csv
    superfine predict runs/reviews/exports/int8 texts.csv --out predictions.csv
    """
    from superfine.cli.console import ConsoleReporter
    from superfine.data.table import read_options
    from superfine.errors import ConfigError
    from superfine.recipes.export import export as run_recipe
    from superfine.recipes.exports.request import ExportRequest

    for name, value, kinds in (
        ("--runtime", runtime, ("int8",)),
        ("--margin", margin, ("int8", "fastest")),
        ("--max-changed", max_changed, ("int8", "fastest")),
        ("--prefer", prefer, ("fastest",)),
    ):
        if value is not None and to not in kinds:
            raise ConfigError(f"{name} is of --to {' and '.join(kinds)}.", "Leave it out.")
    if to is None and distil is None:
        raise ConfigError("Neither --to nor --distil says what is to be written.", "Name a format: --to onnx.")
    if distil is None and not (distil_margin is None and distil_max_changed is None):
        raise ConfigError("--distil-margin and --distil-max-changed are of --distil.", "Leave them out.")
    reporter = ConsoleReporter(speaking.get())
    request = ExportRequest(
        folder, to, out, force, runtime or "onnx", 1.0 if margin is None else margin, 2.0 if max_changed is None else max_changed,
        source_of(data) if data else None, source_of(unlabelled) if unlabelled else None, prefer or "bulk",
        read_options(reading), text, text_pair, label, ignore_unknown_labels, speaking.get(), distil, distil_margin,
        distil_max_changed,
    )  # fmt: skip
    exported = run_recipe(request, reporter)
    if as_json:
        print_json({"folder": None if exported.folder is None else str(exported.folder), **exported.receipt})
    else:
        reporter.exported(exported.receipt, None if exported.folder is None else str(exported.folder))
    if exported.folder is None:
        sys.exit(EXIT_NO)
