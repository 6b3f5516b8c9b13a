"""The process: a socket, and the server on it until it is told to end."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn

from superfine.errors import ConfigError

BACKLOG = 2048


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens, taken before anything is loaded. Raises ConfigError for one that cannot be had."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        sock = socket.socket(found[0][0], socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigError(f"{host} is no address of this machine: {error.strerror}.", "Choose one with --host.") from None
    with sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(found[0][4])
            sock.listen(BACKLOG)
        except OSError as error:
            message = f"Port {port} of {host} cannot be used: {error.strerror}."
            raise ConfigError(message, "Choose another one with --port.") from None
        yield sock


def run_app(app: Any, sock: socket.socket, seconds: float) -> None:
    """Answer until SIGINT or SIGTERM; what is asked by then is answered first, for so many seconds at most."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(seconds) + 1,
    )
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again when all is done: to end is what was asked
        uvicorn.Server(config).run(sockets=[sock])
