"""`report.html`: one self-contained page that shows the score, what it is worth, and where the model errs."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from superfine.language import phrase
from superfine.metrics import title_of
from superfine.report.sections import SECTIONS
from superfine.report.summary import summary_of
from superfine.report.ticks import round_ticks

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True)
class Bar:
    """One line of the score chart: what is written, and where it stands in per cent of the width."""

    name: str
    value: str
    interval: tuple[str, str]
    at: float
    left: float
    right: float
    is_model: bool


ABOUT_MODEL = ("parity", "constant_answer")
"""Findings that say something of the model: they stand beside its score, the others with the data."""


def render_page(metrics: dict[str, Any], errors: list[dict[str, Any]], language: str = "en") -> str:
    """The page for the content of `metrics.json` and the errors that tell most, in English or Chinese ("zh")."""
    return (
        jinja_environment()
        .get_template("page.html.j2")
        .render(
            metrics=metrics,
            about_model=[found for found in metrics["findings"] if found["name"] in ABOUT_MODEL],
            about_data=[found for found in metrics["findings"] if found["name"] not in ABOUT_MODEL],
            without_middle=any(step["step"] == "head_tail" for step in metrics["data"]["preparation"]),
            in_windows=any(step["step"] == "windows" for step in metrics["data"]["preparation"]),
            errors=_with_pairs(errors, metrics["labels"]),
            pairs=_pairs(errors, metrics),
            linked={_pair(error, metrics["labels"]) for error in errors},
            columns=_columns(metrics),
            language=language,
            t=partial(phrase, language=language),
            title=title_of,
            shown=shown,
            difference=difference,
            sections={name: SECTIONS.load(name)(metrics) for name in _sections(metrics)},
            learning=SECTIONS.load("learning")(metrics),
            sizes=SECTIONS.load("sizes")(metrics),
            verdict=worst_comparison(metrics),
            summary=summary_of(metrics),
            scores=[(title_of(name).long, score) for name, score in metrics["test"].items() if _is_score(score)],
            bars=_bars(metrics),
            facts=_facts(metrics, language),
        )
    )


def _sections(metrics: dict[str, Any]) -> list[str]:
    """Those of the task, and those of what was measured beside its scores."""
    return [
        *metrics["shown"]["sections"],
        *(["confidence"] if metrics["test"].get("calibration") else []),
        *(["decisions"] if metrics["test"].get("decisions") else []),
        *(["slices"] if metrics["test"].get("slices") or metrics["test"].get("weak_slices") else []),
        *(["trainings"] if "seeds" in metrics or "folds" in metrics else []),
        *(["more_rows"] if "learning_curve" in metrics else []),
    ]


def _pair(error: dict[str, Any], labels: list[str]) -> str:
    """The places of the true class and of the prediction, `"3-5"`; "" where they are no classes."""
    place = {label: i for i, label in enumerate(labels)}
    true, said = place.get(error["label"]), place.get(error["prediction"])
    return "" if true is None or said is None else f"{true}-{said}"


def _with_pairs(errors: list[dict[str, Any]], labels: list[str]) -> list[dict[str, Any]]:
    """Each with its pair of classes, and whether it is the first of it."""
    seen: set[str] = set()
    found = []
    for error in errors:
        pair = _pair(error, labels)
        found.append(error | {"pair": pair, "is_first": pair not in seen})
        seen.add(pair)
    return found


def _pairs(errors: list[dict[str, Any]], metrics: dict[str, Any]) -> list[tuple[str, str, str, int]]:
    """(pair, true class, prediction, errors of that kind on the page), the most frequent first."""
    labels = metrics["labels"]
    counts = Counter(filter(None, (_pair(error, labels) for error in errors)))
    return [(pair, *(labels[int(i)] for i in pair.split("-")), n) for pair, n in counts.most_common()]


def _columns(metrics: dict[str, Any]) -> str:
    """JSON for the page's script: which columns of `predictions.csv` hold what, and the classes."""
    about = metrics.get("run", {}).get("columns", {})
    return json.dumps({**about, "labels": metrics["labels"]}, ensure_ascii=False)


def _cells(rows: list[list[Any]], *formats: str) -> list[list[str]]:
    """Each cell of a table as its column's format writes it."""
    return [[form % cell for form, cell in zip(formats, row, strict=True)] for row in rows]


