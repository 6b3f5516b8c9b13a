"""What can be set, in one validated place. `RunConfig` is what `run.yaml` holds and what `--config` and `--set` fill.

The options of plug-ins (`training.regularisers: {fgm: {epsilon: 1.0}}`) are plain data here: the table that owns the plug-in
validates them, so this file does not grow with them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from superfine.errors import ConfigError, first_line
from superfine.names import did_you_mean
from superfine.records import WindowPooling

RECORD_KEYS = ("request", "choices")
AUTO = "auto"
ENGLISH_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
MULTILINGUAL_MODEL = "multilingual-e5-small-q4"
"""What is in the embedded packages. The second is not the published file bit for bit, so it has a name of its own."""

RENAMED = {
    "training.clip_norm": "training.max_grad_norm",
    "training.warmup_share": "training.warmup_ratio",
    "training.head_factor": "training.head_learning_rate_multiplier",
    "data.keep_tokens": "data.cache_tokens",
}
"""Keys by the names they had in earlier versions: still read, with a note."""
WITHOUT_EFFECT = {"model.flash_from": "which kernel computes attention follows from the processor and the format"}
"""Keys of earlier versions that are ignored, with a note that says why."""

LONGEST_YAML, MOST_VALUES = 1 << 20, 100_000
"""A configuration is a page, and a run's own with all its rows listed is a few more."""
LONGEST_SHOWN, DEEPEST = 80, 100

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(value: object) -> object:
    """`"90"`, `"90s"`, `"10m"`, `"1h30m"` in seconds; anything that is no text passes unchanged."""
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not re.fullmatch(r"(\d+(\.\d+)?[smhd]\s*)+", text):
        raise ValueError("a duration looks like 90s, 10m or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)([smhd])", text))


def parse_delimiter(text: object) -> object:
    """One character as a user types it: `\\t` and `tab` are a tab. Raises ValueError for what cannot part fields."""
    if not isinstance(text, str):
        return text
    character = "\t" if text in {"\\t", "tab"} else text
    if len(character) != 1 or character in '"\r\n':
        raise ValueError("a delimiter is one character, no quotation mark and no line break")
    return character


def parse_quote(text: object) -> object:
    """One character that quotes or escapes. Raises ValueError for more, and for white space."""
    if not isinstance(text, str):
        return text
    if len(text) != 1 or text.isspace():
        raise ValueError("it is one character, and no white space")
    return text


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


DEVICES = r"^(auto|cpu|mps|cuda(:[0-9]+)?)$"
PrecisionSetting = Literal["auto", "float32", "bfloat16"]
SavedWeights = Literal["auto", "float32", "float16"]
LongTexts = Literal["auto", "cut", "head_tail", "windows"]
Freeze = Literal["embeddings", "all"] | Annotated[int, Field(strict=True, ge=1, le=10_000)]
Duration = Annotated[float, BeforeValidator(parse_duration), Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_default=True, allow_inf_nan=False)


class DataConfig(_Section):
    """Which columns hold what, and how rows are held out."""

    text: Annotated[list[str] | None, BeforeValidator(_as_list)] = Field(
        None, description="text columns, joined with a space; found by content when absent"
    )
    text_pair: str | None = Field(None, description="column with the second text of a pair")
    label: Annotated[list[str] | None, BeforeValidator(_as_list)] = Field(
        None, description="label column, or several; found by name and content when absent"
    )
    group: str | None = Field(None, description="rows with the same value in this column stay in one part")
    weight: str | None = Field(None, description="column that says how much a row counts in training")
    time: str | None = Field(None, description="column of times: later rows are held out, and scored by period")
    encoding: str | None = Field(None, description="text encoding of the files, e.g. gb18030; detected when absent")
    delimiter: Annotated[str | None, BeforeValidator(parse_delimiter)] = Field(
        None, description="between fields; found when absent"
    )
    quote: Annotated[str | None, BeforeValidator(parse_quote)] = Field(None, description='holds a field together; " when absent')
    escape: Annotated[str | None, BeforeValidator(parse_quote)] = Field(
        None, description="before a quotation mark inside a field, where it is not doubled; found when absent"
    )
    header: bool = Field(True, description="the first row names the columns; else they are called 1, 2, ...")
    sheet: str | None = Field(
        None, description="sheet of a workbook, or key of a part of a JSON file; the first that holds a table when absent"
    )
    bad_rows: Literal["refuse", "skip"] = Field(
        "refuse", description="records that cannot be read: refuse the file, or list them"
    )
    redact: bool = Field(
        False, description="replace personal data (e-mail, phone, ID, card, IP, keys in addresses), in training and in prediction"
    )
    merge_labels: bool = Field(
        False, description="labels that differ only in case, blanks or look-alike letters become the most frequent of them"
    )
    ignore_unknown_labels: bool = Field(False, description="do not score test rows whose label training never had")
    cleaning: bool = Field(True, description="NFC, control characters, HTML, white space; saved in the tokenizer")
    cache_tokens: bool = Field(True, description="keep the tokens of large data on disk, for the next run on the same texts")
    validation_share: float = Field(0.10, gt=0, lt=0.5, description="share of the training part without a validation file")
    validation_rows: int = Field(2000, gt=0, le=1 << 40, description="at most so many validation rows are held out")
    test_share: float = Field(0.15, gt=0, lt=0.5, description="share of all rows without a test file")


