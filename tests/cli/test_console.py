"""What the command line shows of long work: a bar on a terminal, a line now and then elsewhere."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from superfine.cli import console
from superfine.cli.console import ConsoleReporter, print_diagnosis
from superfine.records import Finding


@pytest.fixture
def reporter(monkeypatch):
    """A reporter that says every step, and the stream it says it on."""

    def build(*, terminal: bool, language: str = "en") -> tuple[ConsoleReporter, io.StringIO]:
        stream = io.StringIO()
        monkeypatch.setattr(console, "PLAIN_SECONDS", 0)
        reporter = ConsoleReporter(language)
        reporter.console = Console(file=stream, force_terminal=terminal, width=80)
        return reporter, stream

    return build


def test_elsewhere_a_line_tells_the_share_that_is_done(reporter):
    plain, stream = reporter(terminal=False)
    for done in (10, 20, 40):
        plain.progress(done, 40)
    assert [line.split(",")[0].strip() for line in stream.getvalue().splitlines()] == ["25 %", "50 %"]


def test_a_terminal_has_a_bar_that_goes_when_the_stage_is_done(reporter):
    shown, stream = reporter(terminal=True)
    for _ in range(2):  # a second stage begins anew
        shown.progress(10, 40)
        assert shown._bar is not None
        shown.progress(40, 40)
        assert shown._bar is None
    assert "100 %" in stream.getvalue()


def test_what_is_done_at_once_shows_nothing(reporter):
    for terminal in (True, False):
        shown, stream = reporter(terminal=terminal)
        shown.progress(5, 5)
        assert stream.getvalue() == ""


def test_the_line_speaks_the_users_language(reporter):
    plain, stream = reporter(terminal=False, language="zh")
    plain.progress(10, 40)
    assert "还剩" in stream.getvalue()


def test_characters_that_command_a_terminal_are_written_out(reporter):
    plain, stream = reporter(terminal=False)
    plain.note('Columns: text = "\x1b[2J\u202eevil\u200b"')
    found = Finding("rare_class", "warning", 1, 0.1, (2,), "class \x1b]0;x\x07", "do \x9b31m")
    plain.findings([found])
    shown = stream.getvalue()
    assert "\\u001b[2J\\u202eevil\\u200b" in shown
    assert not {"\x1b", "\x07", "\u202e", "\u200b", "\x9b"} & set(shown)


def test_with_a_time_limit_the_time_left_is_the_limits(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("superfine.cli.console.time.monotonic", lambda: now[0])
    said = {}
    for limit in (None, 30.0):
        reporter, now[0] = ConsoleReporter("en"), 100.0
        reporter.training_starts(1000, 0, 30.0, "accuracy", limit)
        now[0] = 111.0
        reporter.on_step(11, 1000, 0.5, 16, 200)
        said[limit] = capsys.readouterr().err
    assert "16 min 29 s left" in said[None]
    assert "19 s left" in said[30.0]


def test_what_an_installation_lacks_is_named_with_its_brackets(capsys):
    extra = SimpleNamespace(name="wandb", installed=False, command="pip install 'superfine[wandb]'", purpose="tells W&B")
    print_diagnosis(
        SimpleNamespace(versions={}, python="3.11", devices=[], threads=1, embedded_models={}, hub="-", extras=[extra]), "en"
    )
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("superfine[wandb]") == 2
