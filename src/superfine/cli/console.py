"""What the command line shows while it works, on standard error: stages, choices, findings, progress, and the result."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from superfine.language import duration, printable, translate
from superfine.metrics import Title, title_of
from superfine.recipes.reporter import Reporter
from superfine.records import Finding
from superfine.report.export import proved, receipt_rows

if TYPE_CHECKING:
    from superfine.recipes.doctor import Diagnosis
    from superfine.recipes.models import Fit
    from superfine.recipes.runs import RunEntry
    from superfine.training.loop import EpochRecord

STAGES = {
    "reading": "Reading the data",
    "loading": "Loading the model",
    "encoding": "Encoding the texts",
    "checking": "Looking at rows, texts and labels",
    "timing": "Timing a step of training",
    "embedding": "Reading the texts with the model as it is",
    "folds": "Training without each fold in turn",
    "seeds": "Training from several seeds",
    "learning curve": "Training on fractions of the rows",
    "measuring": "Timing a step of each model that is here",
    "baselines": "Fitting the baselines",
    "evaluating": "Evaluating on the test part",
    "exporting": "Writing the network as a graph",
    "converting": "Converting the graph",
    "predicting": "Asking the model itself",
    "quantising": "Quantising",
    "comparing": "Holding the export against the model",
    "consulting": "Asking the model for what the student is to learn",
    "distilling": "Teaching the student",
    "racing": "Timing what can be computed here",
}
ROUNDED = 1e-4
"""Probabilities that differ by less are the same but for rounding."""
STYLES = {"blocking": "bold red", "warning": "yellow", "note": "dim"}
PLAIN_SECONDS = 10.0
"""Without a terminal, a line of progress at most this often."""


class ConsoleReporter(Reporter):
    """Prints with rich; on a terminal training has a live bar, elsewhere a line now and then."""

    def __init__(self, language: str = "en") -> None:
        self.language = language
        self.console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._loss = 0.0
        self._started = 0.0
        self._first_step = 0
        self._texts = 0
        self._said = 0.0
        self._progress_started = 0.0
        self._chosen_by = ""
        self._until: float | None = None

    def stage(self, name: str) -> None:
        self.console.print(f"[bold]{self._in_language(STAGES.get(name, name))}[/bold]")

    def note(self, message: str) -> None:
        self.console.print(f"  {self._in_language(message)}", markup=False)

    def _in_language(self, message: str) -> str:
        return printable(translate(message, self.language))

    def findings(self, findings: Sequence[Finding]) -> None:
        for found in findings:
            style = STYLES[found.severity]
            severity, message = self._in_language(found.severity), self._in_language(found.message)
            self.console.print(f"  {severity}: {message}", style=style, markup=False)
            if found.severity != "note":
                self.console.print(f"    {self._in_language(found.advice)}", style=style, markup=False)

    def progress(self, done: int, total: int) -> None:
        now = time.monotonic()
        if not self._progress_started:
            self._progress_started = self._said = now
            if self.console.is_terminal and done < total:
                self._bar = self._new_bar(
                    TextColumn(" "), BarColumn(), TextColumn("{task.percentage:.0f} %"), TimeRemainingColumn()
                )
                self._task = self._bar.add_task("", total=total)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done)
        elif done < total and now - self._said >= PLAIN_SECONDS:
            self._said = now
            left = (now - self._progress_started) / max(1, done) * (total - done)
            self.note(f"{100 * done // total} %, {duration(left)} left")
        if done >= total:
            self.progress_ends()

    def progress_ends(self) -> None:
        self._end_bar()
        self._progress_started = 0.0

    def _new_bar(self, *columns: ProgressColumn) -> Progress:
        bar = Progress(*columns, console=self.console, transient=True)
        bar.start()
        return bar

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def training_starts(self, n_steps: int, done: int, seconds: float, chosen_by: str, limit: float | None = None) -> None:
        self._chosen_by = chosen_by
        self._until = None if limit is None else time.monotonic() + limit
        announcement = f"Training, about {duration(seconds)} (Ctrl-C ends it and keeps what is learned so far)"
        self.console.print(self._in_language(announcement), style="bold")
        self._started = self._said = time.monotonic()
        self._first_step, self._texts = done, 0
        if self.console.is_terminal:
            step = TextColumn(f"  {self._in_language('step')}")
            self._bar = self._new_bar(step, MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}"))
            self._task = self._bar.add_task("", total=n_steps, completed=done)

    def _described(self, step: int, n_steps: int, loss: float, texts: int) -> str:
        """How training goes: the loss, smoothed, the speed, and the time that is left."""
        self._loss = loss if step <= 1 else 0.95 * self._loss + 0.05 * loss
        self._texts += texts
        now = time.monotonic()
        rate = self._texts / max(1e-6, now - self._started)
        left = (now - self._started) / max(1, step - self._first_step) * (n_steps - step)
        if self._until is not None:  # the run ends by then, whatever is done
            left = max(0.0, min(left, self._until - now))
        return f"loss {self._loss:.3f}  {rate:.0f} texts/s  {duration(left)} left"

    def on_step(self, step: int, n_steps: int, loss: float, texts: int, tokens: int) -> None:
        described, now = self._described(step, n_steps, loss, texts), time.monotonic()
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=step, description=described)
        elif now - self._said >= PLAIN_SECONDS:
            self._said = now
            self.note(f"step {step}/{n_steps}  {described}")

    def on_epoch(self, record: EpochRecord, is_kept: bool) -> None:
        score = self._in_language(title_of(self._chosen_by).short)
        self.note(
            f"epoch {record.epoch + 1}: loss {record.train_loss:.3f}, "
            f"validation loss {record.loss:.3f}, {score} {written(self._chosen_by, record.score)}"
        )

    def interrupted(self) -> None:
        self.note("Ctrl-C: finishing this step. Once more ends at once and loses the run.")

    def training_ends(self) -> None:
        self._end_bar()

    def _say_difference(self, score: Title, difference: str, verdict: str) -> None:
        name, verdict = self._in_language(score.long), self._in_language(verdict)
        if score.unit == "number":
            self.note(f"{name} {difference}: {verdict}")
        else:
            self.note(f"{name} {difference} points: {verdict}")

    def compared(self, document: dict[str, Any], title: str) -> None:
        """The answer of `superfine compare`. title: of the first one."""
        self.console.print(score_table(document, self.language, title))
        main = document["main"]
        for pair in document["pairs"]:
            if main in pair:  # of so few rows that nothing defines it
                self._say_difference(title_of(main), differing(main, pair[main]), pair["verdict"])
            if "only_first_right" in pair:
                counts = pair["changed"], pair["only_first_right"], pair["only_second_right"]
                self.note(
                    f"Answered differently: {counts[0]} texts; {counts[1]} only the first has right, {counts[2]} the second"
                )
            else:
                self.note(f"Answered differently: {pair['changed']} texts")
            if "non_inferiority" in pair:
                self.note(pair["non_inferiority"]["verdict"])
        if len(document["pairs"]) > 1:
            self.note("The verdicts allow for the number of comparisons (Holm).")

    def leaked(self, metrics: dict[str, Any], warning: str = "") -> None:
        """The main score without the texts that were learned from. warning: is said first."""
        if warning:
            self.console.print(f"  {self._in_language(warning)}", style=STYLES["warning"], markup=False)
        if "test_without_leaks" in metrics:
            without, main = metrics["test_without_leaks"], metrics["main"]
            n_leaked = metrics["test"]["n"] - without["n"]
            value = f"{self._in_language(title_of(main).short)} {written(main, without[main]['value'])}"
            self.note(f"Without the {n_leaked} leaked test texts: {value}")

    def exported(self, receipt: dict[str, Any], folder: str | None) -> None:
        """The answer of `superfine export`. folder: None where nothing passed."""
        if receipt["texts"]:
            self.console.print(receipt_table(receipt, self.language))
        if "variants" in receipt:
            self.console.print(variants_table(receipt, self.language))
        alone = receipt.get("alone_and_together")
        if alone is not None and alone["largest"] > ROUNDED:
            self.note(f"Alone and in company a text's probabilities differ by up to {alone['largest']:.2g}")
        for attempt in [*receipt["tried"], receipt]:
            if attempt["why_not"]:
                self.note(f"Not kept: {attempt['way']}: {attempt['why_not']}")
        if said := proved(receipt):
            self.note(said)
        if folder is None:
            self.console.print(self._in_language("No export is written: none passed."), style="bold", markup=False)
            return
        self.console.print(self._in_language(f"Written to {folder}"), style="bold", markup=False)
        self.note(f"superfine predict {folder} texts.csv --out predictions.csv")

    def result(self, metrics: dict[str, Any], folder: str) -> None:
        self.console.print(score_table(metrics, self.language))
        main = metrics["main"]
        title = title_of(main)
        for name, comparison in metrics["comparison"].items():
            self._say_difference(title, differing(main, comparison[main]), comparison["verdict"])
            if comparison["outcome"] == "worse" and metrics["baselines"][name].get("saved", True):
                self.note(f"superfine predict {folder} texts.csv --with {name} --out predictions.csv")
        self.leaked(metrics)
        training = metrics["training"]
        if "kept_because" in training:  # runs of earlier versions do not say
            self.note(training["kept_because"])
        self.note(
            f"Trained {duration(training['seconds'])} at {training['examples_per_second']:.0f} texts/s in {training['precision']}"
        )
        place = self._in_language(f"Written to {folder}: open {folder}/report.html")
        self.console.print(place, style="bold", markup=False)
        self.note(f"superfine predict {folder} texts.csv --out predictions.csv")


def written(name: str, value: float) -> str:
    """A score by the name that `metrics.json` uses: in per cent, or as a number."""
    return f"{value:.1%}" if title_of(name).unit == "percent" else f"{value:.3f}"


def differing(name: str, interval: dict[str, float | None]) -> str:
    """`"+3.4 (+1.2 to +5.6)"`, in percentage points where the score is a share."""
    factor, digits = (1, 3) if title_of(name).unit == "number" else (100, 1)
    value, low, high = ("—" if (v := interval[key]) is None else f"{factor * v:+.{digits}f}" for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def score_table(metrics: dict[str, Any], language: str = "en", title: str = "this model") -> Table:
    """The predictor of that title beside its baselines, with 95 % intervals."""
    caption = translate(f"On {metrics['test']['n']} test texts, with 95 % intervals", language)
    table = Table(title=caption, title_justify="left")
    headline = metrics["shown"]["headline"]
    for column in ("", *(title_of(name).short for name in headline)):
        table.add_column(translate(column, language))
    rows = [(title, metrics["test"]), *((b["title"], b) for b in metrics.get("baselines", {}).values())]
    for name, scores in rows:
        cells = [_cell(scores.get(key)) for key in headline]
        table.add_row(translate(name, language), *cells, style="bold" if name == title else "")
    return table


def receipt_table(receipt: dict[str, Any], language: str = "en") -> Table:
    """How far an export lies from its model, by the texts that both answered."""
    table = Table(title=translate(f"{receipt['runtime']}, {receipt['way']}", language), title_justify="left")
    for column in ("", "texts", "largest difference", "mean difference", "answers changed"):
        table.add_column(translate(column, language), justify="left" if not column else "right")
    for name, found in receipt_rows(receipt):
        changed = "—" if found["changed"] is None else str(found["changed"])
        texts = str(found["texts"]), f"{found['largest']:.2g}", f"{found['mean']:.2g}", changed
        table.add_row(translate(name, language), *texts)
    return table


def variants_table(receipt: dict[str, Any], language: str = "en") -> Table:
    """What was timed, and what became of it."""
    table = Table(title=translate("On this machine", language), title_justify="left")
    for column in ("", "texts/s", "one text, ms", ""):
        table.add_column(translate(column, language), justify="right" if column else "left")
    for one in receipt["variants"]:
        said = translate("kept", language) if one["chosen"] else translate(one["why_not"], language)
        speed = f"{one['texts_per_second']:.0f}", f"{one['milliseconds']:.1f}"
        table.add_row(translate(one["name"], language), *speed, said, style="bold" if one["chosen"] else "")
    return table


def _cell(score: dict[str, float | None] | None) -> str:
    if score is None:
        return "—"
    value, low, high = ("—" if (v := score[key]) is None else f"{v:.3f}" for key in ("value", "low", "high"))
    return f"{value} ({low}–{high})"


def print_diagnosis(diagnosis: Diagnosis, language: str) -> None:
    """The answer of `superfine doctor`, on standard output."""
    console = Console(highlight=False, soft_wrap=True)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))

    def row(title: str, value: str) -> None:
        table.add_row(escape(translate(title, language)), escape(translate(value, language)))

    row("Versions", ", ".join(f"{name} {number}" for name, number in diagnosis.versions.items()))
    row("Python", diagnosis.python)
    for device in diagnosis.devices:
        row("Device", f"{device['name']}: trains in {device['precision']}, {diagnosis.threads} threads")
    for name, state in diagnosis.embedded_models.items():
        row(name.rsplit("/", 1)[-1], state)
    row("Hub of models", diagnosis.hub)
    for extra in diagnosis.extras:
        state = "installed" if extra.installed else extra.command
        row(f"superfine[{extra.name}]", f"{translate(extra.purpose, language)}: {translate(state, language)}")
    console.print(table)


def print_models(models: Sequence[dict[str, Any]], language: str) -> None:
    """The answer of `superfine models`, on standard output."""
    table = _plain_table(("model", "languages", "parameters", "max. tokens", "licence", "weights", "good at"), language)
    for model in models:
        table.add_row(model["name"], *_facts(model), translate(model["place"], language), translate(model["good_at"], language))
    _print_table(table)


def print_ranking(fits: Sequence[Fit], language: str, *, whole: bool) -> None:
    """The answer of `superfine models DATA`: the models that suit it, or all."""
    shown = [fit for fit in fits if whole or fit.suits]
    table = _plain_table(("", "model", "parameters", "weights", "training", "memory", "why"), language)
    for place, fit in enumerate(shown, 1):
        seconds = "—" if fit.seconds is None else f"{'' if fit.measured else '≈ '}{duration(fit.seconds)}"
        reasons = translate("; ", language).join(translate(reason, language) for reason in fit.reasons)
        size, memory = f"{fit.entry.parameters:.0f} M", f"≈ {fit.memory_gb:.1f} GB"
        table.add_row(
            str(place), fit.entry.name, size, translate(fit.place, language), translate(seconds, language), memory, reasons
        )
    _print_table(table)
    left_out = len(fits) - len(shown)
    said = "Times with ≈ are estimated from those measured here; memory is estimated. superfine train DATA --model NAME"
    if left_out:
        said = f"{left_out} more do not suit the data: --all lists them.\n{said}"
    print(translate(said, language))


def print_runs(runs: Sequence[RunEntry], language: str) -> None:
    """The answer of `superfine runs`, on standard output."""
    if not runs:
        print(translate("There are none.", language))
        return
    table = _plain_table(("run", "data", "task", "model", "score", "training", "date"), language)
    for run in runs:
        score = translate(run.state, language)
        if run.score is not None and run.main is not None:
            ends = f"{written(run.main, run.score.low)} – {written(run.main, run.score.high)}"
            score = f"{translate(title_of(run.main).short, language)} {written(run.main, run.score.value)} ({ends})"
        seconds = "—" if run.seconds is None else duration(run.seconds)
        cells = str(run.folder), run.data, run.task, run.model, score, translate(seconds, language), f"{run.date:%Y-%m-%d %H:%M}"
        table.add_row(*(escape(printable(cell)) for cell in cells))
    _print_table(table)


def _plain_table(columns: Sequence[str], language: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(translate(column, language), overflow="fold")
    return table


def _facts(model: dict[str, Any]) -> tuple[str, str, str, str]:
    languages, longest = model["languages"], model["max_length"]
    named = str(languages) if isinstance(languages, int) else ", ".join(languages)
    return named, f"{model['parameters']:.0f} M", "—" if longest is None else f"{longest:,}", model["licence"]


def _print_table(table: Table) -> None:
    """On a terminal as wide as it is; elsewhere a row is a line."""
    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=220)
    console.print(table)
