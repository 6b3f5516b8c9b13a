"""The arrows of the house: what must not need torch does not, and import-linter's contracts hold."""

import subprocess
import sys
from pathlib import Path

import pytest

TORCH_FREE = [
    "superfine", "superfine.data.read", "superfine.data.clean", "superfine.data.encode", "superfine.data.split",
    "superfine.data.checks.inspection", "superfine.tasks.classification", "superfine.predictors.bundle",
    "superfine.evaluation.evaluate", "superfine.evaluation.compare", "superfine.evaluation.baselines",
    "superfine.report.page", "superfine.report.card", "superfine.config", "superfine.metrics",
]  # fmt: skip


@pytest.mark.parametrize("module", TORCH_FREE)
def test_rooms_before_and_after_the_model_import_without_torch(module):
    code = f"import sys; sys.modules['torch'] = None; sys.modules['transformers'] = None; import {module}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_entry_of_every_name_table_can_be_loaded():
    from superfine.data.checks import CHECKS
    from superfine.data.read import FORMATS
    from superfine.evaluation import BASELINES
    from superfine.predictors import PREDICTORS
    from superfine.tasks import TASKS
    from superfine.training.regularisers import REGULARISERS

    for table in (BASELINES, CHECKS, FORMATS, PREDICTORS, REGULARISERS, TASKS):
        for name in table:
            assert callable(table.load(name)), (table.kind, name)


def test_the_arrows_hold():
    root = Path(__file__).parent.parent
    result = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout
