"""Prediction throughput and latency beside plain transformers, on the same trained model.

    python -m benchmarks.scoring_speed                 run, print the table, write benchmarks/results/MACHINE/scoring_speed.json
    python -m benchmarks.scoring_speed --table         print the tables of the last runs, one for each machine
    python -m benchmarks.scoring_speed --exports       exports beside it too, in the same run: minutes more for each set

Contestants: `pipeline("text-classification", batch_size=32, truncation=True)`; batches of plain transformers sorted by length;
`superfine.load(...).predict(...)` in float32, and with `precision="bfloat16"`. The model is trained by the default recipe on 2,000
rows. All read raw texts and give labels; they are interleaved in one process. Equal labels: the rows on which Superfine says what the
pipeline says.
Limit: how many times as fast as the pipeline one would be that did nothing but the necessary matrix products (no padding, in the last
layer only the first token's) at the rate of a large product in that precision, measured in the same run.
Exports (the extra `export`): ours in float32, in eight bits behind the gate with its usual margin, and of a student of half the
layers, each as `superfine export` writes them; and ONNX Runtime's and OpenVINO's own eight bits at the settings that they propose for
transformers (dynamic; static with smoothing, on 128 training texts), given the same tokens in the same batches sorted by length.
Latency: one text at a time after loading (median of 30), and a whole process that predicts one row: the command line of Superfine
against the usual lines of transformers. Needs the extras `offline` and `bench`.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np

from benchmarks import datasets
from benchmarks.training_speed import ceiling, gmean, new_result, print_tables, result_path, speed_arguments, spread

SETS = {"en/sst2": 872, "en/ag_news": 1000, "en/imdb": 300}
TRAINING_ROWS = 2000
USUAL_LINES = """
import sys, torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
folder, text = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
with torch.no_grad():
    logits = model(**tokenizer(text, truncation=True, return_tensors="pt")).logits
print(model.config.id2label[int(logits.argmax())])
"""


def sorted_batches(tokenizer: object, model: object, texts: list[str]) -> list[str]:
    """Plain transformers as a careful user would: batches of 32 of similar length."""
    import torch

    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    labels = [""] * len(texts)
    with torch.inference_mode():
        for start in range(0, len(order), 32):
            part = order[start : start + 32]
            inputs = tokenizer([texts[i] for i in part], truncation=True, padding=True, return_tensors="pt")
            for i, k in zip(part, model(**inputs).logits.argmax(-1).tolist(), strict=True):
                labels[i] = model.config.id2label[k]
    return labels


def necessary_flops(folder: str, lengths: np.ndarray) -> float:
    """Of predicting texts with so many tokens each (n,): all layers but the last for every token, the last for what is read."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder)
    width, inner, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    lengths = lengths.astype(float)
    whole = 2 * (4 * width**2 + 2 * width * inner) * lengths + 4 * width * lengths**2
    last = 4 * width**2 * lengths + 2 * (2 * width**2 + 2 * width * inner) + 4 * width * lengths
    return float(((layers - 1) * whole + last).sum())


def proposed_by_runtimes(folder: Path, exported: object, scratch: Path, calibration: list[str]) -> dict[str, object]:
    """Eight bits as the runtimes' own guides propose them, read by our predictors: the same tokens and batches."""
    import nncf
    import openvino
    from onnxruntime.quantization import quantize_dynamic

    from superfine.predictors.graph import Rectangle
    from superfine.predictors.onnx import OnnxModel
    from superfine.predictors.openvino import OpenVinoModel
    from superfine.records import Examples

    def opened(kind: type, path: Path) -> object:
        facts = exported.facts.model_copy(update={"file": path.name})
        return kind(exported.task, exported.encoder, facts, path, takes_pairs=exported.takes_pairs)

    source = folder / "model.onnx"
    quantize_dynamic(str(source), str(scratch / "dynamic.onnx"))
    encoded = exported.encoder.encode(Examples.of_texts(calibration)).as_sequences()
    rectangles = [Rectangle.of(encoded, np.array([i]), exported.facts) for i in range(min(128, len(encoded)))]
    items = [{name: getattr(one, name) for name in exported.facts.inputs} for one in rectangles]
    graph = openvino.Core().read_model(str(source))
    static = nncf.quantize(graph, nncf.Dataset(items), model_type=nncf.ModelType.TRANSFORMER, subset_size=len(items))
    openvino.save_model(static, str(scratch / "static.xml"))
    return {
        "ort_dynamic": opened(OnnxModel, scratch / "dynamic.onnx"),
        "openvino_static": opened(OpenVinoModel, scratch / "static.xml"),
    }