class ModelConfig(_Section):
    """Which pretrained model, and how much of a text it reads."""

    name: str = Field(AUTO, description="hub name, name@revision or local folder; auto: by the language of the texts")
    max_length: int | None = Field(
        None,
        gt=2,
        le=1 << 20,
        description="tokens that are read at a time; absent: 256, or up to 512 where texts are so long; see long_texts",
    )
    long_texts: LongTexts = Field(
        "auto",
        description="cut: the beginning of a text that is longer than max_length; head_tail: its beginning, and three times as "
        "much from its end; windows: all of it, one piece after the other; auto: windows where more than 5 % of the training "
        "texts are longer",
    )
    stride: int | None = Field(
        None,
        ge=0,
        le=1 << 20,
        description="tokens that neighbouring windows share; absent: an eighth of max_length, or a quarter where tokens answer",
    )
    window_pooling: WindowPooling | None = Field(
        None,
        description="what becomes of the outputs for a text's windows. mean: their mean; attention: each counts as much as the "
        "model learns; absent: attention, where texts answer",
    )
    dropout: float | None = Field(None, ge=0, lt=1, description="hidden dropout; absent: what the model was pretrained with")
    attention_dropout: float = Field(0.0, ge=0, lt=1, description="dropout of attention weights")
    layers: int | None = Field(
        None, gt=0, le=10_000, description="keep so many of the layers, evenly spread: faster, less accurate; absent: all"
    )
    prune_vocabulary: int | None = Field(
        None,
        gt=0,
        le=10_000_000,
        description="keep so many pieces of a Unigram vocabulary, for less memory: other texts may be cut otherwise; absent: all",
    )
    adapter: dict[str, dict[str, Any]] | None = Field(
        None,
        description="{lora: {r: 8, alpha: 16}}: train small matrices beside frozen weights, for less memory; absent: all learns",
    )
    adapter_only: bool = Field(
        False, description="save the adapter and the head alone, beside the name of the model they belong to, not merged into it"
    )
    freeze: Freeze | None = Field(
        None, description="embeddings; a number: these and so many layers from below; all: the head alone learns; absent: nothing"
    )
    saved_weights: SavedWeights = Field(
        "auto",
        description="auto: float16 where float32 takes over 300 MB and no answer to validation texts changes; scored as saved",
    )


class TaskConfig(_Section):
    """What is learned."""

    name: str = Field(AUTO, description="what is learned; auto: by the labels")
    options: dict[str, Any] = Field(default_factory=dict, description="options of the task")


class TrainingConfig(_Section):
    """How the weights are fitted."""

    epochs: int | None = Field(
        None, gt=0, le=1_000_000, description="passes over the training rows at most; absent: by rows and classes"
    )
    batch_size: int | None = Field(None, gt=0, le=1_000_000, description="texts per step; absent: by rows and classes")
    learning_rate: float | None = Field(
        None, gt=0, description="peak rate of AdamW below the head; absent: by the model's width and the batch size"
    )
    head_learning_rate_multiplier: float = Field(
        10.0,
        gt=0,
        description="factor on the rate of all above the body, the head and a pooler, and of whatever starts from random values",
    )
    layer_decay: float = Field(1.0, gt=0, le=1, description="factor on the rate per layer downwards")
    weight_decay: float = Field(0.01, ge=0, description="of AdamW; biases and norms are not decayed")
    warmup_ratio: float = Field(0.1, ge=0, lt=1, description="share of the run in which the rate rises")
    max_grad_norm: float = Field(1.0, gt=0, description="gradients are scaled down to this norm")
    patience: int = Field(
        2,
        ge=0,
        le=1_000_000,
        description="stop after so many epochs in a row that validate worse than the best, beyond chance; 0 never stops",
    )
    choose_by: str | None = Field(
        None, description="score of the validation part by which the epoch is chosen, e.g. macro_f1; absent: the task's main one"
    )
    class_weights: Literal["auto", "none", "balanced"] | dict[str, Annotated[float, Field(ge=0)]] = Field(
        "auto",
        description="auto: by the root of the class sizes, where one is over ten times another; balanced: by the class sizes; or "
        "{class: weight}, 1 where none is given",
    )
    label_noise: Literal["keep", "downweight"] = Field(
        "keep", description="downweight: rows whose label is probably wrong count less, by how sure that is"
    )
    gradient_accumulation: int = Field(
        1,
        gt=0,
        le=100_000,
        description="a batch is computed in so many parts, for less memory and the same result; in more where memory runs out",
    )
    gradient_checkpointing: bool = Field(
        False, description="keep the states between layers alone and compute the rest again: less memory, a third more time"
    )
    precision: PrecisionSetting = Field("auto", description="of the training computation; weights are kept in float32")
    regularisers: dict[str, dict[str, Any]] | None = Field(
        None, description="absent: the task's own; {} for none, {label_smoothing: {amount: 0.1}, fgm: {}} for two"
    )
    time_limit: Duration | None = Field(None, description="10m: wall-clock time of the whole command")


