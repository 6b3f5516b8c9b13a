"""The process: a socket, and the server on it until it is told to end."""

from __future__ import annotations

import math
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from superfine.errors import ConfigError

BACKLOG = 2048
MOST_DESCRIPTORS, KEPT_DESCRIPTORS = 65_536, 128


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens, taken before anything is loaded. Raises ConfigError for one that cannot be had."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        sock = socket.socket(found[0][0], socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it cannot be written as one"
        raise ConfigError(f"{host} is no address of this machine: {reason}.", "Choose one with --host.") from None
    with sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(found[0][4])
            sock.listen(BACKLOG)
        except OSError as error:
            message = f"Port {port} of {host} cannot be used: {error.strerror}."
            raise ConfigError(message, "Choose another one with --port.") from None
        yield sock


class ImpatientProtocol(H11Protocol):
    """Closes connections on which nothing was asked, or only half of it, for all of `seconds`: uvicorn's own timer begins behind
    the first answer, and idle sockets would take all that the process may have."""

    seconds = 30.0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._last_seen: object = None
        self._looking = self.loop.call_later(self.seconds, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._looking.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        cycle = self.cycle
        is_answering = cycle is not None and not cycle.response_complete
        if not is_answering and cycle is self._last_seen:
            self.transport.close()
            return
        self._last_seen = cycle
        self._looking = self.loop.call_later(self.seconds, self._look)


def run_app(app: Any, sock: socket.socket, seconds: float) -> None:
    """Answer until SIGINT or SIGTERM; what is asked by then is answered first, for so many seconds at most."""
    ImpatientProtocol.seconds = seconds
    config = uvicorn.Config(
        app,
        http=ImpatientProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whoever asks could name any address
        timeout_keep_alive=30,
        timeout_graceful_shutdown=math.ceil(seconds) + 1,
        limit_concurrency=_most_connections(),
    )
    with suppress(KeyboardInterrupt):  # uvicorn raises the signal again when all is done: to end is what was asked
        uvicorn.Server(config).run(sockets=[sock])


def _most_connections() -> int | None:
    """As many as there are file descriptors, some of which are kept for files; as many as the system allows are taken."""
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard != resource.RLIM_INFINITY else MOST_DESCRIPTORS
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(16, soft - KEPT_DESCRIPTORS)
