"""The configuration: durations, dotted keys, files, and every mistake in one message."""

import pytest

from superfine.config import build_config, known_keys, parse_assignments, read_config_file
from superfine.errors import ConfigError


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), (12, 12)])
def test_durations(text, seconds):
    assert build_config({"training": {"time_limit": text}}).training.time_limit == seconds


def test_the_keys_that_other_tools_rely_on_exist():
    promised = {
        "training.epochs", "training.batch_size", "training.learning_rate", "training.precision", "training.time_limit",
        "model.name", "model.max_length", "data.text", "data.label", "task.name", "seed",
    }  # fmt: skip
    assert promised <= set(known_keys())


def test_assignments_are_read_as_yaml():
    values = parse_assignments(["training.epochs=3", "data.text=[a, b]", "model.name=x=y", "data.cleaning=false"])
    assert values == {"training.epochs": 3, "data.text": ["a", "b"], "model.name": "x=y", "data.cleaning": False}


def test_overrides_win_over_the_file(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("training:\n  epochs: 9\n  batch_size: 8\nseed: 3\nchoices: {epochs: 9}\n")
    config = build_config(read_config_file(path), {"training.epochs": 2})
    assert (config.training.epochs, config.training.batch_size, config.seed) == (2, 8, 3)


@pytest.mark.parametrize("content", ["- a\n", "a: [", "\xff"])
def test_a_file_that_is_no_configuration_is_refused(tmp_path, content):
    path = tmp_path / "c.yaml"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"c\.yaml"):
        read_config_file(path)


def test_a_section_cannot_be_set_below_a_value():
    with pytest.raises(ConfigError, match='"seed" is a value'):
        build_config({"seed": 3}, {"seed.x": 1})


def test_a_tab_can_be_typed_as_a_delimiter():
    from superfine.config import parse_delimiter

    assert [parse_delimiter(text) for text in ("\\t", "tab", "|", None)] == ["\t", "\t", "|", None]


@pytest.mark.parametrize("value", ["often", 0, -3, 1.5, True, [128]])
def test_the_length_for_flash_attention_is_auto_never_or_a_number(value):
    with pytest.raises(ConfigError, match=r'^"model.flash_from.scoring" cannot be .*: it is auto, never, or a number of tokens'):
        build_config({}, {"model.flash_from.scoring": value})
    for fine in ("auto", "never", 128):
        assert build_config({}, {"model.flash_from.scoring": fine}).model.flash_from.scoring == fine
