"""What the files import, read from their text: no circles, not even for types, and nothing that only one system has."""

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src"
POSIX_ONLY = {
    "_posixsubprocess", "crypt", "fcntl", "grp", "nis", "ossaudiodev", "posix", "pty", "pwd", "readline", "resource", "spwd", "syslog",
    "termios", "tty",
}  # fmt: skip
POSIX_ONLY_CALLS = {"fork", "forkpty", "getuid", "geteuid", "getgid", "mkfifo", "openpty", "setsid", "killpg", "chown", "fchmod"}
"""Functions of `os` that Windows lacks."""
LINUX_ONLY_PATHS = ("/dev/", "/proc/")
ALLOWED = {
    ("superfine.recipes.figures", "resource"): "peak memory is left out where the system does not tell",
    ("superfine.serving.run", "resource"): "elsewhere connections are not counted",
    ("superfine.backbones.processor", "/proc/cpuinfo"): "elsewhere the flags are empty, and float32 is taken",
    ("superfine.training.footprint", "/proc/meminfo"): "elsewhere all that is built in counts as free, or nothing is estimated",
}
"""What is Linux or POSIX only, guarded where it stands, and what happens elsewhere."""


def modules() -> dict[str, ast.Module]:
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


MODULES = modules()


def imported(name: str) -> Iterator[str]:
    """The modules of ours that a module imports anywhere, for types too."""
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            modules_among = [module for module in inner if module in MODULES]
            yield from modules_among
            if len(modules_among) < len(inner):
                yield str(node.module)


def test_no_module_imports_itself_through_others():
    graph = {name: set(imported(name)) - {name} for name in MODULES}
    state: dict[str, int] = {}

    def visit(name: str, path: list[str]) -> None:
        assert state.get(name) != 1, " → ".join([*path[path.index(name) :], name])
        if name not in state:
            state[name] = 1
            for other in sorted(graph[name]):
                visit(other, [*path, name])
            state[name] = 2

    for name in graph:
        visit(name, [])


def posix_only(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] in POSIX_ONLY)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in POSIX_ONLY:
            yield node.module
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "os"
            and node.attr in POSIX_ONLY_CALLS
        ):
            yield f"os.{node.attr}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(LINUX_ONLY_PATHS):
            yield node.value


def test_what_only_posix_has_is_listed_and_guarded():
    found = {(name, what) for name, tree in MODULES.items() for what in posix_only(tree)}
    assert found == set(ALLOWED)


def test_text_files_are_opened_with_an_encoding():
    """Windows would take the encoding of its region."""
    without = []
    for name, tree in MODULES.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            keywords = {keyword.arg for keyword in node.keywords}
            positional = [a.value for a in node.args if isinstance(a, ast.Constant)]
            binary = any(isinstance(mode, str) and "b" in mode and len(mode) <= 3 for mode in positional)
            if isinstance(node.func, ast.Attribute) and called in {"read_text", "write_text"} and "encoding" not in keywords:
                without.append((name, node.lineno))
            if called == "open" and isinstance(node.func, ast.Name) and not binary and "encoding" not in keywords:
                without.append((name, node.lineno))
    assert without == []