def exports_of(run: Path, texts: list[str], rounds: int, scratch: Path, ours: object) -> dict:
    """Speeds of exports beside the model's own, interleaved; and how many labels each changes."""
    import superfine
    from superfine.recipes.export import export
    from superfine.recipes.exports.request import ExportRequest
    from superfine.recipes.reporter import Reporter

    own = scratch / f"{run.name}-exports"
    own.mkdir()
    receipts, predictors = {}, {"superfine": ours}
    rows = str(scratch / "more.csv")  # the gate gets all that the set has
    asked = {
        "onnx": ExportRequest(run, "onnx"),
        "int8": ExportRequest(run, "int8", data=rows),
        "student": ExportRequest(run, None, distil=3, data=rows),
        "student_int8": ExportRequest(run / "exports" / "student-3", "int8", data=rows),
    }
    for name, request in asked.items():
        if name == "student_int8" and "student" not in predictors:
            continue
        exported = export(request, Reporter())
        receipts[name] = {key: exported.receipt.get(key) for key in ("way", "why_not", "gate")}
        if exported.folder is not None:
            predictors[name] = superfine.load(exported.folder)
    train = datasets.read(scratch / "train.csv").texts[:128]
    predictors |= proposed_by_runtimes(run / "exports" / "onnx", predictors["onnx"], own, train)
    expected = list(ours.predict(texts).label)
    changed = {
        name: sum(a != b for a, b in zip(expected, one.predict(texts).label, strict=True)) for name, one in predictors.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in predictors}
    for _ in range(rounds):
        for name, one in predictors.items():
            seconds[name].append(timed(lambda one=one: one.predict(texts)))
    single = {
        name: statistics.median(timed(lambda text=text, one=one: one.predict([text])) for text in texts[:30])
        for name, one in predictors.items()
    }
    cold = "import superfine, sys; superfine.load(sys.argv[1]).predict([sys.argv[2]])"
    started = [timed(lambda: quietly([sys.executable, "-c", cold, str(run / "exports" / "onnx"), texts[0]])) for _ in range(5)]
    return {
        "exports": {
            "seconds": seconds,
            "changed": changed,
            "one_text": single,
            "receipts": receipts,
            "cold": min(started),
            "megabytes": {p.name: sum(f.stat().st_size for f in p.iterdir()) / 1e6 for p in (run / "exports").iterdir()},
        }
    }


