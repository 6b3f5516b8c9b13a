"""Data sets of the hub by name: against a small server that answers as the hub does."""

import io
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from superfine.data.hub import fetch_files
from superfine.data.read import read_table
from superfine.errors import DataError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def parquet(rows):
    import pandas as pd

    stream = io.BytesIO()
    pd.DataFrame(rows, columns=["text", "label"]).to_parquet(stream)
    return stream.getvalue()


FILES = {
    "default/train/0000.parquet": parquet([("a", "x"), ("b", "y")]),
    "default/train/0001.parquet": parquet([("c", "x")]),
    "default/test/0000.parquet": parquet([("d", "y")]),
}


class Hub(BaseHTTPRequestHandler):
    """The two things that are asked of the hub: what files there are, and one of them."""

    def log_message(self, *arguments):
        pass

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_GET(self):
        path = self.path.partition("?")[0]
        if not path.startswith(("/api/datasets/owner/reviews", "/datasets/owner/reviews")):
            return self.answer(404, b"{}", X_Error_Code="RepoNotFound")
        if path.startswith("/api/datasets/owner/reviews/tree/"):
            listed = [{"type": "file", "path": name, "size": len(content), "oid": "0"} for name, content in FILES.items()]
            return self.answer(200, json.dumps(listed).encode(), Content_Type="application/json")
        if path.startswith("/api/"):
            siblings = [{"rfilename": name} for name in FILES]
            return self.answer(200, json.dumps({"id": "owner/reviews", "sha": COMMIT, "siblings": siblings}).encode())
        content = FILES["/".join(path.split("/")[-3:])]
        return self.answer(200, content, ETag=f'"{hash(content)}"', X_Repo_Commit=COMMIT)

    do_HEAD = do_GET  # noqa: N815


@pytest.fixture(scope="module")
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


READ = """
import json, os, sys
from superfine.data.read import read_table
from superfine.errors import DataError
try:
    print(json.dumps(read_table(sys.argv[1]).columns))
except DataError as error:
    print(json.dumps(str(error)))
sys.stdout.flush()
os._exit(0)
"""
"""Ends at once: on a busy machine such a process is aborted now and then while the libraries' threads end, when all is done."""


def read(hub, name, folder):
    """In a process of its own: the address of the hub is read when its library is imported."""
    import os

    environment = os.environ | {"HF_ENDPOINT": hub, "HF_HOME": str(folder), "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
    done = subprocess.run([sys.executable, "-c", READ, name], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_split_is_read_from_all_its_files(hub, tmp_path):
    assert read(hub, "hf://owner/reviews", tmp_path) == {"text": ["a", "b", "c"], "label": ["x", "y", "x"]}
    assert read(hub, "hf://datasets/owner/reviews:test", tmp_path) == {"text": ["d"], "label": ["y"]}


def test_what_the_hub_does_not_have_is_said_with_what_it_has(hub, tmp_path):
    assert 'has no "default/tests". Did you mean "test"?' in read(hub, "hf://owner/reviews:tests", tmp_path)
    assert "Its splits are: test, train." in read(hub, "hf://owner/reviews:tests", tmp_path)
    assert "no data set owner/nothing" in read(hub, "hf://owner/nothing", tmp_path)


@pytest.mark.slow
def test_a_hub_that_cannot_be_reached_is_said_with_the_way_out(tmp_path):
    told = read("http://127.0.0.1:9", "hf://owner/reviews", tmp_path)
    assert "The hub cannot be reached for owner/reviews" in told
    assert "name its file" in told


def test_a_name_without_an_owner_is_refused():
    with pytest.raises(DataError, match="is no name of a data set"):
        fetch_files("hf://reviews")
    with pytest.raises(DataError, match="looks like hf://owner/name"):
        read_table("hf://owner/name:split:more")
