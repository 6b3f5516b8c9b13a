"""Writes `openapi.json`, what `superfine serve` answers to, from the server itself. Run it after a change of routes or shapes."""

import json
from pathlib import Path
from unittest.mock import patch

from superfine.serving.app import build_app
from superfine.serving.settings import Settings


def main() -> None:
    with patch("superfine.serving.app.open_models", lambda *_: {}):
        content = build_app([], Settings()).openapi()
    text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    Path(__file__).with_name("openapi.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
