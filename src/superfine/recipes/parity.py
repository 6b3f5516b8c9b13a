"""Is what was saved what was trained? The folder is opened again by plain transformers and asked for some of the test texts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from superfine.backbones.locate import resolve
from superfine.backbones.sources.adapter import adapter_in
from superfine.data.clean import clean_all, is_clean
from superfine.data.preparation import HeadTail, Windows
from superfine.errors import first_line
from superfine.extras import require
from superfine.metrics import activated, log_softmax_of_sequences
from superfine.model import Model
from superfine.records import Activation, Examples, Finding, FloatArray, Head, IntArray, Ragged

BOUND = 1e-4
"""Probabilities may differ by so much: float32 rounds in another order where texts are padded."""
N_TEXTS = 32
N_LONGEST, N_DIRTY = 2, 8
BATCH = 8
CHARACTERS_PER_TOKEN = 50
"""Of what the model reads at a time: longer texts are not asked, where texts have as many windows as they need."""


@dataclass(frozen=True)
class Parity:
    """n_texts: how many were asked. largest_difference: of a probability. problems: what differs, in words; none where all
    agrees. in_company_alone: whether that was to be expected of texts that are padded, and of no others."""

    n_texts: int
    largest_difference: float | None
    problems: tuple[str, ...] = ()
    in_company_alone: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"texts": self.n_texts, "largest_difference": self.largest_difference, "problems": list(self.problems)}

    def findings(self) -> list[Finding]:
        """What the report has to say of it."""
        return [
            Finding(
                "parity",
                "blocking",
                self.n_texts,
                1.0,
                (),
                f"The saved model differs in plain transformers: {problem}",
                _advice(self),
            )
            for problem in self.problems[:1]
        ]


def prove_bundle(folder: Path, model: Model, examples: Examples, before_opening: Callable[[], None] = lambda: None) -> Parity:
    """Open `folder` with plain transformers in float32, and compare ids and probabilities with those of the model that was saved.

    Every sequence (a text, or a window of one) is asked alone and in a padded batch. One without any token, as decoders have
    them, is left out.

    before_opening: is called when `model` has answered and is needed no more, to give its memory back.
    """
    windows = model.encoder.windows
    if windows is not None or model.encoder.head_tail is not None:
        most = model.max_length * CHARACTERS_PER_TOKEN
        read = examples.text if windows is None or windows.of == "text" else examples.text_pair or []
        examples = examples.take([i for i, text in enumerate(read) if len(text) <= most])
    chosen = examples.take(chosen_texts(examples, _special_tokens(model)))
    encoded = model.encoder.encode(chosen)
    activation = model.task.head.activation
    by_token = model.task.head.by_token
    outputs = activated(model.outputs(encoded), activation)
    ours = Ragged(outputs, encoded.starts if by_token else np.arange(len(encoded.owners) + 1))
    ids = [encoded.ids[a:b].tolist() for a, b in pairwise(encoded.starts)]
    before_opening()
    try:
        plain = _Plain(folder, model.task.head, chosen, windows, model.encoder.head_tail)
        wrong = plain.read_otherwise(ids, encoded.owners)
        n_asked = len({*plain.owner}) if windows is not None else sum(map(bool, plain.ids))
        if wrong:
            row = int(chosen.row[wrong[0]])
            return Parity(n_asked, None, (f"it reads {len(wrong)} of {n_asked} texts as other tokens, first row {row}.",))
        asked = [i for i, found in enumerate(plain.ids) if found]
        difference, problems, bound = 0.0, [], allowed(outputs, activation)
        for how, batches in (
            ("alone", [[i] for i in asked]),
            ("in padded batches", [asked[i : i + BATCH] for i in range(0, len(asked), BATCH)]),
        ):
            found = [activated(plain.outputs(batch), activation) for batch in batches]
            expected = ours.take(np.array(asked, dtype=np.int64)).values
            largest = float(np.abs(np.concatenate(found) - expected).max(initial=0.0)) if found else 0.0
            difference = largest if not largest <= difference else difference
            if not largest <= bound:
                problems.append(_differing(how, largest))
    except Exception as error:  # whatever plain transformers cannot do with the folder is what its users would meet
        return Parity(len(chosen), None, (f"it cannot be used there ({first_line(error)}).",))
    in_company_alone = model.backbone.padding == "none" and len(problems) == 1 and "in padded" in problems[0]
    return Parity(n_asked, difference if np.isfinite(difference) else None, tuple(problems), in_company_alone)


def allowed(ours: FloatArray, activation: Activation) -> float:
    """By how much the answers may differ: numbers in units of their standard deviation, and by what float32 rounds."""
    if activation != "none" or not ours.size:
        return BOUND
    return BOUND * max(1.0, float(ours.std())) + 8 * float(np.finfo(np.float32).eps) * float(np.abs(ours).max())


def _differing(how: str, largest: float) -> str:
    return f"its probabilities for texts {how} differ by up to {largest:.2g}."


def _advice(parity: Parity) -> str:
    if parity.in_company_alone:
        return "Padding changes the answers of this type of model: use it through Superfine, or ask it one text at a time."
    return "Use it through Superfine alone, or choose another pretrained model; please report this one."


class _Plain:
    """The folder as anybody opens it, and what its tokenizer makes of the examples: ids of each sequence, and its owner."""

    def __init__(
        self, folder: Path, head: Head, examples: Examples, windows: Windows | None, head_tail: HeadTail | None = None
    ) -> None:
        import torch
        import transformers

        from superfine.backbones.memory import give_back
        from superfine.backbones.process import quiet_transformers

        with quiet_transformers():
            self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
            give_back()
            opened = getattr(transformers, head.auto_class)
            if (adapter := adapter_in(folder, folder.name)) is None:
                network = opened.from_pretrained(folder, dtype=torch.float32, trust_remote_code=False)
            else:
                base, config = resolve(adapter.base), transformers.AutoConfig.from_pretrained(folder)
                network = opened.from_pretrained(
                    base.path,
                    config=config,
                    dtype=torch.float32,
                    revision=base.revision,
                    ignore_mismatched_sizes=True,  # the head that lies there, which the adapter's replaces
                )
                # peft's own call for questions leaves the types of tokens out (0.21); the network below does not.
                network = require("lora", "peft").PeftModel.from_pretrained(network, str(folder)).merge_and_unload()
        self.network, self.by_token, self.examples = network.eval(), head.by_token, examples
        self.inputs: list[dict[str, list[int]]] = []
        self.owner: list[int] = []
        self.in_windows = windows is not None or head_tail is not None
        self.extractive = head.extractive
        for i, (text, pair) in enumerate(zip(examples.text, examples.text_pair or [""] * len(examples), strict=True)):
            if head_tail is not None:
                read = self._without_middle(text, head_tail.head)
            elif windows is None:
                read = {name: [column] for name, column in self.tokenizer(text, pair, truncation=True).items()}
            elif windows.of == "text_pair":
                read = self._in_context(text, pair, windows.stride)
            else:
                read = self.tokenizer(text, truncation=True, stride=windows.stride, return_overflowing_tokens=True)
            read.pop("overflow_to_sample_mapping", None)
            n = len(read["input_ids"])
            self.inputs += [{name: column[k] for name, column in read.items()} for k in range(n)]
            self.owner += [i] * n

    @property
    def ids(self) -> list[list[int]]:
        return [one["input_ids"] for one in self.inputs]

    def read_otherwise(self, ids: list[list[int]], owner: IntArray) -> list[int]:
        """The texts that it reads as other sequences than these, but for those without any token."""
        ours, theirs = (
            {i: [of for _, of in found] for i, found in groupby(zip(owners, some, strict=True), key=itemgetter(0))}
            for owners, some in ((owner.tolist(), ids), (self.owner, self.ids))
        )
        return [i for i, found in theirs.items() if any(found) and found != ours[i]]

    def outputs(self, sequences: list[int]) -> FloatArray:
        """(m, n_outputs), or of all tokens where these answer."""
        import torch

        from superfine.backbones.heads import logits_of

        padding = len(sequences) > 1
        if self.in_windows:
            columns = {name: [self.inputs[k][name] for k in sequences] for name in self.inputs[0]}
            inputs = self.tokenizer.pad(columns, return_tensors="pt", padding=padding)
        else:
            texts, pairs = [self.examples.text[i] for i in sequences], self.examples.text_pair
            second = None if pairs is None else [pairs[i] for i in sequences]
            inputs = self.tokenizer(texts, second, return_tensors="pt", padding=padding, truncation=True)
        with torch.inference_mode():
            logits = logits_of(self.network(**inputs)).double().numpy()
        if not self.by_token:
            return np.asarray(logits)
        is_read = inputs["attention_mask"].numpy() > 0
        starts = np.concatenate([[0], np.cumsum(is_read.sum(axis=1))])
        return log_softmax_of_sequences(logits[is_read], starts) if self.extractive else np.asarray(logits[is_read])

    def _without_middle(self, text: str, head: int) -> dict[str, list[Any]]:
        """The tokens of the whole text without those between its beginning and its end."""
        read = self.tokenizer(text, return_special_tokens_mask=True)
        special = np.array(read.pop("special_tokens_mask"), dtype=bool)
        own, room = np.flatnonzero(~special), self.tokenizer.model_max_length - int(special.sum())
        kept = np.ones(len(special), dtype=bool)
        if len(own) > room:
            kept[own[head : len(own) - (room - head)]] = False
        return {name: [[value for value, is_kept in zip(column, kept, strict=True) if is_kept]] for name, column in read.items()}

    def _in_context(self, text: str, pair: str, stride: int) -> Any:
        """As the model's users write it: the question whole, the context in windows. Of a question that is longer than half of
        what the model reads the beginning is asked."""
        longest = self.tokenizer.model_max_length
        n_special = self.tokenizer.num_special_tokens_to_add(pair=True)
        asked = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        most = max(1, longest // 2 - n_special)
        text = text if len(asked) <= most else text[: asked[most - 1][1]]
        room = longest - min(len(asked), most) - n_special
        return self.tokenizer(text, pair, truncation="only_second", stride=min(stride, room // 2), return_overflowing_tokens=True)


def _special_tokens(model: Model) -> list[str]:
    return sorted(
        {token.content for token in model.encoder.tokenizer.get_added_tokens_decoder().values() if token.content.strip()}
    )


def chosen_texts(examples: Examples, special_tokens: list[str]) -> IntArray:
    """Positions of texts to ask: the longest, the dirtiest, one with each kind of special token, and others, the shorter half of
    all."""
    texts = [f"{a} {b}" for a, b in zip(examples.text, examples.text_pair or [""] * len(examples), strict=True)]
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    wanted: dict[int, None] = dict.fromkeys(np.argsort(-lengths, kind="stable")[:N_LONGEST].tolist())
    dirty = [i for i, text in enumerate(texts) if not is_clean(text.strip())]
    changed = {i: abs(len(texts[i]) - len(clean_all([texts[i]])[0])) for i in dirty[:2000]}
    wanted |= dict.fromkeys(sorted(changed, key=lambda i: (-changed[i], i))[:N_DIRTY])
    if special_tokens:
        pattern = re.compile("|".join(map(re.escape, special_tokens)))
        seen: dict[str, int] = {}
        for i, text in enumerate(texts):
            if (found := pattern.search(text)) is not None:
                seen.setdefault(found[0], i)
        wanted |= dict.fromkeys(seen.values())
    others = np.argsort(lengths, kind="stable")
    half = others[: max(N_TEXTS, len(others) // 2)]
    wanted |= dict.fromkeys(half[np.linspace(0, len(half) - 1, min(N_TEXTS, len(half))).astype(int)].tolist())
    for i in others.tolist():
        if len(wanted) >= min(N_TEXTS, len(texts)):
            break
        wanted[i] = None
    return np.array(list(wanted)[: max(N_TEXTS, N_LONGEST + N_DIRTY + len(special_tokens))], dtype=np.int64)
