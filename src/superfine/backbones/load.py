"""From a name to a backbone: configuration, tokenizer and weights as transformers reads them, and what is settled about them."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tokenizers import Tokenizer

from superfine.backbones.backbone import Backbone
from superfine.backbones.families import FAMILIES, POOLINGS, max_positions
from superfine.backbones.freezing import freeze as freeze_weights
from superfine.backbones.freezing import train_alone
from superfine.backbones.heads import above_body, is_of_body, settle_head
from superfine.backbones.layer_dropping import drop_layers
from superfine.backbones.locate import TOKENIZER_FILES, ModelLocation, commit_of, resolve
from superfine.backbones.process import quiet_transformers
from superfine.backbones.pruning import prune_rows
from superfine.backbones.sources.adapter import merge_into
from superfine.backbones.sources.embedded import ADVICE, Say
from superfine.backbones.sources.sentence_transformers import Layout
from superfine.backbones.sources.untyped import type_from_weights
from superfine.config import Freeze
from superfine.data.clean import STEPS, with_cleaning
from superfine.data.encode import Encoder
from superfine.data.preparation import HeadTail, Windows
from superfine.data.vocabulary import largest_id, sharing
from superfine.errors import ConfigError, ModelError, first_line
from superfine.extras import require_installed
from superfine.records import Head, IntArray

OTHER_DROPOUT = re.compile(r"layer_?drop|token_dropout")
"""Settings of a configuration that drop other things than states: whole layers, or masked tokens."""
MOST_MISSING = 0.01
"""Of a model's table: how far a vocabulary may go beyond it, as one does that was extended by hand."""

PROBE = "a \U0010fffd"
"""A letter, and a character that no vocabulary has."""


