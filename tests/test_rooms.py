"""The arrows of the house: what must not need torch does not, and import-linter's contracts hold."""

import subprocess
import sys
from pathlib import Path

import pytest

TORCH_FREE = [
    "superfine", "superfine.data.read", "superfine.data.clean", "superfine.data.encode", "superfine.data.split",
    "superfine.data.checks.inspection", "superfine.tasks.classification", "superfine.predictors.bundle",
    "superfine.evaluation.evaluate", "superfine.evaluation.compare", "superfine.baselines.tfidf", "superfine.baselines.majority",
    "superfine.predictors.texts", "superfine.predictors.graph", "superfine.recipes.export", "superfine.data.write", "superfine.recipes.prepare", "superfine.recipes.predict",
    "superfine.recipes.evaluate", "superfine.recipes.dry_run", "superfine.recipes.doctor", "superfine.recipes.train",
    "superfine.cli.main", "superfine.cli.console", "superfine.cli.commands.train", "superfine.api", "superfine.estimator",
    "superfine.report.page", "superfine.report.card", "superfine.config", "superfine.metrics",
]  # fmt: skip


WITHOUT_TORCH = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers"):
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Missing())
"""


@pytest.mark.parametrize("module", TORCH_FREE)
def test_rooms_before_and_after_the_model_import_without_torch(module):
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH + f"import {module}"], check=True)


def test_every_entry_of_every_name_table_can_be_loaded():
    from superfine.baselines import BASELINES
    from superfine.cli.commands import COMMANDS
    from superfine.data.checks import CHECKS
    from superfine.data.read import FORMATS
    from superfine.export import RUNTIMES
    from superfine.predictors import PREDICTORS
    from superfine.tasks import TASKS
    from superfine.training.regularisers import REGULARISERS

    for table in (BASELINES, CHECKS, COMMANDS, FORMATS, PREDICTORS, REGULARISERS, RUNTIMES, TASKS):
        for name in table:
            assert callable(table.load(name)), (table.kind, name)


def test_the_arrows_hold():
    root = Path(__file__).parent.parent
    result = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout
