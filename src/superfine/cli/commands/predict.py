"""`superfine predict`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from superfine.cli.help import TranslatedCommand, speaking
from superfine.cli.options import (
    baseline_option,
    check_device,
    check_precision,
    complete_files,
    device_option,
    json_option,
    pair_option,
    precision_option,
    reading_options,
    source_of,
    text_option,
)  # fmt: skip
from superfine.cli.output import PrintableStream, print_json, tell, tell_reading, to_standard_output
from superfine.errors import OutputError

if TYPE_CHECKING:
    from superfine.predictors.drift import Drift
    from superfine.recipes.predict import PredictJob
    from superfine.records import Precision


@click.command(cls=TranslatedCommand)
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("data", nargs=-1, shell_complete=complete_files)
@click.option(
    "--out", type=click.Path(path_type=Path), help="File to write: .csv, .tsv or .jsonl. Absent: CSV on standard output."
)
@click.option("--force", is_flag=True, help="Replace the file that is there.")
@click.option(
    "--out-encoding",
    metavar="NAME",
    help="Of that file. Excel opens utf-8-sig without asking; a Chinese one gb18030 too.  [default: utf-8]",
)
@click.option(
    "--excel-safe", is_flag=True, help="Put an apostrophe before cells that a spreadsheet would take for formulas (= + - @)."
)
@text_option
@pair_option
@baseline_option
@precision_option
@device_option
@reading_options
@json_option
def predict(
    folder: Path, data: tuple[str, ...], out: Path | None, force: bool, out_encoding: str | None, excel_safe: bool,
    text: tuple[str, ...], text_pair: str | None, baseline: str | None, precision: Precision | None, device: str | None,
    as_json: bool, **reading: str | None,
) -> None:  # fmt: skip
    """Predict every row of DATA with the model in FOLDER.

    DATA is what `train` reads, or - for standard input: CSV with a header, JSON Lines, or one text per line.

    \b
    superfine predict runs/reviews texts.csv --out predictions.csv
    echo "Arrived broken, twice." | superfine predict runs/reviews
    superfine predict runs/reviews texts.csv --with tfidf --out predictions.csv
    """
    from superfine.cli.console import ConsoleReporter
    from superfine.data.table import read_options
    from superfine.data.write import PredictionWriter, prediction_records
    from superfine.recipes.predict import PredictJob

    if out_encoding and out is None:
        raise OutputError("--out-encoding is of a file, and none is named.", "Name one with --out.")
    check_precision(baseline, precision)
    check_device(baseline, device)
    job = PredictJob(
        folder, source_of(data or ("-",)), list(text) or None, text_pair, read_options(reading), precision, baseline, device
    )
    survey, reporter = job.survey, ConsoleReporter(speaking.get())
    tell_reading(survey.notes, survey.bad_rows)
    tell(f"Columns: {survey.choice.describe()}")
    if as_json and out is not None:
        job.write(out, reporter, out_encoding or "utf-8", excel_safe=excel_safe, force=force)
        counts = {"rows": survey.n_rows, "rows_without_text": job.n_blank}
        print_json({"labels": list(job.labels), **counts, **_drift_facts(job), "file": str(out)})
    elif as_json:
        records = [record for piece in job.pieces(reporter) for record in prediction_records(*piece)]
        print_json({"labels": list(job.labels), **_drift_facts(job), "predictions": records})
    elif out is None:

        def write() -> None:
            writer = PredictionWriter(PrintableStream(), survey.columns, job.answer_columns, excel_safe=excel_safe)
            for piece in job.pieces(reporter):
                writer.write(*piece)

        to_standard_output(write)
    else:
        n_formulas = job.write(out, reporter, out_encoding or "utf-8", excel_safe=excel_safe, force=force)
        if n_formulas and not excel_safe:
            tell(f"{n_formulas} cells look like formulas to a spreadsheet (= + - @); as text, with an apostrophe: --excel-safe")
        tell(f"{survey.n_rows} rows written to {out}")
    if (drift := job.drift) is not None and drift.is_there:
        tell(drift_told(drift))
    if job.n_blank:
        tell(f"{job.n_blank} rows have no text: their predictions are empty.")


def _drift_facts(job: PredictJob) -> dict[str, Any]:
    """For JSON: how the rows differ from those that the model was calibrated on, where that can be told."""
    return {} if (drift := job.drift) is None else {"drift": drift.to_json()}


def drift_told(drift: Drift) -> str:
    """That rows are of another kind, in words."""
    return (
        f"These texts differ from those that the model was calibrated on (they are told apart with an AUC of {drift.auc:.2f}, "
        f"{drift.low:.2f} to {drift.high:.2f}): what its confidence and its decisions promise need not hold for them."
    )
