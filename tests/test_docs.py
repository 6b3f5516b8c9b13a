"""Snippets in the documentation run, the two READMEs agree, and the reference is what the code says."""

import re
from pathlib import Path

import pytest

from superfine.config import known_keys
from tests.conftest import FAST, needs_embedded_model

ROOT = Path(__file__).parent.parent
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)


def snippets(path: Path) -> list[str]:
    return PYTHON.findall(path.read_text(encoding="utf-8"))


@needs_embedded_model
@pytest.mark.parametrize("path", [*READMES, ROOT / "docs" / "how-to.md"], ids=lambda p: p.name)
def test_every_python_snippet_runs(path, tmp_path, monkeypatch, trained, tiny_model):
    import shutil

    import superfine
    from superfine import api

    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    shutil.copytree(trained.folder, tmp_path / "runs" / "demo")
    monkeypatch.chdir(tmp_path)
    whole = api.train

    def quick(data, **options):
        """The snippet's own call, with a tiny model: its words are what is tested, not the speed."""
        settings = FAST | {"training.epochs": 1} | options.pop("settings", {})
        return whole(data, **options | {"model": str(tiny_model("bert")), "settings": settings, "progress": False})

    monkeypatch.setattr(superfine, "train", quick)
    found = snippets(path)
    assert found
    for snippet in found:
        exec(compile(snippet, path.name, "exec"), {})


def test_both_readmes_have_the_same_shape():
    english, chinese = (path.read_text(encoding="utf-8") for path in READMES)
    for pattern in (r"^#+ ", r"^```", r"^\|", r"^- "):
        assert len(re.findall(pattern, english, re.MULTILINE)) == len(re.findall(pattern, chinese, re.MULTILINE)), pattern
    code = re.compile(r"```(?:python|text)?\n(.*?)```", re.DOTALL)
    assert code.findall(english) == code.findall(chinese)


def test_the_configuration_page_names_every_key():
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([\w.]+)`", page, re.MULTILINE)) == set(known_keys())


def test_files_that_the_documentation_links_to_exist():
    for path in [*READMES, *ROOT.glob("docs/**/*.md"), ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"
