"""The server answers as the model does offline, says what is wrong with a request, and is not harmed by any."""

import asyncio
import json
import logging
import shutil
import sys
import threading
import time

import httpx
import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the packages of the extra `serve` are not installed")

import uvicorn

import superfine
from superfine.errors import ConfigError, ModelError
from superfine.serving.app import SECONDS_BETWEEN_LOOKS, build_app
from superfine.serving.keys import Keys, RateLimit
from superfine.serving.run import listening
from superfine.serving.settings import Settings
from tests.conftest import FAST, make_rows, superfine_command, write_csv
from tests.serving.process import serving

TEXTS = [text for text, _ in make_rows(40)] + ["", "😀", "好", "lovely " * 100]


class Running:
    """A server in a thread, on a free port."""

    def __init__(self, *folders, settings=None):
        self.app = build_app(folders, settings or Settings())
        self._socket = listening("127.0.0.1", 0)
        sock = self._socket.__enter__()
        self.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(self.app, log_config=None, access_log=False))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [sock]})
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        self.client = httpx.Client(base_url=self.url, timeout=30)

    def post(self, body, **headers):
        return self.client.post("/v1/predict", json=body, headers=headers)

    def close(self):
        self.client.close()
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.__exit__(None, None, None)


@pytest.fixture(scope="module")
def server(trained):
    running = Running(trained.folder)
    yield running
    running.close()


@pytest.fixture
def start():
    running = []

    def make(*folders, **settings):
        running.append(Running(*folders, settings=Settings(**settings)))
        return running[-1]

    yield make
    for one in running:
        one.close()


def test_answers_are_those_of_the_model_offline_and_carry_its_version(server, trained):
    answered = server.post({"texts": TEXTS})
    assert answered.status_code == 200
    found, offline = answered.json(), superfine.load(trained.folder).predict(TEXTS)
    assert [one["prediction"] for one in found["predictions"]] == offline.label
    served = np.array([list(one["probabilities"].values()) for one in found["predictions"]])
    np.testing.assert_allclose(served, offline.probabilities, atol=1e-6)
    assert (
        found["version"]
        == superfine.load(trained.folder).opened_from.folder.joinpath("superfine.json").read_text().split('"digest": "')[1][:16]
    )
    assert found["receipt"] is None
    assert server.post({"texts": []}).json()["predictions"] == []


def test_sixty_four_connections_at_once_get_no_wrong_answer(server, trained):
    offline = superfine.load(trained.folder).predict(TEXTS).label

    async def ask_all():
        async with httpx.AsyncClient(base_url=server.url, timeout=30, limits=httpx.Limits(max_connections=64)) as client:

            async def ask(i):
                places = [(i * 7 + k) % len(TEXTS) for k in range(1 + i % 3)]
                answered = await client.post("/v1/predict", json={"texts": [TEXTS[k] for k in places]})
                said = [one["prediction"] for one in answered.json()["predictions"]]
                return said == [offline[k] for k in places]

            return await asyncio.gather(*(ask(i) for i in range(400)))

    assert all(asyncio.run(ask_all()))
    metrics = server.client.get("/metrics").text
    assert 'superfine_requests_total{route="/v1/predict",status="200"}' in metrics
    batches = float(metrics.split("superfine_batch_texts_count{")[1].split("} ")[1].split("\n")[0])
    texts = float(metrics.split("superfine_texts_total{")[1].split("} ")[1].split("\n")[0])
    assert texts / batches > 2, "texts of several requests are computed together"


def rounded(said):
    """The same with scores that may differ in their last digits."""
    if isinstance(said, list):
        return [rounded(item) for item in said]
    return {"label": said["label"], "score": round(said["score"], 4)}


def test_hugging_faces_shape_gets_the_answers_of_transformers_pipeline(server, trained):
    from transformers import pipeline

    classify = pipeline("text-classification", model=str(trained.folder / "model"), truncation=True)
    texts = TEXTS[:3]
    for parameters in ({}, {"top_k": None}, {"top_k": 1}):
        for inputs in (texts[0], texts):
            found = server.post({"inputs": inputs, "parameters": parameters}).json()
            expected = classify(inputs, **parameters)
            assert rounded(found) == rounded(expected)
    assert server.post({"inputs": {"text": texts[0]}}).json() == pytest.approx(classify({"text": texts[0]}), abs=1e-4)