class EvaluationConfig(_Section):
    """What is measured beside one score on one test part."""

    seeds: int = Field(
        1, gt=0, le=100, description="train from so many seeds; the best by validation is kept, the spread is told"
    )
    folds: int | None = Field(
        None, ge=2, le=100, description="cross-validation: every row is answered by a model that has not learned from its fold"
    )
    learning_curve: bool = Field(False, description="train on fractions of the rows as well, and say what more rows would bring")
    slices: Annotated[list[str], BeforeValidator(_as_list)] = Field(
        default_factory=list, description="columns whose values the scores are also given for"
    )
    baselines: Literal["usual", "all"] = Field(
        "usual", description="all: also a logistic regression on what the model says of texts before it is trained"
    )

    @property
    def n_trainings(self) -> float:
        """About how many times the work of one training on all rows is asked for."""
        return (self.seeds if self.folds is None else self.folds) + (1.25 if self.learning_curve else 0.0)


class RunConfig(_Section):
    """Everything that decides a training run."""

    data: DataConfig = Field(default_factory=DataConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)
    task: TaskConfig = Field(default_factory=TaskConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = Field(default_factory=EvaluationConfig)
    track: Annotated[list[str], BeforeValidator(_as_list)] = Field(
        default_factory=list, description="trackers that log the run: tensorboard, mlflow, wandb"
    )
    device: str = Field(
        "auto", pattern=DEVICES, description="where to compute: cpu, cuda, cuda:1, mps; auto: the GPU where there is one"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="same seed, data and number of threads: same weights")


def known_keys(section: type[BaseModel] = RunConfig, prefix: str = "") -> list[str]:
    """Every dotted key: `training.epochs`, `data.text`, ..."""
    keys: list[str] = []
    for name, info in section.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            keys += known_keys(info.annotation, f"{prefix}{name}.")
        else:
            keys.append(prefix + name)
    return keys


def set_dotted(tree: dict[str, Any], key: str, value: Any) -> None:
    """`set_dotted(tree, "training.epochs", 3)`; sections on the way are made."""
    *sections, last = key.split(".")
    for section in sections:
        below = tree.setdefault(section, {})
        if not isinstance(below, dict):
            raise ConfigError(f'"{key}" cannot be set: "{section}" is a value, not a section.')
        tree = below
    tree[last] = value


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """`["training.epochs=3"]` as a dotted mapping, values read as YAML."""
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f'"{assignment}" is not of the form key=value.', "For example: --set training.epochs=3")
        try:
            values[key.strip()] = parse_yaml(value)
        except ValueError:  # no YAML: a name with a colon, a text
            values[key.strip()] = value
    return values


def parse_yaml(text: str) -> Any:
    """What YAML says, plain values only. Raises ValueError with the reason, at once, whatever the text is.

    PyYAML raises errors of a dozen kinds, and expands aliases of aliases until the memory is full.
    """
    if len(text) > LONGEST_YAML:
        raise ValueError(f"it is longer than {LONGEST_YAML >> 20} million characters")
    if _depth(text) > DEEPEST:
        raise ValueError("its brackets are nested too deep")
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is not None and _expanded_size(node, {}) > MOST_VALUES:
            raise ValueError("its aliases stand for too many values")
        return None if node is None else loader.construct_document(node)
    except RecursionError:
        raise ValueError("its brackets are nested too deep") from None
    except Exception as error:
        raise ValueError(first_line(error)) from None


