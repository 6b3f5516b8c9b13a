"""The model card says what was measured, and nothing in it is markup or a path of the user's."""

import pytest

from superfine.report.card import cell, render_card

EVIL = "[click](https://evil.example) <img src=x onerror=alert(1)> | ![x](y) `code` \x1b[31m\u202e&lt;"


@pytest.mark.parametrize("sign", ["[click](", "[click]", "![x", "\x1b", "\u202e", "https://", "| !"])
def test_text_of_the_users_data_is_no_markup(sign):
    assert sign not in cell(EVIL)


def test_findings_and_labels_in_the_card_are_escaped(trained):
    finding = {
        "name": "rare_class",
        "severity": "warning",
        "count": 1,
        "share": 0.1,
        "rows": [2],
        "message": f"class {EVIL}",
        "advice": "",
    }
    card = render_card(trained.metrics | {"findings": [finding], "model": "`<b>`"})
    assert cell(EVIL) in card
    assert card.count("<img") == card.count("\\<img")
    assert "](https://evil" not in card
    assert "from `'<b>'` with" in card


def test_no_path_of_the_machine_is_in_what_is_shown_to_others(trained, tiny_model):
    folder = str(tiny_model("bert").parent)
    for name in ("report.html", "metrics.json", "model/README.md", "model/config.json"):
        content = (trained.folder / name).read_text(encoding="utf-8")
        assert folder not in content
        assert str(trained.folder) not in content
    assert trained.metrics["model"] == tiny_model("bert").name