def measure(name: str, rows: int, rounds: int, scratch: Path, *, exports: bool) -> dict:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    import superfine
    from superfine.backbones.processor import multiplies_bfloat16
    from superfine.records import Examples

    train, test = datasets.train_and_test(name)
    data = scratch / "train.csv"
    datasets.write(datasets.stratified_sample(datasets.read(train), TRAINING_ROWS), data)
    run = superfine.train(data, out=scratch / name.replace("/", "_"), progress=False)
    tested = datasets.stratified_sample(datasets.read(test), rows, seed=1)
    texts = tested.texts
    datasets.write(tested, scratch / "more.csv")
    folder = str(run.folder / "model")
    ours = superfine.load(run.folder)
    rounded = superfine.load(run.folder, precision="bfloat16") if multiplies_bfloat16() else None
    classify = pipeline("text-classification", model=folder, truncation=True)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSequenceClassification.from_pretrained(folder).eval()
    contestants = {
        "pipeline": lambda: [found["label"] for found in classify(texts, batch_size=32, truncation=True)],
        "sorted": lambda: sorted_batches(tokenizer, model, texts),
        "superfine": lambda: ours.predict(texts).label,
    }
    if rounded is not None:  # elsewhere it is a hundred times slower
        contestants["superfine_bfloat16"] = lambda: rounded.predict(texts).label
    labels = {contestant: list(run_it()) for contestant, run_it in contestants.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for contestant, run_it in contestants.items():
            started = time.perf_counter()
            run_it()
            seconds[contestant].append(time.perf_counter() - started)
    equal = {
        contestant: sum(a == b for a, b in zip(labels[contestant], labels["pipeline"], strict=True))
        for contestant in ("superfine", "superfine_bfloat16")
        if contestant in labels
    }
    single = {
        "pipeline": statistics.median(timed(lambda text=text: classify(text)) for text in texts[:30]),
        "superfine": statistics.median(timed(lambda text=text: ours.predict([text])) for text in texts[:30]),
    }
    lengths = ours.encoder.encode(Examples.of_texts(texts)).lengths
    row = scratch / "row.csv"
    datasets.write(datasets.Rows(texts[:1], ["x"]), row)
    cold = {"transformers": [], "superfine": []}
    for _ in range(3):
        cold["transformers"].append(timed(lambda: quietly([sys.executable, "-c", USUAL_LINES, folder, texts[0]])))
        cold["superfine"].append(
            timed(lambda: quietly([sys.executable, "-m", "superfine", "predict", str(run.folder), str(row)]))
        )
    found = exports_of(run.folder, texts, rounds, scratch, ours) if exports else {}
    return {
        "rows": len(texts),
        **found,
        "seconds": seconds,
        "equal": equal,
        "necessary_flops": necessary_flops(folder, lengths),
        "ceilings": {
            name: ceiling(dtype)
            for name, dtype in (("superfine", "float32"), ("superfine_bfloat16", "bfloat16"))
            if name in contestants
        },
        "one_text": single,
        "cold": {k: min(v) for k, v in cold.items()},
    }


def quietly(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, cwd=datasets.REPOSITORY)


def timed(work: object) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def table(result: dict) -> str:
    lines = [
        "| set | pipeline, texts/s | sorted batches | Superfine | bfloat16 | ratio to pipeline | bfloat16 to pipeline | ratio to sorted "
        "| limit: float32, bfloat16 | equal labels: float32, bfloat16 | one text, ms: pipeline, Superfine | cold start, s: usual lines, Superfine |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    ratios: dict[str, list[float]] = {"superfine": [], "superfine_bfloat16": []}
    limits: dict[str, list[float]] = {"superfine": [], "superfine_bfloat16": []}
    rows, equal = 0, 0
    for name, m in result["sets"].items():
        seconds = {k: np.array(v) for k, v in m["seconds"].items()}
        rate = {k: f"{m['rows'] / gmean(v):.0f}" for k, v in seconds.items()}
        to_pipeline = {k: seconds["pipeline"] / seconds[k] for k in ratios if k in seconds}
        for contestant, found in to_pipeline.items():
            ratios[contestant].append(gmean(found))
        limit = {k: gmean(seconds["pipeline"]) * m["ceilings"][k] / m["necessary_flops"] for k in to_pipeline}
        for contestant, found in limit.items():
            limits[contestant].append(found)
        rows, equal = rows + m["rows"], equal + m["equal"].get("superfine_bfloat16", 0)
        lines.append(
            f"| {name}, {m['rows']} rows | "
            + " | ".join(rate.get(k, "—") for k in ("pipeline", "sorted", "superfine", "superfine_bfloat16"))
            + f" | {spread(to_pipeline['superfine'])} "
            f"| {spread(to_pipeline['superfine_bfloat16']) if 'superfine_bfloat16' in to_pipeline else '—'} "
            f"| {spread(seconds['sorted'] / seconds['superfine'])} "
            f"| {', '.join(f'{value:.2f}' for value in limit.values())} | {', '.join(map(str, m['equal'].values()))} of {m['rows']} "
            f"| {1000 * m['one_text']['pipeline']:.1f}, {1000 * m['one_text']['superfine']:.1f} "
            f"| {m['cold']['transformers']:.1f}, {m['cold']['superfine']:.1f} |"
        )
    said = f"\nGeometric means over the sets: {gmean(ratios['superfine']):.2f} × the pipeline in float32"
    if ratios["superfine_bfloat16"]:
        said += f", {gmean(ratios['superfine_bfloat16']):.2f} × in bfloat16, whose labels equal the pipeline's on {equal} of {rows} rows"
    products = " and ".join(f"{gmean(found):.2f} ×" for found in limits.values() if found)
    lines.append(f"{said}. With nothing but the necessary products: {products}. Machine: {result['machine']}.")
    if any("exports" in m for m in result["sets"].values()):
        lines += ["", exports_table(result)]
    return "\n".join(lines)


EXPORTS = {
    "superfine": "Superfine, float32",
    "onnx": "ONNX export",
    "int8": "int8 export, behind the gate",
    "student": "student of 3 layers",
    "student_int8": "student, int8",
    "ort_dynamic": "ONNX Runtime's int8",
    "openvino_static": "OpenVINO's int8",
}


def exports_table(result: dict) -> str:
    """Ratios to the pipeline of the same run, labels changed, and a single text."""
    lines = ["| | " + " | ".join(EXPORTS.values()) + " |", "|---|" + "---|" * len(EXPORTS)]
    ratios: dict[str, list[float]] = {name: [] for name in EXPORTS}
    for set_name, m in result["sets"].items():
        if "exports" not in m:
            continue
        found, pipeline = m["exports"], gmean(m["seconds"]["pipeline"])
        cells: dict[str, list[str]] = {"× pipeline": [], "labels changed": [], "one text, ms": []}
        for name in EXPORTS:
            if name not in found["seconds"]:
                refused = found["receipts"].get(name, {}).get("why_not", "")
                cells["× pipeline"].append(f"refused: {refused}" if refused else "—")
                cells["labels changed"].append("—")
                cells["one text, ms"].append("—")
                continue
            ratio = pipeline / gmean(found["seconds"][name])
            ratios[name].append(ratio)
            cells["× pipeline"].append(f"{ratio:.2f}")
            cells["labels changed"].append(f"{found['changed'][name]} of {m['rows']}")
            cells["one text, ms"].append(f"{1000 * found['one_text'][name]:.1f}")
        lines += [f"| {set_name}, {what} | " + " | ".join(said) + " |" for what, said in cells.items()]
    means = [f"{gmean(found):.2f}" if found else "—" for found in ratios.values()]
    lines.append("| geometric mean, × pipeline | " + " | ".join(means) + " |")
    cold = min(m["exports"]["cold"] for m in result["sets"].values() if "exports" in m)
    lines.append(f"\nFrom the start of a process to the first answer of the ONNX export: {cold:.2f} s.")
    return "\n".join(lines)


def main() -> None:
    arguments = speed_arguments(__doc__, SETS)
    arguments.add_argument("--exports", action="store_true", help="exports beside it too")
    a = arguments.parse_args()
    if a.table:
        print_tables("scoring_speed", table)
        return
    result, path = new_result(), result_path("scoring_speed")
    with tempfile.TemporaryDirectory() as scratch:
        for name in a.sets:
            result["sets"][name] = measure(name, SETS[name], a.rounds, Path(scratch), exports=a.exports)
            path.write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(table(result))


if __name__ == "__main__":
    main()