@dataclass(frozen=True)
class Pretrained:
    """A pretrained model whose configuration and tokenizer are read, but not its weights.

    One tokenises for any number of networks that are built from it. kept_rows: of the table, where the vocabulary was pruned.
    found: what was found out about it, in words.
    """

    location: ModelLocation
    config: Any
    wrapper: Any
    tokenizer: Tokenizer
    cleans: bool
    kept_rows: IntArray | None = None
    found: tuple[str, ...] = ()

    @property
    def max_positions(self) -> int | None:
        """How many tokens the network can read, or None where there is no bound."""
        return max_positions(self.config)

    @cached_property
    def n_missing_rows(self) -> int:
        """How many tokens the tokenizer knows beyond the model's table: some were added, and the table was not enlarged."""
        n_rows = getattr(self.config, "vocab_size", None)
        return max(0, largest_id(self.tokenizer) + 1 - n_rows) if isinstance(n_rows, int) else 0

    @property
    def notes(self) -> list[str]:
        """What the user should know of the model."""
        return [*self.found, *([_enlarged(self.location.name, self.n_missing_rows)] if self._is_enlarged else [])]

    def encoder(
        self, max_length: int, *, with_offsets: bool = False, windows: Windows | None = None, head_tail: HeadTail | None = None
    ) -> Encoder:
        """From texts to sequences of at most so many tokens. with_offsets: say where in the texts they stand. windows, head_tail:
        how longer texts are read; they are cut without.

        Raises ModelError where the vocabulary is another model's.
        """
        self._refuse_larger_vocabulary()
        empty_id = self.config.pad_token_id or 0
        return Encoder(self.tokenizer, max_length, empty_id, with_offsets=with_offsets, windows=windows, head_tail=head_tail)

    @property
    def _has_larger_vocabulary(self) -> bool:
        """Tokens that were added by hand are few, and rows for them are made; a vocabulary far beyond the table is another's."""
        n_own, n_rows = self.tokenizer.get_vocab_size(with_added_tokens=False), getattr(self.config, "vocab_size", None)
        return isinstance(n_rows, int) and min(self.n_missing_rows, n_own - n_rows) > MOST_MISSING * n_rows

    def _refuse_larger_vocabulary(self) -> None:
        if self._has_larger_vocabulary:
            n_own = self.tokenizer.get_vocab_size(with_added_tokens=False)
            raise ModelError(
                f"The tokenizer of {self.location.name} knows {n_own} tokens, and the model has a table of "
                f"{self.config.vocab_size}: they do not belong together.",
                "Put the model's own tokenizer into the folder.",
            )

    def backbone(
        self,
        head: Head,
        *,
        dropout: float | None = None,
        attention_dropout: float | None = None,
        layers: int | None = None,
        adapter: Any = None,
        freeze: Freeze | None = None,
    ) -> Backbone:
        """The network with its family's own head of that kind, in float32 on the CPU.

        It is new where the checkpoint has none of that shape; its weights come from torch's global random state. layers: how
        many are kept; None is all. adapter: trained beside the weights, which stay as they are. freeze: which weights stay.

        Raises ModelError for weights that are missing or cannot be read, ConfigError for settings without effect on this type.
        """
        config = deepcopy(self.config)
        config.num_labels = len(head)
        config.id2label = dict(enumerate(head.outputs))
        config.label2id = {name: i for i, name in enumerate(head.outputs)}
        config.problem_type = None if head.extractive else head.problem_type
        _set_dropout(config, dropout, attention_dropout)
        network, missing, reshaped = self._network(config, head, layers)
        family = FAMILIES.get(config.model_type)

        def again() -> dict[str, Any]:
            """The weights by name, as they were: those that rounding has changed are taken from here."""
            whole, _, _ = self._network(config, head, layers)
            return {name: parameter.data for name, parameter in whole.named_parameters()}

        # The numbers of a regression have a scale of their own, which its head holds.
        classes = head.activation != "none"
        earlier = [str(self.config.id2label[i]) for i in sorted(self.config.id2label)] if classes else []
        if head.extractive:  # every head of this kind says where an answer starts and ends
            earlier = list(head.outputs)
        settled = settle_head(network, missing, reshaped, earlier, head.outputs)
        trained = settled.fresh | above_body(network)
        if adapter is not None:
            adapter.put_into(network)
            train_alone(network, trained)
        elif freeze is not None:
            freeze_weights(network, freeze, trained)
        notes = _head_notes(self.location.name, settled.found)
        return Backbone(
            network,
            self.tokenizer,
            self.wrapper,
            family,
            by_token=head.by_token,
            fresh=settled.fresh,
            notes=notes,
            adapter=adapter,
            again=again,
        )

    @property
    def _is_enlarged(self) -> bool:
        return bool(self.n_missing_rows) and not self._has_larger_vocabulary

    def _network(self, config: Any, head: Head, layers: int | None) -> tuple[Any, set[str], set[str]]:
        """The network with its head, of the vocabulary and the layers that are wanted; see `_load_network`."""
        with quiet_transformers():
            network, missing, reshaped = _load_network(self.location, config, head.auto_class, fresh_head=True)
            if self._is_enlarged:
                network.resize_token_embeddings(network.get_input_embeddings().num_embeddings + self.n_missing_rows)
        if self.kept_rows is not None:
            prune_rows(network, self.kept_rows)
        if layers is not None:
            drop_layers(network, layers)
        return network, missing, reshaped

    def saved_backbone(self, head: Head) -> Backbone:
        """The network as it was saved, with the head that the checkpoint has; of `head` the kind alone is asked.

        Raises ModelError for weights that are missing or cannot be read.
        """
        config = deepcopy(self.config)
        with quiet_transformers():
            network, _, _ = _load_network(self.location, config, head.auto_class, fresh_head=False)
        return Backbone(network, self.tokenizer, self.wrapper, FAMILIES.get(config.model_type), by_token=head.by_token)