@pytest.mark.parametrize(
    ("body", "status", "index", "words"),
    [
        ({}, 422, None, "this model reads texts"),
        ({"texts": ["a"], "text_pairs": ["b"]}, 422, None, "this model reads texts"),
        ({"questions": ["a"], "contexts": ["b"]}, 422, None, "this model reads texts"),
        ({"texts": ["a", 3]}, 422, 1, "valid string"),
        ({"texts": ["a", "b", None]}, 422, 2, "valid string"),
        ({"texts": "a"}, 422, None, "valid list"),
        ({"texts": ["a"], "inputs": "b"}, 422, None, "beside texts"),
        ({"inputs": ["a", {"text": "b", "text_pair": "c"}]}, 422, 1, "this model reads text"),
        ({"inputs": ["a", "b", 5]}, 422, 2, "valid string"),
        ({"text": ["a"]}, 422, None, "not permitted"),
        ({"texts": ["a"] * 1025}, 422, 1024, "at most 1024"),
        ({"texts": ["a"], "model": "other"}, 404, None, "no model is called 'other'"),
        ([], 422, None, "valid dictionary"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_request_is_said_with_the_index_of_the_text(server, body, status, index, words):
    answered = server.post(body)
    assert answered.status_code == status
    error = answered.json()["error"]
    assert error["index"] == index
    assert words in error["message"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422), (b"{", 400), (b"\xff\xfe", 400), (b'{"texts": ["\xff"]}', 400), (b'{"texts": ["\\ud800"]}', 422),
        (b"[" * 100_000, 400), (b'{"texts": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", 400), (b'{"texts": ["a"]', 400),
        (b"null", 422), (b'{"texts": [1e999]}', 422),
    ],
)  # fmt: skip
def test_broken_bodies_are_refused_and_the_server_goes_on(server, content, status):
    answered = server.client.post("/v1/predict", content=content, headers={"content-type": "application/json"})
    assert answered.status_code == status
    assert answered.json()["error"]["message"]
    assert server.post({"texts": ["a"]}).status_code == 200


def test_a_body_that_is_too_large_is_refused_with_and_without_its_length(start, trained):
    server = start(trained.folder, most_bytes=2000)
    assert server.post({"texts": ["a" * 3000]}).status_code == 413
    pieces = (b" " * 500 for _ in range(1000))
    refused = server.client.post("/v1/predict", content=pieces, headers={"content-type": "application/json"})
    assert refused.status_code == 413
    assert "2000 bytes" in refused.json()["error"]["message"]
    assert server.post({"texts": ["a" * 1000]}).status_code == 200


def test_every_answer_has_an_id_and_headers_for_browsers(server):
    for answered in (server.post({"texts": ["a"]}), server.post({}), server.client.get("/nowhere")):
        assert answered.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answered.headers["content-security-policy"]
        assert len(answered.headers["x-request-id"]) == 32
    assert server.post({"texts": ["a"]}, **{"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    assert "mine" not in server.post({"texts": ["a"]}, **{"x-request-id": "mine 1;"}).headers["x-request-id"]


def test_no_text_and_no_key_reaches_the_log(start, trained, tmp_path, caplog):
    (tmp_path / "keys.txt").write_text("0123456789abcdef-secret # ours\n")
    server = start(trained.folder, keys=Keys(tmp_path / "keys.txt"))
    with caplog.at_level(logging.DEBUG):
        bearer = {"authorization": "Bearer 0123456789abcdef-secret"}
        assert server.post({"texts": ["unheard words"]}, **bearer).status_code == 200
        assert server.post({"texts": ["unheard words", 3]}, **bearer).status_code == 422
        assert server.post({"texts": ["unheard words"]}, authorization="Bearer unheard").status_code == 401
    of_ours = [record.getMessage() for record in caplog.records if record.name.startswith(("superfine", "uvicorn", "fastapi"))]
    assert len([message for message in of_ours if "/v1/predict" in message or " 401 " in message]) == 3
    assert not [message for message in of_ours if "unheard" in message or "secret" in message]


def test_without_a_key_of_the_file_only_the_state_is_told(start, trained, tmp_path):
    (tmp_path / "keys.txt").write_text("# ours\n0123456789abcdef alice\nfedcba9876543210\n")
    server = start(trained.folder, keys=Keys(tmp_path / "keys.txt"))
    assert server.client.get("/health").status_code == server.client.get("/ready").status_code == 200
    for path in ("/v1/models", "/metrics", "/openapi.json"):
        assert server.client.get(path).status_code == 401
    assert server.post({"texts": ["a"]}, authorization="Bearer 0123456789abcdeF").status_code == 401
    assert server.post({"texts": ["a"]}, authorization="bearer 0123456789abcdef").status_code == 200
    assert server.post({"texts": ["a"]}, **{"x-api-key": "fedcba9876543210"}).status_code == 200


@pytest.mark.parametrize(
    ("content", "words"), [("", "holds no key"), ("# a\n\n", "holds no key"), ("a" * 16 + "\nshort\n", "line 2")]
)
def test_a_file_of_keys_that_protects_nothing_is_refused(tmp_path, content, words):
    (tmp_path / "keys.txt").write_text(content)
    with pytest.raises(ConfigError, match=words):
        Keys(tmp_path / "keys.txt")
    with pytest.raises(ConfigError, match="cannot be read"):
        Keys(tmp_path / "nothing.txt")


def test_a_client_that_asks_too_often_is_told_when_to_come_again(start, trained):
    server = start(trained.folder, per_minute=5)
    found = [server.post({"texts": ["a"]}) for _ in range(7)]
    assert [one.status_code for one in found] == [200] * 5 + [429] * 2
    assert 1 <= int(found[-1].headers["retry-after"]) <= 12
    assert server.client.get("/health").status_code == 200


def test_a_bucket_fills_again_and_is_each_clients_own(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("superfine.serving.keys.time.monotonic", lambda: now[0])
    limit = RateLimit(60)
    assert [limit.wait("a") for _ in range(60)] == [0.0] * 60
    assert limit.wait("a") == pytest.approx(1.0)
    assert limit.wait("b") == 0.0
    now[0] = 2.5
    assert [limit.wait("a") == 0.0 for _ in range(3)] == [True, True, False]


def held(server, monkeypatch):
    """The model computes nothing until the event is set."""
    event = threading.Event()
    predictor = next(iter(server.app.state.models.values())).version.predictor
    compute = predictor.predict_examples
    monkeypatch.setattr(predictor, "predict_examples", lambda examples: (event.wait(20), compute(examples))[1])
    return event


def test_a_full_queue_is_503_with_the_time_to_come_again_and_a_late_answer_504(start, trained, monkeypatch):
    server = start(trained.folder, most_waiting=2, seconds=1.0)
    event = held(server, monkeypatch)
    found = []
    asking = [
        threading.Thread(target=lambda: found.append(httpx.post(server.url + "/v1/predict", json={"texts": ["a", "b"]})))
        for _ in range(2)
    ]
    for thread in asking:
        thread.start()
        time.sleep(0.2)
    refused = server.post({"texts": ["c"]})
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    for thread in asking:
        thread.join()
    assert [one.status_code for one in found] == [504, 504]
    event.set()
    assert server.post({"texts": ["a"]}).status_code == 200


def test_a_client_that_goes_away_leaves_the_queue(start, trained, monkeypatch):
    server = start(trained.folder)
    event = held(server, monkeypatch)
    first = threading.Thread(target=lambda: server.post({"texts": ["a"]}))
    first.start()
    time.sleep(0.2)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(server.url + "/v1/predict", json={"texts": ["b"] * 10}, timeout=0.2)
    batcher = next(iter(server.app.state.models.values())).batcher
    deadline = time.monotonic() + 5
    while batcher.waiting and time.monotonic() < deadline:
        time.sleep(0.01)
    assert batcher.waiting == 0
    event.set()
    first.join()


def test_a_model_that_is_written_anew_is_taken_without_a_lost_request(tiny_model, trained, tmp_path, start, monkeypatch):
    monkeypatch.setattr("superfine.serving.app.SECONDS_BETWEEN_LOOKS", 0.05)
    assert SECONDS_BETWEEN_LOOKS == 2.0
    folder = tmp_path / "model"
    shutil.copytree(trained.folder / "model", folder)
    other = superfine.train(
        write_csv(tmp_path / "swapped.csv", [(text, {"good": "bad", "bad": "good"}[label]) for text, label in make_rows(240)]),
        model=str(tiny_model("bert")), out=tmp_path / "other", settings=FAST, progress=False,
    )  # fmt: skip
    server = start(folder)
    versions, wrong, stop = [], [], threading.Event()

    def ask():
        while not stop.is_set():
            answered = server.client.post("/v1/predict", json={"texts": ["lovely kettle"]})
            wrong.extend([] if answered.status_code == 200 else [answered.text])
            versions.append(answered.json().get("version"))

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.3)
    folder.rename(tmp_path / "aside")
    shutil.copytree(other.folder / "model", tmp_path / "fresh")
    (tmp_path / "fresh").rename(folder)
    deadline = time.monotonic() + 10
    while len({*versions}) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    asking.join()
    assert not wrong
    assert len({*versions}) == 2
    (folder / "superfine.json").write_text("{}")
    time.sleep(0.3)
    assert server.post({"texts": ["lovely"]}).json()["version"] == versions[-1], "a damaged one is not taken"


def test_files_that_are_damaged_for_a_while_are_opened_when_they_are_whole_again(trained, tmp_path, start, monkeypatch):
    monkeypatch.setattr("superfine.serving.app.SECONDS_BETWEEN_LOOKS", 0.05)
    folder = tmp_path / "model"
    shutil.copytree(trained.folder / "model", folder)
    server = start(folder)
    served = next(iter(server.app.state.models.values()))
    first, weights = served.version, (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-4] + b"\0\0\0\0")
    time.sleep(0.5)
    assert served.version is first
    monkeypatch.setattr("superfine.serving.models.open_bundle", lambda folder: 1 / 0)  # whatever half a model raises
    (folder / "superfine.json").touch()
    time.sleep(0.5)
    monkeypatch.undo()
    monkeypatch.setattr("superfine.serving.app.SECONDS_BETWEEN_LOOKS", 0.05)
    (folder / "model.safetensors").write_bytes(weights)
    deadline = time.monotonic() + 10
    while served.version is first and time.monotonic() < deadline:
        time.sleep(0.05)
    assert served.version is not first
    assert server.post({"texts": ["lovely"]}).status_code == 200


def test_connections_on_which_nothing_is_asked_are_closed(trained, tmp_path):
    import socket
    from urllib.parse import urlsplit

    with serving([sys.executable, "-m", "superfine"], trained.folder, "--timeout", "1", cwd=tmp_path) as url:
        place = urlsplit(url).hostname, urlsplit(url).port
        for begun in (b"", b"GET /hea", b"POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{"):
            with socket.create_connection(place, timeout=10) as idle:
                idle.sendall(begun)
                assert idle.recv(100)[:12] in (b"", b"HTTP/1.1 408"), "it ends, or says that it was too slow"
        assert httpx.get(f"{url}/health").status_code == 200
        assert httpx.head(f"{url}/health").status_code == 200
        assert httpx.put(f"{url}/health").headers["allow"]


def test_several_models_are_named_and_listed(start, trained, tmp_path):
    shutil.copytree(trained.folder, tmp_path / trained.folder.name)
    server = start(trained.folder, tmp_path / trained.folder.name)
    listed = server.client.get("/v1/models").json()["data"]
    name = trained.folder.name
    assert [one["id"] for one in listed] == [name, f"{name}-2"]
    assert listed[0]["labels"] == ["bad", "good"]
    assert listed[0]["reads"] == ["text"]
    assert "name one of" in server.post({"texts": ["a"]}).json()["error"]["message"]
    assert server.post({"texts": ["a"], "model": f"{name}-2"}).json()["model"] == f"{name}-2"


def test_a_folder_without_a_model_and_a_taken_port_are_one_message(trained, tmp_path, capsys):
    assert superfine_command("serve", tmp_path / "nothing", "--port", "0") == 2
    with listening("127.0.0.1", 0) as sock:
        assert superfine_command("serve", trained.folder, "--port", str(sock.getsockname()[1])) == 2
    assert superfine_command("serve", trained.folder, "--host", "no.such.host.invalid") == 2
    assert superfine_command("serve", trained.folder, "--port", "0", "--keys", tmp_path / "keys") == 2
    said = capsys.readouterr().err
    for words in ("nothing does not exist", "cannot be used", "is no address of this machine", "keys cannot be read"):
        assert words in said
    assert "Traceback" not in said
    with pytest.raises(ModelError):
        build_app([tmp_path], Settings())


def test_what_was_asked_before_the_end_is_answered(trained, tmp_path):
    found = []

    def ask(url):
        found.append(httpx.post(f"{url}/v1/predict", json={"texts": ["lovely kettle " * 20] * 1000}, timeout=60))

    with serving([sys.executable, "-m", "superfine"], trained.folder, cwd=tmp_path) as url:
        asking = threading.Thread(target=ask, args=(url,))
        asking.start()
        metrics = ""
        while 'superfine_texts_total{model="' not in metrics:  # it is being computed
            metrics = httpx.get(f"{url}/metrics").text
        assert not found, "the end comes while it is computed"
    asking.join()
    assert found[0].status_code == 200
    assert len(found[0].json()["predictions"]) == 1000
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health")


def test_openapi_is_the_one_that_is_checked_in(server):
    from pathlib import Path

    kept = json.loads((Path(__file__).parents[2] / "docs" / "reference" / "openapi.json").read_text(encoding="utf-8"))
    assert server.client.get("/openapi.json").json() == kept, "write it anew: python docs/reference/make_openapi.py"
