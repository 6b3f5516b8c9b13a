"""The commands: one verb per file, imported when it is asked for."""

from superfine.names import NameTable

COMMANDS = NameTable(
    "command",
    {
        "check": "superfine.cli.commands.check:check",
        "train": "superfine.cli.commands.train:train",
        "predict": "superfine.cli.commands.predict:predict",
        "evaluate": "superfine.cli.commands.evaluate:evaluate",
        "compare": "superfine.cli.commands.compare:compare",
        "export": "superfine.cli.commands.export:export",
        "serve": "superfine.cli.commands.serve:serve",
        "runs": "superfine.cli.commands.runs:runs",
        "models": "superfine.cli.commands.models:models",
        "doctor": "superfine.cli.commands.doctor:doctor",
        "completion": "superfine.cli.commands.completion:completion",
    },
)