def open_pretrained(name: str, *, cleaning: bool = True, say: Say | None = None) -> Pretrained:
    """The pretrained model of that name or folder. cleaning: put ours before the tokenizer's own normalisation.

    say: see `resolve`.

    Raises ModelError for what cannot be found or read.
    """
    location = resolve(name, say)
    with quiet_transformers():
        config, notes = _load_config(location)
        if not location.is_folder:  # what is read later must not be another commit's
            location = replace(location, revision=commit_of(location.path, location.revision) or location.revision)
        wrapper = _load_tokenizer(location, config)
    _settle_padding(config, wrapper)
    tokenizer = wrapper.backend_tokenizer
    tokenizer.no_padding()
    tokenizer.no_truncation()
    cleans = cleaning and (_is_cleaned(location) or keeps_cleaning(config.model_type))
    tokenizer = with_cleaning(tokenizer) if cleans and not _is_cleaned(location) else sharing(tokenizer)
    return Pretrained(location, config, wrapper, tokenizer, cleans, found=(*location.found, *notes))


def _load_config(location: ModelLocation) -> tuple[Any, tuple[str, ...]]:
    """The configuration, and what the user should know of it."""
    from transformers import CONFIG_MAPPING, AutoConfig

    notes: tuple[str, ...] = ()
    with _explained(location):
        path, revision = location.home_of(["config.json"])
        is_own = location.is_folder and path == location.path
        found = type_from_weights(Path(location.path), location.name) if is_own else None
        if found is None:
            config = AutoConfig.from_pretrained(path, revision=revision, trust_remote_code=False)
        else:
            config = CONFIG_MAPPING[found].from_pretrained(location.path)
            notes = (_typed(location.name, found),)
    if getattr(config, "use_mems_eval", False):
        config.use_mems_eval = False  # XLNet's memories of earlier segments, which classify nothing and break batched pipelines
    if location.sentences is not None:
        notes += _settle_pooling(location.name, location.sentences, config)
    return config, notes


def _settle_pooling(name: str, sentences: Layout, config: Any) -> tuple[str, ...]:
    """Let the head read what the sentence vectors of the model are made of, where transformers' head of this type can; what came
    of it, in words."""
    notes: tuple[str, ...] = ()
    family, pooling = FAMILIES.get(config.model_type), sentences.pooling
    reads = None if family is None else {"first": "cls"}.get(str(family.reads), family.reads)
    if pooling in POOLINGS and hasattr(config, "classifier_pooling"):
        config.classifier_pooling = pooling
        notes = (_pooled(name, str(pooling)),)
    elif pooling is not None and pooling != reads:
        notes = (_not_pooled(name, pooling, config.model_type),)
    return (*notes, *([_left_out(name, sentences.more)] if sentences.more else []))


def _load_tokenizer(location: ModelLocation, config: Any) -> Any:
    from transformers import AutoTokenizer

    path, revision = location.home_of(TOKENIZER_FILES)
    if Path(path).is_dir() and _is_sentencepiece(Path(path)):
        require_installed("sentencepiece", "sentencepiece")
    with _explained(location):
        wrapper = AutoTokenizer.from_pretrained(path, config=config, revision=revision, trust_remote_code=False)
    _refuse_useless(wrapper, path if Path(path).is_dir() else location.name)
    if Path(path).is_dir():
        _refuse_other_vocabulary(Path(path), location.name, wrapper)
    if not getattr(wrapper, "is_fast", False):
        raise ModelError(f"The tokenizer of {location.name} exists only in a slow form.", "Choose a model with a tokenizer.json.")
    return wrapper


def _refuse_useless(wrapper: Any, name: str) -> None:
    """Raises ModelError for a tokenizer that can read nothing, as one of an empty vocabulary."""
    try:
        getattr(wrapper, "backend_tokenizer", wrapper).encode(PROBE)
    except Exception as error:  # tokenizers raises plain ones
        raise ModelError(
            f"The tokenizer of {name} cannot be used: {first_line(error)}", "Is its vocabulary empty? Save the right one there."
        ) from None


def _is_sentencepiece(folder: Path) -> bool:
    """Whether the only tokenizer in a folder is a file of SentencePiece, which is converted when it is read."""
    others = ("tokenizer.json", "vocab.txt", "vocab.json")
    return any(folder.glob("*.model")) and not any((folder / name).exists() for name in others)


