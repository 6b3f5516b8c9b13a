"""The configuration: durations, dotted keys, files, and every mistake in one message."""

import time

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


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        ("training.clip_norm", "max_grad_norm", 0.5),
        ("training.warmup_share", "warmup_ratio", 0.2),
        ("training.head_factor", "head_learning_rate_multiplier", 3.0),
        ("data.keep_tokens", "cache_tokens", False),
    ],
)
def test_keys_of_earlier_versions_are_read_with_a_note(old, new, value):
    section = old.partition(".")[0]
    for tree, overrides in (({section: {old.partition(".")[2]: value}}, {}), ({}, {old: value})):
        notes = []
        config = build_config(tree, overrides, notes)
        assert getattr(getattr(config, section), new) == value
        assert notes == [f'"{old}" is called "{section}.{new}" now, and is read as that.']


def test_the_present_name_of_a_key_counts_where_both_are_given():
    assert build_config({"training": {"clip_norm": 0.5, "max_grad_norm": 2.0}}).training.max_grad_norm == 2.0


def test_a_key_that_has_no_effect_any_more_is_ignored_with_a_note():
    notes = []
    build_config({"model": {"flash_from": {"scoring": 256, "training": "auto"}}}, {"model.flash_from.scoring": 128}, notes)
    assert len(notes) == 1
    assert notes[0].startswith('"model.flash_from" has no effect any more')


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = {
    "aliases of aliases": BOMB,
    "an alias of itself": "data: &a [*a]\n",
    "no date": "seed: 2020-13-45\n",
    "no hexadecimal": "seed: 0x_\n",
    "no binary": "seed: 0b_\n",
    "an empty int": "seed: !!int ''\n",
    "an int of letters": "seed: !!int abc\n",
    "5,000 digits": "seed: " + "9" * 5000 + "\n",
    "5,000 digits in base 60": "seed: " + ":".join(["59"] * 5000) + "\n",
    "3,000 brackets": "seed: " + "[" * 3000 + "]" * 3000 + "\n",
    "an object of Python": "seed: !!python/object/apply:os.system ['true']\n",
    "a key that is a list": "? [a, b]\n: 1\n",
    "keys that are numbers": "1: {2: 3}\n",
    "two documents": "seed: 1\n---\nseed: 2\n",
    "an unknown anchor": "seed: *nobody\n",
    "a tab": "seed:\n\t- 1\n",
    "a control character": "seed: \x07\n",
    "a number that is none": "training: {learning_rate: .nan, epochs: .inf}\n",
    "a merge of no mapping": "<<: 1\n",
}  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_yaml_is_one_message_at_once(text, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    started = time.process_time()
    with pytest.raises(ConfigError) as error:
        build_config(read_config_file(path))
    assert time.process_time() - started < 1
    assert len(error.value.message) < 1000


@pytest.mark.parametrize("value", ["0x_", "0b_", "2020-13-45", "9" * 5000, "[" * 3000, "!!int ''", "&a [*a]", ":".join(["59"] * 5000), "{a: b}"])  # fmt: skip
def test_hostile_assignments_are_one_message_at_once(value):
    started = time.process_time()
    with pytest.raises(ConfigError) as error:
        build_config({}, parse_assignments([f"training.epochs={value}"]))
    assert time.process_time() - started < 1
    assert len(error.value.message) < 1000


def test_a_value_of_no_kind_is_told_once_under_its_option():
    with pytest.raises(ConfigError) as told:
        build_config({}, {"model.freeze": "nonsense"})
    assert str(told.value).count("model.freeze") == 1
    assert "\"model.freeze\" cannot be 'nonsense'" in str(told.value)
    assert "literal" not in str(told.value)
