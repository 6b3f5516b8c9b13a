"""The report in a real browser: no barrier that axe finds, at desk and phone width, in both languages; and what its script does."""

import copy
import csv
import importlib.util
import json
import re
import shutil
import subprocess
from importlib.resources import files

import pytest

from superfine.report.check import render_check
from superfine.report.page import render_page

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine"),
    pytest.mark.skipif(importlib.util.find_spec("axe_core_python") is None, reason="axe-core-python is not installed"),
]
RUN = """
<script>axe.run().then(found => {
  const out = document.createElement("pre"); out.id = "axe";
  const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
  out.textContent = JSON.stringify({wide, passes: found.passes.length, violations: found.violations.map(v => [v.id, v.nodes.length, v.nodes[0].html])});
  document.body.append(out);
  if (parent !== window) parent.postMessage(out.textContent, "*");
});</script>
"""


NARROWEST = 500
"""Chromium's windows are no narrower; a phone's width takes a frame."""


def examine(page, tmp_path, width, *options, run=None):
    """What axe finds, and whether the page is wider than the window."""
    script = "" if run else (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
    path = tmp_path / "page.html"
    path.write_text(page.replace("</body>", f"<script>{script}</script>{run or RUN}</body>"), encoding="utf-8")
    shown = path
    if width < NARROWEST:
        shown = tmp_path / "phone.html"
        answer = "addEventListener('message', e => { const out = document.createElement('pre'); out.id = 'axe'; out.textContent = e.data; document.body.append(out) })"
        shown.write_text(
            f'<body><script>{answer}</script><iframe src="page.html" style="border:0;width:{width}px;height:900px"></iframe>'
        )
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={max(width, NARROWEST)},900",
        "--virtual-time-budget=20000", *options, "--dump-dom", shown.as_uri(),
    ]  # fmt: skip
    dom = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    found = re.search(r'<pre id="axe">(.*?)</pre>', dom, re.DOTALL)
    assert found, "axe did not end"
    import html

    return json.loads(html.unescape(found[1]))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("width", "options"), [(1100, []), (500, []), (390, []), (1100, ["--blink-settings=preferredColorScheme=0"])]
)
def test_axe_finds_no_barrier_and_nothing_overflows(trained, tmp_path, language, width, options):
    error = {"row": 2, "text": "a long text " * 30, "label": "good", "prediction": "bad", "confidence": 0.93}
    found = examine(render_page(trained.metrics, [error], language), tmp_path, width, *options)
    assert found["violations"] == []
    assert found["passes"] > 15
    assert not found["wide"]


DECIDED = {
    "test": {
        "answered": 0.8, "n_answered": 29, "error": {"value": 0.01, "low": 0.0, "high": 0.05},
        **{key: {"value": 0.9, "low": 0.8, "high": 1.0} for key in ("cost", "usual_cost", "saved", "covered")}, "set_size": 1.2,
    },
    "facts": {"target_error": 0.02, "set_coverage": 0.9, "answers_from": 0.9, "set_from": 0.4, "costs": None},
}  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [1100, 390])
def test_nor_where_it_says_what_is_decided(trained, tmp_path, language, width):
    metrics = copy.deepcopy(trained.metrics)
    metrics["test"]["decisions"], metrics["decisions"] = DECIDED["test"], DECIDED["facts"]
    page = render_page(metrics, [], language)
    assert "80%" in page
    found = examine(page, tmp_path, width)
    assert (found["violations"], found["wide"]) == ([], False)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("width", "options"), [(1100, []), (390, []), (1100, ["--blink-settings=preferredColorScheme=0"])])
def test_nor_on_the_page_of_a_check(tmp_path, language, width, options):
    finding = {
        "name": "leak", "severity": "blocking", "count": 2, "share": 0.1, "rows": [2, 3], "texts": ["a text " * 20], "message": "m", "advice": "a",
    }  # fmt: skip
    facts = {
        "rows": {"train": 90, "validation": 0, "test": 10}, "columns": "text = text", "task": "classification", "classes": {"a" * 60: 60, "b": 30},
        "scripts": {"Latin": 1.0}, "different_texts": 88, "model": "sentence-transformers/all-MiniLM-L6-v2",
        "lengths": {"median": 9.0, "percentile_95": 20.0, "longest": 40, "unknown_share": 0.0, "truncated_share": 0.0},
        "test_told_apart": {"auc": 0.5, "low": 0.4, "high": 0.6, "words": ["w"]},
        "training": {"seconds": 61.0, "memory_gb": 1.0, "is_measured": True},
    }  # fmt: skip
    notes = [{**finding, "severity": severity} for severity in ("blocking", "warning", "note")]
    page = render_check(
        {"findings": notes, "facts": facts, "data": ["a.csv"], "test": ["b.csv"], "date": "2026-01-01T00:00"}, language
    )
    assert "script-src" not in page, "it needs no script, and lets none run"
    page = page.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
    found = examine(page, tmp_path, width, *options)
    assert (found["violations"], found["wide"]) == ([], False)


