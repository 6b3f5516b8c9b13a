"""What is saved reads and answers in plain transformers as it does here, for every class of tokenizer of the supported families:
raw texts and pairs, special tokens in the text, added tokens that are stored as normalised, a padding token that ends texts."""

import json

import pytest
import torch

from superfine.backbones.load import open_pretrained
from superfine.recipes.parity import prove_bundle
from superfine.records import Examples, Head
from tests.conftest import FAMILIES, make_rows, model_of

WORDS = [text for text, _ in make_rows(300)]
DIRTY = [
    "a <br /><br /> lovely &amp; quite sturdy kettle", "AWFUL\u200b pan!!!   broken &#39;on day one&#39;", "  leading and trailing  ",
    "<p>caf\u00e9</p> cafe\u0301 <b>lovely</b> \x07 book", "lovely " * 60, "?", "质量很好 &lt;3 😀", "\u3000全角　空格\ttab\nline",
    *(f"before {token} after" for token in ("<s>", "</s>", "<pad>", "<unk>", "<mask>", "[CLS]", "[SEP]", "[PAD]", "<|endoftext|>")),
    "ends with</s>", "ends with<|endoftext|>", "&lt;s&gt; spelled out", "<br></s>", "x < y and z > w <target>phone</target>",
]  # fmt: skip
EXAMPLES = {
    "texts": Examples.of_texts([*DIRTY, *WORDS[:12]]),
    "pairs": Examples.of_texts([*DIRTY, *WORDS[:12]], [*WORDS[:12], *reversed(DIRTY)]),
}
CLASSES = {
    "BertTokenizer": ("bert", "wordpiece"),
    "DistilBertTokenizer": ("distilbert", "wordpiece"),
    "ElectraTokenizer": ("electra", "wordpiece"),
    "RobertaTokenizer": ("roberta", "bytes"),
    "GPT2Tokenizer": ("gpt2", "bytes"),
    "Qwen2Tokenizer": ("qwen2", "bytes"),
    "LlamaTokenizer": ("llama", "pieces"),
    "CodeLlamaTokenizer": ("llama", "pieces"),
    "GemmaTokenizer": ("llama", "pieces"),
    "XLMRobertaTokenizer": ("xlm-roberta", "unigram"),
    "CamembertTokenizer": ("xlm-roberta", "unigram"),
    "DebertaV2Tokenizer": ("albert", "unigram"),
    "XLNetTokenizer": ("xlnet", "unigram"),
}
"""By the class's name: a family that it comes with, and the kind of its vocabulary."""


@pytest.fixture(scope="module")
def vocabularies():
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    def trained(model, trainer, **parts):
        tokenizer = Tokenizer(model)
        for name, part in parts.items():
            setattr(tokenizer, name, part)
        tokenizer.train_from_iterator(WORDS, trainer)
        return json.loads(tokenizer.to_str())["model"]

    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "<|endoftext|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    in_bytes = trained(
        models.BPE(),
        trainers.BpeTrainer(vocab_size=380, special_tokens=specials, initial_alphabet=alphabet),
        pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=False),
    )
    in_pieces = trained(
        models.BPE(unk_token="<unk>"),
        trainers.BpeTrainer(vocab_size=380, special_tokens=["<unk>", "<s>", "</s>"]),
        normalizer=normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
    )
    unigram = trained(
        models.Unigram(),
        trainers.UnigramTrainer(vocab_size=150, special_tokens=specials, unk_token="<unk>"),
        pre_tokenizer=pre_tokenizers.Metaspace(),
    )
    letters = "abcdefghijklmnopqrstuvwxyz"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(w for text in WORDS for w in text.split()), *letters]
    pieces += [f"##{letter}" for letter in letters]
    return {
        "wordpiece": {"vocab": {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}},
        "bytes": {"vocab": in_bytes["vocab"], "merges": [tuple(pair) for pair in in_bytes["merges"]]},
        "pieces": {"vocab": in_pieces["vocab"], "merges": [tuple(pair) for pair in in_pieces["merges"]]},
        "unigram": {"vocab": [tuple(piece) for piece in unigram["vocab"]]},
    }


@pytest.mark.parametrize("variant", ["as it is", "normalised added tokens", "the end token pads"])
@pytest.mark.parametrize("name", CLASSES)
def test_plain_transformers_reads_and_answers_as_we_do(vocabularies, tmp_path_factory, name, variant):
    import transformers

    family, kind = CLASSES[name]
    # Not in a folder with the family's name: AutoTokenizer chooses its class by what the path looks like.
    folder = tmp_path_factory.mktemp("model")
    tokenizer = getattr(transformers, name)(**vocabularies[kind])
    if variant == "the end token pads":
        if tokenizer.eos_token is None:
            pytest.skip("has no end token")
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.save_pretrained(folder)
    if variant == "normalised added tokens":
        path = folder / "tokenizer.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        content["added_tokens"] = [token | {"normalized": True} for token in content["added_tokens"]]
        path.write_text(json.dumps(content), encoding="utf-8")
    settings = FAMILIES[family] | {
        "vocab_size": 408,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = transformers.AutoModel.from_config(transformers.AutoConfig.for_model(family, **settings))
        for parameter in network.parameters():
            if parameter.dim() > 1:
                parameter.data.mul_(3)
        network.save_pretrained(folder)
        backbone = open_pretrained(str(folder)).backbone(Head(("bad", "good")))
        for parameter_name, parameter in backbone.network.named_parameters():
            if parameter_name in backbone.fresh:
                parameter.data.mul_(20)
    backbone.network.eval()
    backbone.pack_if_sound()
    backbone.save(folder / "saved", 32)
    for what, examples in EXAMPLES.items():
        parity = prove_bundle(folder / "saved", model_of(backbone), examples)
        assert parity.problems == (), what
        assert parity.n_texts >= 30, what