def _depth(text: str) -> int:
    """How many brackets are open at most. PyYAML takes its time to find that they are too many."""
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _expanded_size(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for, with its aliases written out."""
    if id(node) not in known:
        known[id(node)] = MOST_VALUES + 1  # an alias inside of what it stands for has no end
        children = [part for pair in node.value for part in (pair if isinstance(pair, tuple) else (pair,))]
        is_scalar = isinstance(node, yaml.ScalarNode)
        known[id(node)] = 1 if is_scalar else 1 + sum(_expanded_size(child, known) for child in children)
    return known[id(node)]


def read_config_file(path: Path) -> dict[str, Any]:
    """The YAML mapping in `path`."""
    try:
        tree = parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"The configuration file {path} does not exist.") from None
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"The configuration file {path} cannot be read: {error}", "It is YAML, such as run.yaml of a run."
        ) from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"The configuration file {path} holds no mapping of keys to values.")
    # A run's own `run.yaml` also tells what was asked and chosen; as a configuration it is read without that.
    return {key: value for key, value in tree.items() if key not in RECORD_KEYS}


def build_config(
    tree: Mapping[str, Any], overrides: Mapping[str, Any] | None = None, notes: list[str] | None = None
) -> RunConfig:
    """Validate a mapping, nested or with dotted keys, with dotted `overrides` on top. All mistakes are in one ConfigError.

    notes: gets a line for each key of an earlier version.
    """
    dotted = {key: value for key, value in tree.items() if isinstance(key, str) and "." in key}
    merged: dict[str, Any] = {k: dict(v) if isinstance(v, Mapping) else v for k, v in tree.items() if k not in dotted}
    for key, value in {**dotted, **(overrides or {})}.items():
        set_dotted(merged, key, value)
    found = _rename_keys(merged)
    if notes is not None:
        notes += found
    try:
        return RunConfig.model_validate(merged)
    except ValidationError as error:
        unknown = any(mistake["type"] == "extra_forbidden" for mistake in error.errors())
        raise ConfigError(_explain(error), f"All keys: {', '.join(known_keys())}." if unknown else "") from None


def _rename_keys(tree: dict[str, Any]) -> list[str]:
    """Give keys of earlier versions their present names, and say so."""
    notes = []
    for old in [*RENAMED, *WITHOUT_EFFECT]:
        section, _, key = old.partition(".")
        below = tree.get(section)
        if not isinstance(below, dict) or key not in below:
            continue
        value = below.pop(key)
        if old in RENAMED:
            new = RENAMED[old]
            below.setdefault(new.partition(".")[2], value)
            notes.append(_renamed(old, new))
        else:
            notes.append(_ignored(old, WITHOUT_EFFECT[old]))
    return notes


def _renamed(old: str, new: str) -> str:
    return f'"{old}" is called "{new}" now, and is read as that.'


def _ignored(old: str, why: str) -> str:
    return f'"{old}" has no effect any more: {why}.'


def _explain(error: ValidationError) -> str:
    lines, known, said = [], known_keys(), set()
    for mistake in error.errors():
        key = ".".join(str(part) for part in mistake["loc"])
        # Of a value that may be of several kinds there is a mistake for each, with the kind behind the key.
        option = next((name for name in known if key.startswith(f"{name}.")), key)
        if mistake["type"] == "extra_forbidden":
            lines.append(f'There is no option "{key}".{_suggest(key)}')
        elif option not in said:
            why = "; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors() if _is_of(one, option))
            lines.append(f'"{option}" cannot be {_shown(mistake["input"])}: {why}.')
        said.add(option)
    return "\n".join(lines)


def _is_of(mistake: Any, option: str) -> bool:
    key = ".".join(str(part) for part in mistake["loc"])
    return key == option or key.startswith(f"{option}.")


def _shown(value: object) -> str:
    """A value as Python writes it, not more than a line of it."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return "a number or a nesting that is too large"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _suggest(key: str) -> str:
    known = known_keys()
    by_last = {name.rsplit(".", 1)[-1]: name for name in known}
    last = key.rsplit(".", 1)[-1]
    if last in by_last:
        return f' Did you mean "{by_last[last]}"?'
    return did_you_mean(key, known)


Options = TypeVar("Options", bound=BaseModel)


def _option_mistake(mistake: Any) -> str:
    """The option, its value and what is wrong with it; behind the option pydantic names the kind of value that it tried."""
    where = [str(part) for part in mistake["loc"] if "[" not in str(part)]
    return f"{'.'.join(where)}={_shown(mistake['input'])}: {mistake['msg']}"


def validate_options(kind: str, name: str, options_type: type[Options], options: Mapping[str, Any]) -> Options:
    """The options of a plug-in, checked by the type that the plug-in owns. Raises ConfigError with what it takes."""
    try:
        return options_type.model_validate(dict(options))
    except ValidationError as error:
        mistakes = "; ".join(_option_mistake(one) for one in error.errors())
        raise ConfigError(
            f'The options of the {kind} "{name}" are not right: {mistakes}.',
            f"It takes: {', '.join(options_type.model_fields) or 'none'}.",
        ) from None
