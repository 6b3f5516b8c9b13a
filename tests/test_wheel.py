"""The wheel in an empty environment: what predicts without torch is installed without torch, and says how to get the rest."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.serving.process import serving

REPOSITORY = Path(__file__).parent.parent
MOST_MB = 400
SERVER = ("fastapi", "prometheus-client", "uvicorn")


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    """The executables of a fresh environment that holds the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(REPOSITORY)], check=True)
    (wheel,) = folder.glob("superfine-*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "env")], check=True)
    binaries = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    install = [str(binaries / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    subprocess.run([*install, "--constraint", str(REPOSITORY / "constraints.txt"), str(wheel)], check=True)
    return binaries


def superfine(environment: Path, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    variables = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    command = [str(environment / "superfine"), *map(str, arguments), "--lang", "en"]
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_wheel_predicts_without_torch_and_names_the_line_that_installs_training(environment, trained, reviews, tmp_path):
    code = "import importlib.util as u; print([m for m in ('torch', 'transformers') if u.find_spec(m)])"
    found = subprocess.run([str(environment / "python"), "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    packages = next((environment.parent / "lib").rglob("site-packages"), environment.parent / "Lib" / "site-packages")
    size = sum(file.stat().st_size for file in packages.rglob("*") if file.is_file()) / 1e6
    assert size < MOST_MB, f"{size:.0f} MB"

    assert "superfine train" in superfine(environment, "--help", cwd=tmp_path).stdout

    ran = superfine(environment, "predict", trained.folder, reviews, "--with", "tfidf", "--out", "out.csv", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    from tests.recipes.test_predict import superfine_command

    assert superfine_command("predict", trained.folder, reviews, "--with", "tfidf", "--out", tmp_path / "here.csv") == 0
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()

    ran = superfine(environment, "evaluate", trained.folder, reviews, "--with", "tfidf", "--json", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert '"accuracy"' in ran.stdout

    for arguments in (("train", reviews), ("predict", trained.folder, reviews)):
        ran = superfine(environment, *arguments, cwd=tmp_path)
        assert ran.returncode == 2
        assert "pip install 'superfine[train]'" in ran.stderr
        assert "Traceback" not in ran.stderr
    assert not (tmp_path / "runs").exists(), "nothing is left behind"

    from tests.conftest import superfine_command as here

    install = [str(environment / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    subprocess.run([*install, "--constraint", str(REPOSITORY / "constraints.txt"), "onnxruntime"], check=True)
    files = [file for file in packages.rglob("*") if file.is_file() and file.parent.name != "__pycache__"]
    size = sum(file.stat().st_size for file in files) / 1e6
    assert size < MOST_MB, f"{size:.0f} MB, without the bytecode that pip makes of it"

    assert here("export", trained.folder, "--to", "onnx", "--out", tmp_path / "onnx") == 0
    ran = superfine(environment, "predict", tmp_path / "onnx", reviews, "--out", "exported.csv", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert here("predict", trained.folder, reviews, "--out", tmp_path / "run.csv") == 0
    theirs, ours = ((tmp_path / name).read_text(encoding="utf-8").splitlines() for name in ("exported.csv", "run.csv"))
    assert [line.split(",")[:3] for line in theirs] == [line.split(",")[:3] for line in ours]
    ran = superfine(environment, "evaluate", tmp_path / "onnx", reviews, "--json", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert '"accuracy"' in ran.stdout
    subprocess.run([*install, "--constraint", str(REPOSITORY / "constraints.txt"), *SERVER], check=True)
    with serving([str(environment / "superfine")], tmp_path / "onnx", cwd=tmp_path, PYTHONPATH="") as url:
        answered = httpx.post(f"{url}/v1/predict", json={"texts": ["lovely kettle"]}).raise_for_status().json()
        assert [one["prediction"] for one in answered["predictions"]] == trained.load().predict(["lovely kettle"]).label
        assert answered["receipt"]["texts"]["test"]["changed"] == 0
        assert "<title>Superfine</title>" in httpx.get(url).text

    ran = superfine(environment, "export", trained.folder, "--to", "onnx", cwd=tmp_path)
    assert ran.returncode == 2
    assert "pip install 'superfine[" in ran.stderr

    ran = superfine(environment, "doctor", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "superfine[train]" in ran.stdout
