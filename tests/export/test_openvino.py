"""OpenVINO's own files: nothing is reported to anybody on the way."""

import subprocess
import sys

import pytest

pytest.importorskip("openvino", reason="the packages of the extra `openvino` are not installed")

CODE = """
import sys
from pathlib import Path
from superfine.predictors.openvino import import_openvino
openvino = import_openvino()
openvino.Core()
try:
    import nncf
except ImportError:
    pass
print([name for name, module in sys.modules.items() if name.startswith("openvino_telemetry") and module is not None])
print(sorted(path.name for path in Path.home().iterdir()))
"""


@pytest.mark.slow
def test_no_use_is_reported_and_nothing_is_left_in_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    ran = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-2:] == ["[]", "[]"], ran.stderr