USE = """
<script>(async () => {
  const out = {}, rows = () => [...document.querySelectorAll("table.classes tbody tr")].map(row => row.cells[0].textContent);
  const heads = document.querySelectorAll("table.classes thead th button");
  out.before = rows(); heads[0].click(); out.by_name = rows(); heads[0].click(); out.reversed = rows();
  out.sorted = document.querySelector("table.classes thead th").getAttribute("aria-sort");
  const shown = () => [...document.querySelectorAll("article.error")].filter(one => !one.hidden).map(one => one.dataset.pair);
  out.every = shown(); document.querySelector("a[data-pair='0-1']").click(); out.of_pair = shown();
  const saved = []; URL.createObjectURL = blob => { saved.push(blob); return "#"; };
  [...document.querySelectorAll("button")].filter(one => ["CSV", "SVG"].includes(one.textContent)).forEach(one => one.click());
  out.saved = [...new Set(saved.map(blob => blob.type))]; out.csv = await saved.find(blob => blob.type === "text/csv").text();
  out.svg = await saved.find(blob => blob.type === "image/svg+xml").text();
  const input = document.getElementById("every-error"), files = new DataTransfer();
  files.items.add(new File([TABLE], "predictions.csv")); input.files = files.files; await input.onchange();
  out.from_table = [...document.querySelectorAll("article.error")].map(one => [one.dataset.pair, one.textContent]);
  const result = document.createElement("pre"); result.id = "axe"; result.textContent = JSON.stringify(out); document.body.append(result);
})();</script>
"""


def test_the_script_sorts_filters_saves_and_reads_all_errors_from_the_table_of_predictions(trained, tmp_path):
    metrics = copy.deepcopy(trained.metrics)
    metrics["test"]["confusion"] = [[0, 0, 3], [0, 1, 2], [1, 0, 1]]
    bad, good = metrics["labels"]
    pairs = [(bad, good), (bad, good), (good, bad)]
    errors = [{"row": 2, "text": "t", "label": a, "prediction": b, "confidence": 0.9, "words": []} for a, b in pairs]
    table = (trained.folder / "predictions.csv").read_text(encoding="utf-8")
    found = examine(render_page(metrics, errors), tmp_path, 1100, run=USE.replace("TABLE", json.dumps(table)))
    assert (found["by_name"], found["reversed"], found["sorted"]) == ([bad, good], [good, bad], "descending")
    assert found["every"] == ["0-1", "0-1", "1-0"]
    assert found["of_pair"] == ["0-1", "0-1"]
    assert found["saved"] == ["text/csv", "image/svg+xml"]
    assert found["csv"].lstrip("\ufeff").startswith("class,F1,")
    assert 'xmlns="http://www.w3.org/2000/svg"' in found["svg"]
    rows = [row for row in csv.DictReader(table.splitlines()) if row["label"] != row["prediction"]]
    assert len(found["from_table"]) == len(rows)
    ids = {name: i for i, name in enumerate(metrics["labels"])}
    assert sorted(pair for pair, _ in found["from_table"]) == sorted(f"{ids[r['label']]}-{ids[r['prediction']]}" for r in rows)
    surest = max(rows, key=lambda row: float(row["confidence"]))
    assert surest["text"] in found["from_table"][0][1]


def measured_in_all_ways(metrics, by):
    """The metrics of a run with seeds or folds, a learning curve, given and weak kinds of texts."""
    score, main = {"value": 0.9, "low": 0.8, "high": 0.95}, metrics["main"]
    names = metrics["shown"]["headline"]
    own = dict.fromkeys(names, score)
    found = copy.deepcopy(metrics)
    found["test"] |= {
        "slices": [{"by": "shop", "name": name, "n": 18, **own} for name in ("north", "south")],
        "weak_slices": {
            "score": "accuracy", "looked_at": 120,
            "found": [{"by": "word", "name": "refund", "n": 25, "inside": 0.6, "elsewhere": 0.92, "p": 0.004}],
        },
    }  # fmt: skip
    if by == "seeds":
        runs = [{"seed": seed, "validation": {main: score}, "test": own} for seed in range(3)]
        found["seeds"] = {"kept": 1, "runs": runs, "over": {name: {**score, "deviation": 0.01} for name in names}}
    else:
        runs = [{"n": 80, **own} for _ in range(3)]
        found["folds"] = {"runs": runs, "over": {name: {"mean": 0.9, "deviation": 0.01} for name in names}}
    points = [{"n": n, "value": 0.9 - 3 / n, "deviation": 0.01} for n in (25, 50, 100, 200)]
    gains = [{"more": more, "value": 0.01, "low": -0.01, "high": 0.03} for more in (50, 100, 200)]
    return found | {"learning_curve": {"points": points, "gains": gains}}


@pytest.mark.parametrize(
    ("by", "language", "width"), [("seeds", "en", 1100), ("folds", "zh", 390), ("seeds", "zh", 500), ("folds", "en", 390)]
)
@pytest.mark.slow
def test_what_is_measured_beside_the_score_has_no_barrier_either(trained, tmp_path, by, language, width):
    nearest = [{"row": 9, "label": "good", "text": "a training text " * 20}]
    error = {"row": 2, "text": "a long text", "label": "good", "prediction": "bad", "confidence": 0.93, "nearest": nearest}
    page = render_page(measured_in_all_ways(trained.metrics, by), [error], language)
    for place in ("slices", "trainings", "more"):
        assert f'<h2 id="{place}">' in page
    assert "refund" in page
    found = examine(page, tmp_path, width)
    assert found["violations"] == []
    assert not found["wide"]
