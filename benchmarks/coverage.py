"""Do the intervals cover as often as they say, and how often does a verdict call two equal predictors different?

    python -m benchmarks.coverage                        everything: about 20 minutes
    python -m benchmarks.coverage verdicts macro         some of it
    python -m benchmarks.coverage --trials 200           quicker and noisier

verdicts   two predictors that are alike: n test rows, d of them right for one alone, each for either with probability one half
accuracy   one predictor, rows alone
groups     rows in groups of 20 whose accuracy differs from group to group (beta distribution, mean 0.8, standard deviation 0.15)
macro      macro F1 where classes have few texts: six classes, the smallest 1 % of 300; fifty classes among 500
classes    recall and F1 of a class with 3 to 30 texts

Answers are drawn from known probabilities, so the true score is known. ± is twice the Monte Carlo standard error. The code under test is
`superfine.evaluation`, with the statistics and scores of `superfine.tasks.classification`.
"""

import argparse
from collections.abc import Iterator

import numpy as np

from superfine.evaluation.compare import compare
from superfine.evaluation.evaluate import evaluate
from superfine.records import Choices, Examples, Statistics
from superfine.tasks.classification import Classification


def statistics(true: np.ndarray, said: np.ndarray, k: int) -> tuple[Statistics, dict]:
    """The table of n answers, and the scores without the one that ranks, which is not asked for here."""
    labels = tuple(f"{i:03d}" for i in range(k))
    task, rows = Classification(labels), np.arange(1, len(true) + 1)
    examples = Examples(row=rows, text=[""] * len(true), label=[labels[i] for i in true])
    table = task.statistics(examples, Choices(rows, labels, np.eye(k)[said]))
    return table, {name: score for name, score in task.scores.items() if name != "roc_auc"}


def share(hits: int, trials: int) -> str:
    p = hits / trials
    return f"{p:.3f} ± {2 * np.sqrt(max(p * (1 - p), 1 / trials) / trials):.3f}"


