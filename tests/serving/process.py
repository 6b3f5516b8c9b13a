"""`superfine serve` in a process of its own."""

import os
import re
import signal
import subprocess
from contextlib import contextmanager


@contextmanager
def serving(command, *arguments, cwd, **more):
    """The address of a server that takes a free port, which is told to end afterwards and must do so in order. more: variables
    of its environment."""
    line = [*command, "serve", *map(str, arguments), "--port", "0", "--lang", "en"]
    variables = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    process = subprocess.Popen(line, cwd=cwd, env=variables | more, stderr=subprocess.PIPE, text=True)
    said = process.stderr.readline()
    found = re.search(r"at (http://\S+);", said)
    assert found, said + (process.stderr.read() if process.wait() else "")
    try:
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        status = process.wait(60)
    assert status == 0, rest
    assert "Traceback" not in rest
