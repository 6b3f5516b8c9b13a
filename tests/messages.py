"""Every message in the source that a person may read, as a pattern with `{}` for what is filled in: `python -m tests.messages`."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src" / "superfine"
SPEAKERS = {
    "SuperfineError", "DataError", "UnreadableError", "ConfigError", "ModelError", "OutputError",
    "finding", "Finding", "BadRow", "report", "note", "noting", "_say", "say", "_plain_table", "tell", "_in_language", "translate", "phrase", "empty", "line", "bars", "_bars", "_by_epoch", "option", "Option", "argument", "version_option",
}  # fmt: skip
"""Functions whose string arguments are shown."""
FUNCTIONS = {
    "did_you_mean",
    "plan",
    "changes_too_much",
    "why_not",
    "unsure",
    "proved",
    "_what_is_wrong",
    "_advice",
    "encoding_notes",
    "_records",
    "_object",
    "_reason",
    "_why_none",
    "_header_among_rows",
    "describe",
    "verdict",
    "_said",
    "_texts_left_out",
    "_unseen_characters",
    "_joined_labels",
    "take_notes",
    "promise_notes",
    "_summary",
    "_decided_alone",
    "_cost",
    "_spread",
    "_confidence",
    "_weak_class",
    "_weak_kinds",
    "_more_rows",
    "_blocking",
    "verdict_of",
    "said_of_margin",
    "weak_note",
    "drift_told",
    "_not_told_apart",
    "said",
    "_matched",
    "notes",
    "_part",
    "_enlarged",
    "_read_as",
    "_assumed",
    "_left",
    "_pooled",
    "_not_pooled",
    "_left_out",
    "_head_notes",
    "_padding_matters",
    "prove_bundle",
    "_differing",
    "_renamed",
    "_ignored",
    "duration",
    "chosen",
    "second_best",
    "no_language",
    "in_script",
    "in_english",
    "in_latin_letters",
    "in_other_latin",
    "other_language",
    "unknown_tokens",
    "counted",
    "_state",
    "suits",
    "why_not_scored",
    "why_not_held_out",
}
"""Functions whose returned strings are shown as part of a message."""
NAMES = {
    "STAGES",
    "SAMPLES",
    "ASKED_ONCE",
    "lost",
    "changed",
    "TITLES",
    "SCORE_NAMES",
    "CLOSE_QUOTES",
    "LINES_LOOK_LIKE",
    "DELIMITERS",
    "FOR_PEOPLE",
    "state",
    "NAMES",
    "reason",
    "notes",
    "doubt",
    "message",
    "advice",
    "counts",
    "known",
    "left_out",
    "only",
    "described",
    "place",
    "best",
    "WITHOUT_EFFECT",
    "WAITING",
    "said",
    "summary",
    "pattern",
    "NOT_ALL_FOLDS",
    "Place",
}
"""Constants that are shown."""


def template(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def strings(node: ast.AST) -> Iterator[str]:
    """The templates under a node; those inside a gap of another are found as well, the literal pieces of one are not."""
    text = template(node)
    if text is not None:
        yield text
    children = (
        [p for p in node.values if isinstance(p, ast.FormattedValue)]
        if isinstance(node, ast.JoinedStr)
        else ast.iter_child_nodes(node)
    )
    for child in children:
        if not (
            isinstance(child, ast.Call)
            and isinstance(child.func, ast.Attribute)
            and child.func.attr in {"join", "get", "replace"}
        ):
            yield from strings(child)
        else:
            yield from (s for argument in child.args for s in strings(argument))


def is_prose(text: str) -> bool:
    words = text.replace("{}", " ").split()
    return len(words) >= 2 and any(word.isalpha() and word.isascii() for word in words)


def messages() -> dict[str, str]:
    """Message template to the file it stands in."""
    found: dict[str, str] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            shown: list[ast.AST] = []
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                shown = [*node.args, *(k.value for k in node.keywords)] if name in SPEAKERS else []
                if name in {"option", "Option"}:
                    shown = [k.value for k in node.keywords if k.arg == "help"]
            elif isinstance(node, ast.FunctionDef) and node.name in FUNCTIONS:
                shown = [inner.value for inner in ast.walk(node) if isinstance(inner, ast.Return) and inner.value]
            elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and node.value is not None:
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                shown = [node.value] if getattr(target, "id", "") in NAMES else []
            for part in shown:
                for text in strings(part):
                    for line in text.split("\n"):
                        if is_prose(line):
                            found.setdefault(line.strip(), str(path.relative_to(SOURCE)))
    for path in sorted(SOURCE.rglob("*.j2")):
        for text in re.findall(r't\("([^"]+)"', path.read_text(encoding="utf-8")):
            found.setdefault(text, str(path.relative_to(SOURCE)))
    for text in command_help():
        found.setdefault(text, "cli/main.py")
    return found


def command_help() -> Iterator[str]:
    """The paragraphs of the commands' help, joined as they are looked up; fixed lines one by one."""
    from superfine.cli.commands import COMMANDS
    from superfine.cli.help import help_paragraphs
    from superfine.cli.main import cli

    for command in (cli, *map(COMMANDS.load, COMMANDS)):
        for paragraph in help_paragraphs(command.help or ""):
            if not paragraph.startswith("\b"):
                yield " ".join(paragraph.split("\n"))


if __name__ == "__main__":
    import yaml

    known = yaml.safe_load((SOURCE / "messages" / "zh.yaml").read_text(encoding="utf-8")) or {}
    missing = {text: file for text, file in messages().items() if text not in known}
    for text, file in missing.items():
        print(f"{file}: {text}")
    sys.exit(bool(missing))
