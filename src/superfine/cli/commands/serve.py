"""`superfine serve`."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import click

from superfine.cli.help import TranslatedCommand
from superfine.cli.options import json_option
from superfine.cli.output import print_json, tell


@click.command(cls=TranslatedCommand)
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is open to the network.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port; 0 takes a free one.")
@click.option("--keys", type=click.Path(path_type=Path), metavar="FILE", help="Keys, one a line: who may ask.")
@click.option("--rate", type=click.IntRange(1), metavar="N", help="Requests a minute that one client may make.")
@click.option(
    "--queue", type=click.IntRange(1), default=4096, show_default=True, help="Texts that may wait; more are turned away (503)."
)
@click.option("--max-texts", type=click.IntRange(1), default=1024, show_default=True, help="Texts in one request.")
@click.option("--max-body", type=click.IntRange(1024), default=4 << 20, show_default=True, help="Bytes of one request.")
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 3600),
    default=30.0,
    show_default=True,
    help="Seconds after which a request is given up.",
)
@json_option
def serve(
    folders: tuple[Path, ...], host: str, port: int, keys: Path | None, rate: int | None, queue: int, max_texts: int,
    max_body: int, timeout: float, as_json: bool,
) -> None:  # fmt: skip
    """Answer over HTTP with the models in FOLDERS: runs, or exports, which need no torch.

    \b
    superfine serve runs/reviews
    curl localhost:8000/v1/predict -H 'Content-Type: application/json' -d '{"texts": ["Arrived broken, twice."]}'
    """
    from superfine.errors import ConfigError
    from superfine.extras import require_installed

    if math.isnan(timeout):
        raise ConfigError("--timeout nan is no number.", "Give seconds.")
    require_installed("serve", "fastapi", "uvicorn", "prometheus_client")
    from superfine.serving.app import build_app
    from superfine.serving.keys import Keys
    from superfine.serving.run import listening, run_app
    from superfine.serving.settings import Settings

    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING)
    logging.getLogger("superfine.serving").setLevel(logging.INFO)
    with listening(host, port) as sock:
        settings = Settings(queue, max_texts, max_body, timeout, None if keys is None else Keys(keys), rate)
        app = build_app(folders, settings)
        shown = f"[{host}]" if ":" in host else host
        url = f"http://{shown}:{sock.getsockname()[1]}"
        if as_json:
            print_json({"url": url, "models": list(app.state.models)})
        tell(f"Serving {', '.join(app.state.models)} at {url}; Ctrl-C ends it.")
        run_app(app, sock, timeout)
