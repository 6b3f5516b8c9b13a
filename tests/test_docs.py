"""Snippets in the documentation run, the two READMEs agree, and the reference is what the code says."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from superfine.cli.commands import COMMANDS
from tests.conftest import FAST, needs_embedded_model

ROOT = Path(__file__).parent.parent
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)


PAGES = [*READMES, *sorted((ROOT / "docs").rglob("*.md"))]


def snippets(path: Path) -> list[str]:
    return PYTHON.findall(path.read_text(encoding="utf-8"))


@needs_embedded_model
@pytest.mark.parametrize("path", [path for path in PAGES if snippets(path)], ids=lambda p: str(p.relative_to(ROOT)))
def test_every_python_snippet_runs(path, tmp_path, monkeypatch, trained, tiny_model):
    import shutil

    import superfine
    from superfine import api

    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    shutil.copytree(trained.folder, tmp_path / "runs" / "demo")
    monkeypatch.chdir(tmp_path)
    whole, estimator = api.train, superfine.SuperfineClassifier

    def quick(data, **options):
        """The snippet's own call, with a tiny model: its words are what is tested, not the speed."""
        settings = FAST | {"training.epochs": 1} | options.pop("settings", {})
        return whole(data, **options | {"model": str(tiny_model("bert")), "settings": settings, "progress": False})

    monkeypatch.setattr(superfine, "train", quick)
    monkeypatch.setattr(
        superfine,
        "SuperfineClassifier",
        lambda **options: estimator(**options | {"model": str(tiny_model("bert")), "settings": FAST}),
        raising=False,
    )
    for snippet in snippets(path):
        exec(compile(snippet, path.name, "exec"), {})


def test_both_readmes_have_the_same_shape():
    english, chinese = (path.read_text(encoding="utf-8") for path in READMES)
    for pattern in (r"^#+ ", r"^```", r"^\|", r"^- "):
        assert len(re.findall(pattern, english, re.MULTILINE)) == len(re.findall(pattern, chinese, re.MULTILINE)), pattern
    # Each leads with the demo in its own language, and shows how that ends.
    blocks = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
    ours, theirs = ([(kind, block) for kind, block in blocks.findall(text) if kind != "text"] for text in (english, chinese))
    assert ours == [(kind, block.replace("make demo-zh", "make demo")) for kind, block in theirs]


def test_the_reference_is_what_the_code_says():
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "docs" / "reference" / "make_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, make in module.PAGES.items():
        assert (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8") == make(), "run docs/reference/make_reference.py"


COMMAND = re.compile(r"^superfine (\w+)(.*)$", re.MULTILINE)


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_line_in_the_documentation_is_understood(path):
    """Parsed as the command would parse it: a command or an option that does not exist fails."""
    blocks = re.findall(r"```(?:bash|text)?\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    for line in (match for block in blocks if "Usage:" not in block for match in COMMAND.finditer(block)):
        command, arguments = line[1], shlex.split(line[2].split(">")[0].split("|")[0], comments=True)
        COMMANDS.load(command).make_context(command, arguments, resilient_parsing=False)


def test_files_that_the_documentation_links_to_exist():
    for path in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"