def _refuse_other_vocabulary(folder: Path, name: str, wrapper: Any) -> None:
    """Raises ModelError where the tokenizer that the configuration asks for reads next to nothing of the vocabulary in the
    folder."""
    path = folder / "vocab.txt"
    if not path.exists() or (folder / "tokenizer.json").exists():
        return
    with open(path, encoding="utf-8", errors="replace") as stream:
        n_lines = sum(1 for _ in stream)
    if len(wrapper) < n_lines // 2:
        raise ModelError(
            f"The tokenizer of {name} reads {len(wrapper)} of the {n_lines} tokens in vocab.txt: that is BERT's kind of "
            f"vocabulary, and {type(wrapper).__name__}, which config.json asks for, reads another.",
            "Save the right tokenizer into the folder: BertTokenizerFast.from_pretrained(folder).save_pretrained(folder).",
        )


def _load_network(location: ModelLocation, config: Any, auto_class: str, *, fresh_head: bool) -> tuple[Any, set[str], set[str]]:
    """The network, and its parameters that the checkpoint lacks or has in another shape: they start from random values."""
    import torch
    import transformers

    if type(config) not in getattr(transformers, auto_class)._model_mapping:
        raise ModelError(
            f"{location.name} cannot be used for this task: transformers has no head of this kind for models of type "
            f"{config.model_type}.",
            "Choose a model of another type.",
        )
    named = location.name if location.adapter is None else location.path  # an adapter's weights are read afterwards
    with _explained(replace(location, name=named)):
        network, info = getattr(transformers, auto_class).from_pretrained(
            location.path,
            config=config,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            attn_implementation=None,
            revision=location.revision,
            trust_remote_code=False,
        )
    gc.collect()  # transformers leaves cycles behind that hold the weights, also when the network has others
    missing = {str(key) for key in info["missing_keys"]}
    reshaped = {str(key[0] if isinstance(key, tuple | list) else key) for key in info["mismatched_keys"]}
    if location.adapter is not None:
        taken, others = merge_into(network, location.adapter)
        missing, reshaped = missing - taken - others, (reshaped - taken) | others
    lacking = sorted(key for key in missing | reshaped if not fresh_head or is_of_body(key, network))
    if lacking:
        raise ModelError(
            f"{named} lacks {len(lacking)} of the weights its config.json describes, or has them in another shape: "
            f"{', '.join(lacking[:3])}{', ...' if len(lacking) > 3 else ''}.",
            "The download is incomplete, or the folder mixes two models: get it again.",
        )
    return network, missing, reshaped