def verdicts(trials: int) -> Iterator[str]:
    yield "| test rows | discordant rows | called different | with McNemar's mid-p instead |\n|---|---|---|---|"
    rng = np.random.default_rng(0)
    for n in (50, 257, 872, 5000):
        for d in (1, 2, 3, 5, 8, 12, 17, 30, 50):
            if d > n:
                continue
            true = np.arange(n) % 2
            base = np.where(rng.random(n) < 0.85, true, 1 - true)
            called = mid = 0
            for trial in range(trials):
                a, b = base.copy(), base.copy()
                rows = rng.permutation(n)[:d]
                for_a = rng.random(d) < 0.5
                a[rows], b[rows] = np.where(for_a, true[rows], 1 - true[rows]), np.where(for_a, 1 - true[rows], true[rows])
                (of_a, scores), (of_b, _) = statistics(true, a, 2), statistics(true, b, 2)
                result = compare(of_a, of_b, {"accuracy": scores["accuracy"]}, main="accuracy", seed=trial)
                called += result.outcome != "undecided"
                mid += result.mid_p is not None and result.mid_p <= 0.05
            yield f"| {n} | {d} | {share(called, trials)} | {share(mid, trials)} |"
    for n_groups in (10, 30, 100):
        called = 0
        for trial in range(trials):
            true = np.arange(20 * n_groups) % 2
            groups = [str(i // 20) for i in range(len(true))]
            leaning = rng.random(n_groups) < 0.5  # in each group one of the two is better, by a toss of a coin
            a, b = true.copy(), true.copy()
            lost = rng.random(len(true)) < 0.15
            for_a = np.repeat(leaning, 20)
            b[lost & for_a] = 1 - true[lost & for_a]
            a[lost & ~for_a] = 1 - true[lost & ~for_a]
            (of_a, scores), (of_b, _) = statistics(true, a, 2), statistics(true, b, 2)
            result = compare(of_a, of_b, {"accuracy": scores["accuracy"]}, groups, main="accuracy", seed=trial)
            called += result.outcome != "undecided"
        yield f"| {20 * n_groups} in {n_groups} groups | 15 %, alike within a group | {share(called, trials)} | |"


def accuracy(trials: int) -> Iterator[str]:
    yield "| test rows | true accuracy | covered |\n|---|---|---|"
    rng = np.random.default_rng(1)
    for n in (20, 50, 200, 1000):
        for p in (0.6, 0.8, 0.95):
            covered = 0
            for _ in range(trials):
                true = rng.integers(0, 2, n)
                table, scores = statistics(true, np.where(rng.random(n) < p, true, 1 - true), 2)
                found = evaluate(table, {"accuracy": scores["accuracy"]}).scores["accuracy"]
                covered += found.low <= p <= found.high
            yield f"| {n} | {p} | {share(covered, trials)} |"


def groups(trials: int) -> Iterator[str]:
    yield "| groups of 20 rows | score | covered | with rows alone |\n|---|---|---|---|"
    rng = np.random.default_rng(2)
    a, b = 0.8 * (0.16 / 0.0225 - 1), 0.2 * (0.16 / 0.0225 - 1)
    for n_groups in (15, 60):
        for name in ("accuracy", "macro_f1", "mcc"):
            covered = naive = 0
            truth = {"accuracy": 0.8, "macro_f1": 0.8, "mcc": 0.6}[name]  # two balanced classes, alike
            for trial in range(trials):
                p = np.repeat(rng.beta(a, b, n_groups), 20)
                true = rng.integers(0, 2, len(p))
                table, scores = statistics(true, np.where(rng.random(len(p)) < p, true, 1 - true), 2)
                names = [str(i // 20) for i in range(len(p))]
                wanted = {name: scores[name]}
                found = evaluate(table, wanted, names, seed=trial).scores[name]
                alone = evaluate(table, wanted, seed=trial).scores[name]
                covered += found.low <= truth <= found.high
                naive += alone.low <= truth <= alone.high
            yield f"| {n_groups} | {name} | {share(covered, trials)} | {share(naive, trials)} |"


def problems() -> Iterator[tuple[str, np.ndarray, int]]:
    """Name, (K, K) probabilities of (true, said), and test rows."""
    rng = np.random.default_rng(5)
    six = np.array([0.4, 0.25, 0.2, 0.1, 0.04, 0.01])
    for name, recall in (
        ("mixed", np.array([0.9, 0.85, 0.8, 0.8, 0.6, 0.5])), ("0.9 each", np.full(6, 0.9)), ("0.7 each", np.full(6, 0.7))
    ):  # fmt: skip
        yield f"6 classes, smallest 1 %, recall {name}", six[:, None] * confused(recall, rng), 300
    alike, skewed = np.full(50, 1 / 50), (1 / np.arange(1, 51)) / (1 / np.arange(1, 51)).sum()
    yield (
        "50 classes alike, recall 0.8 on average",
        alike[:, None] * confused(np.clip(rng.normal(0.8, 0.1, 50), 0.3, 0.98), rng),
        500,
    )
    yield "50 classes alike, recall 0.95", alike[:, None] * confused(np.full(50, 0.95), rng), 500
    yield "50 classes, sizes as 1, 1/2, 1/3, …, recall 0.8", skewed[:, None] * confused(np.full(50, 0.8), rng), 500


def confused(recall: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(K, K) what is said of each class; its mistakes fall unevenly on the others."""
    said = rng.dirichlet(np.full(len(recall), 0.3), len(recall))
    np.fill_diagonal(said, 0)
    said *= ((1 - recall) / said.sum(axis=1))[:, None]
    np.fill_diagonal(said, recall)
    return said


def macro(trials: int) -> Iterator[str]:
    yield "| test part | score | true | covered | too high, too low | mean width |\n|---|---|---|---|---|---|"
    for name, probabilities, n in problems():
        k, rng = len(probabilities), np.random.default_rng(3)
        diagonal, said, true_share = np.diag(probabilities), probabilities.sum(0), probabilities.sum(1)
        truths = {"macro_f1": (2 * diagonal / (said + true_share)).mean(), "macro_recall": (diagonal / true_share).mean()}
        counted = {score: np.zeros(3) for score in truths}
        for trial in range(trials):
            cells = rng.choice(k * k, n, p=probabilities.ravel())
            table, scores = statistics(cells // k, cells % k, k)
            found = evaluate(table, {score: scores[score] for score in truths}, seed=trial).scores
            for score, truth in truths.items():
                low, high = found[score].low, found[score].high
                counted[score] += (truth < low, truth > high, high - low)
        for score, truth in truths.items():
            above, below, width = counted[score]
            missed = f"{above / trials:.3f}, {below / trials:.3f}"
            covered = share(int(trials - above - below), trials)
            yield f"| {name} | {score} | {truth:.3f} | {covered} | {missed} | {width / trials:.3f} |"


def classes(trials: int) -> Iterator[str]:
    yield "| texts of the class | recall | covered: recall | F1 |\n|---|---|---|---|"
    rng = np.random.default_rng(4)
    for n in (3, 5, 10, 30):
        for recall in (0.6, 0.9):
            covered, f1 = np.zeros(2), 2 * n * recall / (n + n * recall + 200 * 0.02)
            for _ in range(trials):
                true = np.repeat([0, 1], [n, 200])
                wrong = rng.random(n + 200) < np.repeat([1 - recall, 0.02], [n, 200])
                table, scores = statistics(true, np.where(wrong, 1 - true, true), 2)
                found = evaluate(table, {name: scores[name] for name in ("recall", "f1")}).by_label["000"]
                covered += [found[name].low <= truth <= found[name].high for name, truth in (("recall", recall), ("f1", f1))]
            yield f"| {n} | {recall} | {share(int(covered[0]), trials)} | {share(int(covered[1]), trials)} |"


PARTS = {"verdicts": verdicts, "accuracy": accuracy, "groups": groups, "macro": macro, "classes": classes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; absent: everything")
    parser.add_argument("--trials", type=int, default=1000)
    a = parser.parse_args()
    if unknown := set(a.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    for name in a.parts or PARTS:
        print(f"\n{name}\n", flush=True)
        for line in PARTS[name](a.trials):
            print(line, flush=True)


if __name__ == "__main__":
    main()
