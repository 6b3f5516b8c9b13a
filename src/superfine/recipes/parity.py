"""Is what was saved what was trained? The folder is opened again by plain transformers and asked for some of the test texts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from superfine.data.clean import clean_all, is_clean
from superfine.errors import first_line
from superfine.metrics import activated
from superfine.model import Model
from superfine.records import Activation, Examples, Finding, FloatArray, Head, IntArray, Ragged

BOUND = 1e-4
"""Probabilities may differ by so much: float32 rounds in another order where texts are padded."""
N_TEXTS = 32
N_LONGEST, N_DIRTY = 2, 8
BATCH = 8


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

    Every text is asked alone and in a padded batch. A text without any token, as decoders have them, is left out.

    before_opening: is called when `model` has answered and is needed no more, to give its memory back.
    """
    chosen = examples.take(chosen_texts(examples, _special_tokens(model)))
    encoded = model.encoder.encode(chosen)
    activation = model.task.head.activation
    by_token = model.task.head.by_token
    outputs = activated(model.outputs(encoded), activation)
    ours = Ragged(outputs, encoded.starts if by_token else np.arange(len(encoded) + 1))
    ids = [encoded.ids[a:b].tolist() for a, b in zip(encoded.starts, encoded.starts[1:], strict=False)]
    before_opening()
    try:
        plain = _Plain(folder, model.task.head)
        theirs = [plain.ids(chosen, i) for i in range(len(chosen))]
        asked = [i for i, found in enumerate(theirs) if found]
        wrong = [i for i in asked if theirs[i] != ids[i]]
        if wrong:
            row = int(chosen.row[wrong[0]])
            return Parity(len(asked), None, (f"it reads {len(wrong)} of {len(asked)} texts as other tokens, first row {row}.",))
        difference, problems, bound = 0.0, [], allowed(outputs, activation)
        for how, batches in (
            ("alone", [[i] for i in asked]),
            ("in padded batches", [asked[i : i + BATCH] for i in range(0, len(asked), BATCH)]),
        ):
            found = [activated(plain.outputs(chosen, batch), activation) for batch in batches]
            expected = ours.take(np.array(asked, dtype=np.int64)).values
            largest = float(np.abs(np.concatenate(found) - expected).max(initial=0.0)) if found else 0.0
            difference = largest if not largest <= difference else difference
            if not largest <= bound:
                problems.append(_differing(how, largest))
    except Exception as error:  # whatever plain transformers cannot do with the folder is what its users would meet
        return Parity(len(chosen), None, (f"it cannot be used there ({first_line(error)}).",))
    in_company_alone = model.backbone.padding == "none" and len(problems) == 1 and "in padded" in problems[0]
    return Parity(len(asked), difference if np.isfinite(difference) else None, tuple(problems), in_company_alone)


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
    """The folder as anybody opens it."""

    def __init__(self, folder: Path, head: Head) -> None:
        import torch
        import transformers

        from superfine.backbones.memory import give_back
        from superfine.backbones.process import quiet_transformers

        with quiet_transformers():
            self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
            give_back()
            opened = getattr(transformers, head.auto_class)
            network = opened.from_pretrained(folder, dtype=torch.float32, trust_remote_code=False)
        self.network, self.by_token = network.eval(), head.by_token

    def ids(self, examples: Examples, i: int) -> list[int]:
        pair = None if examples.text_pair is None else examples.text_pair[i]
        found: list[int] = self.tokenizer(examples.text[i], pair, truncation=True)["input_ids"]
        return found

    def outputs(self, examples: Examples, indices: list[int]) -> FloatArray:
        """(n, n_outputs), or of all tokens where these answer."""
        import torch

        pairs = None if examples.text_pair is None else [examples.text_pair[i] for i in indices]
        texts = [examples.text[i] for i in indices]
        inputs = self.tokenizer(texts, pairs, return_tensors="pt", padding=len(indices) > 1, truncation=True)
        with torch.inference_mode():
            logits = self.network(**inputs).logits.double().numpy()
        return np.asarray(logits[inputs["attention_mask"].numpy() > 0] if self.by_token else logits)


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