def worst_comparison(metrics: dict[str, Any]) -> dict[str, Any] | None:
    """The comparison with a baseline that speaks most against the model: by its outcome, then by the smallest difference."""
    main, order = metrics["main"], ["worse", "undecided", "better"]
    found = [{"name": name, **comparison} for name, comparison in metrics["comparison"].items()]
    return min(found, key=lambda one: (order.index(one["outcome"]), one[main]["value"] or 0.0), default=None)


def _is_score(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"value", "low", "high"}


def shown(name: str, value: float | None) -> str:
    """A score as it is written: in per cent, or as a number; a dash for an end that nothing bounds."""
    if value is None:
        return "—"
    return percent(value) if title_of(name).unit == "percent" else number(value)


def _ends(name: str, score: dict[str, Any]) -> tuple[str, str]:
    """The ends of its interval; the unit stands with the value."""
    return shown(name, score["low"]).removesuffix(" %"), shown(name, score["high"]).removesuffix(" %")


def difference(name: str, value: float | None) -> str:
    """A difference of scores: in points where they are shares."""
    if value is None:
        return "—"
    return signed(100 * value) if title_of(name).unit != "number" else f"{value:+.3f}".replace("-", "−")


@lru_cache(maxsize=1)
def jinja_environment() -> Environment:
    """Jinja with our templates; everything that comes from data is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    env = Environment(
        loader=PackageLoader("superfine.report", "templates"),
        autoescape=select_autoescape(["html", "html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["percent"] = percent
    env.filters["signed"] = signed
    env.filters["upper_first"] = lambda text: text[:1].upper() + text[1:]
    env.filters["number"] = number
    env.filters["cells"] = _cells
    return env


def _bars(metrics: dict[str, Any]) -> dict[str, Any]:
    """The main score beside that of the baselines, on an axis from 0 to 1, or as wide as the intervals need."""
    main = metrics["main"]
    rows = [("Superfine", metrics["test"][main], True)]
    rows += [(b["title"], b[main], False) for b in metrics["baselines"].values() if main in b]
    ends = [0.0, 1.0] + [v for _, score, _ in rows for v in score.values() if v is not None]
    ticks = round_ticks(min(ends), max(ends))
    first, span = ticks[0], ticks[-1] - ticks[0]

    def at(value: float | None, other: float) -> float:
        return 100 * ((other if value is None else value) - first) / span

    return {
        "rows": [
            Bar(
                name, shown(main, a["value"]), _ends(main, a),
                at(a["value"], 0), at(a["low"], ticks[0]), at(a["high"], ticks[-1]), is_model,
            )
            for name, a, is_model in rows
        ],
        "ticks": [(at(tick, 0), percent(tick, 0) if title_of(main).unit == "percent" else f"{tick:g}") for tick in ticks],
    }  # fmt: skip


def number(value: float, digits: int = 3) -> str:
    """`"0.914"`, with a minus sign where it is negative."""
    return f"{value + 0.0:z.{digits}f}".replace("-", "−")


def signed(value: float) -> str:
    """`"+1.2"`, `"−0.3"`: with a minus sign, not a hyphen."""
    return f"{value:+.1f}".replace("-", "−")


def percent(value: float, digits: int = 1) -> str:
    """`"91.4 %"`."""
    return f"{100 * value:.{digits}f} %"


def _facts(metrics: dict[str, Any], language: str) -> list[tuple[str, str]]:
    """Title and value of what is known of the data and the run."""
    data, training, environment = metrics["data"], metrics["training"], metrics["environment"]
    speed = phrase("{} s, {} texts a second, in {}", f"{training['seconds']:.1f}", f"{training['examples_per_second']:.0f}",
                   training["precision"], language=language)  # fmt: skip
    return [
        ("Rows to train, validate, test", f"{data['train']}, {data['validation']}, {data['test']}"),
        ("Tokens per text", f"{data['tokens_per_text']:.1f}"),
        ("Texts cut", percent(data["truncated_share"])),
        ("Tokens never read", percent(data["unread_share"])),
        *([("Windows per text", f"{data['windows_per_text']:.1f}")] if data["windows_per_text"] > 1 else []),
        ("Unknown tokens", percent(data["unknown_token_share"])),
        ("Training", speed),
        *([("Peak memory", f"{training['peak_memory_mb']} MB")] if training["peak_memory_mb"] else []),
        ("Seed", str(metrics["seed"])),
        ("Versions", ", ".join(f"{name} {environment[name]}" for name in ("superfine", "torch", "transformers"))),
    ]
