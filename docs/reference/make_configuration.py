"""Writes configuration.md from the code: python docs/reference/make_configuration.py"""

from pathlib import Path

from pydantic import BaseModel

from superfine.config import RunConfig


def rows(section: type[BaseModel], prefix: str = "") -> list[str]:
    lines = []
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            lines += rows(field.annotation, f"{prefix}{name}.")
            continue
        default = field.get_default(call_default_factory=True)
        shown = "" if default is None else f"`{default}`"
        lines.append(f"| `{prefix}{name}` | {shown} | {field.description or ''} |")
    return lines


PAGE = """# Configuration

Set a key with `--set key=value`, in a YAML file given to `--config` (sections nested), or in Python with
`settings={{"key": value}}`.
This page is made by `docs/reference/make_configuration.py` from the code.

| key | default | meaning |
|---|---|---|
{rows}
"""

if __name__ == "__main__":
    page = PAGE.format(rows="\n".join(rows(RunConfig)))
    Path(__file__).with_name("configuration.md").write_text(page, encoding="utf-8")