@contextmanager
def _explained(location: ModelLocation) -> Iterator[None]:
    """Turn the many ways in which transformers fails to load into one message."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:  # transformers raises OSError, ValueError, KeyError, SafetensorError, ... for unusable files
        text = str(error)
        if "trust_remote_code" in text or "execute the" in text:
            raise ModelError(
                f"{location.name} can only be loaded by running code that it brings along, and that is never done.",
                "Choose a model of a type that transformers has.",
            ) from None
        if "weights_only" in text or "pickle" in text.lower():
            raise ModelError(
                f"The weights of {location.name} are a pickle that holds more than tensors, and opening it could run code.",
                "Save them as safetensors where you trust the file: model.save_pretrained(folder, safe_serialization=True).",
            ) from None
        why = first_line(error)
        if location.is_folder:
            raise ModelError(
                f"The model in {location.name} cannot be read: {why}",
                "Is the folder complete and in Hugging Face's layout?",
            ) from error
        raise ModelError(f"The model {location.name} could not be fetched from the hub: {why}", ADVICE) from error


def _set_dropout(config: Any, dropout: float | None, attention_dropout: float | None) -> None:
    """Set what a configuration calls dropout, that of attention weights apart from the others.

    Raises ConfigError for a share that a model of this type does not know.
    """
    names = [name for name in config.to_dict() if "drop" in name and not OTHER_DROPOUT.search(name)]
    for option, value, chosen in (
        ("dropout", dropout, [name for name in names if "att" not in name]),
        ("attention_dropout", attention_dropout, [name for name in names if "att" in name]),
    ):
        if value and not chosen:
            raise ConfigError(
                f"model.{option} has no effect on a model of type {config.model_type}: it has no such dropout.", "Leave it out."
            )
        for name in chosen:
            if value is not None:
                setattr(config, name, value)


def _is_cleaned(location: ModelLocation) -> bool:
    """Whether the folder is one of our bundles whose tokenizer cleans already."""
    manifest = Path(location.home_of(["superfine.json"])[0]) / "superfine.json"
    if not manifest.exists():
        return False
    try:
        return list(json.loads(manifest.read_text(encoding="utf-8")).get("cleaning", [])) == list(STEPS)
    except (OSError, ValueError):
        return False


@cache
def keeps_cleaning(model_type: str) -> bool:
    """Whether AutoTokenizer reads a saved normaliser for this type of model: for some types it builds one of its own (Qwen2's).

    Asked by a folder with a tokenizer of one word, which takes milliseconds.
    """
    from tokenizers import models
    from transformers import AutoTokenizer

    tokenizer = with_cleaning(Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]")))
    with TemporaryDirectory() as name:
        folder = Path(name)
        tokenizer.save(str(folder / "tokenizer.json"))
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]"}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
        (folder / "config.json").write_text(json.dumps({"model_type": model_type}), encoding="utf-8")
        try:
            with quiet_transformers():
                opened = AutoTokenizer.from_pretrained(folder, trust_remote_code=False).backend_tokenizer
        except Exception:  # a class of its own that this stub does not suit
            return False
    return bool(opened.normalizer is not None and opened.normalizer.normalize_str("a<br/>&amp;  b") == "a & b")


def _typed(name: str, model_type: str) -> str:
    return f"{name}/config.json does not say what type of model it describes; the names of the weights are those of {model_type}."


def _pooled(name: str, pooling: str) -> str:
    return f"{name} is a sentence-transformers model: the head keeps its pooling, {pooling}."


def _not_pooled(name: str, pooling: str, model_type: str) -> str:
    return (
        f"{name} is a sentence-transformers model with the pooling {pooling}, which the head that transformers has for the type "
        f"{model_type} cannot have: the head's own is trained."
    )


def _left_out(name: str, kinds: tuple[str, ...]) -> str:
    return f"{name} has parts after its pooling that are left out: {', '.join(kinds)}."


def _enlarged(name: str, n_rows: int) -> str:
    return f"The tokenizer of {name} knows {n_rows} tokens more than its table of embeddings: the table is enlarged."


def _head_notes(name: str, found: str) -> list[str]:
    if found == "same classes":
        return [f"{name} comes with a head for the same classes: training goes on from it."]
    if found == "other classes":
        return [f"{name} comes with a head for other classes: a new one is trained."]
    return []


PADDING_TOKENS = ("[PAD]", "<pad>", "<|pad|>")


def _settle_padding(config: Any, wrapper: Any) -> None:
    """One padding token for tokenizer and network, which plain transformers needs to classify batches.

    Decoders often name none: it is the one that their vocabulary has under a usual name, or the end token. Where the two name
    different ones, the tokenizer pads, so it is right; but where positions are counted from the padding token, the network's own
    must stay.
    """
    if wrapper.pad_token is None:
        known = wrapper.get_vocab()
        usual = next((token for token in PADDING_TOKENS if token in known), None)
        if (chosen := usual or wrapper.eos_token or wrapper.unk_token) is not None:
            wrapper.add_special_tokens({"pad_token": chosen})
    family = FAMILIES.get(config.model_type)
    counts_from_padding = family is not None and family.positions_after_padding
    if getattr(config, "pad_token_id", None) is None or not counts_from_padding:
        config.pad_token_id = wrapper.pad_token_id
