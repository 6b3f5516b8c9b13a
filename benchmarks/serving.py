"""A server under load, beside FastAPI around transformers' pipeline on the same model.

    python -m benchmarks.serving                    64 connections, 60 s for each server, three rounds
    python -m benchmarks.serving --soak 100000      so many requests to ours: memory at every tenth, wrong and lost answers
    python -m benchmarks.serving --table            print the tables of the last runs, one for each machine

Each connection asks one text after the other, drawn from the test rows of sst2, and compares each answer with that of offline
prediction. Servers run one after the other in each round, each in a process of its own, with the client on the same cores. The peer
is run as it is usually written, with a thread for each request, and with one request at a time; the better one counts. Ours is run
on the model, and on its export to ONNX where the extra `export` is installed. The model is trained by the default recipe on 2,000
rows. Needs the extras `offline`, `serve`, `bench` and `dev`.
"""

import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import httpx
import numpy as np

from benchmarks import datasets
from benchmarks.training_speed import gmean, new_result, print_tables, result_path, speed_arguments

SET, TRAINING_ROWS, CONNECTIONS = "en/sst2", 2000, 64
TITLES = {
    "threads": "FastAPI + pipeline, a thread for each request",
    "locked": "FastAPI + pipeline, one request at a time",
    "superfine": "superfine serve",
    "onnx": "superfine serve, export to ONNX",
}


def command_of(name: str, folders: dict[str, Path], port: int) -> tuple[list[str], dict[str, str]]:
    """The command line of a server and what it is to find in its environment."""
    if name in ("threads", "locked"):
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "benchmarks.peers.pipeline_server:app",
            "--port",
            str(port),
            "--log-level",
            "error",
        ]
        return command, {"MODEL": str(folders["superfine"] / "model"), **({"LOCKED": "1"} if name == "locked" else {})}
    return [sys.executable, "-m", "superfine", "serve", str(folders[name]), "--port", str(port)], {}


class Server:
    """A server in a process of its own, ready to be asked."""

    def __init__(self, name: str, folders: dict[str, Path]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command, more = command_of(name, folders, port)
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(command, env={**os.environ, **more}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 120
        while True:
            try:
                httpx.post(self.url + "/v1/predict", json={"texts": ["a"]}, timeout=20).raise_for_status()
                return
            except httpx.HTTPError:
                if time.monotonic() > until or self.process.poll() is not None:
                    raise
                time.sleep(0.2)

    @property
    def megabytes(self) -> float:
        """Memory that is resident."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


async def load(server: Server, texts: list[str], labels: list[str], seconds: float, most: int | None = None) -> dict:
    """What so many connections get in so much time, or of so many requests."""
    took, wrong, lost, memory = [], 0, 0, []
    until, asked = time.monotonic() + seconds, 0
    every = max(1, (most or 0) // 10)

    async def connection(client: httpx.AsyncClient, rng: random.Random) -> None:
        nonlocal wrong, lost, asked
        while time.monotonic() < until and (most is None or asked < most):
            asked += 1
            if most is not None and asked % every == 0:
                memory.append(server.megabytes)
            i = rng.randrange(len(texts))
            started = time.perf_counter()
            try:
                answered = await client.post("/v1/predict", json={"texts": [texts[i]]})
                if answered.status_code != 200:
                    lost += 1
                elif answered.json()["predictions"][0]["prediction"] != labels[i]:
                    wrong += 1
            except httpx.HTTPError:
                lost += 1
            took.append(time.perf_counter() - started)

    started = time.perf_counter()
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx.AsyncClient(base_url=server.url, timeout=60, limits=limits) as client:
        await asyncio.gather(*(connection(client, random.Random(k)) for k in range(CONNECTIONS)))
    p50, p99 = (float(v) for v in np.percentile(np.array(took) * 1000, [50, 99]))
    found = {
        "requests": len(took),
        "per_second": len(took) / (time.perf_counter() - started),
        "p50": p50,
        "p99": p99,
        "wrong": wrong,
        "lost": lost,
    }
    return found | ({"megabytes": memory} if most is not None else {})


def made(scratch: Path) -> tuple[dict[str, Path], list[str], list[str]]:
    """The run and its export by their names, and texts with the labels of offline prediction."""
    import superfine
    from superfine.recipes.export import export
    from superfine.recipes.exports.request import ExportRequest
    from superfine.recipes.reporter import Reporter

    train, test = datasets.train_and_test(SET)
    data = scratch / "train.csv"
    datasets.write(datasets.stratified_sample(datasets.read(train), TRAINING_ROWS), data)
    run = superfine.train(str(data), test=str(test), out=scratch / "run", progress=False)
    folders = {"superfine": run.folder}
    if (exported := export(ExportRequest(run.folder, "onnx"), Reporter())).folder is not None:
        folders["onnx"] = exported.folder
    texts = datasets.read(test).texts
    return folders, texts, superfine.load(run.folder).predict(texts).label


def table(result: dict) -> str:
    """The result in Markdown."""
    rounds = result.get("rounds", [])
    lines = [f"{result['machine']}, {result['date']}", ""]
    if rounds:
        best = max(("threads", "locked"), key=lambda name: gmean([one[name]["per_second"] for one in rounds]))
        lines += [
            "| server | requests/s | × the better peer | p50, ms | p99, ms | wrong | lost |",
            "|---|---|---|---|---|---|---|",
        ]
        for name in rounds[0]:
            ratio = gmean([one[name]["per_second"] / one[best]["per_second"] for one in rounds])
            mean = {key: gmean([one[name][key] for one in rounds]) for key in ("per_second", "p50", "p99")}
            wrong, lost = (sum(one[name][key] for one in rounds) for key in ("wrong", "lost"))
            lines.append(
                f"| {TITLES[name]} | {mean['per_second']:.0f} | {ratio:.2f} | {mean['p50']:.0f} | {mean['p99']:.0f} | {wrong} | {lost} |"
            )
    if soak := result.get("soak"):
        memory = soak["megabytes"]
        lines += [
            "",
            f"{soak['requests']} requests to `superfine serve`: {soak['wrong']} wrong, {soak['lost']} lost; resident memory after each tenth: {', '.join(f'{one:.0f}' for one in memory)} MB.",
        ]
    return "\n".join(lines)


def main() -> None:
    arguments = speed_arguments(__doc__, [SET])
    arguments.add_argument("--seconds", type=float, default=60.0, help="of each server in each round")
    arguments.add_argument("--soak", type=int, help="so many requests to ours instead")
    a = arguments.parse_args()
    if a.table:
        print_tables("serving", table)
        return
    path = result_path("serving")
    result = {
        **new_result(),
        **(
            {}
            if not path.exists()
            else {key: value for key, value in json.loads(path.read_text()).items() if key in ("rounds", "soak")}
        ),
    }
    with tempfile.TemporaryDirectory() as scratch:
        folders, texts, labels = made(Path(scratch))
        if a.soak:
            server = Server("superfine", folders)
            result["soak"] = asyncio.run(load(server, texts, labels, float("inf"), a.soak))
            server.close()
        else:
            result["rounds"] = []
            for _ in range(a.rounds):
                one = {}
                for name in ("threads", "locked", *folders):
                    server = Server(name, folders)
                    one[name] = asyncio.run(load(server, texts, labels, a.seconds))
                    server.close()
                result["rounds"].append(one)
                path.write_text(json.dumps(result, indent=1), encoding="utf-8")
    path.write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(table(result))


if __name__ == "__main__":
    main()
